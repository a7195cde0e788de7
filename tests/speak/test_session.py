"""Every event is one thing: matched, duplicate, late, foreign, unmatched, malformed or ignored."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.plan.protocol import AutoReply, ReadyStep
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.phase_metrics import BUFFERS
from loadtest.speak.session import LINGER_NS, MAX_UNMATCHED_LABELED, Session, SessionState
from loadtest.speak.turn import FRAMES_KEPT, MAX_FRAME_BYTES, NEVER, Outcome, Turn
from tests.speak.talk import SECOND, TIMEOUT, Talk, answer, ledger, said

# ------------------------------------------------------------------ a good turn


def test_a_stream_of_events_is_measured() -> None:
    talk = Talk()
    turn = talk.begin(at=100)
    for at, event in zip((200, 350, 360, 500, 900), answer(turn), strict=True):
        talk.hear(at, event)
    assert (turn.outcome, turn.done_ns, turn.first_ns) == (Outcome.COMPLETE, 900, 350)
    metrics = talk.record.metrics
    assert metrics.first_event.tolist() == [250]
    assert metrics.first_event_service.tolist() == [240]
    assert metrics.gap.tolist() == [150, 10, 140, 400]
    assert talk.counts() == {"sent": 1, "received": 5, "matched": 5, "expected": 5}
    assert talk.record.counts("turns.") == {"begun": 1, "numbered": 1}
    assert talk.record.turns == [turn]


def test_events_of_one_read_share_a_stamp() -> None:
    """A gap is known only between reads; of a read's events all but the last are coalesced."""
    talk = Talk()
    one, two = talk.begin(0), talk.begin(1)
    of_one, of_two = answer(one), answer(two)
    talk.hear(100, of_one[0], of_two[0], of_one[1])
    talk.hear(150, of_one[2], of_one[3])
    talk.hear(170, of_two[1])
    assert talk.record.metrics.gap.tolist() == [50, 70]
    assert talk.record.metrics.first_event.tolist() == [100, 170]
    assert talk.counts()["coalesced"] == 3


def test_first_and_last_events_that_are_not_the_last_of_their_read_are_counted() -> None:
    talk = Talk()
    one, two, three = talk.begin(0), talk.begin(1), talk.begin(2)
    of_one, of_two, of_three = answer(one), answer(two), answer(three)
    talk.hear(100, of_one[0], of_one[1], of_two[0])
    talk.hear(200, of_two[1])
    talk.hear(300, of_three[0], of_three[1], of_one[2], of_one[3], of_one[4], of_two[2], of_two[3], of_two[4])
    talk.hear(400, of_three[1], of_three[2], of_three[3], of_three[4])
    counts = talk.record.counts("turns.")
    assert (counts["first_coalesced"], counts["end_coalesced"]) == (2, 1)


def test_a_failure_that_shares_a_read_bounds_no_completion() -> None:
    talk = Talk(end=("failed", "completed"))
    one, two = talk.begin(0), talk.begin(1)
    talk.hear(100, said("failed", one, 0), said("thinking", two, 0))
    assert "end_coalesced" not in talk.record.counts("turns.")


@pytest.mark.parametrize("manner", [{"format": "opaque"}, {"match": "order"}])
def test_answers_in_order_that_share_a_read_are_counted_as_well(manner: dict[str, Any]) -> None:
    """Also payloads that are one and the same object, as empty ones are."""
    talk = Talk(**manner, type=(), turn=(), user=(), sequence=(), first=(), end=(), fail=(), count=1)
    for seq in range(3):
        talk.begin(seq)
    talk.hear(100, *([b"{}"] * 2))
    talk.hear(200, b"{}")
    counts = talk.record.counts("turns.")
    assert (counts["first_coalesced"], counts["end_coalesced"]) == (1, 1)


def test_events_that_take_the_slow_way_are_counted_as_well() -> None:
    talk = Talk()
    one, two = talk.begin(0), talk.begin(1)
    # A sequence number that is a text does not fit the struct.
    odd = json.dumps({"type": "completed", "run_id": one.id, "seq": "4"}).encode()
    talk.hear(100, odd, said("thinking", two, 0, user_id="me"), said("thinking", two, 1))
    counts = talk.record.counts("turns.")
    assert (counts["first_coalesced"], counts["end_coalesced"]) == (1, 1)


UNNAMED: dict[str, Any] = {
    "type": (),
    "turn": (),
    "user": (),
    "sequence": (),
    "first": (),
    "end": (),
    "fail": (),
}


@pytest.mark.parametrize("manner", [{"format": "opaque"}, {"match": "order"}])
def test_answers_by_order_after_a_timeout_are_in_doubt(manner: dict[str, Any]) -> None:
    """A late answer is taken for the next turn's, and every later one of that connection is shifted."""
    talk = Talk(**manner, **UNNAMED, count=1)
    talk.begin(0)
    talk.session.tick(2 * TIMEOUT)
    for seq in (1, 2):
        talk.begin(seq, at=2 * TIMEOUT)
        talk.hear(2 * TIMEOUT + seq, b"{}")
    assert talk.counts()["after_timeout"] == 2


