from __future__ import annotations

import struct

import pytest

from loadtest.drive.keepalive import Keepalive
from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.turn import NEVER


@pytest.fixture
def part() -> PhaseMetrics:
    return PhaseMetrics(1)


def test_a_pong_is_timed_from_its_ping(part: PhaseMetrics) -> None:
    keepalive = Keepalive(NEVER)
    assert keepalive.oldest_ns == NEVER
    payload = keepalive.ping(1_000, part)
    assert keepalive.oldest_ns == 1_000
    keepalive.pong(payload, 1_250, part)
    assert keepalive.oldest_ns == NEVER
    assert part.ping_rtt.tolist() == [250]
    assert (part.pings_sent, part.pings_answered) == (1, 1)


@pytest.mark.parametrize("payload", [b"", b"other", struct.pack("!q", 999), struct.pack("<q", 1_000)])
def test_another_pong_says_nothing(part: PhaseMetrics, payload: bytes) -> None:
    keepalive = Keepalive(NEVER)
    keepalive.ping(1_000, part)
    keepalive.pong(payload, 1_250, part)
    assert keepalive.oldest_ns == 1_000
    assert (part.pings_sent, part.pings_answered) == (1, 0)


def test_a_pong_counts_once(part: PhaseMetrics) -> None:
    keepalive = Keepalive(NEVER)
    payload = keepalive.ping(1_000, part)
    keepalive.pong(payload, 1_250, part)
    keepalive.pong(payload, 1_300, part)
    assert part.ping_rtt.tolist() == [250]
    assert part.pings_answered == 1


def test_a_pong_to_nothing_says_nothing(part: PhaseMetrics) -> None:
    Keepalive(NEVER).pong(struct.pack("!q", -1), 5, part)
    assert part.pings_answered == 0


def test_a_clock_that_goes_back_gives_no_negative_time(part: PhaseMetrics) -> None:
    keepalive = Keepalive(NEVER)
    keepalive.pong(keepalive.ping(1_000, part), 900, part)
    assert part.ping_rtt.tolist() == [0]


def test_a_pong_answers_its_ping_and_all_before_it(part: PhaseMetrics) -> None:
    """RFC 6455, 5.5.3: a peer may answer only the latest."""
    keepalive = Keepalive(NEVER)
    _, second, _ = (keepalive.ping(now_ns, part) for now_ns in (1_000, 2_000, 3_000))
    keepalive.pong(second, 3_500, part)
    assert part.ping_rtt.tolist() == [2_500, 1_500]
    assert (part.pings_sent, part.pings_answered, keepalive.oldest_ns) == (3, 2, 3_000)


def test_pings_of_one_instant_are_answered_one_after_the_other(part: PhaseMetrics) -> None:
    keepalive = Keepalive(NEVER)
    payload = keepalive.ping(1_000, part)
    keepalive.ping(1_000, part)
    keepalive.pong(payload, 1_200, part)
    assert keepalive.oldest_ns == 1_000
    keepalive.pong(payload, 1_300, part)
    assert part.ping_rtt.tolist() == [200, 300]


def test_unanswered_pings_are_counted_by_their_age(part: PhaseMetrics) -> None:
    keepalive = Keepalive(NEVER)
    for now_ns in (1_000, 2_000, 3_000):
        keepalive.ping(now_ns, part)
    assert [keepalive.unanswered_since(at_ns) for at_ns in (0, 1_000, 2_500, 3_000)] == [3, 2, 1, 0]


def test_what_is_due_first_wakes() -> None:
    keepalive = Keepalive(5_000)
    assert keepalive.wakes_ns == 5_000
    keepalive.look_ns = 4_000
    assert keepalive.wakes_ns == 4_000
    keepalive.look_ns = 6_000
    assert keepalive.wakes_ns == 5_000
