"""Redis, probed with PING over a plain socket."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from urllib.parse import unquote, urlsplit

from loadtest.readiness.evidence import Evidence
from loadtest.readiness.probe import RedisProbe
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError, Tries
from loadtest.readiness.probes.tcp import in_time, opened
from loadtest.readiness.probes.tls import expires_at, expiry, secured

PORT = 6379
LONGEST_LINE = 1024


def command(*words: str) -> bytes:
    """A command as the protocol (RESP) writes it."""
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


def probe_redis(probe: RedisProbe, context: ProbeContext) -> Evidence:
    """Each sample is a PING on one connection, opened before the first."""
    url = urlsplit(context.filled_url(probe.url))
    host, port = url.hostname or "127.0.0.1", url.port or PORT
    held: list[socket.socket] = []
    ends: list[float | None] = []

    def once() -> float:
        if not held:
            sock = _connected(probe, url.scheme, host, port, context)
            if url.scheme == "rediss" and isinstance(sock, ssl.SSLSocket):
                ends.append(expires_at(sock))
            _log_in(sock, unquote(url.username or ""), unquote(url.password or ""), context)
            held.append(sock)
        begun = context.clock()
        try:
            answer = _ask(held[0], command("PING"), context)
            if answer != "+PONG":
                raise _wrong(answer)
        except ProbeError:
            held.pop().close()
            raise
        return (context.clock() - begun) * 1000

    tries = Tries("ping", probe.samples, context)
    try:
        tries.take(once)
    finally:
        for sock in held:
            sock.close()
    if not ends:
        return tries.evidence(f"PING to Redis at {host}:{port}")
    more, line = expiry(min((each for each in ends if each), default=None), context.wall())
    return tries.evidence(f"PING to Redis at {host}:{port}", (line,) if line else (), more)


def _connected(probe: RedisProbe, scheme: str, host: str, port: int, context: ProbeContext) -> socket.socket:
    sock = opened(host, port, context)
    if scheme != "rediss":
        return sock
    ca_file = context.path(probe.ca_file) if probe.ca_file else None
    safe = secured(sock, host, insecure=probe.insecure, ca_file=ca_file)
    context.held.append(partial(safe.shutdown, socket.SHUT_RDWR))
    return safe


def _log_in(sock: socket.socket, user: str, password: str, context: ProbeContext) -> None:
    if password:
        try:
            answer = _ask(sock, command("AUTH", *([user] if user else []), password), context)
        except ProbeError:
            sock.close()
            raise
        if answer != "+OK":
            sock.close()
            raise NotProbedError("credential", f"Redis did not accept our password: {answer[1:120]}")


def _ask(sock: socket.socket, words: bytes, context: ProbeContext) -> str:
    sock.settimeout(context.left_s())
    in_time(lambda: sock.sendall(words), "Redis")
    line = b""
    while not line.endswith(b"\r\n") and len(line) < LONGEST_LINE:
        part: bytes = in_time(lambda: sock.recv(LONGEST_LINE), "Redis")
        if not part:
            raise ProbeError("closed", "Redis closed the connection without an answer")
        line += part
    return line.decode("utf-8", "replace").strip()


def _wrong(answer: str) -> ProbeError:
    if answer.startswith(("-NOAUTH", "-WRONGPASS", "-NOPERM")):
        return NotProbedError("credential", f"Redis requires a password: {answer[1:120]}")
    return ProbeError("answer", f"Redis did not answer PONG: {answer[:120]}")
