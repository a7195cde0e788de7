"""What all connections of a process have in common, taken from the plan once."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import sys
import time
from typing import Any

import pytest

from loadtest.drive.context import CLOSE_TIMEOUT_NS, SLOW_BUFFER, Context, ShardAssignment
from loadtest.drive.transport import TlsTransport, Transport
from loadtest.measure.clock import Clock
from loadtest.plan.protocol import Connect, Events, Protocol, TurnShape
from loadtest.plan.scenario import Chaos, Load, Scenario, SlowReaders, Target, Traffic
from tests.drive.peers import Listener
from tests.drive.standing_in import MS, SECOND, HandClock, HandPoller, endpoint_of, scenario_of


def context_of(scenario: Scenario, *, wall: bool = False, step_ns: int = 0, **endpoint: object) -> Context:
    clock = Clock(wall=wall, step_ns=step_ns)
    assignment = ShardAssignment("a-run", scenario, endpoint_of(**endpoint), range(4))
    return Context(assignment, clock, lambda _now: HandPoller(HandClock()))


def without_traffic() -> Scenario:
    return dataclasses.replace(scenario_of(), traffic=None)


def test_the_plan_is_taken_over() -> None:
    traffic = Traffic(burst=3, every_ns=5, timeout_ns=7 * SECOND, turns=9, ping_ns=11)
    target = Target(url="ws://test", compression=True, connect_timeout_ns=13, max_message_bytes=17)
    context = context_of(scenario_of(traffic=traffic, target=target, encoding="binary"))
    assert (context.burst, context.think_ns, context.timeout_ns) == (3, 5, 7 * SECOND)
    assert (context.turns_per_connection, context.ping_ns) == (9, 11)
    assert (context.compression, context.connect_timeout_ns, context.max_message_bytes) == (True, 13, 17)
    assert context.binary


ONE_REPLY = dataclasses.replace(
    scenario_of(),
    protocol=Protocol(name="echo", turn=TurnShape(message="x"), events=Events(turn=("id",), count=1)),
)


def test_reads_may_wait_where_one_reply_is_timed_by_the_kernel() -> None:
    assert context_of(ONE_REPLY, wall=True).reads_may_wait
    assert not context_of(ONE_REPLY, wall=False).reads_may_wait


@pytest.mark.parametrize(
    "changed",
    [
        {"load": Load(model="closed")},
        {"traffic": Traffic(burst=2)},
        {"chaos": Chaos(slow_readers=SlowReaders(share=0.5, bytes_per_s=1))},
        {"protocol": scenario_of().protocol},
    ],
)
def test_reads_do_not_wait_where_something_may_depend_on_them(changed: dict[str, Any]) -> None:
    assert not context_of(dataclasses.replace(ONE_REPLY, **changed), wall=True).reads_may_wait


def test_a_plan_without_traffic_only_holds() -> None:
    context = context_of(without_traffic())
    assert (context.burst, context.think_ns, context.turns_per_connection, context.ping_ns) == (1, 0, None, 0)
    assert context.timeout_ns == CLOSE_TIMEOUT_NS
    assert context.row(5) == {}


def test_a_traffic_that_sends_nothing_has_no_number_of_turns_to_wait_for() -> None:
    assert context_of(scenario_of(traffic=Traffic(turns=0))).turns_per_connection is None


def test_a_scenarios_own_message_goes_before_the_protocols() -> None:
    assert context_of(scenario_of(message="protocol")).compiled_protocol.plain.template.text == "protocol"
    own = scenario_of(message="protocol", traffic=Traffic(message="own"))
    assert context_of(own).compiled_protocol.plain.template.text == "own"


@pytest.mark.parametrize(
    ("own", "offered"), [(None, ("protocols",)), ((), ()), (("own", "another"), ("own", "another"))]
)
def test_a_targets_own_subprotocols_go_before_the_protocols(
    own: tuple[str, ...] | None, offered: tuple[str, ...]
) -> None:
    scenario = scenario_of(
        connect=Connect(subprotocols=("protocols",)), target=Target(url="ws://test", subprotocols=own)
    )
    assert context_of(scenario).credential_provider.credentials({}).subprotocols == offered


# ------------------------------------------------------------------ rows


def test_rows_are_used_in_turn() -> None:
    rows = ({"question": "a"}, {"question": "b"})
    context = context_of(scenario_of(traffic=Traffic(data=rows)))
    assert [context.row(seq)["data.question"] for seq in range(5)] == ["a", "b", "a", "b", "a"]
    assert context.has_rows


def test_without_data_and_the_time_there_is_no_row() -> None:
    context = context_of(scenario_of())
    assert not context.has_rows
    assert context.row(0) == {}


@pytest.mark.parametrize("data", [(), ({"question": "a"},)])
def test_a_message_that_tells_the_time_is_told_it(data: tuple[dict[str, str], ...]) -> None:
    context = context_of(scenario_of(message='{"at":{now_ms}}', traffic=Traffic(data=data)))
    assert context.has_rows
    before_ms = time.time_ns() // MS
    row = context.row(0)
    assert before_ms <= int(row["now_ms"]) <= time.time_ns() // MS
    assert abs(float(row["now_s"]) - int(row["now_ms"]) / 1000) < 0.002
    assert ("data.question" in row) == bool(data)
    assert context.row(0) is not row


@pytest.mark.parametrize("wall", [True, False])
def test_the_clock_of_the_run_is_told_as_unix_time(*, wall: bool) -> None:
    context = context_of(scenario_of(), wall=wall)
    unix_ns = context.now() + context.compiled_protocol._unix_offset_ns
    assert abs(unix_ns - time.time_ns()) < SECOND


# ------------------------------------------------------------------ sockets


def opened(context: Context, user: int = 0) -> Transport:
    transport = context.open_transport(user, *context.addresses_of(user))
    transport.close()
    return transport


def test_a_plain_target_has_plain_sockets() -> None:
    with Listener() as listener:
        context = context_of(scenario_of(), wall=True, address=listener.address)
        assert type(opened(context)) is Transport
    assert context._timestamping.stamps
    assert context._timestamping.floor is None


def test_a_secure_target_has_tls() -> None:
    with Listener() as listener:
        context = context_of(scenario_of(), address=listener.address, tls=ssl.create_default_context())
        assert type(opened(context)) is TlsTransport
    assert not context._timestamping.stamps


def test_stamps_are_as_coarse_as_a_coarse_clock() -> None:
    floor = context_of(scenario_of(), wall=True, step_ns=1000)._timestamping.floor
    assert floor is not None
    assert floor(123_456) == 123_000


def test_slow_users_are_known_before_the_run_and_have_small_buffers() -> None:
    load = Load(connections=20, duration_ns=SECOND)
    scenario = dataclasses.replace(
        scenario_of(load=load), chaos=Chaos(slow_readers=SlowReaders(share=0.5, bytes_per_s=1))
    )
    sizes: dict[bool, set[int]] = {True: set(), False: set()}
    with Listener() as listener:
        context = context_of(scenario, address=listener.address)
        assert len(context.slow) == 10
        for user in range(20):
            transport = context.open_transport(user, *context.addresses_of(user))
            size = transport._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            sizes[user in context.slow].add(size)
            transport.close()
    assert max(sizes[True]) <= 2 * SLOW_BUFFER < min(sizes[False])


# ------------------------------------------------------------------ sources


def peers_of(context: Context, listener: Listener, users: range) -> list[str]:
    """Where the server sees the users come from."""
    seen = []
    for user in users:
        transport = context.open_transport(user, *context.addresses_of(user))
        with listener.accept() as peer:
            seen.append(peer.getpeername()[0])
        transport.close()
    return seen


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has 127.0.0.1 alone")
@pytest.mark.parametrize("users", [range(6), range(1, 12, 2), range(2, 18, 3)])
def test_the_server_sees_the_users_of_a_process_come_from_every_source_in_turn(users: range) -> None:
    target = Target(url="ws://test", source_addresses=("127.0.0.2", "127.0.0.4/30"))
    with Listener() as listener:
        assignment = ShardAssignment(
            "a-run", scenario_of(target=target), endpoint_of(listener.address), users
        )
        clock = Clock(wall=False, step_ns=0)
        context = Context(assignment, clock, lambda _now: HandPoller(HandClock()))
        assert peers_of(context, listener, users) == ["127.0.0.2", "127.0.0.5", "127.0.0.6"] * 2


def test_without_sources_the_system_chooses_one() -> None:
    with Listener() as listener:
        context = context_of(scenario_of(), address=listener.address)
        assert peers_of(context, listener, range(2)) == ["127.0.0.1"] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has 127.0.0.1 alone")
def test_tls_comes_from_the_sources_too() -> None:
    target = Target(url="wss://test", source_addresses=("127.0.0.2",))
    with Listener() as listener:
        context = context_of(
            scenario_of(target=target), address=listener.address, tls=ssl.create_default_context()
        )
        assert peers_of(context, listener, range(2)) == ["127.0.0.2"] * 2
