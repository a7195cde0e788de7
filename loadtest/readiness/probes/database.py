"""Databases: time to connect and time of a query. SQLite by the standard library, PostgreSQL by psycopg."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from loadtest.readiness.evidence import Evidence, Measure, distribution
from loadtest.readiness.probe import DatabaseProbe
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError, Tries
from loadtest.readiness.probes.tcp import in_time, opened
from loadtest.readiness.probes.tls import expires_at, expiry, secured

CREDENTIAL = (
    "password authentication failed",
    "no password supplied",
    "authentication failed",
    "pg_hba.conf",
)
"""What PostgreSQL says when it is our credential that is wrong: whether it works cannot be told then."""

READ_ONLY = "readonly database"
"""What SQLite says to a query that would write: the probe opens it to read only."""

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""What a client of PostgreSQL says before TLS; "S" answers that it may begin."""

Once = Callable[[list[float]], float]
"""One sample: milliseconds of the query; those it took to connect are added to the list."""


def probe_database(probe: DatabaseProbe, context: ProbeContext) -> Evidence:
    """Each sample opens a connection, runs the query and closes it again."""
    url = context.filled_url(probe.url)
    by_tls: list[tuple[str, int]] = []
    is_file = url.startswith("sqlite:")
    once = _sqlite(url, probe, context) if is_file else _postgresql(url, probe, context, by_tls)
    connects: list[float] = []
    of_try: list[int] = []
    tries = Tries("query", probe.samples, context)

    def sample() -> float:
        try:
            return once(connects)
        finally:
            of_try.extend([len(tries.samples)] * (len(connects) - len(of_try)))

    tries.take(sample)
    where = urlsplit(url)
    name = f"{where.scheme} at {where.netloc.rpartition('@')[2] or where.path.rpartition('/')[2]}"
    more, line = _certificate(*by_tls[-1], context) if by_tls else ({}, "")
    evidence = tries.evidence(f"{probe.query} on {name}", (line,) if line else (), more)
    failed = len(tries.samples) - len(connects)
    late = [tries.late[number] for number in of_try]
    return replace(
        evidence, measures={**evidence.measures, **distribution("connect", connects, failed, late)}
    )


def _sqlite(url: str, probe: DatabaseProbe, context: ProbeContext) -> Once:
    path: Path = context.path(
        unquote(url.partition(":")[2].removeprefix("//").removeprefix("/") or "missing")
    )
    if url.startswith("sqlite:////"):
        path = Path("/" + unquote(url.removeprefix("sqlite:////")))

    def once(connects: list[float]) -> float:
        if not path.is_file():
            raise ProbeError("missing file", f"there is no database file {path.name}")
        begun = context.clock()
        try:
            # Read only: a probe must not create a database that was missing.
            with closing(
                sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=context.left_s())
            ) as db:
                connected = context.clock()
                connects.append((connected - begun) * 1000)
                db.set_progress_handler(lambda: context.over, 10_000)
                db.execute(probe.query).fetchall()
                done = context.clock()
        except sqlite3.Error as error:
            if "interrupted" in str(error):
                raise ProbeError("timeout", "the query did not end in time") from None
            if READ_ONLY in str(error):
                raise NotProbedError("policy", f"the query must only read: {error}") from None
            raise ProbeError("query", f"the query failed: {error}") from None
        return (done - connected) * 1000

    return once


def _certificate(host: str, port: int, context: ProbeContext) -> tuple[Mapping[str, Measure], str]:
    """When the certificate of a PostgreSQL ends; its driver has verified it as the URL says."""
    try:
        sock = opened(host, port, context)
        sock.settimeout(context.left_s())
        in_time(lambda: sock.sendall(SSL_REQUEST), "PostgreSQL")
        if in_time(lambda: sock.recv(1), "PostgreSQL") != b"S":
            sock.close()
            return {}, ""
        with secured(sock, host, insecure=True) as safe:
            return expiry(expires_at(safe), context.wall())
    except ProbeError as error:
        return {}, f"the certificate of the server could not be read: {error}"


def _postgresql(url: str, probe: DatabaseProbe, context: ProbeContext, by_tls: list[tuple[str, int]]) -> Once:
    """``by_tls`` gets host and port of each connection that was made by TLS."""
    try:
        import psycopg
    except ImportError:
        said = 'the driver psycopg is not installed; run: pip install "psycopg[binary]"'
        raise NotProbedError("driver", said) from None

    def once(connects: list[float]) -> float:
        begun = context.clock()
        try:
            with psycopg.connect(url, connect_timeout=max(2, round(context.left_s()))) as db:
                connects.append((context.clock() - begun) * 1000)
                if db.pgconn.ssl_in_use:
                    by_tls.append((db.info.host, db.info.port))
                context.held.append(lambda: _hang_up(db.fileno()))
                # Of this transaction only: behind a pooler the session is shared with others.
                db.read_only = True
                db.execute(_as_query(f"SET LOCAL statement_timeout = {round(context.left_s() * 1000)}"))
                asked = context.clock()
                db.execute(_as_query(probe.query)).fetchall()
                done = context.clock()
        except psycopg.Error as error:
            raise _told(error) from None
        return (done - asked) * 1000

    return once


def _hang_up(number: int) -> None:
    """End a connection that somebody else holds, by its file descriptor."""
    with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.shutdown(socket.SHUT_RDWR)


def _as_query(text: str) -> Any:
    """The policy's query as it is; psycopg's type asks for a literal, which a user's text is not."""
    return text.encode()


def _told(error: Exception) -> ProbeError:
    text = " ".join(str(error).split())
    if any(each in text for each in CREDENTIAL):
        return NotProbedError("credential", f"PostgreSQL did not accept our credential: {text[:200]}")
    if "invalid connection option" in text or 'missing "="' in text:
        return NotProbedError("policy", f"the URL is not a PostgreSQL URL: {text[:200]}")
    if "read-only transaction" in text:
        return NotProbedError("policy", f"the query must only read: {text[:200]}")
    if "statement timeout" in text:
        return ProbeError("timeout", "the query did not end in time")
    for words, kind in (
        ("Connection refused", "refused"),
        ("could not translate host name", "resolve"),
        ("resolve host", "resolve"),
        ("timeout", "timeout"),
        ("terminating connection", "closed"),
        ("server closed the connection", "closed"),
    ):
        if words in text:
            return ProbeError(kind, f"PostgreSQL cannot be reached: {text[:200]}")
    return ProbeError("query", f"PostgreSQL says: {text[:200]}")
