"""The fault matrix as data: for every fault, by how much which counter must differ from a run without it.

A change is arithmetic on whole numbers, held against what the simulator itself counted: ``struck`` is how
often it says the fault struck, ``struck_turns`` in how many turns, ``sim_NAME`` are its other counters;
``connections``, ``each`` (turns due on a connection), ``due`` and ``per_turn`` (events of an honest turn) are
of the plan. ``UNKNOWN`` stands for a counter that becomes null. What a row does not name must be as in
the run without the fault, to the unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.faults.plans import (
    FOREIGN_ALLOWED,
    NUMBERED,
    ONCE,
    ONE_IDENTITY,
    PINGED,
    SMALL_MESSAGES,
    STEADY,
    UNHURRIED,
    Plan,
)

UNKNOWN = "null"

AT_LEAST, AT_MOST = ">= ", "<= "
"""How a change begins that is known only to be at least, or at most, so much."""


class Change(NamedTuple):
    """One counter of ``run.json`` (dots for levels), how much more it is, and why."""

    counter: str
    by: str
    why: str


class Bound(NamedTuple):
    """One statistic of a metric, in milliseconds, that must be at least or at most ``limit``."""

    metric: str
    statistic: str
    relation: str
    limit: float


Changes = tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Unnumbered:
    """What differs from the row where the events carry no numbers (``no-seq``)."""

    changes: Changes
    notices: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the matrix: the faults given to the simulator, and everything they may be seen by.

    The first of ``faults`` is what the row is about; others let it be seen alone. ``notices`` gives a
    reason for each; ``kept`` how many frame logs there are of kinds that no counter alone tells of (of many,
    not all are kept). ``refusal`` is how the reason of each refusal begins. ``options`` go to the simulator.
    ``unnumbered`` None: with ``no-seq`` the same rises, but for what is unmeasured then.
    """

    faults: tuple[str, ...]
    plan: Plan
    about: str
    changes: Changes = ()
    notices: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    bounds: tuple[Bound, ...] = ()
    refusal: str = ""
    unnumbered: Unnumbered | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The fault's name in the contract."""
        return self.faults[0].partition("=")[0]

    @property
    def id(self) -> str:
        """What tests call it."""
        return " ".join(self.faults)


# ------------------------------------------------------------------ what follows from what


def unanswered(turns: str, why: str = "they got no event") -> Changes:
    """Turns that got no event."""
    events = ("expected", "received", "matched")
    return (
        *(Change(f"turns.{name}", f"-({turns})", why) for name in ("complete", "numbered", "marked")),
        *(Change(f"events.{name}", f"-per_turn * ({turns})", why) for name in events),
    )


def timed_out(turns: str, after: str, why: str) -> Changes:
    """Turns that waited in vain, by the type of the last event that they got."""
    return (
        Change("turns.timed_out", turns, why),
        Change(f"turns.timed_out_after.{after}", turns, "the same turns, by their last event"),
    )


def lost(turns: str, code: int, why: str) -> Changes:
    """Turns that were in flight when their connection ended."""
    return (
        Change("turns.lost", turns, why),
        Change(f"turns.lost_by.code {code}", turns, "the same turns, by the close"),
        Change("turns.complete", f"-({turns})", "they count as lost"),
    )


def not_begun(connections: str) -> Changes:
    """All turns due on connections that were not there."""
    turns, why = f"each * ({connections})", "their turns were never begun"
    return (
        Change("turns.not_attempted", turns, "they were due on a connection that was not ready"),
        Change("turns.begun", f"-({turns})", why),
        Change("events.sent", f"-({turns})", why),
        *unanswered(turns, why),
    )


def told_and_refused(layer: str, connections: str = "struck") -> Changes:
    """Connections that never got ready, and were told why."""
    said = Change("events.before_ready", connections, "the error frame, which no ready step expects")
    return (*refused(layer, connections), said)


def refused(layer: str, connections: str = "struck", status: int | None = None) -> Changes:
    """Connections that never got ready, with all that would have happened on them."""
    by_status = (
        ()
        if status is None
        else (
            Change(f"connections.upgrade_status.{status}", connections, "the HTTP status of the refusal"),
            Change("connections.established", f"-({connections})", "they got no 101"),
        )
    )
    return (
        Change(f"connections.refused.{layer}", connections, "the refusal, by its layer"),
        *by_status,
        *(
            Change(f"connections.{name}", f"-({connections})", "they were never ready")
            for name in ("ready", "peak", "left")
        ),
        *not_begun(connections),
    )