@pytest.mark.parametrize(("count", "in_doubt"), [(1, 0), (2, 1)])
def test_a_late_answer_that_nobody_waits_for_settles_the_order_again(count: int, in_doubt: int) -> None:
    talk = Talk(format="opaque", **UNNAMED, count=count)
    talk.begin(0)
    talk.session.tick(2 * TIMEOUT)
    talk.hear(2 * TIMEOUT, b"late")
    talk.begin(1, at=2 * TIMEOUT)
    talk.hear(2 * TIMEOUT + 1, b"mine?")
    assert talk.counts().get("after_timeout", 0) == in_doubt


def test_without_a_count_nobody_knows_when_the_order_is_settled() -> None:
    talk = Talk(match="order", turn=())
    talk.begin(0)
    talk.session.tick(2 * TIMEOUT)
    talk.hear(2 * TIMEOUT, said("completed"))
    talk.begin(1, at=2 * TIMEOUT)
    talk.hear(2 * TIMEOUT + 1, said("thinking"))
    assert talk.counts()["after_timeout"] == 1


def test_with_ids_a_timeout_leaves_nothing_in_doubt() -> None:
    talk = Talk()
    talk.begin(0)
    talk.session.tick(2 * TIMEOUT)
    later = talk.begin(1, at=2 * TIMEOUT)
    talk.hear(2 * TIMEOUT + 1, *answer(later))
    assert "after_timeout" not in talk.counts()


def test_two_reads_within_one_step_of_a_coarse_clock_are_two_reads() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(100, said("started", turn, 0))
    talk.hear(100, said("thinking", turn, 1))
    assert talk.record.metrics.gap.tolist() == [0]
    assert "coalesced" not in talk.counts()


def test_a_clock_that_goes_back_gives_no_negative_numbers() -> None:
    talk = Talk()
    turn = talk.begin(at=1000)
    talk.hear(500, said("started", turn, 0))
    talk.hear(400, said("thinking", turn, 1))
    metrics = talk.record.metrics
    assert (metrics.gap.tolist(), metrics.first_event.tolist(), metrics.first_event_service.tolist()) == (
        [0],
        [0],
        [0],
    )


def test_many_turns_in_flight_interleave() -> None:
    talk = Talk()
    turns = [talk.begin(seq) for seq in range(20)]
    steps = zip(*(answer(turn) for turn in turns), strict=True)
    talk.hear(100, *(event for step in steps for event in reversed(step)))
    assert [turn.outcome for turn in turns] == [Outcome.COMPLETE] * 20
    assert [turn.seq for turn in talk.record.turns] == list(range(19, -1, -1))
    assert talk.counts()["matched"] == 100


def test_an_answer_before_its_message_is_known_to_be_sent_has_no_service_time() -> None:
    talk = Talk()
    turn, _ = talk.session.begin(0, 0, 0, {})
    talk.hear(100, *answer(turn))
    talk.session.sent(turn, 110)
    metrics = talk.record.metrics
    assert (turn.outcome, metrics.first_event.tolist(), metrics.first_event_service.tolist()) == (
        Outcome.COMPLETE,
        [100],
        [],
    )
    assert talk.session.wakes_ns == NEVER


# ------------------------------------------------------------------ what ends a turn


@pytest.mark.parametrize(
    ("kind", "outcome", "reason"),
    [
        ("completed", Outcome.COMPLETE, ""),
        ("failed", Outcome.FAILED, "event"),
        ("error", Outcome.FAILED, "event"),
        ("rate_limited", Outcome.REFUSED, "event"),
    ],
)
def test_a_type_ends_a_turn(kind: str, outcome: Outcome, reason: str) -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said(kind, turn, 0))
    assert (turn.outcome, turn.reason, turn.done_ns, turn.first_ns) == (outcome, reason, 20, NEVER)


def test_an_echo_is_one_event() -> None:
    talk = Talk(first=(), end=(), fail=(), count=1)
    turn = talk.begin()
    talk.hear(20, said(None, turn))
    assert (turn.outcome, turn.first_ns, turn.done_ns) == (Outcome.COMPLETE, 20, 20)


def test_a_turn_may_end_by_a_count() -> None:
    talk = Talk(first=(), end=(), count=3)
    turn = talk.begin()
    talk.hear(20, said("a", turn, 0), said("a", turn, 0), said("b", turn, 1))
    assert turn.outcome is None
    talk.hear(30, said("c", turn, 2))
    assert (turn.outcome, turn.received, turn.duplicate) == (Outcome.COMPLETE, 3, 1)


