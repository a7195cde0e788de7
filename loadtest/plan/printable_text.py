"""Characters that nobody would see, as their escapes."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that cannot be seen, move the cursor or turn the line around."""


def visible(text: str) -> str:
    r"""``text`` with each character that nobody would see as its escape (``\r``, ``\x1b``)."""
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode("ascii")
