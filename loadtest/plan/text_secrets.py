"""Secrets in texts, by where they stand: in a message, a URL, a query of metrics, and plain settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from loadtest.plan.template import PLACEHOLDER
from loadtest.secret_names import (
    KEY,
    NAMING,
    PLACES,
    SENT_KEY,
    looks_like_token,
    sounds_secret,
    subprotocol_secrets,
)

_BEGUN = re.compile(r"[{\[]")

_LEFT_OUT = frozenset({"identities", "data", "chunks"})
"""Keys of rows, whose columns decide by themselves, and of files."""

_PROSE = frozenset({"about", "follows", "held_against", "name", "question"})
"""Keys of what people read, in which "token: how many?" is no header line."""

_MEMBER = re.compile(r"\"([\w.-]{1,80}+)\"\s{0,8}+:\s{0,8}+\"((?:[^\"\\]|\\.)*+)\"")
_LABEL = re.compile(r"([\w.]{1,80}+)\s{0,8}+(?:=~|!=|!~|=)\s{0,8}+\"([^\"]++)\"")
_ASKED = re.compile(r"[?&;]([\w.%-]{1,80}+)=([^&;#\s\"'\\]++)")
USER_OF_URL = re.compile(r"(?<=://)([^/@\s\"']++)@")
"""The user part of a URL, with the sign after it."""


def settings_secrets(settings: Mapping[str, object]) -> Iterator[str]:
    """The texts of plain settings that a key names as secrets, and the secrets that stand in the others."""
    waiting: list[tuple[object, str, bool]] = [(settings, "", False)]
    while waiting:
        node, key, is_secret = waiting.pop()
        if isinstance(node, Mapping):
            waiting.extend(
                (value, name, name not in NAMING and (is_secret or (key not in NAMING and _names(name))))
                for name, value in node.items()
                if name not in _LEFT_OUT
            )
        elif isinstance(node, list | tuple):
            if key == "subprotocols":
                yield from subprotocol_secrets([str(each) for each in node])
            waiting.extend((each, key, is_secret) for each in node)
        elif isinstance(node, str | int | float) and not isinstance(node, bool):
            yield from [str(node)] if is_secret else _in_setting(key, str(node))


def _names(key: str) -> bool:
    return KEY.fullmatch(key) is not None


def _in_setting(key: str, text: str) -> Iterator[str]:
    for user in USER_OF_URL.finditer(text):
        # A name alone may be a word; where it stands it is taken out all the same.
        yield from (user[1], user[1].partition(":")[2]) if ":" in user[1] or looks_like_token(user[1]) else ()
    yield from (asked[2] for asked in _ASKED.finditer(text) if sounds_secret(asked[1]))
    if key in _PROSE:
        return
    yield from secrets_in(text)
    yield from (label[2] for label in _LABEL.finditer(text) if _names(label[1]))
    # Where JSON was read, a number stands in each gap.
    yield from (member[2] for member in _MEMBER.finditer(text) if SENT_KEY.fullmatch(member[1]))


def secrets_in(text: str) -> Iterator[str]:
    """The values in a message, or the template of one, whose keys or header lines name a secret.

    JSON may follow something else, as in ``40{"token":"x"}``.
    """
    if not _is_json(text):
        places = (place for pattern in PLACES for place in pattern.finditer(text))
        yield from dict.fromkeys(place[3].strip() for place in places if SENT_KEY.fullmatch(place[1]))
    waiting: list[tuple[object, bool]] = [(_parsed(text), False)]
    while waiting:
        node, is_secret = waiting.pop()
        if isinstance(node, dict):
            waiting.extend((value, is_secret or _holds_secret(key, value)) for key, value in node.items())
        elif isinstance(node, list):
            waiting.extend((value, is_secret) for value in node)
        elif is_secret and isinstance(node, str | int | float) and not isinstance(node, bool):
            yield str(node)
        elif isinstance(node, str) and _is_json(node):
            waiting.append((_parsed(node), False))


def _is_json(text: str) -> bool:
    """Whether a text begins as an object or a list in JSON does; a placeholder is neither."""
    return PLACEHOLDER.sub("0", text).lstrip().startswith(("{", "["))


def _parsed(text: str) -> object:
    """The first object or list in a text, where a number may stand in any gap; None if there is none."""
    filled = PLACEHOLDER.sub("0", text)
    begun = _BEGUN.search(filled)
    try:
        return None if begun is None else json.JSONDecoder().raw_decode(filled, begun.start())[0]
    except (ValueError, RecursionError):
        return None


def _holds_secret(key: str, value: object) -> bool:
    """Whether a member is a secret as a whole; of an object under ``auth`` the inner keys decide."""
    return bool((SENT_KEY if isinstance(value, str) else KEY).fullmatch(key))
