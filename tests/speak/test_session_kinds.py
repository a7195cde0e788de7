"""Kinds of turn: each with a message, an end and numbers of its own, on one connection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from loadtest.plan.match import Match
from loadtest.plan.protocol import Events, MessageStep, Protocol, TurnKind, TurnShape
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.session import Session
from loadtest.speak.turn import Outcome, Turn
from tests.speak.talk import AGENT, SECOND, TIMEOUT, Kept, said


class Mixed:
    """One open session of a protocol with the kinds ``ask`` and ``cancel``."""

    def __init__(
        self, messages: tuple[MessageStep, ...] = (), *, of_cancel: Any = None, **events: Any
    ) -> None:
        of_all = Events(**{**AGENT, **events})
        shape = TurnShape(id="turn-{turn.number}", message="ask {turn.id}")
        cancel = replace(shape, message="" if messages else "cancel {turn.id} {user.id}", messages=messages)
        changed = {"end": ("cancelled",), "fail": (), "first": (), **(of_cancel or {})}
        kinds = {
            "ask": TurnKind(turn=shape, events=of_all),
            "cancel": TurnKind(turn=cancel, events=replace(of_all, **changed)),
        }
        protocol = Protocol(name="test", turn=shape, events=of_all, turns=kinds)
        self.protocol = CompiledProtocol(
            protocol, message=shape.message, nonce="test", timeout_ns=TIMEOUT, kinds=kinds
        )
        self.record = Kept()
        self.session = Session(self.protocol, self.record, 3, {"user.id": "anna"})
        self.session.upgraded(0)

    def begin(self, seq: int, kind: str) -> tuple[Turn, bytes]:
        turn, payload = self.session.begin(seq, 0, 0, {}, kind)
        self.session.sent(turn, 10)
        return turn, payload

    def of(self, kind: str) -> Any:
        return self.record.by_kind[kind][0]


def test_each_kind_has_its_message_its_end_and_its_numbers() -> None:
    mixed = Mixed()
    ask, asked = mixed.begin(0, "ask")
    cancel, cancelled = mixed.begin(1, "cancel")
    again, _ = mixed.begin(2, "cancel")
    assert (asked, cancelled) == (b"ask turn-0", b"cancel turn-1 anna")
    mixed.session.receive([said("cancelled", ask, 0), said("completed", cancel, 0)], 50)
    assert (ask.outcome, cancel.outcome) == (None, None)
    mixed.session.receive([said("error", cancel, 1), said("completed", ask, 1)], 60)
    assert (ask.outcome, cancel.outcome) == (Outcome.COMPLETE, None)
    mixed.session.receive([said("cancelled", cancel, 2), said("cancelled", again, 0)], 70)
    assert (cancel.outcome, again.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)
    assert (mixed.of("ask").turns_begun, mixed.of("cancel").turns_begun) == (1, 2)
    assert mixed.record.metrics.turns_begun == 0
    # By its own rules the first content of an ask never came; any event is that of a cancel.
    assert (list(mixed.of("ask").first_event), list(mixed.of("cancel").first_event)) == ([], [50, 70])
    assert mixed.record.metrics.events_received == 6
    assert sum(each.received for each in (ask, cancel, again)) == 6


@pytest.mark.parametrize("end", [{"status": "gone"}, {"4.x": "gone"}, {"has": "gone"}])
def test_what_a_kind_asks_of_an_event_is_looked_at_for_that_kind_alone(end: Match) -> None:
    mixed = Mixed(of_cancel={"end": (end,)}, end=())
    ask, _ = mixed.begin(0, "ask")
    cancel, _ = mixed.begin(1, "cancel")
    gone = {"status": "gone", "gone": True, "4": {"x": "gone"}}
    mixed.session.receive([said("x", ask, 0, **gone), said("x", cancel, 0, **gone)], 50)
    assert (ask.outcome, cancel.outcome) == (None, Outcome.COMPLETE)


def test_an_event_that_is_read_slowly_means_the_same() -> None:
    mixed = Mixed(of_cancel={"required": ("first one",), "end_all": ("cancelled", "stopped"), "end": ()})
    ask, _ = mixed.begin(0, "ask")
    cancel, _ = mixed.begin(1, "cancel")
    # An object where text is expected does not fit the struct.
    odd = {"event": {"a": 1}}
    mixed.session.receive([said("stopped", cancel, 0, **odd), said("cancelled", cancel, 1, **odd)], 50)
    mixed.session.receive([said("stopped", ask, 0, **odd), b"not json"], 60)
    assert (cancel.outcome, cancel.reason, ask.outcome) == (Outcome.FAILED, "required", None)
    assert mixed.record.metrics.events_malformed == 1


def test_what_belongs_to_no_turn_is_counted_as_ever() -> None:
    mixed = Mixed()
    ask, _ = mixed.begin(0, "ask")
    mixed.session.receive([said("ack"), said("x", "nobody"), said("x", 3)], 50)
    counts = mixed.record.counts("events.")
    assert (counts["received"], counts["ignored"], counts["unmatched"]) == (3, 1, 2)
    assert ask.outcome is None


def test_by_order_an_event_means_what_it_does_to_the_oldest_turn() -> None:
    mixed = Mixed(match="order", ordered=True, turn=(), sequence=())
    cancel, _ = mixed.begin(0, "cancel")
    ask, _ = mixed.begin(1, "ask")
    mixed.session.receive([said("completed"), said("cancelled"), said("completed")], 50)
    assert (cancel.outcome, ask.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)
    assert (cancel.received, ask.received) == (2, 1)


def test_text_ends_the_turns_of_its_kind() -> None:
    paths = dict.fromkeys(("type", "turn", "user", "sequence", "first", "fail", "refuse", "ignore"), ())
    mixed = Mixed(
        format="opaque", match="order", ordered=True, end=(), count=1, of_cancel={"count": None}, **paths
    )
    ask, _ = mixed.begin(0, "ask")
    cancel, _ = mixed.begin(1, "cancel")
    mixed.session.receive([b"any", b"more", b"cancelled"], 50)
    assert (ask.outcome, cancel.outcome, cancel.received) == (Outcome.COMPLETE, Outcome.COMPLETE, 2)


def test_one_kind_may_have_several_messages() -> None:
    mixed = Mixed((MessageStep(send="a {turn.id}"), MessageStep(wait="go"), MessageStep(send="b {user.id}")))
    ask, _ = mixed.begin(0, "ask")
    cancel, payload = mixed.begin(1, "cancel")
    assert (payload, ask.sent_ns) == (b"a turn-1", 10)
    assert mixed.session.wakes_ns == 10 + TIMEOUT
    # An error of another kind is what this one waits for nevertheless.
    mixed.session.receive([said("go", cancel, 0)], 50)
    assert mixed.session.outbox == [(cancel, b"b anna")]
    mixed.session.sent(cancel, SECOND)
    mixed.session.tick(10 + TIMEOUT)
    assert (ask.outcome, cancel.outcome) == (Outcome.TIMED_OUT, None)
    assert list(mixed.of("cancel").upload) == [SECOND - 10]
    assert mixed.protocol.asked == {"turn.id", "user.id"}


def test_behind_the_last_event_of_a_read_something_may_have_come() -> None:
    mixed = Mixed()
    ask, _ = mixed.begin(0, "ask")
    mixed.session.receive([said("thinking", ask, 0), said("completed", ask, 1)], 60, 0)
    assert ask.outcome is Outcome.COMPLETE
    assert mixed.record.counts("events.")["coalesced"] == 2
    counts = mixed.of("ask")
    assert (counts.turns_first_coalesced, counts.turns_end_coalesced) == (1, 1)
