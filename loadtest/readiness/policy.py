"""The policy: the components of a system, how each is probed, and what makes it a GO.

Durations end ``_s`` and are seconds; ratios are 0 to 1. Everything is frozen and valid by construction
(``policy_file.load_policy``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from loadtest.plan.threshold import COMPLETE_RATIO
from loadtest.readiness.objectives import Objective, Unit
from loadtest.readiness.probe import Probe

Priority = Literal["critical", "important", "optional"]
Severity = Literal["info", "warning", "critical"]
RouteKind = Literal["webhook", "slack", "email", "command", "apprise"]

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

WEIGHTS: Mapping[str, float] = {"critical": 3.0, "important": 2.0, "optional": 1.0}
"""What a component of each priority weighs where the policy gives no weight of its own."""

DISTRIBUTION = ("n", "min", "p50", "p95", "max", "mean")
"""Statistics of every measured duration; p95 needs 20 samples, p50 two."""


def _durations(*names: str) -> dict[str, Unit]:
    return {
        f"{name}.{statistic}": "count" if statistic == "n" else "ms"
        for name in names
        for statistic in DISTRIBUTION
    }


MEASURES: Mapping[str, Mapping[str, Unit]] = {
    "http": {**_durations("latency"), "answered.ratio": "ratio", "tls.expires_in": "days"},
    "tcp": {**_durations("connect"), "answered.ratio": "ratio"},
    "tls": {**_durations("handshake"), "answered.ratio": "ratio", "tls.expires_in": "days"},
    "dns": {**_durations("resolve"), "answered.ratio": "ratio"},
    "prometheus": {"value.min": "number", "value.max": "number", "series": "count"},
    "grpc": {**_durations("latency"), "answered.ratio": "ratio", "tls.expires_in": "days"},
    "kubernetes": {
        **dict.fromkeys(("wanted", "running", "missing", "restarts"), "count"),
        "ready.ratio": "ratio",
    },
    "command": {**_durations("took"), "exit_code": "count"},
    "tests": {
        **dict.fromkeys(
            ("should_run", "passed", "failed", "errors", "skipped", "not_collected", "instant", "repeated"),
            "count",
        ),
        "passed.ratio": "ratio",
    },
    "database": {**_durations("connect", "query"), "answered.ratio": "ratio", "tls.expires_in": "days"},
    "redis": {**_durations("ping"), "answered.ratio": "ratio", "tls.expires_in": "days"},
    "containers": {
        **dict.fromkeys(("wanted", "running", "missing", "unhealthy", "restarts"), "count"),
        "running.ratio": "ratio",
    },
    "resources": {
        "cpu.ratio": "ratio",
        "memory.ratio": "ratio",
        "disk.ratio": "ratio",
        "connections": "count",
    },
    "websocket": {"answered.ratio": "ratio", "tls.expires_in": "days"},
}
"""What each kind of probe measures, with its unit; a websocket probe also what thresholds can name."""

FACTS: Mapping[str, Unit] = {
    "health.overall": "ratio",
    "health.coverage": "ratio",
    "confidence": "ratio",
    "components.failed": "count",
    "components.critical.failed": "count",
    "components.degraded": "count",
    "components.unknown": "count",
    "impact.business": "impact",
    "impact.users": "ratio",
    "impact.value": "ratio",
    "failures.in_a_row": "count",
}
"""What triggers and gates can speak of, facts about the whole system, with their units."""

KEEP_S, KEEP_RUNS_S = 7 * 86_400.0, 86_400.0
"""How long whole assessments are kept, and the load runs made for them: a watch makes thousands a week."""

DEFAULT_LEVELS: Mapping[str, tuple[str, str]] = {
    "answered.ratio": ("< 95%", "< 50%"),
    "tls.expires_in": ("< 14d", "< 3d"),
    "ready.ratio": ("< 100%", "< 50%"),
}
"""Where a component is degraded, and where it is down, if its policy has no level for what was measured."""

INSTEAD: Mapping[str, str] = {COMPLETE_RATIO: "answered.ratio"}
"""A level of the first stands in the place of the default one of the second."""


@dataclass(frozen=True, slots=True)
class Level:
    """Beyond ``warn`` a component is degraded, beyond ``critical`` it is down.

    ``default``: the policy says nothing else; it holds where the measure was measured.
    """

    measure: str
    unit: Unit
    warn: Objective | None = None
    critical: Objective | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class Component:
    """One component of the system and how it is probed.

    ``through`` names the only components by which it is reached. ``score`` is "status", or the name of a
    ratio whose value is the score. ``fresh_s`` is how old its evidence may be; ``every_s`` how often watch
    probes it. ``owner`` and ``eta`` are only shown. ``binding``: a missed threshold of its own
    scenario blocks a release where it is critical.
    """

    name: str
    title: str
    kind: str
    probe: Probe
    priority: Priority = "critical"
    weight: float = 3.0
    required: bool = True
    levels: tuple[Level, ...] = ()
    through: tuple[str, ...] = ()
    score: str = "status"
    timeout_s: float = 10.0
    fresh_s: float = 300.0
    every_s: float = 60.0
    remedy: str = ""
    hint: str = ""
    failures: int | None = None
    successes: int | None = None
    binding: bool = True
    owner: str = ""
    eta: str = ""

    @property
    def tied(self) -> bool:
        """Whether its evidence must be of the release that is judged: its probe knows where that stands."""
        return bool(getattr(self.probe, "release", None))


@dataclass(frozen=True, slots=True)
class Function:
    """A business function: which components it needs, how many users it reaches, what it is worth."""

    name: str
    title: str
    needs: tuple[str, ...]
    users: float
    value: float
    impact: str = "critical"


@dataclass(frozen=True, slots=True)
class Criterion:
    """A success criterion: a component's status, or an objective about one of its measures."""

    title: str
    component: str
    status: str = "healthy"
    measure: str | None = None
    objective: Objective | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """An objective about a fact of the whole system; as a trigger it is bad when it holds, as a gate good.

    ``turned``: its title names what must not be, as those of ``[[triggers]]`` do.
    """

    title: str
    fact: str
    objective: Objective
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Rollback:
    """``command`` is printed at a NO-GO and run only when told to; ``check`` may run any time."""

    command: tuple[str, ...]
    check: tuple[str, ...] = ()
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where alerts of some severities go. ``settings`` are texts, secrets still as ``{env.NAME}``."""

    name: str
    kind: RouteKind
    severities: tuple[Severity, ...]
    escalated: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A time in which nothing is told of ``components`` (all where empty) and no remedy is run.

    It begins at the Unix time ``starts`` and again every ``every_s``, where that is not 0.
    """

    title: str
    components: tuple[str, ...]
    starts: float
    lasts_s: float
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Alerts:
    """``most`` messages at most in ``per_s`` on each route; the rest wait, the less severe ones longer.

    An incident is told after ``failures`` bad observations in a row and over after ``successes`` good ones;
    ``each`` holds both for components that have their own. What lasts is told again every ``remind_s``, if
    that is not 0. ``heartbeat`` is a URL that is asked every ``heartbeat_s`` while the watch does its work.
    """

    routes: tuple[Route, ...] = ()
    cooldown_s: Mapping[str, float] = field(
        default_factory=lambda: {"info": 300.0, "warning": 120.0, "critical": 60.0}
    )
    most: int = 5
    per_s: float = 60.0
    group_s: float = 0.0
    escalate_after_s: float = 300.0
    failures: int = 1
    successes: int = 1
    remind_s: float = 0.0
    heartbeat: str = ""
    heartbeat_s: float = 60.0
    each: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def failures_of(self, key: str) -> int:
        """How many bad observations in a row it takes before "component NAME" or "trigger TITLE" is told."""
        return self.each.get(key, (self.failures, 0))[0]

    def successes_of(self, key: str) -> int:
        """How many good observations in a row end an incident of it."""
        return self.each.get(key, (0, self.successes))[1]