def test_an_end_that_comes_twice_ends_once() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, *answer(turn), said("completed", turn, 4))
    assert talk.record.turns == [turn]
    assert talk.counts()["duplicate"] == 1


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        ("started thinking completed", ""),
        ("started executing executed completed", ""),
        ("thinking completed", "required"),
        ("started executing completed", "pairs"),
        ("thinking started completed", "order"),
    ],
)
def test_rules_are_judged_at_the_end(kinds: str, reason: str) -> None:
    talk = Talk(
        required=("started", "completed"),
        pairs=(("executing", "executed"),),
        order=("started", "*", "completed"),
    )
    turn = talk.begin()
    talk.hear(20, *(said(kind, turn, seq) for seq, kind in enumerate(kinds.split())))
    assert (turn.outcome, turn.reason) == (Outcome.FAILED if reason else Outcome.COMPLETE, reason)


# ------------------------------------------------------------------ the ledger


def test_a_dropped_event_is_lost() -> None:
    talk = Talk()
    turn = talk.begin()
    events = answer(turn)
    talk.hear(20, *events[:2], *events[3:])
    talk.session.tick(20 + LINGER_NS)
    assert (turn.outcome, turn.lost) == (Outcome.COMPLETE, 1)
    assert talk.counts() == {"sent": 1, "received": 4, "matched": 4, "expected": 5, "lost": 1, "coalesced": 3}


def test_a_duplicate_is_not_matched() -> None:
    talk = Talk()
    turn = talk.begin()
    events = answer(turn)
    talk.hear(20, events[0], events[0], *events[1:])
    assert (turn.duplicate, turn.received) == (1, 5)
    assert talk.counts() == {
        "sent": 1, "received": 6, "matched": 5, "expected": 5, "duplicate": 1, "coalesced": 5
    }  # fmt: skip


def test_reordered_events_are_all_matched() -> None:
    talk = Talk()
    turn = talk.begin()
    events = answer(turn)
    talk.hear(20, events[0], events[2], events[1], *events[3:])
    assert (turn.outcome, turn.out_of_order, turn.lost) == (Outcome.COMPLETE, 1, 0)
    assert talk.counts() == {
        "sent": 1, "received": 5, "matched": 5, "expected": 5, "out_of_order": 1, "coalesced": 4
    }  # fmt: skip


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("way", ["seq", "payload.seq", "data.seq"])
def test_a_number_is_found_at_any_path(way: str, start: int) -> None:
    """Also where the turn's id stands beside the type and the number below."""
    talk = Talk(sequence_start=start)
    turn = talk.begin()
    for seq in (0, 2, 3):
        found: dict[str, Any] = {"type": "completed" if seq == 3 else "x", "run_id": turn.id}
        node = found
        for key in way.split(".")[:-1]:
            node = node.setdefault(key, {})
        node["seq"] = start + seq
        talk.hear(20, json.dumps(found).encode())
    talk.session.lost(30, 1000)
    assert (turn.outcome, turn.received, turn.lost) == (Outcome.COMPLETE, 3, 1)
    assert talk.record.counts("turns.") == {"begun": 1, "numbered": 1}


@pytest.mark.parametrize("number", [0, 1])
def test_a_type_is_found_at_any_path(number: int) -> None:
    talk = Talk(type=("a", "meta.kind"), user=("user",), sequence=("seq",))
    turn = talk.begin()
    found = [{"meta": {"kind": "thinking"}}, {"a": None, "meta": {"kind": "completed"}}][number:]
    talk.hear(20, *(json.dumps({**each, "run_id": turn.id}).encode() for each in found))
    assert (turn.outcome, turn.first_ns) == (Outcome.COMPLETE, NEVER if number else 20)


@pytest.mark.parametrize(("start", "wrong"), [(0, False), (1, True)])
@pytest.mark.parametrize("path", ["seq", "data.seq"])
def test_true_is_no_number(start: int, wrong: object, path: str) -> None:
    """Python takes ``True`` for 1: it must not stand for the first event of a turn."""
    talk = Talk(sequence=(path,), sequence_start=start)
    turn = talk.begin()
    place = {"seq": wrong} if path == "seq" else {"data": {"seq": wrong}}
    talk.hear(10, said("thinking", turn, **place))
    assert (turn.received, turn.next_seq) == (1, start)


def test_without_numbers_nothing_is_said_of_loss() -> None:
    talk = Talk()
    turn = talk.begin()
    events = answer(turn, numbered=False)
    talk.hear(20, events[1], events[1], events[0], events[4])
    talk.hear(30, events[4])
    assert (turn.outcome, turn.received, turn.duplicate, turn.lost) == (Outcome.COMPLETE, 4, 0, 0)
    assert talk.counts() == {"sent": 1, "received": 5, "matched": 4, "expected": 4, "late": 1, "coalesced": 3}
    assert talk.record.counts("turns.") == {
        "begun": 1,
        "first_coalesced": 1,
        "unnumbered": 1,
        "ended_again": 1,
    }


