"""Ids that the target chose, and turns that end with as many events as one of them says."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.plan.protocol import Adopt, AutoReply, CountAt, TimedBeat
from loadtest.speak import adopted_ids
from loadtest.speak.session import Session
from loadtest.speak.turn import Outcome
from tests.speak.talk import SECOND, TIMEOUT, Talk, said

CREATED = Adopt(on="created", id="response.id")
REALTIME: dict[str, Any] = {
    "turn": ("response_id", "response.id", "response.metadata.turn"),
    "user": (),
    "sequence": (),
    "first": ("delta",),
    "end": ("done",),
    "fail": (),
    "ignore": ("ack",),
    "adopt": (CREATED,),
}
"""As OpenAI's Realtime: deltas name the response alone, the first and the last event both."""


def created(server_id: Any, turn_id: str | None = None) -> bytes:
    metadata = {} if turn_id is None else {"metadata": {"turn": turn_id}}
    return said("created", response={"id": server_id, **metadata})


def delta(server_id: Any) -> bytes:
    return said("delta", response_id=server_id)


def done(server_id: Any) -> bytes:
    return said("done", response={"id": server_id})


def test_the_event_that_carries_both_ids_names_the_turn() -> None:
    talk = Talk(**REALTIME)
    first, second = talk.begin(0), talk.begin(1)
    talk.hear(20, created("r-1", second.id), created("r-0", first.id))
    talk.hear(21, delta("r-0"), delta("r-1"), delta("r-0"))
    talk.hear(22, done("r-1"))
    assert (first.outcome, first.received, first.first_ns) == (None, 3, 21)
    assert (second.outcome, second.received) == (Outcome.COMPLETE, 3)
    talk.hear(23, done("r-0"))
    assert first.outcome is Outcome.COMPLETE
    assert talk.counts() == {"sent": 2, "received": 7, "matched": 7, "expected": 7, "coalesced": 3}


def test_without_ours_the_oldest_without_a_name_is_named_and_several_in_flight_are_in_doubt() -> None:
    talk = Talk(**REALTIME)
    first, second = talk.begin(0), talk.begin(1)
    talk.hear(20, created("r-0"), created("r-1"), delta("r-1"), done("r-0"))
    assert (first.outcome, second.received) == (Outcome.COMPLETE, 2)
    assert talk.counts()["order_unsure"] == 4


def test_a_target_that_names_in_order_is_not_in_doubt() -> None:
    talk = Talk(**REALTIME, ordered=True)
    first, second = talk.begin(0), talk.begin(1)
    talk.hear(20, created("r-0"), created("r-1"), done("r-1"), done("r-0"))
    assert (first.outcome, second.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)
    assert "order_unsure" not in talk.counts()


def test_a_turn_alone_is_named_surely_and_may_have_several_names() -> None:
    talk = Talk(**REALTIME)
    turn = talk.begin()
    talk.hear(20, created("m-1"), created(7), delta("m-1"), delta(7), created("m-1"))
    assert turn.received == 5
    assert "order_unsure" not in talk.counts()


def test_of_several_named_turns_no_further_name_is_guessed() -> None:
    talk = Talk(**REALTIME)
    first, second = talk.begin(0), talk.begin(1)
    talk.hear(20, created("a", first.id), created("b", second.id), created("c"), delta("c"))
    assert (first.received, second.received) == (1, 1)
    assert talk.counts()["unmatched"] == 2


def test_events_without_any_id_go_to_the_turn_in_flight() -> None:
    talk = Talk(
        **REALTIME, heartbeat=[AutoReply(on="ping", send="pong")], answer=(AutoReply(on="ask", send="yes"),)
    )
    talk.hear(10, said("delta"))
    turn = talk.begin()
    talk.hear(20, said("delta"), said("ping"), said("ask"), said("ack"), created(None), created(True))
    assert turn.received == 2
    other = talk.begin(1)
    talk.hear(21, said("delta"), delta("r-9"))
    assert (turn.received, other.received) == (2, 0)
    assert {name: talk.counts()[name] for name in ("heartbeat", "answered", "ignored", "unmatched")} == {
        "heartbeat": 1, "answered": 1, "ignored": 1, "unmatched": 4,
    }  # fmt: skip


