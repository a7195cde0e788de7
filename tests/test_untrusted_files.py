"""What is stored may come from anywhere: whatever a file holds, a command ends with a documented exit code.

Two mutated inputs of each kind in every test run, a thousand in the long ones; the seed is the number of the
input.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.errors import ConfigError
from loadtest.keep.json import json_text
from loadtest.live.watch_state import STATE, WatchState, load, save, written
from loadtest.readiness.assessment import Assessment
from loadtest.readiness.history import History, failures_before, summary, trend
from loadtest.readiness.policy_file import load_policy
from loadtest.readiness.probes.containers import read_listing
from loadtest.readiness.probes.junit import Tally, read_junit
from tests.cli.stored import store
from tests.keep.samples import frame
from tests.mutations import mutated_bytes, mutated_json, mutated_lines, mutated_text
from tests.readiness.made import SMALL, assessed, policy, up

ROOT = Path(__file__).resolve().parent.parent

DOCUMENTED = {0, 1, 2, 3, 4}

Mutate = Callable[[bytes, random.Random], bytes]
Check = Callable[[Path, random.Random], None]


@dataclass(frozen=True)
class Kind:
    """A kind of file: where it lies below the world, how it goes wrong, and who reads it."""

    file: str
    mutate: Mutate
    check: Check


def _ends(*words: str) -> int:
    code = main(list(words))
    assert code in DOCUMENTED, words
    return code


# ------------------------------------------------------------------ stored runs

BAD = "20261122T121530Z-agent-burst-bad"
"""The run whose files are mutated; two good ones lie beside it."""


def _reads_run(_world: Path, rng: random.Random) -> None:
    """One list, which must not be disabled, and one command that is told to read the run."""
    lists = (
        ["runs", "list"],
        ["runs", "show", "latest"],
        ["report", "latest"],
        ["trend"],
        ["runs", "prune", "--dry-run"],
    )
    named = (
        ["runs", "show", BAD],
        [
            "report",
            BAD,
            "--format",
            rng.choice(("terminal", "markdown", "json", "csv", "junit", "prometheus")),
        ],
        ["report", BAD, "--exit-code", "--set", "thresholds.turn.first_event.p95=< 1ms"],
        ["report", BAD, "--from", "1s", "--to", "3s"],
        ["compare", "good", BAD],
        ["compare", BAD, "bad"],
        ["runs", "import", f"results/{BAD}", "--results", "elsewhere"],
        ["runs", "merge", "good", BAD],
        ["runs", "baseline", BAD],
    )
    listing = rng.choice(lists)
    code = _ends(*listing)
    if listing != ["trend"]:
        assert code == 0, listing
    _ends(*rng.choice(named))
    shutil.rmtree("elsewhere", ignore_errors=True)


def _reads_mark(_world: Path, _rng: random.Random) -> None:
    assert _ends("runs", "list") == 0
    _ends("runs", "baseline")
    _ends("compare", "baseline", "bad")


def _reads_noise(_world: Path, _rng: random.Random) -> None:
    _ends("compare", "good", "bad")


# ------------------------------------------------------------------ plans and their data


def _explains(_world: Path, _rng: random.Random) -> None:
    _ends("explain", "plan/scenario.toml")


def _checks_protocol(_world: Path, rng: random.Random) -> None:
    _ends(*rng.choice((("protocols", "check", "plan/protocol.toml"), ("explain", "plan/scenario.toml"))))


def _reads_policy(world: Path, _rng: random.Random) -> None:
    """Read only: a mutated command of a policy must not be run."""
    _only_config_errors(lambda: load_policy(world / "plan" / "policy.toml"))


# ------------------------------------------------------------------ what readiness and a watch keep


def _reads_watch(world: Path, _rng: random.Random) -> None:
    _only_config_errors(lambda: load(world / "watch"))


def _reads_history(world: Path, _rng: random.Random) -> None:
    history = History.of(world / "results", "small")
    rows = history.summaries()
    assert all(isinstance(row, dict) for row in rows)
    failures_before(rows)
    trend(rows, summary(_assessment(world)))
    _only_config_errors(lambda: history.find("last"))


def _assessment(world: Path) -> Assessment:
    return assessed(policy(world), api=up(), store=up(), extra=up())


def _reads_listing(world: Path, _rng: random.Random) -> None:
    _only_value_errors(lambda: read_listing((world / "listing.json").read_text("utf-8", "replace")))


def _reads_junit(world: Path, _rng: random.Random) -> None:
    _only_value_errors(lambda: read_junit((world / "junit.xml").read_bytes(), Tally()))


def _only_config_errors(call: Callable[[], object]) -> None:
    try:
        call()
    except ConfigError as error:
        assert all(problem.sentence for problem in error.problems)  # noqa: PT017 - most inputs raise nothing


def _only_value_errors(call: Callable[[], object]) -> None:
    try:
        call()
    except ValueError as error:
        assert str(error)  # noqa: PT017 - most inputs raise nothing


RUN = f"results/{BAD}/"

KINDS = {
    "run.json": Kind(f"{RUN}run.json", mutated_json, _reads_run),
    "run.json again": Kind(f"{RUN}run.json", mutated_json, _reads_run),
    "run.json and once more": Kind(f"{RUN}run.json", mutated_json, _reads_run),
    "intervals.jsonl": Kind(f"{RUN}intervals.jsonl", mutated_lines, _reads_run),
    "intervals.hlog": Kind(f"{RUN}intervals.hlog", mutated_bytes, _reads_run),
    "totals.hlog": Kind(f"{RUN}totals.hlog", mutated_text, _reads_run),
    "turns.npy": Kind(f"{RUN}turns.npy", mutated_bytes, _reads_run),
    "slowest.jsonl": Kind(f"{RUN}slowest.jsonl", mutated_lines, _reads_run),
    "timeline.csv": Kind(f"{RUN}timeline.csv", mutated_text, _reads_run),
    "baseline": Kind("results/baseline", mutated_text, _reads_mark),
    "noise": Kind("results/noise-agent-burst.json", mutated_json, _reads_noise),
    "scenario": Kind("plan/scenario.toml", mutated_text, _explains),
    "scenario again": Kind("plan/scenario.toml", mutated_text, _explains),
    "protocol": Kind("plan/protocol.toml", mutated_text, _checks_protocol),
    "identities": Kind("plan/users.csv", mutated_text, _explains),
    "data": Kind("plan/questions.csv", mutated_bytes, _explains),
    "policy": Kind("plan/policy.toml", mutated_text, _reads_policy),
    "watch": Kind(f"watch/{STATE}", mutated_json, _reads_watch),
    "summaries": Kind("results/readiness/small/summaries.jsonl", mutated_lines, _reads_history),
    "assessment": Kind("results/readiness/small/20261122T121530Z/ready.json", mutated_json, _reads_history),
    "containers": Kind("listing.json", mutated_json, _reads_listing),
    "junit": Kind("junit.xml", mutated_text, _reads_junit),
}
NAMES = list(KINDS)

LISTING = [
    {"Service": "api", "State": "running", "Health": "healthy", "ExitCode": 0, "Status": "Up"},
    {"Name": "/db", "State": {"Status": "exited", "ExitCode": 1, "Health": {"Status": "x"}},
     "Config": {"Labels": {"com.docker.compose.service": "db"}}, "RestartCount": 2},
]  # fmt: skip

NOISE = {
    "schema": "loadtest.noise/1",
    "sha256": "0",
    "machine": "m",
    "metrics": [{"name": "a", "turned_spread": 1}],
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good file of every kind."""
    world = tmp_path_factory.mktemp("world")
    for label in ("good", "bad"):
        store(world / "results", label)
    store(world / "results", "third")
    assert (world / RUN).is_dir()
    frames = [frame("slowest", number, 10 + number) for number in range(3)]
    bad = world / RUN
    (bad / "slowest.jsonl").write_text("".join(json_text(each) + "\n" for each in frames))
    (world / "results" / "baseline").write_text(f"{BAD[:-3]}good\n")
    (world / "results" / "noise-agent-burst.json").write_text(json_text(NOISE))
    shutil.copytree(ROOT / "scenarios" / "data", world / "plan")
    protocol = (ROOT / "loadtest" / "protocols" / "agent-events.toml").read_text("utf-8")
    (world / "plan" / "protocol.toml").write_text(protocol)
    scenario = (ROOT / "scenarios" / "example-full.toml").read_text("utf-8")
    scenario = scenario.replace('"agent-events"', '"protocol.toml"').replace("data/", "")
    (world / "plan" / "scenario.toml").write_text(scenario)
    (world / "plan" / "policy.toml").write_text(SMALL)
    (world / "watch").mkdir()
    save(world / "watch", written(WatchState(due={"api": 5.0}, counted=["api"])))
    found = _assessment(world)
    history = History.of(world / "results", "small")
    for _ in range(8):
        history.note(found)
    (history.folder / "20261122T121530Z").mkdir()
    (history.folder / "20261122T121530Z" / "ready.json").write_text(json_text(found.plain()))
    (world / "listing.json").write_text(json_text(LISTING))
    (world / "junit.xml").write_text(
        '<testsuites><testsuite name="a" tests="1" timestamp="2026-11-22T12:00:00">'
        '<testcase classname="b" name="c" time="1.5"/></testsuite></testsuites>'
    )
    return world


