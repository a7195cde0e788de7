"""Counters and buffers of one phase of the run."""

from __future__ import annotations

from loadtest.speak.phase_metrics import BUFFERS, COUNTERS, PhaseMetrics


def test_a_phase_begins_with_nothing() -> None:
    metrics = PhaseMetrics(2)
    assert metrics.phase == 2
    assert {getattr(metrics, name) for name in COUNTERS} == {0}
    assert {len(getattr(metrics, name)) for name in BUFFERS} == {0}
    assert {getattr(metrics, name).typecode for name in BUFFERS} == {"q"}
    assert metrics.other == {}


def test_phases_share_nothing() -> None:
    one, other = PhaseMetrics(0), PhaseMetrics(1)
    one.gap.append(5)
    one.count("x")
    assert (len(other.gap), other.other) == (0, {})


def test_every_attribute_is_a_counter_or_a_buffer() -> None:
    assert set(PhaseMetrics.__annotations__) == {"phase", "kind", "other", *COUNTERS, *BUFFERS}
    assert len(set(BUFFERS.values())) == len(BUFFERS)


def test_a_counter_without_an_attribute() -> None:
    metrics = PhaseMetrics(0)
    metrics.count("connections.refused.tcp")
    metrics.count("connections.refused.tcp", 2)
    assert metrics.other == {"connections.refused.tcp": 3}
