"""A turn of several messages: sent when its last one is, with pauses and waits between."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.plan.protocol import Adopt, MessageStep
from loadtest.speak.turn import NEVER, Outcome, Turn
from tests.speak.talk import SECOND, TIMEOUT, Talk, said

ACK = MessageStep(wait="ack", within_ns=2 * SECOND)
FIRST, LAST = MessageStep(send='{"id":"{turn.id}"}'), MessageStep(send='{"go":"{turn.id}","q":"{data.q}"}')


def upload(*between: MessageStep, **events: Any) -> tuple[Talk, Turn]:
    """A turn due at 0 whose first message was sent at 10."""
    talk = Talk(messages=(FIRST, *between, LAST), **events)
    turn, payload = talk.session.begin(0, 0, 0, {"data.q": 'a "b"'})
    assert payload == b'{"id":"turn-0"}'
    talk.session.sent(turn, 10)
    return talk, turn


def taken(talk: Talk) -> list[bytes]:
    """The further messages that wait to be sent."""
    outbox, talk.session.outbox = talk.session.outbox, None
    return [each[1] for each in outbox or () if not isinstance(each, str)]


GO = b'{"go":"turn-0","q":"a \\"b\\""}'


def test_messages_without_a_pause_go_out_together_and_the_last_one_is_when_the_turn_is_sent() -> None:
    talk, turn = upload()
    assert taken(talk) == [GO]
    assert (turn.sent_ns, turn.uploading) == (NEVER, True)
    talk.session.sent(turn, 50)
    assert (turn.sent_ns, turn.uploading) == (50, False)
    metrics = talk.record.metrics
    assert (list(metrics.upload), list(metrics.lateness), metrics.events_sent) == ([40], [10], 2)
    assert talk.session.wakes_ns == 50 + TIMEOUT
    talk.hear(90, said("thinking", turn, 0), said("completed", turn, 1))
    assert turn.outcome is Outcome.COMPLETE
    assert list(metrics.first_event_service) == [40]


def test_a_pause_is_waited_for() -> None:
    talk, turn = upload(MessageStep(pause_ns=SECOND))
    assert taken(talk) == []
    assert talk.session.wakes_ns == 10 + SECOND
    talk.session.tick(9 + SECOND)
    assert taken(talk) == []
    talk.session.tick(10 + SECOND)
    assert taken(talk) == [GO]
    talk.session.sent(turn, 20 + SECOND)
    assert list(talk.record.metrics.upload) == [10 + SECOND]


def test_pauses_and_waits_may_follow_each_other() -> None:
    """Each begins when the one before is over, as in { wait = ... }, { pause = ... }."""
    pause = MessageStep(pause_ns=SECOND)
    talk, turn = upload(ACK, pause, pause, ACK)
    talk.hear(30, said("ack", turn, 0))
    assert (taken(talk), talk.session.wakes_ns) == ([], 30 + SECOND)
    talk.session.tick(30 + SECOND)
    assert (taken(talk), talk.session.wakes_ns) == ([], 30 + 2 * SECOND)
    talk.hear(40 + SECOND, said("ack", turn, 1))
    talk.session.tick(30 + 2 * SECOND)
    assert (taken(talk), talk.session.wakes_ns) == ([], 30 + 4 * SECOND)
    talk.hear(40 + 2 * SECOND, said("ack", turn, 2))
    assert taken(talk) == [GO]
    talk.session.sent(turn, 50 + 2 * SECOND)
    assert list(talk.record.metrics.upload) == [40 + 2 * SECOND]


@pytest.mark.parametrize("named", [True, False])
def test_what_is_waited_for_sends_the_next_message(*, named: bool) -> None:
    talk, turn = upload(ACK)
    talk.hear(30, said("other"), said("ack", turn if named else None, 0 if named else None), said("late"))
    assert taken(talk) == [GO]
    talk.session.sent(turn, 40)
    talk.hear(90, said("thinking", turn, 1 if named else 0), said("completed", turn, 2 if named else 1))
    counts = talk.counts()
    assert turn.outcome is Outcome.COMPLETE
    assert (counts["awaited"], counts["unmatched"], counts["matched"]) == (1, 2, 3 if named else 2)
    assert "lost" not in counts


def test_an_event_of_another_turn_or_user_is_not_what_a_turn_waits_for() -> None:
    talk, turn = upload(ACK)
    other, _ = talk.session.begin(1, 0, 0, {"data.q": ""})
    talk.session.user_mark = "me"
    talk.hear(30, said("ack", other, 0), said("ack", None, user_id="you"))
    assert taken(talk) == []
    talk.hear(40, said("ack", turn, 0, user_id="me"))
    assert taken(talk) == [GO]


def test_two_turns_that_wait_for_what_names_neither_are_served_in_their_order() -> None:
    talk, first = upload(ACK)
    second, _ = talk.session.begin(1, 0, 0, {"data.q": ""})
    talk.session.sent(second, 20)
    talk.hear(30, said("ack"))
    assert [each[0] for each in talk.session.outbox or () if not isinstance(each, str)] == [first]
    talk.hear(40, said("ack"))
    assert [each[0] for each in talk.session.outbox or () if not isinstance(each, str)] == [first, second]


def test_a_wait_that_is_too_long_times_the_turn_out() -> None:
    talk, turn = upload(ACK)
    assert talk.session.wakes_ns == 10 + 2 * SECOND
    talk.session.tick(10 + 2 * SECOND)
    assert (turn.outcome, turn.reason, turn.sent_ns) == (Outcome.TIMED_OUT, "wait", NEVER)
    assert talk.session.at_rest
    assert talk.counts("turns.")["timed_out_after.(none)"] == 1
    assert talk.session.wakes_ns == NEVER


def test_a_wait_without_a_bound_has_that_of_the_turn() -> None:
    talk, turn = upload(MessageStep(wait="ack"))
    assert talk.session.wakes_ns == 10 + TIMEOUT
    talk.session.tick(10 + TIMEOUT)
    assert turn.outcome is Outcome.TIMED_OUT


def test_pauses_that_are_longer_than_the_turn_may_take_time_it_out() -> None:
    talk, turn = upload(MessageStep(pause_ns=2 * TIMEOUT))
    talk.session.tick(10 + TIMEOUT)
    assert (turn.outcome, turn.reason) == (Outcome.TIMED_OUT, "")
    assert taken(talk) == []


def test_no_event_before_the_last_message_is_first_content_and_an_end_is_a_failure() -> None:
    talk, turn = upload(ACK, first=())
    talk.hear(30, said("thinking", turn, 0), said("executing", turn, 1))
    assert turn.first_ns == NEVER
    assert talk.counts("turns.") == {"begun": 1}
    talk.hear(40, said("completed", turn, 2))
    assert (turn.outcome, turn.reason) == (Outcome.FAILED, "unsent")
    talk.session.sent(turn, 50)
    assert list(talk.record.metrics.lateness) == [10]


def test_an_error_that_is_waited_for_fails_the_turn_all_the_same() -> None:
    talk, turn = upload(MessageStep(wait={"has": "type"}))
    talk.hear(30, said("error", turn, 0))
    assert (turn.outcome, turn.reason) == (Outcome.FAILED, "event")


def test_a_turn_that_is_sent_later_times_out_by_its_own_instant() -> None:
    talk, first = upload(ACK)
    second, _ = talk.session.begin(1, 0, 0, {"data.q": ""})
    talk.session.sent(second, 20)
    talk.hear(30, said("ack", second, 0))
    talk.session.sent(second, 40)
    talk.hear(50, said("ack", first, 0))
    talk.session.sent(first, SECOND)
    assert talk.session.wakes_ns == 40 + TIMEOUT
    talk.session.tick(40 + TIMEOUT)
    assert (first.outcome, second.outcome) == (None, Outcome.TIMED_OUT)


def test_a_turn_whose_connection_is_lost_waits_no_more() -> None:
    talk, turn = upload(ACK)
    talk.session.lost(20, 1006)
    assert turn.outcome is Outcome.LOST
    later, _ = talk.session.begin(1, 0, 30, {"data.q": ""})
    assert later.outcome is Outcome.LOST


def test_by_order_what_is_waited_for_is_not_one_of_the_events_that_end_a_turn() -> None:
    talk, turn = upload(ACK, match="order", turn=(), count=1, end=(), first=(), ordered=True)
    talk.hear(30, said("ack"))
    talk.session.sent(turn, 40)
    talk.hear(90, said("thinking"))
    assert turn.outcome is Outcome.COMPLETE
    assert list(talk.record.metrics.first_event_service) == [50]


def test_by_order_what_is_not_waited_for_belongs_to_the_oldest_turn() -> None:
    talk, turn = upload(ACK, match="order", turn=(), count=2, end=(), first=(), ordered=True)
    talk.hear(30, said("other"), said("ack"))
    talk.session.sent(turn, 40)
    talk.hear(90, said("thinking"))
    assert turn.outcome is Outcome.COMPLETE
    assert turn.received == 2


def test_by_id_what_names_the_turn_is_matched_and_does_not_count_to_its_end() -> None:
    talk, turn = upload(ACK, count=1, end=(), first=(), sequence=())
    talk.hear(30, said("ack", turn))
    assert turn.outcome is None
    talk.session.sent(turn, 40)
    talk.hear(90, said("thinking", turn))
    assert (turn.outcome, turn.received) == (Outcome.COMPLETE, 2)


def test_what_an_awaited_event_brings_is_sent_in_the_next_message() -> None:
    item = MessageStep(wait={"type": "ack", "keep": {"item": "item.id"}})
    last = MessageStep(send='{"item":"{kept.item}","id":"{turn.id}","n":{random.int 1 6}}')
    talk = Talk(messages=(FIRST, item, last))
    turn, _ = talk.session.begin(0, 0, 0, {})
    talk.session.sent(turn, 10)
    talk.hear(30, said("ack", item={"id": 'a"1'}))
    (text,) = taken(talk)
    sent = json.loads(text)
    assert (sent["item"], sent["id"]) == ('a"1', "turn-0")
    assert 1 <= sent["n"] <= 6
    later, _ = talk.session.begin(1, 0, 0, {})
    talk.session.sent(later, 50)
    assert talk.session.kept == {"kept.item": 'a"1'}


def test_what_names_a_turn_that_is_not_in_flight_here_is_not_what_a_turn_waits_for() -> None:
    talk, turn = upload(ACK, ignore=())
    talk.record.others = {"elsewhere"}
    talk.hear(30, said("ack", "elsewhere"), said("ack", "nobody's"))
    assert taken(talk) == []
    assert (talk.counts()["foreign"], talk.counts()["unmatched"]) == (1, 1)
    assert "awaited" not in talk.counts()
    talk.hear(40, said("ack", turn, 0))
    assert taken(talk) == [GO]


def test_where_the_target_has_ids_of_its_own_one_that_is_no_other_users_is_waited_for() -> None:
    talk, _ = upload(ACK, adopt=(Adopt(on="created", id="id"),))
    talk.record.others = {"elsewhere"}
    talk.hear(30, said("ack", "elsewhere"))
    assert taken(talk) == []
    talk.hear(40, said("ack", "the target's"))
    assert taken(talk) == [GO]


def test_by_order_the_id_of_what_is_waited_for_names_no_turn() -> None:
    talk, _ = upload(ACK, match="order")
    talk.hear(30, said("ack", "request-1"))
    assert taken(talk) == [GO]


OPENED = Adopt(on="opened", id="ticket")


def opened(ticket: str, turn: Turn | None = None) -> bytes:
    """The event that both lets the next message go out and tells the target's own id of the turn."""
    return said("opened", turn, ticket=ticket)


