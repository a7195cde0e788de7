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
        note="As burst, but each event comes in three frames.",
    ),
    Case(
        "deflate",
        "Burst, compressed: 100 events an answer, each compressed on its own",
        "events per CPU-second",
        "steady",
        "/deflate",
        "events",
        "higher",
        note="As burst, with permessage-deflate without context take-over. The first third of each event is "
        "in an uncompressed block.",
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
        note="Connections are opened and closed as in the next case, but 4,000 of them. Each shows a "
        "token of its own (JWT, HS256).",
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
        note="TCP, upgrade and closing handshake; no messages. `loadtest` and bare sockets open 8,000 "
        "connections at once, hold them and close them. The others open and close them one after the other.",
    ),
    Case(
        "storm",
        "A storm of 8,000 connections",
        "ms of the TCP handshake, p50, as the generator reports",
        "storm",
        "/hold",
        "upgraded",
        "lower",
        connections=8000,
        note="All at once: opened, upgraded, held and closed. On loopback, TCP connects within the system "
        "call that asks for it. Any time beyond that call is the generator's own delay. The other tools "
        "do not report "
        "it.",
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
        note="Resident memory of the process tree with 2,200 connections, minus the same with 200. "
        "`loadtest` pings each connection every 2 s and times the pong; the others do not.",
    ),
    Case(
        "rate",
        "A fixed rate: 2,000 messages a second",
        "CPU of one core, per cent",
        "rate",
        "/echo",
        "messages",
        "lower",
        note="50 connections. The CPU is scaled to 2,000 messages a second, as counted by the server. "
        "Artillery and Tsung "
        "cannot fix a rate on open connections: 50 users wait 25 ms between a reply and the next message. "
        "Messages that leave together share a wake-up, so spreading them costs CPU.",
    ),
    Case(
        "processes",
        "Two processes on the burst case",
        "events per second of wall time",
        "together",
        "/burst",
        "events",
        "higher",
        note="Two cores, which the server uses too; nothing is pinned.",
    ),
)

BY_NAME = {case.name: case for case in CASES}
