"""Stand-ins for what lies around a connection: shard, poller, transport and clock, moved by the test."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from loadtest.drive.context import Context, ShardAssignment
from loadtest.drive.endpoint import Endpoint
from loadtest.drive.observations import Observations
from loadtest.drive.poller import READ, WRITE, OnReady, Poller
from loadtest.drive.transport import Address, Transport
from loadtest.measure.clock import Clock
from loadtest.measure.recorder import Recorder
from loadtest.plan.framing import CodecChoice, Framing
from loadtest.plan.prepare import HttpRequest
from loadtest.plan.protocol import Connect, Events, MessageStep, Protocol, TurnShape
from loadtest.plan.scenario import Load, Scenario, Target, Traffic
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.phase_metrics import COUNTERS
from tests.speak.talk import AGENT

SECOND = 1_000_000_000
MS = 1_000_000
START = 1_000 * SECOND
"""Where a hand-moved clock stands at first."""

NOWHERE = Address(2, ("127.0.0.1", 9))


def scenario_of(
    *,
    target: Target | None = None,
    load: Load | None = None,
    traffic: Traffic | None = None,
    connect: Connect | None = None,
    events: Events | None = None,
    message: str = '{"run_id":"{turn.id}"}',
    encoding: Any = "text",
    messages: tuple[MessageStep, ...] = (),
    send: HttpRequest | None = None,
    codec: CodecChoice | None = None,
    framing: Framing | None = None,
) -> Scenario:
    """A scenario of which a test says only what it is about."""
    return Scenario(
        name="test",
        question="?",
        path="test.toml",
        sha256="",
        protocol=Protocol(
            name="test",
            codec=codec,
            framing=framing,
            connect=connect or Connect(path="/ws"),
            turn=TurnShape(
                id="turn-{turn.number}",
                message="" if messages or send else message,
                messages=messages,
                send=send,
                encoding=encoding,
            ),
            events=events or Events(**AGENT),
        ),
        target=target or Target(url="ws://127.0.0.1:9"),
        load=load or Load(duration_ns=60 * SECOND),
        traffic=Traffic() if traffic is None else traffic,
    )


def endpoint_of(address: Address = NOWHERE, path: str = "/ws", **parts: Any) -> Endpoint:
    """An endpoint at an address."""
    known: dict[str, Any] = {"server_name": "localhost", "tls": None, "resolve_ns": None, **parts}
    addresses = known.pop("addresses", (address,))
    return Endpoint(url=f"ws://test{path}", addresses=addresses, host_header="test:9", path=path, **known)


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.ns = START

    def __call__(self) -> int:
        return self.ns


class HandPoller(Poller):
    """Readiness as a test says. ``asked`` is what each descriptor is asked for."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.asked: dict[int, int] = {}
        self.woken = 0

    def register(self, fd: int, on_ready: OnReady, bits: int) -> None:
        self._ready[fd] = on_ready
        self.asked[fd] = bits

    def modify(self, fd: int, bits: int) -> None:
        assert fd in self.asked
        self.asked[fd] = bits

    def unregister(self, fd: int) -> None:
        if self._ready.pop(fd, None) is not None:
            del self.asked[fd]

    def wake(self) -> None:
        self.woken += 1

    def turn(self, fd: int | None = None, bits: int = READ) -> None:
        """One loop turn, in which a descriptor is ready."""
        if fd is not None and fd in self._ready:
            takes = self._ready[fd](bits)
            if takes is not None:
                takes.take()
        self._work()

    def pass_until(self, at_ns: int) -> None:
        """Let time pass; what is due is done at its instant."""
        while (due_ns := self.timers.next_ns) is not None and due_ns <= at_ns:
            self.clock.ns = max(self.clock.ns, due_ns)
            self._work()
        self.clock.ns = at_ns