def test_an_event_that_names_ours_at_any_path_is_ours() -> None:
    talk = Talk(**REALTIME)
    turn = talk.begin()
    talk.begin(1)
    talk.hear(20, said("done", response={"id": "r-5", "metadata": {"turn": turn.id}}))
    assert turn.outcome is Outcome.COMPLETE


def test_what_comes_after_the_end_is_late_and_another_users_is_theirs() -> None:
    talk = Talk(**REALTIME)
    turn = talk.begin()
    talk.hear(20, created("r-0", turn.id), done("r-0"), delta("r-0"))
    assert talk.counts()["late"] == 1
    other = Session(talk.protocol, talk.record, 4, {})
    assert (talk.session.owns("r-0"), other.owns("r-0"), talk.session.owns("r-1")) == (True, False, False)


def test_a_request_that_names_an_adopted_turn_takes_its_place() -> None:
    talk = Talk(**REALTIME, answer=(AutoReply(on="ask", send="{event.n}"),))
    turn = talk.begin()
    talk.begin(1)
    talk.hear(20, created("r-0", turn.id), said("ask", response_id="r-0", n=1))
    assert (turn.received, talk.session.outbox) == (2, ["1"])


@pytest.mark.parametrize("ordered", [False, True])
def test_what_is_named_after_a_turn_without_a_name_timed_out_may_answer_that_turn(*, ordered: bool) -> None:
    talk = Talk(**REALTIME, ordered=ordered)
    talk.begin(0)
    talk.session.tick(TIMEOUT + SECOND)
    turn = talk.begin(1, at=TIMEOUT + SECOND)
    talk.hear(TIMEOUT + 2 * SECOND, created("r-0"), said("delta"), done("r-0"))
    assert turn.outcome is Outcome.COMPLETE
    assert talk.counts()["after_timeout"] == 3
    ours = talk.begin(2)
    talk.hear(TIMEOUT + 3 * SECOND, created("r-2", ours.id), delta("r-2"))
    assert (ours.received, talk.counts()["after_timeout"]) == (2, 3)


def test_an_event_without_any_id_after_such_a_timeout_is_in_doubt_too() -> None:
    talk = Talk(**REALTIME, turn_id="same")
    talk.begin(0)
    talk.session.tick(TIMEOUT + SECOND)
    turn = talk.begin(1, at=TIMEOUT + SECOND)
    talk.hear(TIMEOUT + 2 * SECOND, said("delta"), created("r-0"), done("r-0"))
    assert turn.outcome is Outcome.COMPLETE
    assert talk.counts()["after_timeout"] == 3


def test_a_turn_that_had_its_name_before_it_timed_out_leaves_no_doubt() -> None:
    talk = Talk(**REALTIME)
    talk.begin(0)
    talk.hear(20, created("r-0"))
    talk.session.tick(TIMEOUT + SECOND)
    turn = talk.begin(1, at=TIMEOUT + SECOND)
    talk.hear(TIMEOUT + 2 * SECOND, delta("r-0"), created("r-1"), done("r-1"))
    assert (turn.outcome, turn.received) == (Outcome.COMPLETE, 2)
    assert (talk.counts()["late"], talk.counts().get("after_timeout", 0)) == (1, 0)


@pytest.mark.parametrize("says_ours", [True, False])
def test_a_name_that_comes_after_its_turn_timed_out_is_late(*, says_ours: bool) -> None:
    """It names that turn, or no turn is in flight that it may stand for."""
    talk = Talk(**REALTIME)
    first = talk.begin(0)
    talk.session.tick(TIMEOUT + SECOND)
    if says_ours:
        talk.begin(1, at=TIMEOUT + SECOND)
    talk.hear(TIMEOUT + 2 * SECOND, created("r-0", first.id if says_ours else None), done("r-0"))
    assert talk.counts()["late"] == 2
    second = talk.begin(2, at=TIMEOUT + SECOND)
    talk.hear(TIMEOUT + 3 * SECOND, created("r-1", second.id), done("r-1"))
    assert second.outcome is Outcome.COMPLETE
    assert "after_timeout" not in talk.counts()