def closed(code: int, connections: str) -> Changes:
    """Connections that ended before we left them."""
    return (
        Change(f"connections.closed.{code}", connections, "the close, by its code"),
        Change("connections.peak", "<= 0", "the first connection may end before the last is ready"),
        Change("connections.left", f"-({connections})", "they ended before we left them"),
    )


def failed(turns: str, by: str) -> Changes:
    """Turns whose events broke a rule of the protocol."""
    return (
        Change("turns.failed", turns, "the turn failed"),
        Change(f"turns.failed_by.{by}", turns, "the same turns, by the reason"),
        Change("turns.complete", f"-({turns})", "they count as failed"),
    )


def fewer(events: str) -> Changes:
    """Events that did not come, and that nobody knows to have been due."""
    return tuple(
        Change(f"events.{name}", f"-({events})", "they never came")
        for name in ("expected", "received", "matched")
    )


NOTHING_ANSWERED: Changes = (
    *(Change(f"events.{name}", UNKNOWN, "no event answered a turn") for name in (*NUMBERED, "expected")),
)
"""Where no event at all answered, nothing can be said of numbers."""

REFUSED = {"refused_connections": "lists the refusals by layer"}
SOME_REFUSED = {**REFUSED, "load_not_reached_by_target": "the target caused that their turns were not begun"}
SILENT = {"turns_timed_out": "says how many, when they were due, and their last event"}
FAULTY = {"delivery_faults": "lists the counters above"}

# ------------------------------------------------------------------ the matrix

CONNECTING: tuple[Row, ...] = (
    Row(
        faults=("refuse",),
        plan=ONCE,
        about="HTTP 403 to every upgrade",
        changes=(*refused("upgrade", "connections", status=403), *NOTHING_ANSWERED),
        notices=REFUSED,
        refusal="upgrade: the target answered HTTP 403",
    ),
    Row(
        faults=("refuse=503,0.5",),
        plan=ONCE,
        about="HTTP 503 to half of the upgrades",
        changes=refused("upgrade", status=503),
        notices=SOME_REFUSED,
        refusal="upgrade: the target answered HTTP 503",
    ),
    Row(
        faults=("refuse=401,0.5",),
        plan=ONCE,
        about="HTTP 401 to half of the upgrades: the credential is refused",
        changes=refused("auth", status=401),
        notices=SOME_REFUSED,
        refusal="auth: the target answered HTTP 401",
    ),
    Row(
        faults=("close-after-accept=1008",),
        plan=ONCE,
        about="101, an error frame, close 1008, for every connection",
        changes=(*told_and_refused("auth", "connections"), *NOTHING_ANSWERED),
        notices=REFUSED,
        refusal="auth: closed with code 1008 after error_message",
    ),
    Row(
        faults=("close-after-accept=4001,0.5",),
        plan=ONCE,
        about="101, an error frame, close 4001, for half of the connections",
        changes=told_and_refused("auth"),
        notices=SOME_REFUSED,
        refusal="auth: closed with code 4001 after error_message",
    ),
    Row(
        faults=("close-after-accept=1006,0.5",),
        plan=ONCE,
        about="101, an error frame, and the end without a close frame",
        changes=told_and_refused("auth"),
        notices=SOME_REFUSED,
        refusal="auth: closed with code 1006 after error_message",
    ),
    Row(
        faults=("invalid-close-code",),
        plan=ONCE,
        about="101, an error frame, and a close frame with code 401, which RFC 6455 forbids",
        changes=(*told_and_refused("auth", "connections"), *NOTHING_ANSWERED),
        notices=REFUSED,
        refusal="auth: closed with code 1006 after error_message",
    ),
    Row(
        faults=("invalid-close-code=401,0.5",),
        plan=ONCE,
        about="the same for half of the connections",
        changes=told_and_refused("auth"),
        notices=SOME_REFUSED,
        refusal="auth: closed with code 1006 after error_message",
    ),
    Row(
        faults=("auth-after-accept",),
        plan=ONCE,
        about="101, an error frame, close 1008, because the client sent no token",
        options={"jwt_secret_env": "FAULTS_SECRET"},
        changes=(*told_and_refused("auth", "connections"), *NOTHING_ANSWERED),
        notices=REFUSED,
        refusal="auth: closed with code 1008 after error_message",
    ),
    Row(
        faults=("cold-start=1h",),
        plan=ONCE,
        about="101, an error frame, close 1011, while the server starts",
        changes=(*told_and_refused("ready", "connections"), *NOTHING_ANSWERED),
        notices=REFUSED,
        refusal="ready: closed with code 1011 after error_message",
    ),
    Row(
        faults=("max-per-identity=8",),
        plan=ONE_IDENTITY,
        about="the ninth connection of one identity is closed with 1011, without an error frame",
        changes=refused("ready"),
        notices=SOME_REFUSED,
        refusal="ready: closed with code 1011",
    ),
    Row(
        faults=("slow-ready=300ms",),
        plan=ONCE,
        about="the greeting comes 300 ms after the 101; turns that are due wait for the greeting",
        bounds=(
            Bound("connect.ready", "min", ">=", 300),
            Bound("send.lateness", "min", ">=", 300),
            Bound("turn.completion", "min", ">=", 300),
        ),
    ),
    Row(
        faults=("lose-before-ready=300ms",),
        plan=STEADY,
        about="messages within 300 ms after the greeting are lost",
        changes=(
            *timed_out("struck", "(none)", "a lost message is never answered"),
            *unanswered("struck"),
        ),
        notices=SILENT,
    ),
)

