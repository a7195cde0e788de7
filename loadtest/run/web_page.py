"""Who may ask a page of ours on loopback for what, and a free port for it."""

from __future__ import annotations

import socket


def refusal(port: int, method: str, path: str, host: str, origin: str | None) -> str | None:
    """Why a request is refused; None if it is allowed: reading from this machine, or a stop.

    A foreign name that resolves to loopback, and a form on another page, act with the browser's rights.
    """
    own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
    if host.lower() not in own:
        return "this page is served under the address of this machine only"
    if method in {"GET", "HEAD", "OPTIONS"}:
        return None
    if origin is not None and origin.lower() not in {f"http://{each}" for each in own}:
        return "a request from another page is refused"
    return None if path == "/stop" else "the load follows its plan; all that can be done here is to stop it"


def free_port(host: str) -> int:
    """A port that was free a moment ago: through Locust, ZeroMQ cannot tell which port it took."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