def test_nobodys_event() -> None:
    talk = Talk()
    talk.begin()
    talk.hear(20, said("started", "never begun", 0), said("news"), said(None), b"{}")
    assert talk.counts() == {"sent": 1, "received": 4, "unmatched": 4, "coalesced": 3}


@pytest.mark.parametrize(
    "payload", [b"", b"no JSON", b'["a"]', b'{"type":"\xff"}', b'{"a":' + b"[" * 100_000]
)
def test_a_malformed_event(payload: bytes) -> None:
    talk = Talk()
    talk.hear(20, payload)
    assert talk.counts() == {"received": 1, "malformed": 1}
    assert talk.record.shown == [("malformed", payload, 3)]


def test_an_event_that_is_shaped_oddly_is_read_all_the_same() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(
        20,
        said("started", turn, 0, payload="text", data=[1]),
        said("completed", turn, 1, payload=None, data={}),
    )
    assert (turn.outcome, turn.received) == (Outcome.COMPLETE, 2)


def test_an_ignored_type_never_counts_as_a_turns() -> None:
    """An acknowledgement is no first content, whoever it names."""
    talk = Talk(first=())
    turn = talk.begin()
    talk.hear(20, said("ack", turn), said("ack"), said("broadcast", "x", user_id="somebody else"))
    talk.hear(30, said("ack", data={"run_id": turn.id}), said("ack", turn, payload="odd"))
    assert (turn.received, turn.first_ns) == (0, NEVER)
    assert talk.counts() == {"sent": 1, "received": 5, "ignored": 5, "coalesced": 3}


@pytest.mark.parametrize("turn_id", ["7", "-12", "1.5", "true"])
def test_an_id_that_looks_like_a_number_comes_back_as_one(turn_id: str) -> None:
    talk = Talk(turn_id=turn_id, message='{"id":{turn.id}}', turn=("id",), type=("type",))
    turn, payload = talk.session.begin(0, 0, 0, {})
    echoed = json.loads(payload)["id"]
    assert not isinstance(echoed, str)
    talk.hear(20, json.dumps({"type": "started", "id": echoed, "seq": 0}).encode())
    talk.hear(30, json.dumps({"type": "completed", "id": echoed, "seq": 1}).encode())
    talk.hear(40, json.dumps({"type": "completed", "id": echoed, "seq": 1}).encode())
    assert (turn.outcome, turn.received) == (Outcome.COMPLETE, 2)
    assert talk.counts()["duplicate"] == 1


@pytest.mark.parametrize(
    "envelope",
    [
        lambda kind, turn_id, seq: {"type": kind, "run_id": turn_id, "payload": {"seq": seq}},
        lambda kind, turn_id, seq: {"type": kind, "data": {"run_id": turn_id, "seq": seq, "user_id": "u-1"}},
        lambda kind, turn_id, seq: {"type": kind, "event": kind, "run_id": turn_id, "seq": seq},
        lambda kind, turn_id, seq: {
            "type": "message",
            "event": kind,
            "payload": {"run_id": turn_id, "seq": seq},
        },
        lambda kind, turn_id, seq: {
            "type": kind,
            "user_id": "u-1",
            "run_id": turn_id,
            "seq": seq,
            "data": None,
        },
        lambda kind, turn_id, seq: {
            "type": kind,
            "payload": {"run_id": turn_id, "seq": seq, "timestamp": 1.5},
        },
    ],
)
def test_every_envelope_makes_the_same_turn(envelope: Callable[[str, str, int], dict[str, Any]]) -> None:
    kinds = ("started", "thinking", "executing", "executed", "completed")
    talk = Talk(required=kinds, order=kinds)
    turn = talk.begin()
    for seq in (0, 1, 1, 3, 2, 4):
        talk.hear(100 + seq, json.dumps(envelope(kinds[seq], turn.id, seq)).encode())
    assert (turn.outcome, turn.received, turn.duplicate, turn.out_of_order) == (Outcome.COMPLETE, 5, 1, 1)
    assert (turn.first_ns, turn.done_ns) == (101, 104)


# ------------------------------------------------------------------ whose event it is


def test_our_name_is_learned_from_what_answers_us() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("news", user_id="somebody"))
    assert talk.session.user_mark is None
    talk.hear(30, said("started", turn, 0, user_id="me"))
    assert talk.session.user_mark == "me"
    talk.hear(40, said("thinking", turn, 1, user_id="another"), said("news", user_id="another"))
    talk.hear(50, said("thinking", turn, 1), said("completed", turn, 2, user_id="me"))
    assert (turn.outcome, turn.received) == (Outcome.COMPLETE, 3)
    counts = talk.counts()
    assert (counts["foreign"], counts["unmatched"], counts["matched"]) == (2, 1, 3)
    assert [kind for kind, _, _ in talk.record.shown] == ["unmatched", "foreign", "foreign"]


