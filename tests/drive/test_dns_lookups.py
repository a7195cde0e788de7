"""The target's name is looked up again for users who come back: shared, seldom, and while nobody waits."""

from __future__ import annotations

import socket
from dataclasses import replace

import gevent
import pytest

from loadtest.drive.dns_lookups import MAX_ADDRESSES, MAX_TOLD, OTHER, REST_NS, Lookups
from loadtest.drive.transport import Address
from loadtest.errors import Layer, TargetError
from loadtest.plan.scenario import Load, Reconnect, Target
from tests.drive.standing_in import FakeContext, endpoint_of, scenario_of


def at(host: str) -> Address:
    return Address(socket.AF_INET, (host, 9))


class Service:
    """A name service, and the process that asks it."""

    def __init__(self, *answers: tuple[Address, ...] | str) -> None:
        self.answers = list(answers)
        self.now_ns = 5 * REST_NS
        self.counted: list[str] = []
        self.reasons: list[str] = []
        self.asked = 0

    def now(self) -> int:
        return self.now_ns

    def count(self, name: str) -> None:
        self.counted.append(name)

    def lookup_failed(self, reason: str) -> None:
        self.reasons.append(reason)

    def find(self) -> tuple[Address, ...]:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            raise TargetError(Layer.RESOLVE, answer)
        return answer


OLD, NEW = at("192.0.2.1"), at("192.0.2.2")


def test_what_is_found_later_is_for_all_and_counted() -> None:
    service = Service((NEW, OLD))
    lookups = Lookups(service, (OLD,), service.find)
    lookups.look_again()
    # Nobody waits: the greenlet has not even begun.
    assert service.asked == 0
    assert lookups.addresses == (OLD,)
    gevent.idle()
    assert lookups.addresses == (NEW, OLD)
    assert service.counted == [
        "connections.lookups",
        "connections.address_found.192.0.2.2",
        "connections.address_found.192.0.2.1",
    ]


def test_one_at_a_time_and_not_again_for_a_while() -> None:
    service = Service((NEW,), (OLD,))
    lookups = Lookups(service, (OLD,), service.find)
    for _ in range(100):
        lookups.look_again()
    # The one that goes on may take longer than the rest.
    service.now_ns += REST_NS
    lookups.look_again()
    gevent.idle()
    assert service.asked == 1
    service.now_ns += REST_NS - 1
    lookups._next_ns = service.now_ns + 1
    lookups.look_again()
    gevent.idle()
    assert service.asked == 1
    service.now_ns += 1
    lookups.look_again()
    gevent.idle()
    assert lookups.addresses == (OLD,)


def test_a_lookup_that_fails_keeps_what_was_known_and_is_told() -> None:
    service = Service("the name 'gone' cannot be resolved: no such name", (NEW,))
    lookups = Lookups(service, (OLD,), service.find)
    lookups.look_again()
    gevent.idle()
    assert lookups.addresses == (OLD,)
    assert service.counted == ["connections.lookups_failed"]
    assert service.reasons == ["the name 'gone' cannot be resolved: no such name"]
    service.now_ns += REST_NS
    lookups.look_again()
    gevent.idle()
    assert lookups.addresses == (NEW,)


def test_an_answer_of_any_length_is_bounded() -> None:
    many = tuple(at(f"192.0.2.{n}") for n in range(100))
    service = Service(many, many[MAX_ADDRESSES:], many[2 * MAX_ADDRESSES :])
    lookups = Lookups(service, (OLD,), service.find)
    for _ in range(3):
        lookups.look_again()
        gevent.idle()
        service.now_ns += REST_NS
    assert lookups.addresses == many[2 * MAX_ADDRESSES : 3 * MAX_ADDRESSES]
    told = {name for name in service.counted if name.startswith("connections.address_found.")}
    assert len(told) == MAX_TOLD + 1
    assert f"connections.address_found.{OTHER}" in told


@pytest.mark.parametrize(("resolve_ns", "reconnect"), [(None, Reconnect()), (9, None)])
def test_an_address_is_not_looked_up_nor_a_name_for_users_who_do_not_come_back(
    resolve_ns: int | None, reconnect: Reconnect | None
) -> None:
    scenario = scenario_of(load=Load(duration_ns=REST_NS, reconnect=reconnect))
    lookups = FakeContext(scenario, endpoint=endpoint_of(resolve_ns=resolve_ns)).lookups
    lookups.look_again()
    assert not lookups._looking
    assert not lookups.counts_by_address


def test_only_those_who_tried_before_go_where_the_name_leads_now() -> None:
    scenario = scenario_of(
        target=Target(url="ws://127.0.0.1:9"), load=Load(duration_ns=REST_NS, reconnect=Reconnect())
    )
    endpoint = replace(endpoint_of(resolve_ns=9), authority=("127.0.0.1", 9))
    context = FakeContext(scenario, endpoint=endpoint)
    context.lookups.look_again()
    with gevent.Timeout(60):
        while context.lookups._looking:
            gevent.sleep(0)
    assert context.counts("connections.") == {"lookups": 1, "address_found.127.0.0.1": 1}
    context.lookups.addresses = (NEW,)
    assert context.addresses_of(0) != (NEW,)
    assert context.addresses_of(0, again=True) == (NEW,)
    context.lookup_failed("no such name")
    assert context.observations.facts["lookups_failed"] == {"no such name": 1}
