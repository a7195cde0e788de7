"""Secrets that a target sent and a connection kept: taken out of every payload that is shown."""

from __future__ import annotations

from loadtest.plan.template import escaped

SHORTEST = 4
"""A shorter value would take innocent text with it."""

MOST = 64
"""Forms of kept values that are taken out: the newest."""

HIDDEN = b"[redacted]"
"""Stands where a kept secret stood."""


class KeptSecrets:
    """The kept values of one connection whose names sound like secrets."""

    __slots__ = ("_forms",)

    def __init__(self) -> None:
        # In the order of coming, so that the oldest is forgotten.
        self._forms: dict[bytes, None] = {}

    def add(self, text: str) -> None:
        """Remember a value, as it is and as it stands in JSON."""
        if len(text) < SHORTEST:
            return
        for form in (text.encode("utf-8", "replace"), escaped(text).encode()):
            self._forms.pop(form, None)
            self._forms[form] = None
        while len(self._forms) > MOST:
            del self._forms[next(iter(self._forms))]

    def hide(self, payload: bytes) -> bytes:
        """A payload without them."""
        for form in self._forms:
            payload = payload.replace(form, HIDDEN)
        return payload
