"""Secrets that come with one connection: kept of what the target sent, or sent to it and not known before.

They are taken out of every payload and reason of that connection that is shown. How a secret may be written,
and how several that overlap are taken out, is here for the redaction of files as well (``keep.redact``).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import AnyStr
from urllib.parse import quote, quote_plus

from loadtest.plan.template import escaped

SHORTEST = 4
"""A shorter value would take innocent text with it."""

MAX_SECRETS = 64
"""Values of one connection that are taken out: the newest."""

HIDDEN = "[redacted]"
"""Stands where a secret stood."""

_LETTER = re.compile(
    r"\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
    r"|\\u[0-9A-Fa-f]{4}|\\[\"\\/bfnrt]|.",
    re.DOTALL,
)
r"""One letter as it may stand in JSON: ``+`` also as ``\u002B``, ``/`` also as ``\/``."""


def forms_of(secret: str) -> set[str]:
    """The secret as it may appear: plain, in a URL, in JSON, and in the two base64 alphabets, unpadded."""
    raw = secret.encode("utf-8", "replace")
    coded = {base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    quoted = {quote(raw), quote(raw, safe=""), quote_plus(raw)}
    shown = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return {secret, *coded, *quoted, *shown}


def without(text: AnyStr, forms: Iterable[AnyStr], hidden: AnyStr) -> AnyStr:
    """The text with ``hidden`` in the place of every form; where forms overlap, once for all of them."""
    kept: list[AnyStr] = []
    at = 0
    for start, end in _places(text, forms):
        kept += [text[at:start], hidden]
        at = end
    return hidden[:0].join([*kept, text[at:]]) if kept else text


def _places(text: AnyStr, forms: Iterable[AnyStr]) -> list[tuple[int, int]]:
    """Where the forms stand, from first to last; places that overlap are one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(place for form in forms for place in _found(text, form)):
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _found(text: AnyStr, form: AnyStr) -> Iterator[tuple[int, int]]:
    """Each place of a form, also where it overlaps itself: ``aXa`` stands twice in ``aXaXa``."""
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = text.find(form, at + 1)


class KeptSecrets:
    """The secrets of one connection, or of several; ``most``: so many, the newest."""

    __slots__ = ("_forms", "_most")

    def __init__(self, most: int = MAX_SECRETS) -> None:
        self._most = most
        # Each value with its forms, in the order of coming, so that the oldest is forgotten.
        self._forms: dict[str, tuple[bytes, ...]] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        """The values, the oldest first."""
        return tuple(self._forms)

    def add(self, text: str) -> None:
        """Remember a value, with the forms that it may be written in."""
        if len(text) < SHORTEST:
            return
        known = self._forms.pop(text, None)
        written = {*forms_of(text), escaped(text)} if known is None else ()
        self._forms[text] = known or tuple(form.encode("utf-8", "replace") for form in written)
        if len(self._forms) > self._most:
            del self._forms[next(iter(self._forms))]

    def hide(self, payload: bytes) -> bytes:
        """A payload without them, however JSON escapes their letters."""
        if b"\\u" in payload or b"\\/" in payload:
            payload = self._hide_escaped(payload)
        every = (form for forms in self._forms.values() for form in forms)
        return without(payload, every, HIDDEN.encode())

    def _hide_escaped(self, payload: bytes) -> bytes:
        # A letter is one place in both lists, however it is written.
        written = _LETTER.findall(payload.decode("utf-8", "surrogateescape"))
        meant = "".join(json.loads(f'"{each}"') if len(each) > 1 else each for each in written)
        for start, end in _places(meant, self._forms):
            written[start:end] = [HIDDEN, *[""] * (end - start - 1)]
        return "".join(written).encode("utf-8", "surrogateescape")
