"""Remedies for components that are down: when, how often, whether they helped. Pure, time is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.policy import Remedy

Step = Literal["act", "helped", "did not help", "given up"]


@dataclass(slots=True)
class Treatment:
    """What was tried on a component since it went down.

    ``asked`` is when it was last probed; ``verify_at`` None while nothing is to be verified.
    """

    failures: int = 0
    tries: int = 0
    asked: float | None = None
    last: float | None = None
    verify_at: float | None = None
    given_up: bool = False


def treat(
    treatments: dict[str, Treatment], remedies: tuple[Remedy, ...], found: Assessment, now: float
) -> Iterator[tuple[Remedy, Step]]:
    """The steps to take now; updates the treatments as if they were taken.

    ``helped`` and ``did not help`` are reported once, when the component was probed again
    ``verify_after_s`` later.
    """
    rows = {row.name: row for row in found.components}
    for remedy in remedies:
        known = treatments.setdefault(remedy.component, Treatment())
        row = rows[remedy.component]
        if row.at is not None and row.at == known.asked:
            continue
        known.asked = row.at
        asked_after = known.verify_at is not None and row.at is not None and row.at >= known.verify_at
        if row.status == "healthy":
            if known.tries:
                yield remedy, "helped"
            treatments[remedy.component] = Treatment()
            continue
        if asked_after:
            known.verify_at = None
            yield remedy, "did not help"
        known.failures = known.failures + 1 if row.status == "down" else 0
        if not known.failures >= remedy.after or known.verify_at is not None:
            continue
        yield from _act(known, remedy, now)


def _act(known: Treatment, remedy: Remedy, now: float) -> Iterator[tuple[Remedy, Step]]:
    if known.tries >= remedy.tries:
        if not known.given_up:
            known.given_up = True
            yield remedy, "given up"
    elif known.last is None or now - known.last >= remedy.cooldown_s:
        known.tries += 1
        known.last = now
        known.verify_at = now + remedy.verify_after_s
        yield remedy, "act"
