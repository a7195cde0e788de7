"""What a refusal most likely means, in one sentence with what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from loadtest.judge.manifest_access import Manifest, count_or_zero, section, settings
from loadtest.units import format_count

REASONS_TOLD = 3

REDIRECTION, CLIENT_ERROR, TOO_MANY, SERVER_ERROR = 300, 400, 429, 500
"""Where the classes of HTTP statuses begin (RFC 9110), and the one of RFC 6585."""

_STATUS = re.compile(r"\bhttp ([1-5][0-9][0-9])\b")

FORBIDDEN = 403
"""No (RFC 9110, 15.5.4): for want of a credential, of the right Origin, or of such a path."""

HOW_TO_LOG_IN = (
    "set one in [target] as auth, headers, cookies or query, or log in by HTTP with a step of [[prepare]]"
)
"""Every way to give a credential, as the end of a sentence."""

SILENT = "no answer"
"""How the reason of a layer that never answered begins."""

_PLAIN_HTTP = "The server speaks HTTP at this URL, but not WebSocket. Is the path of the URL right?"

_BY_STATUS = {
    FORBIDDEN: (
        "The server forbids the upgrade. Is the path of the URL right? Does the server require the header"
        f" Origin ([target] headers) or a credential? (For a credential: {HOW_TO_LOG_IN}.)"
    ),
    TOO_MANY: "The server limits the rate of connections: lower load.connect_rate.",
}
"""What one status means, whatever its class."""

_NO_STATUS = {
    "answer to the upgrade is not valid:": (
        "The server agreed to the upgrade (HTTP 101), but its answer is not valid, as the reason says."
        " If the reason names an extension or a window, set target.compression = false."
    ),
    "answer is not http": (
        "The server at this URL does not speak HTTP. Is the port right? Must the URL begin with wss://"
        " instead of ws://?"
    ),
    "upgrade: closed": (
        "The server ended the connection before its answer to the upgrade was complete. Does it speak"
        " WebSocket at this URL? Must the URL begin with wss:// instead of ws://?"
    ),
}
"""By words of the reason, what an upgrade that failed without a status of HTTP means."""


def likely(manifest: Manifest) -> str:
    """The likely cause of the first layer at which connections were refused; empty where there is none."""
    layers = section(manifest, "counts", "connections", "refused")
    reasons = " ".join(section(manifest, "refusals")).lower()
    for layer, tell in _BY_LAYER.items():
        if layer in layers:
            return tell(manifest, reasons)
    waited = {reason.partition(":")[0] for reason in section(manifest, "still_opening")}
    return next((tell(manifest, "") for layer, tell in _WHILE_OPENING.items() if layer in waited), "")


def still_opening(manifest: Manifest) -> str:
    """Where connections stood that we left before they were ready: "; still opening at the end: ..."."""
    reasons = [
        f"{reason} ({format_count(count_or_zero(n))})"
        for reason, n in section(manifest, "still_opening").items()
    ]
    return f"; still opening at the end: {'; '.join(reasons[:REASONS_TOLD])}" if reasons else ""


def _resolve(_manifest: Manifest, _reasons: str) -> str:
    return "The name of the target cannot be resolved. Is it spelt right? Can this machine resolve it?"


def _tcp(manifest: Manifest, reasons: str) -> str:
    where = _where(manifest)
    if "refused" in reasons:
        return f"Nothing listens at {where}. Is the server started? Is the port right?"
    return f"{where[:1].upper()}{where[1:]} does not answer. Is the address right? Does a firewall block it?"


def _silent_tls(_manifest: Manifest, _reasons: str) -> str:
    return "The server does not answer the TLS handshake. Must the URL begin with ws:// instead of wss://?"


def _silent_upgrade(_manifest: Manifest, _reasons: str) -> str:
    return (
        "The server accepted the connection, but does not answer the upgrade. Does it speak WebSocket at this"
        " URL?"
    )


def _prepare(_manifest: Manifest, _reasons: str) -> str:
    return "A step of [[prepare]] failed; the reason begins with its name."


def _proxy(manifest: Manifest, reasons: str) -> str:
    proxy = section(manifest, "target", "proxy").get("url") or "of the connection"
    if "407" in reasons:
        return f"The proxy {proxy} requires a login: write user and password into its URL."
    return f"The proxy {proxy} did not connect to the target. May it connect to that host and port?"


def _tls(manifest: Manifest, reasons: str) -> str:
    if f"tls: {SILENT}" in reasons:
        return _silent_tls(manifest, reasons)
    plain = any(word in reasons for word in ("eof", "wrong_version", "wrong version", "record layer"))
    if plain:
        return "The server does not speak TLS at this port. Must the URL begin with ws:// instead of wss://?"
    return (
        "loadtest does not trust the server's certificate: set target.ca_file to the certificate of its"
        " authority."
    )


def _upgrade(manifest: Manifest, reasons: str) -> str:
    if f"upgrade: {SILENT}" in reasons:
        return _silent_upgrade(manifest, reasons)
    found = _STATUS.search(reasons)
    if found is None:
        return next((told for words, told in _NO_STATUS.items() if words in reasons), _PLAIN_HTTP)
    status = int(found[1])
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= SERVER_ERROR:
        return "The server, or a proxy in front of it, failed or is overloaded: see its log."
    if REDIRECTION <= status < CLIENT_ERROR:
        return (
            "The server redirects its clients: use the URL that it redirects to, or set"
            " target.follow_redirects."
        )
    return _PLAIN_HTTP


def _auth(manifest: Manifest, reasons: str) -> str:
    steps = settings(manifest, "protocol", "connect").get("ready")
    sends = any(isinstance(step, Mapping) and step.get("send") for step in steps or ())
    if sends and _STATUS.search(reasons) is None:
        return (
            "The server refused a message that a `ready` step of the protocol sends. Is the credential in it"
            " right? (Credentials of [target] are sent with the upgrade, which the server accepted.)"
        )
    return f"The server did not accept the credential, or a credential is missing: {HOW_TO_LOG_IN}."


def _ready(manifest: Manifest, _reasons: str) -> str:
    name = settings(manifest, "protocol").get("name")
    protocol = f"protocol {name}" if name else "the protocol"
    return (
        f"The server answered the upgrade, but then did not do what {protocol} expects. If it speaks another"
        " protocol, begin with: loadtest init URL"
    )


_BY_LAYER: dict[str, Callable[[Manifest, str], str]] = {
    "ready": _ready,
    "auth": _auth,
    "upgrade": _upgrade,
    "tls": _tls,
    "proxy": _proxy,
    "tcp": _tcp,
    "resolve": _resolve,
    "prepare": _prepare,
}
"""By layer, the one that came furthest first: it is the one in the way of all others."""


_WHILE_OPENING: dict[str, Callable[[Manifest, str], str]] = {
    "ready": _ready,
    "upgrade": _silent_upgrade,
    "tls": _silent_tls,
    "proxy": _proxy,
    "tcp": _tcp,
    "prepare": _prepare,
}
"""The same of connections that were still opening when the run ended."""


def _where(manifest: Manifest) -> str:
    return str(section(manifest, "target").get("address") or "the target's address")