def test_our_name_is_learned_from_a_later_path_too() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("started", turn, 0, data={"user_id": "me"}))
    assert talk.session.user_mark == "me"
    talk.hear(30, said("thinking", turn, 1, data={"user_id": "another"}))
    assert (turn.received, talk.counts()["foreign"]) == (1, 1)


@pytest.mark.parametrize(("given", "named"), [("7", 7), (7, "7"), ("7", "7")])
def test_a_name_may_be_a_number(given: Any, named: Any) -> None:
    talk = Talk()
    talk.session.user_mark = given
    turn = talk.begin()
    talk.hear(20, said("started", turn, 0, user_id=named), said("completed", turn, 1, user_id=named))
    assert turn.outcome is Outcome.COMPLETE
    assert "foreign" not in talk.counts()


def test_an_event_of_another_users_turn_is_foreign_without_a_name() -> None:
    talk = Talk()
    talk.record.others = {"theirs"}
    talk.hear(20, said("started", "theirs", 0), said("started", "nobodys", 0))
    assert talk.counts() == {"received": 2, "foreign": 1, "unmatched": 1, "coalesced": 1}


def test_an_id_of_the_run_says_whose_turn_it_is_wherever_that_is_driven() -> None:
    """No other session is asked: the turn may be one of another process, or long over."""
    talk = Talk(turn_id="turn-{uuid}", users=8)
    mine, theirs = ("turn-" + talk.protocol.uuid(seq) for seq in (3 + 8 * 5, 4 + 8 * 5))
    talk.hear(20, said("started", mine, 0), said("started", theirs, 0), said("started", theirs[:-1], 0))
    counts = talk.counts()
    assert (counts["received"], counts["foreign"], counts["unmatched"]) == (3, 1, 2)


@pytest.mark.parametrize("users", [0, 8])
def test_where_ids_say_nothing_the_turns_of_this_process_are_asked(users: int) -> None:
    talk = Talk(users=users)
    talk.record.others = {"turn-4"}
    talk.hear(20, said("started", "turn-4", 0), said("started", "turn-5", 0), said("started", 6, 0))
    counts = talk.counts()
    assert (counts["received"], counts["foreign"], counts["unmatched"]) == (3, 1, 2)


def test_a_session_owns_its_turns_also_when_they_have_ended() -> None:
    talk = Talk()
    turn, waiting = talk.begin(0), talk.begin(1)
    assert talk.session.owns(turn.id)
    talk.hear(20, said("completed", turn, 0), said("completed", waiting, 1))
    assert talk.session.owns(turn.id)
    assert talk.session.owns(waiting.id)
    assert not talk.session.owns("turn-2")


def test_turns_that_were_answered_under_our_name_are_counted() -> None:
    talk = Talk()
    turns = [talk.begin(seq) for seq in range(4)]
    talk.hear(20, said("completed", turns[0], 0))
    talk.hear(30, said("completed", turns[1], 0, user_id="me"))
    talk.hear(40, said("completed", turns[2], 0))
    talk.hear(50, said("thinking", turns[3], 0), said("completed", turns[3], 1, user_id="me"))
    assert talk.record.counts("turns.")["marked"] == 2


def test_where_ids_name_owners_marks_are_not_needed() -> None:
    talk = Talk(turn_id="{uuid}", users=8)
    turn = talk.begin(3)
    talk.hear(20, said("completed", turn, 0, user_id="me"))
    assert "marked" not in talk.record.counts("turns.")


def test_a_late_event_of_ours_is_late_before_anyone_else_is_asked() -> None:
    talk = Talk(turn_id="same")
    talk.record.others = {"same"}
    talk.begin()
    talk.hear(20, *answer("same"), said("more", "same"))
    assert talk.counts()["late"] == 1


# ------------------------------------------------------------------ by order


def test_opaque_payloads_answer_in_order() -> None:
    talk = Talk(format="opaque", type=(), turn=(), user=(), sequence=(), first=(), end=(), fail=(), count=1)
    turns = [talk.begin(seq) for seq in range(3)]
    talk.hear(20, b"\xff\0", b"")
    talk.hear(30, b"{}", b"one too many")
    assert [(turn.outcome, turn.done_ns) for turn in turns] == [
        (Outcome.COMPLETE, 20),
        (Outcome.COMPLETE, 20),
        (Outcome.COMPLETE, 30),
    ]
    assert talk.counts() == {
        "sent": 3,
        "received": 4,
        "matched": 3,
        "expected": 3,
        "unmatched": 1,
        "beyond_count": 1,
        "coalesced": 2,
        "order_unsure": 2,
    }


