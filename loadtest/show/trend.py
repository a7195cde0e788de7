"""A trend in words: what each view shows, in its order, as text."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.judge.effect_size import BETTER, WORSE
from loadtest.judge.run_standing import SUCCESS_RATIOS
from loadtest.judge.segments import ChangePoint, MetricTrend
from loadtest.judge.trend import Trend, TrendVerdict
from loadtest.show.comparison import FORMATS, NOTHING, TONES, change_text, interval_text, p_text
from loadtest.show.report import Tone
from loadtest.show.sanitize import printable
from loadtest.units import format_count, format_ratio

OUTCOMES: dict[str, Tone] = {
    "target down": "bad",
    "worse": "bad",
    "slower": "bad",
    "threshold missed": "bad",
    "better": "good",
    "faster": "good",
    "no change found": "good",
    "too little history": "doubt",
    "cannot tell": "doubt",
}

DATE = len("2026-11-22")

MEANING = (
    "Foretold is where the runs of a level say that a further one lies (95 %); p is corrected over the"
    " metrics of a table."
)


@dataclass(frozen=True, slots=True)
class Line:
    """One metric as every view shows it; ``judged``: there is history enough for a verdict on it."""

    name: str
    word: str
    tone: Tone
    newest: str
    level: str
    foretold: str
    change: str
    interval: str
    p: str
    smallest: str
    counted: str
    why: str
    judged: bool


@dataclass(frozen=True, slots=True)
class Turning:
    """A change of level as every view shows it; ``who`` is the first run after it, by label and commit."""

    metric: str
    word: str
    tone: Tone
    change: str
    interval: str
    date: str
    run: str
    who: str
    with_it: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A trend in words. ``decided``: there is history enough for a verdict on something."""

    scenario: str
    of: str
    machine: str
    word: str
    tone: Tone
    exit_code: int
    why: str
    simulated: bool
    accepted: str
    primary: tuple[Line, ...]
    exploratory: tuple[Line, ...]
    turnings: tuple[Turning, ...]
    explored: tuple[Turning, ...]
    notices: tuple[tuple[str, str, str], ...]
    decided: bool

    @property
    def subject(self) -> str:
        """What the trend is of."""
        return f"{self.scenario}: {self.of}"


def tell(trend: Trend) -> Told:
    """The whole trend in words; foreign text in it is made safe to print."""
    past, ruling = trend.history, trend.ruling
    return Told(
        scenario=printable(past.scenario),
        of=span_text(trend),
        machine=printable(past.machine, 40),
        word=ruling.outcome.upper(),
        tone=OUTCOMES[ruling.outcome],
        exit_code=int(ruling.exit_code),
        why=printable(ruling.reason, 800),
        simulated=past.simulated,
        accepted=printable(trend.accepted or "", 120),
        primary=tuple(_line(each, ruling) for each in trend.primary),
        exploratory=tuple(_line(each, ruling) for each in trend.exploratory),
        turnings=_turnings(trend.primary),
        explored=_turnings(trend.exploratory),
        notices=tuple(
            (printable(each["code"]), printable(each["message"]), printable(each["remedy"]))
            for each in trend.notices
        ),
        decided=ruling.outcome == DOWN or any(each.judged or each.missed for each in trend.primary),
    )


def span_text(trend: Trend) -> str:
    """How many runs, and from when to when: "61 runs, 2026-10-01 to 2026-11-30"."""
    runs = trend.history.runs
    counted = f"{format_count(len(runs))} {'run' if len(runs) == 1 else 'runs'}"
    if not runs:
        return counted
    first, last = (date_text(str(run.get("started"))) for run in (runs[0], runs[-1]))
    return f"{counted}, {first} to {last}" if first != last else f"{counted}, {first}"


def date_text(started: str) -> str:
    """The day of an instant as ``run.json`` has it."""
    return printable(started, 40)[:DATE]


MISSED = "threshold missed"
DOWN = "target down"


def word_of(course: MetricTrend, ruling: TrendVerdict) -> str:
    """What the newest run and its level say together: worse, then a threshold missed, then the rest.

    Of a share of success it is that the target was down, where the trend says so.
    """
    if ruling.outcome == DOWN and course.name in SUCCESS_RATIOS:
        return DOWN
    said = {course.newest.word, course.standing.word if course.standing else course.newest.word}
    missed = [MISSED] if course.missed else []
    found = [word for word in WORSE if word in said] + missed + [word for word in BETTER if word in said]
    return next(iter(found), course.newest.word)


def _line(each: MetricTrend, ruling: TrendVerdict) -> Line:
    rule, newest = each.yardstick, each.newest
    word = word_of(each, ruling)
    down = word == DOWN
    show = FORMATS[rule.unit]
    level = each.segments[-1] if each.segments else None
    low, high = (level.low, level.high) if level else (None, None)
    return Line(
        name=rule.name,
        word=word,
        tone=TONES[word],
        newest="not measured" if newest.value is None else show(newest.value),
        level=f"{show(level.value)} ({_runs(level.n)})" if level else "not measured",
        foretold=NOTHING if low is None or high is None else f"{show(low)} to {show(high)}",
        change=change_text(rule, newest.change),
        interval=interval_text(rule, newest.interval),
        p=NOTHING if newest.p is None else p_text(newest.p),
        smallest=f"{format_ratio(rule.smallest)}{' points' if rule.scale == 'points' else ''}",
        counted=f"{_runs(each.n)}, n={format_count(each.samples)}",
        why=printable(ruling.reason if down else _why(each)),
        judged=each.judged or newest.value is None or bool(each.missed) or down,
    )


def _why(each: MetricTrend) -> str:
    """Which threshold is missed, why the newest level is called so, then why the newest run is."""
    missed = f"the newest run misses {', '.join(each.missed)}; " if each.missed else ""
    standing = each.standing
    if standing is None:
        return f"{missed}{each.newest.why}"
    against = (
        "level before" if each.changes and standing.change == each.changes[-1].change else "baseline's level"
    )
    told = f"{change_text(each.yardstick, standing.change)} against the {against}"
    return f"{missed}newest level: {standing.word}, {told}; newest run: {each.newest.why}"


def _runs(n: int) -> str:
    return f"{format_count(n)} {'run' if n == 1 else 'runs'}"


def _turnings(courses: list[MetricTrend]) -> tuple[Turning, ...]:
    """Every change of these courses, newest first."""
    found = [(change, each) for each in courses for change in each.changes]
    found.sort(key=lambda pair: -pair[0].at)
    return tuple(turning(each, change) for change, each in found)


def turning(each: MetricTrend, change: ChangePoint) -> Turning:
    """One change of level in words."""
    rule = each.yardstick
    known = [change.label, f"commit {change.commit}" if change.commit else None]
    return Turning(
        metric=rule.name,
        word=change.word,
        tone=TONES[change.word],
        change=change_text(rule, change.change),
        interval=interval_text(rule, change.interval),
        date=date_text(change.started),
        run=printable(change.run, 200),
        who=", ".join(printable(part, 80) for part in known if part),
        with_it=tuple(printable(part, 160) for part in change.with_it),
    )
