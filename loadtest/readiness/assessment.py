"""An assessment as data: every number with its formula, its inputs and what is not known about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import msgspec

from loadtest.readiness.evidence import Measure
from loadtest.readiness.objectives import Unit, format_value
from loadtest.readiness.policy import Function

SCHEMA = "loadtest.readiness/1"

Status = Literal["healthy", "degraded", "down", "unknown"]
Verdict = Literal["GO", "NO-GO", "INCONCLUSIVE"]
Urgency = Literal["IMMEDIATE", "HIGH", "MEDIUM"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A computed number; ``value`` None where nothing was known.

    ``low`` and ``high``: where unknown components could take it. ``formula`` in words, ``arithmetic`` with
    inputs. ``age_s``: how old the oldest evidence is that it rests on.
    """

    name: str
    title: str
    unit: Unit
    value: float | None
    formula: str
    arithmetic: str
    low: float | None = None
    high: float | None = None
    age_s: float | None = None

    @property
    def text(self) -> str:
        """The value as views print it."""
        return format_value(self.value, self.unit)

    @property
    def span(self) -> str:
        """The range of the value once every component is known; empty where nothing is unknown."""
        if self.low is None or self.high is None or self.low == self.high:
            return ""
        return f"between {format_value(self.low, self.unit)} and {format_value(self.high, self.unit)}"


@dataclass(frozen=True, slots=True)
class LevelRow:
    """One measure held against its levels; outcome healthy, degraded, down or unknown."""

    measure: str
    measured: str
    n: int
    warn: str
    critical: str
    outcome: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """One component as judged. ``freshness`` is 0 to 1, 0 where it is unknown.

    ``late`` are the milliseconds by which we ourselves may have been late with each of ``samples``. ``owner``
    and ``eta`` stand in the policy so. ``missed`` are measures that missed thresholds of its own
    scenario, where those bind. ``cause`` is the likely cause by its evidence, ``report`` the report of its
    run, relative to the results folder; both may be empty.
    """

    name: str
    title: str
    kind: str
    priority: str
    weight: float
    required: bool
    status: Status
    score: float | None
    score_formula: str
    response: str
    said: str
    error: str
    issues: tuple[str, ...]
    lines: tuple[str, ...]
    levels: tuple[LevelRow, ...]
    measures: dict[str, Measure]
    samples: tuple[float | None, ...]
    at: float | None
    age_s: float | None
    freshness: float
    fresh_s: float
    took_s: float
    through: tuple[str, ...] = ()
    simulated: bool = False
    missed: tuple[str, ...] = ()
    owner: str = ""
    eta: str = ""
    late: tuple[float, ...] = ()
    cause: str = ""
    report: str = ""

    @property
    def broken_promise(self) -> str:
        """That it is critical and its scenario missed thresholds that bind; empty where that is not so.

        That alone makes a NO-GO.
        """
        if self.priority != "critical" or not self.missed or self.status == "down":
            return ""
        told = "; ".join(self.promises).replace(" was missed: it was", ": was").replace(" was missed", "")
        return f"critical: its scenario missed {told or ', '.join(self.missed)}"

    @property
    def promises(self) -> tuple[str, ...]:
        """The issues that say which thresholds of its scenario were missed."""
        return tuple(issue for issue in self.issues if issue.partition(" ")[0] in self.missed)

    @property
    def why(self) -> str:
        """All that is wrong with it, the failing try or the level that was passed, then what was found."""
        issues = [issue for issue in self.issues if issue not in self.said]
        return "; ".join((*issues, self.said))


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRow(Function):
    """A business function: working, degraded, out, or unknown, and by which component."""

    status: Literal["working", "degraded", "out", "unknown"]
    why: str


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """A trigger or gate: outcome TRIGGERED / not triggered / unknown, or met / missed / unknown.

    ``turned``: its title names what must not be.
    """

    title: str
    fact: str
    expression: str
    measured: str
    formula: str
    arithmetic: str
    outcome: str
    note: str = ""
    age_s: float | None = None
    turned: bool = False

    @property
    def rule(self) -> str:
        """What must hold, as a title."""
        return f"not: {self.title}" if self.turned else self.title