@dataclass(frozen=True, slots=True)
class Remedy:
    """What is done when a component is down; only told, not done, while ``dry_run``.

    The component has recovered once it was healthy ``successes`` times in a row and for
    ``recovered_after_s``; until then ``tries`` and ``cooldown_s`` go on.
    """

    component: str
    command: tuple[str, ...]
    tries: int = 3
    cooldown_s: float = 300.0
    after: int = 2
    verify_after_s: float = 10.0
    timeout_s: float = 60.0
    dry_run: bool = True
    successes: int = 3
    recovered_after_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a GO depends on.

    ``sha256`` is of the data as written (``raw``), ``settings`` is that data without its secrets.
    ``variables`` are the environment variables it names. Whole assessments are kept for ``keep_s``, load runs
    made for them for ``keep_runs_s``. ``release`` is the label or the commit that is judged, "" where none
    was named; ``review_s`` how long a verdict stands, 0 where that is not said.
    """

    name: str
    question: str
    path: Path
    sha256: str
    components: tuple[Component, ...]
    functions: tuple[Function, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    triggers: tuple[Condition, ...] = ()
    gates: tuple[Condition, ...] = ()
    rollback: Rollback | None = None
    alerts: Alerts = field(default_factory=Alerts)
    remedies: tuple[Remedy, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    release: str = ""
    review_s: float = 0.0
    keep_s: float = KEEP_S
    keep_runs_s: float = KEEP_RUNS_S
    raw: Mapping[str, object] = field(default_factory=dict, repr=False)

    def component(self, name: str) -> Component:
        """The component of that name, which the policy is known to have."""
        return next(each for each in self.components if each.name == name)
