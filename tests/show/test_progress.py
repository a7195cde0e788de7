from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import pytest
from sample import SampleRun

from loadtest.judge.live_thresholds import ThresholdSoFar
from loadtest.judge.threshold_measurement import Measurement
from loadtest.judge.thresholds import Decision
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.plan.threshold import parse_threshold
from loadtest.show.progress import LiveProgress, Progress, working

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


def test_refusals_are_told_by_layer(sample: Sample) -> None:
    progress = Progress(10.0)
    refused = {"connections.refused.upgrade": 3, "connections.refused.tcp": 1}
    progress.add(Interval(second=0, counters={"measured": refused}))
    assert progress.line().endswith("4 errors · 3 refused at upgrade · 1 refused at tcp")


def test_the_clock_says_the_phase_and_what_is_left() -> None:
    progress = Progress(10.0, warmup_s=2.0)
    progress.add(Interval(second=0))
    assert progress.clock() == "1 s / 10 s · warm-up · 9 s left"
    progress.add(Interval(second=5))
    assert progress.clock() == "6 s / 10 s · measuring · 4 s left"
    progress.add(Interval(second=10))
    assert progress.clock() == "10 s + 1 s drain · waiting for the last turns"


def so_far(name: str, expression: str, value: float | None, outcome: Decision) -> ThresholdSoFar:
    return ThresholdSoFar(parse_threshold(name, expression), Measurement(value, 9), outcome)


STATES = (
    so_far("turn.first_event.p95", "< 100ms", 250.0, "missed"),
    so_far("turns.complete.ratio", ">= 99%", 1.0, "held"),
    so_far("events.lost.ratio", "<= 1%", None, "not_measured"),
)


def test_thresholds_that_are_missed_so_far_are_told_with_what_was_measured() -> None:
    progress = Progress(10.0, thresholds=lambda: STATES)
    assert progress.states() == [
        ("missed", "turn.first_event.p95 250 ms, not < 100ms"),
        ("held", "1 of 3 thresholds hold so far"),
        ("not_measured", "1 not measured yet"),
    ]
    endless = Measurement(None, 9, bound=(math.inf, None))
    late = ThresholdSoFar(STATES[0].threshold, endless, "missed")
    assert (
        Progress(1.0, thresholds=lambda: (late,)).states()[0][1] == "turn.first_event.p95 never, not < 100ms"
    )


def test_the_course_of_the_p95_has_a_blank_for_a_second_with_too_few_samples() -> None:
    progress = Progress(10.0)
    progress.add(Interval(second=0))
    assert progress.course() == ""
    for second, value in ((1, 1_000_000), (3, 4_000_000)):
        histogram = Histogram()
        histogram.record(np.full(20, value))
        progress.add(Interval(second=second, histograms={"warmup:turn.first_event": histogram}))
        progress.add(Interval(second=second + 1))
    assert progress.course() == "first event p95 by second   ▃ █ "


def test_a_terminal_shows_bar_phase_figures_thresholds_and_course(sample: Sample) -> None:
    stream = Terminal()
    with LiveProgress(35.0, stream, warmup_s=5.0, thresholds=lambda: STATES) as progress:
        for interval in sample("passed").intervals(last=8):
            progress.interval(interval)
    text = stream.getvalue()
    for part in ("measuring", "27 s left", "✗ turn.first_event.p95 250 ms", "✓ 1 of 3", "first event p95 by"):
        assert part in text, part


def test_elsewhere_the_line_says_how_many_thresholds_hold(sample: Sample) -> None:
    stream = io.StringIO()
    with LiveProgress(35.0, stream, thresholds=lambda: STATES) as progress:
        for interval in sample("passed").intervals(last=1):
            progress.interval(interval)
    assert stream.getvalue().endswith(
        "no errors | turn.first_event.p95 250 ms, not < 100ms | 1 of 3 thresholds hold so far\n"
    )


def test_what_is_being_done_is_said_on_a_terminal_and_taken_away() -> None:
    for stream, quiet, wanted in (
        (Terminal(), False, "judging ...\r\r\x1b[K"),
        (Terminal(), True, ""),
        (io.StringIO(), False, ""),
    ):
        with working("judging", stream, quiet=quiet):
            pass
        assert stream.getvalue() == wanted


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
