"""What a refusal most likely means, in one sentence with what to do."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.judge.sections import Manifest, section, settings


def likely(manifest: Manifest) -> str:
    """The likely cause of the first layer at which connections were refused; empty where there is none."""
    layers = section(manifest, "counts", "connections", "refused")
    reasons = " ".join(section(manifest, "refusals")).lower()
    for layer, tell in _BY_LAYER.items():
        if layer in layers:
            return tell(manifest, reasons)
    return ""


def _resolve(_manifest: Manifest, _reasons: str) -> str:
    return "The target's name leads nowhere: is it spelt right, and known to this machine?"


def _tcp(manifest: Manifest, reasons: str) -> str:
    where = _where(manifest)
    if "refused" in reasons:
        return f"Nothing listens at {where}: is the server started, is the port right?"
    return f"{where[:1].upper()}{where[1:]} does not answer: is the address right, is a firewall between?"


def _tls(_manifest: Manifest, reasons: str) -> str:
    plain = any(word in reasons for word in ("eof", "wrong_version", "wrong version", "record layer"))
    if plain:
        return "The server does not speak TLS there: is it ws:// instead of wss://?"
    return "The server's certificate was not accepted: give its authority as target.ca_file."


def _upgrade(_manifest: Manifest, _reasons: str) -> str:
    return "The server speaks HTTP and no WebSocket there: is the path of the URL right?"


def _auth(_manifest: Manifest, _reasons: str) -> str:
    return "The server did not take the credential: see target.auth and target.headers."


def _ready(manifest: Manifest, _reasons: str) -> str:
    name = settings(manifest, "protocol").get("name")
    protocol = f"protocol {name}" if name else "the protocol"
    return (
        f"The server answered the upgrade, but not as {protocol} expects. If it speaks another one, begin"
        " with: loadtest init URL"
    )


_BY_LAYER: dict[str, Callable[[Manifest, str], str]] = {
    "ready": _ready,
    "auth": _auth,
    "upgrade": _upgrade,
    "tls": _tls,
    "tcp": _tcp,
    "resolve": _resolve,
}
"""By layer, the one that came furthest first: it is the one in the way of all others."""


def _where(manifest: Manifest) -> str:
    return str(section(manifest, "target").get("address") or "the target's address")
