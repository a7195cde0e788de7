"""Values that are kept of what came, and sent again: in answers, in later turns; secrets are not shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.plan.protocol import AutoReply, ReadyStep
from loadtest.plan.template import escaped
from loadtest.speak.compiled_protocol import MAX_KEPT_VALUE
from loadtest.speak.kept_secrets import HIDDEN, MAX_SECRETS
from loadtest.speak.session import MAX_ANSWERS_PER_S, Session
from loadtest.speak.turn import Outcome
from tests.speak.talk import SECOND, TIMEOUT, Talk, said

MESSAGE = '{"id":"{turn.id}","after":{last.response},"session":"{kept.session_id}"}'
END = {"type": "completed", "keep": {"response": "response.id", "session_id": "session"}}
KEEPING: dict[str, Any] = {"end": (END,), "message": MESSAGE}


def sent(talk: Talk, seq: int = 0) -> dict[str, Any]:
    """What the next turn would send."""
    found: dict[str, Any] = json.loads(talk.session.begin(seq, 0, 0, {})[1])
    return found


def test_a_turn_says_what_the_turn_before_kept() -> None:
    talk = Talk(**KEEPING)
    turn = talk.begin()
    talk.hear(20, said("completed", turn, response={"id": "r-1"}, session='a "b"'))
    assert turn.outcome is Outcome.COMPLETE
    assert sent(talk, 1) == {"id": "turn-1", "after": "r-1", "session": 'a "b"'}
    assert talk.counts()["matched"] == 1


def test_before_anything_is_kept_there_is_nothing() -> None:
    assert sent(Talk(**KEEPING)) == {"id": "turn-0", "after": None, "session": ""}


def test_what_the_last_turn_did_not_keep_is_nothing_and_what_was_kept_stays() -> None:
    talk = Talk(**KEEPING)
    talk.hear(20, said("completed", talk.begin(), response={"id": "r-1"}, session="s"))
    talk.begin(1)
    talk.session.tick(TIMEOUT + SECOND)
    assert sent(talk, 2) == {"id": "turn-2", "after": None, "session": "s"}


def test_the_turn_that_ended_last_is_the_one_before() -> None:
    talk = Talk(**KEEPING)
    first, second = talk.begin(0), talk.begin(1)
    talk.hear(20, said("completed", second, response={"id": "r-2"}))
    talk.hear(21, said("completed", first, response={"id": "r-1"}))
    assert sent(talk, 2)["after"] == "r-1"


def test_values_of_one_turn_come_together() -> None:
    talk = Talk(
        message='{"id":"{turn.id}","a":"{last.a}","b":"{last.b}"}',
        keep=({"type": "started", "keep": {"a": "x"}}, {"has": "y", "keep": {"b": "y"}}),
    )
    turn = talk.begin()
    talk.hear(20, said("started", turn, x=1), said("thinking", turn, y=[2]), said("completed", turn))
    assert sent(talk, 1) == {"id": "turn-1", "a": "1", "b": "[2]"}


def test_a_value_is_of_the_kind_that_it_was() -> None:
    talk = Talk(message='{"id":"{turn.id}","n":{kept.n}}', keep=({"has": "n", "keep": {"n": "n"}},))
    for value in ("5", 5, True, {"a": [1]}):
        talk.hear(20, said("note", n=value))
        assert sent(talk) == {"id": "turn-0", "n": value}


def test_an_event_keeps_values_and_means_what_it_means() -> None:
    talk = Talk(
        first=({"type": "thinking", "keep": {"a": "a"}},),
        fail=({"has": "error", "keep": {"e": "error"}},),
        ignore=({"type": "ack", "keep": {"n": "n"}},),
    )
    turn = talk.begin()
    talk.hear(20, said("ack", n=1, user_id="u-9"), said("thinking", turn, a=2))
    assert turn.first_ns == 20
    talk.hear(21, said("x", turn, error=3))
    assert turn.outcome is Outcome.FAILED
    assert talk.session.kept == {"kept.n": 1, "kept.a": 2, "kept.e": 3}
    assert (talk.counts()["ignored"], talk.counts()["matched"]) == (1, 2)


def test_where_nothing_stands_the_value_before_stays() -> None:
    talk = Talk(keep=({"has": "op", "keep": {"s": "s"}},))
    talk.hear(20, said(op=0, s=7), said(op=11), said(op=0, s=8))
    talk.hear(21, said(op=11))
    assert talk.session.kept == {"kept.s": 8}


def test_nothing_is_kept_of_other_users_and_of_turns_that_are_over() -> None:
    talk = Talk(keep=({"has": "x", "keep": {"x": "x"}},))
    talk.session.user_mark = "me"
    turn = talk.begin()
    talk.hear(20, said("completed", turn, user_id="me"))
    talk.hear(21, said("note", turn, x=1), said("note", user_id="you", x=2), said("note", "turn-77", x=3))
    assert talk.session.kept is None
    talk.hear(22, said("note", user_id="me", x=4))
    assert talk.session.kept == {"kept.x": 4}


def test_of_events_in_order_values_are_kept_too() -> None:
    talk = Talk(
        type=(),
        turn=(),
        user=(),
        sequence=(),
        first=(),
        end=({"prefix": "43", "keep": {"a": "a"}}, {"has": "a", "keep": {"b": "a"}}),
        fail=(),
        refuse=(),
        ignore=(),
        format="opaque",
        match="order",
    )
    turn = talk.begin()
    talk.hear(20, b'{"a":1}')
    assert turn.outcome is Outcome.COMPLETE
    assert talk.session.kept == {"kept.b": 1}


def test_a_value_that_is_too_large_is_not_kept() -> None:
    talk = Talk(keep=({"has": "x", "keep": {"x": "x", "y": "y"}},))
    talk.hear(20, said(x="a" * MAX_KEPT_VALUE, y=["b" * MAX_KEPT_VALUE]))
    assert talk.session.kept == {"kept.x": "a" * MAX_KEPT_VALUE}
    assert talk.counts()["value_too_large"] == 1


def test_a_value_that_is_nested_too_deeply_is_not_kept() -> None:
    talk = Talk(keep=({"has": "x", "keep": {"x": "x"}},))
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    found = {"x": deep}
    for _ in range(100_000):
        found = {"x": [found["x"]]}
    values, too_large = talk.protocol.kept_of(talk.protocol.hear_message(found))
    assert (values, too_large) == ({}, 1)


def test_a_reconnected_session_starts_afresh() -> None:
    talk = Talk(**KEEPING)
    talk.hear(20, said("completed", talk.begin(), response={"id": "r-1"}, session="s"))
    later = Session(talk.protocol, talk.record, 3, {})
    later.follow(talk.session)
    later.upgraded(30)
    assert json.loads(later.begin(1, 0, 30, {})[1]) == {"id": "turn-1", "after": None, "session": ""}


def test_a_ready_step_and_a_heartbeat_keep_what_answers_say() -> None:
    talk = Talk(
        ready=[ReadyStep(wait={"type": "hello", "keep": {"a": "a"}}, keep={"b": "b"})],
        heartbeat=[
            AutoReply(
                on={"type": "tick", "keep": {"c": "c"}}, send="{kept.a}{kept.b}{kept.c}", keep={"d": "d"}
            )
        ],
        answer=(AutoReply(on={"has": "ask"}, send="{kept.d} {last.e} {ready.a}"),),
        keep=({"type": "note", "keep": {"e": "e"}},),
        message="{kept.a} {kept.c} {turn.id}",
    )
    talk.hear(1, said("hello", a=1, b="2"))
    talk.hear(2, said("tick", c=3, d=4), said(ask=1))
    assert talk.session.outbox == ["123", "4  1"]
    assert talk.session.begin(0, 0, 3, {})[1] == b"1 3 turn-0"
    talk.hear(4, said("tick", c=5))
    assert talk.session.begin(1, 0, 5, {})[1] == b"1 5 turn-1"


def test_what_only_ready_steps_keep_is_filled_in_once() -> None:
    talk = Talk(
        ready=[ReadyStep(wait={"type": "hello"}, keep={"a": "a"})], message='{"i":"{turn.id}","a":"{kept.a}"}'
    )
    talk.hear(1, said("hello", a="x"))
    assert not talk.protocol.asks_kept
    assert talk.protocol.bind_message(talk.protocol.plain, {}, talk.session.kept).template.names == {
        "turn.id"
    }


# ---------------------------------------------------------------- answers, and how many


def test_answers_are_bounded() -> None:
    talk = Talk(
        answer=(AutoReply(on={"has": "ask"}, send="{event.ask}"),),
        heartbeat=[AutoReply(on="ping", send="pong")],
    )
    for n in range(MAX_ANSWERS_PER_S):
        talk.hear(5, said(ask=n))
    talk.hear(5 + SECOND - 1, said(ask="late"), said("ping"))
    assert talk.session.outbox is not None
    assert len(talk.session.outbox) == MAX_ANSWERS_PER_S
    assert (talk.counts()["answered"], talk.counts()["unanswered"]) == (MAX_ANSWERS_PER_S, 2)
    assert talk.counts()["heartbeat"] == 1
    talk.hear(5 + SECOND, said(ask="again"))
    assert talk.session.outbox[-1] == "again"


# ---------------------------------------------------------------- secrets


def test_a_kept_secret_is_not_shown() -> None:
    talk = Talk(keep=({"has": "t", "keep": {"access_token": "t"}},), message="{turn.id} {kept.access_token}")
    secret = 'se"cret'
    talk.hear(20, said("note", t=secret))
    turn = talk.begin()
    talk.hear(
        21,
        said("thinking", turn, text=f"it is {secret}"),
        said("completed", turn),
        b"what: " + secret.encode(),
    )
    assert talk.record.turns[0].frames is not None
    shown = [each for each in talk.record.turns[0].frames if isinstance(each, bytes)]
    shown += [payload for _, payload, _ in talk.record.shown]
    assert len(shown) == 4
    assert not any(form in each for each in shown for form in (secret.encode(), escaped(secret).encode()))
    assert sum(HIDDEN.encode() in each for each in shown) == 3


def test_who_wants_to_know_is_told_of_each_secret() -> None:
    talk = Talk()
    talk.session.conceal(["earlier"])
    told: list[str] = []
    talk.session.on_secret = told.append
    talk.session.conceal(["a-cookie", "a-token"])
    assert told == ["a-cookie", "a-token"]


def test_a_secret_that_came_by_another_way_is_not_shown() -> None:
    talk = Talk()
    talk.session.hide([])
    talk.session.hide(["a-ticket", "a-token"])
    talk.hear(20, b"what: a-ticket a-token")
    assert talk.record.shown[-1][1] == b"what: [redacted] [redacted]"


@pytest.mark.parametrize("value", ["abc", None, "", 12])
def test_what_is_short_is_no_secret(value: Any) -> None:
    talk = Talk(keep=({"has": "n", "keep": {"token": "t"}},))
    talk.hear(20, said("note", n=1, t=value))
    talk.hear(21, b"abc 12")
    assert talk.record.shown[-1][1] == b"abc 12"


def test_the_newest_secrets_are_remembered() -> None:
    talk = Talk(keep=({"has": "t", "keep": {"token": "t"}},))
    for n in (*range(MAX_SECRETS + 1), 1):
        talk.hear(20, said("note", t=f"secret-{n:03}"))
    talk.hear(21, b"secret-000 secret-001 secret-064")
    assert talk.record.shown[-1][1] == b"secret-000 [redacted] [redacted]"


@pytest.mark.parametrize(
    ("secret", "written"),
    [
        ("a/b+c=", r"a\/b+c="),
        ("a/b+c=", r"a\/b\u002Bc\u003d"),
        ("a/b+c=", r"\u0061/b+c="),
        ("key-é-😀", r"key\u002d\u00E9-\ud83d\uDE00"),
        ('q"uo\\te', r"q\u0022uo\\te"),
        ("a/b+c=", r"a\/b+c= and a/b+c= and a\/b\u002bc="),
    ],
)
def test_a_kept_secret_is_not_shown_however_it_is_escaped(secret: str, written: str) -> None:
    talk = Talk(keep=({"has": "t", "keep": {"token": "t"}},))
    talk.hear(20, said("note", t=secret))
    talk.hear(21, f'{{"type":"odd","x\\u002f\\n":"it is {written}!"}}'.encode())
    rest = " and [redacted]" * written.count("and")
    shown = f'{{"type":"odd","x\\u002f\\n":"it is [redacted]{rest}!"}}'
    assert talk.record.shown[-1][1] == shown.encode()


def test_secrets_within_one_another_leave_nothing() -> None:
    talk = Talk(keep=({"has": "t", "keep": {"token": "t"}},))
    for secret in ("ab/cd", "cd/ef", "b/c+"):
        talk.hear(20, said("note", t=secret))
    talk.hear(21, rb"ab\/cd\/ef \xff \u12")
    assert talk.record.shown[-1][1].replace(HIDDEN.encode(), b"") == rb" \xff \u12"
