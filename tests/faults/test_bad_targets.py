"""Targets that are not there, too fast for the clock, closed, deaf or mean: what the command says of each.

In this order they must end with 3, 0 or 1, 3, 1, 1; and nowhere may a rate or a latency of 0 be told, nor a
pass for which nothing was measured.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from loadtest.simulator.process import Simulator
from tests.end_to_end.running import DRAWN

pytestmark = pytest.mark.long

LOADTEST = str(Path(sys.executable).parent / "loadtest")
LONGEST_S = 90.0

QUICK = ("--duration", "2s", "--set", "load.warmup=100ms", "--set", "traffic.timeout=1s")


ECHO = (
    *("--duration", "2s", "--set", "load.warmup=1s"),
    # The truth is asked for here, not the speed of a machine that has other things to do.
    *("--set", "thresholds.turn.completion.p99=< 500ms", "--set", "thresholds.rates.turns_per_s=> 400"),
)


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code, what it wrote on the screen, and the folder of its run."""

    code: int
    screen: str
    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder / "run.json").read_text("utf-8"))
        return read

    def texts(self) -> Iterator[tuple[str, str]]:
        """Everything that people read, by where it stands; of HTML only what is shown."""
        yield "the screen", self.screen
        yield "report.md", (self.folder / "report.md").read_text("utf-8")
        yield "junit.xml", (self.folder / "junit.xml").read_text("utf-8")
        page = (self.folder / "report.html").read_text("utf-8")
        shown = re.sub(r"(?s)<(style|script|svg)\b.*?</\1>|<[^>]*>", " ", page)
        yield "report.html", shown


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``loadtest run`` as it is typed, and wait for its end."""

    def run_it(*words: str, **environment: str) -> Ended:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOADTEST_")}
        ended = subprocess.run(
            [LOADTEST, "run", *words, "--results", str(tmp_path)],
            env={**inherited, **DRAWN, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        screen = ended.stdout + ended.stderr
        folders = [path for path in tmp_path.iterdir() if path.is_dir()]
        assert len(folders) == 1, screen
        return Ended(ended.returncode, screen, folders[0])

    return run_it


@pytest.fixture
def simulator() -> Iterator[Callable[..., str]]:
    """Start a simulator with faults; its URL."""
    with ExitStack() as stack:
        yield lambda *faults: stack.enter_context(Simulator.start(faults=faults)).url


# ------------------------------------------------------------------ what holds of every one of them

ZERO = re.compile(
    r"(?<![\d.,:–-])0(?:[.,]0+)?\s?(?:/s|ns|µs|us|ms|s|sec|seconds|events/s|per second)(?![\w=])"
)
"""A rate or a duration of nothing, as people read it."""


def no_zero_is_told(ended: Ended) -> None:
    for place, text in ended.texts():
        assert not ZERO.findall(text), f"{place}: {ZERO.search(text)}"
        assert not re.search(r"(?i)\b(?:nan|inf(?:inity)?)\b", text), place
    for name, rate in ended.manifest["rates"].items():
        assert rate["value"] is None or rate["value"] > 0, name
        assert rate["value"] is not None or rate["reason"], name
    for name, metric in ended.manifest["metrics"].items():
        for statistic in ("min", "p50", "p90", "p95", "p99", "p99_9", "max", "max_exact", "mean"):
            assert metric[statistic] is None or metric[statistic] > 0, f"{name}.{statistic}"
    for file in ("benchmark.json", "benchmark-rates.json"):
        for row in json.loads((ended.folder / file).read_text("utf-8")):
            assert row["value"] > 0, f"{file}: {row['name']}"


def nothing_is_held_without_evidence(ended: Ended) -> None:
    verdict = ended.manifest["verdict"]
    assert verdict["exit_code"] == ended.code
    for row in verdict["thresholds"]:
        if row["outcome"] == "held":
            assert row["n"] > 0, row
            assert row["measured"] is not None or row["reason"], row
        if row["outcome"] == "not_measured":
            assert row["reason"], row
    if ended.code == 0:
        assert verdict["thresholds"]
        assert {row["outcome"] for row in verdict["thresholds"]} == {"held"}


def honest(ended: Ended, outcome: str) -> None:
    """What holds of every one of them."""
    assert ended.manifest["verdict"]["outcome"] == outcome, ended.manifest["verdict"]["reason"]
    assert "Traceback" not in ended.screen
    no_zero_is_told(ended)
    nothing_is_held_without_evidence(ended)


def simulated(ended: Ended) -> None:
    assert ended.manifest["target"]["simulated"] is True
    assert "simulated_target" in {notice["code"] for notice in ended.manifest["notices"]}
    for place, text in ended.texts():
        assert "SIMULATED" in text, place


# ------------------------------------------------------------------ the targets


def test_1_nothing_listens(run: Run) -> None:
    ended = run("agent-burst", "--target", "ws://127.0.0.1:1/ws")
    assert ended.code == 3
    honest(ended, "unreachable")
    assert ended.manifest["counts"]["connections"]["refused"] == {"tcp": 20}
    assert [rate["value"] for rate in ended.manifest["rates"].values()] == [None] * 4


@pytest.mark.parametrize("target", ["own", "another"])
def test_2_an_instant_echo_under_a_clock_of_15_6_ms(
    target: str, run: Run, simulator: Callable[..., str]
) -> None:
    given = [] if target == "own" else ["--target", f"{simulator()}/echo"]
    ended = run("echo-steady", *ECHO, *given, LOADTEST_CLOCK_STEP="15.6ms")
    assert ended.code in {0, 1}
    honest(ended, "pass" if ended.code == 0 else "fail")
    simulated(ended)
    counts = ended.manifest["counts"]["turns"]
    assert counts["complete"] == counts["due"] > 500
    rates = ended.manifest["rates"]
    assert 400 < rates["turns_per_s"]["value"] < 600
    assert 400 < rates["events_received_per_s"]["value"] < 600
    completion = ended.manifest["metrics"]["turn.completion.service"]
    assert completion["n"] > 400
    assert completion["p50"] is None
    assert "15.6 ms" in completion["reasons"]["p50"]
    (row,) = [row for row in ended.manifest["verdict"]["thresholds"] if row["name"] == "turn.completion.p99"]
    assert row["outcome"] == "held"
    assert "clock_step_injected" in {notice["code"] for notice in ended.manifest["notices"]}


def test_2_under_such_a_clock_a_limit_below_its_step_is_not_measured(run: Run) -> None:
    limit = "thresholds.turn.completion.p50=< 1ms"
    ended = run("echo-steady", *ECHO, "--set", limit, LOADTEST_CLOCK_STEP="15.6ms")
    assert ended.code == 4
    honest(ended, "invalid")


def test_3_accepts_and_closes_with_401(run: Run, simulator: Callable[..., str]) -> None:
    ended = run("agent-burst", *QUICK, "--target", simulator("invalid-close-code=401"))
    assert ended.code == 3
    honest(ended, "unreachable")
    simulated(ended)
    counts = ended.manifest["counts"]["connections"]
    assert (counts["refused"], counts["ready"], counts["closed"]) == ({"auth": 20}, 0, {})
    assert [rate["value"] for rate in ended.manifest["rates"].values()] == [None] * 4


def test_4_acknowledges_and_never_runs_a_turn(run: Run, simulator: Callable[..., str]) -> None:
    ended = run("agent-burst", *QUICK, "--target", simulator("ack-only"))
    assert ended.code == 1
    honest(ended, "fail")
    simulated(ended)
    counts = ended.manifest["counts"]
    assert counts["turns"]["timed_out"] == counts["turns"]["begun"] > 0
    assert counts["events"]["received"] == counts["events"]["ignored"] == counts["turns"]["begun"]
    assert ended.manifest["rates"]["events_received_per_s"]["value"] is None
    assert ended.manifest["rates"]["turns_per_s"]["value"] is None
    assert not [name for name in ended.manifest["metrics"] if name.startswith("turn.")]


def test_5_one_identity_for_ten_connections_where_five_are_allowed(
    run: Run, simulator: Callable[..., str]
) -> None:
    one = 'target.headers={"X-User-Id" = "one-for-all"}'
    ended = run(
        "agent-burst",
        *QUICK,
        *("--connections", "10", "--set", one, "--set", "thresholds.connections.ready.peak=>= 10"),
        *("--target", simulator("max-per-identity=5")),
    )
    assert ended.code == 1
    honest(ended, "fail")
    simulated(ended)
    counts = ended.manifest["counts"]
    assert (counts["connections"]["ready"], counts["connections"]["refused"]) == (5, {"ready": 5})
    turns = counts["turns"]
    assert turns["complete"] == turns["begun"] == turns["due"] - turns["not_attempted"]
    assert 0.4 < turns["not_attempted"] / turns["due"] < 0.6
    assert "load_not_reached_by_target" in {notice["code"] for notice in ended.manifest["notices"]}
