"""The last word of a user who leaves: said once a connection was ready, and what it waits for."""

from __future__ import annotations

from loadtest.plan.protocol import Leave, ReadyStep
from loadtest.speak.turn import Outcome
from tests.speak.talk import Talk, said

HELLO = ReadyStep(wait="hello", keep={"sid": "sid"})


def test_who_leaves_says_the_last_word_with_what_was_kept() -> None:
    talk = Talk(ready=[HELLO], leave=Leave(send='{"type":"bye","sid":"{kept.sid}"}', wait="over"))
    talk.hear(0, said("hello", sid="s-1"))
    turn = talk.begin()
    awaited = talk.session.leave(5)
    assert talk.session.outbox == ['{"type":"bye","sid":"s-1"}']
    assert awaited is not None
    assert awaited.fits(talk.protocol.hear_any(said("over")))
    assert not awaited.fits(talk.protocol.hear_any(b"no message"))
    talk.session.lost(6, 1000, by_us=True)
    assert turn.outcome is Outcome.ABANDONED
    assert talk.session.leave(7) is None


def test_who_was_never_ready_says_nothing() -> None:
    talk = Talk(ready=[HELLO], leave=Leave(send="bye"))
    assert talk.session.leave(0) is None
    assert talk.session.outbox is None


def test_a_word_that_waits_for_nothing_and_none_at_all() -> None:
    talk = Talk(leave=Leave(send="bye"))
    assert talk.session.leave(0) is None
    assert talk.session.outbox == ["bye"]
    silent = Talk()
    assert silent.session.leave(0) is None
    assert silent.session.outbox is None


def test_a_protocol_without_fields_looks_into_what_its_last_word_waits_for() -> None:
    talk = Talk(format="opaque", count=1, end=(), leave=Leave(send="bye", wait={"over": True}))
    awaited = talk.session.leave(0)
    assert awaited is not None
    assert awaited.fits(talk.protocol.hear_any(b'{"over":true}'))
