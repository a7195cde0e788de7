"""One user's visit: coming, losing the connection, coming back, leaving; in a world without sockets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.drive.connection_state import ConnectionState
from loadtest.drive.traffic import ClosedTraffic, UserTraffic
from loadtest.drive.virtual_user import VirtualUser
from loadtest.errors import Layer
from loadtest.plan.chaos import wait_ns
from loadtest.plan.random_draw import draw
from loadtest.plan.scenario import Reconnect
from loadtest.plan.stages import Visit
from tests.drive.fakes import MS, S, World

EVEN = Reconnect(initial_delay_ns=100 * MS, factor=2, max_delay_ns=S, jitter=0.0, tries=3)


class Told(UserTraffic):
    """Traffic that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.waits = False
        self.in_flight = 0

    @property
    def busy(self) -> bool:
        return self.waits

    def start(self) -> None:
        self.told.append("start")

    def ready(self, connection: Any) -> None:
        self.told.append("ready")

    def away(self) -> None:
        self.told.append("away")

    def gone(self) -> None:
        self.told.append("gone")

    def leave(self) -> None:
        self.told.append("leave")


def made(**settings: Any) -> tuple[World, VirtualUser]:
    world = World(**{"traffic": lambda _world, _connection: Told(), **settings})
    user = VirtualUser(world, world, Visit(7, 0, None), {"user.id": "seven"})  # type: ignore[arg-type]  # fakes
    user.begin()
    return world, user


def told(user: VirtualUser) -> list[str]:
    return user.traffic.told  # type: ignore[attr-defined]  # it is a Told


def test_a_user_comes_and_is_ready() -> None:
    world, user = made()
    assert world.connections[0].state is ConnectionState.CONNECTING
    world.connections[0].ready()
    assert told(user) == ["start", "ready"]
    assert not user.over


def test_without_reconnect_a_lost_connection_is_the_end() -> None:
    world, user = made()
    world.connections[0].ready()
    world.connections[0].lose()
    assert user.over
    assert world.over == 1
    assert told(user) == ["start", "ready", "gone"]
    world.poller.run(60 * S)
    assert len(world.connections) == 1
    assert world.recorder.metrics.other == {"connections.due": 1}


def test_a_lost_connection_is_followed_by_another() -> None:
    world, user = made(reconnect=EVEN)
    world.connections[0].ready()
    world.poller.run(2 * S)
    world.connections[0].lose()
    assert told(user)[-1] == "away"
    world.poller.run(2099 * MS)
    assert len(world.connections) == 1
    world.poller.run(2100 * MS)
    second = world.connections[1]
    assert second.is_reconnect
    assert second.is_retry
    assert not world.connections[0].is_reconnect
    assert not world.connections[0].is_retry
    assert second.state is ConnectionState.CONNECTING
    assert second.session.followed == [world.connections[0].session]
    world.poller.run(2130 * MS)
    second.ready()
    assert told(user)[-1] == "ready"
    assert user.connection is second
    assert world.count("connections.reconnected") == 1
    assert world.recorder.metrics.reconnect.tolist() == [130 * MS]


def test_a_name_is_looked_up_again_after_a_loss_and_where_no_address_took_a_connection() -> None:
    world, user = made(reconnect=EVEN)
    world.connections[0].refuse(layer=Layer.UPGRADE)
    assert world.lookups.wanted == 0
    world.poller.run(10 * S)
    world.connections[1].refuse(layer=Layer.TCP)
    assert world.lookups.wanted == 1
    world.poller.run(20 * S)
    world.connections[2].ready()
    world.connections[2].lose()
    assert world.lookups.wanted == 2
    user.end()
    assert world.lookups.wanted == 2


def test_nobody_looks_a_name_up_who_does_not_come_back() -> None:
    world, _ = made()
    world.connections[0].ready()
    world.connections[0].lose()
    assert world.lookups.wanted == 0


def test_each_try_waits_longer_and_after_so_many_the_user_gives_up() -> None:
    world, user = made(reconnect=EVEN)
    world.connections[0].ready()
    world.connections[0].lose()
    tried = []
    for _ in range(3):
        world.poller.run(world.now() + 10 * S)
        tried.append(len(world.connections))
        world.connections[-1].refuse()
    assert tried == [2, 3, 4]
    assert user.over
    assert world.count("connections.given_up") == 1
    assert world.count("connections.away") == 0
    world.poller.run(world.now() + 60 * S)
    assert len(world.connections) == 4


def test_who_is_ready_again_may_try_as_often_once_more() -> None:
    world, user = made(reconnect=EVEN)
    for _ in range(5):
        world.connections[-1].ready()
        world.connections[-1].lose()
        for _ in range(2):
            world.poller.run(world.now() + S)
            world.connections[-1].refuse()
        world.poller.run(world.now() + S)
    assert not user.over
    assert world.count("connections.reconnected") == 4
    assert world.recorder.metrics.reconnect.tolist() == [3 * S] * 4


def test_waits_are_shortened_by_chance_but_known_before_the_run() -> None:
    policy = Reconnect(initial_delay_ns=100 * MS, jitter=0.5)
    world, _ = made(reconnect=policy, seed=4)
    world.connections[0].ready()
    world.connections[0].lose()
    expected = wait_ns(policy, 1, draw(4, "reconnect", 7, 1, 1))
    assert 50 * MS < expected < 100 * MS
    world.poller.run(expected - 1)
    assert len(world.connections) == 1
    world.poller.run(expected)
    assert len(world.connections) == 2


