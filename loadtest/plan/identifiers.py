"""Which names are allowed, by the rules of HTTP, of shells and of our own folders."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HALVES = re.compile(r"[\ud800-\udfff]")
_COLUMN = re.compile(r"[A-Za-z0-9_]+")


def is_name(text: str) -> bool:
    """A name of ours, which may become part of a folder's name."""
    return _NAME.fullmatch(text) is not None and text.strip(".") != ""


def is_token(text: str) -> bool:
    """A token of HTTP (RFC 9110 section 5.6.2): the name of a header, a cookie, a subprotocol."""
    return _TOKEN.fullmatch(text) is not None


def is_header_value(text: str) -> bool:
    """A value of an HTTP header: no line breaks and no other control characters."""
    return all(c == "\t" or (c.isprintable() and c <= "\xff") for c in text) and text == text.strip()


def holds_controls(text: str) -> bool:
    """Whether there is a letter that would end a header, or that no header may hold (RFC 9110, 5.5)."""
    return _CONTROLS.search(text) is not None


def holds_halves(text: str) -> bool:
    """Whether there is half of a character (a lone surrogate, which JSON can write): no UTF-8 has it."""
    return _HALVES.search(text) is not None


def is_variable(text: str) -> bool:
    """The name of an environment variable."""
    return _VARIABLE.fullmatch(text) is not None


def is_column(text: str) -> bool:
    """What may stand after the dot of a placeholder."""
    return _COLUMN.fullmatch(text) is not None
