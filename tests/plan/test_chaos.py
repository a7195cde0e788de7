from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.chaos import (
    LONG,
    Broken,
    broken_before,
    broken_message,
    cut_users,
    is_left,
    retry_after_ns,
    slow_users,
    wait_ns,
)
from loadtest.plan.scenario import Chaos, Cut, Reconnect, SlowReaders

MS = 1_000_000
MESSAGE = '{"type":"start_agent","payload":{"user_request":"{data.question}","run_id":"{turn.id}"}}'


def test_without_chaos_nothing_goes_wrong() -> None:
    chaos = Chaos()
    assert cut_users(chaos, 1, 10, 0) == slow_users(chaos, 1, 10) == frozenset()
    assert not any(is_left(chaos, 1, seq) or broken_before(chaos, 1, seq) for seq in range(1000))


def test_each_cut_strikes_exactly_its_share_and_others_than_the_last() -> None:
    chaos = Chaos(cut=Cut(share=0.3, at_ns=0))
    cuts = [cut_users(chaos, 1, 40, nth) for nth in range(5)]
    assert [len(users) for users in cuts] == [12] * 5
    assert len(set(cuts)) == 5


def test_slow_readers_are_the_same_all_the_time() -> None:
    chaos = Chaos(slow_readers=SlowReaders(share=0.2, bytes_per_s=1))
    assert len(slow_users(chaos, 1, 50)) == 10
    assert slow_users(chaos, 1, 50) == slow_users(chaos, 1, 50) != slow_users(chaos, 2, 50)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_about_a_share_of_the_turns_is_struck(share: float) -> None:
    chaos = Chaos(leavers=share, malformed=share)
    left = [is_left(chaos, 1, seq) for seq in range(4000)]
    broken = [broken_before(chaos, 1, seq) is not None for seq in range(4000)]
    assert sum(left) / 4000 == pytest.approx(share, abs=0.03)
    assert sum(broken) / 4000 == pytest.approx(share, abs=0.03)
    assert share == 1 or left != broken


def test_messages_are_broken_in_every_way_as_often() -> None:
    chaos = Chaos(malformed=1.0)
    found = [broken_before(chaos, 1, seq) for seq in range(4000)]
    for kind in Broken:
        assert found.count(kind) / 4000 == pytest.approx(0.25, abs=0.03)


def test_how_messages_are_broken() -> None:
    texts = {kind: broken_message(kind, MESSAGE) for kind in Broken}
    assert texts[Broken.EMPTY] == ""
    assert isinstance(json.loads(texts[Broken.WRONG_TYPE]), list)
    assert len(json.loads(texts[Broken.LONG])["text"]) == LONG
    assert MESSAGE.startswith(texts[Broken.TRUNCATED])
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(texts[Broken.TRUNCATED])


def test_each_wait_is_twice_as_long_up_to_the_longest() -> None:
    policy = Reconnect(initial_delay_ns=100 * MS, factor=2, max_delay_ns=1000 * MS)
    waits = [wait_ns(policy, attempt, 0.0) // MS for attempt in range(1, 7)]
    assert waits == [100, 200, 400, 800, 1000, 1000]
    assert wait_ns(policy, 3, 0.5) == 300 * MS


@given(
    st.integers(1, 10**12),
    st.floats(1, 100),
    st.integers(0, 10**12),
    st.floats(0, 1),
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
)
def test_a_wait_keeps_its_bounds(
    first: int, factor: float, more: int, jitter: float, attempt: int, drawn: float
) -> None:
    policy = Reconnect(initial_delay_ns=first, factor=factor, max_delay_ns=first + more, jitter=jitter)
    longest = wait_ns(policy, attempt, 0.0)
    assert first <= longest <= first + more
    assert round(longest * (1 - jitter)) - 1 <= wait_ns(policy, attempt, drawn) <= longest
    assert longest <= wait_ns(policy, attempt + 1, 0.0) + 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17),
        ("0", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("9" * 400, 86_400),
        ("Wed, 21 Oct 2015 07:28:20 GMT", 20),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0),
        ("Wed, 21 Oct 2093 07:28:20 GMT", 86_400),
    ],
)
def test_how_long_a_target_says_to_wait(header: str, seconds: int) -> None:
    assert retry_after_ns(header, 1_445_412_480.0) == seconds * 1_000_000_000
