"""The names that placeholders may have, and where each may be used."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import UTC, datetime, timedelta

from loadtest.plan.generated import is_generated, problem_of
from loadtest.plan.scenario import DataRows
from loadtest.plan.template import RANDOM, UUID4, Template
from loadtest.plan.toml_reader import nearest
from loadtest.plan.trace_parent import TRACE_PARENT

USER = ("user.number", "user.id", "user.thread")
"""Every virtual user has these; ``user.COLUMN`` of the identities adds to them, or replaces them."""

ANYWHERE = ("uuid", "run.id", "now_ms", "now_s")

NOW_MS, NOW_ISO = "now.ms", "now.iso"

NOW = frozenset({"now_ms", "now_s", NOW_MS, NOW_ISO})
"""The placeholders of the wall clock."""

IN_MESSAGES = (*ANYWHERE, NOW_MS, NOW_ISO, UUID4, RANDOM)
"""In what is sent on a connection."""

SECRETS = ("env", "secret")
"""Groups of names that stand for environment variables; what they hold is taken out of every output."""

HEARTBEAT_NUMBER = "heartbeat.number"
"""In a heartbeat that is sent by our clock: 1 for the first of its connection, then 2."""

TURN = ("turn.id", "turn.number", TRACE_PARENT)
"""Every turn has these, in its messages."""


def columns(prefix: str, rows: DataRows) -> list[str]:
    """``prefix.COLUMN`` of every column of the rows."""
    return [f"{prefix}.{column}" for column in rows[0]] if rows else []


def user_values(user: int, run_id: str, identities: DataRows, first: int = 0) -> dict[str, str]:
    """What ``{user....}`` stands for: number, id and thread, and the columns of the user's identity.

    ``first`` is the user who has the first identity: the first one of its population.
    ``user.thread`` differs from run to run, so that a backend does not continue an old conversation.
    """
    values = {"user.number": str(user), "user.id": f"user-{user}", "user.thread": f"{run_id}-thread-{user}"}
    if identities:
        values |= {
            f"user.{column}": value for column, value in identities[(user - first) % len(identities)].items()
        }
    return values


def data_values(turn: int, rows: DataRows) -> dict[str, str]:
    """What ``{data....}`` stands for in a turn: the columns of a row, rows being used in turn."""
    return {f"data.{column}": value for column, value in rows[turn % len(rows)].items()} if rows else {}


def unknown_names(text: str, known: Iterable[str], open_groups: Iterable[str] = ()) -> list[str]:
    """A sentence for each placeholder of the text that is not known; ``open_groups`` may hold any name."""
    known = list(known)
    opened = tuple(f"{group}." for group in open_groups)
    asked = [name for name in sorted(Template.parse(text).names) if not name.startswith(opened)]
    drawn = [name for name in asked if RANDOM in known and is_generated(name)]
    problems = [problem for name in drawn if name.startswith(RANDOM) and (problem := problem_of(name))]
    rest = [name for name in asked if name not in drawn and name not in known]
    choices = [name for name in known if name != RANDOM]
    return problems + [
        f"there is no placeholder {{{name}}}; {nearest(name, choices)}{_or_braces(name)}" for name in rest
    ]


def now_values(unix_ms: int, asked: Container[str] = ()) -> dict[str, str]:
    """What the placeholders of the wall clock stand for, the dearer ones only where ``asked`` for."""
    found = {"now_ms": str(unix_ms), "now_s": f"{unix_ms // 1000}.{unix_ms % 1000:03d}"}
    if NOW_MS in asked:
        found[NOW_MS] = found["now_ms"]
    if NOW_ISO in asked:
        at = datetime.fromtimestamp(unix_ms // 1000, UTC) + timedelta(milliseconds=unix_ms % 1000)
        found[NOW_ISO] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return found


def _or_braces(name: str) -> str:
    """What to do where no placeholder is meant, as in GraphQL: all names of ours but a few have a point."""
    return "" if "." in name else f"; to send the braces themselves, put a space after the first: {{ {name}}}"


def env_names(texts: Iterable[str]) -> list[str]:
    """The environment variables named by ``{env.NAME}`` or ``{secret.NAME}`` in any of the texts."""
    names = (name.partition(".") for text in texts for name in Template.parse(text).names)
    return sorted({name for group, _, name in names if group in SECRETS and name})


def asks_for(text: str, name: str) -> bool:
    """Whether a template holds the placeholder."""
    return name in Template.parse(text).names
