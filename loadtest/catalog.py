"""Every metric, rate, statistic and counter of a run, each declared once.

The recorder's buffers and slots, thresholds, the sections of ``run.json``, tables, plots, exports and the
tables of docs/measuring.md are made from it. It stands below ``plan``, because a scenario's thresholds name
what is declared here, and ``plan`` imports neither ``measure`` nor ``speak``, which record it.

Declarations are in the order of ``run.json``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeVar

Tone = Literal["good", "bad", "doubt", "plain"]
"""What a counter that is not 0 means: as it should be, a failure, a reason to doubt, or neither."""

Absent = Literal[
    "connection",
    "resolve",
    "prepare",
    "proxy",
    "tls",
    "turn",
    "gap",
    "lag",
    "ping",
    "heartbeat",
    "reconnect",
    "upload",
    "chunk",
    "audio",
    "barge_in",
    "conversation",
    "delivery",
    "age",
]
"""Why a metric may have no sample; ``judge.summary`` has a sentence for each."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A distribution of durations: recorded in nanoseconds, in ``run.json`` milliseconds.

    ``buffer`` is the attribute of ``speak.phase_metrics.PhaseMetrics`` that feeds it. ``whole_run``: it is
    of the whole run, not of the measured part. ``placed``: the instants of a turn's row between which it lies
    (until, since). ``by_kind``: every kind of turn has its own as well; of ``prepare.time`` every step, of
    ``conversation.time`` every conversation. Of some samples only an upper bound is known: ``bounded_by`` are
    the counters of them. ``bounded``: none of the metric is exact where more than 1 % of the events shared a
    read. ``shown_before``: the metric of its group before which it stands in a report, if it is not the order
    of declaration.
    """

    name: str
    label: str
    group: str
    buffer: str
    absent: Absent
    help: str
    whole_run: bool = False
    placed: tuple[str, str] | None = None
    bounded: bool = False
    bounded_by: tuple[str, ...] = ()
    shown_before: str = ""
    by_kind: bool = False


@dataclass(frozen=True, slots=True)
class MetricHeading:
    """Metrics that are measured from the same instant, and what that is."""

    title: str
    meaning: str


METRIC_GROUPS = (
    MetricHeading("Response time", "from the instant the turn was due (what a user waits)"),
    MetricHeading("Service time", "from the instant the message was sent (server and network)"),
    MetricHeading("Stream", "between two events of a turn"),
    MetricHeading("Conversation", "from its first turn due to the end of its last, time to think included"),
    MetricHeading("Upload", "of turns of several messages, with the pauses and waits between them"),
    MetricHeading("Interruption", "of answers that their user interrupts, as planned"),
    MetricHeading("Delivery", "of copies to the other users of an audience"),
    MetricHeading("Age", "of events, by the target's clock and ours; see the notice on how far they differ"),
    MetricHeading("Connection", "by phase, and from first attempt to ready"),
    MetricHeading("Generator", "its own delays; send lateness includes waiting for a connection"),
)
"""In the order of a report."""

METRICS = (
    Metric(
        "connect.resolve",
        "name lookup",
        "Connection",
        "resolve",
        "resolve",
        "looking up the target's name",
        whole_run=True,
    ),
    Metric(
        "prepare.time",
        "HTTP before",
        "Connection",
        "prepare",
        "prepare",
        "a step of `[[prepare]]`, from request to answer, including redirects",
        whole_run=True,
        by_kind=True,
    ),
    Metric("connect.tcp", "TCP", "Connection", "tcp", "connection", "TCP's handshake", whole_run=True),
    Metric(
        "connect.proxy",
        "proxy",
        "Connection",
        "proxy",
        "proxy",
        "the proxy's connection to the target, from `CONNECT` to its answer",
        whole_run=True,
    ),
    Metric("connect.tls", "TLS", "Connection", "tls", "tls", "TLS' handshake", whole_run=True),
    Metric(
        "connect.upgrade",
        "upgrade",
        "Connection",
        "upgrade",
        "connection",
        "the HTTP upgrade, from request to 101",
        whole_run=True,
    ),
    Metric(
        "connect.ready",
        "ready steps",
        "Connection",
        "ready",
        "connection",
        "from the 101 until messages count, as the protocol says",
        whole_run=True,
    ),
    Metric(
        "connect.total",
        "in total",
        "Connection",
        "total",
        "connection",
        "from the first attempt to ready",
        whole_run=True,
    ),
    Metric(
        "turn.first_event",
        "first event",
        "Response time",
        "first_event",
        "turn",
        "from the planned instant to the first event",
        placed=("first_ns", "waited_from_ns"),
        bounded=True,
        bounded_by=("turns.first_coalesced",),
        by_kind=True,
    ),
    Metric(
        "turn.completion",
        "completion",
        "Response time",
        "completion",
        "turn",
        "from the planned instant to the last event",
        placed=("done_ns", "waited_from_ns"),
        bounded_by=("turns.end_coalesced",),
        by_kind=True,
    ),
    Metric(
        "turn.first_audio",
        "first audio",
        "Response time",
        "first_audio",
        "audio",
        "from the planned instant to the first event that is `audio`; if the turn sends chunks, from when the"
        " last one was due",
        bounded=True,
        by_kind=True,
        shown_before="turn.completion",
    ),
    Metric(
        "turn.first_event.service",
        "first event",
        "Service time",
        "first_event_service",
        "turn",
        "from sending to the first event",
        placed=("first_ns", "sent_ns"),
        bounded=True,
        bounded_by=("turns.first_coalesced",),
        by_kind=True,
    ),
    Metric(
        "turn.first_audio.service",
        "first audio",
        "Service time",
        "first_audio_service",
        "audio",
        "from sending to the first event that is `audio`",
        bounded=True,
        by_kind=True,
    ),
    Metric(
        "turn.completion.service",
        "completion",
        "Service time",
        "completion_service",
        "turn",
        "from sending to the last event",
        placed=("done_ns", "sent_ns"),
        bounded_by=("turns.end_coalesced",),
        by_kind=True,
    ),
    Metric(
        "event.gap",
        "event gap",
        "Stream",
        "gap",
        "gap",
        "between two events of one turn",
        bounded=True,
        by_kind=True,
    ),
    Metric(
        "conversation.time",
        "conversation",
        "Conversation",
        "conversation",
        "conversation",
        "a whole conversation, from when its first turn was due to the end of its last turn",
        by_kind=True,
    ),
    Metric(
        "turn.upload",
        "all messages sent",
        "Upload",
        "upload",
        "upload",
        "from the first sent message of a turn to the last",
        by_kind=True,
    ),
    Metric(
        "turn.barge_in",
        "stopped after",
        "Interruption",
        "barge_in",
        "barge_in",
        "from the interruption by the user to the end of the turn",
        by_kind=True,
    ),
    Metric("ping.rtt", "ping", "Connection", "ping_rtt", "ping", "from a ping to its pong"),
    Metric(
        "heartbeat.rtt",
        "heartbeat",
        "Connection",
        "heartbeat_rtt",
        "heartbeat",
        "from a heartbeat that loadtest sends on its own timer to its answer",
    ),
    Metric(
        "send.lateness",
        "send lateness",
        "Generator",
        "lateness",
        "connection",
        "from the planned instant to sending",
        placed=("sent_ns", "intended_ns"),
        by_kind=True,
    ),
    Metric(
        "chunk.lateness",
        "chunk lateness",
        "Generator",
        "chunk_lateness",
        "chunk",
        "from when a chunk of a file was due to its sending; without the chunk that opens a turn",
        by_kind=True,
    ),
    Metric("receive.lag", "receive lag", "Generator", "receive_lag", "lag", "from arrival until it was read"),
    Metric(
        "reconnect.time",
        "reconnect",
        "Connection",
        "reconnect",
        "reconnect",
        "from the loss of a connection until its user is ready again",
        whole_run=True,
        shown_before="ping.rtt",
    ),
    Metric(
        "delivery.time",
        "delivery",
        "Delivery",
        "delivery_time",
        "delivery",
        "from sending to the arrival of a copy, for each receiver",
    ),
    Metric(
        "delivery.skew",
        "fan-out skew",
        "Delivery",
        "delivery_skew",
        "delivery",
        "from the arrival of the first copy of a message to the arrival of the last copy",
    ),
    Metric(
        "event.age",
        "event age",
        "Age",
        "age",
        "age",
        "from the time that the target wrote in an event to the event's arrival",
        bounded=True,
        by_kind=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of something a second. ``planned``: the key of ``load.planned`` that may limit it."""

    name: str
    label: str
    help: str
    planned: str = ""


