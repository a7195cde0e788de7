from __future__ import annotations

from collections.abc import Callable

import numpy as np
from overlap import shown_texts
from sample import SampleRun

from loadtest.measure.interval import Interval
from loadtest.show.plot.pictures import Pictures

Sample = Callable[[str], SampleRun]


def texts(run: SampleRun) -> list[str]:
    return [text.get_text() for text in shown_texts(Pictures(run).figure("connections"))]


def test_the_peak_and_the_plan(sample: Sample) -> None:
    said = texts(sample("passed"))
    assert "ready (peak concurrent: 50)" in said
    assert "planned (50)" in said
    assert "Of 50 attempted, none was refused and none closed by the target." in said


def test_refusals_and_closes_by_kind_with_n(sample: Sample) -> None:
    said = texts(sample("failed"))
    assert {"refused: upgrade (n=3)", "closed: 1006 (n=2)"} <= set(said)


def test_connections_that_we_gave_up_are_apart_from_those_that_the_target_closed() -> None:
    counters = {
        "connections.attempted": 9,
        "connections.closed.1006": 5,
        "connections.silent": 3,
        "connections.broken_frames": 1,
    }
    said = texts(SampleRun({}, [Interval(second=0, counters={"measured": counters})]))
    assert {"closed: 1006 (n=1)", "given up: silent (n=3)", "given up: broken (n=1)"} <= set(said)


def test_rare_kinds_are_summed() -> None:
    counters = {f"connections.closed.{code}": 10 - code for code in range(8)}
    run = SampleRun({}, [Interval(second=0, counters={"measured": counters | {"connections.attempted": 52}})])
    said = texts(run)
    assert "closed: 4 (n=6)" in said
    assert "3 other kinds (n=12)" in said


def test_nothing_attempted_is_said() -> None:
    said = texts(SampleRun({}))
    assert "Not measured: no connection was attempted" in said
    assert "No connection was attempted." in said


def test_no_connection_ever_ready_is_a_finding(sample: Sample) -> None:
    assert "ready (none ever was)" in texts(sample("unreachable"))


def test_a_short_peak_among_many_changes_is_still_drawn() -> None:
    at = np.linspace(0, 3600e9, 40_001).astype(np.int64)[1:]
    delta = np.tile([1, -1], 20_000)
    delta[20_000:20_010], delta[20_010:20_020] = 1, -1
    run = SampleRun({}, [Interval(second=s) for s in range(3600)])
    run.seconds[0] = Interval(second=0, moves=np.stack([at, delta], axis=1))
    (line,) = [
        line
        for line in Pictures(run).figure("connections").axes[0].get_lines()
        if "ready" in str(line.get_label())
    ]
    count = np.asarray(line.get_ydata(), float)
    assert count.max() == np.cumsum(delta).max() == 10
    assert len(count) < 2_000
