"""Turns that send a file at its pace, the first sound of their answer, and users who interrupt it."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest

from loadtest.plan.chunks import Chunks
from loadtest.plan.protocol import Interrupt, MessageStep
from loadtest.speak.turn import NEVER, Outcome, Turn
from tests.speak.talk import SECOND, TIMEOUT, Talk, said

MS = 1_000_000
EVERY = 20 * MS
DATA = bytes(range(250)) * 4
AUDIO = '{"id":"{turn.id}","n":{chunk.number},"at":{chunk.time_ms},"a":"{chunk.base64}"}'
ASK, COMMIT = MessageStep(send='{"id":"{turn.id}"}'), MessageStep(send='{"go":"{turn.id}"}')
ACK = MessageStep(wait="ack", within_ns=2 * SECOND)
STOP = MessageStep(interrupt=Interrupt(after_ns=800 * MS, send='{"stop":"{turn.id}","n":{turn.number}}'))


def file(size: int = 250, message: str = AUDIO) -> MessageStep:
    """A file of 1,000 bytes, one chunk of ``size`` every 20 ms."""
    return MessageStep(chunks=Chunks(name="hello.pcm", data=DATA, size=size, every_ns=EVERY, message=message))


def chunk(place: int, turn: Turn) -> bytes:
    """What the message of a chunk must be."""
    content = base64.b64encode(DATA[250 * place : 250 * (place + 1)]).decode()
    return f'{{"id":"{turn.id}","n":{place},"at":{20 * place},"a":"{content}"}}'.encode()


def taken(talk: Talk) -> list[bytes]:
    """The messages of turns that wait to be sent."""
    outbox, talk.session.outbox = talk.session.outbox, None
    return [bytes(each[1]) for each in outbox or () if not isinstance(each, str)]


def call(*steps: MessageStep, due: int = 0, **settings: Any) -> tuple[Talk, Turn, bytes]:
    """A turn due at ``due``, of which nothing is sent yet."""
    talk = Talk(messages=steps, **{"sequence": (), "audio": ("speech",), "first": (), **settings})
    turn, payload = talk.session.begin(0, 0, due, {})
    assert turn.payload_crc == zlib.crc32(payload)
    return talk, turn, bytes(payload)


def play(talk: Talk, turn: Turn, *instants: int) -> list[bytes]:
    """Tick at these instants, send what is due at once, and return all that was sent."""
    sent = []
    for instant in instants:
        talk.session.tick(instant)
        for payload in taken(talk):
            sent.append(payload)
            talk.session.sent(turn, instant)
    return sent


@pytest.mark.parametrize("turn_id", ["{uuid}", "turn-{turn.number}"])
def test_each_chunk_is_due_an_interval_after_the_one_before(turn_id: str) -> None:
    talk, turn, first = call(file(), COMMIT, turn_id=turn_id)
    assert first == chunk(0, turn)
    assert taken(talk) == []
    assert talk.session.wakes_ns == NEVER
    talk.session.sent(turn, 5 * MS)
    at = 5 * MS + EVERY
    assert talk.session.wakes_ns == at
    assert play(talk, turn, at - 1) == []
    assert play(talk, turn, at) == [chunk(1, turn)]
    assert talk.session.wakes_ns == at + EVERY
    assert play(talk, turn, at + EVERY, at + 2 * EVERY) == [
        chunk(2, turn),
        chunk(3, turn),
        f'{{"go":"{turn.id}"}}'.encode(),
    ]
    assert (turn.sent_ns, turn.uploading) == (at + 2 * EVERY, False)
    metrics = talk.record.metrics
    assert (list(metrics.lateness), list(metrics.upload)) == ([5 * MS], [3 * EVERY])
    assert list(metrics.chunk_lateness) == [0, 0, 0]
    assert metrics.events_sent == 5
    assert talk.session.wakes_ns == turn.sent_ns + TIMEOUT


def test_a_late_chunk_pushes_no_other_and_the_clock_begins_when_the_last_one_was_due() -> None:
    talk, turn, _ = call(file())
    talk.session.sent(turn, 0)
    assert len(play(talk, turn, EVERY + 3 * MS)) == 1
    assert talk.session.wakes_ns == 2 * EVERY
    # The generator stood still: what was due meanwhile goes out at once, each as late as it is.
    assert play(talk, turn, 3 * EVERY + MS) == [chunk(2, turn), chunk(3, turn)]
    metrics = talk.record.metrics
    assert list(metrics.chunk_lateness) == [3 * MS, EVERY + MS, MS]
    assert (turn.waited_from_ns, turn.sent_ns) == (3 * EVERY, 3 * EVERY + MS)
    talk.hear(3 * EVERY + 31 * MS, said("speech", turn))
    assert list(metrics.first_audio) == list(metrics.first_event) == [31 * MS]
    assert list(metrics.first_audio_service) == list(metrics.first_event_service) == [30 * MS]


def test_a_chunk_that_is_flushed_late_is_late() -> None:
    talk, turn, _ = call(file())
    talk.session.sent(turn, 0)
    talk.session.tick(EVERY)
    assert len(taken(talk)) == 1
    talk.session.sent(turn, EVERY + 7 * MS)
    assert list(talk.record.metrics.chunk_lateness) == [7 * MS]


def test_a_file_after_a_message_begins_when_that_is_sent_and_its_first_chunk_has_a_lateness_too() -> None:
    talk, turn, first = call(ASK, file(500), COMMIT)
    assert first == b'{"id":"turn-0"}'
    talk.session.sent(turn, 10)
    assert talk.session.wakes_ns == 10
    assert len(play(talk, turn, 20, 10 + EVERY)) == 3
    assert list(talk.record.metrics.chunk_lateness) == [10, 0]
    assert (turn.intended_ns, turn.waited_from_ns) == (0, 10 + EVERY)


def test_a_file_after_a_wait_and_a_wait_after_a_file() -> None:
    talk, turn, _ = call(ASK, ACK, file(500), ACK, COMMIT)
    talk.session.sent(turn, 0)
    talk.hear(SECOND, said("ack", turn))
    assert len(play(talk, turn, SECOND, SECOND + EVERY)) == 2
    assert turn.uploading
    talk.hear(2 * SECOND, said("ack", turn))
    assert taken(talk) == [b'{"go":"turn-0"}']
    talk.session.sent(turn, 2 * SECOND)
    # What comes between the last chunk and the last message the user waits for as well.
    assert (turn.waited_from_ns, turn.sent_ns) == (SECOND + EVERY, 2 * SECOND)


def test_a_file_of_one_chunk_is_over_with_the_message_that_opens_the_turn() -> None:
    talk, turn, _ = call(file(1000), COMMIT)
    assert taken(talk) == [b'{"go":"turn-0"}']
    talk.session.sent(turn, 5)
    talk.session.sent(turn, 6)
    assert (turn.waited_from_ns, turn.sent_ns, turn.uploading) == (5, 6, False)
    assert not talk.record.metrics.chunk_lateness
    talk, turn, _ = call(file(1000))
    talk.session.sent(turn, 7)
    assert (turn.waited_from_ns, turn.sent_ns) == (7, 7)


def test_two_files_may_follow_each_other() -> None:
    talk, turn, _ = call(file(500), MessageStep(pause_ns=SECOND), file(500))
    talk.session.sent(turn, 0)
    assert len(play(talk, turn, EVERY, EVERY + SECOND)) == 1
    assert len(play(talk, turn, EVERY + SECOND, 2 * EVERY + SECOND)) == 2
    assert turn.waited_from_ns == 2 * EVERY + SECOND


def test_binary_chunks_are_views_of_the_file() -> None:
    step = file(message="")
    talk = Talk(messages=(step,))
    turn, first = talk.session.begin(0, 0, 0, {})
    talk.session.sent(turn, 0)
    talk.session.tick(EVERY)
    assert talk.session.outbox is not None
    ((_, second),) = talk.session.outbox
    assert isinstance(first, memoryview)
    assert isinstance(second, memoryview)
    assert step.chunks is not None
    assert first.obj is second.obj is step.chunks.data
    assert (bytes(first), bytes(second)) == (DATA[:250], DATA[250:500])


def test_what_differs_by_user_is_filled_in_for_each_and_the_chunk_only_once() -> None:
    message = '{"by":"{user.id}","id":"{turn.id}","a":"{chunk.base64}"}'
    talk = Talk(messages=(file(500, message),), values={"user.id": 'a"b'})
    first, payload = talk.session.begin(0, 0, 0, {})
    assert bytes(payload).startswith(b'{"by":"a\\"b"')
    second, again = talk.session.begin(1, 0, 0, {})
    assert bytes(again) == bytes(payload).replace(first.id.encode(), second.id.encode())
    assert talk.protocol.plain.opening is not None
    assert talk.protocol.plain.asked >= {"user.id", "turn.id"}
    fixed = Talk(messages=(file(500, "audio {chunk.base64}"),))
    _, payload = fixed.session.begin(0, 0, 0, {})
    assert bytes(payload) == b"audio " + base64.b64encode(DATA[:500])


def test_a_file_has_the_time_that_it_takes_and_a_target_that_answers_nothing_times_out() -> None:
    slow = MessageStep(chunks=Chunks(name="x", data=DATA, size=500, every_ns=2 * TIMEOUT, message=AUDIO))
    talk, turn, _ = call(slow)
    talk.session.sent(turn, 0)
    assert len(play(talk, turn, TIMEOUT, 2 * TIMEOUT)) == 1
    assert turn.outcome is None
    play(talk, turn, 3 * TIMEOUT)
    assert turn.outcome is Outcome.TIMED_OUT


def test_a_turn_that_is_answered_or_lost_before_its_file_is_sent_sends_no_more_of_it() -> None:
    talk, turn, _ = call(file())
    talk.session.sent(turn, 0)
    talk.hear(MS, said("speech", turn))
    assert not talk.record.metrics.first_audio
    talk.hear(2 * MS, said("completed", turn))
    assert (turn.outcome, turn.reason) == (Outcome.FAILED, "unsent")
    assert play(talk, turn, EVERY, 2 * EVERY) == []
    talk, turn, _ = call(file())
    talk.session.sent(turn, 0)
    talk.session.lost(MS, 1006)
    assert play(talk, turn, EVERY) == []


# ---------------------------------------------------------------- audio, and interruptions


def heard_call(*more: MessageStep, **settings: Any) -> tuple[Talk, Turn]:
    """A turn that was sent at 0."""
    talk, turn, _ = call(ASK, *more, **settings)
    talk.session.sent(turn, 0)
    return talk, turn


def test_the_first_audio_is_timed_whatever_came_before_and_once_only() -> None:
    talk, turn = heard_call()
    talk.hear(5, said("thinking", turn))
    talk.hear(9, said("speech", turn))
    talk.hear(19, said("speech", turn), said("completed", turn))
    metrics = talk.record.metrics
    assert (list(metrics.first_event), list(metrics.first_audio)) == ([5], [9])
    assert list(metrics.first_audio_service) == [9]
    assert turn.outcome is Outcome.COMPLETE


def test_audio_of_no_turn_of_another_user_or_ignored_is_none() -> None:
    talk, turn = heard_call(ignore=("speech",))
    talk.hear(5, said("speech", turn))
    assert not talk.record.metrics.first_audio
    talk, turn = heard_call()
    talk.session.user_mark = "me"
    talk.hear(5, said("speech", turn, user_id="you"), said("speech"))
    assert not talk.record.metrics.first_audio


def test_binary_frames_may_be_audio_by_order() -> None:
    talk, _ = heard_call(match="order", turn=(), audio=("binary",), ordered=True)
    talk.hear(7, b'{"type":"binary","size":640}')
    assert list(talk.record.metrics.first_audio) == [7]


def test_audio_of_which_values_are_kept_is_both() -> None:
    talk, turn = heard_call(audio=({"type": "speech", "keep": {"item": "item"}},))
    talk.hear(7, said("speech", turn, item="i-1"))
    assert list(talk.record.metrics.first_audio) == [7]
    assert talk.session.kept == {"kept.item": "i-1"}


def test_audio_before_the_message_is_known_to_be_sent_has_no_service_time() -> None:
    talk, turn, _ = call(ASK)
    talk.hear(7, said("speech", turn))
    metrics = talk.record.metrics
    assert (list(metrics.first_audio), list(metrics.first_audio_service)) == ([7], [])


def test_a_user_interrupts_so_long_after_the_first_audio_and_it_is_timed_until_the_end() -> None:
    talk, turn = heard_call(STOP)
    assert not turn.uploading
    talk.hear(SECOND, said("speech", turn))
    due = SECOND + 800 * MS
    assert talk.session.wakes_ns == due
    talk.hear(due - 1, said("speech", turn))
    talk.session.tick(due - 1)
    assert talk.session.outbox is None
    talk.session.tick(due + 2)
    assert talk.session.outbox == ['{"stop":"turn-0","n":0}']
    assert talk.session.wakes_ns == TIMEOUT
    talk.session.tick(due + 3)
    assert len(talk.session.outbox) == 1
    talk.hear(due + 102, said("completed", turn))
    assert list(talk.record.metrics.barge_in) == [100]
    assert talk.counts("turns.")["interrupted"] == 1
    assert turn.outcome is Outcome.COMPLETE


def test_an_answer_that_is_over_before_is_not_interrupted() -> None:
    talk, turn = heard_call(STOP)
    talk.hear(SECOND, said("speech", turn))
    talk.hear(SECOND + 1, said("completed", turn))
    talk.session.tick(SECOND + 800 * MS)
    assert talk.session.outbox is None
    assert not talk.record.metrics.barge_in
    assert "interrupted" not in talk.counts("turns.")


def test_a_target_that_does_not_stop_has_no_time_to_stop() -> None:
    talk, turn = heard_call(STOP)
    talk.hear(1, said("speech", turn))
    talk.session.tick(1 + 800 * MS)
    talk.session.tick(TIMEOUT)
    assert turn.outcome is Outcome.TIMED_OUT
    assert not talk.record.metrics.barge_in


def test_a_chunk_is_as_late_as_the_kernel_takes_it_and_the_pace_runs_on() -> None:
    """Written and not taken: the target does not read."""
    talk, turn, _ = call(file())
    talk.session.written(turn, 5 * MS)
    at = 5 * MS + EVERY
    assert talk.session.wakes_ns == at, "the first chunk gives the pace, whenever the kernel takes it"
    for due in (at, at + EVERY, at + 2 * EVERY):
        talk.session.tick(due)
        assert len(taken(talk)) == 1
        talk.session.written(turn, due)
    metrics = talk.record.metrics
    assert (list(metrics.chunk_lateness), metrics.events_sent, turn.uploading) == ([], 0, True)
    for _ in range(4):
        talk.session.sent(turn, at + SECOND)
    assert list(metrics.chunk_lateness) == [SECOND, SECOND - EVERY, SECOND - 2 * EVERY]
    assert list(metrics.upload) == [SECOND + EVERY]
    assert (list(metrics.lateness), metrics.events_sent) == ([5 * MS], 4)
    assert (turn.waited_from_ns, turn.sent_ns, turn.uploading) == (at + 2 * EVERY, at + SECOND, False)


def test_a_turn_whose_first_message_is_never_taken_times_out() -> None:
    talk, turn, _ = call(ASK, COMMIT)
    talk.session.written(turn, 10)
    talk.session.tick(10 + TIMEOUT)
    assert turn.outcome is Outcome.TIMED_OUT
    talk.session.written(turn, 11 + TIMEOUT)
    talk.session.sent(turn, 12 + TIMEOUT)
    assert turn.sent_ns == NEVER


# ---------------------------------------------------------------------- what is due are chunks alone


def test_while_files_stream_nothing_unread_matters_until_a_turn_is_overdue() -> None:
    talk, turn, _ = call(file(), COMMIT)
    assert not talk.session.only_streams(0), "nothing is sent yet"
    talk.session.sent(turn, 0)
    assert talk.session.only_streams(EVERY)
    assert not talk.session.only_streams(TIMEOUT + 3 * EVERY), "overdue: what lies unread may be its answer"
    play(talk, turn, EVERY, 2 * EVERY, 3 * EVERY)
    assert not talk.session.only_streams(3 * EVERY), "all of it is sent"


def test_a_turn_that_waits_for_its_answer_beside_a_file_may_time_out() -> None:
    talk, turn, _ = call(file())
    talk.session.sent(turn, 0)
    play(talk, turn, EVERY, 2 * EVERY, 3 * EVERY)
    other, _ = talk.session.begin(1, 1, 4 * EVERY, {})
    talk.session.sent(other, 4 * EVERY)
    assert not talk.session.only_streams(5 * EVERY)
    # The one that was begun first times out first, though a chunk is due before.
    assert talk.session.wakes_ns == 5 * EVERY
    talk.hear(5 * EVERY - MS, said("completed", turn))
    assert talk.session.only_streams(5 * EVERY)


def test_of_turns_of_files_the_one_that_was_sent_first_times_out_first() -> None:
    """One that was begun later may have been sent before."""
    talk, late, _ = call(file(), ACK, COMMIT)
    talk.session.sent(late, 0)
    early, _ = talk.session.begin(1, 1, 0, {})
    talk.session.sent(early, 0)
    for place in (1, 2, 3):
        talk.session.tick(place * EVERY)
        for sent, payload in list(talk.session.outbox or ()):
            assert payload
            talk.session.sent(sent, place * EVERY)
        talk.session.outbox = None
    talk.hear(4 * EVERY, said("ack", early))
    for _ in taken(talk):
        talk.session.sent(early, 4 * EVERY)
    talk.hear(5 * EVERY, said("ack", late))
    for _ in taken(talk):
        talk.session.sent(late, 5 * EVERY)
    assert (early.sent_ns, late.sent_ns) == (4 * EVERY, 5 * EVERY)
    assert talk.session.wakes_ns == 4 * EVERY + TIMEOUT
