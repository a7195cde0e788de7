"""Secrets that a target sent and a connection kept: taken out of every payload that is shown."""

from __future__ import annotations

import json
import re

from loadtest.plan.template import escaped

SHORTEST = 4
"""A shorter value would take innocent text with it."""

MOST = 64
"""Kept values that are taken out: the newest."""

HIDDEN = b"[redacted]"
"""Stands where a kept secret stood."""

_LETTER = re.compile(
    r"\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
    r"|\\u[0-9A-Fa-f]{4}|\\[\"\\/bfnrt]|.",
    re.DOTALL,
)
r"""One letter as it may stand in JSON: ``+`` also as ``\u002B``, ``/`` also as ``\/``."""


class KeptSecrets:
    """The kept values of one connection whose names sound like secrets."""

    __slots__ = ("_forms",)

    def __init__(self) -> None:
        # Each value with its forms, in the order of coming, so that the oldest is forgotten.
        self._forms: dict[str, tuple[bytes, bytes]] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        """The values, the oldest first."""
        return tuple(self._forms)

    def add(self, text: str) -> None:
        """Remember a value, as it is and as it stands in JSON."""
        if len(text) < SHORTEST:
            return
        self._forms.pop(text, None)
        self._forms[text] = (text.encode("utf-8", "replace"), escaped(text).encode())
        if len(self._forms) > MOST:
            del self._forms[next(iter(self._forms))]

    def hide(self, payload: bytes) -> bytes:
        """A payload without them, however JSON escapes their letters."""
        for forms in self._forms.values():
            for form in forms:
                payload = payload.replace(form, HIDDEN)
        return self._hide_escaped(payload) if b"\\u" in payload or b"\\/" in payload else payload

    def _hide_escaped(self, payload: bytes) -> bytes:
        # A letter is one place in both lists, however it is written.
        written = _LETTER.findall(payload.decode("utf-8", "surrogateescape"))
        meant = "".join(json.loads(f'"{each}"') if len(each) > 1 else each for each in written)
        for text in self._forms:
            at = meant.find(text)
            while at >= 0:
                end = at + len(text)
                written[at:end] = [HIDDEN.decode(), *[""] * (len(text) - 1)]
                at = meant.find(text, end)
        return "".join(written).encode("utf-8", "surrogateescape")
