"""Settings in words, from the schema that declares them: each key with its value and what it does."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from loadtest.plan.key_types import RATIO, SHARE, SIZE, Key, KeyTable
from loadtest.plan.settings import HIDDEN, public_url, without_secret
from loadtest.plan.toml_reader import printable, quoted
from loadtest.units import parse_bytes, parse_ratio

NOT_SHOWN = "a value that is not shown"

LONGEST = 200
"""Characters of a value that is a list or a table."""

ELSEWHERE = frozenset(
    {
        *("name", "question", "protocol", "thresholds", "conversation", "prepare", "population"),
        *("target.url", "target.headers", "target.cookies", "target.query", "target.identities"),
        *("target.faults", "traffic.message", "traffic.data", "traffic.mix"),
    }
)
"""Keys of which the sections of ``explain`` say by themselves what they make of the plan."""

_LINK = re.compile(r",? \[below\]\([^)]*\)|\[([^]]*)\]\([^)]*\)")


def explained_settings(
    table: KeyTable[Any],
    written: Mapping[str, object],
    hidden: Collection[str],
    left_out: Collection[str] = (),
) -> Iterator[str]:
    """A line for each key of a table that has a value; ``written`` has no secrets but those in ``hidden``.

    ``left_out`` are keys of which something else speaks.
    """
    named = {key.stored_as or key.name for key in table.keys}
    for key in table.keys:
        name = f"{table.title}.{key.name}".lstrip(".")
        if name in ELSEWHERE or name in left_out:
            continue
        if key.rest:
            others = (each for each in written.items() if each[0] not in named)
            yield from (f"{table.title}.{other} = {_shown(value, hidden)}" for other, value in others)
            continue
        value = written.get(key.stored_as or key.name)
        if isinstance(value, Mapping) and key.type.keys is not None:
            yield from explained_settings(key.type.keys, value, hidden)
        elif isinstance(value, list) and key.type.listed:
            yield from (f"{name}, {at}: {_shown(row, hidden)}" for at, row in enumerate(value, 1))
        elif value is not None:
            yield from _line(table, key, name, value, hidden)


def _line(table: KeyTable[Any], key: Key, name: str, value: object, hidden: Collection[str]) -> Iterator[str]:
    """One key; nothing of what is off unless somebody turns it on."""
    default = table.default(key)
    by_default = not key.missing and default is not None and key.type.write(default) == value
    if value is False and by_default:
        return
    shown = _as_written(key, value, hidden)
    yield f"{name} = {shown}{' (default)' if by_default else ''}{_meaning(key, shown)}"


def _as_written(key: Key, value: object, hidden: Collection[str]) -> str:
    """The value as people write it: "16MiB", "50%"."""
    read = parse_bytes if key.type is SIZE else parse_ratio if key.type in (RATIO, SHARE) else None
    if read is not None:
        return key.type.shown(read(str(value)))
    return key.type.shown(value) if isinstance(value, float) else _shown(value, hidden)


def _meaning(key: Key, value: str) -> str:
    """What the help says of this value, or its first sentence; nothing where that is of another value."""
    text = _LINK.sub(r"\1", key.help)
    if of_value := re.search(rf"`{re.escape(value)}`: (.*?)(?:\. `|\.? ?$)", text):
        return f": {of_value[1]}".replace("`", "")
    return "" if re.match(r"`[^`]*`: ", text) else f": {text.partition('. ')[0]}".replace("`", "")


def _shown(value: object, hidden: Collection[str], name: str = "") -> str:
    """A value without what may be a secret, in one line of bounded length; ``name`` is its own in a table."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{each} = {_shown(inner, hidden, each)}" for each, inner in value.items())
    elif isinstance(value, list):
        text = ", ".join(_shown(each, hidden, name) for each in value)
    elif isinstance(value, str):
        address = ("://" in value or value.startswith("/")) and HIDDEN not in value
        public = without_secret(name, public_url(value) if address else value, "value")
        text = NOT_SHOWN if public == HIDDEN or value in hidden else printable(public)
    else:
        return quoted(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
