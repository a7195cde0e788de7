from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from sample import SampleRun

from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.show.live import LiveProgress, Progress

Sample = Callable[[str], SampleRun]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def shown(run: SampleRun, stream: io.StringIO, *, quiet: bool = False) -> str:
    with LiveProgress(35.0, stream, quiet=quiet) as progress:
        for interval in run.intervals():
            progress.interval(interval)
    return stream.getvalue()


def test_elsewhere_a_line_every_five_seconds(sample: Sample) -> None:
    lines = shown(sample("passed"), io.StringIO()).splitlines()
    assert len(lines) == 8
    assert lines[1].split(" | ") == [
        "6 s / 35 s",
        "50 ready",
        "250 turns/s",
        "1,250 events/s",
        "first event p95 9.25 ms",
        "2 in flight",
        "no errors",
    ]


def test_on_a_terminal_it_renews_itself_and_leaves_nothing(sample: Sample) -> None:
    text = shown(sample("passed"), Terminal())
    assert "\x1b[2K" in text
    assert "━" in text
    assert text.endswith("\x1b[2K")


def test_quiet_is_quiet(sample: Sample) -> None:
    assert shown(sample("passed"), io.StringIO(), quiet=True) == ""
    assert shown(sample("passed"), Terminal(), quiet=True) == ""


def test_before_the_first_second_it_connects() -> None:
    assert Progress(10.0).line() == "connecting"


def test_nothing_measured_is_no_rate_and_no_latency() -> None:
    progress = Progress(10.0)
    progress.add(Interval(second=0))
    assert progress.line().split(" · ") == [
        "1 s / 10 s",
        "? ready",
        "no turn complete",
        "no event",
        "first event p95 not measured yet",
        "? in flight",
        "no errors",
    ]


def test_a_percentile_waits_for_its_samples() -> None:
    histogram = Histogram()
    histogram.record(np.full(19, 2_000_000))
    progress = Progress(10.0)
    progress.add(Interval(second=0, histograms={"turn.first_event": histogram}))
    assert "p95 needs 20 samples (n=19)" in progress.line()


def test_errors_are_summed_over_the_run_and_refusals_are_among_them() -> None:
    progress = Progress(10.0)
    for second in range(2):
        counters = {"measured": {"turns.failed": 1, "turns.timed_out": 2, "connections.refused.tls": 3}}
        progress.add(Interval(second=second, counters=counters))
    assert "12 errors" in progress.line()


@pytest.mark.parametrize(("second", "text", "share"), [(4, "5 s / 10 s", 0.5), (12, "10 s + 3 s drain", 1.0)])
def test_time_passes_into_the_drain(second: int, text: str, share: float) -> None:
    progress = Progress(10.0)
    progress.add(Interval(second=second))
    assert progress.line().startswith(text)
    assert progress.share == share
