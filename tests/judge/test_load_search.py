from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.errors import Exit
from loadtest.judge.load_search import Finding, SearchProbe, SearchRange, bracket, find, next_load

CONNECTIONS = SearchRange(start=10, least=1, most=10_000)
RATE = SearchRange(start=10, least=0.01, most=10_000, whole=False)


def search(exit_of: Callable[[float], Exit], bounds: SearchRange) -> tuple[Finding, list[SearchProbe]]:
    probes: list[SearchProbe] = []
    while (load := next_load(probes, bounds)) is not None:
        probes.append(SearchProbe(load, exit_of(load)))
        assert len(probes) < 5_000, "it does not end"
        assert bounds.least <= load <= bounds.most
    return find(probes), probes


def below(limit: float) -> Callable[[float], Exit]:
    return lambda load: Exit.PASS if load <= limit else Exit.FAIL


limits = st.floats(1.0, 9_999.0)
precisions = st.sampled_from([0.01, 0.05, 0.2])


@settings(max_examples=40)
@given(limits, st.floats(1, 9_000), precisions, st.integers(1, 4), st.floats(1.1, 10))
def test_a_limit_is_found_as_narrowly_as_was_asked(
    limit: float, start: float, precision: float, repeat: int, step: float
) -> None:
    for whole, least in ((True, 1.0), (False, 0.5)):
        begin = float(round(start)) if whole else start
        bounds = SearchRange(begin, least, 10_000, step, precision, repeat, whole)
        finding, probes = search(below(limit), bounds)
        assert (finding.outcome, finding.exit_code) == ("found", Exit.PASS)
        assert finding.load is not None
        assert finding.missed is not None
        assert finding.load <= limit < finding.missed
        near = finding.missed - finding.load
        assert near <= precision * finding.load or (whole and near <= 1)
        assert finding.interval == (finding.load, finding.missed)
        assert sum(probe.load == finding.load for probe in probes) == repeat
        assert sum(probe.load == finding.missed for probe in probes) == repeat
        grown = math.log(10_000 / least) / math.log(step) + 8
        assert len(probes) <= grown + math.log2(math.log(step) / math.log1p(precision) + 2) + 2 * repeat + 3


@given(limits, st.integers(0, 10_000), st.floats(0.0, 0.5), st.integers(1, 5))
def test_it_ends_on_any_noise_and_never_claims_more_than_its_probes(
    limit: float, seed: int, noise: float, repeat: int
) -> None:
    rng = random.Random(seed)

    def noisy(load: float) -> Exit:
        around = limit * math.exp(rng.gauss(0, noise))
        return rng.choice([Exit.PASS, Exit.INVALID]) if load <= around else Exit.FAIL

    for bounds in (CONNECTIONS, RATE):
        finding, probes = search(noisy, bounds)
        sure, surely_not = finding.interval
        for probe in probes:
            if sure is not None and probe.load <= sure:
                assert probe.answer != "missed"
            if surely_not is not None and probe.load >= surely_not:
                assert probe.answer != "held"
        if finding.load is not None and finding.missed is not None:
            assert finding.load < finding.missed


@given(st.floats(20, 2_000), st.integers(0, 10_000))
def test_a_noise_of_two_percent_moves_the_limit_by_little(limit: float, seed: int) -> None:
    rng = random.Random(seed)

    def noisy(load: float) -> Exit:
        return Exit.PASS if load <= limit * math.exp(rng.gauss(0, 0.02)) else Exit.FAIL

    finding, _ = search(noisy, RATE)
    assert finding.load is not None
    assert finding.load == pytest.approx(limit, rel=0.2)


def test_the_course_of_a_search() -> None:
    bounds = SearchRange(10, 1, 1_000, repeat=2)
    _, probes = search(below(50), bounds)
    assert [probe.load for probe in probes] == [10, 20, 40, 80, 57, 48, 52, 50, 50, 52]


def test_downwards_from_a_start_that_is_too_high() -> None:
    finding, probes = search(below(3), SearchRange(40, 1, 1_000, repeat=1))
    assert [probe.load for probe in probes] == [40, 20, 10, 5, 2, 3, 4]
    assert (finding.load, finding.missed) == (3, 4)


def test_all_holds_up_to_the_most_that_may_be_tried() -> None:
    finding, probes = search(below(math.inf), SearchRange(10, 1, 50, repeat=2))
    assert [probe.load for probe in probes] == [10, 20, 40, 50, 50]
    assert finding == Finding("above", Exit.PASS, 50, None, (50, None))


def test_nothing_holds() -> None:
    finding, probes = search(below(0), SearchRange(4, 1, 50, repeat=2))
    assert [probe.load for probe in probes] == [4, 2, 1, 1]
    assert finding == Finding("below", Exit.FAIL, None, 1, (None, 1))


def test_a_generator_that_is_the_limit_ends_the_search_and_says_where() -> None:
    finding, probes = search(lambda load: Exit.PASS if load < 80 else Exit.INVALID, CONNECTIONS)
    assert [probe.load for probe in probes] == [10, 20, 40, 80, 80]
    assert finding == Finding("invalid", Exit.INVALID, 40, None, (40, None), 80)


def test_one_disturbance_is_tried_again() -> None:
    codes = iter([Exit.PASS, Exit.INVALID, Exit.PASS, Exit.FAIL])
    probes: list[SearchProbe] = []
    for code in codes:
        load = next_load(probes, SearchRange(10, 1, 1_000))
        assert load is not None
        probes.append(SearchProbe(load, code))
    assert [probe.load for probe in probes] == [10, 20, 20, 40]
    assert bracket(probes) == (20, 40)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (Exit.UNREACHABLE, "unreachable"),
        (Exit.INTERRUPTED, "interrupted"),
        (Exit.INTERNAL, "error"),
        (Exit.CONFIG, "error"),
    ],
)
def test_what_ends_it_is_told_with_what_was_known_until_then(code: Exit, outcome: str) -> None:
    finding, probes = search(lambda load: Exit.PASS if load < 40 else code, CONNECTIONS)
    assert [probe.load for probe in probes] == [10, 20, 40]
    assert (finding.outcome, finding.exit_code, finding.load, finding.load_at_end) == (outcome, code, 20, 40)


def test_without_a_probe_it_was_interrupted() -> None:
    assert find([]) == Finding("interrupted", Exit.INTERRUPTED, None, None, (None, None))


def test_an_interrupt_between_two_probes_is_no_finding() -> None:
    told = find([SearchProbe(10, Exit.PASS), SearchProbe(20, Exit.FAIL)], cut=True)
    assert told == Finding("interrupted", Exit.INTERRUPTED, 10, 20, (10, 20), 20)


def test_a_load_that_does_both_is_what_it_does_more_often() -> None:
    codes = [Exit.PASS, Exit.FAIL, Exit.PASS, Exit.FAIL]
    probes = [
        SearchProbe(10, Exit.PASS),
        *(SearchProbe(20, code) for code in codes[:3]),
        SearchProbe(21, Exit.FAIL),
    ]
    assert bracket(probes) == (20, 21)
    assert find(probes).interval == (10, 21)
    assert bracket([*probes, SearchProbe(20, codes[3])]) == (10, 20)


def test_steps_too_small_to_be_told_apart_still_move() -> None:
    assert next_load([SearchProbe(3, Exit.PASS)], SearchRange(3, 1, 50, step=1.1)) == 4
    assert next_load([SearchProbe(3, Exit.FAIL)], SearchRange(3, 1, 50, step=1.1)) == 2