class Line:
    """A transport whose other end is the test. ``reads`` is what arrives, ``room`` what the kernel takes."""

    def __init__(self, fd: int = 7) -> None:
        self.fd = fd
        self.unsent = b""
        self.partial_ns = -1
        self.reads: deque[tuple[bytes, int] | Exception] = deque()
        self.room: int | None = None
        self.sent = bytearray()
        self.writes = 0
        self.error: OSError | None = None
        self.refused_with = 0
        self.closed = False
        self.cut = False

    def connected(self) -> int:
        return self.refused_with

    def connect_ns(self, seen_ns: int) -> int:
        return seen_ns

    def receive(self) -> tuple[bytes, int] | None:
        if not self.reads:
            return None
        read = self.reads.popleft()
        if isinstance(read, Exception):
            raise read
        return read

    def send(self, data: bytes) -> bool:
        assert not self.closed
        if self.error is not None:
            raise self.error
        self.writes += 1
        data = self.unsent + data
        taken = len(data) if self.room is None else min(self.room, len(data))
        if self.room is not None:
            self.room -= taken
        self.sent += data[:taken]
        self.unsent = data[taken:]
        return not self.unsent

    def reset_on_close(self) -> None:
        self.cut = True

    def close(self) -> None:
        self.closed = True


class NotedObservations(Observations):
    """Observations in the order in which they were made."""

    def __init__(self) -> None:
        super().__init__()
        self.servers: list[tuple[str, str | None]] = []
        self.refusals: list[ConnectRefusal] = []
        self.still_opening: list[str] = []
        self.reasons: list[tuple[int, str]] = []

    def saw_server(self, server: str, subprotocol: str | None) -> None:
        self.servers.append((server, subprotocol))

    def saw_refusal(self, refused: ConnectRefusal) -> None:
        self.refusals.append(refused)

    def saw_still_opening(self, reason: str) -> None:
        self.still_opening.append(reason)

    def saw_close(self, code: int, reason: str) -> None:
        self.reasons.append((code, reason))


class FakeContext(Context):
    """What a connection reads; time, readiness and the other end are the test's."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        endpoint: Endpoint | None = None,
        poller: Poller | None = None,
        clock: Clock | None = None,
        lines: Iterable[Line | OSError] | None = None,
    ) -> None:
        self.hand = HandClock()
        clock = clock or Clock(wall=False, tick=self.hand)
        self.hand_poller = HandPoller(self.hand)
        assignment = ShardAssignment("a-run", scenario, endpoint or endpoint_of(), range(8))
        super().__init__(assignment, clock, lambda _now: poller or self.hand_poller)
        self.recorder = Recorder(clock.now(), 0, scenario.load.duration_ns)
        self.observations: NotedObservations = NotedObservations()
        self._lines = None if lines is None else deque(lines)

    def open_transport(self, user: int, address: Address, endpoint: Endpoint | None = None) -> Transport:
        if self._lines is None:
            return super().open_transport(user, address, endpoint)
        line = self._lines.popleft()
        if isinstance(line, OSError):
            raise line
        return line  # type: ignore[return-value]  # a stand-in

    def counts(self, prefix: str = "") -> dict[str, int]:
        """Counters that are not 0, over all parts, without the prefix."""
        found: dict[str, int] = {}
        for part in self.recorder.phases:
            own = {name.replace("_", ".", 1): getattr(part, name) for name in COUNTERS}
            for name, n in (*own.items(), *part.other.items()):
                if n and name.startswith(prefix):
                    short = name.removeprefix(prefix)
                    found[short] = found.get(short, 0) + n
        return found


# ------------------------------------------------------------------ the server's words


def agreed(request: bytes, *more: str, rest: bytes = b"") -> bytes:
    """The 101 that a request deserves, with more headers, and bytes after it."""
    lines = request.decode().split("\r\n")
    key = next(line.partition(": ")[2] for line in lines if line.startswith("Sec-WebSocket-Key"))
    head = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
        *more,
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + rest


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """A server's frame."""
    return Frame(opcode, payload).serialize(mask=False)


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(code.to_bytes(2, "big") + reason.encode(), Opcode.CLOSE)


def frames_in(data: bytes) -> list[tuple[Opcode, bytes]]:
    """What a client wrote after its upgrade, as a server reads it."""
    protocol = ServerProtocol(state=OPEN, max_size=None)
    protocol.receive_data(bytes(data))
    assert protocol.parser_exc is None, protocol.parser_exc
    return [(read.opcode, bytes(read.data)) for read in protocol.events_received()]


BOTH = READ | WRITE


ECHO = scenario_of(
    load=Load(connections=2, duration_ns=200 * MS),
    traffic=Traffic(every_ns=20 * MS, timeout_ns=60 * SECOND),
    events=Events(turn=("run_id",), count=1),
)
"""What an echo server can answer, over in a moment, and on a busy machine later."""