RATES = (
    Rate(
        "connections_per_s",
        "connections ready",
        "connections that became ready, over the whole run",
        "connect_rate",
    ),
    Rate(
        "events_received_per_s",
        "events received",
        "events that answered turns of the measured part; if the run sends nothing, all events in that part",
    ),
    Rate("events_sent_per_s", "messages sent", "messages sent in the measured part", "turns_per_s"),
    Rate("turns_per_s", "turns complete", "turns of the measured part that were complete", "turns_per_s"),
)

PERCENTILES = ("p50", "p90", "p95", "p99", "p99_9")
"""The percentiles that every metric of ``run.json`` has, by key."""

STATISTICS = ("n", "min", *PERCENTILES, "max", "mean")
"""What a summary always holds of a metric; a threshold may name any other percentile too."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A count: of the whole run in ``counts`` of ``run.json``, of the measured part in ``counts.measured``.

    ``name`` is the one it is recorded under, its group first. Where ``by`` says how it is split, a dot and
    the label follow ("connections.closed.1006"). ``hot``: counted for every turn or event, so it is a slot
    of ``speak.phase_metrics.PhaseMetrics``. ``always``: it is in ``run.json`` also where it is 0, any other
    only where it rose.

    ``by_kind``: every kind of turn has its own as well.

    ``threshold``: a scenario may judge it; ``share_of``: then the ratio ".ratio" of that counter too.
    ``higher_is_better``: of all others less is. ``numbered``: it needs sequence numbers, else it is not
    measured. ``fault``: its place, from 1, among what the warning ``delivery_faults`` tells.

    ``kept_as``: where ``run.json`` has it, if it is not under its name in ``counts``.

    ``label``: its words in the table of counters, none where it has no row there; ``shown_before``: the
    counter of its group before which that row stands, if it is not the order of declaration.
    """

    name: str
    help: str
    label: str = ""
    by: str = ""
    hot: bool = False
    always: bool = False
    threshold: bool = False
    share_of: str = ""
    higher_is_better: bool = False
    numbered: bool = False
    fault: int = 0
    kept_as: str = ""
    tone: Tone = "plain"
    shown_before: str = ""
    by_kind: bool = False

    @property
    def group(self) -> str:
        """The section of ``counts``."""
        return self.name.partition(".")[0]

    @property
    def key(self) -> str:
        """Its key in that section."""
        return self.name.partition(".")[2]