@pytest.mark.parametrize("named", [True, False])
def test_what_is_waited_for_may_name_the_turn(*, named: bool) -> None:
    """An awaited event that carries the id which the target chose: from then on it stands for the turn."""
    wait = MessageStep(wait="opened")
    talk, turn = upload(wait, turn=("run_id", "ticket"), adopt=(OPENED,))
    talk.hear(30, opened("T-1", turn if named else None))
    assert taken(talk) == [GO]
    talk.session.sent(turn, 40)
    talk.hear(50, said("thinking", ticket="T-1"), said("completed", ticket="T-1"))
    assert turn.outcome is Outcome.COMPLETE
    counts = talk.counts()
    assert (counts["awaited"], counts["matched"], counts.get("unmatched", 0)) == (1, 3, 0)
    assert counts.get("order_unsure", 0) == 0


def test_names_that_come_by_order_alone_are_in_doubt() -> None:
    wait = MessageStep(wait="opened")
    talk, first = upload(wait, turn=("run_id", "ticket"), adopt=(OPENED,))
    second, _ = talk.session.begin(1, 0, 0, {"data.q": "b"})
    talk.session.sent(second, 11)
    talk.hear(30, opened("T-1"), opened("T-2"))
    assert talk.counts()["order_unsure"] == 2
    for turn in (first, second):
        talk.session.sent(turn, 40)
    talk.hear(50, said("completed", ticket="T-2"), said("completed", ticket="T-1"))
    assert (first.outcome, second.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)


