"""What is sent and when, in a world whose time a test lets pass."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loadtest.drive.connection_state import ConnectionState
from loadtest.drive.traffic import ClosedTraffic, OpenTraffic, UserTraffic
from loadtest.plan.mix import Mix
from loadtest.plan.schedule import Arrival
from loadtest.speak.turn import Outcome
from tests.drive.fakes import MS, FakeConnection, S, World

Made = tuple[World, FakeConnection, Any]


def attached(world: World, traffic: Any, connection: FakeConnection) -> Made:
    connection.on_turn = traffic.ended
    connection.on_ready = traffic.ready
    traffic.start()
    return world, connection, traffic


def open_traffic(*instants_ms: int, **settings: Any) -> Made:
    """Turns due at these instants, numbered from 0."""
    world = World(**settings)
    connection = world.new_connection(0, {})
    arrivals = iter([Arrival(seq, at * MS) for seq, at in enumerate(instants_ms)])
    return attached(world, OpenTraffic(world, connection, arrivals, world.may_be_done), connection)  # type: ignore[arg-type]  # fakes


def closed_traffic(**settings: Any) -> Made:
    world = World(**settings)
    connection = world.new_connection(0, {})
    return attached(world, ClosedTraffic(world, connection, count(), world.may_be_done), connection)  # type: ignore[arg-type]  # fakes


def again(world: World, traffic: Any) -> FakeConnection:
    """The user has another connection, which is ready."""
    connection = world.new_connection(0, {})
    connection.on_turn = traffic.ended
    connection.on_ready = traffic.ready
    connection.ready()
    return connection


def test_reads_wait_no_longer_once_two_turns_are_in_flight_on_a_connection() -> None:
    world, connection, _ = open_traffic(0, 100)
    world.poller.patient = True
    connection.ready()
    world.poller.run(50 * MS)
    assert world.poller.patient
    world.poller.run(S)
    assert not world.poller.patient


def test_replies_are_taken_before_another_turn_is_sent() -> None:
    """Read after it, two replies would share the time stamp of the later one."""
    world, connection, _ = open_traffic(0, 100, 100, 200)
    connection.ready()
    world.poller.run(150 * MS)
    for _ in range(3):
        connection.answer()
    world.poller.run(S)
    assert connection.replies_taken == [1], "before the second instant: none was in flight before the others"
    assert due(connection) == [0, 100, 100, 200]


def test_a_turn_waits_for_another_connection_where_the_replies_end_this_one() -> None:
    world, connection, traffic = open_traffic(0, 100)
    connection.on_closed = lambda _connection: None
    connection.ready()
    connection.lost_by_reading = True
    world.poller.run(S)
    assert due(connection) == [0]
    assert due(again(world, traffic)) == [100]


def due(connection: FakeConnection) -> list[int]:
    """When each turn that was begun was due, in milliseconds."""
    return [intended // MS for _, _, intended in connection.begun]


# ------------------------------------------------------------------ open


def test_turns_fall_due_whether_or_not_earlier_ones_were_answered() -> None:
    world, connection, traffic = open_traffic(0, 100, 200)
    connection.ready()
    world.poller.run(S)
    assert due(connection) == [0, 100, 200]
    assert world.count("turns.due") == 3
    assert not traffic.busy


def test_the_turns_of_one_instant_are_a_burst() -> None:
    world, connection, _ = open_traffic(100, 100, 200, 200)
    connection.ready()
    world.poller.run(S)
    assert [(seq, position) for seq, position, _ in connection.begun] == [(0, 0), (1, 1), (2, 0), (3, 1)]


def test_turns_wait_for_their_connection_and_keep_their_instant() -> None:
    world, connection, traffic = open_traffic(0, 100)
    world.poller.run(3 * S)
    assert traffic.busy, "nothing falls due any more, but two wait"
    connection.ready()
    assert due(connection) == [0, 100]
    assert not traffic.busy


def test_a_turn_that_waits_too_long_is_not_attempted() -> None:
    world, connection, traffic = open_traffic(0, 1000, 9000, timeout_ns=5 * S)
    world.poller.run(5 * S)
    assert world.count("turns.not_attempted") == 1
    world.poller.run(6 * S)
    assert world.count("turns.not_attempted") == 2
    world.poller.run(9 * S)
    connection.ready()
    assert due(connection) == [9000]
    world.poller.run(60 * S)
    assert world.count("turns.not_attempted") == 2
    assert world.count("turns.due") == world.count("turns.begun") + world.count("turns.not_attempted") == 3
    assert not traffic.busy


def test_a_turn_is_not_attempted_while_too_much_waits_on_its_connection() -> None:
    world, connection, traffic = open_traffic(0, 100, 200)
    connection.ready()
    connection.is_backed_up = True
    world.poller.run(50 * MS)
    connection.is_backed_up = False
    world.poller.run(150 * MS)
    connection.is_backed_up = True
    asked = world.asked
    world.poller.run(S)
    assert due(connection) == [100]
    assert world.count("turns.due") == 3
    assert world.count("turns.not_attempted") == world.count("turns.not_attempted_by.backlog") == 2
    assert world.asked > asked, "it may have been the last that was awaited"
    assert not traffic.busy


def test_open_turns_go_on_with_the_next_connection() -> None:
    world, first, traffic = open_traffic(0, 100, 200, 300)
    first.ready()
    world.poller.run(50 * MS)
    first.state = first.state.CLOSED
    world.poller.run(250 * MS)
    second = again(world, traffic)
    world.poller.run(S)
    assert due(first) == [0]
    assert due(second) == [100, 200, 300]


def test_what_waits_when_the_schedule_is_over_may_still_be_begun() -> None:
    world, connection, traffic = open_traffic(0, 100)
    world.poller.run(S)
    traffic.schedule_over()
    connection.ready()
    assert due(connection) == [0, 100]


def test_what_waits_in_the_end_is_not_attempted() -> None:
    world, _, traffic = open_traffic(0, 100, 2000)
    world.poller.run(S)
    traffic.finish()
    assert world.count("turns.not_attempted") == 2
    assert not traffic.busy
    world.poller.run(60 * S)
    assert world.count("turns.due") == 2


def test_the_last_of_so_many_turns_asks_whether_all_is_over() -> None:
    world, connection, _ = open_traffic(0, 100)
    connection.ready()
    world.poller.run(50 * MS)
    connection.answer()
    assert not world.asked
    world.poller.run(S)
    connection.answer()
    assert world.asked


@given(
    st.lists(st.integers(0, 4000), max_size=20).map(sorted),
    st.lists(st.tuples(st.integers(0, 9000), st.booleans()), max_size=12).map(sorted),
)
def test_every_turn_that_fell_due_is_begun_once_or_not_attempted(
    instants: list[int], changes: list[tuple[int, bool]]
) -> None:
    """Whatever comes and goes meanwhile."""
    world, connection, traffic = open_traffic(*instants, timeout_ns=S)
    for at, comes in changes:
        world.poller.run(at * MS)
        if comes and not connection.is_open:
            connection = again(world, traffic)
        elif not comes and connection.is_open:
            connection.state = connection.state.CLOSED
    world.poller.run(10 * S)
    traffic.finish()
    begun = [seq for each in world.connections for seq, _, _ in each.begun]
    assert len(begun) == len(set(begun))
    assert world.count("turns.due") == len(instants) == len(begun) + world.count("turns.not_attempted")


# ------------------------------------------------------------------ closed


def test_the_first_burst_is_due_when_the_connection_is_ready() -> None:
    world, connection, _ = closed_traffic(burst=3)
    world.poller.run(700 * MS)
    connection.ready()
    assert due(connection) == [700, 700, 700]


def test_the_next_burst_waits_for_the_last_answer_and_for_thought() -> None:
    world, connection, _ = closed_traffic(burst=2, think_ns=S)
    connection.ready()
    world.poller.run(100 * MS)
    connection.answer()
    world.poller.run(300 * MS)
    connection.answer()
    world.poller.run(5 * S)
    assert due(connection) == [0, 0, 1300, 1300]


def test_without_thought_the_next_burst_is_due_at_the_last_answer() -> None:
    world, connection, _ = closed_traffic()
    connection.ready()
    world.poller.run(40 * MS)
    connection.answer()
    assert due(connection) == [0, 40]


def test_a_user_has_so_many_turns() -> None:
    world, connection, traffic = closed_traffic(burst=2, turns_per_connection=3)
    connection.ready()
    for _ in range(3):
        connection.answer()
    assert len(connection.begun) == 3
    assert not traffic.busy
    assert world.asked


def test_nothing_falls_due_after_the_end() -> None:
    world, connection, traffic = closed_traffic(end_ns=S)
    connection.ready()
    world.poller.run(S)
    connection.answer()
    assert len(connection.begun) == 1
    assert not traffic.busy


def test_a_user_who_loses_the_connection_goes_on_when_there_is_another() -> None:
    world, first, traffic = closed_traffic(burst=2)
    first.ready()
    first.state = first.state.CLOSED
    first.answer(outcome=Outcome.LOST)
    first.answer(outcome=Outcome.LOST)
    world.poller.run(800 * MS)
    assert traffic.busy
    second = again(world, traffic)
    assert due(second) == [800, 800]
    assert world.count("turns.due") == 4


def test_a_user_thinks_on_while_the_connection_is_away() -> None:
    world, first, traffic = closed_traffic(think_ns=S)
    first.ready()
    first.answer()
    first.state = first.state.CLOSED
    world.poller.run(300 * MS)
    second = again(world, traffic)
    assert not second.begun
    world.poller.run(5 * S)
    assert due(second) == [1000]


def test_a_user_who_has_done_thinking_waits_for_the_connection() -> None:
    world, first, traffic = closed_traffic(think_ns=S)
    first.ready()
    first.answer()
    first.state = first.state.CLOSED
    world.poller.run(3 * S)
    second = again(world, traffic)
    assert due(second) == [3000]
    second.answer()
    world.poller.run(3999 * MS)
    assert len(second.begun) == 1
    world.poller.run(4 * S)
    assert due(second) == [3000, 4000]


def test_a_user_without_a_connection_for_good_is_done() -> None:
    world, connection, traffic = closed_traffic()
    connection.ready()
    traffic.gone()
    assert not traffic.busy
    assert world.asked


def test_a_user_who_thinks_when_the_schedule_is_over_holds_up_nobody() -> None:
    world, connection, traffic = closed_traffic(think_ns=50 * S)
    connection.ready()
    connection.answer()
    traffic.schedule_over()
    assert not traffic.busy
    world.poller.run(60 * S)
    assert len(connection.begun) == 1


@given(
    st.lists(st.tuples(st.integers(1, 500), st.sampled_from(["answer", "lose", "back", "wait"])), max_size=40)
)
def test_a_closed_user_never_has_two_bursts_at_once(steps: list[tuple[int, str]]) -> None:
    world, connection, traffic = closed_traffic(burst=2, think_ns=100 * MS)
    connection.ready()
    for wait, step in steps:
        world.poller.run(world.now() + wait * MS)
        if step == "answer" and connection.session.turns:
            connection.answer()
        elif step == "lose" and connection.is_open:
            connection.state = connection.state.CLOSED
            while connection.session.turns:
                connection.answer(outcome=Outcome.LOST)
        elif step == "back" and not connection.is_open:
            connection = again(world, traffic)
        assert len(connection.session.turns) <= 2
    world.poller.run(world.now() + S)
    if connection.is_open:
        assert connection.session.turns, "an open connection is never left without a burst"
    seqs = [seq for each in world.connections for seq, _, _ in each.begun]
    assert seqs == list(range(len(seqs)))


# ------------------------------------------------------------------ none


def test_a_connection_that_is_only_held_is_never_busy() -> None:
    world = World()
    traffic = UserTraffic()
    connection = world.new_connection(0, {})
    attached(world, traffic, connection)
    connection.ready()
    for what in (traffic.away, traffic.gone, traffic.leave, traffic.schedule_over, traffic.finish):
        what()
    assert not traffic.busy
    assert not connection.begun


# ------------------------------------------------------------------ kinds of turn


def kinds_begun(world: World) -> dict[str, tuple[int, int, int]]:
    """By kind how many turns were due, begun and not attempted."""
    found = {}
    for kind in ("ask", "stop"):
        metrics = world.recorder.metrics_at(0, kind)
        found[kind] = (metrics.turns_due, metrics.turns_begun, metrics.turns_not_attempted)
    return found


def test_each_turn_is_of_the_kind_that_the_seed_drew_and_is_counted_with_it() -> None:
    mix = Mix({"ask": 1, "stop": 1}, 1)
    world, connection, _ = open_traffic(*range(0, 2_000, 100), mix=mix)
    connection.ready()
    world.poller.run(S)
    connection.state = ConnectionState.CLOSED
    world.poller.run(20 * S)
    begun = [seq for seq, _, _ in connection.begun]
    drawn = [mix.kind(seq) for seq in range(20)]
    assert kinds_begun(world) == {
        kind: (
            drawn.count(kind),
            [mix.kind(seq) for seq in begun].count(kind),
            drawn[len(begun) :].count(kind),
        )
        for kind in ("ask", "stop")
    }
    assert 0 < len(begun) < 20


def test_in_the_closed_model_too() -> None:
    mix = Mix({"ask": 1, "stop": 1}, 1)
    world, connection, _ = closed_traffic(burst=20, mix=mix)
    connection.ready()
    drawn = [mix.kind(seq) for seq in range(20)]
    assert kinds_begun(world) == {kind: (drawn.count(kind),) * 2 + (0,) for kind in ("ask", "stop")}
