"""Progress while a run goes on: a line that renews itself on a terminal, one every few seconds elsewhere.

It is fed with intervals and reads no clock. rich is imported when the first line is drawn.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from loadtest.catalog import FAILURES
from loadtest.judge.live_thresholds import ThresholdSoFar
from loadtest.judge.ranks import needed, part_of
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.show.build_report import measured_text
from loadtest.show.document import Tone
from loadtest.show.metric_table import NEVER
from loadtest.show.render.terminal import ASCII, MARKS, STYLES, takes_unicode
from loadtest.show.sparkline import course
from loadtest.units import format_count, format_duration

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

BAR = 30
"""Columns of the bar on a terminal."""

MISSED_SHOWN = 4
"""Lines of thresholds below the bar."""

REFUSED = "connections.refused."

TONES: dict[str, Tone] = {"missed": "bad", "held": "good", "not_measured": "doubt"}

EVERY_S = 5
"""Seconds between two lines where the output is not a terminal."""


COURSE = 20
"""Seconds of which the course of the first event's p95 is drawn."""

JudgeThresholds = Callable[[], Sequence[ThresholdSoFar]]


class Progress:
    """The figures of a progress line, summed over the intervals so far.

    ``total_s`` is how long the run is planned to take, ``warmup_s`` of it come before the measured part.
    ``thresholds`` is asked where they stand when a line is wanted.
    """

    def __init__(
        self, total_s: float, warmup_s: float = 0.0, thresholds: JudgeThresholds = lambda: ()
    ) -> None:
        self.total_s = total_s
        self._warmup_s = warmup_s
        self._thresholds = thresholds
        self._refused: Counter[str] = Counter()
        self._p95s: deque[float | None] = deque(maxlen=COURSE)
        self._elapsed = 0
        self._first_event = Histogram()
        self._errors = 0
        self._closed = 0
        self._last: Interval | None = None

    def add(self, interval: Interval) -> None:
        """Take in one second of the whole run, all processes merged."""
        self._elapsed = max(self._elapsed, interval.second + 1)
        second = Histogram()
        for tag in ("turn.first_event", "warmup:turn.first_event", "drain:turn.first_event"):
            if tag in interval.histograms:
                second.add(interval.histograms[tag])
        self._p95s.append(second.percentile(95) if second.n >= needed(part_of("p95")) else None)
        if "turn.first_event" in interval.histograms:
            self._first_event.add(interval.histograms["turn.first_event"])
        counters = interval.counters.values()
        names = [f"turns.{outcome}" for outcome in FAILURES]
        self._errors += sum(each.get(name, 0) for each in counters for name in names)
        for each in counters:
            for name, n in each.items():
                if name.startswith(REFUSED) and n:
                    self._refused[name.removeprefix(REFUSED)] += n
        self._closed += sum(n for each in counters for name, n in each.items() if _is_close(name))
        self._last = interval

    def line(self) -> str:
        """The state of the run in one line."""
        last = self._last
        if last is None:
            return "connecting"
        turns, events = _count(last, "turns.complete"), _count(last, "events.received")
        cells = [
            self._time(),
            f"{_gauge(last, 'ready')} ready",
            f"{format_count(turns)} turns/s" if turns else "no turn complete",
            f"{format_count(events)} events/s" if events else "no event",
            f"first event p95 {self._p95()}",
            f"{_gauge(last, 'in_flight')} in flight",
            self._errors_text(),
        ]
        cells += [f"{format_count(n)} refused at {layer}" for layer, n in self._refused.items()]
        cells += [f"{format_count(self._closed)} closed by the target"] if self._closed else []
        return " · ".join(cells)

    def _errors_text(self) -> str:
        errors = self._errors + sum(self._refused.values())
        return f"{format_count(errors)} errors" if errors else "no errors"

    def clock(self) -> str:
        """How far the run is, in which phase, and how long it is planned to go on."""
        over = self._elapsed - self.total_s
        if over >= 0:
            return f"{self._time()} · waiting for the last turns"
        phase = "warm-up" if self._elapsed < self._warmup_s else "measuring"
        return f"{self._time()} · {phase} · {format_duration(-over * 1e9)} left"

    def course(self) -> str:
        """The p95 of the first event over the last seconds; empty where no second had enough samples."""
        known = any(value is not None for value in self._p95s)
        return f"first event p95 by second  {course(self._p95s)}" if known else ""

    def states(self) -> list[tuple[str, str]]:
        """Where the thresholds stand: an outcome and a text for each that is missed, then for all others."""
        found = self._thresholds()
        lines = [("missed", _missed(each)) for each in found if each.outcome == "missed"]
        held = sum(each.outcome == "held" for each in found)
        lines += [("held", f"{held} of {len(found)} thresholds hold so far")] if found else []
        waiting = sum(each.outcome == "not_measured" for each in found)
        lines += [("not_measured", f"{waiting} not measured yet")] if waiting else []
        return lines

    def _time(self) -> str:
        planned = format_duration(self.total_s * 1e9)
        over = self._elapsed - self.total_s
        if over > 0:
            return f"{planned} + {format_duration(over * 1e9)} drain"
        return f"{format_duration(self._elapsed * 1e9)} / {planned}"

    def _p95(self) -> str:
        n, least = self._first_event.n, needed(part_of("p95"))
        value = self._first_event.percentile(95)
        if not n or value is None:
            warming = self._last is not None and set(self._last.counters) == {"warmup"}
            return "not measured in the warm-up" if warming else "not measured yet"
        return format_duration(value) if n >= least else f"needs {least} samples (n={n})"

    @property
    def share(self) -> float:
        """How much of the run is over, 0 to 1."""
        return min(1.0, self._elapsed / self.total_s) if self.total_s > 0 else 1.0


