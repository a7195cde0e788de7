from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sample import SampleRun

from loadtest.judge.live_thresholds import ThresholdSoFar, thresholds_so_far
from loadtest.judge.threshold_measurement import Measurement
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import parse_threshold
from loadtest.show.live_run import LiveRun

Sample = Callable[[str], SampleRun]


def watched(run: SampleRun, **more: Any) -> LiveRun:
    totals = Totals()
    live = LiveRun(run.manifest, totals, lambda: thresholds_so_far(run.manifest, totals), **more)
    for interval in run.intervals():
        totals.add(interval)
        live.add(interval)
    return live


def test_every_column_has_a_value_a_second(sample: Sample) -> None:
    live = watched(sample("failed"))
    found = live.document()
    assert {len(column) for column in found["columns"].values()} == {live.seconds}
    assert found["columns"]["second"][:3] == [0, 1, 2]
    assert found["columns"]["sent"][10] == 250
    assert found["counts"]["connections"] == {"ready": 50, "refused": {"upgrade": 3}, "closed": {"1006": 2}}
    assert found["counts"]["turns"]["timed_out"] == 103


def test_only_what_is_new_is_given(sample: Sample) -> None:
    live = watched(sample("passed"))
    whole, rest = live.document()["columns"], live.document(30)["columns"]
    assert {name: column[30:] for name, column in whole.items()} == rest


def test_thresholds_have_value_outcome_and_reason_and_make_the_verdict(sample: Sample) -> None:
    found = watched(sample("failed")).document()
    by_name = {each["name"]: each for each in found["thresholds"]}
    assert by_name["turn.first_event.p95"]["outcome"] == "missed"
    assert by_name["turn.first_event.p95"]["text"].endswith(" ms")
    assert by_name["turn.first_event.p95"]["limit"] == 100
    assert by_name["connections.ready.peak"]["outcome"] == "held"
    assert found["verdict"]["word"] == "MISSED"


def stand(**outcomes: str) -> dict[str, Any]:
    rule = parse_threshold("turn.completion.p95", "< 1s")
    found = [ThresholdSoFar(rule, Measurement(None, 0), outcome) for outcome in outcomes.values()]  # type: ignore[arg-type]  # as given
    verdict: dict[str, Any] = LiveRun({}, Totals(), lambda: found).document()["verdict"]
    return verdict


def test_the_verdict_so_far_is_no_better_than_what_was_measured() -> None:
    assert stand()["word"] == "NOT MEASURED"
    assert stand(a="held", b="not_measured")["word"] == "NOT MEASURED"
    assert stand(a="held", b="not_measured", c="missed")["word"] == "MISSED"
    assert stand(a="held") == {"word": "HELD", "missed": 0, "held": 1, "not_measured": 0}


def test_what_was_not_measured_is_null_and_never_0() -> None:
    live = LiveRun({}, Totals(), tuple)
    live.add(Interval(second=0))
    columns = live.document()["columns"]
    assert columns["ready"] == columns["cpu"] == columns["first_event_p95"] == columns["lag_p99"] == [None]
    assert columns["events"] == [0]


def test_a_generator_that_stood_still_leaves_a_gap_and_no_peak() -> None:
    live = LiveRun({}, Totals(), tuple)
    for second, n in ((0, 10), (4, 40)):
        live.add(Interval(second=second, counters={"measured": {"events.received": n}}))
    columns = live.document()["columns"]
    assert columns["second"] == [0, 1, 2, 3, 4]
    assert columns["events"] == [10, None, None, None, 10]


def test_the_last_broken_turns_are_told_without_secrets() -> None:
    def hidden(data: Any) -> Any:
        return {**data, "frames": [[0, "sent"], [5, "token=[hidden]"]]} if "frames" in data else data

    live = LiveRun({}, Totals(), tuple, redacted=hidden)
    broken = {"kind": "broken", "turn": "r-1", "outcome": "timed_out", "reason": "no_event", "frames": []}
    live.add(Interval(second=6, frames=[broken, {"kind": "slowest", "outcome": "complete", "frames": []}]))
    (error,) = live.document()["errors"]
    assert error == {
        "second": "7",
        "outcome": "timed out",
        "reason": "no event",
        "turn": "r-1",
        "last": "token=[hidden]",
    }


def test_warnings_are_those_that_are_true_of_a_part(sample: Sample) -> None:
    codes = [each["code"] for each in watched(sample("failed")).document()["warnings"]]
    assert "refused_connections" in codes
    assert "simulated_target" not in codes


def test_reasons_are_given_as_far_as_they_are_known(sample: Sample) -> None:
    live = watched(sample("passed"), reasons=lambda: {"refusals": {"tls: no": 2}})
    assert live.document()["reasons"] == {"refusals": {"tls: no": 2}}
    assert live.document()["state"] == "running"


def test_what_is_sampled_of_the_target_has_a_column_or_a_reason() -> None:
    health = {"sampled": ["cpu", "queue"], "reasons": {"queue": "nobody answers\x1b[0m"}}
    live = LiveRun({"target": {"health": health}}, Totals(), tuple)
    live.add(Interval(second=0))
    live.add(Interval(second=1, gauges={"target.cpu": 0.25}))
    found = live.document()
    assert found["columns"]["target.cpu"] == [None, 0.25]
    assert found["health"]["cpu"] == {
        "unit": "cores",
        "column": "target.cpu",
        "last": 0.25,
        "n": 1,
        "reason": "",
    }
    queue = found["health"]["queue"]
    assert (queue["unit"], queue["last"], queue["n"]) == ("number", None, 0)
    assert queue["reason"].startswith("nobody answers")
    assert "\x1b" not in queue["reason"]
    assert LiveRun({}, Totals(), tuple).document()["health"] == {}


def test_the_targets_url_is_told_without_its_secrets() -> None:
    live = LiveRun(
        {"target": {"url": "ws://somebody:hush@h/ws?token=hush"}},
        Totals(),
        tuple,
        redacted=lambda data: data.replace("hush", "[hidden]") if isinstance(data, str) else data,
    )
    assert "hush" not in str(live.document())
