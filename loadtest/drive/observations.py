"""What one process observes beside its counters: the target's own words, and reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from loadtest.measure.reasons import Reasons, most_frequent
from loadtest.speak.connect_refusal import ConnectRefusal

REASONS = frozenset(
    {
        "refusals",
        "closes",
        "still_opening",
        "lookups_failed",
        "tasks_raised",
        "tasks_failed",
        "not_undone",
        "error_answers",
    }
)
"""The kinds of reasons: a fact under one of these names says how often each reason was seen."""


SOUNDS_WRONG = "answers_sound_wrong"

LISTED = {"server": {"server"}, "other_hosts": {"hosts"}}
"""By fact what each process may see another of: all of them are told."""

LOOKED_AT = 50
"""Answers that are looked at, while each of them sounds like an error."""


def add_facts(known: dict[str, Any], facts: Mapping[str, Mapping[str, Any]]) -> None:
    """Add the facts of another process, or of another population, to those that are known.

    How often each reason was seen adds up, the most frequent first; what the target calls itself is listed.
    Of steps of the clock the longest counts, of any other fact the last one.
    """
    for code, numbers in facts.items():
        of_code = known.setdefault(code, {})
        told = _together(code, of_code, numbers)
        of_code.clear()
        of_code.update(told)


def _together(code: str, known: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    if code in REASONS:
        return most_frequent(Counter(known) + Counter(told))
    found = {**known, **told}
    if code == "clock_stepped" and abs(known.get("by_ms", 0)) > abs(told.get("by_ms", 0)):
        return dict(known)
    if code == SOUNDS_WRONG:
        found["answers"] = known.get("answers", 0) + told.get("answers", 0)
    for name in found.keys() & LISTED.get(code, set()):
        said = [*str(known.get(name) or "").split(", "), *str(told.get(name) or "").split(", ")]
        found[name] = ", ".join(dict.fromkeys(each for each in said if each))
    return found


class Observations:
    """What was observed."""

    def __init__(self) -> None:
        self._server: dict[str, Any] = {}
        self._reasons: dict[str, Reasons] = {}
        self._noted: dict[str, dict[str, Any]] = {}
        self.looks_at_answers = True
        self._answers = 0

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """What was observed, by code, with its numbers."""
        server = {"server": self._server} if self._server else {}
        told = {kind: reasons.counts() for kind, reasons in self._reasons.items()}
        return {**server, **told, **self._noted}

    def note(self, code: str, numbers: dict[str, Any]) -> None:
        """Keep a fact about this process under its code; the last one counts."""
        self._noted[code] = numbers

    def saw_server(self, server: str, subprotocol: str | None) -> None:
        """Keep what the target says of itself; the first answer counts."""
        if not self._server:
            self._server = {"server": server, "subprotocol": subprotocol}

    def saw_refusal(self, refused: ConnectRefusal) -> None:
        """The target refused a connection."""
        self.add_reason("refusals", f"{refused.layer}: {refused.reason}")

    def saw_still_opening(self, reason: str) -> None:
        """We leave a connection that is not ready: ``reason`` says what it was waiting for, by layer."""
        self.add_reason("still_opening", reason)

    def saw_close(self, code: int, reason: str) -> None:
        """The target closed a connection and gave a reason."""
        self.add_reason("closes", f"code {code}: {reason}")

    def saw_answer(self, error: str) -> None:
        """One of the first answers that completed a turn; ``error`` is its type if it sounds like one."""
        self._answers += 1
        if error:
            self.note(SOUNDS_WRONG, {"answers": self._answers, "type": error})
        else:
            self._noted.pop(SOUNDS_WRONG, None)
        self.looks_at_answers = bool(error) and self._answers < LOOKED_AT

    def add_reason(self, kind: str, reason: str) -> None:
        """Count a reason."""
        self._reasons.setdefault(kind, Reasons()).add(reason)
