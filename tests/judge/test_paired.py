from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.hypothesis_tests import estimate_effects, method_for, words
from loadtest.judge.paired import MAX_PAIRS, paired_difference, paired_p_values, signs
from loadtest.judge.permutation import Array
from loadtest.judge.power import LEVEL, MIN_PAIRS, repeats, visible

NOTHING = np.zeros(1)
FIVE = np.array([math.log1p(0.05)])


def column(values: list[float]) -> Array:
    return np.array(values, np.float64)[:, None]


def test_the_signs_are_all_there_are_and_first_as_it_was() -> None:
    rows = signs(6)
    assert rows.shape == (64, 6)
    assert (rows[0] == 1).all()
    assert len({tuple(row) for row in rows}) == 64
    many = signs(MAX_PAIRS + 7)
    assert many.shape == (2**MAX_PAIRS, MAX_PAIRS + 7)
    assert (many[0] == 1).all()


@pytest.mark.parametrize(("pairs", "reached"), [(5, 1 / 32), (6, 1 / 64), (8, 1 / 256)])
def test_p_is_the_share_of_signs_that_reach_as_far(pairs: int, reached: float) -> None:
    after = column([1 + at / 10 for at in range(pairs)])
    found = paired_p_values(np.zeros_like(after), after, NOTHING)
    assert found.worse[0] == pytest.approx(reached)
    assert found.better[0] == 1.0
    assert (2 * reached <= LEVEL) == (method_for(pairs, pairs, paired=True) is not None)


def test_signs_that_reach_nearly_as_far_do_not_reach_it() -> None:
    after = column([1.0, 1.1, 1.2, 1.3, 1.4, 0.001])
    assert paired_p_values(np.zeros_like(after), after, NOTHING).worse[0] == pytest.approx(1 / 64)
    after[-1] = 0.0
    assert paired_p_values(np.zeros_like(after), after, NOTHING).worse[0] == pytest.approx(2 / 64)


def test_fewer_pairs_than_can_tell_have_no_method() -> None:
    assert method_for(MIN_PAIRS - 1, MIN_PAIRS - 1, paired=True) is None
    assert method_for(MIN_PAIRS, MIN_PAIRS, paired=True) == "pairs"


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=9), st.floats(-50, 50))
def test_what_acts_on_both_blocks_of_a_pair_changes_nothing(differences: list[float], drift: float) -> None:
    away = column(differences)
    calm = np.zeros_like(away)
    drifting = column([drift * at**2 for at in range(len(differences))])
    one = paired_difference(calm, away)
    other = paired_difference(drifting, drifting + away)
    assert other.estimate == pytest.approx(one.estimate, abs=1e-9 * (1 + drift**2))
    assert other.error == pytest.approx(one.error, abs=1e-8 * (1 + drift**2))


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=8))
def test_exchanging_the_sides_exchanges_worse_and_better(differences: list[float]) -> None:
    away = column(differences)
    calm = np.zeros_like(away)
    one, other = paired_p_values(calm, away, FIVE), paired_p_values(away, calm, FIVE)
    assert one.worse == pytest.approx(other.better)
    assert one.better == pytest.approx(other.worse)


def test_a_pair_of_which_one_block_did_not_measure_does_not_count() -> None:
    before = np.array([[0.0, 0.0]] * 8)
    after = np.array([[0.2 + at / 100, 0.1] for at in range(8)])
    after[3, 0] = np.nan
    found = paired_difference(before, after)
    assert found.estimate == pytest.approx([np.mean([0.2 + at / 100 for at in range(8) if at != 3]), 0.1])
    assert list(found.freedom) == [6, 7]
    told = words(estimate_effects("pairs", before, after, np.repeat(FIVE, 2)), np.repeat(FIVE, 2))
    assert list(told.slower) == [True, True]


def test_a_metric_that_was_measured_once_or_never_tells_nothing() -> None:
    before, after = np.zeros((6, 2)), np.full((6, 2), np.nan)
    after[0, 0] = 3.0
    found = paired_difference(before, after)
    assert np.isinf(found.error).all()
    assert np.isnan(found.estimate[1])
    p = paired_p_values(before, after, np.repeat(FIVE, 2))
    assert p.worse[1] == 1.0


def drifting(seed: int, pairs: int, true: float, spread: float = 0.02) -> tuple[Array, Array]:
    """Blocks A B B A B A A B ... whose level climbs from first to last by 60 %."""
    rng = np.random.default_rng(seed)
    level = np.log(np.linspace(1.0, 1.6, 2 * pairs)) + rng.normal(0, spread, 2 * pairs)
    before, after = [], []
    for at in range(pairs):
        first, second = level[2 * at], level[2 * at + 1]
        swapped = at.bit_count() % 2
        before.append(second if swapped else first)
        after.append((first if swapped else second) + true)
    return column(before), column(after)


def share_slower(method: str, true: float, *, in_turns: bool) -> float:
    slower = 0
    for seed in range(200):
        before, after = drifting(seed, 8, true)
        if not in_turns:
            level = np.sort(np.concatenate([before, after - true]), axis=0)
            before, after = level[:8], level[8:] + true
        slower += bool(words(estimate_effects(method, before, after, FIVE), FIVE).slower[0])  # type: ignore[arg-type]  # one of them
    return slower / 200


def test_drift_fools_one_after_the_other_and_not_those_that_take_turns() -> None:
    assert share_slower("permutation", 0.0, in_turns=False) == 1.0
    assert share_slower("pairs", 0.0, in_turns=True) <= LEVEL


def test_a_tenth_is_found_under_drift_that_hides_it_from_runs() -> None:
    tenth = math.log(1.1)
    assert share_slower("pairs", tenth, in_turns=True) >= 0.9
    assert share_slower("permutation", tenth, in_turns=True) <= 0.1


def test_what_pairs_show_follows_from_the_spread_of_their_differences() -> None:
    few = visible(0.03, (6, 6), FIVE[0], 1, paired=True)
    assert few > visible(0.03, (12, 12), FIVE[0], 1, paired=True) > FIVE[0]
    assert repeats(1e-9, FIVE[0], 2 * FIVE[0], 4, paired=True) == MIN_PAIRS
    assert repeats(9.0, FIVE[0], 2 * FIVE[0], 4, paired=True) is None
