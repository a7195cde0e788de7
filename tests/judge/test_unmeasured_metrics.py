from __future__ import annotations

from typing import Any, get_args

import pytest

from loadtest import catalog
from loadtest.judge.summary import _REASONS, summarise
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import METRICS
from tests.judge.made import good_totals, manifest, totals


def reasons(totals_: Totals, **changes: Any) -> dict[str, str]:
    found: dict[str, str] = summarise(manifest(**changes), totals_)["unmeasured"]
    return found


def without(*metrics: str, **counters: int) -> Totals:
    return good_totals(counters, dict.fromkeys(metrics))


def test_every_metric_is_there_or_has_a_reason() -> None:
    for made in (good_totals(), totals(), totals({"connections.attempted": 3})):
        summed = summarise(manifest(), made)
        assert set(summed["metrics"]) | set(summed["unmeasured"]) == set(METRICS)
        assert not set(summed["metrics"]) & set(summed["unmeasured"])


def test_every_reason_of_the_catalog_has_a_sentence() -> None:
    assert set(_REASONS) == set(get_args(catalog.Absent)) == {each.absent for each in catalog.METRICS}


STEPS = [{"name": "a"}, {}, 7]


@pytest.mark.parametrize(
    ("made", "changes", "name", "told"),
    [
        (totals(), {}, "connect.tcp", "no connection was attempted"),
        (totals({"connections.attempted": 1}), {}, "connect.tcp", "no connection got that far"),
        (without("connect.tcp"), {}, "connect.tcp", "no connection timed it"),
        (good_totals(), {}, "connect.tls", "the target is a ws:// URL, without TLS"),
        (good_totals(), {}, "prepare.time", "the scenario has no [[prepare]]"),
        (
            totals(),
            {"scenario__settings__prepare": STEPS},
            "prepare.time",
            "no step was done",
        ),
        (totals(), {"scenario__settings__prepare": "?"}, "prepare.time", "the scenario has no [[prepare]]"),
        (good_totals(), {}, "connect.proxy", "connections go through no proxy"),
        (totals(), {"target__proxy": {"url": "http://a"}}, "connect.proxy", "no connection was attempted"),
        (totals(), {"target__tls": True}, "connect.tls", "no connection was attempted"),
        (
            good_totals(),
            {},
            "connect.resolve",
            "the target is an address, so there is no name to look up",
        ),
        (
            good_totals(),
            {"target__url": "wss://example.org/ws"},
            "connect.resolve",
            "the name was looked up once, before the first connection",
        ),
        (totals(), {"scenario__settings__traffic": None}, "turn.completion", "the scenario sends nothing"),
        (totals(), {}, "turn.completion", "no turn fell due in the measured part"),
        (totals({"turns.due": 1}), {}, "send.lateness", "no connection was attempted"),
        (totals({"turns.due": 1}), {}, "turn.completion", "no turn was begun in the measured part"),
        (without("turn.completion"), {}, "turn.completion", "no turn of the measured part has this time"),
        (without("event.gap"), {}, "event.gap", "no turn received two events in separate reads"),
        (totals(), {}, "event.gap", "no turn fell due in the measured part"),
        (totals(), {}, "receive.lag", "no event was received in the measured part"),
        (without("receive.lag"), {}, "receive.lag", "the kernel gave no arrival stamps"),
        (good_totals(), {}, "ping.rtt", "the scenario sends no pings"),
        (good_totals({"pings.sent": 3}), {}, "ping.rtt", "no ping was answered"),
        (good_totals(), {}, "heartbeat.rtt", "the protocol has no heartbeat with `every`"),
        (good_totals({"heartbeats.sent": 3}), {}, "heartbeat.rtt", "no heartbeat was answered"),
        (good_totals(), {}, "reconnect.time", "no user reconnected"),
    ],
)
def test_the_reason_is_the_nearest_one(made: Totals, changes: dict[str, Any], name: str, told: str) -> None:
    assert reasons(made, **changes)[name] == told


def test_what_the_protocol_cannot_know_stays_and_old_reasons_of_metrics_go() -> None:
    found = reasons(
        good_totals(), unmeasured={"foreign": "no user path", "turn.completion": "an older reason"}
    )
    assert found["foreign"] == "no user path"
    assert "turn.completion" not in found