@dataclass(frozen=True, slots=True)
class CriterionRow:
    """A success criterion: met, missed or unknown."""

    title: str
    component: str
    expected: str
    measured: str
    outcome: Literal["met", "missed", "unknown"]
    reason: str = ""
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Risk:
    """What threatens the release; ``cause`` is a hint from the class of the error."""

    level: Literal["critical", "high", "medium", "low"]
    title: str
    cause: str
    impact: str


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done, in this order."""

    urgency: Urgency
    component: str
    text: str


@dataclass(frozen=True, slots=True)
class Blocker:
    """One reason against GO; kind part, threshold, criterion, gate, trigger, rollback or unknown."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class RollbackRow:
    """The rollback command as printed, what became of its check, and of itself (None: not requested).

    ``said`` is of the one that was run; ``after`` is the assessment that it was run after.
    """

    command: str
    check: str
    verified: bool | None = None
    said: str = ""
    worked: bool | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class UptimeShare:
    """Of the time ``over`` ("1h", "24h", "7d") that a component was known, the share when it was not down.

    ``up`` is None where what is kept does not reach so far back, or nothing in it is known; ``known`` is the
    share of that time in which it was known.
    """

    over: str
    up: float | None
    known: float


@dataclass(frozen=True, slots=True)
class OutageRow:
    """How often and how long a component was down, as the assessments that are kept show it.

    ``since`` is when it was first found down, None where it is not down. ``mean_s`` is the mean time to
    recovery over ``n`` outages that are over, ``last_s`` that of the last. ``up`` is the share of ``known_s``
    in which it was not down.
    """

    name: str
    title: str
    since: float | None
    n: int
    last_s: float | None
    mean_s: float | None
    up: float | None
    known_s: float
    shares: tuple[UptimeShare, ...] = ()


@dataclass(frozen=True, slots=True)
class CoursePoint:
    """What ``n`` assessments in a row found, up to the Unix time ``at``: the worst of each.

    ``health`` None: not known. ``status`` is by the name of a component, as far as it was assessed.
    """

    at: float
    n: int
    health: float | None
    status: dict[str, Status]


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A route of alerts: when its last message arrived, how many wait, and why the last one failed."""

    name: str
    kind: str
    severities: tuple[str, ...]
    last: float | None = None
    waiting: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """A problem that lasts; ``told`` says since when and to whom, or why not."""

    title: str
    severity: str
    since: float
    told: str


@dataclass(frozen=True, slots=True)
class Monitoring:
    """The watch at one time: how it probes, whom it alerts, and what is open.

    ``next_at`` is the Unix time at which it probes again. ``silences`` are sentences, ``heartbeat`` says
    whether somebody watches the watch. Where it is not ``running``, this is what the last one left.
    """

    at: float
    next_at: float
    components: int
    routes: tuple[RouteRow, ...]
    incidents: tuple[IncidentRow, ...]
    silences: tuple[str, ...]
    heartbeat: str
    running: bool = True


@dataclass(frozen=True, slots=True)
class Assessment:
    """The GO / NO-GO of a system at one time.

    ``release`` is the label or commit that was judged, ``by`` who asked for it. ``review_at`` is when it is
    to be looked at again, by the policy; ``good_until`` is when the first of its evidence is too old.
    """

    id: str
    policy: str
    question: str
    policy_sha256: str
    at: float
    took_s: float
    verdict: Verdict
    exit_code: int
    why: str
    figures: dict[str, Figure]
    confidence: Figure
    components: tuple[ComponentRow, ...]
    functions: tuple[FunctionRow, ...]
    triggers: tuple[ConditionRow, ...]
    gates: tuple[ConditionRow, ...]
    criteria: tuple[CriterionRow, ...]
    risks: tuple[Risk, ...]
    actions: tuple[Action, ...]
    blockers: tuple[Blocker, ...]
    rollback: RollbackRow | None = None
    changes: tuple[str, ...] | None = None
    trend: tuple[str, ...] = ()
    outages: tuple[OutageRow, ...] = ()
    release: str = ""
    by: str = ""
    review_at: float | None = None
    good_until: float | None = None
    course: tuple[CoursePoint, ...] = ()
    monitoring: Monitoring | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    def plain(self) -> dict[str, Any]:
        """The assessment as JSON knows it."""
        return asdict(self)


def from_plain(data: Any) -> Assessment:
    """The assessment that ``plain`` made.

    Raises:
        ValueError: it was not made so.
    """
    return msgspec.convert(data, Assessment, strict=False)
