"""Reasons of a target are counted by their shape where their texts differ by ids."""

from __future__ import annotations

import pytest

from loadtest.measure.reasons import OTHERS, REMEMBERED, SHOWN, Reasons, most_frequent, shape


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("session 17 expired", "session {n} expired"),
        ("user-17 was kicked", "user-{n} was kicked"),
        ("took 12.75 s", "took {n} s"),
        ("trace 0af7651916cd43dd8448eb211c80319c", "trace {id}"),
        ("request req_9aZ3kQ81LmPq22x failed", "request {id} failed"),
        ("no such run: 3f2b8c1e-9d4a-4c6b-8e2f-1a2b3c4d5e6f", "no such run: {uuid}"),
        ("code 1011: turn 5", "code 1011: turn {n}"),
        ("upgrade: HTTP 503 for 10.0.0.7", "upgrade: HTTP 503 for {n}"),
        ("status: 429", "status: 429"),
        ("tcp: connection refused", "tcp: connection refused"),
        ("a deadbeef cafe", "a deadbeef cafe"),
    ],
)
def test_what_differs_from_case_to_case_is_folded(text: str, expected: str) -> None:
    assert shape(text) == expected


def test_a_text_that_is_alone_in_its_shape_stays_as_it_is() -> None:
    counted = {f"turn {number} lost": 1 for number in range(SHOWN)} | {"shard 7 is down": 3}
    assert most_frequent(counted) == {"turn {n} lost": SHOWN, "shard 7 is down": 3}


def test_more_shapes_than_are_told_are_counted_together() -> None:
    names = [f"{chr(97 + one)}{chr(97 + other)}" for one in range(26) for other in range(26)]
    counted = dict.fromkeys(names, 1) | {"often": 50}
    told = most_frequent(counted)
    assert next(iter(told)) == "often"
    assert len(told) == SHOWN + 1
    assert told[OTHERS] == len(names) - SHOWN + 1
    assert sum(told.values()) == sum(counted.values())


def test_memory_is_bounded_and_nothing_goes_uncounted() -> None:
    reasons = Reasons()
    words = [f"{'x' * (number % 300)} {'y' * (number // 300)}" for number in range(4 * REMEMBERED)]
    for word in words:
        reasons.add(word)
    for _ in range(7):
        reasons.add("at last")
    told = reasons.counts()
    assert sum(told.values()) == len(words) + 7
    assert len(reasons._counted) <= 2 * REMEMBERED + 1


def test_a_long_reason_is_cut() -> None:
    reasons = Reasons()
    reasons.add("x" * 10_000)
    assert list(reasons.counts()) == ["x" * 400]
