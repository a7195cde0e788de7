from __future__ import annotations

import csv
import math

import pytest

from loadtest.keep import timeline_csv
from loadtest.measure.interval import Interval
from tests.keep.samples import MS, holding, second


def row(interval: Interval) -> dict[str, str]:
    text = (timeline_csv.head() + timeline_csv.line(interval)).decode()
    (found,) = csv.DictReader(text.splitlines())
    assert None not in found
    assert None not in found.values()
    return found


def test_what_is_sampled_of_the_target_has_columns_of_its_own() -> None:
    names = ("cpu", "queue")
    interval = Interval(second=3, gauges={"target.cpu": 0.25})
    head, row = (timeline_csv.head(names) + timeline_csv.line(interval, names)).decode().splitlines()
    found = dict(zip(head.split(","), row.split(","), strict=True))
    assert (found["target.cpu"], found["target.queue"]) == ("0.2500", "")


def test_a_second_in_one_row() -> None:
    interval = second(7, n=200)
    interval.counters["warmup"] = {"turns.timed_out": 2, "events.sent": 1}
    found = row(interval)
    assert found["second"] == "7"
    assert (found["users"], found["connections_ready"]) == ("4", "3")
    assert (found["events_out"], found["events_in"]) == ("201", "600")
    assert (found["turns_complete"], found["turns_timed_out"], found["turns_lost"]) == ("200", "2", "0")
    assert (found["generator_cpu"], found["loop_lag_ms"]) == ("0.2500", "1.500")
    assert found["turn.first_event.n"] == "200"
    assert float(found["turn.first_event.p99_ms"]) == pytest.approx(
        interval.histograms["turn.first_event"].percentile(99) / 1e6
    )


def test_all_parts_of_the_run_are_taken_together() -> None:
    histograms = {"warmup:turn.completion": holding(MS), "turn.completion": holding(MS, 3 * MS)}
    histograms["drain:turn.completion"] = holding(3 * MS, 3 * MS)
    found = row(Interval(second=0, histograms=histograms))
    assert found["turn.completion.n"] == "5"
    assert float(found["turn.completion.p50_ms"]) == pytest.approx(3, rel=1e-3)


def test_what_was_not_measured_is_empty_and_never_zero() -> None:
    found = row(Interval(second=0, gauges={"cpu": math.nan}))
    empty = {name for name, value in found.items() if value == ""}
    assert empty == {name for name in found if name.endswith("_ms")} | {
        "users",
        "connections_ready",
        "generator_cpu",
    }


@pytest.mark.parametrize(
    ("n", "told"), [(1, []), (2, [50]), (19, [50]), (20, [50, 95]), (99, [50, 95]), (100, [50, 95, 99])]
)
def test_a_percentile_needs_a_sample_beyond_it(n: int, told: list[int]) -> None:
    found = row(Interval(second=0, histograms={"turn.completion": holding(*[MS] * n)}))
    assert [q for q in (50, 95, 99) if found[f"turn.completion.p{q}_ms"]] == told