TURNS: tuple[Row, ...] = (
    Row(
        faults=("ack-only",),
        plan=ONCE,
        about="every message is acknowledged, but no turn runs",
        changes=(
            *timed_out("struck", "(none)", "the turn never ran"),
            *(c for c in unanswered("struck") if c.counter not in {"events.received", "events.expected"}),
            Change("events.received", "-(per_turn - 1) * struck", "the acks came, but the events did not"),
            Change("events.ignored", "struck", "the acks, which do not prove that a turn ran"),
            *NOTHING_ANSWERED,
        ),
        notices=SILENT,
    ),
    Row(
        faults=("blackhole=0.2",),
        plan=STEADY,
        about="some turns get no answer at all",
        changes=(*timed_out("struck", "(none)", "no event ended it"), *unanswered("struck")),
        notices=SILENT,
    ),
    Row(
        faults=("cut=0.2",),
        plan=ONCE,
        about="some turns are cut: close 1011 after their third event",
        changes=(
            *closed(1011, "struck"),
            *lost("struck + sim_unread", 1011, "the turn that was cut, and the turns sent after it"),
            Change("turns.numbered", "-sim_unread", "the turns sent after it got no event"),
            Change("turns.marked", "-sim_unread", "the turns sent after it got no event"),
            *fewer("per_turn * (struck + sim_unread) - 3 * struck"),
        ),
        notices={"unexpected_closes": "lists the closes by code"},
    ),
    Row(
        faults=("cut=0.2,1006",),
        plan=ONCE,
        about="the same without a close frame",
        changes=(
            *closed(1006, "struck"),
            *lost("struck + sim_unread", 1006, "the turn that was cut, and the turns sent after it"),
            Change("turns.numbered", "-sim_unread", "the turns sent after it got no event"),
            Change("turns.marked", "-sim_unread", "the turns sent after it got no event"),
            *fewer("per_turn * (struck + sim_unread) - 3 * struck"),
        ),
        notices={"unexpected_closes": "lists the closes by code"},
    ),
    Row(
        faults=("rate-limit=20",),
        plan=STEADY,
        about="error_message RATE_LIMITED for every turn above 20 per second",
        changes=(
            *failed("struck", "event"),
            Change("turns.numbered", "-struck", "the error carries no number"),
            Change("turns.marked", "-struck", "the error does not carry the user's mark either"),
            *fewer("(per_turn - 1) * struck"),
        ),
    ),
    Row(
        faults=("unpaired=0.2",),
        plan=STEADY,
        about="some turns never get tool_completed, and their numbers show no gap",
        changes=(
            Change("events.unpaired", "struck", "tool_executing has no tool_completed"),
            *failed("struck", "pairs"),
            *fewer("struck"),
        ),
        notices=FAULTY,
    ),
)

_LOST = (
    Change("events.lost", "struck", "the numbers have a gap"),
    Change("events.received", "-struck", "they did not come"),
    Change("events.matched", "-struck", "they did not come"),
)

