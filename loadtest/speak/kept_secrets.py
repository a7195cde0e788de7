"""Secrets that come with one connection: kept of what the target sent, or sent to it and not known before.

They are taken out of every payload and reason of that connection that is shown. How a secret may be written,
and how several that overlap are taken out, is here for the redaction of files as well (``keep.redact``).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import AnyStr
from urllib.parse import quote, quote_plus

from loadtest.plan.template import escaped
from loadtest.speak.coded_text import places_as_meant

SHORTEST = 4
"""A shorter value would take innocent text with it."""

MAX_SECRETS = 64
"""Values of one connection that are taken out: the newest."""

HIDDEN = "[redacted]"
"""Stands where a secret stood."""

_URL_SAFE = str.maketrans("+/", "-_")

_NOT_OF_IT = (0, 2, 3)
"""Letters of base64 that hold bits of 0, 1 or 2 bytes before it."""


def forms_of(secret: str) -> set[str]:
    """The secret as it may appear: plain, in a URL, in JSON, and in the two base64 alphabets, unpadded."""
    raw = secret.encode("utf-8", "replace")
    coded = {base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    quoted = {quote(raw), quote(raw, safe=""), quote_plus(raw)}
    shown = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return {secret, secret.replace(" ", "+"), *coded, *quoted, *shown}


def forms_within(secret: str) -> set[str]:
    """The secret as it stands in a longer text that was coded as a whole: in hexadecimal, and in base64.

    Base64 makes four letters of three bytes, so it is written in three ways; in each, letters that hold bits
    of what stands around it are left out.
    """
    raw = secret.encode("utf-8", "replace")
    found = {raw.hex(), raw.hex().upper()}
    for before, first in enumerate(_NOT_OF_IT):
        coded = base64.b64encode(bytes(before) + raw).decode()[first : (before + len(raw)) * 8 // 6]
        found |= {coded, coded.translate(_URL_SAFE)}
    return found


def without(text: AnyStr, forms: Iterable[AnyStr], hidden: AnyStr) -> AnyStr:
    """The text with ``hidden`` in the place of every form; where forms overlap, once for all of them."""
    return without_places(text, places_of(text, forms), hidden)


def without_places(text: AnyStr, places: Iterable[tuple[int, int]], hidden: AnyStr) -> AnyStr:
    """The text with ``hidden`` in each place; for places that overlap once."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    kept: list[AnyStr] = []
    at = 0
    for start, end in joined:
        kept += [text[at:start], hidden]
        at = end
    kept.append(text[at:])
    return hidden[:0].join(kept)


def places_of(text: AnyStr, forms: Iterable[AnyStr]) -> list[tuple[int, int]]:
    """Where the forms stand, in no order."""
    return [place for form in forms for place in _found(text, form)]


def _found(text: AnyStr, form: AnyStr) -> Iterator[tuple[int, int]]:
    """Each place of a form. Where it overlaps itself, as ``aXa`` does in ``aXaXa``, they may be one.

    A form that repeats itself (``aaaa``) may stand at each letter; of those that follow at the same distance
    only the new letters are compared, so that the time is in proportion to the text.
    """
    at = text.find(form)
    while at >= 0:
        start, end = at, at + len(form)
        within = text.find(form, start + 1, end + len(form) - 1)
        if within >= 0:
            more = form[start - within :]
            end = within + len(form)
            while text.startswith(more, end):
                end += len(more)
        yield start, end
        at = text.find(form, end - len(form) + 1)


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
        """Remember a value."""
        if len(text) < SHORTEST:
            return
        self._forms[text] = self._forms.pop(text, ())
        if len(self._forms) > self._most:
            del self._forms[next(iter(self._forms))]

    def hide(self, payload: bytes) -> bytes:
        """A payload without them, whatever their letters are written as."""
        every = [form for secret in self._forms for form in self._forms_of(secret)]
        if b"\\" in payload or b"%" in payload:
            payload = self._hide_coded(payload, every)
        return without(payload, every, HIDDEN.encode())

    def _forms_of(self, secret: str) -> tuple[bytes, ...]:
        """The forms that it may be written in; found when they are searched for the first time."""
        if not self._forms[secret]:
            written = {*forms_of(secret), *forms_within(secret), escaped(secret)}
            self._forms[secret] = tuple(form.encode("utf-8", "replace") for form in written)
        return self._forms[secret]

    def _hide_coded(self, payload: bytes, every: list[bytes]) -> bytes:
        text = payload.decode("utf-8", "surrogateescape")
        forms = [*self._forms, *(form.decode("utf-8", "surrogateescape") for form in every)]
        places = places_as_meant(text, lambda meant: places_of(meant, forms))
        return without_places(text, places, HIDDEN).encode("utf-8", "surrogateescape") if places else payload
