"""What networks do to a client's connections, and what a run must say of it: the table in docs/faults.md.

``tests/end_to_end/test_network_faults.py`` runs each row; ``python -m tests.faults.matrix --write`` writes
the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faulty_proxy import Weather

Manifest = Mapping[str, Any]

CALM = Weather()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRow:
    """A fault of the network: what is set, and what a run says.

    ``load``, ``traffic`` and ``target`` are further keys of the scenario. ``host`` is the target's name, of
    which ``addresses`` are the addresses; ``silent``: those of them that take no connection and say nothing.
    ``shows`` are facts that hold of the manifest, by their words. ``long``: it is left to the long tests.
    """

    name: str
    about: str
    weather: Weather = CALM
    load: str = ""
    traffic: str = ""
    target: str = ""
    host: str = "127.0.0.1"
    addresses: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    code: int = 0
    long: bool = True
    shows: Mapping[str, Callable[[Manifest], bool]] = field(default_factory=dict)


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
        about="every byte arrives 60 ms later, either way",
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
        about="20 KB/s, for a first answer of 12 KB, while pings are sent every 100 ms",
        weather=Weather(bytes_per_s=20_000),
        traffic="ping = '100ms'\nping_timeout = '400ms'",
        shows={
            "`turn.completion.service` max >= 500 ms": _at_least("turn.completion.service", "max", 500),
            "no connection given up: bytes came": _connections(left=2, closed={}),
        },
    ),
    NetworkRow(
        name="half-open",
        about="from 0.5 s on nothing comes through, and nothing is closed",
        weather=Weather(gone_after_s=0.5),
        code=1,
        shows={
            "turns time out": lambda manifest: manifest["counts"]["turns"]["timed_out"] > 0,
            "the connections are still there": _connections(closed={}),
        },
    ),
    NetworkRow(
        name="half-open, with pings",
        long=False,
        about="the same, with `ping_timeout` = 400 ms",
        weather=Weather(gone_after_s=0.5),
        traffic="ping = '200ms'\nping_timeout = '400ms'",
        code=1,
        shows={
            "both given up as silent": _connections(ended_by_us={"silent": 2}, closed={"1006": 2}),
            "turns lost with them": lambda manifest: manifest["counts"]["turns"]["lost"] > 0,
        },
    ),
    NetworkRow(
        name="half-open, as a NAT forgets",
        about="the same, and users come back",
        weather=Weather(gone_after_s=0.5),
        load="reconnect = { initial_delay = '50ms' }",
        traffic="ping = '100ms'\nping_timeout = '200ms'",
        code=1,
        shows={
            "each came back": lambda manifest: manifest["counts"]["connections"]["reconnected"] >= 2,
            "`reconnect.time` measured": lambda manifest: manifest["metrics"]["reconnect.time"]["n"] >= 2,
        },
    ),
    NetworkRow(
        name="reset",
        long=False,
        about="each connection is reset after 0.5 s",
        weather=Weather(reset_after_s=0.5),
        code=1,
        shows={"closed with 1006": _connections(closed={"1006": 2}, ended_by_us={})},
    ),
    NetworkRow(
        name="slow upgrade",
        about="the answer to the upgrade is held back for 600 ms",
        weather=Weather(slow_upgrade_s=0.6),
        traffic="phase = 'together'",
        shows={
            "`connect.upgrade` min >= 600 ms": _at_least("connect.upgrade", "min", 600),
            "`connect.tcp` without it": lambda manifest: metric("connect.tcp", "max")(manifest) < 600,
            "turns that waited count from when they were due": _at_least("turn.completion", "max", 400),
        },
    ),
    NetworkRow(
        name="upgrade too slow",
        about="the same, with `connect_timeout` = 300 ms",
        weather=Weather(slow_upgrade_s=0.6),
        target="connect_timeout = '300ms'",
        code=3,
        shows={"refused at upgrade, no answer": _refused("upgrade: no answer within 0.3 s")},
    ),
    NetworkRow(
        name="unknown name",
        long=False,
        about="a name that leads nowhere",
        host="no-such-host.invalid",
        target="connect_timeout = '2s'",
        code=3,
        shows={"refused at resolve": _refused("resolve: the name 'no-such-host.invalid' cannot be resolved")},
    ),
    NetworkRow(
        name="dead first address",
        about="a name with two addresses: nothing listens at the first",
        host="two.test",
        addresses=("127.0.0.9", "127.0.0.1"),
        shows={
            "failed at each attempt, no connection lost": _connections(
                address_failed={"127.0.0.9": 2}, address_connected={"127.0.0.1": 2}, refused={}
            ),
            "notice `address_failed`": lambda manifest: (
                "address_failed" in {notice["code"] for notice in manifest["notices"]}
            ),
        },
    ),
    NetworkRow(
        name="silent first address",
        long=False,
        about="the first does not even refuse: the second is tried after 250 ms",
        host="two.test",
        addresses=("127.0.0.9", "127.0.0.1"),
        silent=("127.0.0.9",),
        shows={
            "`connect.total` min >= 250 ms": _at_least("connect.total", "min", 250),
            "`connect.tcp` of the one that connected": lambda manifest: (
                metric("connect.tcp", "max")(manifest) < 250
            ),
            "failed at each attempt, no connection lost": _connections(
                address_failed={"127.0.0.9": 2}, address_connected={"127.0.0.1": 2}, refused={}
            ),
        },
    ),
    NetworkRow(
        name="one address of two, each by itself",
        about='a dead address with `addresses = "all"`',
        host="two.test",
        addresses=("127.0.0.9", "127.0.0.1"),
        target="addresses = 'all'",
        code=1,
        shows={"half of the users refused": _connections(ready=1, refused={"tcp": 1})},
    ),
)
"""In the order of a connection's life backwards: what happens to one that is open comes first."""


def network_table() -> str:
    """The table for docs/faults.md."""
    lines = [
        "| fault | what happens | exit code | what the run shows |",
        "|---|---|---|---|",
        *(f"| {row.name} | {row.about} | {row.code} | {'<br>'.join(row.shows)} |" for row in NETWORK),
    ]
    return "\n".join(lines) + "\n"
