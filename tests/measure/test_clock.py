"""One clock: now, its coarseness, its steps."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure.clock import LOOKS, STEP_VARIABLE, Clock, step_from


class Hands:
    """A clock that stands where it is put."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def test_it_is_the_wall_clock_or_the_steady_one() -> None:
    before = time.time_ns()
    assert before <= Clock(wall=True).now() <= time.time_ns()
    before = time.monotonic_ns()
    assert before <= Clock(wall=False).now() <= time.monotonic_ns()
    assert (Clock(wall=True).wall, Clock(wall=False).wall) == (True, False)


def test_resolution_is_the_clocks_own_or_the_step() -> None:
    assert Clock(wall=True).resolution_ns >= 1
    assert Clock(wall=False).resolution_ns >= 1
    assert Clock(wall=False, step_ns=15_600_000).resolution_ns == 15_600_000


@given(st.integers(0, 10**18), st.integers(1, 10**9))
def test_a_stepped_clock_shows_the_last_full_step(at: int, step: int) -> None:
    clock = Clock(wall=True, step_ns=step, tick=Hands(at), steady=Hands(0))
    assert clock.now() % step == 0
    assert 0 <= at - clock.now() < step
    assert clock.floor(at) == clock.now()


def test_without_a_step_instants_are_left_alone() -> None:
    clock = Clock(wall=True, tick=Hands(12_345), steady=Hands(0))
    assert (clock.now(), clock.floor(12_345), clock.step_ns) == (12_345, 12_345, 0)


@pytest.mark.parametrize("step_ns", [0, 15_600_000])
def test_a_clock_that_is_put_forward_or_back_is_found_once(step_ns: int) -> None:
    """By the clock's own reading, not by the coarse one: a step variable is no step of the clock."""
    tick, steady = Hands(10**18), Hands(5 * 10**9)
    clock = Clock(wall=True, step_ns=step_ns, tick=tick, steady=steady)
    tick.at += 10**9
    steady.at += 10**9
    assert clock.stepped_ns() == 0
    tick.at += 10**9 + 70_000_000
    steady.at += 10**9
    assert clock.stepped_ns() == 70_000_000
    assert clock.stepped_ns() == 0
    tick.at -= 10**9
    assert clock.stepped_ns() == -(10**9)


def test_a_core_that_is_taken_away_between_two_reads_is_no_step_of_the_clock() -> None:
    """Of several looks the one counts that took the least time, be it the last or not."""
    now = [0]
    losses: list[int] = []

    def tick() -> int:
        now[0] += losses.pop(0) if losses else 0
        return 10**18 + now[0]

    clock = Clock(wall=True, tick=tick, steady=lambda: now[0])
    losses[:] = [26_000_000]
    assert clock.stepped_ns() == 0
    losses[:] = [26_000_000] * (LOOKS - 1) + [150_000]
    assert clock.stepped_ns() == 150_000
    assert clock.stepped_ns() == -150_000
    losses[:] = [26_000_000] * 3 + [150_000] + [26_000_000] * (LOOKS - 4)
    assert clock.stepped_ns() == 150_000
    assert losses == []


def test_the_clock_of_this_machine_does_not_step_while_we_look() -> None:
    clock = Clock(wall=False)
    assert abs(clock.stepped_ns()) < 10**8


def test_the_step_is_asked_for_by_a_variable() -> None:
    assert STEP_VARIABLE == "LOADTEST_CLOCK_STEP"
    assert step_from({}) == 0
    assert step_from({STEP_VARIABLE: ""}) == 0
    assert step_from({STEP_VARIABLE: "15.6ms"}) == 15_600_000


@pytest.mark.parametrize("text", ["15", "fast", "-1ms"])
def test_a_step_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        step_from({STEP_VARIABLE: text})