EVENTS: tuple[Row, ...] = (
    Row(
        faults=("drop=0.1",),
        plan=STEADY,
        about="some thinking and partial_result events are not sent",
        changes=_LOST,
        notices=FAULTY,
        kept={"faulty": "struck_turns"},
        unnumbered=Unnumbered(changes=_LOST[1:]),
    ),
    Row(
        faults=("drop=0.1,agent_started",),
        plan=STEADY,
        about="some first events are not sent",
        changes=(
            *_LOST,
            Change("events.missing_required", "struck", "the protocol requires agent_started"),
            *failed("struck", "required"),
        ),
        notices=FAULTY,
    ),
    Row(
        faults=("drop=0.1,tool_completed",),
        plan=STEADY,
        about="some tool results are not sent; pairs are not judged if events are lost",
        changes=_LOST,
        notices=FAULTY,
        kept={"faulty": "struck_turns"},
        unnumbered=Unnumbered(
            changes=(
                *_LOST[1:],
                Change("events.unpaired", "struck", "without numbers the result seems never sent"),
                *failed("struck", "pairs"),
            ),
            notices=FAULTY,
        ),
    ),
    Row(
        faults=("drop=0.1,agent_completed",),
        plan=STEADY,
        about="some last events are not sent: no later number shows the gap, but the turn never ends",
        changes=(
            *timed_out("struck", "partial_result", "it never ended"),
            Change("turns.complete", "-struck", "it never ended"),
            *fewer("struck"),
        ),
        notices=SILENT,
    ),
    Row(
        faults=("duplicate=0.1",),
        plan=STEADY,
        about="some thinking and partial_result events are sent twice",
        changes=(
            Change("events.duplicate", "struck", "the number came before"),
            Change("events.received", "struck", "they came"),
        ),
        notices=FAULTY,
        kept={"faulty": "struck_turns"},
        unnumbered=Unnumbered(
            changes=(
                Change("events.received", "struck", "they came"),
                Change("events.matched", "struck", "without numbers it counts as one more event of the turn"),
            )
        ),
    ),
    Row(
        faults=("duplicate=0.1,agent_completed",),
        plan=STEADY,
        about="some last events are sent twice",
        changes=(
            Change("events.duplicate", "struck", "the number came before, though the turn has ended"),
            Change("events.received", "struck", "they came"),
        ),
        notices=FAULTY,
        kept={"duplicate": "struck"},
        unnumbered=Unnumbered(
            changes=(
                Change("events.received", "struck", "they came"),
                Change("events.late", "struck", "without numbers: the turn had already ended"),
                Change("turns.ended_again", "struck", "the event ends a turn that has ended"),
            ),
            notices={**FAULTY, "ends_came_again": "says how many ends came again"},
            kept={"late": "struck"},
        ),
    ),
    Row(
        faults=("reorder=0.1",),
        plan=STEADY,
        about="neighbouring events swap places; only their numbers show it",
        changes=(Change("events.out_of_order", "struck", "the higher number came first"),),
        notices=FAULTY,
        kept={"faulty": "struck_turns"},
        unnumbered=Unnumbered(changes=()),
    ),
    Row(
        faults=("leak=0.1",),
        plan=ONCE,
        about="before some events, an event of another user is sent",
        changes=(
            Change("events.foreign", "struck", "it carries another user's mark"),
            Change("events.received", "struck", "it came"),
        ),
        notices={
            "foreign_events": "says how many, and where their frames are",
            "aborted": "no threshold on events.foreign allows it, so loadtest ends the run at once",
        },
    ),
    Row(
        faults=("leak=0.1",),
        plan=FOREIGN_ALLOWED,
        about="the same, but a threshold allows some of them",
        changes=(
            Change("events.foreign", "struck", "it carries another user's mark"),
            Change("events.received", "struck", "it came"),
        ),
        notices={"foreign_events": "says how many, and where their frames are"},
    ),
    Row(
        faults=("malformed=0.1",),
        plan=STEADY,
        about="before some events, a copy is sent that ends in the middle of its JSON",
        changes=(
            Change("events.malformed", "struck", "it cannot be read"),
            Change("events.received", "struck", "it came"),
        ),
        notices={"malformed_events": "says how many, and where their frames are"},
    ),
    Row(
        faults=("huge=60KiB",),
        plan=SMALL_MESSAGES,
        about="partial results of nearly the maximum length",
        changes=(Change("bytes.received", ">= 59 * 1024 * struck", "the results are long"),),
    ),
    Row(
        faults=("huge=128KiB",),
        plan=SMALL_MESSAGES,
        about=(
            "partial results longer than target.max_message; loadtest closes with 1009, and counts 1006:"
            " no close frame came"
        ),
        changes=(
            *closed(1006, "connections"),
            Change(
                "connections.ended_by_us.too_long", "connections", "we close with 1009 and wait for no answer"
            ),
            Change("events.malformed", "connections", "the message that was not accepted"),
            *lost("due", 1006, "all turns of the connection are lost"),
            *(
                Change(f"turns.{name}", "-(due - connections)", "one turn of each connection had got events")
                for name in ("numbered", "marked")
            ),
            *(c for c in fewer("per_turn * due - 4 * connections") if c.counter != "events.received"),
            Change(
                "events.received",
                "-(per_turn * due - 5 * connections)",
                "the malformed event counts as received",
            ),
        ),
        notices={
            "unexpected_closes": "lists the closes by code, and says that we gave them up",
            "malformed_events": "says how many",
        },
    ),
)