OUTCOMES = (
    Counter(
        "turns.complete",
        "their end came, and nothing that the protocol requires was missing",
        "complete",
        hot=True,
        always=True,
        threshold=True,
        share_of="turns.due",
        higher_is_better=True,
        tone="good",
        by_kind=True,
    ),
    *(
        Counter(
            f"turns.{key}",
            help_,
            label,
            hot=True,
            always=True,
            threshold=True,
            share_of="turns.due",
            tone="plain" if key == "abandoned" else "bad",
            by_kind=True,
        )
        for key, label, help_ in (
            (
                "failed",
                "failed",
                "a failure event came, something required was missing, or the order was wrong",
            ),
            ("timed_out", "timed out", "no end came within the timeout"),
            ("lost", "lost with their connection", "their connection ended first"),
            ("refused", "refused", "the target refused the turn"),
            ("abandoned", "abandoned by us", "we left: the run was over, or was interrupted"),
            (
                "not_attempted",
                "not attempted",
                "due, but not sent: their connection was not ready in time, or the target did not read",
            ),
        )
    ),
)
"""How a turn can end. The turn table holds the index."""

FAILURES = ("failed", "timed_out", "lost", "refused")
"""Outcomes of turns that were begun and came to no good end, by no doing of ours."""

CONNECTION_COUNTERS = (
    Counter(
        "connections.attempted",
        "attempts to connect",
        "attempted",
        hot=True,
        always=True,
        threshold=True,
        higher_is_better=True,
    ),
    Counter(
        "connections.established",
        "attempts answered with 101",
        "established",
        hot=True,
        always=True,
        threshold=True,
        higher_is_better=True,
    ),
    Counter(
        "connections.ready",
        "connections on which messages count",
        "ready",
        hot=True,
        always=True,
        threshold=True,
        share_of="connections.due",
        higher_is_better=True,
    ),
    Counter(
        "connections.left",
        "connections that we closed when their user was done",
        hot=True,
        always=True,
        threshold=True,
    ),
    Counter(
        "connections.left_unanswered",
        "connections that we left without getting the answer that the protocol's `leave` waits for",
        "left by us without the answer to our last word",
        threshold=True,
        tone="doubt",
    ),
    Counter("connections.due", "connections that the plan opens", threshold=True),
    Counter("connections.cut", "cut by us, as planned ([chaos])", "cut by us, as planned", threshold=True),
    Counter(
        "connections.reconnected",
        "ready again after a loss",
        "ready again after a loss",
        threshold=True,
    ),
    Counter(
        "connections.given_up",
        "users who gave up after their last try",
        "given up after the last try",
        threshold=True,
        tone="bad",
    ),
    Counter(
        "connections.redirected",
        "answers to an upgrade that redirected us, and that we followed",
        "redirects followed",
        threshold=True,
    ),
    Counter(
        "connections.not_undone",
        "steps of `[[prepare]]` that could not be undone",
        "steps not taken back",
        threshold=True,
        tone="doubt",
    ),
    Counter(
        "connections.told_to_wait",
        "refused with a Retry-After longer than our next wait; we wait as long as it says",
        "told to wait longer (Retry-After)",
    ),
    Counter(
        "connections.away",
        "users who lost their connection and had none at the end",
        "lost and not back at the end",
        threshold=True,
        tone="bad",
    ),
    Counter(
        "connections.refused",
        "attempts that the target refused",
        by="layer",
        always=True,
        threshold=True,
        tone="bad",
    ),
    Counter(
        "connections.closed",
        "connections that ended before we left them",
        by="close code",
        always=True,
        threshold=True,
        tone="bad",
    ),
    Counter(
        "connections.upgrade_status", "answers to the upgrade other than 101", by="HTTP status", always=True
    ),
    Counter("connections.not_opened", "attempts that this machine could not make", by="limit", tone="doubt"),
    Counter(
        "connections.lookups", "how often the target's name was looked up again, for users who come back"
    ),
    Counter(
        "connections.lookups_failed",
        "lookups during the run that found nothing; users keep the known addresses",
        tone="doubt",
    ),
    Counter("connections.address_found", "lookups during the run that found this address", by="address"),
    Counter(
        "connections.address_connected",
        "attempts that connected; only if the name has several addresses or was looked up again",
        by="address",
    ),
    Counter(
        "connections.address_failed",
        "attempts that failed or were slower than a later attempt; only if the name has several addresses or"
        " was looked up again",
        by="address",
    ),
    Counter(
        "connections.address_called_off",
        "attempts that were not needed any more; only if the name has several addresses or was looked up"
        " again",
        by="address",
    ),
    Counter(
        "connections.silent",
        "given up by us: a heartbeat was not answered, or nothing came within `ping_timeout` of a ping",
        "given up by us: a ping or a heartbeat was not answered",
        kept_as="ended_by_us.silent",
        tone="bad",
    ),
    Counter(
        "connections.broken_frames",
        "given up by us: the bytes that came were not WebSocket",
        "given up by us: it broke the WebSocket protocol",
        kept_as="ended_by_us.broken",
        tone="bad",
    ),
    Counter(
        "connections.beyond_codec",
        "given up by us: the codec could not read what came, or it exceeded the codec's limits",
        "given up by us: the codec could not read on",
        kept_as="ended_by_us.codec",
        tone="bad",
    ),
    Counter(
        "connections.too_long",
        "given up by us: a message was longer than `max_message`",
        "given up by us: a message was too long",
        kept_as="ended_by_us.too_long",
        tone="bad",
    ),
    Counter(
        "connections.flooded",
        "given up by us: a flood of pings, messages without content, or messages that unpack to far more",
        "given up by us: it flooded us",
        kept_as="ended_by_us.flood",
        tone="bad",
    ),
)

