"""What one of several processes logs of copies, and how long it waits for them."""

from __future__ import annotations

from loadtest.plan.protocol import Events, Protocol, TurnShape
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.delivery_log import (
    ARRIVED,
    CLOCKS_DIFFER_NS,
    CLOSED,
    COLUMNS,
    MAX_ROWS,
    OPENED,
    SENT,
    DeliveryLog,
)
from loadtest.speak.phase_metrics import PhaseMetrics
from tests.speak.talk import Kept

WITHIN = 1000


def log() -> DeliveryLog:
    return DeliveryLog(lambda turn: turn if isinstance(turn, int) else None, WITHIN, lambda: 5)


def rows(of: DeliveryLog) -> list[tuple[int, ...]]:
    taken = of.take().tolist()
    return [tuple(taken[at : at + COLUMNS]) for at in range(0, len(taken), COLUMNS)]


def test_what_is_seen_is_logged_with_its_time() -> None:
    made = log()
    made.opened(3, Kept())
    made.sent(7, 3, 10, PhaseMetrics(1))
    made.arrived(8, 3, 20)
    made.sent("no number", 3, 30, PhaseMetrics(1))
    made.arrived("no number", 3, 30)
    made.closed(3)
    assert rows(made) == [
        (OPENED, 5, 3, -1, 0),
        (SENT, 10, 3, 7, 1),
        (ARRIVED, 20, 3, 8, 0),
        (CLOSED, 5, 3, -1, 0),
    ]
    assert rows(made) == []
    made.close()


def test_a_process_stays_as_long_as_a_copy_may_come() -> None:
    made = log()
    made.expire(10)
    assert not made.waiting(), "nothing was said yet"
    made.arrived(8, 3, 20)
    made.expire(20 + WITHIN + 4 * CLOCKS_DIFFER_NS - 1)
    assert made.waiting()
    made.expire(20 + WITHIN + 4 * CLOCKS_DIFFER_NS)
    assert not made.waiting()


def test_memory_is_bounded_and_what_is_over_is_told() -> None:
    made, recorder = log(), Kept()
    for _ in range(MAX_ROWS + 1):
        made.opened(1, recorder)
    assert made.overflowed
    assert len(made.take()) == MAX_ROWS * COLUMNS


def test_copies_are_logged_where_ids_say_whose_turn_they_are_of() -> None:
    def compiled(turn_id: str, audience: str | None) -> CompiledProtocol:
        events = Events(turn=("id",), audience=audience)
        protocol = Protocol(name="p", turn=TurnShape(id=turn_id), events=events)
        made = CompiledProtocol(protocol, message="", nonce="n", timeout_ns=1, users=3)
        made.log_deliveries(lambda: 0)
        return made

    made = compiled("{uuid}", "all")
    assert isinstance(made.deliveries, DeliveryLog)
    assert made.seq_of(made.uuid(77)) == 77
    assert made.seq_of("another") is None
    assert compiled("{turn.number}", "all").deliveries is None
    assert compiled("{uuid}", None).deliveries is None