TIMES: tuple[Row, ...] = (
    Row(
        faults=("delay=50ms", "gap=10ms"),
        plan=STEADY,
        about=(
            "50 ms before agent_started, 10 ms before each later event; the second event, agent_thinking, is"
            " the first that counts"
        ),
        bounds=(
            Bound("turn.first_event.service", "min", ">=", 60),
            Bound("turn.completion.service", "min", ">=", 110),
        ),
    ),
    Row(
        faults=("delay=600ms",),
        plan=UNHURRIED,
        about="600 ms before the first event of a turn, no time between two events",
        bounds=(Bound("turn.first_event.service", "min", ">=", 600),),
        notices={"batched_not_streamed": "a long wait, then everything at once: not a stream"},
    ),
    Row(
        faults=("gap=20ms",),
        plan=STEADY,
        about="20 ms between two events; no notice calls this stream a batch",
        bounds=(
            Bound("turn.completion.service", "min", ">=", 120),
            Bound("turn.first_event.service", "min", "<", 120),
            Bound("event.gap", "max_exact", ">=", 20),
        ),
    ),
    Row(
        faults=("batch=600ms",),
        plan=UNHURRIED,
        about="all events come at once, 600 ms after the message",
        bounds=(Bound("turn.first_event.service", "min", ">=", 600),),
        notices={"batched_not_streamed": "all events of a turn came in its last tenth"},
    ),
    Row(
        faults=("stall=300ms",),
        plan=STEADY,
        about="300 ms of silence in the middle of every turn",
        bounds=(
            Bound("event.gap", "max_exact", ">=", 300),
            Bound("turn.completion.service", "min", ">=", 300),
            Bound("turn.first_event.service", "min", "<", 300),
        ),
    ),
    Row(
        faults=("freeze=400ms,200ms",),
        plan=STEADY,
        about="the whole server stops for 200 ms in every 400 ms; no notice calls the slow turns a batch",
        bounds=(Bound("turn.completion.service", "max_exact", ">=", 100),),
    ),
    Row(
        faults=("no-pong",),
        plan=PINGED,
        about=(
            "no ping is answered and nothing else comes within ping_timeout, so loadtest closes the"
            " connection"
        ),
        changes=(
            Change("pings.sent", "-(2 * connections - sim_pings)", "the second ping is not sent any more"),
            Change("pings.answered", "-2 * connections", "no ping is answered"),
            *closed(1006, "connections"),
            Change("connections.ended_by_us.silent", "connections", "loadtest must take it for dead"),
        ),
        notices={
            "pings_unanswered": "says how many",
            "unexpected_closes": "lists the closes by code, and says that we gave them up",
        },
    ),
)

NO_NUMBERS = Row(
    faults=("no-seq",),
    plan=STEADY,
    about="events carry no sequence numbers",
    changes=(
        *(Change(f"events.{name}", UNKNOWN, "no event carried a number") for name in (*NUMBERED, "expected")),
        Change("turns.numbered", "-due", "no turn had numbers"),
    ),
)

ROWS: tuple[Row, ...] = (*CONNECTING, *TURNS, *EVENTS, *TIMES, NO_NUMBERS)
