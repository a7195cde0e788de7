from __future__ import annotations

import collections
import re
from pathlib import Path

import pytest

import loadtest
from benchmarks.page import MEASURING, read_table
from loadtest import catalog
from loadtest.catalog import COUNTERS, METRIC_GROUPS, METRICS, Counter, in_report_order
from loadtest.drive.chaos_injection import ALSO_APART, CAUSED_BY_US
from loadtest.judge.summary import summarise
from loadtest.measure.interval import TURN
from loadtest.plan.threshold import resolve
from loadtest.speak.phase_metrics import BUFFERS, PhaseMetrics
from loadtest.speak.phase_metrics import COUNTERS as SLOTS
from tests.judge.made import good_totals, manifest
from tools.catalog_tables import NAME, tables

HOLE = re.compile(r"\{[^{}]*\}")


def find_counter(recorded: str) -> Counter | None:
    """The declaration of a counter, by the name under which it was recorded; None where there is none."""
    return next(
        (
            each
            for each in COUNTERS
            if each.name == recorded or (each.by and recorded.startswith(f"{each.name}."))
        ),
        None,
    )


def recorded() -> set[str]:
    """Every name that is written where something is counted; what is filled in there is "x"."""
    rooms = (Path(loadtest.__file__).parent / room for room in ("speak", "measure", "drive"))
    texts = (path.read_text("utf-8") for room in rooms for path in sorted(room.glob("*.py")))
    written = {name for text in texts for name in re.findall(r"\b_?count(?:_task)?\(\s*f?\"([^\"]+)\"", text)}
    # Of turns the reason is counted by outcome, whose name is filled in.
    by_outcome = {name for name in written if name.startswith("turns.{")}
    filled = {f"turns.{each.key}_by.x" for each in catalog.OUTCOMES[1:6]}
    slow = {f"chaos.slow.{name}" for name in (*ALSO_APART, *CAUSED_BY_US)}
    return {HOLE.sub("x", name) for name in written - by_outcome} | filled | slow


def test_every_counter_that_is_recorded_is_declared_and_no_other() -> None:
    unknown = {name for name in recorded() if find_counter(name) is None}
    assert unknown == set(), "declare it in loadtest/catalog.py"
    known = {found.name for name in recorded() if (found := find_counter(name))}
    assert known == {each.name for each in COUNTERS if not each.hot}
    assert len(recorded()) > 40


def test_a_counter_is_found_by_the_name_it_is_recorded_under() -> None:
    found = [
        find_counter(name) for name in ("connections.closed.1006", "chaos.malformed.sent.json", "events.lost")
    ]
    assert [each and each.name for each in found] == [
        "connections.closed",
        "chaos.malformed.sent",
        "events.lost",
    ]
    assert find_counter("events.lots") is None
    assert find_counter("turns.lost.x") is None


def test_the_slots_of_the_recorder_are_those_of_the_catalog() -> None:
    assert {name.replace("_", ".", 1) for name in SLOTS} == {each.name for each in COUNTERS if each.hot}
    assert {*BUFFERS, *SLOTS, "phase", "kind", "other"} == set(PhaseMetrics.__annotations__)
    assert {each.buffer: each.name for each in METRICS} == BUFFERS


def test_nothing_is_declared_twice() -> None:
    for declared in (METRICS, catalog.RATES, COUNTERS):
        names = collections.Counter(each.name for each in declared)
        assert [name for name, n in names.items() if n > 1] == []


def test_every_metric_is_in_a_group_of_the_report_and_placed_by_instants_of_a_turn() -> None:
    assert {each.group for each in METRICS} == {group.title for group in METRIC_GROUPS}
    assert {name for each in METRICS for name in each.placed or ()} <= set(TURN.names or ())


def test_what_is_shown_before_another_is_moved_and_the_rest_stays() -> None:
    for declared in (METRICS, catalog.EVENT_COUNTERS):
        names = [each.name for each in in_report_order(declared)]
        assert sorted(names) == sorted(each.name for each in declared)
        for each in declared:
            assert not each.shown_before or names.index(each.name) == names.index(each.shown_before) - 1


@pytest.mark.parametrize("each", [each for each in COUNTERS if each.threshold], ids=lambda each: each.name)
def test_what_a_threshold_may_name_is_declared(each: catalog.Counter) -> None:
    assert resolve(each.name) == (each.name, "count")
    if each.share_of:
        assert resolve(f"{each.name}.ratio") == (f"{each.name}.ratio", "ratio")
        assert find_counter(each.share_of) in COUNTERS


@pytest.mark.parametrize(
    "each", [each for each in COUNTERS if not each.threshold], ids=lambda each: each.name
)
def test_nothing_else_may_be_named(each: catalog.Counter) -> None:
    with pytest.raises(ValueError, match="is not a metric"):
        resolve(each.name)


def test_every_rate_is_computed() -> None:
    summed = summarise(manifest(), good_totals())
    assert set(summed["rates"]) == {each.name for each in catalog.RATES}


def test_the_page_has_every_metric_rate_and_counter() -> None:
    assert read_table(NAME, MEASURING) == tables(), "python -m tools.catalog_tables --write"