def test_a_refused_first_attempt_is_made_again() -> None:
    world, user = made(reconnect=EVEN)
    world.connections[0].refuse()
    world.poller.run(100 * MS)
    world.connections[1].refuse()
    world.poller.run(S)
    world.connections[2].ready()
    assert not world.connections[2].is_reconnect
    assert world.count("connections.reconnected") == 0, "there was nothing to lose"
    world.connections[2].lose()
    world.poller.run(2 * S)
    world.connections[3].refuse()
    assert world.refused_ones == 0, "it was ready once"
    assert not user.over


def test_a_user_who_was_refused_to_the_last_attempt_was_never_ready() -> None:
    world, user = made(reconnect=EVEN)
    for attempt in range(EVEN.tries + 1):
        assert world.refused_ones == 0, "there are attempts left"
        world.connections[attempt].refuse()
        world.poller.run(world.now() + 20 * S)
    assert (user.over, world.refused_ones) == (True, 1)


def test_without_reconnect_a_refused_user_is_over() -> None:
    world, user = made()
    world.connections[0].refuse()
    assert user.over
    assert (world.refused_ones, world.over) == (1, 1)


def test_who_leaves_drains_first() -> None:
    world, user = made(reconnect=EVEN)
    connection = world.connections[0]
    connection.ready()
    connection.begin(1, 0, 0, {})
    user.leave()
    assert told(user)[-1] == "leave"
    world.poller.run(S)
    assert connection.is_open
    connection.on_turn = lambda _turn: None
    connection.answer()
    world.poller.run(1100 * MS)
    assert connection.state is ConnectionState.CLOSED
    assert user.over
    assert world.count("turns.complete") == 1
    assert world.count("connections.away") == 0, "it was not lost"


def test_who_leaves_waits_no_longer_than_a_turn_may_take() -> None:
    world, user = made(timeout_ns=2 * S)
    world.connections[0].ready()
    world.connections[0].begin(1, 0, 0, {})
    user.leave()
    world.poller.run(1900 * MS)
    assert not user.over
    world.poller.run(2100 * MS)
    assert user.over
    assert world.count("turns.abandoned") == 1


def test_who_leaves_while_away_does_not_come_back() -> None:
    world, user = made(reconnect=EVEN)
    world.connections[0].ready()
    world.connections[0].lose()
    user.leave()
    assert user.over
    assert world.count("connections.away") == 1
    world.poller.run(60 * S)
    assert len(world.connections) == 1


@pytest.mark.parametrize("waits", [False, True])
def test_when_the_schedule_is_over_only_who_has_turns_waiting_comes_back(*, waits: bool) -> None:
    world, user = made(reconnect=EVEN)
    world.connections[0].ready()
    world.finishing = True
    user.traffic.waits = waits  # type: ignore[attr-defined]  # it is a Told
    world.connections[0].lose()
    assert user.over is not waits
    world.poller.run(S)
    assert len(world.connections) == 1 + waits
    assert world.count("connections.away") == (not waits)


def test_the_end_finds_users_wherever_they_are() -> None:
    for bring_about in (
        lambda _connection: None,
        lambda connection: connection.ready(),
        lambda connection: (connection.ready(), connection.lose()),
        lambda connection: connection.refuse(),
    ):
        world, user = made(reconnect=EVEN)
        bring_about(world.connections[0])
        user.end()
        assert user.over
        user.end()
        assert world.over == 1
        world.poller.run(60 * S)
        assert len(world.connections) == 1


def test_a_user_is_idle_when_nothing_is_in_flight_nor_waits() -> None:
    world, user = made()
    connection = world.connections[0]
    connection.ready()
    assert user.is_idle
    user.traffic.waits = True  # type: ignore[attr-defined]  # it is a Told
    assert not user.is_idle
    user.traffic.waits = False  # type: ignore[attr-defined]  # it is a Told
    connection.begin(1, 0, 0, {})
    assert not user.is_idle


@given(st.lists(st.tuples(st.integers(0, 700), st.sampled_from(["ready", "refuse", "lose"])), max_size=40))
def test_every_loss_ends_in_one_way(steps: list[tuple[int, str]]) -> None:
    """Back, given up, or away when all is over; whatever the target does."""
    world, user = made(
        reconnect=EVEN,
        traffic=lambda world, connection: ClosedTraffic(
            world, connection, iter(range(10**6)), world.may_be_done
        ),
    )
    losses = refused_before = 0
    for wait, step in steps:
        world.poller.run(world.now() + wait * MS)
        connection = world.connections[-1]
        if step == "ready" and connection.state is ConnectionState.CONNECTING:
            connection.ready()
        elif step == "refuse" and connection.state is ConnectionState.CONNECTING:
            connection.refuse()
        elif step == "lose" and connection.is_open:
            connection.lose()
            losses += 1
    refused_before = user.over and not losses
    user.end()
    ends = [world.count(f"connections.{name}") for name in ("reconnected", "given_up", "away")]
    assert sum(ends) == losses + refused_before
    assert world.over == 1
    assert len(world.recorder.metrics.reconnect) == ends[0]
    assert world.count("turns.due") == world.count("turns.begun")


# ------------------------------------------------------------------ when the target says when


def test_a_target_that_says_when_to_come_back_is_taken_at_its_word() -> None:
    world, _ = made(reconnect=EVEN)
    world.connections[0].refuse(retry_after="3")
    world.poller.run(3 * S - 1)
    assert len(world.connections) == 1
    world.poller.run(3 * S)
    assert len(world.connections) == 2
    assert world.count("connections.told_to_wait") == 1


@pytest.mark.parametrize("said", ["", "0", "soon"])
def test_who_says_nothing_of_use_is_tried_again_as_planned(said: str) -> None:
    world, _ = made(reconnect=EVEN)
    world.connections[0].refuse(retry_after=said)
    world.poller.run(100 * MS)
    assert len(world.connections) == 2
    assert world.count("connections.told_to_wait") == 0