def test_json_by_order_heeds_what_its_fields_say() -> None:
    talk = Talk(match="order", turn=(), heartbeat=[AutoReply(on={"type": "ping"}, send="pong")])
    one, two = talk.begin(0), talk.begin(1)
    talk.hear(20, said("ping"), said("ack"), b"no JSON", said("thinking", seq=0, user_id="me"))
    talk.hear(
        30, said("thinking", seq=0), said("completed", seq=1), said("failed", user_id="me"), said("news")
    )
    assert (one.outcome, one.received, one.duplicate) == (Outcome.COMPLETE, 2, 1)
    assert (two.outcome, two.received) == (Outcome.FAILED, 1)
    assert talk.session.outbox == ["pong"]
    counts = talk.counts()
    assert counts == {
        "sent": 2, "received": 7, "heartbeat": 1, "ignored": 1, "malformed": 1, "matched": 3, "expected": 3,
        "duplicate": 1, "unmatched": 1, "coalesced": 6, "order_unsure": 8,
    }  # fmt: skip
    talk.begin(2)
    talk.hear(40, said("thinking", user_id="another"))
    assert talk.counts()["foreign"] == 1


# ------------------------------------------------------------------ evidence


def test_frames_are_kept_with_their_instants() -> None:
    talk = Talk()
    turn = talk.begin()
    events = answer(turn)
    talk.hear(20, *events[:2])
    talk.hear(30, *events[2:])
    assert turn.frames == [20, *events[:2], 30, *events[2:]]


def test_a_duplicate_is_no_new_evidence() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("started", turn, 0), said("started", turn, 0))
    assert turn.frames == [20, said("started", turn, 0)]


@pytest.mark.parametrize("odd", [False, True])
def test_of_a_huge_payload_the_beginning_is_kept(*, odd: bool) -> None:
    talk = Talk()
    turn = talk.begin()
    payload = said("started", turn, 0, text="x" * 10_000, payload="odd" if odd else {})
    talk.hear(20, payload)
    assert turn.frames == [20, payload[:MAX_FRAME_BYTES]]


def test_a_turn_that_never_ends_keeps_beginning_and_end_of_its_frames() -> None:
    talk = Talk()
    turn = talk.begin()
    payloads = [said("thinking", turn, seq) for seq in range(3000)]
    for at, payload in enumerate(payloads):
        talk.hear(at, payload)
    assert turn.frames is not None
    assert len(turn.frames) <= FRAMES_KEPT + 2
    assert turn.frames[:2] == [0, payloads[0]]
    assert turn.frames[-2:] == [2999, payloads[-1]]
    kept = [frame for frame in turn.frames if isinstance(frame, bytes)]
    assert len(kept) + turn.left_out == 3000
    assert [type(frame) for frame in turn.frames] == [int, bytes] * len(kept)


@pytest.mark.parametrize("odd", [False, True])
def test_without_evidence_nothing_is_kept(*, odd: bool) -> None:
    talk = Talk(keep_frames=False)
    turn = talk.begin()
    talk.hear(20, said("started", turn, 0, payload="odd" if odd else {}))
    assert (turn.frames, turn.received) == (None, 1)


# ------------------------------------------------------------------ laws: any interleaving of anything


IDS = [f"turn-{number}" for number in range(4)] + ["theirs", "nobodys", None]
seqs: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.integers(0, 6), st.sampled_from([-1, 2.0, 2.5, "3", True, 10**6])
)
kinds = st.sampled_from(
    [
        "started",
        "thinking",
        "executing",
        "executed",
        "completed",
        "failed",
        "rate_limited",
        "ack",
        "ping",
        "hello",
        None,
        7,
    ]
)


def enveloped(kind: Any, turn_id: Any, seq: Any, user: Any, envelope: int) -> bytes:
    inner = {"run_id": turn_id, "seq": seq, "user_id": user}
    found: dict[str, Any] = {"type": kind}
    if envelope == 0:
        found |= inner
    elif envelope == 1:
        found["data"] = inner
    elif envelope == 2:
        found |= {"run_id": turn_id, "payload": {"seq": seq}, "data": {"user_id": user}}
    else:
        found |= inner | {"payload": "odd", "event": kind}
    return json.dumps({key: value for key, value in found.items() if value is not None}).encode()


events = st.one_of(
    st.builds(
        enveloped,
        kinds,
        st.sampled_from(IDS),
        seqs,
        st.sampled_from([None, None, "me", "another"]),
        st.integers(0, 3),
    ),
    st.sampled_from([b"", b"no JSON", b"[]", b'{"type":"\xff"}']),
)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 3)),
        st.tuples(st.just("begin and send"), st.integers(0, 3)),
        st.tuples(st.just("send"), st.integers(0, 9)),
        st.tuples(st.just("hear"), st.lists(events, max_size=6)),
        st.tuples(st.just("hear"), st.lists(events, max_size=6)),
        st.tuples(st.just("tick"), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([-SECOND, 1, SECOND, TIMEOUT, 100 * TIMEOUT])),
        st.tuples(st.just("lost"), st.booleans()),
    ),
    max_size=25,
)
BY_ORDER = {"match": "order", "turn": ()}
OPAQUE = {"format": "opaque", "type": (), "turn": (), "user": (), "sequence": ()}
RULES = {
    "required": ("started",),
    "pairs": (("executing", "executed"),),
    "order": ("started", "*", "completed"),
    "sequence_start": 1,
}
manners = st.sampled_from(
    [{}, RULES, {"count": 2, "first": ()}, BY_ORDER, {**BY_ORDER, **RULES}, {**OPAQUE, "count": 1}]
)


