"""Every fault of the simulator, for real: what must be seen of it is seen, to the unit, and nothing else."""

from __future__ import annotations

import pytest
from _pytest.mark.structures import ParameterSet

from benchmarks.page import MEASURING, read_table
from loadtest.simulator.fault_options import FAULT_OPTIONS
from tests.faults.conftest import Look
from tests.faults.foreseeing import foreseen
from tests.faults.holding import differences
from tests.faults.matrix import PAGE, base_of, in_short, job_of, page
from tests.faults.plans import INFORMATIONAL, NOISE, PLANS, Plan
from tests.faults.rows import NO_NUMBERS, ROWS, Row

WITHOUT_NUMBERS = [row for row in ROWS if row is not NO_NUMBERS]


AGAIN = "write it again: python -m tests.faults.matrix --write"


def case(row: Row, *, numbered: bool) -> ParameterSet:
    """A row with the runs it needs. Where nothing but the numbers is missing without them, it has time."""
    marks = [pytest.mark.jobs(job_of(row, numbered=numbered), base_of(row.plan, numbered=numbered))]
    if not numbered and row.unnumbered is None:
        marks.append(pytest.mark.long)
    return pytest.param(row, id=f"{row.id}-{row.plan.name}", marks=marks)


@pytest.mark.parametrize("row", [case(row, numbered=True) for row in ROWS])
def test_a_fault_is_seen_and_nothing_else(row: Row, look: Look) -> None:
    found, base = look(job_of(row)), look(base_of(row.plan))
    assert list(differences(row, found, base, numbered=True)) == []


@pytest.mark.parametrize("row", [case(row, numbered=False) for row in WITHOUT_NUMBERS])
def test_without_numbers_what_they_tell_is_unmeasured(row: Row, look: Look) -> None:
    found, base = look(job_of(row, numbered=False)), look(base_of(row.plan, numbered=False))
    assert list(differences(row, found, base, numbered=False)) == []


@pytest.mark.parametrize("row", [case(row, numbered=True) for row in ROWS if foreseen(row) is not None])
def test_a_fault_strikes_what_its_seed_says(row: Row, look: Look) -> None:
    done = look(job_of(row)).stats["faults_done"][row.name]
    assert done["unlisted"] == 0
    assert sorted(done["struck"]) == sorted(foreseen(row) or [])
    assert done["n"] > 0


@pytest.mark.parametrize(
    "plan", [pytest.param(plan, id=plan.name, marks=pytest.mark.jobs(base_of(plan))) for plan in PLANS]
)
def test_without_a_fault_nothing_is_found(plan: Plan, look: Look) -> None:
    found = look(base_of(plan))
    assert found.code == 0
    assert set(found.notices) - set(NOISE) == set(INFORMATIONAL)
    assert found.stats["faults_done"] == {}
    counts = found.counts
    for name in ("due", "begun", "complete", "numbered"):
        assert counts[f"turns.{name}"] == plan.due
    for name in ("sent", "received", "matched", "expected"):
        assert counts[f"events.{name}"] == plan.due * (1 if name == "sent" else 7)
    good = {"due", "attempted", "established", "ready", "peak", "left"}
    told = {name.removeprefix("connections.") for name in counts if name.startswith("connections.")}
    assert told == good


def test_every_fault_has_a_row() -> None:
    assert {row.name for row in ROWS} | {"gap", "stream"} == set(FAULT_OPTIONS)


def test_the_page_is_made_of_the_rows() -> None:
    assert PAGE.read_text("utf-8") == page(), AGAIN
    assert read_table("faults", MEASURING) == in_short().strip(), AGAIN
