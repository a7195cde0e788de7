from __future__ import annotations

import pytest

from loadtest.judge.abort import end_early
from loadtest.measure.totals import Totals
from loadtest.plan.scenario import Abort
from loadtest.plan.threshold import parse_threshold
from tests.judge.made import S, good_totals, manifest, totals

TIMED_OUT = parse_threshold("turns.timed_out.ratio", "> 50%")
SLOW = parse_threshold("turn.completion.p95", "> 50ms")
RATE = parse_threshold("rates.turns_per_s", "< 1/s")
BUSY = parse_threshold("generator.cpu.max", "> 90%")


def early(*rules: str, made: Totals | None = None, at_s: float = 20.0, allowed: bool = False) -> str | None:
    by_name = {"timed out": TIMED_OUT, "slow": SLOW, "rate": RATE, "busy": BUSY}
    abort = Abort(rules=tuple(by_name[name] for name in rules), after_ns=10 * S)
    thresholds = (parse_threshold("events.foreign", "< 9"),) if allowed else ()
    names = {each.name: each.expression for each in abort.rules}
    running = manifest(status="running", scenario__settings__abort={**names, "after": "10s"})
    found = end_early(running, made or good_totals(), abort, thresholds, round(at_s * S))
    return found.sentence if found else None


def test_without_a_rule_a_run_goes_on() -> None:
    assert early() is None


def test_the_first_rule_that_holds_ends_the_run() -> None:
    assert early("timed out") is None
    lost = good_totals({"turns.complete": 10, "turns.timed_out": 30})
    assert early("timed out", "slow", made=lost) == "the abort rule turns.timed_out.ratio > 50% holds"
    assert early("timed out", "slow") == "the abort rule turn.completion.p95 > 50ms holds"


def test_a_rule_waits_for_its_time() -> None:
    assert early("slow", at_s=9.9) is None
    assert early("slow", at_s=10.0)


@pytest.mark.parametrize("rule", ["timed out", "slow", "rate", "busy"])
def test_what_was_not_measured_yet_ends_nothing(rule: str) -> None:
    assert early(rule, made=totals()) is None


def test_rates_and_the_generator_can_be_ruled_on() -> None:
    assert early("rate", made=good_totals({"turns.complete": 1})) is not None
    assert early("busy", made=good_totals(gauges={"cpu": 0.95})) is not None


def test_an_event_of_another_user_ends_the_run_at_once() -> None:
    leak = good_totals({"events.foreign": 2})
    assert early(made=leak, at_s=0.1) == "2 events of other users arrived"
    assert early(made=leak, at_s=0.1, allowed=True) is None