EVENT_COUNTERS = (
    Counter(
        "events.sent",
        "messages sent",
        "messages sent",
        hot=True,
        always=True,
        threshold=True,
        higher_is_better=True,
        tone="good",
    ),
    Counter(
        "events.received",
        "application messages received after ready, without heartbeats",
        "received",
        hot=True,
        always=True,
        threshold=True,
        higher_is_better=True,
        tone="good",
    ),
    Counter(
        "events.expected",
        "events that sequence numbers say were sent",
        "expected",
        hot=True,
        always=True,
        threshold=True,
        higher_is_better=True,
        tone="good",
        shown_before="events.received",
    ),
    Counter(
        "events.matched",
        "events that belong to a turn",
        "matched to a turn",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.expected",
        higher_is_better=True,
        tone="good",
    ),
    Counter(
        "events.lost",
        "did not come: the sequence numbers of their turn have a gap",
        "lost",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.expected",
        numbered=True,
        fault=1,
        tone="bad",
    ),
    Counter(
        "events.duplicate",
        "came twice",
        "duplicate",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.expected",
        numbered=True,
        fault=2,
        tone="bad",
    ),
    Counter(
        "events.out_of_order",
        "came after a later event of their turn",
        "out of order",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.expected",
        numbered=True,
        fault=3,
        tone="bad",
    ),
    Counter(
        "events.foreign",
        "belong to another virtual user",
        "of another user (foreign)",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.received",
        tone="bad",
    ),
    Counter(
        "events.unmatched",
        "belong to no known turn",
        "unmatched",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.received",
        fault=5,
        tone="bad",
    ),
    Counter(
        "events.stray_errors",
        "errors by the protocol's `fail` or `refuse` that ended no turn: they named no turn, or one that was"
        " complete",
        "errors that ended no turn",
        threshold=True,
        share_of="events.received",
        tone="bad",
    ),
    Counter(
        "events.malformed",
        "cannot be read by the protocol",
        "malformed",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.received",
        tone="bad",
    ),
    Counter(
        "events.late",
        "came when their turn had ended",
        "late (their turn had ended)",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.expected",
        fault=4,
        tone="doubt",
    ),
    Counter(
        "events.after_failure",
        "the first four that came after their turn failed or was refused; counted as late too, but no fault"
        " of delivery",
        "of the late: their turn had failed",
    ),
    Counter(
        "events.beyond_count",
        "came for a turn that was complete by `count`, or came by order when no turn was left",
        "beyond the count of their turn",
        threshold=True,
        share_of="events.expected",
        tone="doubt",
    ),
    Counter(
        "events.ignored",
        "ignored, as the protocol says",
        "ignored as the protocol says",
        always=True,
        tone="good",
    ),
    Counter(
        "events.resumed",
        "answered a turn on its user's next connection, after the turn's own was lost",
        "resumed (on the next connection)",
        threshold=True,
        share_of="events.expected",
        tone="doubt",
    ),
    Counter(
        "events.coalesced",
        "came in one read with a later frame, and have its time stamp",
        "coalesced in one read",
        hot=True,
        always=True,
        tone="doubt",
        shown_before="events.heartbeat",
    ),
    Counter(
        "events.missing_required",
        "required by the protocol, and missing when their turn ended",
        "required but missing",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.expected",
        fault=6,
        tone="bad",
    ),
    Counter(
        "events.unpaired",
        "one event of a pair came and the other did not",
        "without their pair",
        hot=True,
        always=True,
        threshold=True,
        share_of="events.expected",
        fault=7,
        tone="bad",
    ),
    Counter(
        "events.heartbeat",
        "heartbeats of the target, and its answers to ours",
        "heartbeat",
        hot=True,
        always=True,
        tone="good",
    ),
    Counter(
        "events.after_timeout",
        "matched by order, after a turn of their connection had timed out",
        tone="doubt",
    ),
    Counter(
        "events.before_ready",
        "came before ready, and no step waited for them",
        "before ready and awaited by no step",
        tone="good",
    ),
    Counter(
        "events.order_unsure",
        "matched by order alone, while several turns were in flight on their connection",
        "matched by order alone, with several turns in flight",
        tone="doubt",
    ),
    Counter(
        "events.delivered",
        "caused by other users of the same audience",
        "of other users, for all of their audience",
        tone="good",
    ),
    Counter(
        "events.answered",
        "requests of the target that loadtest answered",
        "requests of the target, answered",
        tone="good",
    ),
    Counter(
        "events.awaited",
        "came while a turn waited for them before sending its next message",
        "awaited by turns that had more to send",
        tone="good",
    ),
    Counter("events.dated", "carried the time at which the target sent them", "with the target's time"),
    Counter(
        "events.undated",
        "had a value where the time of sending belongs, but it was not a time",
        "with a time that could not be read",
        tone="doubt",
    ),
    Counter(
        "events.from_future",
        "carried a time that is later than their arrival",
        "sent later than they arrived, by the target's clock",
        tone="doubt",
    ),
    Counter(
        "events.pushed",
        "sent by the target unasked, in a run that sends nothing",
        "sent by the target of itself",
        threshold=True,
        higher_is_better=True,
        tone="good",
    ),
    Counter(
        "events.unanswered",
        "requests and heartbeats of the target, not answered because over 1,000 a second came on a"
        " connection",
        "requests of the target, too many to answer",
        tone="doubt",
    ),
    Counter(
        "events.value_too_large",
        "values that a protocol wants stored, but that are longer than 4,096 characters",
        "values too large to keep",
        tone="doubt",
    ),
    Counter("events.unmatched_with", "unmatched events", by="top-level keys"),
)

