"""Towards ready: steps, heartbeats, refusals, time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.errors import Layer
from loadtest.plan.protocol import AutoReply, ReadyStep
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.session import SessionState
from loadtest.speak.turn import NEVER, Outcome
from tests.speak.talk import SECOND, TIMEOUT, Talk, answer, said

GREETING = ReadyStep(wait={"type": "hello"}, within_ns=5 * SECOND)
PING = AutoReply(on={"type": "ping"}, send='{"type":"pong","at":{now_ms}}')


def test_without_steps_it_is_open_after_the_upgrade() -> None:
    talk = Talk(upgraded=False)
    assert talk.session.state is SessionState.READYING
    talk.session.upgraded(5)
    assert talk.session.state is SessionState.OPEN
    assert talk.session.wakes_ns == NEVER


def test_a_greeting_opens_it() -> None:
    talk = Talk(ready=[GREETING])
    assert (talk.session.state, talk.session.wakes_ns) == (SessionState.READYING, 5 * SECOND)
    talk.hear(1, said("hello"))
    assert (talk.session.state, talk.session.wakes_ns) == (SessionState.OPEN, NEVER)
    assert talk.record.counts() == {}


def test_a_whole_handshake() -> None:
    """Wait, answer with what was kept, wait, pause: as agent backends ask for."""
    talk = Talk(
        ready=[
            ReadyStep(wait={"type": "offer"}, keep={"thread": "data.thread", "lang": "data.lang"}),
            ReadyStep(send='{"type":"accept","thread":"{ready.thread}","user":"{user.id}"}'),
            ReadyStep(wait={"type": "complete"}, keep={"token": "token"}),
            ReadyStep(pause_ns=SECOND),
            ReadyStep(send="token {ready.token}"),
        ],
        values={"user.id": "u-3"},
        message="{ready.thread} {ready.token} {turn.id}",
    )
    session = talk.session
    talk.hear(1, said("offer", data={"thread": "t-1"}))
    assert session.outbox is not None
    assert json.loads(session.outbox.pop()) == {"type": "accept", "thread": "t-1", "user": "u-3"}
    talk.hear(2, said("complete", token=7))
    assert (session.state, session.wakes_ns, session.outbox) == (SessionState.READYING, 2 + SECOND, [])
    session.tick(1 + SECOND)
    assert (session.state, session.wakes_ns) == (SessionState.READYING, 2 + SECOND)
    session.tick(2 + SECOND)
    assert (session.state, session.wakes_ns, session.outbox) == (SessionState.OPEN, NEVER, ["token 7"])
    ready = {"ready.thread": "t-1", "ready.lang": "", "ready.token": "7"}
    assert session.kept == {**ready, "kept.thread": "t-1", "kept.token": 7}
    assert session.begin(0, 0, 0, {})[1] == b"t-1 7 turn-0"


def test_each_wait_has_its_own_time() -> None:
    talk = Talk(ready=[GREETING, ReadyStep(wait={"type": "go"}, within_ns=SECOND)])
    talk.hear(3 * SECOND, said("hello"))
    assert talk.session.wakes_ns == 4 * SECOND


def test_a_pause_hears_nothing() -> None:
    talk = Talk(ready=[ReadyStep(pause_ns=SECOND), GREETING])
    talk.hear(1, said("hello"))
    assert talk.session.wakes_ns == SECOND
    assert talk.counts() == {"before_ready": 1}
    talk.session.tick(SECOND)
    assert talk.session.wakes_ns == 6 * SECOND


def test_two_pauses_follow_each_other() -> None:
    talk = Talk(ready=[ReadyStep(pause_ns=SECOND), ReadyStep(pause_ns=SECOND)])
    talk.session.tick(SECOND)
    assert (talk.session.state, talk.session.wakes_ns) == (SessionState.READYING, 2 * SECOND)
    talk.session.tick(2 * SECOND)
    assert talk.session.state is SessionState.OPEN


def test_what_is_not_waited_for_is_counted_apart() -> None:
    talk = Talk(ready=[GREETING])
    talk.hear(1, said("other"), b"no JSON", said("completed", "turn-1"))
    assert talk.session.state is SessionState.READYING
    assert talk.counts() == {"before_ready": 3}


def test_messages_of_the_same_read_count_from_ready_on() -> None:
    talk = Talk(ready=[GREETING])
    talk.hear(1, said("news"), said("hello"), said("stray"), said("stray"))
    assert talk.counts() == {"before_ready": 1, "received": 2, "unmatched": 2, "coalesced": 1}


def test_the_greeting_tells_our_name() -> None:
    talk = Talk(ready=[GREETING, ReadyStep(wait={"type": "go"})])
    talk.hear(1, said("hello", user_id="u-1"))
    talk.hear(2, said("go", user_id="u-2"))
    assert talk.session.user_mark == "u-1"


def test_a_name_that_was_given_stays() -> None:
    talk = Talk(ready=[GREETING])
    talk.session.user_mark = "me"
    talk.hear(1, said("hello", user_id="u-1"))
    assert talk.session.user_mark == "me"


# ------------------------------------------------------------------ heartbeats


def test_a_heartbeat_is_answered_on_the_way_and_later() -> None:
    talk = Talk(ready=[GREETING], heartbeat=[PING], unix_offset_ns=SECOND)
    talk.hear(5_000_000, said("ping"))
    talk.hear(6_000_000, said("hello"))
    talk.hear(7_000_000, said("ping"), said("other"))
    assert talk.session.outbox == ['{"type":"pong","at":1005}', '{"type":"pong","at":1007}']
    assert talk.counts() == {"heartbeat": 2, "received": 1, "unmatched": 1, "coalesced": 1}


def test_a_heartbeat_may_come_before_what_it_would_carry() -> None:
    talk = Talk(
        ready=[ReadyStep(wait={"type": "hello"}, keep={"token": "token"})],
        heartbeat=[AutoReply(on={"type": "ping"}, send="pong {ready.token}")],
    )
    talk.hear(1, said("ping"), said("hello", token="t"), said("ping"))
    assert talk.session.outbox == ["pong ", "pong t"]


def test_no_two_answers_carry_the_same_uuid() -> None:
    talk = Talk(heartbeat=[AutoReply(on={"type": "ping"}, send="{uuid}")])
    talk.hear(1, said("ping"), said("ping"))
    assert talk.session.outbox is not None
    assert len({*talk.session.outbox}) == 2


def test_a_heartbeat_is_told_by_any_path() -> None:
    talk = Talk(
        heartbeat=[AutoReply(on={"op": "1"}, send="a"), AutoReply(on={"op": "2", "type": "x"}, send="b")]
    )
    talk.hear(1, said(op=1), said("x", op=2), said("y", op=2))
    assert talk.session.outbox == ["a", "b"]
    assert talk.counts() == {"heartbeat": 2, "received": 1, "unmatched": 1, "coalesced": 2}


# ------------------------------------------------------------------ refusals


def refusal(talk: Talk, *payloads: bytes) -> ConnectRefusal:
    with pytest.raises(ConnectRefusal) as caught:
        talk.hear(1, *payloads)
    return caught.value


def test_an_auth_error_refuses() -> None:
    talk = Talk(ready=[GREETING], auth_errors=("auth_failed",))
    refused = refusal(talk, said("auth_failed"))
    assert (refused.layer, refused.reason) == (Layer.AUTH, "the target answered auth_failed")
    assert str(refused) == "auth: the target answered auth_failed"
    assert (talk.session.state, talk.session.wakes_ns) == (SessionState.CLOSED, NEVER)
    # The close that follows is not a second refusal, and nobody's messages are counted.
    assert talk.session.lost(2, 1008) is None
    talk.hear(3, said("hello"))
    assert talk.record.counts() == {}


@pytest.mark.parametrize("code", [1006, 1008, 4001, 1000])
def test_an_error_and_then_a_close_is_a_refusal_by_auth(code: int) -> None:
    talk = Talk(ready=[GREETING])
    talk.hear(1, said("error"))
    refused = talk.session.lost(2, code)
    assert refused is not None
    assert refused.layer is Layer.AUTH
    assert refused.reason == f"closed with code {code} after error before it was ready"


def test_what_the_target_says_to_a_login_is_quoted() -> None:
    login = [ReadyStep(send='{"op":"login"}'), GREETING]
    talk = Talk(ready=login)
    talk.hear(1, said("error", message="no\nsuch user"))
    refused = talk.session.lost(2, 4401)
    assert refused is not None
    assert refused.reason == "closed with code 4401 after error before it was ready: no such user"
    talk = Talk(ready=login, auth_errors=("denied",))
    assert refusal(talk, said("denied", reason="expired")).reason == "the target answered denied: expired"


@pytest.mark.parametrize(
    ("code", "layer"),
    [(1008, Layer.AUTH), (4001, Layer.AUTH), (4403, Layer.AUTH), (1006, Layer.READY), (1011, Layer.READY)],
)
def test_a_close_before_ready_is_a_refusal_by_its_code(code: int, layer: Layer) -> None:
    refused = Talk(ready=[GREETING]).session.lost(2, code)
    assert refused is not None
    assert (refused.layer, refused.reason) == (layer, f"closed with code {code} before it was ready")


def test_leaving_before_ready_is_no_refusal() -> None:
    assert Talk(ready=[GREETING]).session.lost(2, 1000, by_us=True) is None


def test_a_close_after_ready_is_no_refusal() -> None:
    talk = Talk()
    assert talk.session.lost(2, 1008) is None
    assert talk.session.lost(3, 1008) is None


def test_a_wait_that_is_too_long_refuses() -> None:
    talk = Talk(ready=[ReadyStep(wait={"type": "hello", "data.v": "2"}, within_ns=1_500_000_000)])
    talk.session.tick(1_499_999_999)
    with pytest.raises(ConnectRefusal) as caught:
        talk.session.tick(1_500_000_000)
    assert caught.value.layer is Layer.READY
    assert caught.value.reason == "no message with type = hello, data.v = 2 within 1.5 s; nothing came"
    assert talk.session.state is SessionState.CLOSED


def test_a_tick_before_the_upgrade_does_nothing() -> None:
    talk = Talk(ready=[GREETING], upgraded=False)
    talk.session.tick(100 * SECOND)
    assert (talk.session.state, talk.session.wakes_ns) == (SessionState.READYING, NEVER)


# ------------------------------------------------------------------ turns that were begun too early


def test_a_turn_begun_before_ready_times_out_all_the_same() -> None:
    talk = Talk(ready=[ReadyStep(wait={"type": "hello"}, within_ns=100 * SECOND)])
    turn = talk.begin()
    assert talk.session.wakes_ns == 10 + TIMEOUT
    talk.hear(1, said("hello"))
    assert talk.session.wakes_ns == 10 + TIMEOUT
    talk.session.tick(10 + TIMEOUT)
    assert turn.outcome is Outcome.TIMED_OUT


def test_a_turn_begun_before_ready_may_still_be_answered() -> None:
    talk = Talk(ready=[GREETING])
    turn = talk.begin()
    talk.hear(5, said("hello"), *answer(turn))
    assert turn.outcome is Outcome.COMPLETE


def test_saying_something_of_ones_own() -> None:
    talk = Talk()
    talk.session.say("a")
    talk.session.say("b")
    assert talk.session.outbox == ["a", "b"]


def test_values_are_read_when_something_is_said() -> None:
    values: dict[str, Any] = {"user.id": "old"}
    talk = Talk(heartbeat=[AutoReply(on={"type": "ping"}, send="{user.id}")], values=values)
    values["user.id"] = "new"
    talk.hear(1, said("ping"))
    assert talk.session.outbox == ["new"]


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        ([], "nothing came"),
        ([said("other"), said("other"), said("more")], "came instead: `other`, `more`"),
        ([b'{"kind":"hello","data":1}'], "came instead: a message without a type, with the keys kind, data"),
        ([b"hello"], "came instead: a message that is not a JSON object"),
        ([said(each) for each in "abcd"], "came instead: `a`, `b`, `c`"),
    ],
)
def test_what_was_awaited_is_told_with_what_came_instead(heard: list[bytes], told: str) -> None:
    talk = Talk(ready=[GREETING])
    for payload in heard:
        talk.hear(1, payload)
    wanted = "waited for a message with type = hello (ready step 1 of 1)"
    assert talk.session.awaited() == f"{wanted}; {told}"
    with pytest.raises(ConnectRefusal) as refused:
        talk.session.tick(5 * SECOND)
    assert refused.value.reason == f"no message with type = hello within 5 s; {told}"


def test_a_pause_may_be_what_is_waited_for() -> None:
    talk = Talk(ready=[ReadyStep(pause_ns=SECOND)])
    assert talk.session.awaited() == "waited for a pause to end (ready step 1 of 1); nothing came"
