"""Members of JSON in a text, at any sensible depth of escaping, whose keys name a secret.

The text may be cut anywhere, or be no JSON as a whole: what is not closed is taken out to its end.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from loadtest.secret_names import OWNER, SENT
from loadtest.speak.kept_secrets import HIDDEN

_OPENED = re.compile(
    r"\"((?:[\w.-]{1,80}+|\\{1,15}+u[0-9A-Fa-f]{4}){1,80}+)(\\{0,15}+)\"\s{0,8}+:\s{0,8}+"
    r"(?:(?P<string>\\{0,15}+\")|(?P<nested>[\[{])|(?P<number>-?\d[\w.+-]*+))"
)
_KEY = re.compile(r"\"([\w.-]++)\"\s{0,8}+:")
"""Each key of a text without backslashes that ``_OPENED`` finds, and maybe more."""

_LETTER = re.compile(r"\\+u([0-9A-Fa-f]{4})")
_SLASHES = r"(?<!\\)(\\*+)"
"""All backslashes before a sign. A search begins at the first of them only, or many take quadratic time."""

_QUOTE = re.compile(rf"{_SLASHES}\"")
_SIGN = re.compile(rf"{_SLASHES}\"|[\[\]{{}}]")
_TOKEN = re.compile(r"[\w.~+/=-]{16,}+")

MAX_KEY = 160
"""Letters of the longest key, its owner's included, that is compared with names, and remembered."""

MAX_OWNERS = 4
"""Objects in each other that are looked at as owners of their keys; the end of each is looked for."""


def without_members(text: str, names: re.Pattern[str], found: list[str]) -> str:
    """The text without values whose keys ``names`` matches whole; they are added to ``found``."""
    # Most texts have no key that matters. To see that takes 4 us for an event of 150 bytes, the search 17.
    if "\\" not in text and not any(_matters(names, key) for key in set(_KEY.findall(text))):
        return text
    kept: list[str] = []
    owners: list[tuple[str, int]] = []
    at = 0
    while opened := _OPENED.search(text, at):
        key = _LETTER.sub(lambda letter: chr(int(letter[1], 16)), opened[1])
        owners = [(owner, end) for owner, end in owners if opened.start() < end]
        if _is_one(names, key) or any(_is_one(names, f"{owner}.{key}") for owner, _ in owners):
            start, end, instead = _taken_out(text, opened, key, found)
        elif key.lower() == "token":
            start, end, instead = _of_token(text, opened)
        else:
            start, end, instead = opened.end(), opened.end(), ""
        if opened["nested"] and end == opened.end() and len(owners) < MAX_OWNERS and _is_one(OWNER, key):
            owners.append((key, _nested_end(text, opened.start("nested"), len(opened[2]))))
        kept += [text[at:start], instead]
        at = end
    return "".join([*kept, text[at:]])


def _matters(names: re.Pattern[str], key: str) -> bool:
    """Whether the value of a key may be taken out, or that of a key in it."""
    return len(key) <= MAX_KEY and _may_name(names, key)


@lru_cache(1024)
def _may_name(names: re.Pattern[str], key: str) -> bool:
    return _matches(names, key) or _matches(OWNER, key) or key.lower() == "token"


def _is_one(names: re.Pattern[str], key: str) -> bool:
    """Whether a key names a secret; none that is longer than any name does."""
    return len(key) <= MAX_KEY and _matches(names, key)


@lru_cache(1024)
def _matches(names: re.Pattern[str], key: str) -> bool:
    """Whether a key is one of the names. Messages repeat their keys, and the pattern takes 2 us a key."""
    return names.fullmatch(key) is not None


def _taken_out(text: str, opened: re.Match[str], key: str, found: list[str]) -> tuple[int, int, str]:
    """From where to where the text is left out, and what stands there instead."""
    depth = len(opened[2])
    if opened["string"]:
        start = opened.end()
        end = _string_end(text, start, len(opened["string"]) - 1)[0]
        if start == end:
            return start, end, ""
        found += _values(text[start:end])
        return start, end, HIDDEN
    if _MAY_BE_OPEN.fullmatch(key):
        return opened.end(), opened.end(), ""
    start = opened.start(opened.lastgroup or 0)
    end = opened.end() if opened["number"] else _nested_end(text, start, depth)
    found += [text[start:end]] if opened["number"] else _strings(text[start:end])
    quote = "\\" * depth + '"'
    return start, end, f"{quote}{HIDDEN}{quote}"


_MAY_BE_OPEN = re.compile(rf".*(?:{'|'.join(SENT)})", re.IGNORECASE)
"""Keys under which a number or an object is no credential as a whole: ``"prompt_token": 12``."""


def _of_token(text: str, opened: re.Match[str]) -> tuple[int, int, str]:
    """A bare ``token`` may carry a model's words; a credential is longer and has no spaces."""
    start = opened.end()
    credential = _TOKEN.match(text, start) if opened["string"] else None
    return (start, credential.end(), HIDDEN) if credential else (start, start, "")


def _string_end(text: str, start: int, depth: int) -> tuple[int, int]:
    """Where the content of a string ends whose quotes have ``depth`` backslashes, and where it is over."""
    for quote in _QUOTE.finditer(text, start):
        more = len(quote[1]) - depth
        # Pairs of backslashes, each escaped as often as the quote, are backslashes of the content.
        if more < 0 or more // (depth + 1) % 2 == 0:
            return quote.end() - 1 - min(depth, len(quote[1])), quote.end()
    return len(text), len(text)


def _nested_end(text: str, start: int, depth: int) -> int:
    """Where an object or a list ends that begins at ``start``."""
    open_ones, at = 0, start
    while sign := _SIGN.search(text, at):
        at = sign.end()
        if sign[1] is not None:
            at = _string_end(text, at, depth)[1]
            continue
        open_ones += 1 if sign[0] in "[{" else -1
        if open_ones == 0:
            return at
    return len(text)


def _strings(text: str) -> list[str]:
    """The texts in a value that is an object or a list, where it can be read."""
    try:
        waiting = [json.loads(text)]
    except (ValueError, RecursionError):
        return []
    found: list[str] = []
    while waiting:
        node = waiting.pop()
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
        found += [node] if isinstance(node, str) else []
    return found


def _values(written: str) -> list[str]:
    """A string's content as it is written, and as it is meant."""
    try:
        meant = json.loads(f'"{written}"')
    except ValueError:
        return [written]
    return list(dict.fromkeys([written, meant]))
