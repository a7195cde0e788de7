from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.errors import ConfigError, Exit
from loadtest.plan.scenario_file import load_scenario
from loadtest.run import search as module
from loadtest.run.options import RunOptions
from loadtest.run.search import SearchOptions, run_search
from loadtest.run.subprocess_runs import FinishedRun
from tests.run.made_up import MadeUp


class _Left:
    """What a run leaves, as far as a search reads it."""

    def __init__(self, manifest: dict[str, object]) -> None:
        self.manifest = manifest


class Capacity(MadeUp):
    """A sequence whose target does so many turns a second and no more."""

    turns_per_s = 330.0
    code: Exit | None = None

    def run(self, options: RunOptions) -> FinishedRun:
        self.note(options)
        plan = load_scenario(options.scenario, options.overrides)
        assert plan.traffic is not None
        rate = plan.traffic.rate
        if rate is None:
            assert plan.traffic.every_ns is not None
            rate = plan.load.connections * plan.traffic.burst / plan.traffic.every_ns * 1e9
        code = self.code or (Exit.PASS if rate <= self.turns_per_s else Exit.FAIL)
        manifest = {
            "id": f"run-{len(self.asked)}",
            "target": {"url": "ws://there/ws", "simulated": False},
            "scenario": {"settings": plan.settings},
            "load": {"planned": {"duration_s": 10.0}},
            "counts": {
                "measured": {
                    "turns": {"due": round(rate * 10), "complete": round(min(rate, self.turns_per_s) * 10)}
                }
            },
            "verdict": {"outcome": "pass", "reason": "as told"},
        }
        return FinishedRun(code, _Left(manifest), 1.0, "")  # type: ignore[arg-type]  # as far as it is read


@pytest.fixture(autouse=True)
def sequence(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Capacity]]:
    monkeypatch.setattr(module, "RunSequence", Capacity)
    Capacity.asked = []
    yield Capacity
    Capacity.interrupt_at = Capacity.code = None


def search(over: str, scenario: str = "agent-burst", **more: object) -> SearchOptions:
    common = {name: more.pop(name) for name in ("label", "sets", "target") if name in more}
    return SearchOptions(each=RunOptions(scenario=scenario, **common), over=over, **more)  # type: ignore[arg-type]  # as given


def test_over_connections(sequence: type[Capacity]) -> None:
    found = run_search(search("connections", label="v1"))
    assert (found.finding.load, found.finding.missed) == (65.0, 68.0)
    assert found.knee.load == pytest.approx(66)
    assert (found.label, found.target, found.simulated) == ("search-v1", "ws://there/ws", False)
    assert {options.label for options in sequence.asked} == {"search-v1"}
    assert [options.connections for options in sequence.asked][:4] == [20, 40, 80, 57]


@pytest.mark.parametrize("scenario", ["agent-burst", "echo-steady"])
def test_over_the_rate_in_the_way_in_which_the_scenario_says_it(scenario: str) -> None:
    found = run_search(search("rate", scenario, start=100.0))
    assert found.finding.load is not None
    assert found.finding.load <= 330 < (found.finding.missed or 0)
    assert found.finding.load == pytest.approx(330, rel=0.05)
    assert found.unit == "turns/s"


def test_turns_must_be_complete_unless_the_scenario_judges_them(sequence: type[Capacity]) -> None:
    assert run_search(search("connections", repeat=1)).added == ("turns.complete.ratio >= 99%",)
    assert "thresholds.turns.complete.ratio=>= 99%" in sequence.asked[0].sets
    again = run_search(search("rate", "echo-steady", repeat=1))
    assert again.added == ()
    assert "turns.complete.ratio >= 99.9%" in again.limits


def test_an_interrupt_ends_it_with_what_is_known(sequence: type[Capacity]) -> None:
    sequence.interrupt_at = 2
    found = run_search(search("connections"))
    assert len(found.tries) == 2
    assert found.finding.load == 40


def test_a_generator_that_is_the_limit_ends_it(sequence: type[Capacity]) -> None:
    sequence.code = Exit.INVALID
    found = run_search(search("connections"))
    assert (found.finding.outcome, found.finding.exit_code, len(found.tries)) == ("invalid", Exit.INVALID, 2)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (search("connections", "connect-ramp"), "the scenario has stages"),
        (search("rate", "idle-hold"), "the scenario sets no rate"),
        (search("connections", start=50.0, max_load=20.0), "the highest load, 20, is less than"),
        (search("connections", start=1.5), "whole numbers"),
        (search("connections", max_load=30_000.0), "20,000"),
        (search("connections", label="a b"), 'the label "search-a b"'),
        (search("connections", "agent-brust"), "agent-burst"),
        (search("connections", "idle-hold", sets=("thresholds={}",)), "has no thresholds"),
    ],
)
def test_what_cannot_be_searched(sequence: type[Capacity], options: SearchOptions, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        run_search(options)
    assert sequence.asked == []


def test_populations_are_not_searched(sequence: type[Capacity], tmp_path: Path) -> None:
    plan = 'protocol = "echo"\n[target]\nurl = "simulator"\n[traffic]\nevery = "1s"\n'
    plan += '[[population]]\nname = "x"\n'
    (tmp_path / "x.toml").write_text(plan)
    with pytest.raises(ConfigError, match="the scenario has populations"):
        run_search(search("connections", str(tmp_path / "x.toml")))
