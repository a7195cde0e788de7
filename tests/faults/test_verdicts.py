"""Every verdict of every shipped scenario under every fault: none passes that nobody signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.plan.shipped import shipped_names
from loadtest.simulator.fault_options import FAULT_OPTIONS
from tests.faults.verdicts import FAULTS, NO_FAULT, SCENARIOS, cells, run, signed, stored


def test_every_shipped_scenario_and_every_fault_is_in_it() -> None:
    shipped = {name for name in shipped_names("scenario") if not name.startswith("ready")}
    assert {*SCENARIOS} == shipped
    assert set(FAULTS) | {"stream"} == set(FAULT_OPTIONS)
    for scenario in {scenario for scenario, _ in stored()}:
        assert {fault for name, fault in stored() if name == scenario} == {
            fault for _, fault in cells(scenario)
        }


def test_without_a_fault_every_scenario_passes() -> None:
    assert {name for name, fault in stored() if fault == NO_FAULT and stored()[name, fault].code} == set()


def test_every_pass_under_a_fault_is_signed() -> None:
    passes = [
        cell for cell, said in stored().items() if not said.code and cell[1] != NO_FAULT and said.struck != 0
    ]
    assert [cell for cell in passes if signed(*cell) is None] == []


def test_no_run_crashed_or_was_refused_as_wrong() -> None:
    assert {said.code for said in stored().values()} <= {0, 1, 3, 4}


@pytest.mark.long
@pytest.mark.parametrize("fault", ["blackhole=1", "cut=1", "drop=0.5", "refuse=503"])
def test_what_fails_fails(fault: str, tmp_path: Path) -> None:
    wanted = [("agent-burst", fault)]
    found = run(wanted, tmp_path)
    assert {cell: said.code for cell, said in found.items()} == {cell: stored()[cell].code for cell in wanted}
