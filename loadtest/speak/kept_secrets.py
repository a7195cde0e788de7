"""Secrets that come with one connection: kept of what the target sent, or sent to it and not known before.

They are taken out of every payload and reason of that connection that is shown. How a secret may be written,
and how several that overlap are taken out, is here for the redaction of files as well (``keep.redact``).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterable, Iterator
from typing import AnyStr
from urllib.parse import quote, quote_plus

from loadtest.plan.template import escaped
from loadtest.speak.coded_text import is_coded, readings

SHORTEST = 4
"""A shorter value would take innocent text with it."""

MAX_SECRETS = 64
"""Values of one connection that are taken out: the newest."""

HIDDEN = "[redacted]"
"""Stands where a secret stood."""

MOST_WITHIN = 8
"""So many secrets at most are searched for within a longer code as well: each has eight more forms there."""

_BETWEEN = b"\x00\xff\x00"
"""Between payloads that are searched as one: no form, which is a text in UTF-8, holds it."""

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

    __slots__ = ("_forms", "_most", "_searched", "_within")

    def __init__(self, most: int = MAX_SECRETS) -> None:
        self._most = most
        # Each value with its forms, in the order of coming, so that the oldest is forgotten.
        self._forms: dict[str, tuple[bytes, ...]] = {}
        self._within: dict[str, tuple[bytes, ...]] = {}
        # All that is searched for; None: to be put together.
        self._searched: tuple[bytes, ...] | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The values, the oldest first."""
        return tuple(self._forms)

    def add(self, text: str) -> None:
        """Remember a value. How it may be written is found out when it is searched for the first time."""
        if len(text) < SHORTEST:
            return
        known = self._forms.pop(text, None)
        self._forms[text] = known or ()
        if known is not None:
            return
        self._searched = None
        if len(self._forms) > self._most:
            oldest = next(iter(self._forms))
            del self._forms[oldest]
            self._within.pop(oldest, None)

    def hide(self, payload: bytes) -> bytes:
        """A payload without them, whatever their letters are written as."""
        return self.hide_all([payload])[0]

    def hide_all(self, payloads: list[bytes]) -> list[bytes]:
        """Payloads without them. All are searched as one, since most hold none of them."""
        forms = self._every_form()
        standing = _standing(forms, payloads)
        payloads = _without_coded(payloads, forms)
        if not standing:
            return payloads
        return [without(payload, standing, HIDDEN.encode()) for payload in payloads]

    def _every_form(self) -> tuple[bytes, ...]:
        """The forms of all; those within a longer code only while they are few, since each takes a search."""
        if self._searched is None:
            forms = [form for secret in self._forms for form in self._forms_of(secret)]
            if len(self._forms) <= MOST_WITHIN:
                forms += [form for secret in self._forms for form in self._forms_within(secret)]
            self._searched = tuple(dict.fromkeys(forms))
        return self._searched

    def _forms_of(self, secret: str) -> tuple[bytes, ...]:
        if not self._forms[secret]:
            written = {form.encode("utf-8", "replace") for form in {*forms_of(secret), escaped(secret)}}
            self._forms[secret] = tuple(written | {secret.encode("utf-8", "surrogatepass")})
        return self._forms[secret]

    def _forms_within(self, secret: str) -> tuple[bytes, ...]:
        if secret not in self._within:
            self._within[secret] = tuple(form.encode() for form in forms_within(secret))
        return self._within[secret]


def _standing(forms: Iterable[bytes], payloads: Iterable[bytes]) -> list[bytes]:
    """The forms that stand in one of the payloads at least."""
    joined = _BETWEEN.join(payloads)
    return [form for form in forms if form in joined]


def _without_coded(payloads: list[bytes], forms: Collection[bytes]) -> list[bytes]:
    """The payloads without the forms in those that are coded; each of these is decoded once."""
    coded = {
        at: readings(payload.decode("utf-8", "surrogateescape"))
        for at, payload in enumerate(payloads)
        if is_coded(payload)
    }
    if not coded:
        return payloads
    reach = max(map(len, forms), default=1)
    parts = (part for found in coded.values() for each in found for part in each.new_parts(reach))
    meant = (part.encode("utf-8", "surrogatepass") for part in parts)
    standing = [form.decode("utf-8", "surrogatepass") for form in _standing(forms, meant)]
    if not standing:
        return payloads
    shown = list(payloads)
    for at, found in coded.items():
        places = [each.written(place) for each in found for place in places_of(each.meant, standing)]
        text = payloads[at].decode("utf-8", "surrogateescape")
        shown[at] = without_places(text, places, HIDDEN).encode("utf-8", "surrogateescape")
    return shown
