"""What networks do to a client's connections, and what a run must say of it: the table in docs/faults.md.

``tests/end_to_end/test_network_faults.py`` runs each row; ``python -m tests.faults.matrix --write`` writes
the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.end_to_end.packet_wire import Packets
from tests.faulty_proxy import Weather

Manifest = Mapping[str, Any]

CALM = Weather()

LOCAL = "127.0.0.1"
"""The usual host; of a wire its other end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRow:
    """A fault of the network: what is set, and what a run says.

    It is made by a proxy (``weather``), by a wire between two network namespaces (``packets``), or by a name
    service. ``load``, ``traffic`` and ``target`` are further keys of the scenario. ``host`` is the target's
    name, of which ``addresses`` are the addresses, known after ``lookup_s``, to the first ``lookups``;
    ``silent``: those of them that take no connection and say nothing. ``listens``: where the server is.
    ``moves``: in mid-run one of the two hosts gets another address.
    ``shows`` are facts that hold of the manifest, by their words.
    """

    name: str
    about: str
    weather: Weather = CALM
    packets: Packets | None = None
    moves: Literal["client", "target"] | None = None
    lookup_s: float = 0.0
    lookups: int = 1_000_000
    load: str = ""
    traffic: str = ""
    target: str = ""
    host: str = LOCAL
    addresses: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    listens: str = LOCAL
    code: int = 0
    shows: Mapping[str, Callable[[Manifest], bool]] = field(default_factory=dict)

    @property
    def made_by(self) -> str:
        """What makes the fault: a name service, a proxy, or a wire."""
        if self.packets is not None:
            return "wire"
        return "proxy" if self.weather != CALM else "names"


def metric(name: str, statistic: str) -> Callable[[Manifest], float]:
    return lambda manifest: float(manifest["metrics"][name][statistic])


def _at_least(name: str, statistic: str, ms: float) -> Callable[[Manifest], bool]:
    return lambda manifest: metric(name, statistic)(manifest) >= ms


def _connections(**wanted: object) -> Callable[[Manifest], bool]:
    return lambda manifest: all(
        manifest["counts"]["connections"].get(name, 0) == value for name, value in wanted.items()
    )


def _turns(**wanted: int) -> Callable[[Manifest], bool]:
    return lambda manifest: all(manifest["counts"]["turns"][name] == n for name, n in wanted.items())


def _refused(*words: str) -> Callable[[Manifest], bool]:
    return lambda manifest: all(word in " ".join(manifest["refusals"]) for word in words)


