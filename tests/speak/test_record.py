"""Counters and buffers of one part of the run."""

from __future__ import annotations

from loadtest.speak.record import BUFFERS, COUNTERS, Part


def test_a_part_begins_with_nothing() -> None:
    part = Part(2)
    assert part.index == 2
    assert {getattr(part, name) for name in COUNTERS} == {0}
    assert {len(getattr(part, name)) for name in BUFFERS} == {0}
    assert {getattr(part, name).typecode for name in BUFFERS} == {"q"}
    assert part.other == {}


def test_parts_share_nothing() -> None:
    one, other = Part(0), Part(1)
    one.gap.append(5)
    one.count("x")
    assert (len(other.gap), other.other) == (0, {})


def test_every_attribute_is_a_counter_or_a_buffer() -> None:
    assert set(Part.__annotations__) == {"index", "other", *COUNTERS, *BUFFERS}
    assert len(set(BUFFERS.values())) == len(BUFFERS)


def test_a_counter_without_an_attribute() -> None:
    part = Part(0)
    part.count("connections.refused.tcp")
    part.count("connections.refused.tcp", 2)
    assert part.other == {"connections.refused.tcp": 3}
