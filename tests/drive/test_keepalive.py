from __future__ import annotations

import struct

import pytest

from loadtest.drive.connection import Keepalive
from loadtest.speak.phase_metrics import PhaseMetrics


@pytest.fixture
def part() -> PhaseMetrics:
    return PhaseMetrics(1)


def test_a_pong_is_timed_from_its_ping(part: PhaseMetrics) -> None:
    keepalive = Keepalive()
    assert not keepalive.unanswered
    payload = keepalive.ping(1_000, part)
    assert keepalive.unanswered
    keepalive.pong(payload, 1_250, part)
    assert not keepalive.unanswered
    assert part.ping_rtt.tolist() == [250]
    assert (part.pings_sent, part.pings_answered) == (1, 1)


@pytest.mark.parametrize("payload", [b"", b"other", struct.pack("!q", 999), struct.pack("<q", 1_000)])
def test_another_pong_says_nothing(part: PhaseMetrics, payload: bytes) -> None:
    keepalive = Keepalive()
    keepalive.ping(1_000, part)
    keepalive.pong(payload, 1_250, part)
    assert keepalive.unanswered
    assert (part.pings_sent, part.pings_answered) == (1, 0)


def test_a_pong_counts_once(part: PhaseMetrics) -> None:
    keepalive = Keepalive()
    payload = keepalive.ping(1_000, part)
    keepalive.pong(payload, 1_250, part)
    keepalive.pong(payload, 1_300, part)
    assert part.ping_rtt.tolist() == [250]
    assert part.pings_answered == 1


def test_a_pong_to_nothing_says_nothing(part: PhaseMetrics) -> None:
    Keepalive().pong(struct.pack("!q", -1), 5, part)
    assert part.pings_answered == 0


def test_a_clock_that_goes_back_gives_no_negative_time(part: PhaseMetrics) -> None:
    keepalive = Keepalive()
    keepalive.pong(keepalive.ping(1_000, part), 900, part)
    assert part.ping_rtt.tolist() == [0]
