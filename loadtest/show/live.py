"""Progress while a run goes on: a line that renews itself on a terminal, one every few seconds elsewhere.

It is fed with intervals and reads no clock. rich is imported when the first line is drawn.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from loadtest.catalog import FAILURES
from loadtest.judge.ranks import needed, part_of
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.show.render.terminal import ASCII, takes_unicode
from loadtest.units import format_count, format_duration

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

BAR = 60
"""Columns of the bar on a terminal."""

EVERY_S = 5
"""Seconds between two lines where the output is not a terminal."""


class Progress:
    """The figures of a progress line, summed over the intervals so far."""

    def __init__(self, total_s: float) -> None:
        self.total_s = total_s
        self._elapsed = 0
        self._first_event = Histogram()
        self._errors = 0
        self._closed = 0
        self._last: Interval | None = None

    def add(self, interval: Interval) -> None:
        """Take in one second of the whole run, all processes merged."""
        self._elapsed = max(self._elapsed, interval.second + 1)
        if "turn.first_event" in interval.histograms:
            self._first_event.add(interval.histograms["turn.first_event"])
        counters = interval.counters.values()
        names = [f"turns.{outcome}" for outcome in FAILURES]
        self._errors += sum(each.get(name, 0) for each in counters for name in names)
        self._errors += sum(n for each in counters for name, n in each.items() if _is_refusal(name))
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
            f"{format_count(self._errors)} errors" if self._errors else "no errors",
        ]
        cells += [f"{format_count(self._closed)} closed by the target"] if self._closed else []
        return " · ".join(cells)

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


def _is_refusal(name: str) -> bool:
    return name.startswith("connections.refused.")


def _is_close(name: str) -> bool:
    return name.startswith("connections.closed.")


def _count(interval: Interval, name: str) -> int:
    return sum(counters.get(name, 0) for counters in interval.counters.values())


def _gauge(interval: Interval, name: str) -> str:
    value = interval.gauges.get(name)
    return "?" if value is None else format_count(int(value))


class LiveProgress:
    """Shows ``Progress`` on a stream, between ``with`` and its end; ``interval`` is called once a second.

    ``total_s`` is how long the run is planned to take, warm-up included.
    """

    def __init__(self, total_s: float, stream: TextIO = sys.stderr, *, quiet: bool = False) -> None:
        self._progress = Progress(total_s)
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
            self._say(self._progress.line())

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
    """The line below a bar of what is over."""
    from rich.text import Text

    done, line = round(progress.share * BAR), progress.line()
    if not unicode:
        return Text("#" * done + "." * (BAR - done) + "\n" + line.translate(ASCII))
    return Text.assemble(("━" * done, "cyan"), ("━" * (BAR - done), "bright_black"), "\n", line)
