"""The names that placeholders may have, and where each may be used."""

from __future__ import annotations

from collections.abc import Iterable

from loadtest.plan.scenario import Rows
from loadtest.plan.template import Template
from loadtest.plan.toml_reader import nearest

USER = ("user.number", "user.id", "user.thread")
"""Every virtual user has these; ``user.COLUMN`` of the identities adds to them, or replaces them."""

ANYWHERE = ("uuid", "run.id", "now_ms", "now_s")

SECRETS = ("env", "secret")
"""Groups of names that stand for environment variables; what they hold is taken out of every output."""

TURN = ("turn.id", "turn.number")


def columns(prefix: str, rows: Rows) -> list[str]:
    """``prefix.COLUMN`` of every column of the rows."""
    return [f"{prefix}.{column}" for column in rows[0]] if rows else []


def user_values(user: int, run_id: str, identities: Rows) -> dict[str, str]:
    """What ``{user....}`` stands for: number, id and thread, and the columns of the user's identity.

    ``user.thread`` differs from run to run, so that a backend does not continue an old conversation.
    """
    values = {"user.number": str(user), "user.id": f"user-{user}", "user.thread": f"{run_id}-thread-{user}"}
    if identities:
        values |= {f"user.{column}": value for column, value in identities[user % len(identities)].items()}
    return values


def data_values(turn: int, rows: Rows) -> dict[str, str]:
    """What ``{data....}`` stands for in a turn: the columns of a row, rows being used in turn."""
    return {f"data.{column}": value for column, value in rows[turn % len(rows)].items()} if rows else {}


def unknown_names(text: str, known: Iterable[str], open_groups: Iterable[str] = ()) -> list[str]:
    """A sentence for each placeholder of the text that is not known; ``open_groups`` may hold any name."""
    known = list(known)
    opened = tuple(f"{group}." for group in open_groups)
    asked = [name for name in sorted(Template.parse(text).names) if not name.startswith(opened)]
    return [
        f"nothing is known as {{{name}}}; {nearest(name, known)}{_or_braces(name)}"
        for name in asked
        if name not in known
    ]


def _or_braces(name: str) -> str:
    """What to do where no placeholder is meant, as in GraphQL: all names of ours but a few have a point."""
    return (
        ""
        if "." in name
        else f"; braces that are meant as they are have a space behind the first: {{ {name}}}"
    )


def env_names(texts: Iterable[str]) -> list[str]:
    """The environment variables named by ``{env.NAME}`` or ``{secret.NAME}`` in any of the texts."""
    names = (name.partition(".") for text in texts for name in Template.parse(text).names)
    return sorted({name for group, _, name in names if group in SECRETS and name})


def asks_for(text: str, name: str) -> bool:
    """Whether a template holds the placeholder."""
    return name in Template.parse(text).names
