"""What one population measured stands under its own name beside the names of the run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval, from_bytes, merge, to_bytes
from loadtest.measure.tagging import tag_interval, with_population, without_population

NAMES = st.from_regex(r"[a-z0-9_.]{1,20}(\[[a-z]{1,8}\])?", fullmatch=True)
POPULATIONS = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)


@given(NAMES, POPULATIONS, POPULATIONS)
def test_a_name_is_found_again_by_its_population_alone(name: str, population: str, other: str) -> None:
    named = with_population(name, population)
    assert without_population(named, population) == name
    if other != population:
        assert without_population(named, other) is None


def test_a_plain_name_is_of_no_population() -> None:
    assert without_population("turns.due", "askers") is None
    assert without_population("turns.due[ask]", "askers") is None


def interval(n: int, first_ns: int) -> Interval:
    times = Histogram()
    times.record([1000] * n)
    return Interval(
        second=2,
        histograms={"warmup:turn.completion": times, "turn.completion[ask]": times},
        counters={"measured": {"turns.due": n, "turns.due[ask]": n, "connections.closed.1006": 1}},
        instants={"first_attempt": first_ns},
    )


def test_populations_add_up_to_the_run() -> None:
    askers, listeners = interval(2, 70), interval(3, 50)
    tag_interval(askers, "askers")
    tag_interval(listeners, "listeners")
    run = from_bytes(to_bytes(merge([askers, listeners])))
    assert run.counters["measured"] == {
        "turns.due": 5, "turns.due[ask]": 5, "connections.closed.1006": 2,
        "[askers]turns.due": 2, "[askers]turns.due[ask]": 2, "[askers]connections.closed.1006": 1,
        "[listeners]turns.due": 3, "[listeners]turns.due[ask]": 3, "[listeners]connections.closed.1006": 1,
    }  # fmt: skip
    assert {tag: times.n for tag, times in run.histograms.items()} == {
        "warmup:turn.completion": 5, "turn.completion[ask]": 5,
        "warmup:turn.completion[askers]": 2, "turn.completion[askers/ask]": 2,
        "warmup:turn.completion[listeners]": 3, "turn.completion[listeners/ask]": 3,
    }  # fmt: skip
    assert run.instants == {"first_attempt": 50, "first_attempt[askers]": 70, "first_attempt[listeners]": 50}
