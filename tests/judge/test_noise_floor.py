from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from loadtest.judge.noise_floor import SCHEMA, Floor, floor, learned
from loadtest.judge.samples import side
from loadtest.plan.scenario import Compare
from tests.judge.made import deep
from tests.judge.repeats import repeats, run, spread

P95 = "turn.first_event.p95"


def of(cv: float, n: int = 8, **more: Any) -> Floor:
    return floor(repeats("v1", spread(50, cv, n, 4), **more))


def codes(found: Floor) -> dict[str, str]:
    return {each["code"]: f"{each['message']} {each['remedy']}" for each in found.notices}


def test_how_much_runs_of_one_build_differ() -> None:
    found = of(0.03)
    row = next(row for row in found.rows if row.measure.name == P95)
    assert row.spread == pytest.approx(0.03, abs=0.012)
    assert (row.primary, row.runs) == (True, 8)
    assert row.value == pytest.approx(50, rel=0.03)
    assert row.visible > 0.1
    assert row.repeats is not None
    assert row.repeats > 5
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_smallest_effect_below_the_floor_is_pointed_out_with_the_repeats() -> None:
    told = codes(of(0.04))["effect_below_noise"]
    assert P95 in told
    assert "Make about" in told
    assert "effect_below_noise" not in codes(of(0.005))
    assert "more than 200" in codes(of(1.0))["effect_below_noise"]
    generous = floor(repeats("v1", spread(50, 0.04, 8, 4)), Compare(smallest_effect=0.9))
    assert "effect_below_noise" not in codes(generous)


def test_a_threshold_below_the_floor_is_pointed_out_with_the_repeats() -> None:
    told = codes(of(0.05, thresholds={P95: "< 51ms"}))["threshold_below_noise"]
    assert f"{P95} < 51ms" in told
    assert "Judge the mean of about" in told
    far = codes(of(0.05, thresholds={P95: "< 100ms", "turns.complete.ratio": ">= 99%"}))
    assert "threshold_below_noise" not in far
    middle = of(0.5).side.measured(P95)
    mean = float(np.exp(np.mean([np.log(each.value) for each in middle if each.value])))
    on_it = codes(of(0.5, thresholds={P95: f"< {mean:.3f}ms"}))["threshold_below_noise"]
    assert "more than 200" in on_it


def test_the_threshold_of_a_stage_is_not_of_the_whole_run() -> None:
    stages = [{"for": "1s", "connections": 1, "thresholds": {P95: "< 51ms"}}]
    runs = repeats("v1", spread(50, 0.05, 8, 4)).runs
    staged = [deep(each, {"scenario": {"settings": {"load": {"stages": stages}}}}) for each in runs]
    assert "threshold_below_noise" not in codes(floor(side("v1", staged)))


def test_of_few_runs_nothing_is_learned() -> None:
    found = of(0.03, n=3)
    assert found.rows == ()
    assert set(codes(found)) == {"too_few_runs"}


def test_what_was_learned_holds_for_the_same_plan_on_the_same_machine() -> None:
    kept = json.loads(json.dumps(of(0.03).as_dict()))
    spreads = learned(kept, run())
    assert spreads[P95] == pytest.approx(0.03, abs=0.012)
    assert learned(kept, deep(run(), {"scenario": {"sha256": "other"}})) == {}
    assert learned(kept, deep(run(), {"fingerprint": {"machine": "two"}})) == {}
    assert learned({**kept, "schema": "another/1"}, run()) == {}


@pytest.mark.parametrize(
    "damaged",
    [
        [],
        None,
        {"metrics": None},
        {"metrics": [{}]},
        {"metrics": ["x"]},
        {"metrics": [{"name": "turn.completion.p95", "turned_spread": "wide"}]},
        {"metrics": [{"name": 3, "turned_spread": 0.1}]},
    ],
)
def test_what_is_damaged_is_not_known(damaged: object) -> None:
    newest = run()
    whole = {
        "schema": SCHEMA,
        "sha256": newest["scenario"]["sha256"],
        "machine": newest["fingerprint"]["machine"],
    }
    good = {"metrics": [{"name": "turn.completion.p95", "turned_spread": 0.1}]}
    assert learned({**whole, **good}, newest) == {"turn.completion.p95": 0.1}
    assert learned({**whole, **damaged} if isinstance(damaged, dict) else damaged, newest) == {}
