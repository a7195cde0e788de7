"""Reasons in a target's own words, counted: with ids in them each is new, and frequent ones must be found.

Up to ``SHOWN`` different texts are told as they are. Of more, those that differ only in numbers, ids and
UUIDs are told as one, with a word in braces in the place of what differs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

SHOWN = 20
"""Different reasons of a kind that are told, the most frequent first."""

REMEMBERED = 1000
"""Different texts that are remembered as they are; more are remembered by their shapes only."""

OTHERS = "other reasons"

LONGEST = 400
"""Characters of a reason that are remembered; that of a close frame has at most 123 bytes."""

_VARIES = re.compile(
    r"(?P<kept>\b(?:code|HTTP|HTTP/\d\.\d|status)[ :=]{1,2}\d{1,5}\b)"
    r"|(?P<uuid>\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b)"
    r"|(?P<id>\b(?=[A-Za-z_-]{0,64}\d)(?:[0-9a-f]{8,64}|[A-Za-z0-9_-]{16,64})\b)"
    r"|(?P<n>\d+(?:\.\d+)*)",
    re.IGNORECASE,
)


def shape(text: str) -> str:
    """The text with ``{n}``, ``{id}`` and ``{uuid}`` for what differs from case to case; codes stay."""
    return _VARIES.sub(lambda found: found[0] if found["kept"] else f"{{{found.lastgroup}}}", text)


class Reasons:
    """Counts reasons of one kind, of any number of different texts, in bounded memory."""

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()

    def add(self, reason: str) -> None:
        """Count a reason."""
        text = reason[:LONGEST]
        if text not in self._counted and len(self._counted) >= REMEMBERED:
            text = shape(text)
            if text not in self._counted and len(self._counted) >= 2 * REMEMBERED:
                text = OTHERS
        self._counted[text] += 1

    def counts(self) -> dict[str, int]:
        """The most frequent first, each with its number; what is not told by itself is among the others."""
        return most_frequent(self._counted)


def most_frequent(counted: Mapping[str, int]) -> dict[str, int]:
    """Reasons and their numbers, of whatever many: ``SHOWN`` at most, and how many had others."""
    told = Counter(counted)
    if len(told) > SHOWN:
        told = _by_shape(counted)
    others = told.pop(OTHERS, 0)
    ranked = sorted(told.items(), key=lambda pair: (-pair[1], pair[0]))
    others += sum(n for _, n in ranked[SHOWN:])
    return {**dict(ranked[:SHOWN]), **({OTHERS: others} if others else {})}


def _by_shape(counted: Mapping[str, int]) -> Counter[str]:
    """Those of one shape as one; a text that is alone in its shape stays as it is."""
    texts: dict[str, list[str]] = {}
    for text in counted:
        texts.setdefault(shape(text), []).append(text)
    found: Counter[str] = Counter()
    for form, same in texts.items():
        found[same[0] if len(same) == 1 else form] += sum(counted[text] for text in same)
    return found
