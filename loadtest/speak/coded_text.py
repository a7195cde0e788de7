r"""A text as it is meant where JSON, a URL or a program wrote letters by their numbers.

A server may repeat a secret in a way of its own: ``/`` as ``\/``, ``+`` as ``\u002B``, ``/`` as ``%2f`` or
``\x2f``. There are too many ways for a list of forms, so the text is read and searched as it is meant.
All of it takes time in proportion to the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

Places = list[tuple[int, int]]
"""Where something stands in a text: from which letter, and before which."""

DEEPEST = 2
"""How often a text may have been coded: JSON in JSON, a URL in a URL."""

_IN_JSON = re.compile(
    r"\\(?:u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[\"\\/bfnrt])"
)
_IN_BYTES = re.compile(r"(?:%[0-9A-Fa-f]{2})++|(?:\\x[0-9A-Fa-f]{2})++")

_SIGN_OF_JSON = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|/)")
"""Without one of these JSON writes each letter but quote, backslash and line break as itself."""


def places_as_meant(text: str, places_of: Callable[[str], Places]) -> Places:
    """Where in ``text`` stands what ``places_of`` finds in the text as it is meant; none if it is plain."""
    if "\\" not in text and "%" not in text:
        return []
    found: Places = []
    meant, at = text, list(range(len(text) + 1))
    for read in (_as_json, _as_bytes) * DEEPEST:
        letters = read(meant)
        if letters is None:
            continue
        meant, here = letters
        at = [at[place] for place in here]
        found += [(at[start], at[end]) for start, end in places_of(meant)]
    return found


_Meant = tuple[str, list[int]] | None
"""The letters, with where each begins in the text, and its end at last; None: no letter is coded."""


def _as_json(text: str) -> _Meant:
    return _read(text, _IN_JSON, _json_letter) if _SIGN_OF_JSON.search(text) else None


def _as_bytes(text: str) -> _Meant:
    return _read(text, _IN_BYTES, _letters_of_bytes) if _IN_BYTES.search(text) else None


def _read(
    text: str, coded: re.Pattern[str], letters_of: Callable[[str], tuple[str, Iterable[int]]]
) -> tuple[str, list[int]]:
    """The text with all that ``coded`` matches as the letters that it means."""
    meant: list[str] = []
    at: list[int] = []
    end = 0
    for code in coded.finditer(text):
        letters, offsets = letters_of(code[0])
        meant += [text[end : code.start()], letters]
        at += range(end, code.start())
        at += [code.start() + offset for offset in offsets]
        end = code.end()
    meant.append(text[end:])
    at += range(end, len(text) + 1)
    return "".join(meant), at


def _json_letter(code: str) -> tuple[str, Iterable[int]]:
    letter: str = json.loads(f'"{code}"')
    return letter, (0,)


def _letters_of_bytes(code: str) -> tuple[str, Iterable[int]]:
    r"""The letters of a run of ``%XX`` or ``\xXX``, which are bytes of UTF-8."""
    width = 3 if code[0] == "%" else 4
    letters = bytes.fromhex(code.replace("%", "").replace("\\x", "")).decode("utf-8", "surrogateescape")
    offsets: list[int] = []
    offset = 0
    for letter in letters:
        offsets.append(offset)
        offset += width * len(letter.encode("utf-8", "surrogateescape"))
    return letters, offsets
