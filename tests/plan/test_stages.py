from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.scenario import Load, Stage
from loadtest.plan.stages import Visit, plan_visits
from loadtest.units import NS_PER_S as NS

STAGES = st.lists(
    st.builds(Stage, for_ns=st.integers(1, 20 * NS), connections=st.integers(0, 12), ramp=st.booleans()),
    max_size=6,
)
RATES = st.none() | st.floats(0.05, 1000) | st.integers(1, 50).map(float)


def staged(*stages: Stage, rate: float | None = None, warmup_s: int = 0) -> list[Visit]:
    total = sum(stage.for_ns for stage in stages)
    return plan_visits(Load(stages=stages, duration_ns=total, connect_rate=rate, warmup_ns=warmup_s * NS))


def stage(seconds: float, connections: int, *, ramp: bool = False) -> Stage:
    return Stage(for_ns=int(seconds * NS), connections=connections, ramp=ramp)


def test_without_a_rate_all_connect_at_once() -> None:
    assert plan_visits(Load(connections=3)) == [Visit(0, 0, None), Visit(1, 0, None), Visit(2, 0, None)]


def test_a_connect_rate_is_smooth_and_does_not_drift() -> None:
    visits = plan_visits(Load(connections=1000, connect_rate=30.0, duration_ns=60 * NS))
    assert [visit.connect_ns for visit in visits] == [round(k * NS / 30) for k in range(1000)]


def test_who_would_connect_after_the_end_does_not() -> None:
    assert len(plan_visits(Load(connections=100, connect_rate=1.0, duration_ns=10 * NS))) == 10


def test_the_highest_users_leave_first_and_come_back() -> None:
    assert staged(stage(10, 3), stage(10, 1), stage(10, 2)) == [
        Visit(0, 0, None),
        Visit(1, 0, 10 * NS),
        Visit(2, 0, 10 * NS),
        Visit(1, 20 * NS, None),
    ]


def test_a_ramp_is_linear_up_and_down() -> None:
    visits = staged(stage(4, 4, ramp=True), stage(4, 0, ramp=True), stage(1, 0))
    assert visits == [Visit(k, k * NS, (8 - k) * NS) for k in range(4)]


def test_the_warm_up_belongs_to_the_first_stage() -> None:
    assert staged(stage(1, 1), stage(1, 2), warmup_s=5) == [Visit(0, 0, None), Visit(1, 6 * NS, None)]


def test_a_connect_that_never_got_its_place_in_the_queue_gives_it_back() -> None:
    visits = staged(stage(10, 100), stage(10, 5), stage(10, 8), rate=1.0)
    assert [visit.connect_ns // NS for visit in visits if visit.leave_ns is None] == [
        0,
        1,
        2,
        3,
        4,
        20,
        21,
        22,
    ]
    assert sum(visit.leave_ns is not None for visit in visits) == 5


def test_a_user_who_stays_to_the_end_does_not_leave_before_it() -> None:
    assert staged(stage(1, 2), stage(1, 0, ramp=True)) == [Visit(0, 0, None), Visit(1, 0, int(1.5 * NS))]


@given(STAGES.filter(bool), RATES)
def test_visits_are_in_order_and_inside_the_run_and_of_one_user_one_after_the_other(
    stages: list[Stage], rate: float | None
) -> None:
    visits = staged(*stages, rate=rate)
    end_ns = sum(each.for_ns for each in stages)
    assert visits == sorted(visits, key=lambda visit: (visit.connect_ns, visit.user))
    left: dict[int, int] = {}
    for visit in visits:
        assert left.get(visit.user, 0) <= visit.connect_ns < (visit.leave_ns or end_ns) <= end_ns
        left[visit.user] = visit.leave_ns or end_ns


@given(STAGES.filter(bool), RATES)
def test_never_are_more_open_than_the_stage_says(stages: list[Stage], rate: float | None) -> None:
    visits = staged(*stages, rate=rate)
    start_ns, before = 0, 0
    for each in stages:
        for at_ns in (start_ns, start_ns + each.for_ns - 1):
            now = sum(visit.connect_ns <= at_ns < (visit.leave_ns or at_ns + 1) for visit in visits)
            assert now <= max(before if each.ramp else 0, each.connections)
        start_ns, before = start_ns + each.for_ns, each.connections


@given(STAGES.filter(bool), st.floats(0.05, 1000))
def test_connects_are_never_closer_than_the_rate_allows(stages: list[Stage], rate: float) -> None:
    instants = [visit.connect_ns for visit in staged(*stages, rate=rate)]
    gaps = [later - earlier for earlier, later in pairwise(instants)]
    assert all(gap >= NS / rate - 1 for gap in gaps)
