"""Every notice about the target: what it is, and what it did."""

from __future__ import annotations

from loadtest.judge.kind import Kind

TARGET_KINDS: dict[str, Kind] = {
    "simulated_target": Kind(
        "the target was the simulator that ships with loadtest",
        "SIMULATED: the target was loadtest's own simulator, so no number here speaks of a real backend.",
        "Give the address of a real backend with --target.",
    ),
    "load_not_reached_by_target": Kind(
        "planned turns or connections were not begun, since the target refused or closed connections, or let"
        " them wait longer than a turn may",
        "{missing} of {asked} planned {what} were not begun{measured}: the target refused or closed"
        " connections or let them wait.",
        "See the refusals and closes; the ratios count what is missing.",
        ("missing", "asked", "what", "measured_missing", "measured_due"),
    ),
    "batched_not_streamed": Kind(
        "the events of nine in ten turns all came within the last tenth of the turn, of turns that took 20 ms"
        " or more; never told while the generator's own delays could look like it",
        "The target answers in batches: the first event came when {share} of the turn's time was over (median"
        " of {turns} turns that took {service} each), and all the rest with it.",
        "If it is meant to stream, look for buffering in the backend or in a proxy before it.",
        ("first_event_share", "spread_share", "service_ms", "turns", "largest_lag_ms"),
    ),
    "insecure_tls": Kind(
        "certificates were not verified (--insecure)",
        "INSECURE: the target's certificate was not verified; anyone could have answered.",
        "Give the authority's certificate as ca_file instead of --insecure.",
    ),
    "rate_limited_by_plan": Kind(
        "a threshold speaks of a rate that only repeats what was asked",
        "{name} repeats what the plan asked for; it says that the target kept up, not what it could do.",
        "To find the capacity, raise the load, or use the closed model without think time.",
        ("name", "value", "n"),
    ),
    "foreign_events": Kind(
        "an event that carries another virtual user's mark arrived",
        "{foreign} events of other users arrived: the target mixes users up.",
        "See slowest.jsonl for the frames.",
        ("foreign", "received"),
        "no; the run fails, unless a threshold on events.foreign says what is allowed",
    ),
    "malformed_events": Kind(
        "a message arrived that the protocol cannot read",
        "{malformed} messages could not be read by the protocol.",
        "See slowest.jsonl for the frames; correct the protocol file, or the target.",
        ("malformed", "received"),
    ),
    "tasks_raised": Kind(
        "a task of a user written in Python ended by an exception",
        "{raised} times a task raised an exception{told}.",
        "See run.log for the first traceback of each. If the check is right, the target is not; else mend the"
        " task.",
        ("raised", "by", "reasons"),
        "no; the run fails",
    ),
    "tasks_failed": Kind(
        "a task of a user written in Python called `fail`",
        "{failed} times a task said that it failed{told}.",
        "The reason is the task's own; slowest.jsonl has the frames of the slowest and of the broken turns.",
        ("failed", "reasons"),
        "no; the run fails",
    ),
    "turn_path_never_matched": Kind(
        "events came, and not one of them carried the id of a turn where the protocol looks for it",
        "{unmatched} events came, and not one carried the id of a turn at {paths}; top-level keys seen:"
        " {keys}.",
        "Correct `turn` under [events] in the protocol to the path of the id that the message sent;"
        " slowest.jsonl has the frames.",
        ("unmatched", "turn", "keys"),
    ),
    "type_path_never_matched": Kind(
        "no turn ended, and the last event of each that timed out had no type where the protocol looks for"
        " it",
        "{timed_out} turns timed out, and their last events had no type at {paths}; top-level keys seen:"
        " {keys}.",
        "Correct `type` under [events] in the protocol to the path of the events' type; slowest.jsonl has the"
        " frames.",
        ("timed_out", "begun", "last", "type", "keys"),
    ),
    "end_never_seen": Kind(
        "turns received events, and not one was ended by an event in the whole run",
        "{timed_out} of {begun} turns timed out{when}, and none was ever ended by an event: none of {ends}"
        " came{told}.",
        "Correct `end` under [events] in the protocol to the type that ends a turn, or see Broken turns.",
        ("timed_out", "begun", "last", "end"),
    ),
    "turns_timed_out": Kind(
        "turns were not over within their timeout",
        "{timed_out} of {begun} turns timed out{when}{told}.",
        "See Broken turns in the report for what they received, and the timeline for when.",
        ("timed_out", "begun", "last"),
    ),
    "delivery_faults": Kind(
        "events were lost, came twice, out of order, late or for nobody, or one of a pair or a required one"
        " was missing",
        "Events were not delivered as the protocol promises: {told}.",
        "See slowest.jsonl for the frames; add thresholds on events.* to judge it.",
        ("lost", "duplicate", "out_of_order", "late", "unmatched", "missing_required", "unpaired"),
    ),
    "sequence_not_followed": Kind(
        "turns carried sequence numbers that do not count their events: with a gap of more than 65,536, below"
        " `sequence_start`, or no whole number",
        "{turns} of {begun} turns carried sequence numbers that cannot be followed ({told}): which of their"
        " events were lost, came twice or out of order is not known.",
        "Correct `sequence` and `sequence_start` under [events] in the protocol, or the target's numbers;"
        " slowest.jsonl has the frames.",
        ("turns", "begun", "by"),
        "no; loss, duplicates and order are null, and thresholds on them not measured",
    ),
    "refused_connections": Kind(
        "the target refused connections, by layer",
        "{refused} of {attempted} connection attempts to {where} were refused: {told}.",
        "See run.log for every kind of refusal.",
        ("refused", "attempted", "layers", "reasons"),
    ),
    "unexpected_closes": Kind(
        "connections ended that we had not left: the target closed them, they broke, or we gave them up",
        "{closed} connections ended before we left them{when}: {told}.",
        "See the close codes (1006: without a close frame) and the target's log.",
        ("closed", "codes", "ended_by_us", "reasons"),
    ),
    "pings_unanswered": Kind(
        "a connection left a ping unanswered until the next was due, or more pings stayed unanswered than can"
        " have been on their way at the end",
        "{unanswered} of {sent} pings were never answered.",
        "See whether the target, or a proxy before it, answers control frames.",
        ("unanswered", "sent"),
    ),
}
