"""Labels for what a target sends unexpectedly: event types and keys, of limited number (cardinality)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_LABELS = 32
"""Maximum labels of a process; a peer must not make us remember a million."""

MAX_KEYS = 12
"""Maximum top-level keys of an event in a label."""

OTHER = "(other)"
NO_LABEL = "(none)"
UNTYPED = "(no type)"
"""How an event without a type is counted."""

# What people call types and keys, and no longer: what looks like a token, or an address, is not repeated.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,31}\Z")


class LabelLimit:
    """Makes labels; once there are too many, or for what is no plain name, the label is ``(other)``."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: set[str] = set()

    def type_label(self, seen: Any) -> str:
        """The label of an event type."""
        return UNTYPED if seen is None else self._limited(_plain(seen))

    def keys_label(self, event: Mapping[str, Any]) -> str:
        """The top-level keys of an event, in its order: "kind, re, n"."""
        label = ", ".join(_plain(key) for key in list(event)[:MAX_KEYS])
        more = ", …" if len(event) > MAX_KEYS else ""
        return self._limited(label + more) if label else NO_LABEL

    def _limited(self, label: str) -> str:
        if label not in self._known and len(self._known) >= MAX_LABELS:
            return OTHER
        self._known.add(label)
        return label


def _plain(seen: Any) -> str:
    text = str(seen)
    return text if _NAME.match(text) else OTHER
