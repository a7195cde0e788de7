"""A suite of runs: how each ended, what did not fit into the budget, and one exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtest.errors import Exit, worst_of
from loadtest.judge.manifest_access import Manifest, section

SCHEMA = "loadtest.suite/1"

OVERHEAD_S = 5.0
"""What a run takes beside its planned time, before one has shown it: to start, drain and write its views."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One run that is to be made: of a scenario that is at ``ref``, for the ``number``-th time.

    ``planned_s`` is warm-up and measured part.
    """

    scenario: str
    ref: str
    number: int
    planned_s: float


@dataclass(frozen=True, slots=True)
class Made:
    """How it ended. ``manifest`` is empty where no run was kept; ``why`` says more where there is more.

    A run that was not made has ``exit_code`` None: it is no pass, and the suite cannot be one either.
    """

    planned: Planned
    exit_code: Exit | None
    why: str
    manifest: Manifest = field(default_factory=dict)
    path: str = ""
    took_s: float | None = None

    @property
    def outcome(self) -> str:
        """One word: that of the run's verdict, or "not run", or "error" where none was kept."""
        if self.exit_code is None:
            return "not run"
        return str(section(self.manifest, "verdict").get("outcome") or "error")

    @property
    def counts_as(self) -> Exit:
        """The exit code that it adds to the suite: what was not run is not known."""
        return Exit.INVALID if self.exit_code is None else self.exit_code

    def as_dict(self) -> dict[str, Any]:
        """As in ``suite.json``."""
        return {
            "scenario": self.planned.scenario,
            "number": self.planned.number,
            "run": self.manifest.get("id"),
            "path": self.path or None,
            "outcome": self.outcome,
            "exit_code": None if self.exit_code is None else int(self.exit_code),
            "why": self.why,
            "planned_s": self.planned.planned_s,
            "took_s": self.took_s,
            "thresholds": list(section(self.manifest, "verdict").get("thresholds") or ()),
        }


@dataclass(frozen=True, slots=True)
class Suite:
    """Many runs. ``budget_s`` None: there was no limit of time."""

    label: str | None
    started: str
    runs: tuple[Made, ...]
    took_s: float
    budget_s: float | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def exit_code(self) -> Exit:
        """The worst of all runs; interrupted, where somebody ended it between two of them."""
        codes = [made.counts_as for made in self.runs]
        return worst_of([*codes, Exit.INTERRUPTED] if self.interrupted else codes)

    @property
    def simulated(self) -> bool:
        """Whether our own simulator answered any of them."""
        return any(section(made.manifest, "target").get("simulated") for made in self.runs)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for machines."""
        return {
            "schema": SCHEMA,
            "label": self.label,
            "started": self.started,
            "took_s": self.took_s,
            "budget_s": self.budget_s,
            "exit_code": int(self.exit_code),
            "interrupted": self.interrupted,
            "simulated": self.simulated,
            "runs": [made.as_dict() for made in self.runs],
            "left_out": dict(self.left_out),
        }


def overhead_s(runs: list[Made]) -> float:
    """What a run takes beside its planned time, as the slowest so far did."""
    beside = [made.took_s - made.planned.planned_s for made in runs if made.took_s is not None]
    return max([0.0, *beside]) if beside else OVERHEAD_S


def no_room(planned: Planned, left_s: float | None, overhead: float) -> str | None:
    """Why a run does not fit into what is left of the budget; None if it does."""
    needed = planned.planned_s + overhead
    if left_s is None or needed <= left_s:
        return None
    return f"the run takes about {needed:.0f} s, but only {max(left_s, 0):.0f} s of the budget were left"


def why_of(manifest: Manifest, code: Exit, last_words: str) -> str:
    """One sentence on how a run ended: its verdict's reason, else the last it said."""
    reason = section(manifest, "verdict").get("reason")
    if reason:
        return str(reason)
    return last_words or f"The command ended with exit code {int(code)} and stored no run."
