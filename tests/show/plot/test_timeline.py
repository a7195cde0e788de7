from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from overlap import shown_texts
from sample import SampleRun

from loadtest.show.plot.pictures import Pictures

Sample = Callable[[str], SampleRun]
Drawn = Callable[..., Figure]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in shown_texts(figure)]


def test_rates_percentiles_and_the_generator_on_one_time_axis(drawn: Drawn) -> None:
    figure = drawn("passed", "timeline")
    assert len(figure.axes) == 4
    assert {axes.get_xlim() for axes in figure.axes} == {(0, 36)}


def test_rates_are_those_counted(drawn: Drawn) -> None:
    axes = drawn("passed", "timeline").axes[0]
    events = next(patch for patch in axes.patches if isinstance(patch, StepPatch))
    assert events.get_data().values[10] == 1250
    assert "events in (n=43,750)" in texts(drawn("passed", "timeline"))


def test_warm_up_and_drain_are_shaded_and_named(drawn: Drawn) -> None:
    assert "shaded: warm-up and drain" in texts(drawn("passed", "timeline"))
    assert "shaded: warm-up" in texts(drawn("interrupted", "timeline"))
    assert not [text for text in texts(drawn("invalid", "timeline")) if "shaded" in text]


def test_a_second_without_events_is_a_gap_in_the_percentiles(drawn: Drawn) -> None:
    axes = drawn("failed", "timeline").axes[1]
    line = axes.get_lines()[0]
    assert np.isnan(np.asarray(line.get_ydata(), float)[14])


def test_what_went_wrong_is_seen_in_its_second(sample: Sample, drawn: Drawn) -> None:
    figure = drawn("failed", "timeline")
    axes = figure.axes[2]
    high = sum(bar.get_height() for kind in axes.containers for bar in kind)
    counted = sample("failed").manifest["counts"]["turns"]
    assert high == counted["due"] - counted["complete"] > 0
    shown = texts(drawn("failed", "timeline"))
    assert "turns that were not complete, per second" in shown
    assert f"timed out (n={counted['timed_out']:,})" in shown
    assert not [text for text in texts(drawn("passed", "timeline")) if "not complete" in text]


def test_what_was_not_measured_is_said_on_its_panel(drawn: Drawn) -> None:
    said = texts(drawn("unreachable", "timeline"))
    assert said.count("Not measured: no connection was ever ready") == 2
    assert "Not measured: the generator's CPU time was not read" in said
    assert "Not measured: no second has enough samples for a percentile" in texts(drawn("tiny", "timeline"))


def test_units_are_in_the_captions(drawn: Drawn) -> None:
    said = " | ".join(texts(drawn("passed", "timeline")))
    for caption in (
        "rates per second",
        "response time in ms",
        "% of one core",
        "loop, ms",
        "seconds after the start",
    ):
        assert caption in said


def test_what_was_sampled_of_the_target_is_drawn_below_on_the_same_axis(sample: Sample) -> None:
    run = sample("passed")
    seconds = [
        replace(
            each, gauges={**each.gauges, "target.memory": 3 * 2**20, "target.cpu": 0.5, "target.queue": -1.0}
        )
        if each.second != 7
        else each
        for each in run.seconds
    ]
    figure = Pictures(replace(run, seconds=seconds)).figure("timeline")
    assert len(figure.axes) == 7
    assert {axes.get_xlim() for axes in figure.axes} == {(0, 36)}
    said = [text.get_text() for text in shown_texts(figure)]
    wanted = ["target CPU, cores", "target memory, MiB", "queue of the target"]
    assert [text for text in said if "target" in text and "://" not in text] == wanted
    memory = next(patch for patch in figure.axes[5].patches if isinstance(patch, StepPatch)).get_data().values
    assert memory[6] == 3
    assert np.isnan(memory[7])