NETWORK = (
    NetworkRow(
        name="latency",
        about="every byte arrives 60 ms later, in both directions",
        weather=Weather(latency_s=0.06),
        traffic="ping = '300ms'",
        shows={
            "`turn.completion.service` min >= 120 ms": _at_least("turn.completion.service", "min", 120),
            "`ping.rtt` min >= 120 ms": _at_least("ping.rtt", "min", 120),
            "every turn complete": _turns(complete=20),
        },
    ),
    NetworkRow(
        name="bandwidth",
        about="the path carries 20 KB/s, and the first answer has 12 KB; a ping every 100 ms",
        weather=Weather(bytes_per_s=20_000),
        traffic="ping = '100ms'\nping_timeout = '400ms'",
        shows={
            "`turn.completion.service` max >= 500 ms": _at_least("turn.completion.service", "max", 500),
            "no connection is given up, because bytes came": _connections(left=2, closed={}),
        },
    ),
    NetworkRow(
        name="half-open",
        about="after 0.5 s no byte comes through, and nothing closes the connections",
        weather=Weather(gone_after_s=0.5),
        code=1,
        shows={
            "turns time out": lambda manifest: manifest["counts"]["turns"]["timed_out"] > 0,
            "the connections are still there": _connections(closed={}),
        },
    ),
    NetworkRow(
        name="half-open, with pings",
        about="the same, with `ping_timeout` = 400 ms",
        weather=Weather(gone_after_s=0.5),
        traffic="ping = '200ms'\nping_timeout = '400ms'",
        code=1,
        shows={
            "both connections are given up as silent": _connections(
                ended_by_us={"silent": 2}, closed={"1006": 2}
            ),
            "their turns are lost": lambda manifest: manifest["counts"]["turns"]["lost"] > 0,
        },
    ),
    NetworkRow(
        name="half-open, as after a NAT timeout",
        about="the same, and users come back",
        weather=Weather(gone_after_s=0.5),
        load="reconnect = { initial_delay = '50ms' }",
        traffic="ping = '100ms'\nping_timeout = '200ms'",
        code=1,
        shows={
            "each user came back": lambda manifest: manifest["counts"]["connections"]["reconnected"] >= 2,
            "`reconnect.time` measured": lambda manifest: manifest["metrics"]["reconnect.time"]["n"] >= 2,
        },
    ),
    NetworkRow(
        name="reset",
        about="each connection is reset after 0.5 s",
        weather=Weather(reset_after_s=0.5),
        code=1,
        shows={"both connections closed with 1006": _connections(closed={"1006": 2}, ended_by_us={})},
    ),
    NetworkRow(
        name="slow upgrade",
        about="the answer to the upgrade comes 600 ms late",
        weather=Weather(slow_upgrade_s=0.6),
        traffic="phase = 'together'",
        shows={
            "`connect.upgrade` min >= 600 ms": _at_least("connect.upgrade", "min", 600),
            "`connect.tcp` does not contain this delay": lambda manifest: (
                metric("connect.tcp", "max")(manifest) < 600
            ),
            "the time of a turn that waited starts when the turn was due": _at_least(
                "turn.completion", "max", 400
            ),
        },
    ),
    NetworkRow(
        name="upgrade too slow",
        about="the same, with `connect_timeout` = 300 ms",
        weather=Weather(slow_upgrade_s=0.6),
        target="connect_timeout = '300ms'",
        code=3,
        shows={"refused at the layer upgrade: no answer": _refused("upgrade: no answer within 0.3 s")},
    ),
    NetworkRow(
        name="unknown name",
        about="a name that does not resolve",
        host="no-such-host.invalid",
        target="connect_timeout = '2s'",
        code=3,
        shows={
            "refused at the layer resolve": _refused(
                "resolve: the name 'no-such-host.invalid' cannot be resolved"
            )
        },
    ),
    NetworkRow(
        name="dead first address",
        about="a name with two addresses; no server listens at the first",
        host="two.test",
        addresses=("127.0.0.9", "127.0.0.1"),
        shows={
            "the first address fails at each attempt, and no connection is refused": _connections(
                address_failed={"127.0.0.9": 2}, address_connected={"127.0.0.1": 2}, refused={}
            ),
            "notice `address_failed`": lambda manifest: (
                "address_failed" in {notice["code"] for notice in manifest["notices"]}
            ),
        },
    ),
    NetworkRow(
        name="both families, the server has IPv4",
        about="a name with ::1 before 127.0.0.1; no server listens at the first",
        host="two.test",
        addresses=("::1", "127.0.0.1"),
        shows={
            "the first address fails at each attempt, and no connection is refused": _connections(
                ready=2, address_failed={"::1": 2}, address_connected={"127.0.0.1": 2}, refused={}
            ),
            "every turn complete": _turns(complete=20),
        },
    ),
    NetworkRow(
        name="localhost, the server has IPv6",
        about="`localhost` has both families and IPv4 is tried first; the server listens at ::1",
        host="localhost",
        addresses=("127.0.0.1", "::1"),
        listens="::1",
        shows={
            "the first address fails at each attempt, and no connection is refused": _connections(
                ready=2, address_failed={"127.0.0.1": 2}, address_connected={"::1": 2}, refused={}
            ),
            "every turn complete": _turns(complete=20),
        },
    ),
    NetworkRow(
        name="silent first address",
        about="the first address does not answer at all; the second is tried after 250 ms",
        host="two.test",
        addresses=("127.0.0.9", "127.0.0.1"),
        silent=("127.0.0.9",),
        shows={
            "`connect.total` min >= 250 ms": _at_least("connect.total", "min", 250),
            "`connect.tcp` is the time of the address that connected": lambda manifest: (
                metric("connect.tcp", "max")(manifest) < 250
            ),
            "the first address fails at each attempt, and no connection is refused": _connections(
                address_failed={"127.0.0.9": 2}, address_connected={"127.0.0.1": 2}, refused={}
            ),
        },
    ),
    NetworkRow(
        name="one dead address of two, each tried alone",
        about='a dead address with `addresses = "all"`',
        host="two.test",
        addresses=("127.0.0.9", "127.0.0.1"),
        target="addresses = 'all'",
        code=1,
        shows={"half of the users are refused": _connections(ready=1, refused={"tcp": 1})},
    ),
    NetworkRow(
        name="slow name service",
        about="the name resolves after 700 ms",
        host="two.test",
        addresses=("127.0.0.1",),
        lookup_s=0.7,
        shows={
            "`connect.resolve` >= 700 ms": _at_least("connect.resolve", "min", 700),
            "no other phase contains this delay": lambda manifest: (
                metric("connect.total", "max")(manifest) < 700
            ),
            "every turn complete": _turns(complete=20),
        },
    ),
    NetworkRow(
        name="name service too slow",
        about="the same, with `connect_timeout` = 300 ms",
        host="two.test",
        addresses=("127.0.0.1",),
        lookup_s=0.7,
        target="connect_timeout = '300ms'",
        code=3,
        shows={"refused at the layer resolve: no answer": _refused("resolve:", "no answer within 0.3 s")},
    ),
    NetworkRow(
        name="name service that fails during the run",
        about="each connection is reset after 0.5 s and users come back; the name no longer resolves",
        weather=Weather(reset_after_s=0.5),
        host="two.test",
        addresses=("127.0.0.1",),
        lookups=1,
        load="reconnect = { initial_delay = '50ms' }",
        # Whether a turn is in flight at a reset is chance: the closes are what the run is judged by.
        traffic="every = '200ms'\ntimeout = '1s'\n[thresholds]\n'connections.closed' = '== 0'",
        code=1,
        shows={
            "each user came back, at the address known before": lambda manifest: (
                manifest["counts"]["connections"]["reconnected"] >= 2
                and manifest["counts"]["connections"]["refused"] == {}
            ),
            "failed lookups, with their reason": lambda manifest: (
                manifest["counts"]["connections"]["lookups_failed"] >= 1 and bool(manifest["lookups_failed"])
            ),
            "notice `lookups_failed`": lambda manifest: (
                "lookups_failed" in {notice["code"] for notice in manifest["notices"]}
            ),
            "the closed connections": lambda manifest: (
                sum(manifest["counts"]["connections"]["closed"].values()) >= 2
            ),
        },
    ),
    NetworkRow(
        name="latency, of packets",
        about="every packet arrives 60 ms later, in both directions",
        packets=Packets(latency_s=0.06),
        traffic="ping = '300ms'",
        shows={
            "`connect.tcp` min >= 120 ms": _at_least("connect.tcp", "min", 120),
            "`turn.completion.service` min >= 120 ms": _at_least("turn.completion.service", "min", 120),
            "every turn complete": _turns(complete=20),
        },
    ),
    NetworkRow(
        name="loss",
        about="one packet of 7 never arrives; TCP sends it again after 200 ms or more",
        packets=Packets(lose_every=7),
        target="connect_timeout = '20s'",
        load="connect_rate = '100/s'",
        traffic="timeout = '20s'",
        shows={
            "nothing is lost: every turn complete": _turns(complete=20),
            "packets sent again take time: `turn.completion.service` max >= 200 ms": _at_least(
                "turn.completion.service", "max", 200
            ),
            "no connection is lost": _connections(closed={}, refused={}),
        },
    ),
    NetworkRow(
        name="reordering",
        about="one packet of 3 arrives 30 ms late, after the packets behind it",
        packets=Packets(hold_every=3),
        shows={
            "every turn complete": _turns(complete=20),
            "no event is lost, duplicate or malformed": lambda manifest: (
                manifest["counts"]["events"]["received"] == 20
                and manifest["counts"]["events"]["malformed"] == 0
            ),
            "`turn.completion.service` max >= 30 ms": _at_least("turn.completion.service", "max", 30),
        },
    ),
    NetworkRow(
        name="bandwidth, of packets",
        about="the path carries 40 KB/s in all, and each first answer has 12 KB; a ping every 100 ms",
        packets=Packets(bytes_per_s=40_000),
        traffic="ping = '100ms'\nping_timeout = '5s'\ntimeout = '5s'",
        shows={
            "`turn.completion.service` max >= 300 ms": _at_least("turn.completion.service", "max", 300),
            "no connection is given up, because bytes came": _connections(left=2, closed={}),
        },
    ),
    NetworkRow(
        name="half-open, of packets",
        about="after 40 packets no packet arrives; `ping_timeout` = 400 ms",
        packets=Packets(cut_after=40),
        traffic="ping = '200ms'\nping_timeout = '400ms'",
        code=1,
        shows={
            "both connections are given up as silent": _connections(
                ended_by_us={"silent": 2}, closed={"1006": 2}
            ),
            "their turns are lost": lambda manifest: manifest["counts"]["turns"]["lost"] > 0,
        },
    ),
    NetworkRow(
        name="NAT timeout",
        about="the NAT forgets a flow that is silent for 500 ms; a turn every 900 ms",
        packets=Packets(forget_s=0.5),
        traffic="every = '900ms'",
        code=1,
        shows={
            "turns time out": lambda manifest: manifest["counts"]["turns"]["timed_out"] > 0,
            "the connections are still there": _connections(closed={}),
        },
    ),
    NetworkRow(
        name="NAT timeout, with pings",
        about="the same, with `ping` = 100 ms: the flow is never silent",
        packets=Packets(forget_s=0.5),
        traffic="every = '900ms'\nping = '100ms'\nping_timeout = '5s'",
        shows={
            "no turn timed out or was lost": _turns(timed_out=0, lost=0),
            "no connection is lost": _connections(left=2, closed={}),
        },
    ),
    NetworkRow(
        name="address change of the client",
        about="during the run the client loses its address and gets another one; users come back",
        packets=Packets(),
        moves="client",
        load="reconnect = { initial_delay = '50ms' }",
        traffic="ping = '100ms'\nping_timeout = '300ms'",
        code=1,
        shows={
            "both connections are given up as silent": lambda manifest: (
                manifest["counts"]["connections"]["ended_by_us"].get("silent", 0) >= 2
            ),
            "each user came back": lambda manifest: manifest["counts"]["connections"]["reconnected"] >= 2,
            "their turns are lost": lambda manifest: manifest["counts"]["turns"]["lost"] > 0,
        },
    ),
    NetworkRow(
        name="address change of the target",
        about="the target and its name move to another address during the run; users come back",
        packets=Packets(),
        moves="target",
        host="two.test",
        load="reconnect = { initial_delay = '50ms' }",
        target="connect_timeout = '300ms'",
        traffic="ping = '100ms'\nping_timeout = '300ms'",
        code=1,
        shows={
            "both connections are given up as silent": lambda manifest: (
                manifest["counts"]["connections"]["ended_by_us"].get("silent", 0) >= 2
            ),
            "the name is looked up again, and its new address is found": lambda manifest: (
                "10.213.7.20" in manifest["counts"]["connections"]["address_found"]
            ),
            "each user came back, at the new address": lambda manifest: (
                manifest["counts"]["connections"]["reconnected"] >= 2
                and manifest["counts"]["connections"]["address_connected"]["10.213.7.20"] >= 2
            ),
            "at the end every user is connected": _connections(left=2),
            "notice `address_changed`": lambda manifest: (
                "address_changed" in {notice["code"] for notice in manifest["notices"]}
            ),
        },
    ),
)
"""In the order of a connection's life backwards: what happens to one that is open comes first."""


def network_table() -> str:
    """The table for docs/faults.md."""
    lines = [
        "| fault | made by | what happens | exit code | what the run shows |",
        "|---|---|---|---|---|",
        *(
            f"| {row.name} | {row.made_by} | {row.about} | {row.code} | {'<br>'.join(row.shows)} |"
            for row in NETWORK
        ),
    ]
    return "\n".join(lines) + "\n"
