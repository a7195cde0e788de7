"""Texts that are no JSON: their fields are the groups of a pattern."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.plan.protocol import AutoReply, Events, ReadyStep
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.event_reader import MAX_PATTERN_TEXT, Reader
from loadtest.speak.turn import Outcome
from tests.speak.talk import Talk

PATTERN = r"(?P<type>[A-Z]+) (?P<turn>[\w-]+)(?: (?P<sequence>\d+))?(?: @(?P<user>\w+))?(?: (?P<text>.*))?"
TEXT: dict[str, Any] = {
    "format": "text",
    "pattern": PATTERN,
    "type": ("type",),
    "turn": ("turn",),
    "user": ("user",),
    "sequence": ("sequence",),
    "first": ("WORD",),
    "end": ("DONE",),
    "fail": ({"type": "DONE", "text": {"prefix": "error"}},),
    "refuse": ("BUSY",),
    "ignore": ({"prefix": "*"},),
}


def test_fields_stand_in_the_groups_of_the_pattern() -> None:
    talk = Talk(**TEXT, heartbeat=[AutoReply(on="PING", send="PONG")], message="ASK {turn.id}")
    turn, other = talk.begin(0), talk.begin(1)
    talk.hear(20, b"WORD turn-0 0 hi", b"* news", b"PING", b"DONE turn-1 0 error: no", b"what")
    assert (turn.first_ns, other.outcome) == (20, Outcome.FAILED)
    talk.hear(21, b"WORD turn-0 2", b"WORD turn-0 2", b"WORD turn-0 1 @me", b"DONE turn-0 3")
    assert (turn.outcome, turn.received, turn.out_of_order, turn.duplicate) == (Outcome.COMPLETE, 4, 1, 1)
    assert talk.session.outbox == ["PONG"]
    counts = talk.counts()
    assert (counts["ignored"], counts["heartbeat"], counts["unmatched"], counts["matched"]) == (1, 1, 1, 5)
    assert talk.session.user_mark == "me"
    talk.hear(22, b"WORD turn-9 0 @you")
    assert "malformed" not in counts


def test_values_of_groups_are_kept_and_sent_back() -> None:
    talk = Talk(
        **{**TEXT, "end": ({"type": "DONE", "keep": {"ticket": "text"}},)},
        answer=(AutoReply(on="ASKED", send="ANSWER {event.text}"),),
        message="ASK {turn.id} {last.ticket}",
    )
    talk.begin()
    talk.hear(20, b"ASKED turn-0 7 why", b"DONE turn-0 1 T-9")
    assert talk.session.outbox == ["ANSWER why"]
    assert talk.session.begin(1, 0, 30, {})[1] == b"ASK turn-1 T-9"


def test_by_order_without_a_group_of_the_turn() -> None:
    talk = Talk(
        **{**TEXT, "turn": (), "user": (), "sequence": (), "match": "order", "pattern": r"(?P<code>\d{3}) "},
        end_all=({"code": 200}, "100 wait"),
    )
    turn = talk.begin()
    talk.hear(20, b"100 wait", b"200 done")
    assert turn.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b"WORD a 5 x", {"type": "WORD", "turn": "a", "sequence": 5, "text": "x"}),
        (b"WORD a", {"type": "WORD", "turn": "a"}),
        ("WORD a ٣".encode(), {"type": "WORD", "turn": "a", "sequence": 3}),
        (b"WORD a " + b"9" * 40, {"type": "WORD", "turn": "a", "sequence": "9" * 40}),
        (b"\xff", {"type": "\ufffd"}),
        (b"", {"type": ""}),
        (b"y" * 9_000, {"type": "y" * MAX_PATTERN_TEXT}),
    ],
)
def test_what_a_pattern_finds(payload: bytes, found: dict[str, Any]) -> None:
    reader = Reader(Events(**TEXT))
    assert reader.read(payload) == found
    assert reader.fields(reader.decode(payload))[0] == found["type"]


@pytest.mark.parametrize(
    ("came", "told"),
    [
        (b"ERR 'Authorization Violation'\r", "ERR: ERR 'Authorization Violation'"),
        (b"ERR " + b"x" * 900, "ERR: ERR " + "x" * 116 + "…"),
    ],
)
def test_of_an_error_before_ready_the_text_begins_the_reason(came: bytes, told: str) -> None:
    events = {"format": "text", "pattern": "(?P<type>OK|ERR)(?P<turn>-)?", "type": ("type",), "end": ("OK",)}
    talk = Talk(
        **events, turn=("turn",), ready=[ReadyStep(send="hi"), ReadyStep(wait="OK")], auth_errors=("ERR",)
    )
    with pytest.raises(ConnectRefusal) as refused:
        talk.hear(20, came)
    assert refused.value.reason == f"the target answered {told}"
    talk = Talk(**events, turn=("turn",), ready=[ReadyStep(send="hi"), ReadyStep(wait="OK")], fail=("ERR",))
    talk.hear(20, came)
    lost = talk.session.lost(30, 1000)
    assert lost is not None
    assert told.partition(": ")[2] in lost.reason
