"""The course of a run: warm-up, stages, drain, timeouts, and its end before its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadtest.measure.interval import PHASES
from loadtest.simulator.process import Simulator
from tests.end_to_end.conftest import Awaited, Begin, Launch
from tests.end_to_end.running import Ended

pytestmark = pytest.mark.long

HEAD = """
name = "course"
protocol = "agent-events"

[target]
url = "simulator"
"""

ABORT = """
[load]
connections = 4
duration = "30s"

[traffic]
every = "100ms"
timeout = "300ms"

[abort]
"turns.timed_out.ratio" = "> 50%"
after = "1s"
"""

STAGES = """
[load]
stages = [
  { for = "1s", connections = 2, thresholds = { "connections.ready.peak" = "== 2", "turns.due" = "== 20" } },
  { for = "1s", connections = 6, thresholds = { "connections.ready.peak" = "== 6", "turns.due" = "== 60" } },
  { for = "1s", connections = 3, thresholds = { "turns.due" = "== 30", "turn.first_event.p50" = "< 1us" } },
]

[traffic]
every = "100ms"
phase = "together"
timeout = "5s"

[thresholds]
"turns.complete.ratio" = ">= 100%"
"""

WARMUP = """
[load]
connections = 5
warmup = "1s"
duration = "1s"

[traffic]
every = "100ms"
timeout = "5s"

[thresholds]
"turns.due" = "== 50"
"""

DRAIN = """
[load]
connections = 5
duration = "1s"

[traffic]
every = "100ms"
timeout = "10s"
"""

TIMEOUT = """
[load]
connections = 5
duration = "1s"

[traffic]
every = "200ms"
timeout = "400ms"

[thresholds]
"turns.complete.ratio" = ">= 99%"
"""

HOLD = """
[load]
connections = 8
connect_rate = "20/s"
duration = "1s"

[thresholds]
"connections.ready.peak" = "== 8"
"""

CUT = """
[load]
connections = 5
duration = "1s"

[traffic]
every = "100ms"
timeout = "10s"

[thresholds]
"turns.complete.ratio" = ">= 99%"
"""

LATE_READY = """
[load]
connections = 3
duration = "1s"

[traffic]
every = "250ms"
timeout = "10s"
"""

SLOW_READY = """
[load]
connections = 3
duration = "1s"

