"""Connections opened layer by layer, so that a failure says at which it was: resolve, tcp, tls."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from loadtest.readiness.evidence import Evidence
from loadtest.readiness.probe import TcpProbe
from loadtest.readiness.probes.probe_context import ProbeContext, ProbeError, Tries


def opened(host: str, port: int, context: ProbeContext) -> socket.socket:
    """A TCP connection whose operations time out.

    Raises:
        ProbeError: by layer, with the address that was tried.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ProbeError("resolve", f"the name {host} cannot be resolved: {reason(error)}") from None
    problem = ProbeError("tcp", f"{host} has no address")
    for family, kind, number, _, address in found:
        where = ":".join(map(str, address[:2]))
        sock = socket.socket(family, kind, number)
        sock.settimeout(context.left_s())
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            problem = _not_connected(where, error)
            continue
        if sock.getsockname() == sock.getpeername():
            # On loopback a free port may be given to us as our own end: nobody but ourselves listens there.
            sock.close()
            problem = ProbeError("refused", f"{where} refused the connection")
            continue
        context.held.append(partial(sock.shutdown, socket.SHUT_RDWR))
        return sock
    raise problem


def _not_connected(where: str, error: OSError) -> ProbeError:
    if isinstance(error, ConnectionRefusedError):
        return ProbeError("refused", f"{where} refused the connection")
    if isinstance(error, TimeoutError):
        return ProbeError("timeout", f"{where} did not accept the connection in time")
    return ProbeError("tcp", f"{where} cannot be reached: {reason(error)}")


def reason(error: BaseException) -> str:
    """The few words an operating system has for an error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def in_time(call: Callable[[], Any], what: str) -> Any:
    """What ``call`` returns, with the errors of a socket told as errors of the component.

    Raises:
        ProbeError: it timed out, or the connection broke.
    """
    try:
        return call()
    except TimeoutError:
        raise ProbeError("timeout", f"{what} did not answer in time") from None
    except OSError as error:
        raise ProbeError("closed", f"{what} broke off: {reason(error)}") from None


def probe_tcp(probe: TcpProbe, context: ProbeContext) -> Evidence:
    """Connections opened and closed, each timed."""

    def once() -> float:
        begun = context.clock()
        opened(probe.host, probe.port, context).close()
        return (context.clock() - begun) * 1000

    tries = Tries("connect", probe.samples, context)
    tries.take(once)
    return tries.evidence(f"TCP connections to {probe.host}:{probe.port}")
