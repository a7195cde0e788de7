"""Of several addresses the first that connects is taken, and what became of the others is counted."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

from loadtest.drive.connect_race import ATTEMPT_DELAY_NS, ConnectRace
from loadtest.drive.poller import WRITE, Poller
from loadtest.drive.transport import Address
from loadtest.errors import Layer
from loadtest.measure.clock import Clock
from loadtest.plan.scenario import Target
from loadtest.speak.connect_refusal import ConnectRefusal
from tests.drive.peers import Listener
from tests.drive.serving import serving
from tests.drive.standing_in import MS, SECOND, START, FakeContext, Line, endpoint_of, scenario_of
from tests.drive.test_connect_attempt import agrees, opened, refused_by

THREE = tuple(Address(socket.AF_INET, (f"192.0.2.{n}", 9)) for n in (1, 2, 3))


class Spectator:
    """Whose connection it is."""

    def __init__(self) -> None:
        self.won: tuple[Any, int] | None = None
        self.refusal: ConnectRefusal | None = None
        self.limit = ""

    def connected(self, transport: Any, began_ns: int) -> None:
        self.won = transport, began_ns

    def none_connected(self, refusal: ConnectRefusal) -> None:
        self.refusal = refusal

    def none_asked(self, limit: str) -> None:
        self.limit = limit


class Race:
    """A race at three addresses, of which each line is one."""

    def __init__(self, *lines: Line | OSError, target: Target | None = None) -> None:
        endpoint = endpoint_of(addresses=THREE)
        self.context = FakeContext(scenario_of(target=target), endpoint=endpoint, lines=lines)
        self.poller = self.context.hand_poller
        self.told = Spectator()
        self.race = ConnectRace(self.context, self.told, self.context.assignment.endpoint, 0)
        self.race.begin()

    def counts(self) -> dict[str, int]:
        return self.context.counts("connections.address_")


def refusing(fd: int) -> Line:
    line = Line(fd)
    line.refused_with = errno.ECONNREFUSED
    return line


def test_the_first_address_has_a_quarter_of_a_second_alone() -> None:
    first, second, third = Line(1), Line(2), Line(3)
    race = Race(first, second, third)
    assert race.poller.asked == {1: WRITE}
    race.poller.pass_until(START + ATTEMPT_DELAY_NS - 1)
    assert race.poller.asked == {1: WRITE}
    race.poller.pass_until(START + ATTEMPT_DELAY_NS)
    assert race.poller.asked == {1: WRITE, 2: WRITE}
    race.poller.pass_until(START + 260 * MS)
    race.poller.turn(2, WRITE)
    assert race.told.won == (second, START + ATTEMPT_DELAY_NS)
    assert first.closed
    assert not second.closed
    assert race.counts() == {"failed.192.0.2.1": 1, "connected.192.0.2.2": 1}
    race.poller.pass_until(START + 9 * SECOND)
    assert race.poller.asked == {2: WRITE}


def test_an_attempt_that_is_not_needed_any_more_has_not_failed() -> None:
    first, second = Line(1), Line(2)
    race = Race(first, second)
    race.poller.pass_until(START + 300 * MS)
    race.poller.turn(1, WRITE)
    assert race.told.won == (first, START)
    assert second.closed
    assert race.counts() == {"connected.192.0.2.1": 1, "called_off.192.0.2.2": 1}


def test_a_failure_has_the_next_one_begin_at_once() -> None:
    race = Race(refusing(1), Line(2), Line(3))
    race.poller.pass_until(START + 10 * MS)
    race.poller.turn(1, WRITE)
    assert race.poller.asked == {2: WRITE}
    race.poller.pass_until(START + 10 * MS + ATTEMPT_DELAY_NS - 1)
    assert race.poller.asked == {2: WRITE}
    race.poller.pass_until(START + 10 * MS + ATTEMPT_DELAY_NS)
    assert race.poller.asked == {2: WRITE, 3: WRITE}


def test_an_address_without_a_way_to_it_is_passed_over() -> None:
    race = Race(OSError(errno.ENETUNREACH, "Network is unreachable"), Line(2))
    race.poller.turn(2, WRITE)
    assert race.told.won is not None
    assert race.counts() == {"failed.192.0.2.1": 1, "connected.192.0.2.2": 1}


def test_where_no_address_connects_the_reason_names_each() -> None:
    race = Race(refusing(1), OSError(errno.ENETUNREACH, "no way"), refusing(3))
    race.poller.turn(1, WRITE)
    race.poller.turn(3, WRITE)
    refused = os.strerror(errno.ECONNREFUSED)
    assert race.told.refusal is not None
    assert race.told.refusal.layer is Layer.TCP
    assert race.told.refusal.reason == (f"192.0.2.1: {refused}; 192.0.2.2: no way; 192.0.2.3: {refused}")
    assert race.poller.asked == {}


def test_one_reason_of_all_is_told_once() -> None:
    race = Race(*(OSError(errno.ENETUNREACH, "no way") for _ in range(3)))
    assert race.told.refusal is not None
    assert race.told.refusal.reason == "no way (at each of 3 addresses)"


def test_a_limit_of_this_machine_is_told_only_where_no_address_said_no() -> None:
    limit = OSError(errno.EMFILE, "too many")
    assert Race(limit, limit, limit).told.limit == "EMFILE"
    mixed = Race(limit, refusing(2), limit)
    mixed.poller.turn(2, WRITE)
    assert mixed.told.limit == ""
    assert mixed.told.refusal is not None


def test_who_leaves_is_told_nothing() -> None:
    first = Line(1)
    race = Race(first, Line(2))
    late = race.poller._ready[1]
    race.race.leave()
    late(WRITE)
    race.poller.pass_until(START + SECOND)
    assert first.closed
    assert race.poller.asked == {}
    assert (race.told.won, race.told.refusal) == (None, None)


@pytest.mark.parametrize(
    ("addresses", "orders"),
    [
        ("first", ["123", "123", "123"]),
        ("rotate", ["123", "231", "312"]),
        ("all", ["1", "2", "3"]),
    ],
)
def test_users_are_spread_over_the_addresses_as_asked(addresses: Any, orders: list[str]) -> None:
    context = FakeContext(
        scenario_of(target=Target(url="ws://test", addresses=addresses)),
        endpoint=endpoint_of(addresses=THREE),
    )
    tried = (context.addresses_of(user) for user in range(3))
    assert ["".join(each.sockaddr[0][-1] for each in found) for found in tried] == orders


def test_a_dead_address_beside_one_that_lives_costs_no_connection(epoll: Poller) -> None:
    with Listener() as listener:
        nobody = listener.address
    with serving(agrees) as address:
        context = FakeContext(
            scenario_of(),
            endpoint=endpoint_of(addresses=(nobody, address)),
            poller=epoll,
            clock=Clock(wall=True),
        )
        visitor = opened(context)
        assert visitor.agreed is not None
        transport = visitor.agreed[0]
        epoll.unregister(transport.fd)
        transport.close()
    assert context.counts("connections.address_") == {"failed.127.0.0.1": 1, "connected.127.0.0.1": 1}
    assert len(context.recorder.metrics.tcp) == 1


def test_addresses_that_are_all_dead_are_one_refusal(epoll: Poller) -> None:
    with Listener() as one, Listener() as other:
        dead = one.address, other.address
    context = FakeContext(
        scenario_of(), endpoint=endpoint_of(addresses=dead), poller=epoll, clock=Clock(wall=True)
    )
    layer, reason = refused_by(opened(context))
    assert layer is Layer.TCP
    assert reason.startswith(os.strerror(errno.ECONNREFUSED))
