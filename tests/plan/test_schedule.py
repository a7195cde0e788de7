from __future__ import annotations

from fractions import Fraction
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.scenario import Load, Stage, Traffic
from loadtest.plan.schedule import COUNTING_CAP, Arrival, Grid, Schedule, share
from loadtest.plan.stages import Visit
from loadtest.units import NS_PER_S as NS

STAGES = st.lists(
    st.builds(Stage, for_ns=st.integers(1, 8 * NS), connections=st.integers(0, 6), ramp=st.booleans()),
    min_size=1,
    max_size=5,
).filter(lambda stages: any(stage.connections for stage in stages))


def loads() -> st.SearchStrategy[Load]:
    plain = st.builds(
        Load,
        connections=st.integers(1, 12),
        connect_rate=st.none() | st.floats(0.5, 100),
        duration_ns=st.integers(1, 8 * NS),
        warmup_ns=st.integers(0, 2 * NS),
        seed=st.integers(0, 9),
    )
    staged = STAGES.map(
        lambda stages: Load(stages=tuple(stages), duration_ns=sum(each.for_ns for each in stages))
    )
    return plain | staged


def traffics() -> st.SearchStrategy[Traffic]:
    often = st.one_of(
        st.integers(NS // 20, 3 * NS).map(lambda every: {"every_ns": every}),
        st.floats(0.1, 60).map(lambda rate: {"rate": rate}),
    )
    rest = st.fixed_dictionaries(
        {
            "burst": st.integers(1, 4),
            "arrivals": st.sampled_from(["constant", "poisson"]),
            "phase": st.sampled_from(["spread", "together"]),
            "turns": st.none() | st.integers(0, 9),
        }
    )
    return st.builds(lambda a, b: Traffic(**a, **b), often, rest)


SCHEDULES = st.builds(Schedule, loads(), traffics())


def all_arrivals(schedule: Schedule, users: range | None = None) -> list[Arrival]:
    return [arrival for visit in schedule.visits(users) for arrival in schedule.arrivals(visit)]


def offsets(schedule: Schedule, user: int = 0) -> list[float]:
    return [arrival.offset_ns / NS for arrival in schedule.arrivals(Visit(user, 0, None))]


# ---------------------------------------------------------------- laws


@given(SCHEDULES)
def test_arrivals_are_in_order_and_inside_their_visit(schedule: Schedule) -> None:
    for visit in schedule.visits():
        until = schedule.end_ns if visit.leave_ns is None else visit.leave_ns
        instants = [arrival.offset_ns for arrival in schedule.arrivals(visit)]
        assert instants == sorted(instants)
        assert all(visit.connect_ns <= instant < until for instant in instants)


@given(SCHEDULES)
def test_every_turn_has_a_number_of_its_own_that_tells_its_user(schedule: Schedule) -> None:
    seqs = [arrival.seq for arrival in all_arrivals(schedule)]
    assert len(seqs) == len(set(seqs))
    for visit in schedule.visits():
        assert {arrival.seq % schedule.users for arrival in schedule.arrivals(visit)} <= {visit.user}


@given(SCHEDULES)
def test_the_turns_of_a_user_are_numbered_without_a_hole_over_all_visits(schedule: Schedule) -> None:
    by_user: dict[int, list[int]] = {}
    for seq, _ in sorted(all_arrivals(schedule), key=lambda arrival: arrival.offset_ns):
        by_user.setdefault(seq % schedule.users, []).append(seq // schedule.users)
    assert all(numbers == list(range(len(numbers))) for numbers in by_user.values())


@given(SCHEDULES, st.integers(1, 5))
def test_the_shares_of_all_workers_together_are_the_whole(schedule: Schedule, n: int) -> None:
    parts = [all_arrivals(schedule, share(k, n, schedule.users)) for k in range(n)]
    assert sorted(arrival for part in parts for arrival in part) == sorted(all_arrivals(schedule))
    assert (
        sum(schedule.due(schedule.visits(share(k, n, schedule.users))) or 0 for k in range(n))
        == schedule.due()
    )


@given(SCHEDULES)
def test_due_is_the_number_of_arrivals(schedule: Schedule) -> None:
    assert schedule.due() == len(all_arrivals(schedule))
    assert all(
        schedule.turns_due(visit) == len(list(schedule.arrivals(visit))) for visit in schedule.visits()
    )


@given(SCHEDULES)
def test_the_same_plan_gives_the_same_instants(schedule: Schedule) -> None:
    assert all_arrivals(schedule) == all_arrivals(Schedule(schedule.load, schedule.traffic))


@given(SCHEDULES)
def test_a_longer_run_begins_as_the_shorter_one(schedule: Schedule) -> None:
    if schedule.load.stages:
        return
    load = schedule.load
    longer = Schedule(
        Load(
            connections=load.connections,
            connect_rate=load.connect_rate,
            duration_ns=load.duration_ns + NS,
            warmup_ns=load.warmup_ns,
            seed=load.seed,
        ),
        schedule.traffic,
    )
    assert set(all_arrivals(schedule)) <= set(all_arrivals(longer))


@given(st.floats(0.001, 1e5), st.integers(1, 50), st.integers(1, 5), st.integers(0, 10**6))
def test_a_rate_does_not_drift(rate: float, users: int, burst: int, i: int) -> None:
    schedule = Schedule(Load(connections=users), Traffic(rate=rate, burst=burst))
    user, j = i % users, i // users
    grid = schedule._user_grid(schedule.traffic, user)  # type: ignore[arg-type]  # there is traffic
    exact = Fraction(rate)
    assert abs(grid.at(j) - i * burst * NS / exact) <= Fraction(1, 2)


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(1, 1000), st.integers(-5, 10**6))
def test_the_first_instant_from_an_offset_is_the_first(start: int, step: int, unit: int, offset: int) -> None:
    grid = Grid(start, step, unit)
    first = grid.first_from(offset)
    assert grid.at(first) >= offset
    assert first == 0 or grid.at(first - 1) < offset


# ---------------------------------------------------------------- open, constant


def test_connections_do_not_fire_at_the_same_instant() -> None:
    schedule = Schedule(Load(connections=4, duration_ns=2 * NS), Traffic(every_ns=NS))
    assert [offsets(schedule, user) for user in range(4)] == [[0, 1], [0.25, 1.25], [0.5, 1.5], [0.75, 1.75]]


def test_together_means_at_the_same_instants() -> None:
    load = Load(connections=3, duration_ns=2 * NS)
    assert {
        tuple(offsets(Schedule(load, Traffic(every_ns=NS, phase="together")), user)) for user in range(3)
    } == {(0, 1)}
    assert {
        tuple(offsets(Schedule(load, Traffic(rate=3.0, phase="together")), user)) for user in range(3)
    } == {(0, 1)}


def test_a_burst_is_due_in_one_instant() -> None:
    schedule = Schedule(Load(connections=2, duration_ns=2 * NS), Traffic(every_ns=NS, burst=3))
    assert list(schedule.arrivals(Visit(1, 0, None))) == [
        Arrival(1 + 2 * j, NS // 2 + j // 3 * NS) for j in range(6)
    ]


def test_a_rate_is_shared_in_turn() -> None:
    schedule = Schedule(Load(connections=3, duration_ns=NS), Traffic(rate=10.0, burst=2))
    assert [offsets(schedule, user) for user in range(3)] == [
        [0, 0, 0.6, 0.6],
        [0.2, 0.2, 0.8, 0.8],
        [0.4, 0.4],
    ]


def test_a_rate_that_no_float_holds_ends_where_it_should() -> None:
    assert Schedule(Load(duration_ns=10 * NS), Traffic(rate=0.1)).due() == 1
    assert Schedule(Load(duration_ns=10 * NS), Traffic(rate=1 / 3)).due() == 4


def test_a_visit_begins_with_the_first_instant_after_its_connect() -> None:
    schedule = Schedule(Load(connections=2, duration_ns=4 * NS), Traffic(every_ns=NS))
    visit = Visit(1, int(0.6 * NS), 3 * NS)
    assert [arrival.offset_ns / NS for arrival in schedule.arrivals(visit)] == [1.5, 2.5]


def test_turns_cap_a_connection_also_in_mid_burst() -> None:
    schedule = Schedule(Load(duration_ns=60 * NS), Traffic(every_ns=NS, burst=3, turns=4))
    assert offsets(schedule) == [0, 0, 0, 1]
    assert Schedule(Load(), Traffic(every_ns=NS, turns=0)).due() == 0


def test_the_second_visit_goes_on_counting() -> None:
    load = Load(
        duration_ns=30 * NS,
        stages=(
            Stage(for_ns=10 * NS, connections=2),
            Stage(for_ns=10 * NS, connections=1),
            Stage(for_ns=10 * NS, connections=2),
        ),
    )
    schedule = Schedule(load, Traffic(every_ns=NS))
    first, second = (visit for visit in schedule.visits() if visit.user == 1)
    assert (first.earlier, second.earlier) == (0, 10)
    assert next(schedule.arrivals(second)) == Arrival(1 + 2 * 10, int(20.5 * NS))


def test_what_a_schedule_says_of_itself() -> None:
    load = Load(connections=20, warmup_ns=2 * NS, duration_ns=10 * NS)
    schedule = Schedule(load, Traffic(every_ns=NS // 2, burst=5))
    assert (schedule.users, schedule.warmup_ns, schedule.end_ns, schedule.turns_per_s) == (
        20,
        2 * NS,
        12 * NS,
        200.0,
    )
    assert Schedule(load, Traffic(rate=70.0)).turns_per_s == 70.0
    assert (
        Schedule(Load(stages=(Stage(for_ns=1, connections=7), Stage(for_ns=1, connections=3))), None).users
        == 7
    )


# ---------------------------------------------------------------- Poisson


def test_the_mean_of_a_poisson_schedule_is_the_rate() -> None:
    load = Load(connections=10, duration_ns=1000 * NS, seed=7)
    for traffic in (Traffic(every_ns=NS, arrivals="poisson"), Traffic(rate=10.0, arrivals="poisson")):
        due = Schedule(load, traffic).due()
        assert due is not None
        assert 10_000 - 500 < due < 10_000 + 500  # five standard deviations
    bursts = Schedule(load, Traffic(rate=10.0, arrivals="poisson", burst=5)).due() or 0
    assert 10_000 - 1_120 < bursts < 10_000 + 1_120


def test_the_gaps_of_a_poisson_schedule_are_exponential() -> None:
    schedule = Schedule(Load(duration_ns=20_000 * NS), Traffic(every_ns=NS, arrivals="poisson"))
    gaps = [later - earlier for earlier, later in pairwise(offsets(schedule))]
    longer_than_mean = sum(gap > 1 for gap in gaps) / len(gaps)
    assert 0.35 < longer_than_mean < 0.387  # exp(-1), within five standard deviations


def test_users_whom_the_run_is_over_for_before_they_connect_are_known() -> None:
    assert Schedule(Load(connections=9, duration_ns=NS), None).never_due == 0
    assert Schedule(Load(connections=9, duration_ns=NS, connect_rate=9.0), None).never_due == 0
    assert Schedule(Load(connections=9, duration_ns=NS, connect_rate=4.0), None).never_due == 5


def test_another_seed_or_user_gives_other_instants() -> None:
    traffic = Traffic(every_ns=NS, arrivals="poisson")
    first = Schedule(Load(connections=2, seed=1), traffic)
    other = Schedule(Load(connections=2, seed=2), traffic)
    assert offsets(first, 0) != offsets(first, 1)
    assert offsets(first, 0) != offsets(other, 0)


def test_a_very_long_poisson_schedule_is_not_counted_in_advance() -> None:
    load = Load(duration_ns=3600 * NS)
    assert Schedule(load, Traffic(rate=COUNTING_CAP / 1000, arrivals="poisson")).due() is None


# ---------------------------------------------------------------- closed, and nothing


def test_in_the_closed_model_only_numbers_are_planned() -> None:
    schedule = Schedule(Load(model="closed", connections=4), Traffic(turns=5))
    assert list(islice(schedule.think(3), 3)) == [3, 7, 11]
    assert list(schedule.arrivals(schedule.visits()[0])) == []
    assert schedule.turns_due(schedule.visits()[0]) == 0
    assert schedule.due() is None
    assert schedule.turns_per_s is None


def test_without_traffic_nothing_is_due() -> None:
    schedule = Schedule(Load(connections=4), None)
    assert schedule.due() == 0
    assert schedule.turns_per_s is None
    assert list(schedule.arrivals(schedule.visits()[0])) == []


def test_with_turns_0_nothing_is_due_either() -> None:
    for schedule in (Schedule(Load(), Traffic(turns=0)), Schedule(Load(model="closed"), Traffic(turns=0))):
        assert not schedule.sends
        assert schedule.due() == 0
        assert schedule.turns_per_s is None
    assert Schedule(Load(), Traffic(every_ns=NS)).sends


def test_an_open_plan_that_does_not_say_how_often_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="every"):
        _ = Schedule(Load(), Traffic()).turns_per_s


def test_shares_are_interleaved() -> None:
    assert [list(share(k, 3, 7)) for k in range(3)] == [[0, 3, 6], [1, 4], [2, 5]]