class Restless:
    """A listener that begins, sends and leaves whenever a turn ends, by a given plan."""

    def __init__(self, talk: Talk, plan: str) -> None:
        self.talk = talk
        self.plan = itertools.chain(plan, itertools.repeat(" "))
        self.begun: list[Turn] = []
        self.ended: list[Turn] = []

    def begin(self, seq: int, now_ns: int) -> Turn:
        turn, _ = self.talk.session.begin(seq, 0, now_ns, {})
        self.begun.append(turn)
        return turn

    def turn_ended(self, turn: Turn) -> None:
        assert turn.outcome is not None
        self.ended.append(turn)
        match next(self.plan):
            case "b":
                self.begin(turn.seq, 5)
            case "s":
                self.talk.session.sent(self.begin(turn.seq + 1, 5), 6)
            case "l":
                self.talk.session.lost(7, 1006)


@settings(max_examples=2 * settings().max_examples)
@given(operations, manners, st.booleans(), st.text("bsl ", max_size=4))
def test_begun_once_ended_once_and_every_event_is_one_thing(
    doings: list[tuple[str, Any]],
    manner: dict[str, Any],
    greeted: bool,  # noqa: FBT001 - drawn
    plan: str,
) -> None:
    """Whatever is begun, sent, heard, waited for, lost, in whatever order."""
    talk = Talk(
        ready=[ReadyStep(wait={"type": "hello"})] if greeted else [],
        heartbeat=[AutoReply(on={"type": "ping"}, send="pong")],
        auth_errors=("failed",),
        turn_id="turn-{turn.number}",
        **manner,
    )
    talk.record.others = {"theirs"}
    session = talk.session
    listener = session.listener = Restless(talk, plan)
    now_ns = 0
    for doing, what in doings:
        try:
            if doing == "begin":
                listener.begin(what, now_ns)
            elif doing == "begin and send":
                session.sent(listener.begin(what, now_ns), now_ns + 1)
            elif doing == "send":
                session.sent(listener.begun[what], now_ns) if what < len(listener.begun) else None
            elif doing == "hear":
                session.receive(what, now_ns)
            elif doing == "tick":
                session.tick(now_ns)
            elif doing == "wait":
                now_ns = max(now_ns + what, 0)
            else:
                session.lost(now_ns, 1006, by_us=what)
        except ConnectRefusal:
            assert session.state is SessionState.CLOSED
        assert ledger(talk.counts()) + in_flight(session.turns.values()) == talk.counts().get("received", 0)
    session.lost(now_ns, 1006)
    check_the_end(talk, listener)


def in_flight(turns: Any) -> int:
    """Events whose turn has not ended yet: they count as matched when it has."""
    return sum(turn.received for turn in turns)


def check_the_end(talk: Talk, listener: Restless) -> None:
    session, record = talk.session, talk.record
    numbers = sorted(id(turn) for turn in listener.begun)
    assert sorted(id(turn) for turn in record.turns) == numbers
    assert sorted(id(turn) for turn in listener.ended) == numbers
    assert record.counts("turns.").get("begun", 0) == len(numbers)
    assert all(turn.outcome is not None for turn in record.turns)
    counts = talk.counts()
    assert counts.get("received", 0) == ledger(counts)
    assert counts.get("matched", 0) == sum(turn.received for turn in record.turns)
    assert counts.get("lost", 0) == sum(turn.lost for turn in record.turns)
    assert counts.get("expected", 0) == counts.get("matched", 0) + counts.get("lost", 0)
    assert counts.get("out_of_order", 0) == sum(turn.out_of_order for turn in record.turns)
    assert (session.wakes_ns, session.at_rest, session.turns) == (NEVER, True, {})
    for metrics in record.phases:
        assert all(value >= 0 for name in BUFFERS for value in getattr(metrics, name))
        assert max([0, *metrics.first_event_service, *metrics.gap]) < 10**15