TURN_COUNTERS = (
    Counter(
        "turns.due",
        "turns that fell due",
        "due",
        hot=True,
        always=True,
        threshold=True,
        higher_is_better=True,
        by_kind=True,
    ),
    Counter(
        "turns.begun",
        "turns whose message was sent",
        "begun",
        hot=True,
        always=True,
        threshold=True,
        share_of="turns.due",
        higher_is_better=True,
        by_kind=True,
    ),
    *OUTCOMES,
    Counter("turns.numbered", "turns whose events carried sequence numbers", hot=True, always=True),
    Counter(
        "turns.no_first_event",
        "turns that did not end well and got no event; if turns have no end: no event within `timeout`",
        by_kind=True,
    ),
    Counter(
        "turns.resumed",
        "lost turns that ended on their user's next connection",
        "of those lost, ended on the next connection",
        threshold=True,
        share_of="turns.due",
    ),
    Counter(
        "turns.interrupted",
        "turns that their user interrupted, as planned",
        "interrupted by their user",
        by_kind=True,
    ),
    Counter(
        "turns.ended_again",
        "ends that came for a turn that was complete, or that had received the same end before",
        "of which an end came again",
        threshold=True,
        share_of="turns.due",
        tone="bad",
    ),
    Counter(
        "turns.ends_unasked",
        "ends matched by order that came when no turn was left to end, after a complete turn",
        "ends that no turn waited for",
        threshold=True,
        share_of="turns.due",
        tone="doubt",
    ),
    Counter(
        "turns.request_refused",
        "turns that were complete, although the target did not answer their HTTP request with success",
        "complete, their request refused",
        threshold=True,
        share_of="turns.due",
        tone="bad",
    ),
    Counter("turns.marked", "complete turns whose events carried their user's mark"),
    Counter("turns.unnumbered", "complete turns without sequence numbers, if other turns had some"),
    Counter("turns.unmarked", "complete turns without a user's mark, if other turns had one"),
    Counter("turns.failed_by", "turns that failed", by="reason", always=True),
    Counter("turns.timed_out_by", "turns that timed out", by="reason"),
    Counter("turns.lost_by", "turns that were lost", by="reason"),
    Counter("turns.refused_by", "turns that were refused", by="reason"),
    Counter("turns.abandoned_by", "turns that were abandoned", by="reason"),
    Counter("turns.not_attempted_by", "turns that were not attempted on a ready connection", by="reason"),
    Counter("turns.timed_out_after", "turns that timed out", by="type of the last event"),
    Counter("turns.misnumbered_by", "turns whose sequence numbers do not count their events", by="reason"),
    Counter("turns.untyped_with", "turns that timed out, whose last event had no type", by="top-level keys"),
    Counter(
        "turns.first_coalesced",
        "turns whose first event was not the last of its read",
        hot=True,
        kept_as="generator.coalesced.first_events",
        by_kind=True,
    ),
    Counter(
        "turns.end_coalesced",
        "turns whose last event was not the last of its read",
        hot=True,
        kept_as="generator.coalesced.ends",
        by_kind=True,
    ),
    Counter(
        "turns.slow_send",
        "turns whose message took the generator more than 1 ms to send",
        kept_as="generator.slow_sends.turns",
        by_kind=True,
    ),
)

