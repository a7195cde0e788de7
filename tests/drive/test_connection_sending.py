"""What is gathered in a loop turn goes out in one write, and a turn is sent when its last byte is."""

from __future__ import annotations

import ssl

import pytest
from websockets.frames import Opcode

from loadtest.drive import connection
from loadtest.drive.poller import READ, WRITE
from loadtest.plan.chunks import Chunks
from loadtest.plan.protocol import AutoReply, Connect, MessageStep, ReadyStep
from loadtest.speak.session import LINGER_NS
from loadtest.speak.turn import NEVER, Outcome
from tests.drive.spoken import FD, Spoken
from tests.drive.standing_in import BOTH, SECOND, START
from tests.speak.talk import answer, said

EVERY = 20_000_000
MS = 1_000_000

# ------------------------------------------------------------------ gathered writes


def test_turns_of_one_loop_turn_are_written_together_and_sent_at_one_instant() -> None:
    spoken = Spoken()
    turns = [spoken.begin(seq) for seq in range(3)]
    assert spoken.frames == []
    assert [turn.sent_ns for turn in turns] == [NEVER] * 3
    before = spoken.line.writes
    spoken.context.hand.ns += 40
    spoken.poller.turn()
    assert spoken.line.writes == before + 1
    assert spoken.texts == [f'{{"run_id":"turn-{seq}"}}'.encode() for seq in range(3)]
    assert [turn.sent_ns for turn in turns] == [START + 40] * 3
    assert spoken.metrics.lateness.tolist() == [40] * 3
    assert spoken.counts("events.") == {"sent": 3}


def test_a_connection_is_flushed_once_however_much_it_gathers() -> None:
    spoken = Spoken()
    for seq in range(4):
        spoken.begin(seq)
    assert spoken.poller.dirty == [spoken.connection]


def test_two_connections_that_gather_in_turns_are_both_flushed() -> None:
    spoken, other = Spoken(), Spoken()
    other.context.poller = spoken.poller
    spoken.begin(0)
    other.begin(1)
    spoken.begin(2)
    spoken.poller.turn()
    assert len(spoken.texts) == 2
    assert len(other.texts) == 1


def test_what_is_written_is_counted_in_bytes() -> None:
    spoken = Spoken()
    before = spoken.metrics.bytes_sent, len(spoken.line.sent)
    spoken.begin()
    spoken.poller.turn()
    assert spoken.metrics.bytes_sent - before[0] == len(spoken.line.sent) - before[1] > 0


def test_binary_protocols_send_binary_frames() -> None:
    spoken = Spoken(encoding="binary")
    spoken.begin()
    spoken.poller.turn()
    assert [opcode for opcode, _ in spoken.frames] == [Opcode.BINARY]


def test_a_message_that_is_no_turn_goes_out_as_what_it_is() -> None:
    spoken = Spoken()
    spoken.connection.send("text")
    spoken.connection.send(b"bytes")
    spoken.poller.turn()
    assert spoken.frames == [(Opcode.TEXT, b"text"), (Opcode.BINARY, b"bytes")]
    assert spoken.counts("events.") == {}


def test_a_turn_times_out_after_the_timeout_from_when_it_was_sent() -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.poller.pass_until(turn.sent_ns + 10 * SECOND - 1)
    assert turn.outcome is None
    spoken.poller.pass_until(turn.sent_ns + 10 * SECOND)
    assert turn.outcome is Outcome.TIMED_OUT
    assert spoken.turns == [turn]


# ------------------------------------------------------------------ partial writes


def test_the_last_turn_of_a_partial_write_is_sent_when_its_last_byte_is() -> None:
    spoken = Spoken()
    first, last = spoken.begin(0), spoken.begin(1)
    spoken.line.room = 40
    spoken.poller.turn()
    assert spoken.poller.asked == {FD: BOTH}
    assert (first.sent_ns, last.sent_ns) == (START, START)
    spoken.context.hand.ns += 100
    spoken.line.room = 5
    spoken.poller.turn(FD, WRITE)
    assert last.sent_ns == START, "some of it is still not with the kernel"
    spoken.context.hand.ns += 100
    spoken.line.room = None
    spoken.poller.turn(FD, WRITE)
    assert spoken.poller.asked == {FD: READ}
    assert (first.sent_ns, last.sent_ns) == (START, START + 200)
    assert len(spoken.texts) == 2
    spoken.context.hand.ns += 100
    spoken.poller.turn(FD, WRITE)
    assert last.sent_ns == START + 200


