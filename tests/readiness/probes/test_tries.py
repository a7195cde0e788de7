"""A try that fails is a sample above every limit, and no try is begun without the time to be answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.evidence import Evidence, distribution, keeps
from loadtest.readiness.objectives import parse_objective
from loadtest.readiness.probes.probe_context import ProbeContext, ProbeError, Tries
from tests.readiness.made import assessed, policy, up

REFUSED = ProbeError("status", "HTTP status 503")
LATE = ProbeError("timeout", "it did not answer in time")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def tried(
    outcomes: Iterable[tuple[float, ProbeError | None]], wanted: int = 20, within_s: float = 10.0
) -> Evidence:
    """Tries that take so many seconds, each answered or failed; the last one for ever."""
    clock, left = Clock(), list(outcomes)

    def once() -> float:
        took_s, error = left.pop(0) if len(left) > 1 else left[0]
        clock.now += took_s
        if error is not None:
            raise error
        return took_s * 1000

    context = ProbeContext(
        Path(), {}, Path(), within_s, clock=clock, wall=lambda: 1_757_160_000.0, lateness=lambda: 0.0
    )
    tries = Tries("latency", wanted, context)
    tries.take(once)
    return tries.evidence("GET http://127.0.0.1/health")


def judged(folder: Path, api: Evidence) -> Assessment:
    return assessed(policy(folder), api=api, store=up("ping"), extra=up("connect"))


def test_a_critical_part_whose_tries_mostly_fail_is_down_and_no_go(tmp_path: Path) -> None:
    found = tried([(0.01, None), *[(0.01, REFUSED)] * 16, (0.01, None)])
    assert found.measures["answered.ratio"].value == 0.2
    p95 = found.measures["latency.p95"]
    assert (p95.value, p95.n, p95.text("ms"), p95.reason) == (
        None,
        20,
        "above every limit",
        "16 of 20 tries failed",
    )
    api = judged(tmp_path, found).components[0]
    assert (api.status, judged(tmp_path, found).verdict) == ("down", "NO-GO")
    assert "16 of 20 tries failed, the last: HTTP status 503" in judged(tmp_path, found).blockers[0].text


def test_a_part_without_levels_is_down_where_fewer_than_half_of_its_tries_are_answered(
    tmp_path: Path,
) -> None:
    text = '[components.api]\nprobe = "http"\nurl = "http://127.0.0.1:1/"\n'
    statuses = {}
    for failed in (0, 1, 2, 11):
        found = tried([*[(0.01, None)] * (20 - failed), (0.01, REFUSED)])
        statuses[failed] = assessed(policy(tmp_path, text), api=found).components[0].status
    assert statuses == {0: "healthy", 1: "degraded", 2: "degraded", 11: "down"}


def test_answers_that_are_always_late_are_no_go_though_they_are_too_few_for_a_percentile(
    tmp_path: Path,
) -> None:
    found = tried([(3.0, None)])
    assert found.samples == (3000.0, 3000.0, 3000.0)
    assert "there was time for only 3 of 20 samples" in found.issues
    assert found.measures["latency.p95"].text("ms") == "at least 3 s"
    assert judged(tmp_path, found).verdict == "NO-GO"
    assert judged(tmp_path, found).components[0].status == "down"


def test_a_try_is_not_begun_where_the_time_left_would_cut_it_short() -> None:
    found = tried([(3.0, None), (3.0, None), (3.0, None), (1.0, LATE)])
    assert found.measures["answered.ratio"].value == 1
    assert tried([(0.4, None)], wanted=20, within_s=1.0).samples == (400.0, 400.0)


def test_a_part_that_hangs_after_its_first_answer_has_failed() -> None:
    found = tried([(0.01, None), (5.0, LATE), (4.99, LATE)])
    assert found.samples == (10.0, None)
    assert found.measures["answered.ratio"].value == 0.5
    assert tried([(0.01, None), (3.0, LATE)]).measures["answered.ratio"].value == 0.25


def test_samples_that_are_enough_are_no_issue_though_more_were_wanted() -> None:
    found = tried([(0.1, None)], wanted=1000, within_s=10.0)
    assert found.issues == ()
    assert any("of 1000 samples" in line for line in found.lines)


@pytest.mark.parametrize(
    ("answered", "failed", "statistic", "text"),
    [
        (19, 1, "p95", "19 ms"),
        (18, 2, "p95", "above every limit"),
        (18, 2, "p50", "10 ms"),
        (18, 2, "max", "above every limit"),
        (18, 2, "mean", "above every limit"),
        (1, 0, "p95", "not measured"),
        (2, 0, "p95", "at least 1 ms"),
        (10, 0, "p95", "at least 7 ms"),
        (3, 7, "p95", "above every limit"),
    ],
)
def test_a_statistic_counts_failed_tries_as_the_slowest(
    answered: int, failed: int, statistic: str, text: str
) -> None:
    found = distribution("x", [float(ms) for ms in range(1, answered + 1)], failed)
    assert found["x.n"].value == answered + failed
    assert found[f"x.{statistic}"].text("ms") == text


def test_what_is_above_every_limit_keeps_no_promise_from_above_and_every_one_from_below() -> None:
    p95 = distribution("x", [1.0], 19)["x.p95"]
    assert keeps(parse_objective("< 1h", "ms"), p95) is False
    assert keeps(parse_objective("> 1h", "ms"), p95) is True


def late(samples_ms: float, late_ms: float) -> Evidence:
    clock = Clock()

    def once() -> float:
        clock.now += samples_ms / 1000
        return samples_ms

    context = ProbeContext(
        Path(), {}, Path(), 100.0, clock=clock, wall=lambda: 1_757_160_000.0, lateness=lambda: late_ms
    )
    tries = Tries("latency", 20, context)
    tries.take(once)
    return tries.evidence("GET http://127.0.0.1/health")


@pytest.mark.parametrize(
    ("samples_ms", "late_ms", "status"),
    [
        (600.0, 0.1, "degraded"),
        (600.0, 300.0, "unknown"),
        (600.0, 50.0, "degraded"),
        (300.0, 200.0, "healthy"),
        (1500.0, 300.0, "down"),
    ],
)
def test_where_our_own_lateness_decides_nothing_is_told(
    tmp_path: Path, samples_ms: float, late_ms: float, status: str
) -> None:
    found = late(samples_ms, late_ms)
    assert judged(tmp_path, found).components[0].status == status
    assert judged(tmp_path, found).components[0].late == (late_ms,) * 20, "beside each sample"
    assert ("late by up to" in " ".join(found.lines)) == (late_ms > 1)