CONVERSATION_COUNTERS = (
    Counter(
        "conversations.begun",
        "conversations whose first turn was sent",
        "begun",
        threshold=True,
        higher_is_better=True,
        by_kind=True,
    ),
    Counter(
        "conversations.ended",
        "conversations that ended before the run was over: complete, or broken off",
        threshold=True,
        higher_is_better=True,
        by_kind=True,
    ),
    Counter(
        "conversations.complete",
        "conversations of which every turn was complete",
        "complete",
        threshold=True,
        share_of="conversations.ended",
        higher_is_better=True,
        tone="good",
        by_kind=True,
    ),
    Counter(
        "conversations.broken_off",
        "conversations that ended because a turn was not complete or their connection ended",
        "broken off",
        threshold=True,
        share_of="conversations.ended",
        tone="bad",
        by_kind=True,
    ),
)

DELIVERY_COUNTERS = (
    Counter(
        "deliveries.due",
        "copies due to other users of the audience who were ready",
        "copies due",
        threshold=True,
        higher_is_better=True,
        tone="good",
    ),
    Counter(
        "deliveries.missing",
        "due copies that did not come within the timeout of a turn",
        "missing",
        threshold=True,
        share_of="deliveries.due",
        tone="bad",
    ),
    Counter(
        "deliveries.duplicate",
        "copies that a user got again; only if a turn has one event",
        "duplicate",
        threshold=True,
        share_of="deliveries.due",
        tone="bad",
    ),
)