@pytest.fixture
def world(original: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(original)
    monkeypatch.delenv("LOADTEST_RESULTS", raising=False)
    monkeypatch.setenv("LOADTEST_TRACEBACK", "1")
    monkeypatch.setenv("AGENT_JWT_SECRET", "not-a-secret-but-long-enough")
    return original


def _try(world: Path, number: int, text: Callable[[], str]) -> None:
    """Input ``number``: one file mutated, read, and put back."""
    rng = random.Random(number)
    name = NAMES[number % len(NAMES)]
    kind = KINDS[name]
    file = world / kind.file
    whole = file.read_bytes()
    keep = {path: path.read_bytes() for path in (world / "results" / "baseline", world / RUN / "run.json")}
    others = set((world / "results").iterdir())
    file.write_bytes(kind.mutate(whole, rng))
    try:
        kind.check(world, rng)
        assert "Traceback" not in text()
    except BaseException:
        print(f"input {number}, {name}: {file.read_bytes()[:3000]!r}")  # noqa: T201 - what pytest shows of a failure
        raise
    finally:
        for path, content in keep.items():
            path.write_bytes(content)
        file.write_bytes(whole)
        for made in set((world / "results").iterdir()) - others:
            shutil.rmtree(made)


def test_two_mutated_inputs_of_each_kind(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2 * len(NAMES)):
        _try(world, number, lambda: "".join(capsys.readouterr()))


@pytest.mark.long
@pytest.mark.parametrize("number", range(30))
def test_the_page_of_a_mutated_run(
    world: Path, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reads_html(_world: Path, _rng: random.Random) -> None:
        _ends("report", BAD, "--format", "html", "--output", "page.html")

    monkeypatch.setitem(KINDS, "run.json", Kind(f"{RUN}run.json", mutated_json, reads_html))
    _try(world, number * len(NAMES), lambda: "".join(capsys.readouterr()))


@pytest.mark.long
@pytest.mark.parametrize("hundred", range(10))
def test_a_thousand_mutated_inputs(world: Path, hundred: int, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(110):
        _try(world, hundred * 110 + number, lambda: "".join(capsys.readouterr()))
