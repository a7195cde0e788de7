from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import Exit
from loadtest.judge.knee import Knee, ProbeResult, Search, knee, metric_of, probe_result
from loadtest.judge.load_search import SearchProbe, find


def try_at(
    load: float, achieved: float | None, code: Exit = Exit.PASS, asked: float | None = None
) -> ProbeResult:
    return ProbeResult(SearchProbe(load, code), "run", "so", load * 5 if asked is None else asked, achieved)


@given(st.floats(10, 1_000), st.floats(0.5, 1.0))
def test_the_knee_of_a_target_that_does_so_much_and_no_more(capacity: float, follows: float) -> None:
    tries = []
    for part in (0.25, 0.5, 0.9, 1.2, 1.5, 3.0):
        load = capacity * part / 5 / follows
        code = Exit.PASS if part < 1 else Exit.FAIL
        tries.append(try_at(load, min(load * 5 * follows, capacity), code))
    found = knee(tries)
    assert found.load == pytest.approx(capacity / 5 / follows)
    assert found.achieved == pytest.approx(capacity)


def test_a_target_that_breaks_down_has_its_knee_where_it_first_fell_behind() -> None:
    tries = [try_at(10, 50), try_at(40, 20, Exit.FAIL), try_at(20, 75, Exit.FAIL)]
    assert knee(tries) == Knee(15.0, 75)


def test_a_target_that_follows_has_none_yet() -> None:
    assert "kept up with every load" in knee([try_at(10, 50), try_at(20, 99, Exit.FAIL)]).reason
    assert knee([try_at(10, 20, Exit.FAIL)]).reason == "no load passed"
    assert knee([try_at(10, 50, Exit.INVALID)]).reason == "no load passed"
    closed = ProbeResult(SearchProbe(10, Exit.PASS), "run", "so", None, 50.0)
    assert "closed model" in knee([closed]).reason


def manifest(**more: object) -> dict[str, object]:
    return {
        "id": "run-1",
        "scenario": {"settings": {"traffic": {}, "thresholds": {"turn.first_event.p95": "< 1s"}}},
        "load": {"model": "open", "planned": {"duration_s": 4.0, "connections": 7}},
        "counts": {"measured": {"turns": {"due": 400, "complete": 300}, "connections": {"peak": 6}}},
        "metrics": {"turn.first_event": {"p95": 12.0, "n": 300}},
        "generator": {"cpu": {"mean": 0.3}},
        **more,
    }


def test_what_a_run_says_of_its_load() -> None:
    probe = SearchProbe(20, Exit.PASS)
    found = probe_result(probe, manifest(), "held", "turn.first_event")
    assert found == ProbeResult(probe, "run-1", "held", 100.0, 75.0, 12.0, 300, 0.3)
    closed = probe_result(probe, manifest(load={"model": "closed", "planned": {"duration_s": 4.0}}), "", "x")
    assert (closed.asked, closed.achieved, closed.p95_ms) == (None, 75.0, None)
    quiet = probe_result(probe, manifest(scenario={"settings": {}}), "", "x")
    assert (quiet.asked, quiet.achieved) == (7.0, 6.0)
    held = probe_result(probe, manifest(scenario={"settings": {"traffic": {"turns": 0}}}), "", "x")
    assert (held.asked, held.achieved) == (7.0, 6.0)
    assert probe_result(probe, {}, "it died", "x") == ProbeResult(probe, "", "it died")
    assert probe_result(probe, manifest(counts={}), "", "x").achieved is None


def test_the_metric_is_what_the_thresholds_limit() -> None:
    assert metric_of(manifest()) == "turn.first_event"
    limits = {"rates.turns_per_s": "> 3", "turn.completion.p99": "< 1s"}
    assert metric_of(manifest(scenario={"settings": {"thresholds": limits}})) == "turn.completion"
    assert metric_of({}) == "turn.completion"


def test_plain_data() -> None:
    tries = (try_at(10, 50), try_at(20, 60, Exit.FAIL))
    finding = find([each.probe for each in tries])
    search = Search("s", "l", "ws://h", False, "rate", "now", 3.0, 0.05, "turn.completion", ("a < 1",), (),
                    tries, finding, knee(tries))  # fmt: skip
    data = json.loads(json.dumps(search.as_dict()))
    assert (data["schema"], data["unit"], data["load"], data["missed"]) == (
        "loadtest.search/1",
        "turns/s",
        10,
        20,
    )
    assert data["knee"]["load"] == pytest.approx(12.0)
    assert [probe["answer"] for probe in data["probes"]] == ["held", "missed"]
