"""Heartbeats by our clock: when they go out, what answers them, and a target that does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.plan.protocol import AutoReply, ReadyStep, TimedBeat
from loadtest.speak.turn import NEVER, Outcome
from tests.speak.talk import SECOND, TIMEOUT, Talk, said

HELLO = ReadyStep(wait={"op": 10}, keep={"interval": "d.interval"})
BEAT = TimedBeat(every="2s", send='{"op":1,"d":{kept.number}}', answer={"op": 11}, within_ns=SECOND)
NUMBERED: dict[str, Any] = {"keep": ({"op": 0, "keep": {"number": "s"}},)}


def beating(**changed: Any) -> Talk:
    talk = Talk(heartbeat=[TimedBeat(**{"every": "2s", "send": "beat", **changed})], **NUMBERED)
    assert talk.session.wakes_ns == 2 * SECOND
    return talk


def test_a_heartbeat_goes_out_and_its_answer_is_timed() -> None:
    talk = Talk(heartbeat=[BEAT], **NUMBERED)
    talk.session.tick(2 * SECOND - 1)
    assert talk.session.outbox is None
    talk.session.tick(2 * SECOND)
    assert talk.session.outbox == ['{"op":1,"d":null}']
    assert talk.session.wakes_ns == 3 * SECOND
    talk.hear(2 * SECOND + 7, said(op=11), said(op=0, s=5))
    assert talk.record.metrics.heartbeat_rtt.tolist() == [7]
    talk.session.tick(3 * SECOND)
    assert not talk.session.silent
    assert talk.session.wakes_ns == 4 * SECOND
    talk.session.tick(4 * SECOND)
    assert talk.session.outbox[1:] == ['{"op":1,"d":5}']
    assert talk.counts("heartbeats.") == {"sent": 2, "answered": 1}
    assert (talk.counts()["heartbeat"], talk.counts()["received"], talk.counts()["unmatched"]) == (1, 1, 1)


def test_a_target_that_does_not_answer_is_silent() -> None:
    talk = Talk(heartbeat=[BEAT], **NUMBERED)
    talk.session.tick(2 * SECOND)
    talk.session.tick(3 * SECOND - 1)
    assert not talk.session.silent
    talk.session.tick(3 * SECOND)
    assert talk.session.silent
    assert talk.counts("heartbeats.") == {"sent": 1, "missed": 1}


def test_where_answers_lie_unread_because_of_us_none_is_missed() -> None:
    talk = Talk(heartbeat=[BEAT], **NUMBERED)
    talk.session.may_be_silent = True
    for at in (2, 3, 4):
        talk.session.tick(at * SECOND)
    assert not talk.session.silent
    assert talk.counts("heartbeats.") == {"sent": 2}


def test_without_an_answer_nothing_is_awaited() -> None:
    talk = beating()
    for at in (2, 4, 6):
        talk.session.tick(at * SECOND)
    assert talk.session.outbox == ["beat"] * 3
    assert talk.session.wakes_ns == 8 * SECOND


def test_an_answer_to_nothing_is_a_heartbeat_and_no_event_of_a_turn() -> None:
    talk = beating(answer={"type": "completed"})
    turn = talk.begin()
    talk.hear(20, said("completed", turn))
    assert turn.outcome is None
    assert talk.counts("heartbeats.") == {}
    assert talk.counts() == {"sent": 1, "heartbeat": 1}


def test_an_answer_counts_once() -> None:
    talk = beating(answer="pong")
    talk.session.tick(2 * SECOND)
    talk.hear(2 * SECOND, said("pong"), said("pong"))
    assert talk.counts("heartbeats.") == {"sent": 1, "answered": 1}


def test_an_answer_is_awaited_no_longer_than_the_interval() -> None:
    talk = beating(answer="pong")
    talk.session.tick(2 * SECOND)
    talk.session.tick(4 * SECOND)
    assert talk.session.silent


def test_values_of_an_answer_are_kept() -> None:
    beat = TimedBeat(every="1s", send="{kept.n}", answer={"type": "pong", "keep": {"n": "n"}})
    talk = Talk(heartbeat=[beat])
    talk.session.tick(SECOND)
    talk.hear(SECOND, said("pong", n=3))
    talk.session.tick(2 * SECOND)
    assert talk.session.outbox == ["", "3"]


@pytest.mark.parametrize(
    ("dictated", "wakes_ns"),
    [
        (1500, 1_500_000_000),
        ("1500", 1_500_000_000),
        (1, 100_000_000),
        (1e300, 86_400 * SECOND),
        (0, NEVER),
        (-5, NEVER),
        (True, NEVER),
        ("soon", NEVER),
        ("nan", NEVER),
        ([1500], NEVER),
        (None, NEVER),
    ],
)
def test_the_target_dictates_the_interval(dictated: Any, wakes_ns: int) -> None:
    beat = TimedBeat(every="{kept.interval}ms", send="beat")
    talk = Talk(ready=[HELLO], heartbeat=[beat])
    talk.hear(0, json.dumps({"op": 10, "d": {"interval": dictated}}).encode())
    assert talk.session.wakes_ns == wakes_ns
    assert talk.counts("heartbeats.") == ({"not_scheduled": 1} if wakes_ns == NEVER else {})


def test_an_interval_may_change_and_end() -> None:
    beat = TimedBeat(every="{kept.interval}s", send="beat")
    talk = Talk(ready=[HELLO], heartbeat=[beat], keep=({"op": 9, "keep": {"interval": "d.interval"}},))
    talk.hear(0, said(op=10, d={"interval": 1}))
    talk.hear(1, said(op=9, d={"interval": 3}))
    talk.session.tick(SECOND)
    assert talk.session.wakes_ns == 4 * SECOND
    talk.hear(5, said(op=9, d={"interval": "never"}))
    talk.session.tick(4 * SECOND)
    assert (talk.session.wakes_ns, talk.session.outbox) == (NEVER, ["beat"])
    assert talk.counts("heartbeats.") == {"sent": 1, "not_scheduled": 1}


def test_beats_and_turns_wake_each_in_its_time() -> None:
    talk = Talk(heartbeat=[BEAT, AutoReply(on="ping", send="pong")], **NUMBERED)
    turn = talk.begin()
    assert talk.session.wakes_ns == 2 * SECOND
    talk.session.tick(2 * SECOND)
    talk.hear(2 * SECOND, said(op=11), said("ping"))
    for at in (4, 6, 8, 10):
        talk.session.tick(at * SECOND)
        talk.hear(at * SECOND, said(op=11))
    talk.session.tick(TIMEOUT + 10)
    assert turn.outcome is Outcome.TIMED_OUT
    assert talk.session.wakes_ns == 12 * SECOND


def test_of_a_connection_that_is_over_no_heartbeat_is_sent() -> None:
    talk = beating()
    talk.session.lost(SECOND, 1000)
    talk.session.tick(2 * SECOND)
    assert talk.session.outbox is None


def test_in_text_an_answer_is_none_of_a_turn() -> None:
    nothing = dict.fromkeys(
        ("type", "turn", "user", "sequence", "first", "end", "fail", "refuse", "ignore"), ()
    )
    talk = Talk(
        heartbeat=[TimedBeat(every="1s", send="2", answer="3")],
        **{**nothing, "format": "opaque", "match": "order", "count": 1},
    )
    turn = talk.begin()
    talk.session.tick(SECOND)
    talk.hear(SECOND + 5, b"3", b"answer")
    assert turn.received == 1
    assert talk.record.metrics.heartbeat_rtt.tolist() == [5]


def test_each_heartbeat_has_its_own_answer() -> None:
    beats = [TimedBeat(every=f"{n}s", send=f"beat {n}", answer=f"answer {n}") for n in (1, 2)]
    talk = Talk(heartbeat=beats)
    talk.session.tick(SECOND)
    talk.hear(SECOND + 3, said("answer 1"))
    talk.session.tick(2 * SECOND)
    talk.hear(2 * SECOND + 5, said("answer 2"))
    assert talk.record.metrics.heartbeat_rtt.tolist() == [3, 5]
    assert talk.session.outbox == ["beat 1", "beat 1", "beat 2"]


@pytest.mark.parametrize("match", ["id", "order"])
@pytest.mark.parametrize("on", ["ping", {"op": 9}])
def test_a_heartbeat_of_the_target_is_no_answer_though_it_has_the_id_of_a_turn(on: Any, match: str) -> None:
    talk = Talk(heartbeat=[AutoReply(on=on, send="pong")], match=match, first=(), end=(), count=1)
    turn = talk.begin()
    talk.hear(20, said("ping", turn, op=9))
    assert (turn.outcome, turn.received, talk.session.outbox) == (None, 0, ["pong"])
    assert talk.counts() == {"sent": 1, "heartbeat": 1}


def test_a_heartbeat_may_say_how_many_went_before_it() -> None:
    numbered = [
        TimedBeat(every="2s", send='{"n":{heartbeat.number},"said":"{heartbeat.number}"}'),
        TimedBeat(every="3s", send="{heartbeat.number}"),
    ]
    talk = Talk(heartbeat=numbered)
    for at in (2, 3, 4, 6):
        talk.session.tick(at * SECOND)
    assert talk.session.outbox == [
        '{"n":1,"said":"1"}', "1", '{"n":2,"said":"2"}', '{"n":3,"said":"3"}', "2",
    ]  # fmt: skip
