"""A shard and its context without sockets, whose time passes when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadtest.drive.connection_state import ConnectionState
from loadtest.drive.poller import Timers
from loadtest.errors import Layer
from loadtest.measure.recorder import Recorder
from loadtest.plan.mix import Mix
from loadtest.plan.scenario import Reconnect
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.turn import NEVER, Outcome, Turn

S = 1_000_000_000
MS = 1_000_000


class FakePoller:
    """Timers, and a clock that stands still in between. Takes the place of a ``Poller``."""

    def __init__(self, now: Callable[[], int] | None = None) -> None:
        self.timers = Timers()
        self.now_ns = 0
        self.running = False
        self.lag_ns = 0
        self.reads_behind = False
        self.patient = False
        self.connecting = 0
        self.on_crash: Any = None

    def now(self) -> int:
        return self.now_ns

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def wake(self) -> None:
        """Nothing sleeps here."""

    def run(self, until_ns: int) -> None:
        """Let time pass, and do what falls due in it when it does."""
        while (due_ns := self.timers.next_ns) is not None and due_ns <= until_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.timers.run(self.now_ns, lambda: self.now_ns)
        self.now_ns = max(self.now_ns, until_ns)


class FakeSession:
    """The turns in flight of a ``FakeConnection``."""

    def __init__(self, user: int) -> None:
        self.user = user
        self.turns: dict[int, Turn] = {}
        self.followed: list[FakeSession] = []

    @property
    def at_rest(self) -> bool:
        return not self.turns

    @property
    def awaits_end(self) -> bool:
        return bool(self.turns)

    def enter_phase(self) -> None:
        """Its turns stay where they began."""

    def follow(self, earlier: FakeSession) -> None:
        self.followed.append(earlier)


class FakeConnection:
    """A connection whose every event is brought about by a test."""

    def __init__(self, world: Any, user: int) -> None:
        self.world = world
        self.user = user
        self.session = FakeSession(user)
        self.state = ConnectionState.NEW
        self.refusal: ConnectRefusal | None = None
        self.is_reconnect = False
        self.is_retry = False
        self.tap: Any = None
        self.on_ready: Any = None
        self.on_closed: Any = None
        self.on_turn: Any = None
        self.begun: list[tuple[int, int, int]] = []
        self.replies_taken: list[int] = []
        self.lost_by_reading = False
        self.was_ready = False
        self.is_backed_up = False
        self.secret = ""

    def public(self, text: str) -> str:
        return text.replace(self.secret, "[redacted]") if self.secret else text

    @property
    def is_open(self) -> bool:
        return self.state is ConnectionState.UPGRADED

    def connect(self) -> None:
        self.state = ConnectionState.CONNECTING

    def ready(self) -> None:
        """The target lets it in."""
        self.state = ConnectionState.UPGRADED
        recorder = self.world.recorder
        recorder.instant("last_back" if self.is_reconnect else "last_ready", self.world.now())
        self.on_ready(self)

    def refuse(self, retry_after: str = "", layer: Layer = Layer.UPGRADE) -> None:
        """The target does not."""
        self.refusal = ConnectRefusal(layer, "no", retry_after=retry_after)
        self.state = ConnectionState.CLOSED
        self.on_closed(self)

    def begin(
        self,
        seq: int,
        position: int,
        intended_ns: int,
        row: dict[str, Any],
        kind: str = "",
        written: str | bytes | None = None,
    ) -> Turn:
        assert self.is_open
        part = self.world.recorder.metrics_at(intended_ns, kind)
        part.turns_begun += 1
        turn = Turn(seq, self.user, position, f"turn-{seq}", intended_ns, part)
        turn.sent_ns = self.world.now()
        self.session.turns[seq] = turn
        self.begun.append((seq, position, intended_ns))
        return turn

    def take_replies(self) -> None:
        self.replies_taken.append(len(self.begun))
        if self.lost_by_reading:
            self.lose()

    def answer(self, seq: int | None = None, outcome: Outcome = Outcome.COMPLETE) -> None:
        """End a turn, the oldest unless one is named."""
        turn = self.session.turns.pop(next(iter(self.session.turns)) if seq is None else seq)
        turn.outcome = outcome
        turn.done_ns = self.world.now() if outcome is Outcome.COMPLETE else NEVER
        self.world.recorder.ended(turn)
        self.on_turn(turn)

    def lose(self, outcome: Outcome = Outcome.LOST) -> None:
        """It breaks: every turn in flight ends with it."""
        self.state = ConnectionState.CLOSED
        while self.session.turns:
            self.answer(outcome=outcome)
        self.on_closed(self)

    def close(self) -> None:
        """We leave; the peer answers at once."""
        if self.state is not ConnectionState.CLOSED:
            self.lose(Outcome.ABANDONED)


class FakeLookups:
    """Counts how often the target's name was to be looked up again."""

    def __init__(self) -> None:
        self.wanted = 0

    def look_again(self) -> None:
        self.wanted += 1


class World:
    """What traffic and users read, and what they ask of their shard."""

    def __init__(self, **settings: Any) -> None:
        self.poller = FakePoller()
        self.now = self.poller.now
        self.recorder = Recorder(0, 0, 100 * S)
        self.start_ns = 0
        self.end_ns = 100 * S
        self.timeout_ns = 5 * S
        self.burst = 1
        self.think_ns = 0
        self.turns_per_connection: int | None = None
        self.reconnect: Reconnect | None = None
        self.lookups = FakeLookups()
        self.seed = 1
        self.mix: Mix | None = None
        self.finishing = False
        self.asked = 0
        self.over = 0
        self.before = None
        self.refused_ones = 0
        self.connections: list[FakeConnection] = []
        self.traffic: Any = None
        for name, value in settings.items():
            setattr(self, name, value)

    @property
    def longest_turn_ns(self) -> int:
        return self.timeout_ns

    has_rows = True

    def row(self, seq: int) -> dict[str, Any]:
        return {}

    def may_be_done(self) -> None:
        self.asked += 1

    def user_over(self) -> None:
        self.over += 1

    def never_ready(self) -> None:
        self.refused_ones += 1

    def new_connection(self, user: int, values: dict[str, Any]) -> FakeConnection:
        self.connections.append(FakeConnection(self, user))
        return self.connections[-1]

    def new_traffic(self, connection: FakeConnection, visit: Any) -> Any:
        return self.traffic(self, connection)

    def count(self, name: str) -> int:
        """A counter over all parts of the run, by its public name."""
        attribute = name.replace(".", "_", 1)
        parts = self.recorder.phases
        return sum(getattr(part, attribute, 0) + part.other.get(name, 0) for part in parts)