[traffic]
every = "250ms"
timeout = "500ms"
"""


@pytest.fixture(scope="module")
def runs(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Awaited]]:
    """One run for each course, all at once; what a slow machine changes is not looked at."""
    folder = tmp_path_factory.mktemp("courses")
    started: list[Simulator] = []

    def start(name: str, plan: str, *faults: str) -> Awaited:
        scenario = folder / f"{name}.toml"
        scenario.write_text(HEAD + plan)
        if not faults:
            return begin("run", scenario, "--verbose")
        started.append(Simulator.start(faults=faults))
        return begin("run", scenario, "--target", started[-1].url, "--verbose")

    try:
        yield {
            "abort": start("abort", ABORT, "blackhole=1"),
            "stages": start("stages", STAGES),
            "warmup": start("warmup", WARMUP),
            "drain": start("drain", DRAIN, "delay=1500ms"),
            "timeout": start("timeout", TIMEOUT, "blackhole=1"),
            "hold": start("hold", HOLD),
            "cut": start("cut", CUT, "cut=1,4001"),
            "ready in the drain": start("late-ready", LATE_READY, "slow-ready=1200ms"),
            "slow ready": start("slow-ready", SLOW_READY, "slow-ready=60s"),
        }
    finally:
        for simulator in started:
            simulator.stop()


@pytest.fixture
def ended(runs: dict[str, Awaited]) -> Callable[[str], Ended]:
    return lambda name: runs[name].end()


Of = Callable[[str], Ended]


def test_an_abort_rule_ends_the_run(ended: Of) -> None:
    run = ended("abort")
    manifest = run.manifest
    assert manifest["duration_s"] < 20
    assert manifest["interrupted"] is False
    rule = run.notice("aborted")["numbers"]["rule"]
    assert "turns.timed_out.ratio" in rule
    assert "turns.timed_out.ratio" in " ".join(run.out.split())
    turns = manifest["counts"]["turns"]
    assert turns["timed_out"] > 0
    assert turns["begun"] == turns["timed_out"] + turns["abandoned"]
    assert run.code == 1, run.screen


def test_every_stage_is_judged_alone(ended: Of) -> None:
    run = ended("stages")
    assert run.code == 1, run.screen
    rows = {(row.get("stage"), row["name"]): row for row in run.manifest["verdict"]["thresholds"]}
    assert {key: row["outcome"] for key, row in rows.items()} == {
        (None, "turns.complete.ratio"): "held",
        (None, "connections.ready.ratio"): "held",
        (0, "connections.ready.peak"): "held",
        (0, "turns.due"): "held",
        (1, "connections.ready.peak"): "held",
        (1, "turns.due"): "held",
        (2, "turns.due"): "held",
        (2, "turn.first_event.p50"): "missed",
    }
    connections = run.manifest["counts"]["connections"]
    assert connections["attempted"] == connections["ready"] == connections["peak"] == 6
    assert run.manifest["counts"]["turns"]["due"] == 110
    assert run.manifest["load"]["planned"]["duration_s"] == 3


def test_warm_up_is_kept_and_not_judged(ended: Of) -> None:
    run = ended("warmup")
    assert run.code == 0, run.screen
    counts = run.manifest["counts"]
    assert counts["measured"]["turns"]["due"] == 50
    assert counts["turns"]["due"] == counts["turns"]["complete"] == 100
    assert counts["events"]["received"] == 700
    assert counts["measured"]["events"]["matched"] == 350
    turns = run.turns
    early = turns["intended_ns"] < 1_000_000_000
    assert (turns["phase"][early] == PHASES.index("warmup")).all()
    assert (turns["phase"][~early] == PHASES.index("measured")).all()
    assert early.sum() == 50
    assert run.manifest["metrics"]["turn.completion"]["n"] == 50


def test_what_is_in_flight_is_waited_for(ended: Of) -> None:
    """Every turn takes longer than the run is long, and none is lost."""
    run = ended("drain")
    turns = run.manifest["counts"]["turns"]
    assert run.code == 0, run.screen
    assert turns["due"] == turns["begun"] == turns["complete"] == 50
    assert run.manifest["metrics"]["turn.completion"]["min"] >= 1500
    assert run.manifest["metrics"]["turn.completion"]["n"] == 50
    assert 2.5 < run.manifest["duration_s"] < 9
    assert (run.turns["done_ns"] > 1_500_000_000).all()


def test_a_turn_that_nobody_answers_times_out(ended: Of) -> None:
    run = ended("timeout")
    turns = run.manifest["counts"]["turns"]
    assert run.code == 1, run.screen
    # On a busy machine a connection may come too late for its first turn, which is then not attempted.
    assert turns["due"] == turns["timed_out"] + turns["not_attempted"] == 25
    assert turns["timed_out"] >= 20
    assert run.manifest["counts"]["connections"]["ready"] == 5
    # A turn ends when its time is up, on the instant or a little later.
    took = run.turns["done_ns"] - run.turns["sent_ns"]
    assert (took >= 400_000_000 - 1_000_000).all() or (run.turns["done_ns"] == -1).all()
    assert "turn.completion" not in run.manifest["metrics"]
    assert "not measured" in run.out


def test_connections_are_held_without_a_message(ended: Of) -> None:
    run = ended("hold")
    counts = run.manifest["counts"]
    assert run.code == 0, run.screen
    assert counts["events"]["sent"] == counts["turns"]["due"] == 0
    assert counts["connections"]["peak"] == 8
    rates = run.manifest["rates"]
    opened = rates["connections_per_s"]
    assert opened["n"] == 8
    assert opened["value"] == pytest.approx(8 / opened["over_s"])
    assert rates["turns_per_s"]["value"] is None


def test_a_connection_that_is_cut_takes_its_turns_with_it(ended: Of) -> None:
    run = ended("cut")
    counts = run.manifest["counts"]
    assert counts["connections"]["closed"] == {"4001": 5}
    turns = counts["turns"]
    assert turns["lost"] == turns["begun"] >= 5
    assert turns["not_attempted"] == turns["due"] - turns["begun"] > 0
    assert "unexpected_closes" in run.notices
    assert run.manifest["verdict"]["exit_code"] == run.code == 1


def test_a_turn_that_waits_too_long_for_ready_is_not_attempted(ended: Of) -> None:
    run = ended("slow ready")
    turns = run.manifest["counts"]["turns"]
    assert run.code == 3, run.screen
    assert turns["due"] == turns["not_attempted"] == 12
    assert run.manifest["counts"]["events"]["sent"] == 0
    assert run.manifest["counts"]["connections"]["established"] == 3
    assert run.manifest["duration_s"] < 20


def test_a_due_turn_waits_for_its_connection_also_when_nothing_falls_due_any_more(ended: Of) -> None:
    run = ended("ready in the drain")
    turns = run.manifest["counts"]["turns"]
    assert turns["due"] == turns["begun"] == turns["complete"] == 12, run.screen
    assert run.code == 0, run.screen


def test_a_folder_of_results_lists_them(ended: Of, launch: Launch, tmp_path: Path) -> None:
    results = ended("warmup").results
    listed = launch("runs", "list", "--results", results).end()
    assert listed.code == 0, listed.screen
    assert ended("warmup").folder.name in listed.out.replace("\n", "")