@given(operations, manners)
def test_time_alone_ends_every_turn_that_was_sent(
    doings: list[tuple[str, Any]], manner: dict[str, Any]
) -> None:
    """Waking when it asks to, and never otherwise, a session comes to rest."""
    talk = Talk(turn_id="turn-{turn.number}", **manner)
    session = talk.session
    now_ns = 0
    for doing, what in doings:
        now_ns += 1
        if doing == "hear":
            session.receive(what, now_ns)
        elif doing.startswith("begin"):
            session.sent(session.begin(what, 0, now_ns, {})[0], now_ns)
    wakings = 0
    while session.wakes_ns != NEVER:
        assert session.wakes_ns <= now_ns + TIMEOUT
        session.tick(session.wakes_ns)
        wakings += 1
        assert wakings < 100
    assert session.at_rest
    assert talk.record.counts("turns.").get("begun", 0) == len(talk.record.turns)


@pytest.mark.parametrize(
    ("kind", "ends"), [("thinking", 0), ("completed", 1), ("failed", 1), ("rate_limited", 1)]
)
def test_what_the_next_connection_brings_of_a_lost_turn_is_resumed(kind: str, ends: int) -> None:
    """It stays lost; that it came to its end all the same is counted."""
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, *answer(turn)[:2])
    talk.session.lost(30, 1006)
    later = Session(talk.protocol, talk.record, 3, {})
    later.upgraded(40)
    later.follow(talk.session)
    later.receive([said(kind, turn, 2)], 50)
    assert turn.outcome is Outcome.LOST
    counts = talk.record.counts()
    assert counts["events.resumed"] == 1
    assert counts.get("turns.resumed", 0) == ends
    assert counts["events.received"] == counts["events.matched"] + counts["events.resumed"] == 3


def test_events_of_no_turn_are_told_by_their_keys_and_shown() -> None:
    talk = Talk()
    talk.begin()
    talk.hear(2, *(b'{"kind":"chunk","re":"turn-0"}' for _ in range(MAX_UNMATCHED_LABELED + 1)))
    assert talk.counts("events.unmatched_with.") == {"kind, re": MAX_UNMATCHED_LABELED}
    assert talk.counts()["unmatched"] == MAX_UNMATCHED_LABELED + 1
    assert {kind for kind, _, _ in talk.record.shown} == {"unmatched"}


@pytest.mark.parametrize("wild", [10**9, 10**30, 1e30, 2**63, -1, -(10**30), 0.5, "2", True])
@pytest.mark.parametrize("index", [1, 4])
def test_one_wild_number_leaves_loss_unknown_and_ends_the_turn_all_the_same(wild: Any, index: int) -> None:
    """It is the same for numbers that the fast reader takes, and for those it leaves to the slow one."""
    talk = Talk()
    turn = talk.begin()
    payloads = answer(turn)
    payloads[index] = said(json.loads(payloads[index])["type"], turn, wild)
    talk.hear(100, *payloads)
    assert turn.outcome is Outcome.COMPLETE
    assert talk.record.turns == [turn]
    assert talk.counts() == {"sent": 1, "received": 5, "matched": 5, "expected": 5, "coalesced": 4}
    by = talk.counts("turns.misnumbered_by.")
    assert sum(by.values()) == 1
    assert "unnumbered" not in talk.counts("turns.")


def test_messages_of_the_last_frame_of_a_read_all_have_its_stamp() -> None:
    talk = Talk()
    one, two = talk.begin(0), talk.begin(1)
    of_one, of_two = answer(one), answer(two)
    # The first two stood in a frame before.
    talk.session.receive([*of_one, of_two[0]], 100, len(of_one) - 1)
    talk.session.receive(list(of_two[1:]), 150, len(of_two))
    assert (one.outcome, two.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)
    assert talk.record.metrics.gap.tolist() == [50]
    assert talk.counts()["coalesced"] == 2
    assert talk.record.counts("turns.")["first_coalesced"] == 1
    assert "end_coalesced" not in talk.record.counts("turns.")
    assert talk.counts()["received"] == len(of_one) + len(of_two)


def test_so_have_those_of_answers_that_come_in_order() -> None:
    talk = Talk(match="order", turn=(), end=("completed",))
    turn = talk.begin(0)
    talk.session.receive(list(answer(turn)), 100, 99)
    assert turn.outcome is Outcome.COMPLETE
    assert "coalesced" not in talk.counts()


@pytest.mark.parametrize(
    "manner",
    [{}, {"match": "order", "turn": (), "end": ("completed",)}],
    ids=["by id", "in order"],
)
def test_behind_the_last_message_of_a_read_something_may_have_come(manner: dict[str, Any]) -> None:
    """A ping, or a part of the next message: then the stamp is of none of the messages."""
    talk = Talk(**manner)
    turn = talk.begin(0)
    of_turn = answer(turn)
    talk.session.receive(list(of_turn[:1]), 100, 0)
    talk.session.receive(list(of_turn[1:]), 200, 0)
    assert turn.outcome is Outcome.COMPLETE
    assert talk.counts()["coalesced"] == len(of_turn)
    counts = talk.record.counts("turns.")
    assert (counts["first_coalesced"], counts["end_coalesced"]) == (1, 1)
