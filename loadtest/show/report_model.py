"""What a report says, in words and formatted numbers, before any format lays it out.

``build_report.build_report`` makes a ``Report`` of a manifest; terminal, HTML and Markdown print the same
one, so that they cannot disagree. Every text is already printable and in readable units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadtest import catalog
from loadtest.show.document import Tone
from loadtest.show.sanitize import printable

STATISTICS = tuple(each for each in catalog.STATISTICS if each not in {"n", "mean"})
"""The columns of the table of metrics, by their keys in ``run.json``."""

HEADINGS = {statistic: statistic.replace("_", ".") for statistic in STATISTICS}


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what is known under it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict of the run: ``word`` in capitals, ``why`` a sentence."""

    word: str
    tone: Tone
    exit_code: int | None
    why: str


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """One promise and what became of it; ``n`` and ``reason`` may be empty."""

    outcome: str
    tone: Tone
    name: str
    expression: str
    measured: str
    n: str
    reason: str


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One distribution. ``cells`` has a text for every statistic; ``notes`` are the footnotes' numbers.

    ``ci95`` says the interval of a percentile in words, where it was computed.
    """

    name: str
    label: str
    n: str
    cells: Mapping[str, str]
    notes: Mapping[str, int]
    ci95: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MetricGroup:
    """Metrics that are measured from the same instant; ``meaning`` says from which."""

    title: str
    meaning: str
    metrics: tuple[MetricRow, ...]


@dataclass(frozen=True, slots=True)
class RateRow:
    """A rate with what it was counted from; ``basis`` says n and over how long, ``bound`` what it means."""

    name: str
    label: str
    value: str
    basis: str
    bound: str
    measured: bool


@dataclass(frozen=True, slots=True)
class CountRow:
    """One counter; ``share`` says of what it is how much. Not measured: ``value`` says so, ``reason`` why."""

    label: str
    value: str
    share: str
    reason: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class PositionRow:
    """Response times of the turns at one place of the burst, from 1; each a text by statistic."""

    position: str
    turns: str
    first_event: Mapping[str, str]
    completion: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counters of one kind, over the whole run."""

    title: str
    counts: tuple[CountRow, ...]


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A reason to doubt or qualify the numbers; ``spoils``: the run is invalid for it."""

    code: str
    message: str
    remedy: str
    numbers: str
    spoils: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a view of one run says in text; pictures and single turns are read apart."""

    id: str
    scenario: str
    label: str
    target: str
    simulated: bool
    standing: str
    facts: tuple[Fact, ...]
    judgement: Judgement
    thresholds: tuple[ThresholdRow, ...]
    groups: tuple[MetricGroup, ...]
    footnotes: tuple[str, ...]
    unmeasured: tuple[Fact, ...]
    rates: tuple[RateRow, ...]
    positions: tuple[PositionRow, ...]
    ledgers: tuple[Ledger, ...]
    notices: tuple[NoticeRow, ...]
    generator: tuple[Fact, ...]
    health: tuple[Fact, ...]
    fingerprint: tuple[Fact, ...]
    populations: tuple[str, ...] = ()

    @property
    def one_line(self) -> str:
        """The verdict as one line, for ``--quiet`` and for lists of runs."""
        marked = " SIMULATED" if self.simulated else ""
        return printable(f"{self.judgement.word}{marked} {self.id}: {self.judgement.why}", 500)