def test_a_name_that_outlives_its_turn_stands_for_the_next() -> None:
    talk = Talk(**REALTIME)
    first = talk.begin(0)
    talk.hear(20, created("session"), delta("session"), said("done"))
    assert (first.outcome, first.received) == (Outcome.COMPLETE, 3)
    talk.hear(21, created("session"))
    second = talk.begin(1)
    talk.hear(22, delta("session"), created("session"), delta("session"))
    assert second.received == 2
    assert talk.counts()["late"] == 2


def test_so_many_names_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adopted_ids, "MAX_IDS", 2)
    talk = Talk(**REALTIME)
    turn = talk.begin()
    talk.begin(1)
    talk.hear(20, *(created(name, turn.id) for name in "abc"), delta("a"), delta("c"))
    assert turn.received == 4
    assert talk.counts()["unmatched"] == 1


def test_the_answer_to_a_heartbeat_is_no_turns() -> None:
    talk = Talk(**REALTIME, heartbeat=[TimedBeat(every="1s", send="beat", answer="beaten")])
    turn = talk.begin()
    talk.session.tick(SECOND)
    talk.hear(SECOND, said("beaten"))
    assert turn.received == 0


# ---------------------------------------------------------------- as many events as one says

CHUNKS: dict[str, Any] = {"end": (), "fail": ("oops",), "count": CountAt(path="d.chunks")}


def test_a_turn_ends_with_as_many_events_as_one_says() -> None:
    talk = Talk(**CHUNKS)
    turn = talk.begin()
    talk.hear(20, said("chunk", turn), said("chunk", turn, d={"chunks": 3}))
    assert turn.outcome is None
    talk.hear(21, said("chunk", turn), said("chunk", turn))
    assert (turn.outcome, turn.done_ns, turn.received) == (Outcome.COMPLETE, 21, 3)
    assert talk.counts()["late"] == 1
    assert talk.record.counts("turns.")["end_coalesced"] == 1


def test_only_some_may_be_counted_and_there_may_be_none() -> None:
    talk = Talk(**{**CHUNKS, "count": CountAt(path="total", of={"type": "chunk"})})
    turn, empty = talk.begin(0), talk.begin(1)
    talk.hear(20, said("head", turn, total=2.0), said("chunk", turn), said("note", turn), said("chunk", turn))
    talk.hear(21, said("head", empty, total=0))
    assert (turn.outcome, turn.received) == (Outcome.COMPLETE, 4)
    assert (empty.outcome, empty.received) == (Outcome.COMPLETE, 1)


@pytest.mark.parametrize("number", ["3", True, -1, 1.5, None, [1]])
def test_what_is_no_number_says_nothing(number: Any) -> None:
    talk = Talk(**CHUNKS)
    turn = talk.begin()
    talk.hear(20, *(said("chunk", turn, d={"chunks": number}) for _ in range(3)))
    assert turn.outcome is None


def test_a_duplicate_counts_once_and_a_failure_fails() -> None:
    talk = Talk(**CHUNKS)
    turn = talk.begin()
    talk.hear(20, said("chunk", turn, 0, d={"chunks": 2}), said("chunk", turn, 0))
    assert turn.outcome is None
    talk.hear(21, said("oops", turn, 1))
    assert turn.outcome is Outcome.FAILED
    talk.begin(1)
    talk.session.tick(TIMEOUT + SECOND)
    assert [each.outcome for each in talk.record.turns] == [Outcome.FAILED, Outcome.TIMED_OUT]


def test_a_request_is_none_of_the_events_that_end_a_turn() -> None:
    talk = Talk(**CHUNKS, answer=(AutoReply(on="tool", send="ok"),))
    turn = talk.begin()
    talk.hear(20, said("chunk", turn, d={"chunks": 3}), said("tool", turn), said("tool", turn))
    assert (turn.outcome, turn.received, talk.session.outbox) == (None, 3, ["ok", "ok"])
    talk.hear(21, said("chunk", turn), said("chunk", turn))
    assert (turn.outcome, turn.received) == (Outcome.COMPLETE, 5)
