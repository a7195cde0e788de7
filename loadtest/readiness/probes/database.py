"""Databases: time to connect and time of a query. SQLite by the standard library, PostgreSQL by psycopg."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from loadtest.readiness.evidence import Evidence, distribution
from loadtest.readiness.probe import DatabaseProbe
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError, Tries

CREDENTIAL = (
    "password authentication failed",
    "no password supplied",
    "authentication failed",
    "pg_hba.conf",
)
"""What PostgreSQL says when it is our credential that is wrong: whether it works cannot be told then."""

READ_ONLY = "readonly database"
"""What SQLite says to a query that would write: the probe opens it to read only."""

Once = Callable[[list[float]], float]
"""One sample: milliseconds of the query; those it took to connect are added to the list."""


def probe_database(probe: DatabaseProbe, context: ProbeContext) -> Evidence:
    """Each sample opens a connection, runs the query and closes it again."""
    url = context.filled_url(probe.url)
    once = _sqlite(url, probe, context) if url.startswith("sqlite:") else _postgresql(url, probe, context)
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
    evidence = tries.evidence(f"{probe.query} on {name}")
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


def _postgresql(url: str, probe: DatabaseProbe, context: ProbeContext) -> Once:
    try:
        import psycopg
    except ImportError:
        said = 'the driver psycopg is not installed: pip install "psycopg[binary]"'
        raise NotProbedError("driver", said) from None

    def once(connects: list[float]) -> float:
        begun = context.clock()
        try:
            with psycopg.connect(url, connect_timeout=max(2, round(context.left_s()))) as db:
                connects.append((context.clock() - begun) * 1000)
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
        return NotProbedError("policy", f"the URL is not one of PostgreSQL: {text[:200]}")
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