CHAOS_COUNTERS = (
    Counter(
        "chaos.malformed.sent",
        "broken messages sent, in total and by kind",
        "broken messages sent",
        by="kind",
    ),
    Counter("chaos.leavers.left", "users who left in mid-turn", "left in mid-turn"),
    Counter(
        "chaos.leavers.too_late",
        "turns that were over before their user could leave",
        "turns over before their user could leave",
    ),
    Counter("chaos.slow.turns.begun", "turns of slow readers that were begun", "turns begun by slow readers"),
    Counter("chaos.slow.turns.complete", "turns of slow readers that were complete", "of these complete"),
    Counter("chaos.slow.turns.timed_out", "turns of slow readers that timed out", "of these timed out"),
    *(
        Counter(f"chaos.slow.turns.{key}", f"turns of slow readers {words}")
        for key, words in (
            ("failed", "that failed"),
            ("lost", "that were lost"),
            ("refused", "that were refused"),
            ("no_first_event", "without any event"),
            ("first_coalesced", "whose first event was not the last of its read"),
            ("end_coalesced", "whose last event was not the last of its read"),
            ("slow_send", "whose message took the generator more than 1 ms to send"),
        )
    ),
    Counter(
        "chaos.slow.events.late",
        "events that slow readers took too late",
        "events that slow readers took too late",
    ),
    Counter(
        "chaos.slow.events.after_failure",
        "events that slow readers took after their turn had failed; they are also counted as late",
    ),
    Counter("chaos.slow.events.coalesced", "events of slow readers that shared one read"),
)