def test_each_turn_of_a_partial_write_is_sent_when_its_own_last_byte_is() -> None:
    """Also one in the middle, and where messages that are no turns stand between."""
    spoken = Spoken()
    first = spoken.begin(0)
    spoken.connection.send("between")
    middle, last = spoken.begin(1), spoken.begin(2)
    sizes = [len(frame) for frame in spoken.connection._out]
    spoken.line.room = sum(sizes[:3]) - 1
    spoken.poller.turn()
    spoken.context.hand.ns += 100
    spoken.line.room = 1
    spoken.poller.turn(FD, WRITE)
    spoken.context.hand.ns += 100
    late = spoken.begin(3)
    spoken.line.room = sizes[3]
    spoken.poller.turn()
    spoken.context.hand.ns += 100
    spoken.line.room = None
    spoken.poller.turn(FD, WRITE)
    turns = (first, middle, last, late)
    assert [turn.sent_ns - START for turn in turns] == [0, 100, 200, 300]
    assert len(spoken.texts) == 5
    assert spoken.metrics.lateness.tolist() == [0, 0, 0, 0]


def paced() -> Spoken:
    """Turns of four chunks, one each 20 ms, and a message after a pause of as much."""
    file = Chunks(name="a", data=bytes(40), size=10, every_ns=EVERY)
    after = MessageStep(pause_ns=EVERY), MessageStep(send='{"go":"{turn.id}"}')
    return Spoken(message="", messages=(MessageStep(chunks=file), *after))


def test_chunks_that_wait_for_a_target_which_does_not_read_are_late() -> None:
    spoken = paced()
    turn = spoken.begin()
    spoken.line.room = 5
    for _ in range(4):
        spoken.poller.turn()
        spoken.context.hand.ns += EVERY
    metrics = spoken.metrics
    assert (list(metrics.chunk_lateness), metrics.events_sent) == ([], 0)
    spoken.context.hand.ns += SECOND
    spoken.line.room = None
    spoken.poller.turn(FD, WRITE)
    assert metrics.chunk_lateness.tolist() == [SECOND + EVERY * n for n in (3, 2, 1)]
    assert (turn.uploading, list(metrics.upload)) == (True, [])
    spoken.context.hand.ns += EVERY
    spoken.poller.turn()
    assert (turn.uploading, turn.sent_ns) == (False, spoken.now)
    assert metrics.upload.tolist() == [SECOND + 5 * EVERY]
    assert metrics.events_sent == 5


def test_chunks_behind_what_was_held_back_are_sent_with_it() -> None:
    spoken = paced()
    spoken.begin()
    spoken.line.room = 5
    spoken.poller.turn()
    spoken.context.hand.ns += EVERY
    spoken.line.room = None
    spoken.poller.turn()
    assert spoken.metrics.chunk_lateness.tolist() == [0]
    assert spoken.metrics.events_sent == 2


def test_a_connection_is_backed_up_while_a_peer_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is gathered and not yet written waits as well: many turns may be due at one instant."""
    monkeypatch.setattr(connection, "MAX_BACKLOG", 80)
    spoken = Spoken()
    spoken.line.room = 0
    for seq in range(4):
        assert not spoken.connection.is_backed_up, "each message takes 25 bytes"
        spoken.begin(seq)
    assert spoken.connection.is_backed_up
    spoken.poller.turn()
    assert spoken.connection.is_backed_up
    spoken.line.room = None
    spoken.poller.turn(FD, WRITE)
    assert not spoken.connection.is_backed_up


def test_a_turn_that_waited_for_the_kernel_is_sent_once() -> None:
    """Another turn falls due while the last one is on its way."""
    spoken = Spoken()
    waiting = spoken.begin(0)
    spoken.line.room = 3
    spoken.poller.turn()
    spoken.context.hand.ns += 100
    later = spoken.begin(1)
    spoken.poller.turn()
    spoken.context.hand.ns += 100
    spoken.line.room = None
    spoken.poller.turn(FD, WRITE)
    assert len(spoken.texts) == 2
    assert spoken.counts("events.") == {"sent": 2}
    assert spoken.metrics.lateness.tolist() == [0, 0]
    assert (waiting.sent_ns, later.sent_ns) == (START + 200, START + 200)


def test_a_later_write_may_carry_the_last_byte_of_an_earlier_turn() -> None:
    spoken = Spoken()
    waiting = spoken.begin(0)
    spoken.line.room = 3
    spoken.poller.turn()
    spoken.context.hand.ns += 100
    spoken.line.room = None
    later = spoken.begin(1)
    spoken.poller.turn()
    assert (waiting.sent_ns, later.sent_ns) == (START + 100, START + 100)
    spoken.context.hand.ns += 100
    spoken.poller.turn(FD, WRITE)
    assert (waiting.sent_ns, later.sent_ns) == (START + 100, START + 100)
    assert spoken.poller.asked == {FD: READ}
    assert spoken.counts("events.") == {"sent": 2}


def send_slowly(spoken: Spoken, took_ns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each system call that sends take so long, by the run's clock."""
    send = spoken.line.send

    def sent(data: bytes) -> bool:
        spoken.context.hand.ns += took_ns
        return send(data)

    monkeypatch.setattr(spoken.line, "send", sent)


