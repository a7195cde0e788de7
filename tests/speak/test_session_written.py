"""Messages that a user's own code writes, matches that it waits for, and copies that are due to others."""

from __future__ import annotations

import json

from loadtest.plan.protocol import Events, MessageStep, Protocol, TurnShape
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.session import Session
from tests.speak.talk import SECOND, Kept, Talk, said


def test_bytes_are_sent_as_they_are_and_a_text_with_its_placeholders_filled() -> None:
    talk = Talk(values={"user.id": "u"})
    _, payload = talk.session.begin(0, 0, 0, {}, written=b"{turn.id}\xff")
    assert payload == b"{turn.id}\xff"
    turn, payload = talk.session.begin(
        1, 0, 0, {"data.q": '"'}, written='{"id":"{turn.id}","q":"{data.q}{user.id}"}'
    )
    assert json.loads(payload) == {"id": turn.id, "q": '"u'}
    _, payload = talk.session.begin(2, 0, 0, {}, written="{turn.number} {of.nothing}")
    assert payload == b"2 {of.nothing}"


def test_a_match_is_compiled_for_what_was_heard() -> None:
    talk = Talk()
    fits = talk.protocol.compile_match({"type": "x", "n": 1})
    assert fits(talk.protocol.hear_any(said("x", n=1)))
    assert not fits(talk.protocol.hear_any(said("y", n=1)))


def test_copies_of_a_room_are_followed_from_session_to_session() -> None:
    protocol = Protocol(
        name="room",
        turn=TurnShape(id="{uuid}"),
        events=Events(turn=("id",), count=1, audience="everybody"),
    )
    compiled = CompiledProtocol(
        protocol, message='{"id":"{turn.id}"}', nonce="n", timeout_ns=SECOND, users=3, audience_is_here=True
    )
    record = Kept()
    one, two, three = (Session(compiled, record, user, {}) for user in range(3))
    for session in (one, two, three):
        session.upgraded(0)
    turn, payload = one.begin(0, 0, 0, {})
    one.sent(turn, 10)
    two.receive([payload], 25)
    two.receive([payload], 30)
    three.lost(40, 1006)
    one.receive([payload], 50)
    assert compiled.deliveries is not None
    assert not compiled.deliveries.waiting()
    compiled.deliveries.close()
    assert record.counts("deliveries.") == {"due": 1, "duplicate": 1}
    assert record.counts("events.")["delivered"] == 2
    assert list(record.metrics.delivery_time) == [15]
    assert compiled.audience_of(1) == "everybody"
    alone = CompiledProtocol(Protocol(name="x"), message="", nonce="n", timeout_ns=1, audience_is_here=True)
    assert alone.deliveries is None
    assert CompiledProtocol(Protocol(name="x"), message="", nonce="n", timeout_ns=1).audience_of(0) == ""


def test_copies_of_a_turn_of_several_messages_are_due_when_the_last_is_sent() -> None:
    protocol = Protocol(
        name="room",
        turn=TurnShape(id="{uuid}", messages=(MessageStep(send="a"), MessageStep(send="b"))),
        events=Events(turn=("id",), end=("done",), audience="everybody"),
    )
    compiled = CompiledProtocol(
        protocol, message="", nonce="n", timeout_ns=SECOND, users=2, audience_is_here=True
    )
    record = Kept()
    one, two = (Session(compiled, record, user, {}) for user in range(2))
    one.upgraded(0)
    two.upgraded(0)
    assert compiled.deliveries is not None
    turn, _ = one.begin(0, 0, 0, {})
    one.sent(turn, 10)
    assert not compiled.deliveries.waiting()
    one.sent(turn, 20)
    assert compiled.deliveries.waiting()
    two.receive([b'{"id":"%s"}' % turn.id.encode()], 25)
    compiled.deliveries.close()
    assert record.counts("deliveries.") == {"due": 1}
    assert list(record.metrics.delivery_time) == [5]
