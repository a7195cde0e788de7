"""What is compared: each case, its measure, and the counter of the server that tells the work done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["steady", "once", "memory", "rate", "together", "storm"]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to be measured.

    ``counter`` is the server's counter that says how much work was done; ``better`` which way is better.
    """

    name: str
    title: str
    unit: str
    kind: Kind
    path: str
    counter: str
    better: Literal["higher", "lower"]
    connections: int = 50
    note: str = ""
    message_bytes: int = 0
    """Where it is not 0, the message carries a text of so many bytes."""


CASES = (
    Case(
        "echo",
        "Echo, closed loop",
        "round trips per CPU-second",
        "steady",
        "/echo",
        "messages",
        "higher",
        note="50 connections; each sends its next message of 105 bytes when its reply has come.",
    ),
    Case(
        "burst",
        "Burst: 100 events an answer",
        "events per CPU-second",
        "steady",
        "/burst",
        "events",
        "higher",
        note="50 connections; each answer is 100 JSON events of 150 bytes on average, sent at once.",
    ),
    Case(
        "fragments",
        "Burst in fragments: 100 events an answer, each in three frames",
        "events per CPU-second",
        "steady",
        "/fragments",
        "events",
        "higher",
        note="As burst, but for the frames.",
    ),
    Case(
        "deflate",
        "Burst, compressed: 100 events an answer, each compressed on its own",
        "events per CPU-second",
        "steady",
        "/deflate",
        "events",
        "higher",
        note="As burst; permessage-deflate without context take-over; the first third of each event is in an"
        " uncompressed block.",
    ),
    Case(
        "echo-64k",
        "Echo of 64 KiB",
        "round trips per CPU-second",
        "steady",
        "/echo",
        "messages",
        "higher",
        connections=10,
        note="10 connections, closed loop; each message is a JSON text of 64 KiB.",
        message_bytes=65_536,
    ),
    Case(
        "echo-1m",
        "Echo of 1 MiB",
        "round trips per CPU-second",
        "steady",
        "/echo",
        "messages",
        "higher",
        connections=4,
        note="4 connections, closed loop; each message is a JSON text of 1 MiB.",
        message_bytes=1_048_576,
    ),
    Case(
        "tokens",
        "Connecting with a signed token",
        "connections per CPU-second",
        "once",
        "/hold",
        "upgraded",
        "higher",
        connections=4000,
        note="As connecting and leaving, with 4,000 connections; each shows a token of its own (JWT, HS256).",
    ),
    Case(
        "connect",
        "Connecting and leaving",
        "connections per CPU-second",
        "once",
        "/hold",
        "upgraded",
        "higher",
        connections=8000,
        note="TCP, upgrade, closing handshake; nothing sent. `loadtest` and the bare loop open 8,000 at "
        "once, hold them and close them; the others open and close one after the other, and hold none.",
    ),
    Case(
        "storm",
        "A storm of 8,000 connections",
        "ms that TCP took to connect, p50, as it says",
        "storm",
        "/hold",
        "upgraded",
        "lower",
        connections=8000,
        note="All at once, upgraded, held and closed. On loopback TCP connects within the call that asks for "
        "it; what is above that is the generator's own delay. The others do not tell it.",
    ),
    Case(
        "hold",
        "Holding 2,000 connections",
        "KiB of memory per idle connection",
        "memory",
        "/echo",
        "open",
        "lower",
        connections=2000,
        note="Resident memory of the process tree with 2,200 connections less that with 200. "
        "`loadtest` pings each of them every 2 s and times the pong; the others do not.",
    ),
    Case(
        "rate",
        "A fixed rate: 2,000 messages a second",
        "CPU of one core, per cent",
        "rate",
        "/echo",
        "messages",
        "lower",
        note="50 connections. Per cent are per 2,000 messages a second that really came. Artillery and Tsung "
        "have no such rate on open connections: 50 users wait 25 ms between a reply and the next message. "
        "How a rate is spread decides what it costs: messages that leave together share a wake-up.",
    ),
    Case(
        "processes",
        "Two processes on the burst case",
        "events per second of wall time",
        "together",
        "/burst",
        "events",
        "higher",
        note="Two cores, nothing pinned, and the server needs its share of them.",
    ),
)

BY_NAME = {case.name: case for case in CASES}