def test_what_nobody_waits_for_is_an_event_like_any_other() -> None:
    wait = MessageStep(wait="stored")
    talk, turn = upload(wait, turn=("run_id", "ticket"), adopt=(OPENED,), ignore=("opened",))
    talk.hear(30, opened("T-1", turn))
    assert (taken(talk), talk.counts()["ignored"]) == ([], 1)
    talk, turn = upload(wait, turn=("run_id", "ticket"), adopt=(OPENED,))
    talk.hear(29, said("other", turn), said("other"))
    talk.hear(30, opened("T-1", turn), said("thinking", ticket="T-1"), said("stored", ticket="T-1"))
    assert taken(talk) == [GO]
    assert (talk.counts()["awaited"], turn.received) == (1, 5)


@pytest.mark.parametrize("match", ["id", "order"])
def test_behind_the_last_event_of_a_read_something_may_have_come(match: str) -> None:
    of_order: dict[str, Any] = {"match": "order", "turn": ()} if match == "order" else {}
    talk, turn = upload(**of_order)
    taken(talk)
    talk.session.sent(turn, 50)
    other, _ = talk.session.begin(1, 0, 0, {"data.q": ""})
    assert other.uploading
    talk.session.receive([said("completed", turn, 0)], 90, 0)
    assert turn.outcome is Outcome.COMPLETE
    assert talk.record.counts("turns.")["end_coalesced"] == 1