OTHER_COUNTERS = (
    Counter("tasks.raised", "exceptions raised by tasks of users written in Python"),
    Counter("tasks.failed", "failures that tasks of users written in Python reported"),
    Counter("tasks.raised_by", "exceptions raised by tasks of users written in Python", by="exception"),
    Counter("bytes.sent", "bytes written: frames with their heads", "sent", hot=True, always=True),
    Counter("bytes.received", "bytes read: frames with their heads", "received", hot=True, always=True),
    Counter("pings.sent", "pings sent", hot=True, always=True),
    Counter("pings.answered", "pings that a pong answered", hot=True, always=True),
    Counter(
        "pings.in_flight", "pings without an answer, younger than `ping_timeout` when their connection ended"
    ),
    Counter("heartbeats.sent", "heartbeats that loadtest sent on its own timer"),
    Counter("heartbeats.answered", "answers to heartbeats that loadtest sent on its own timer"),
    Counter("heartbeats.missed", "connections given up because such a heartbeat was not answered"),
    Counter(
        "heartbeats.not_scheduled",
        "heartbeats not scheduled, because the interval that the target sent was not a number",
    ),
    Counter("http.answered", "requests of turns by HTTP that were answered with success", "answered well"),
    Counter(
        "http.refused",
        "requests of turns by HTTP that were answered with another status, or without a usable answer",
        "not answered well",
        tone="bad",
    ),
    Counter(
        "http.unsent",
        "requests of turns by HTTP that were not sent: too many waited, or a value made the request invalid",
        "not sent",
        tone="doubt",
    ),
    Counter(
        "compression.negotiated",
        "connections on which compression was offered and agreed to",
        "connections with compression",
    ),
    Counter(
        "compression.not_negotiated",
        "connections on which compression was offered and the target did not agree",
        "connections without: not negotiated",
        tone="doubt",
    ),
    Counter("compression.sent_payload", "bytes of the messages that were compressed to be sent"),
    Counter("compression.sent_wire", "bytes of the frames of these messages, with their heads"),
    Counter("compression.received_payload", "bytes of the messages received on connections with compression"),
    Counter(
        "compression.received_wire",
        "bytes read on these connections: WebSocket frames with their heads, control frames included",
    ),
    Counter(
        "codec.replies",
        "frames with which the codec itself answered, as its protocol demands (pongs, receipts)",
        "answered by the codec itself",
    ),
    Counter(
        "codec.unsendable",
        "messages that the codec could not encode",
        "not sent: the codec could make no frame",
        tone="bad",
    ),
    Counter(
        "codec.not_taken",
        "messages not sent, because the target had not acknowledged enough of the earlier ones",
        "not sent: the target had not acknowledged as many as it takes",
        tone="bad",
    ),
)

COUNTERS = (
    *CHAOS_COUNTERS,
    *CONNECTION_COUNTERS,
    *EVENT_COUNTERS,
    *TURN_COUNTERS,
    *CONVERSATION_COUNTERS,
    *DELIVERY_COUNTERS,
    *OTHER_COUNTERS,
)
"""Every counter that a run may record."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value that is read once a second, as exporters tell it.

    ``name`` is the one under which an interval has it, ``exported`` the one with its base unit, of which
    ``scale`` of ours are one.
    """

    name: str
    exported: str
    help: str
    scale: float = 1.0


GAUGES = (
    Gauge("users", "virtual_users", "virtual users at work"),
    Gauge("ready", "ready_connections", "connections on which messages count"),
    Gauge("in_flight", "turns_in_flight", "turns that were begun and have not ended"),
    Gauge("cpu", "generator_cpu_ratio", "CPU of the busiest generator process, of one core"),
    Gauge(
        "run_delay",
        "generator_run_delay_ratio",
        "part of the time that the generator process which waited most had no core",
    ),
    Gauge("loop_lag_ns", "generator_loop_lag_seconds", "longest that an event loop of ours was late", 1e9),
    Gauge("target.cpu", "target_cpu_cores", "CPU of the target, in cores"),
    Gauge("target.memory", "target_memory_bytes", "memory of the target"),
    Gauge("target.open_files", "target_open_files", "open files of the target"),
)
"""Every gauge that exporters tell; those of the target's own metrics are ``target.NAME``."""


Shown = TypeVar("Shown", Metric, Counter)


def in_report_order(declared: Iterable[Shown]) -> list[Shown]:
    """What stands before another in a report is moved there; the others stay as declared."""
    ordered = list(declared)
    for each in [each for each in ordered if each.shown_before]:
        ordered.remove(each)
        ordered.insert([other.name for other in ordered].index(each.shown_before), each)
    return ordered


@cache
def keys(group: str, *, always: bool | None = None, split: bool = False) -> tuple[str, ...]:
    """The keys in ``counts`` of a group's counters: with ``split`` of the split ones, else of the others.

    ``always``: only of those that are always there, or only of the others.
    """
    return tuple(
        each.key
        for each in COUNTERS
        if each.group == group
        and not each.kept_as
        and always in {None, each.always}
        and bool(each.by) is split
    )


def kept_under(section: str) -> dict[str, str]:
    """Counters that ``run.json`` keeps in a section under another key: the recorded name by that key."""
    return {
        each.kept_as.removeprefix(f"{section}."): each.name
        for each in COUNTERS
        if each.kept_as.startswith(f"{section}.")
    }
