"""A message of a capture, decoded once, and the template that it is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.template import PLACEHOLDER
from loadtest.speak.kept_secrets import HIDDEN

Scalar = str | int | float | bool | None
Leaves = dict[str, Scalar]
"""The scalars of a message by their path."""

MAX_DEPTH = 4
MAX_LEAVES = 200
MAX_ITEMS = 8
"""Bounds of what is looked at of one message: a deeper or longer one has its type further out."""

LONE = re.compile("[\ud800-\udfff]")
"""Half of a character: JSON can write it as an escape, TOML and UTF-8 cannot hold it."""

SECRET = "secret."  # noqa: S105 - how a placeholder's name begins
"""What begins so names an environment variable."""

_NO_NAME = re.compile(r"[^A-Za-z0-9_]+")


class CapturedMessage:
    """One message of the capture, decoded once."""

    __slots__ = ("at_ns", "found", "inward", "kind", "leaves", "text")

    def __init__(self, frame: CapturedFrame) -> None:
        self.at_ns = frame.at_ns
        self.inward = frame.inward
        self.text = frame.text
        try:
            self.found: Any = json.loads(self.text)
        except (ValueError, RecursionError):
            self.found = None
        if not isinstance(self.found, (dict, list)):
            self.found = None
        self.leaves: Leaves = dict(_leaves(self.found))
        self.kind: str | None = None


def _leaves(found: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Scalar]]:
    """The scalars of a message with their paths, the outer ones first; not those of long arrays."""
    if isinstance(found, Mapping):
        items: list[tuple[str, Any]] = list(found.items())
    elif isinstance(found, list):
        items = [(str(place), each) for place, each in enumerate(found[:MAX_ITEMS])]
    else:
        return
    inner = []
    for key, value in items[:MAX_LEAVES]:
        if not key or "." in key or any(map(str.isspace, key)) or LONE.search(key):
            # No path of a protocol leads there.
            continue
        here = f"{path}.{key}" if path else key
        if isinstance(value, (dict, list)):
            inner.append((here, value))
        else:
            yield here, value
    if depth < MAX_DEPTH:
        for here, value in inner:
            yield from _leaves(value, here, depth + 1)


def template(
    message: CapturedMessage, gaps: Mapping[str, str], instead: Mapping[str, str] | None = None
) -> str:
    """The text of a message with placeholders at paths, and other values at some.

    Where a secret was taken out, there is the placeholder of an environment variable.
    """
    if message.found is None:
        return _without_hidden(PLACEHOLDER.sub(lambda found: f"{{ {found[0][1:]}", message.text), "")
    texts = instead or {}

    def write(node: Any, path: str) -> str:
        if path in gaps:
            placeholder = f"{{{gaps[path]}}}"
            return f'"{placeholder}"' if isinstance(node, str) else placeholder
        if path in texts:
            return json.dumps(texts[path])
        if isinstance(node, dict):
            inner = (f"{_json_string(key)}:{write(value, _join(path, key))}" for key, value in node.items())
            return f"{{{','.join(inner)}}}"
        if isinstance(node, list):
            return f"[{','.join(write(value, _join(path, str(at))) for at, value in enumerate(node))}]"
        return _without_hidden(_json_string(node), path) if isinstance(node, str) else json.dumps(node)

    return write(message.found, "")


def secret_name(path: str) -> str:
    """The placeholder's name of the secret at a path; its variable is none that a shell has of its own."""
    key = _NO_NAME.sub("_", path.rpartition(".")[2]).strip("_")[:40]
    return f"{SECRET}TARGET_{key.upper() or 'SECRET'}"


def _without_hidden(text: str, path: str) -> str:
    return text.replace(HIDDEN, f"{{{secret_name(path)}}}")


def _json_string(text: str) -> str:
    """A text as JSON in a template: what looks like a placeholder there is written as an escape."""
    written = json.dumps(text, ensure_ascii=LONE.search(text) is not None)
    return PLACEHOLDER.sub(lambda found: f"\\u007b{found[0][1:]}", written)


def found_placeholder(text: str) -> str:
    """The first of what looks like a placeholder in a text; "" where nothing does."""
    found = PLACEHOLDER.search(text)
    return "" if found is None else found[0]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