def _missed(each: ThresholdSoFar) -> str:
    rule, measured = each.threshold, each.measured
    value = NEVER if measured.unbounded else "–"
    if measured.value is not None:
        value = measured_text(rule.unit, measured.value)
    return f"{rule.name} {value}, not {rule.expression}"


def _is_close(name: str) -> bool:
    return name.startswith("connections.closed.")


def _count(interval: Interval, name: str) -> int:
    return sum(counters.get(name, 0) for counters in interval.counters.values())


def _gauge(interval: Interval, name: str) -> str:
    value = interval.gauges.get(name)
    return "?" if value is None else format_count(int(value))


@contextmanager
def working(on: str, stream: TextIO | None = None, *, quiet: bool = False) -> Iterator[None]:
    """Say on a terminal what is being done, until it is: a screen that stands still seems to hang."""
    stream = stream or sys.stderr
    shown = not quiet and stream.isatty()
    if shown:
        stream.write(f"{on} ...\r")
        stream.flush()
    try:
        yield
    finally:
        if shown:
            with suppress(OSError, ValueError):
                stream.write("\r\x1b[K")
                stream.flush()


class LiveProgress:
    """Shows ``Progress`` on a stream, between ``with`` and its end; ``interval`` is called once a second.

    ``total_s`` is how long the run is planned to take, warm-up included.
    """

    def __init__(
        self,
        total_s: float,
        stream: TextIO = sys.stderr,
        *,
        warmup_s: float = 0.0,
        thresholds: JudgeThresholds = lambda: (),
        quiet: bool = False,
    ) -> None:
        self._progress = Progress(total_s, warmup_s, thresholds)
        self._stream = stream
        self._quiet = quiet
        self._live: Live | None = None
        self._said = -EVERY_S

    def __enter__(self) -> Self:
        if not self._quiet and self._stream.isatty():
            self._live = _start(self._stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            # What cannot be drawn any more (a terminal that went away) must not cost the run's end.
            with suppress(OSError, ValueError):
                self._live.stop()
            self._live = None

    def interval(self, interval: Interval) -> None:
        """Show one more second."""
        self._progress.add(interval)
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(_bar(self._progress, unicode=takes_unicode(self._stream)), refresh=True)
        elif interval.second - self._said >= EVERY_S:
            self._said = interval.second
            states = [text for outcome, text in self._progress.states() if outcome != "not_measured"]
            self._say(" · ".join((self._progress.line(), *states[:MISSED_SHOWN])))

    def _say(self, line: str) -> None:
        self._stream.write((line if takes_unicode(self._stream) else line.translate(ASCII)) + "\n")
        self._stream.flush()


def _start(stream: TextIO) -> Live:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, highlight=False)
    # It is renewed once a second by the run itself: a refreshing thread would take the generator's time.
    live = Live("connecting", console=console, auto_refresh=False, transient=True)
    live.start()
    return live


def _bar(progress: Progress, *, unicode: bool) -> Text:
    """A bar of what is over and what is left; below it figures, thresholds, and the course of the p95."""
    from rich.text import Text

    done, states = round(progress.share * BAR), progress.states()
    marks = [(TONES[outcome], f"{MARKS[TONES[outcome]]} {text}") for outcome, text in states[:MISSED_SHOWN]]
    marks += [("plain", f"  and {len(states) - MISSED_SHOWN} more")] if len(states) > MISSED_SHOWN else []
    pieces: list[tuple[str, str]] = [
        ("━" * done, "cyan"),
        ("─" * (BAR - done), "bright_black"),
        (f"  {progress.clock()}\n", ""),
        (progress.line(), ""),
        *((f"\n{text}", STYLES[tone]) for tone, text in marks),
        *((f"\n{text}", "") for text in (progress.course(),) if text),
    ]
    if unicode:
        return Text.assemble(*pieces)
    return Text.assemble(*((text.translate(ASCII), style) for text, style in pieces))
