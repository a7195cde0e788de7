"""What one process observes beside its counters: the target's own words, and reasons."""

from __future__ import annotations

from typing import Any

from loadtest.speak.refused import Refused

REASONS_KEPT = 20
"""Different reasons of a kind that a process keeps."""

REASONS = frozenset({"refusals", "closes", "still_opening", "tasks_raised", "tasks_failed"})
"""The kinds of reasons: a fact under one of these names says how often each reason was seen."""


class Observations:
    """``facts``: what was observed, by code, with its numbers."""

    def __init__(self) -> None:
        self.facts: dict[str, dict[str, Any]] = {}

    def saw_server(self, server: str, subprotocol: str | None) -> None:
        """Keep what the target says of itself; the first answer counts."""
        if "server" not in self.facts:
            self.facts["server"] = {"server": server, "subprotocol": subprotocol}

    def saw_refusal(self, refused: Refused) -> None:
        """The target refused a connection."""
        self.add_reason("refusals", f"{refused.layer}: {refused.reason}")

    def saw_still_opening(self, reason: str) -> None:
        """We leave a connection that is not ready: ``reason`` says what it was waiting for, by layer."""
        self.add_reason("still_opening", reason)

    def saw_close(self, code: int, reason: str) -> None:
        """The target closed a connection and gave a reason."""
        self.add_reason("closes", f"code {code}: {reason}")

    def add_reason(self, kind: str, reason: str) -> None:
        """Count a reason; of each kind only the first ``REASONS_KEPT`` different ones are kept."""
        reasons = self.facts.setdefault(kind, {})
        if reason in reasons or len(reasons) < REASONS_KEPT:
            reasons[reason] = reasons.get(reason, 0) + 1
