"""Turns are begun once and ended once: by an event, by time, with their connection."""

from __future__ import annotations

import zlib

import pytest

from loadtest.speak.session import LINGER_NS, SessionState
from loadtest.speak.turn import NEVER, Outcome, Turn
from tests.speak.talk import DRAIN, SECOND, TIMEOUT, Talk, answer, said


class Ends:
    """A listener that notes what it is told."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def turn_ended(self, turn: Turn) -> None:
        self.turns.append(turn)


# ------------------------------------------------------------------ begin and sent


def test_a_turn_is_registered_before_anything_is_written() -> None:
    talk = Talk(message='{"id":"{turn.id}","q":"{data.q}"}', values={"user.id": "u"})
    turn, payload = talk.session.begin(7, 2, 500, {"data.q": "why"})
    assert payload == b'{"id":"turn-7","q":"why"}'
    assert list(talk.session.turns.values()) == [turn]
    assert (turn.seq, turn.user, turn.position, turn.id, turn.intended_ns) == (7, 3, 2, "turn-7", 500)
    assert (turn.payload_crc, turn.sent_ns) == (zlib.crc32(payload), NEVER)
    assert talk.record.counts() == {"turns.begun": 1}
    assert talk.session.wakes_ns == NEVER


def test_sent_says_how_late_it_was() -> None:
    talk = Talk()
    for seq, (intended, sent) in enumerate([(100, 350), (100, 100), (100, 90)]):
        talk.session.sent(talk.session.begin(seq, 0, intended, {})[0], sent)
    assert talk.record.metrics.lateness.tolist() == [250, 0, 0]
    assert talk.counts() == {"sent": 3}


def test_a_turn_belongs_to_the_part_it_was_due_in() -> None:
    talk = Talk()
    turn = talk.begin(at=DRAIN)
    assert turn.metrics is talk.record.phases[1]
    talk.hear(DRAIN + 50, *answer(turn))
    own = talk.record.phases[1]
    assert (own.turns_begun, own.events_matched, own.events_sent, list(own.first_event)) == (1, 5, 1, [50])
    assert (talk.record.metrics.events_received, own.events_received) == (5, 0)


def test_types_and_frames_are_kept_where_asked_for() -> None:
    turn = Talk(keep_frames=False).begin()
    assert (turn.types, turn.frames) == (None, None)
    turn = Talk(required=("completed",)).begin()
    assert (turn.types, turn.frames) == ([], [])


def test_on_a_connection_that_is_over_a_turn_is_lost_at_once() -> None:
    talk = Talk()
    talk.session.lost(5, 1006)
    turn, _ = talk.session.begin(0, 0, 7, {})
    assert turn.outcome is Outcome.LOST
    assert talk.record.turns == [turn]
    assert talk.session.turns == {}
    talk.session.sent(turn, 8)
    assert talk.session.wakes_ns == NEVER


# ------------------------------------------------------------------ an id that is used again


def test_an_id_in_flight_that_is_used_again_ends_its_older_turn() -> None:
    talk = Talk(turn_id="same")
    ends = talk.session.listener = Ends()
    first = talk.begin(0)
    talk.hear(20, said("started", "same", 0))
    second = talk.begin(1, at=30)
    assert (first.outcome, first.reason) == (Outcome.FAILED, "id")
    talk.hear(50, *answer("same"))
    assert second.outcome is Outcome.COMPLETE
    assert ends.turns == talk.record.turns == [first, second]
    assert talk.counts()["matched"] == 6


def test_an_id_that_waits_for_a_number_may_be_used_again() -> None:
    talk = Talk(turn_id="same")
    first = talk.begin(0)
    events = answer("same")
    talk.hear(20, *events[:3], events[4])
    assert (first.outcome, talk.record.turns) == (Outcome.COMPLETE, [])
    second = talk.begin(1, at=30)
    assert (talk.record.turns, first.lost) == ([first], 1)
    talk.hear(50, *answer("same"))
    assert talk.record.turns == [first, second]
    assert second.outcome is Outcome.COMPLETE


def test_an_id_in_flight_that_waits_for_a_number_and_is_used_again() -> None:
    talk = Talk(turn_id="same")
    first = talk.begin(0)
    talk.hear(20, said("started", "same", 3))
    second = talk.begin(1, at=30)
    assert (first.outcome, first.reason, first.lost) == (Outcome.FAILED, "id", 3)
    assert talk.record.turns == [first]
    talk.session.lost(40, 1006)
    assert talk.record.turns == [first, second]


# ------------------------------------------------------------------ time


def test_a_turn_times_out_by_the_instant_it_was_sent() -> None:
    talk = Talk()
    ends = talk.session.listener = Ends()
    turn = talk.begin(at=100)
    over = 110 + TIMEOUT
    assert talk.session.wakes_ns == over
    talk.hear(200, said("started", turn, 0), said("executing", turn, 2))
    talk.session.tick(over - 1)
    assert (turn.outcome, talk.session.wakes_ns) == (None, over)
    talk.session.tick(over)
    assert (turn.outcome, turn.done_ns, turn.lost) == (Outcome.TIMED_OUT, NEVER, 1)
    assert (talk.session.wakes_ns, ends.turns, talk.record.turns) == (NEVER, [turn], [turn])
    assert talk.counts() == {"sent": 1, "received": 2, "matched": 2, "lost": 1, "expected": 3, "coalesced": 1}


def test_what_comes_after_the_timeout_is_late_or_a_duplicate() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("started", turn, 0), said("executing", turn, 2))
    talk.session.tick(20 * SECOND)
    talk.hear(21 * SECOND, said("started", turn, 0), said("thinking", turn, 1), said("completed", turn, 3))
    counts = talk.counts()
    assert (counts["matched"], counts["duplicate"], counts["late"], counts["received"]) == (2, 1, 2, 5)


def test_turns_time_out_one_by_one() -> None:
    talk = Talk()
    turns = [talk.begin(seq, at=seq * SECOND) for seq in range(3)]
    talk.hear(3 * SECOND, *answer(turns[1]))
    talk.session.tick(10 + TIMEOUT)
    assert [turn.outcome for turn in turns] == [Outcome.TIMED_OUT, Outcome.COMPLETE, None]
    assert talk.session.wakes_ns == 2 * SECOND + 10 + TIMEOUT
    talk.session.tick(talk.session.wakes_ns)
    assert turns[2].outcome is Outcome.TIMED_OUT


def test_a_turn_that_was_never_sent_cannot_time_out_and_holds_up_nobody() -> None:
    talk = Talk()
    unsent, _ = talk.session.begin(0, 0, 0, {})
    turn = talk.begin(1)
    talk.session.tick(10 + TIMEOUT)
    assert (unsent.outcome, turn.outcome) == (None, Outcome.TIMED_OUT)
    assert talk.session.wakes_ns == NEVER
    talk.session.sent(unsent, 20 * SECOND)
    assert talk.session.wakes_ns == 20 * SECOND + TIMEOUT


def test_a_tick_with_nothing_to_do() -> None:
    talk = Talk()
    talk.session.tick(5)
    assert talk.session.wakes_ns == NEVER


# ------------------------------------------------------------------ waiting for what was overtaken


def test_the_end_may_overtake_another_event() -> None:
    talk = Talk(
        required=("executed",),
        pairs=(("executing", "executed"),),
        order=("started", "*", "executed", "completed"),
    )
    ends = talk.session.listener = Ends()
    turn = talk.begin()
    events = answer(turn)
    talk.hear(20, *events[:3], events[4])
    assert (turn.outcome, turn.done_ns) == (Outcome.COMPLETE, 20)
    assert (ends.turns, talk.record.turns, talk.session.at_rest) == ([turn], [], False)
    assert talk.session.wakes_ns == 20 + LINGER_NS
    talk.hear(30, events[3])
    assert talk.record.turns == [turn]
    assert talk.session.at_rest
    assert (turn.outcome, turn.lost, turn.out_of_order, turn.received, turn.done_ns) == (
        Outcome.COMPLETE,
        0,
        1,
        5,
        20,
    )
    assert turn.types == ["started", "thinking", "executing", "executed", "completed"]


@pytest.mark.parametrize(("kind", "outcome"), [("failed", Outcome.FAILED), ("rate_limited", Outcome.REFUSED)])
def test_a_bad_end_may_overtake_another_event_too(kind: str, outcome: Outcome) -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("started", turn, 0), said(kind, turn, 2))
    assert (turn.outcome, turn.reason, talk.record.turns) == (outcome, "event", [])
    talk.hear(30, said("thinking", turn, 1))
    assert (turn.outcome, turn.lost, talk.record.turns) == (outcome, 0, [turn])


def test_what_never_comes_is_lost_after_a_while() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("started", turn, 0), said("completed", turn, 4))
    talk.hear(
        30, said("executing", turn, 2), said("executing", turn, 2), said("more", turn, 5), said("more", turn)
    )
    talk.session.tick(20 + LINGER_NS - 1)
    assert talk.record.turns == []
    talk.session.tick(20 + LINGER_NS)
    assert (talk.record.turns, talk.session.wakes_ns) == ([turn], NEVER)
    assert (turn.lost, turn.received, turn.duplicate) == (2, 3, 1)
    counts = talk.counts()
    assert (counts["lost"], counts["expected"], counts["matched"], counts["late"]) == (2, 5, 3, 2)


def test_a_missing_number_that_comes_too_late_is_late() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("started", turn, 0), said("completed", turn, 2))
    talk.session.tick(2 * SECOND)
    talk.hear(3 * SECOND, said("thinking", turn, 1), said("started", turn, 0))
    counts = talk.counts()
    assert (counts["lost"], counts["late"], counts["duplicate"], counts["matched"]) == (1, 1, 1, 2)


def test_the_earliest_instant_wakes() -> None:
    talk = Talk()
    turn = talk.begin(0)
    other = talk.begin(1, at=100)
    talk.hear(200, said("completed", turn, 1))
    assert talk.session.wakes_ns == 200 + LINGER_NS
    talk.session.tick(200 + LINGER_NS)
    assert talk.session.wakes_ns == 110 + TIMEOUT
    talk.hear(TIMEOUT, said("completed", other, 1))
    assert talk.session.wakes_ns == TIMEOUT + LINGER_NS


def test_a_turn_sent_while_another_waits_still_times_out_in_time() -> None:
    talk = Talk()
    talk.protocol.timeout_ns = SECOND // 10
    turn = talk.begin(0)
    talk.hear(20, said("completed", turn, 1))
    later = talk.begin(1, at=100)
    assert talk.session.wakes_ns == 110 + SECOND // 10
    talk.session.tick(talk.session.wakes_ns)
    assert later.outcome is Outcome.TIMED_OUT


# ------------------------------------------------------------------ the connection ends


@pytest.mark.parametrize(("by_us", "outcome"), [(False, Outcome.LOST), (True, Outcome.ABANDONED)])
def test_turns_in_flight_end_with_their_connection(*, by_us: bool, outcome: Outcome) -> None:
    talk = Talk()
    ends = talk.session.listener = Ends()
    waiting, first, second = (talk.begin(seq) for seq in range(3))
    talk.hear(20, said("completed", waiting, 1), said("started", first, 0))
    assert talk.session.lost(30, 1006, by_us=by_us) is None
    assert [turn.outcome for turn in (waiting, first, second)] == [Outcome.COMPLETE, outcome, outcome]
    assert (waiting.lost, first.done_ns) == (1, NEVER)
    assert ends.turns == [waiting, first, second]
    assert talk.record.turns == [first, second, waiting]
    assert (talk.session.state, talk.session.wakes_ns, talk.session.at_rest) == (
        SessionState.CLOSED,
        NEVER,
        True,
    )
    talk.session.tick(40)
    assert talk.session.wakes_ns == NEVER


def test_a_bad_connection_does_not_wait_for_numbers() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("started", turn, 2))
    talk.session.lost(30, 1006)
    assert (talk.record.turns, turn.lost) == ([turn], 2)


# ------------------------------------------------------------------ listeners that do something


class Goes(Ends):
    """A listener that leaves at the first end."""

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self.talk = talk

    def turn_ended(self, turn: Turn) -> None:
        super().turn_ended(turn)
        self.talk.session.lost(99, 1000, by_us=True)


@pytest.mark.parametrize("how", ["event", "time", "loss"])
def test_a_listener_may_leave_at_an_end(how: str) -> None:
    talk = Talk()
    ends = talk.session.listener = Goes(talk)
    turns = [talk.begin(seq) for seq in range(3)]
    if how == "event":
        talk.hear(20, *answer(turns[0]), *answer(turns[1]))
    elif how == "time":
        talk.session.tick(20 * SECOND)
    else:
        talk.session.lost(20, 1006)
    assert sorted(turn.seq for turn in talk.record.turns) == [0, 1, 2]
    assert sorted(turn.seq for turn in ends.turns) == [0, 1, 2]
    assert talk.session.wakes_ns == NEVER
    assert talk.session.at_rest


class GoesOn(Ends):
    """A listener that begins the next turn at every end, as the closed model does."""

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self.talk = talk

    def turn_ended(self, turn: Turn) -> None:
        super().turn_ended(turn)
        if self.talk.session.state is SessionState.OPEN:
            self.talk.begin(turn.seq + 1, at=turn.done_ns)


def test_a_listener_may_begin_the_next_turn() -> None:
    talk = Talk()
    ends = talk.session.listener = GoesOn(talk)
    talk.begin(0)
    for seq in range(5):
        talk.hear(100 * seq + 100, *answer(f"turn-{seq}"))
    talk.session.lost(1000, 1006)
    assert [turn.seq for turn in ends.turns] == [turn.seq for turn in talk.record.turns] == [0, 1, 2, 3, 4, 5]
    assert talk.record.counts("turns.") == {"begun": 6, "numbered": 5, "first_coalesced": 5}


# ------------------------------------------------------------------ telling the cause


@pytest.mark.parametrize(
    ("kinds", "frames", "last"),
    [
        ([], True, "(none)"),
        (["thinking", "finished"], True, "finished"),
        ([None], True, "(no type)"),
        (["finished"], False, None),
    ],
)
def test_a_timeout_says_what_came_last(kinds: list[str | None], *, frames: bool, last: str | None) -> None:
    talk = Talk(keep_frames=frames)
    turn = talk.begin()
    talk.hear(2, *(said(kind, turn) for kind in kinds))
    talk.session.tick(TIMEOUT + SECOND)
    assert talk.counts("turns.timed_out_after.") == ({last: 1} if last else {})
    assert len(talk.counts("turns.untyped_with.")) == (last == "(no type)")


def test_an_event_without_a_type_is_told_by_its_keys_where_it_was_kept() -> None:
    talk = Talk(required=("completed",), keep_frames=False)
    turn = talk.begin()
    talk.hear(2, said(None, turn))
    talk.session.tick(TIMEOUT + SECOND)
    assert talk.counts("turns.timed_out_after.") == {"(no type)": 1}
    assert talk.counts("turns.untyped_with.") == {}


def test_types_that_are_kept_say_what_came_last() -> None:
    talk = Talk(required=("completed",), keep_frames=False)
    turn = talk.begin()
    talk.hear(2, said("finished", turn))
    talk.session.tick(TIMEOUT + SECOND)
    assert talk.counts("turns.timed_out_after.") == {"finished": 1}


def test_a_turn_lost_with_its_connection_says_by_which_close_code() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.session.lost(2, 1011)
    assert (turn.outcome, turn.reason) == (Outcome.LOST, "code 1011")


# ------------------------------------------------------------------ what a turn did not carry


def test_turns_that_came_to_their_end_without_a_number_are_counted() -> None:
    talk = Talk()
    turns = [talk.begin(seq) for seq in range(4)]
    talk.hear(20, said("completed", turns[0], 0), said("completed", turns[1]), said("failed", turns[2]))
    talk.hear(30, said("thinking", turns[3], 0))
    talk.session.tick(TIMEOUT + SECOND)
    counts = talk.record.counts("turns.")
    assert (counts["numbered"], counts["unnumbered"]) == (2, 1)


def test_a_protocol_without_numbers_counts_no_turn_without_one() -> None:
    talk = Talk(sequence=())
    talk.hear(20, said("completed", talk.begin()))
    assert "unnumbered" not in talk.record.counts("turns.")


def test_turns_that_came_to_their_end_without_a_mark_are_counted() -> None:
    talk = Talk()
    turns = [talk.begin(seq) for seq in range(3)]
    talk.hear(20, said("completed", turns[0], 0, user_id="me"), said("completed", turns[1], 0))
    talk.hear(30, said("failed", turns[2], 0))
    counts = talk.record.counts("turns.")
    assert (counts["marked"], counts["unmarked"]) == (1, 1)


def test_a_turn_of_whose_message_no_frame_can_be_made_fails_once() -> None:
    talk = Talk()
    turn, _ = talk.session.begin(0, 0, 0, {})
    for at_ns in (5, 6):
        talk.session.not_sendable(turn, at_ns, "codec")
    assert (turn.outcome, turn.reason, turn.done_ns) == (Outcome.FAILED, "codec", 5)
    assert talk.record.turns == [turn]
