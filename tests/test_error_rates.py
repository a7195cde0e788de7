"""The table of error rates is made with the code that judges stored runs; a small one must hold too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from loadtest.judge import permutation
from loadtest.judge.compare import compare
from loadtest.judge.samples import Side, side
from loadtest.plan.scenario import Compare
from tests.judge.repeats import run
from tools.error_rates import (
    AS_ONE,
    NAMES,
    Source,
    failing,
    judged,
    page_part,
    rules,
    same,
    slower,
    tail_alone,
    word_of,
)

pytestmark = pytest.mark.long

PAIRS = 400
MANY = 2000


@pytest.mark.parametrize("alike", [0.0, 0.5, AS_ONE])
@pytest.mark.parametrize("spread", [0.01, 0.03, 0.10])
def test_false_alarms_are_rare(spread: float, alike: float) -> None:
    source = Source("made", spread, alike)
    assert slower(source, MANY, 0.0) <= 0.025
    assert slower(source, MANY, 0.03) <= 0.05


@pytest.mark.parametrize("alike", [0.0, 0.5])
@pytest.mark.parametrize("spread", [0.01, 0.03])
def test_a_tenth_is_found(spread: float, alike: float) -> None:
    assert slower(Source("made", spread, alike), MANY, 0.10) >= 0.95


def test_a_tenth_is_found_by_metrics_that_move_as_one_nearly_as_often_as_it_can_be() -> None:
    """No test finds it in more than 95 of 100; see the page."""
    assert slower(Source("made", 0.03, AS_ONE), MANY, 0.10) >= 0.93


def test_a_worse_tail_is_found_as_that_and_lost_turns_as_those() -> None:
    assert tail_alone(Source("made", 0.03), PAIRS, 0.20) >= 0.95
    assert failing(Source("made", 0.05), PAIRS, 0.02) >= 0.95


def test_one_build_is_called_the_same_and_an_outlier_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutation, "MAX_SPLITS", 500)
    permutation.splits.cache_clear()
    assert same(Source("made", 0.03), PAIRS, 8) >= 0.8
    assert slower(Source("made", 0.03), PAIRS, 0.20, 8, far=5) >= 0.9
    assert slower(Source("made", 0.03), PAIRS, 0.0, 8, far=5) <= 0.05
    permutation.splits.cache_clear()


def stored(label: str, logs: npt.NDArray[np.float64]) -> Side:
    """Runs that measured these values of ``NAMES``."""
    runs = []
    for number, values in enumerate(np.exp(logs)):
        made = run(number, label=label)
        metric = made["metrics"]["turn.first_event"]
        for name, value in zip(NAMES, values, strict=True):
            of, _, statistic = name.rpartition(".")
            made["metrics"].setdefault(of, dict(metric))[statistic] = float(value)
        runs.append(made)
    return side(label, runs)


def test_a_comparison_of_stored_runs_says_the_same() -> None:
    before, after = Source("made", 0.03, 0.5).draw(np.random.default_rng(3), 12, 5)
    after = after + np.log1p(0.1)
    told = judged(before, after, rules())
    for pair in range(len(before)):
        sides = (stored("v1", before[pair]), stored("v2", after[pair]))
        found = compare(*sides, Compare(primary=NAMES))
        assert [row.word for row in found.primary] == [
            word_of(type(told)(*(flags[pair] for flags in told)), at) for at in range(len(NAMES))
        ]


def test_the_part_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.error_rates.SPREADS", (0.01,))
    text = "\n".join(page_part(20, 10))
    assert "| 1%, correlation 0.5 |" in text
    assert "Real runs against the simulator" in text
