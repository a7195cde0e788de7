"""Why a number that one would look for is not there."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from loadtest.judge.sections import Manifest, section, sends, whole
from loadtest.plan.threshold import METRICS

Reason = Callable[[Manifest], str]


def unmeasured_metrics(manifest: Manifest, metrics: Manifest) -> dict[str, str]:
    """Reason by metric, of every metric that has no sample; the manifest has ``counts``."""
    return {name: _why(name)(manifest) for name in METRICS if name not in metrics}


def _why(name: str) -> Reason:
    return _REASONS.get(name) or _OF_PART.get(name.partition(".")[0], _no_sample)


def _no_connection(manifest: Manifest) -> str:
    connections = section(manifest, "counts", "connections")
    if not whole(connections.get("attempted")):
        return "no connection was attempted"
    return "no connection got that far" if not whole(connections.get("ready")) else "no connection timed it"


def _no_resolve(manifest: Manifest) -> str:
    host = urlsplit(str(section(manifest, "target").get("url") or "")).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "no name was looked up while connecting; the run looked it up once before"
    return "the target is given as an address, there is no name to look up"


def _no_tls(manifest: Manifest) -> str:
    if section(manifest, "target").get("tls"):
        return _no_connection(manifest)
    return "the target is ws://, without TLS"


def _no_turn(manifest: Manifest) -> str:
    turns = section(manifest, "counts", "measured", "turns")
    if not sends(manifest):
        return "the scenario sends nothing"
    if not whole(turns.get("due")):
        return "no turn fell due in the measured part"
    if not whole(turns.get("begun")):
        return "no turn was begun in the measured part"
    return "no turn of the measured part came to it"


def _no_gap(manifest: Manifest) -> str:
    if whole(section(manifest, "counts", "measured", "events").get("matched")):
        return "no turn received two events in reads of their own"
    return _no_turn(manifest)


def _no_lag(manifest: Manifest) -> str:
    if whole(section(manifest, "counts", "measured", "events").get("received")):
        return "arrivals were not stamped apart from being read"
    return "no event was received in the measured part"


def _no_ping(manifest: Manifest) -> str:
    pings = section(manifest, "counts", "pings")
    return "no ping was answered" if whole(pings.get("sent")) else "the scenario sends no pings"


def _no_sample(_: Manifest) -> str:
    return "nothing timed it"


def _no_reconnect(_: Manifest) -> str:
    return "no connection was opened again"


_REASONS: dict[str, Reason] = {
    "connect.resolve": _no_resolve,
    "connect.tls": _no_tls,
    "event.gap": _no_gap,
    "receive.lag": _no_lag,
    "ping.rtt": _no_ping,
    "reconnect.time": _no_reconnect,
}

_OF_PART: dict[str, Reason] = {"connect": _no_connection, "turn": _no_turn, "send": _no_connection}
"""Reasons by the first part of a name, where a metric has none of its own."""
