"""Secrets that came over one connection, taken out of what the target says on every other one.

Each connection hides its own at once (``speak.kept_secrets``). A target may repeat what it gave one user to
another: that is hidden here, once a second and only where frames are kept, for it costs a search for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from loadtest.speak.kept_secrets import KeptSecrets

MAX_SECRETS: Final = 256
"""Values of a process that are known at a time: the newest."""

SHORTEST: Final = 8
"""A shorter value ("dark", "en-GB") is a setting sooner than a secret, and stands in innocent text."""


class LearnedSecrets:
    """The secrets that the connections of one process have seen, up to ``MAX_SECRETS``."""

    __slots__ = ("_kept", "_new")

    def __init__(self) -> None:
        self._kept = KeptSecrets(MAX_SECRETS)
        self._new: dict[str, None] = {}

    def add(self, secret: str) -> None:
        """Remember it. How it may be written is found out when that is needed: this is called a connect."""
        if len(secret) < SHORTEST:
            return
        self._new.pop(secret, None)
        self._new[secret] = None
        if len(self._new) > MAX_SECRETS:
            del self._new[next(iter(self._new))]

    def clean(self, frames: Iterable[dict[str, Any]]) -> None:
        """Take them out of the payloads of frame logs."""
        rows = [row for each in frames for row in each["frames"] if row[1]]
        for row, text in zip(rows, self.without([row[1] for row in rows]), strict=True):
            row[1] = text

    def counted(self, reasons: dict[str, int]) -> dict[str, int]:
        """How often each reason was seen, without them: some may be one then."""
        found: Counter[str] = Counter()
        for reason, n in zip(self.without(list(reasons)), reasons.values(), strict=True):
            found[reason] += n
        return dict(found)

    def without(self, texts: list[str]) -> list[str]:
        """The texts without them."""
        for secret in self._new:
            self._kept.add(secret)
        self._new = {}
        if not texts or not self._kept.texts:
            return texts
        payloads = [text.encode("utf-8", "replace") for text in texts]
        return [payload.decode("utf-8", "replace") for payload in self._kept.hide_all(payloads)]
