from __future__ import annotations

from sample import SampleRun

from loadtest.show.values import count_values, metric_values, rate_values, values


def test_a_value_or_a_reason_never_both_and_never_neither(run: SampleRun) -> None:
    for row in values(run.manifest):
        assert (row.value is None) is bool(row.reason), row


def test_metrics_come_with_every_statistic_also_those_a_threshold_asked_for() -> None:
    metric = {"n": 50, "p50": 1.0, "p99": None, "p97_5": 3.0, "reasons": {"p99": "not enough samples"}}
    found = {row.statistic: row for row in metric_values({"metrics": {"ping.rtt": metric}})}
    assert (found["p50"].value, found["p97_5"].value, found["p99"].reason) == (1.0, 3.0, "not enough samples")


def test_a_rate_of_nothing_has_no_value() -> None:
    (row,) = rate_values({"rates": {"turns_per_s": {"value": 0.0, "n": 0, "reason": "no turn was begun"}}})
    assert (row.value, row.reason) == (None, "no turn was begun")


def test_counters_are_flat_and_unmeasured_ones_say_why() -> None:
    events = {"received": 7, "lost": None, "unmeasured": {"lost": "no sequence number"}}
    counts = {
        "connections": {"refused": {"tls": 2}},
        "events": events,
        "measured": {"events": {"received": 5}},
    }
    found = {(row.group, row.name): (row.value, row.reason) for row in count_values({"counts": counts})}
    assert found == {
        ("counts", "connections.refused.tls"): (2, ""),
        ("counts", "events.received"): (7, ""),
        ("counts", "events.lost"): (None, "no sequence number"),
        ("counts.measured", "events.received"): (5, ""),
    }
