"""Remedies for components that are down: when, how often, whether they helped. Pure, time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.policy import Remedy

RemedyEvent = Literal["act", "helped", "did not help", "given up", "recovered by itself"]


@dataclass(slots=True)
class Treatment:
    """What was tried on a component since it was last well for long enough.

    ``asked`` is when it was last probed; ``verify_at`` None while nothing is to be verified. ``healthy`` are
    the healthy answers in a row, the first of them at ``healthy_since``. ``acted`` are the tries that were no
    dry runs.
    """

    failures: int = 0
    tries: int = 0
    acted: int = 0
    asked: float | None = None
    last: float | None = None
    verify_at: float | None = None
    given_up: bool = False
    healthy: int = 0
    healthy_since: float | None = None


def treat(
    treatments: dict[str, Treatment],
    remedies: tuple[Remedy, ...],
    found: Assessment,
    now: float,
    dry: Callable[[Remedy], bool] = lambda remedy: remedy.dry_run,
) -> Iterator[tuple[Remedy, RemedyEvent]]:
    """The steps to take now; updates the treatments as if they were taken.

    ``did not help`` is reported once per try, when the component was probed again ``verify_after_s`` later
    and was not healthy; ``helped`` once it has recovered. Of a ``dry`` run neither is said: nothing was done.
    """
    rows = {row.name: row for row in found.components}
    for remedy in remedies:
        known = treatments.setdefault(remedy.component, Treatment())
        row = rows[remedy.component]
        if row.at is not None and row.at == known.asked:
            continue
        known.asked = row.at
        if row.status == "healthy":
            known.failures = 0
            if _recovered(known, remedy, now):
                treatments[remedy.component] = Treatment(asked=row.at)
                if known.tries:
                    yield remedy, "helped" if known.acted else "recovered by itself"
            continue
        known.healthy, known.healthy_since = 0, None
        if known.verify_at is not None and row.at is not None and row.at >= known.verify_at:
            known.verify_at = None
            if not dry(remedy):
                yield remedy, "did not help"
        known.failures = known.failures + 1 if row.status == "down" else 0
        if not known.failures >= remedy.after or known.verify_at is not None:
            continue
        yield from _act(known, remedy, now, dry=dry(remedy))


def _recovered(known: Treatment, remedy: Remedy, now: float) -> bool:
    """Count a healthy answer; whether there are enough of them in a row, over a long enough time."""
    known.healthy += 1
    if known.healthy_since is None or known.healthy_since > now:
        known.healthy_since = now
    lasted = now - known.healthy_since >= remedy.recovered_after_s
    return known.healthy >= remedy.successes and lasted


def _act(known: Treatment, remedy: Remedy, now: float, *, dry: bool) -> Iterator[tuple[Remedy, RemedyEvent]]:
    if known.tries >= remedy.tries:
        if not known.given_up:
            known.given_up = True
            yield remedy, "given up"
    elif known.last is None or not 0 <= now - known.last < remedy.cooldown_s:
        known.tries += 1
        known.acted += not dry
        known.last = now
        known.verify_at = now + remedy.verify_after_s
        yield remedy, "act"