@pytest.mark.parametrize(("took_ns", "counted"), [(1_000_500, {}), (1_001_000, {"slow_send": 2})])
def test_turns_in_whose_write_the_core_was_lost_are_counted(
    took_ns: int, counted: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken = Spoken()
    send_slowly(spoken, took_ns, monkeypatch)
    turns = [spoken.begin(seq) for seq in range(2)]
    spoken.poller.turn()
    assert {turn.sent_ns for turn in turns} == {START}
    # Two frames of 26 bytes may take 1,000,520 ns.
    assert spoken.counts("turns.") == {"begun": 2, **counted}


def test_a_slow_write_counts_once_for_a_turn_of_several_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = (MessageStep(send='{"id":"{turn.id}"}'), MessageStep(send='{"go":"{turn.id}"}'))
    spoken = Spoken(message="", messages=messages)
    send_slowly(spoken, 2 * MS, monkeypatch)
    spoken.begin()
    spoken.poller.turn()
    assert spoken.metrics.events_sent == 2
    assert spoken.counts("turns.") == {"begun": 1, "slow_send": 1}


def test_a_turn_counts_as_sent_slowly_by_the_write_that_took_its_last_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoken = Spoken()
    send_slowly(spoken, 2 * MS, monkeypatch)
    spoken.line.room = 3
    turn = spoken.begin()
    spoken.poller.turn()
    assert spoken.counts("turns.") == {"begun": 1}
    spoken.line.room = None
    spoken.poller.turn(FD, WRITE)
    assert turn.sent_ns == START + 2 * MS
    assert spoken.counts("turns.") == {"begun": 1, "slow_send": 1}


def test_an_answered_turn_is_not_sent_again() -> None:
    """A target may answer before the last byte of a message is sent."""
    spoken = Spoken()
    turn = spoken.begin()
    spoken.line.room = 3
    spoken.poller.turn()
    spoken.hear(said("failed", turn))
    assert turn.outcome is Outcome.FAILED
    spoken.context.hand.ns += 100
    spoken.line.room = None
    spoken.poller.turn(FD, WRITE)
    assert turn.sent_ns == START


def test_what_was_gathered_meanwhile_follows_at_once() -> None:
    spoken = Spoken()
    spoken.begin(0)
    spoken.line.room = 3
    spoken.poller.turn()
    spoken.connection.begin(1, 0, spoken.now, {})
    spoken.line.room = None
    spoken.connection._on_ready(WRITE)
    assert len(spoken.texts) == 2


# ------------------------------------------------------------------ a line that breaks

BROKEN = [BrokenPipeError(32, "Broken pipe"), ssl.SSLError(1, "broken record")]


@pytest.mark.parametrize("error", BROKEN, ids=["pipe", "tls"])
def test_a_write_that_fails_is_the_end_of_the_connection(error: OSError) -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.line.error = error
    spoken.poller.turn()
    assert turn.outcome is Outcome.LOST
    assert spoken.counts("connections.closed.") == {"1006": 1}
    assert spoken.closed == 1
    assert spoken.line.closed


@pytest.mark.parametrize("error", BROKEN, ids=["pipe", "tls"])
def test_a_write_that_fails_later_is_the_end_too(error: OSError) -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.line.room = 3
    spoken.poller.turn()
    spoken.line.error = error
    spoken.poller.turn(FD, WRITE)
    assert turn.outcome is Outcome.LOST
    assert spoken.counts("connections.closed.") == {"1006": 1}


def test_what_was_gathered_for_a_connection_that_is_gone_is_dropped() -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.arrive(ConnectionResetError(104, "reset"))
    assert spoken.texts == []
    assert turn.outcome is Outcome.LOST
    assert turn.sent_ns == NEVER


def test_the_last_words_may_fail_without_harm() -> None:
    spoken = Spoken()
    spoken.line.error = BrokenPipeError(32, "Broken pipe")
    spoken.connection.close()
    assert spoken.counts("connections.left") == {"": 1}


# ------------------------------------------------------------------ what the conversation says


def test_the_answer_to_a_heartbeat_goes_out_after_the_reads() -> None:
    beat = AutoReply(on={"type": "ping"}, send='{"type":"pong"}')
    spoken = Spoken(connect=Connect(path="/ws", heartbeat=(beat,)))
    for _ in range(2):
        spoken.hear(b'{"type":"ping"}')
    assert spoken.texts == [b'{"type":"pong"}'] * 2
    assert spoken.counts("events.") == {"heartbeat": 2}


def test_the_words_of_a_ready_step_go_out_with_the_upgrade() -> None:
    steps = (ReadyStep(send='{"type":"hello"}'), ReadyStep(wait={"type": "welcome"}))
    spoken = Spoken(connect=Connect(path="/ws", ready=steps))
    assert spoken.texts == [b'{"type":"hello"}']
    assert spoken.ready == 0
    spoken.hear(b'{"type":"welcome"}')
    assert spoken.ready == 1


def test_the_words_of_the_last_ready_step_go_out_before_the_first_turn() -> None:
    steps = (ReadyStep(wait={"type": "hello"}), ReadyStep(send='{"type":"auth"}'))
    spoken = Spoken(connect=Connect(path="/ws", ready=steps))
    spoken.connection.on_ready = lambda connection: connection.begin(0, 0, spoken.now, {})
    spoken.hear(b'{"type":"hello"}')
    assert spoken.texts[0] == b'{"type":"auth"}'
    assert len(spoken.texts) == 2


def test_an_alarm_is_set_again_only_for_something_earlier() -> None:
    spoken = Spoken()
    for seq in range(5):
        spoken.begin(seq)
        spoken.poller.turn()
    assert len(spoken.poller.timers._entries) == 1 + 1  # the overdue opening, and the oldest turn


def test_an_alarm_is_set_for_what_comes_before_the_last_one() -> None:
    """A number that is missing counts as lost a second later, while another turn has ten."""
    spoken = Spoken()
    spoken.begin(0)
    second = spoken.begin(1)
    spoken.poller.turn()
    spoken.hear(said("thinking", second, 0), said("completed", second, 2))
    spoken.poller.pass_until(START + LINGER_NS - 1)
    assert spoken.counts("events.lost") == {}
    spoken.poller.pass_until(START + LINGER_NS)
    assert spoken.counts("events.lost") == {"": 1}


def test_after_the_oldest_turn_ended_the_next_one_is_watched() -> None:
    spoken = Spoken()
    first = spoken.begin(0)
    spoken.poller.turn()
    spoken.poller.pass_until(START + SECOND)
    second = spoken.begin(1)
    spoken.poller.turn()
    spoken.hear(*answer(first))
    spoken.poller.pass_until(START + 11 * SECOND)
    assert [turn.outcome for turn in (first, second)] == [Outcome.COMPLETE, Outcome.TIMED_OUT]


# ------------------------------------------------------------------ turns of several messages


def test_all_messages_of_a_turn_that_wait_for_nothing_go_out_in_one_write() -> None:
    messages = (MessageStep(send='{"id":"{turn.id}"}'), MessageStep(send='{"go":"{turn.id}"}'))
    spoken = Spoken(messages=messages)
    turn = spoken.begin()
    spoken.poller.turn()
    assert spoken.texts == [b'{"id":"turn-0"}', b'{"go":"turn-0"}']
    assert turn.sent_ns == START
    assert spoken.metrics.upload.tolist() == [0]
    assert spoken.counts("events.") == {"sent": 2}


def test_the_last_message_of_a_turn_goes_out_after_its_pause_and_is_when_it_was_sent() -> None:
    pause = MessageStep(pause_ns=SECOND)
    messages = (MessageStep(send='{"id":"{turn.id}"}'), pause, MessageStep(send='{"go":"{turn.id}"}'))
    spoken = Spoken(messages=messages)
    turn = spoken.begin()
    spoken.poller.turn()
    assert (spoken.texts, turn.sent_ns) == ([b'{"id":"turn-0"}'], NEVER)
    spoken.poller.pass_until(START + SECOND)
    spoken.poller.turn()
    assert spoken.texts == [b'{"id":"turn-0"}', b'{"go":"turn-0"}']
    assert turn.sent_ns == START + SECOND
    assert spoken.metrics.upload.tolist() == [SECOND]
