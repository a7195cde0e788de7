r"""A text as it is meant where JSON, a URL or a program wrote letters by their numbers.

A server may repeat a secret in a way of its own: ``/`` as ``\/``, ``+`` as ``\u002B``, ``/`` as ``%2f`` or
``\x2f``. There are too many ways for a list of forms, so the text is read and searched as it is meant.
All of it takes time in proportion to the text, and nothing is built for a text without a sign of a code.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Places = list[tuple[int, int]]
"""Where something stands in a text: from which letter, and before which."""

DEEPEST = 2
"""How often a text may have been coded: JSON in JSON, a URL in a URL."""

_IN_JSON = re.compile(
    r"\\(?:u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[\"\\/bfnrt])"
)
_IN_BYTES = re.compile(r"%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*+|\\x[0-9A-Fa-f]{2}(?:\\x[0-9A-Fa-f]{2})*+")

_SIGN_OF_JSON = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|/|\\[\"\\/bfnrtu])")
"""Without one of these JSON wrote each letter but quote, backslash and line break as itself, and once."""

_SIGN = re.compile(rb"\\(?:u[0-9A-Fa-f]{4}|/|\\[\"\\/bfnrtu]|x[0-9A-Fa-f]{2})")
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
"""Two of them: each is looked for by its first letter, which is fast."""

_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
"""What a letter after a backslash means; a sign there means itself."""

_Codes = tuple["array[int]", "array[int]"]
"""Where letters stand as they are meant, ascending, and where in the text; between them both go on alike."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as it is meant. ``codes``: of each time that it was decoded, the last one first."""

    meant: str
    codes: tuple[_Codes, ...]

    def written(self, place: tuple[int, int]) -> tuple[int, int]:
        """Where in the text stands what is meant at a place."""
        start, end = place
        for codes in self.codes:
            start, end = _before(start, codes), _before(end, codes)
        return start, end

    def new_parts(self, reach: int) -> Iterator[str]:
        """What is up to ``reach`` letters from one that was decoded last; all else could be read before."""
        start = end = 0
        for at in self.codes[0][0]:
            if at - reach > end:
                if end:
                    yield self.meant[start:end]
                start = at - reach
            end = at + reach
        yield self.meant[start:end]


def is_coded(payload: bytes) -> bool:
    """Whether a payload has a sign of a code, so that it may mean something else than it says."""
    return _SIGN.search(payload) is not None or _PERCENT.search(payload) is not None


def readings(text: str) -> list[Reading]:
    """What a text means after each decoding; none if it is plain."""
    found: list[Reading] = []
    codes: tuple[_Codes, ...] = ()
    for read in (_as_json, _as_bytes) * DEEPEST:
        decoded = read(text)
        if decoded is not None:
            text, here = decoded
            codes = (here, *codes)
            found.append(Reading(text, codes))
    return found


def places_as_meant(text: str, places_of: Callable[[str], Places]) -> Places:
    """Where in ``text`` stands what ``places_of`` finds in the text as it is meant; none if it is plain."""
    if "\\" not in text and "%" not in text:
        return []
    return [reading.written(place) for reading in readings(text) for place in places_of(reading.meant)]


def _before(place: int, codes: _Codes) -> int:
    """Where a letter stood before it was decoded."""
    meant, written = codes
    last = bisect_right(meant, place) - 1
    return place if last < 0 else written[last] + place - meant[last]


_Meant = tuple[str, _Codes] | None
"""The letters, and where they stood; None: no letter is coded."""


def _as_json(text: str) -> _Meant:
    return _read(text, _IN_JSON, _json_letter) if _SIGN_OF_JSON.search(text) else None


def _as_bytes(text: str) -> _Meant:
    return _read(text, _IN_BYTES, _letters_of_bytes) if _IN_BYTES.search(text) else None


def _read(
    text: str, coded: re.Pattern[str], letters_of: Callable[[str], tuple[str, Iterable[int]]]
) -> tuple[str, _Codes]:
    """The text with all that ``coded`` matches as the letters that it means."""
    parts: list[str] = []
    meant, written = array("q"), array("q")
    at = end = 0
    for code in coded.finditer(text):
        letters, offsets = letters_of(code[0])
        at += code.start() - end
        parts += [text[end : code.start()], letters]
        for offset in offsets:
            meant.append(at)
            written.append(code.start() + offset)
            at += 1
        end = code.end()
        meant.append(at)
        written.append(end)
    parts.append(text[end:])
    return "".join(parts), (meant, written)


def _json_letter(code: str) -> tuple[str, Iterable[int]]:
    if code[1] != "u":
        return _LETTERS.get(code[1], code[1]), (0,)
    if len(code) == len("\\u0000"):
        return chr(int(code.removeprefix("\\u"), base=16)), (0,)
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
