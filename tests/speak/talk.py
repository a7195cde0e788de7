"""A conversation to test with: a session, what it reports, and payloads as a backend would write them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from loadtest.plan.match import Match
from loadtest.plan.protocol import (
    AutoReply,
    Connect,
    Events,
    Leave,
    MessageStep,
    Protocol,
    ReadyStep,
    TurnShape,
)
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.phase_metrics import COUNTERS, PhaseMetrics
from loadtest.speak.session import Session
from loadtest.speak.turn import Turn

SECOND = 1_000_000_000
TIMEOUT = 10 * SECOND
DRAIN = 1000 * SECOND

AGENT: dict[str, Any] = {
    "type": ("event", "type"),
    "turn": ("run_id", "payload.run_id", "data.run_id"),
    "user": ("user_id", "data.user_id"),
    "sequence": ("seq", "payload.seq", "data.seq"),
    "first": ("thinking",),
    "end": ("completed",),
    "fail": ("failed", "error"),
    "refuse": ("rate_limited",),
    "ignore": ("ack", "broadcast"),
}

SIGHTED = "events.unmatched_with."


class Kept:
    """A ``SessionRecorder`` that keeps everything; the drain begins at ``DRAIN``."""

    def __init__(self) -> None:
        self.phases = (PhaseMetrics(1), PhaseMetrics(2))
        self.by_kind = {"": self.phases}
        self.metrics = self.phases[0]
        self.turns: list[Turn] = []
        self.shown: list[tuple[str, bytes, int]] = []
        self.others: set[str] = set()

    def metrics_at(self, intended_ns: int, kind: str = "") -> PhaseMetrics:
        phases = self.by_kind.setdefault(kind, (PhaseMetrics(1, kind), PhaseMetrics(2, kind)))
        return phases[intended_ns >= DRAIN]

    def metrics_in(self, phase: int) -> PhaseMetrics:
        return next(each for each in self.phases if each.phase == phase)

    def ended(self, turn: Turn) -> None:
        assert turn not in self.turns
        self.turns.append(turn)

    def owned_elsewhere(self, turn_id: object, user: int) -> bool:
        return turn_id in self.others

    def evidence(self, kind: str, payload: bytes, user: int) -> None:
        self.shown.append((kind, payload, user))

    def counts(self, prefix: str = "") -> dict[str, int]:
        """Every counter that is not 0, over all parts; how unmatched events looked, if asked for."""
        found: dict[str, int] = {}
        for part in self.phases:
            own = {name.replace("_", ".", 1): getattr(part, name) for name in COUNTERS}
            for name, count in (*own.items(), *part.other.items()):
                told = prefix == SIGHTED or not name.startswith(SIGHTED)
                if count and told and name.startswith(prefix):
                    found[name.removeprefix(prefix)] = found.get(name.removeprefix(prefix), 0) + count
        return found


class Talk:
    """One session that is open unless ``ready`` steps are given, and its record."""

    def __init__(
        self,
        *,
        ready: Iterable[ReadyStep] = (),
        heartbeat: Iterable[AutoReply] = (),
        auth_errors: tuple[Match, ...] = (),
        leave: Leave | None = None,
        turn_id: str = "turn-{turn.number}",
        message: str = "{turn.id}",
        messages: Iterable[MessageStep] = (),
        keep_frames: bool = True,
        number: int = 3,
        values: dict[str, Any] | None = None,
        upgraded: bool = True,
        unix_offset_ns: int = 0,
        users: int = 0,
        listens: bool = False,
        **events: Any,
    ) -> None:
        protocol = Protocol(
            name="test",
            connect=Connect(
                ready=tuple(ready), heartbeat=tuple(heartbeat), auth_errors=auth_errors, leave=leave
            ),
            turn=TurnShape(id=turn_id, messages=tuple(messages)),
            events=Events(**{**AGENT, **events}),
        )
        self.protocol = CompiledProtocol(
            protocol,
            message="" if protocol.turn.messages else message,
            nonce="test",
            timeout_ns=TIMEOUT,
            keep_frames=keep_frames,
            unix_offset_ns=unix_offset_ns,
            users=users,
            listens=listens,
        )
        self.record = Kept()
        self.session = Session(self.protocol, self.record, number, values or {})
        if upgraded:
            self.session.upgraded(0)

    def begin(self, seq: int = 0, *, at: int = 0, position: int = 0) -> Turn:
        """A turn due at ``at`` and sent 10 ns later."""
        turn, _ = self.session.begin(seq, position, at, {})
        self.session.sent(turn, at + 10)
        return turn

    def hear(self, at: int, *payloads: bytes) -> None:
        """One read."""
        self.session.receive(list(payloads), at)

    def counts(self, prefix: str = "events.") -> dict[str, int]:
        return self.record.counts(prefix)


def said(kind: str | None = None, turn: Turn | str | None = None, seq: Any = None, **more: Any) -> bytes:
    """An event in the flat envelope."""
    found: dict[str, Any] = {"type": kind, "run_id": turn.id if isinstance(turn, Turn) else turn, "seq": seq}
    return json.dumps({key: value for key, value in {**found, **more}.items() if value is not None}).encode()


def answer(turn: Turn | str, *, numbered: bool = True, **more: Any) -> list[bytes]:
    """The five events of a good turn."""
    kinds = ("started", "thinking", "executing", "executed", "completed")
    return [said(kind, turn, seq if numbered else None, **more) for seq, kind in enumerate(kinds)]


def ledger(counts: dict[str, int]) -> int:
    """What became of the events received: one of these, each."""
    names = (
        "matched",
        "duplicate",
        "foreign",
        "unmatched",
        "malformed",
        "late",
        "resumed",
        "ignored",
        "delivered",
    )
    return sum(counts.get(name, 0) for name in names)
