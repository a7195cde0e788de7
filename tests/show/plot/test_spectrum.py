from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from overlap import shown_texts
from sample import SampleRun

from loadtest.measure.histogram import Histogram
from loadtest.show.plot.pictures import Pictures
from loadtest.show.plot.spectrum import STEPS_PER_DECADE, curve

Sample = Callable[[str], SampleRun]


def histogram(values: list[int]) -> Histogram:
    made = Histogram()
    made.record(np.array(values, np.int64))
    return made


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60))
def test_a_curve_reads_as_the_percentiles_do(values: list[int]) -> None:
    made = histogram(values)
    drawn = curve(made)
    for q in (0.5, 0.9, 0.95):
        at = np.searchsorted(drawn.x, (1 / (1 - q)) * (1 - 1e-12), side="right") - 1
        if len(values) >= 1 / (1 - q):
            value = made.percentile(q * 100)
            assert value is not None
            # Points closer than a step of the axis are one point, so the neighbour counts as well.
            near = drawn.ms[max(0, at - 1) : at + 2] * 1e6
            assert near.min().round() <= value <= near.max().round()


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60))
def test_a_curve_rises_and_ends_where_n_ends(values: list[int]) -> None:
    drawn = curve(histogram(values))
    assert (np.diff(drawn.x) >= 0).all()
    assert (np.diff(drawn.ms) >= 0).all()
    assert (drawn.x[0], drawn.x[-1], drawn.n) == (1, len(values), len(values))


def test_many_buckets_are_thinned_to_what_the_eye_tells_apart() -> None:
    drawn = curve(histogram(list(range(1, 2_000_000, 7))))
    assert len(drawn.x) < 7 * STEPS_PER_DECADE


def test_n_and_unit_are_on_the_plot(sample: Sample) -> None:
    texts = [text.get_text() for text in shown_texts(Pictures(sample("passed")).figure("spectrum"))]
    assert "first event, response (n=7,500, max 25.9 ms)" in texts
    assert "time in ms (logarithmic), by percentile of turns" in texts
    assert {"50 %", "90 %", "99 %", "99.9 %"} <= set(texts)
    assert "99.99 %" not in texts


def test_response_and_service_time_share_one_axis(sample: Sample) -> None:
    (axes,) = Pictures(sample("passed")).figure("spectrum").axes
    lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("threshold")]
    assert len(lines) == 4
    assert len(axes.get_lines()) == 5, "and the threshold on one of them"
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 4


def test_one_sample_is_no_spectrum(sample: Sample) -> None:
    texts = [text.get_text() for text in shown_texts(Pictures(sample("tiny")).figure("spectrum"))]
    assert "Not measured: not enough samples (n=1; p50 needs 2)" in texts


def test_nothing_measured_is_said_instead_of_drawn(sample: Sample) -> None:
    figure = Pictures(sample("unreachable")).figure("spectrum")
    assert "Not measured: no connection was ever ready" in [text.get_text() for text in shown_texts(figure)]
    assert not figure.axes[0].get_lines()
