"""Every warning there is: when it is raised, what it says, what to do, and whether it spoils the run.

In ``run.json`` warnings stand under ``notices``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtest.units import format_count


@dataclass(frozen=True, slots=True)
class WarningKind:
    """What all warnings of a code have in common. ``spoils``: "yes", "no", or when."""

    when: str
    message: str
    remedy: str
    numbers: tuple[str, ...] = ()
    spoils: str = "no"


TARGET_KINDS: dict[str, WarningKind] = {
    "simulated_target": WarningKind(
        "the target was the simulator that ships with loadtest",
        "SIMULATED: the target was loadtest's own simulator, so no number here speaks of a real backend.",
        "Give the address of a real backend with --target.",
    ),
    "load_not_reached_by_target": WarningKind(
        "planned turns or connections were not begun because of the target. It refused or closed"
        " connections, let them wait longer than a turn's timeout, or left 16 MiB unread on a connection",
        "{missing} of {asked} planned {what} were not begun{measured}: the target {told}.",
        "See the refusals and closes. In the ratios, what is missing counts as a failure.",
        ("missing", "asked", "what", "measured_missing", "measured_due", "not_read"),
    ),
    "batched_not_streamed": WarningKind(
        "at least nine in ten turns took 20 ms or more. Nine in ten of these received all their events in"
        " the last tenth of their time. Not raised if the generator's own delays could look the same",
        "The target answers in batches: the first event came after {share} of the turn's time, and all others"
        " right after it (medians of {turns} turns; a turn took {service}).",
        "If the target is meant to stream, look for buffering in the backend or in a proxy before it.",
        ("first_event_share", "spread_share", "service_ms", "turns", "largest_lag_ms"),
    ),
    "insecure_tls": WarningKind(
        "certificates were not verified (--insecure)",
        "INSECURE: the target's certificate was not verified; anyone could have answered.",
        "Give the authority's certificate as ca_file instead of --insecure.",
    ),
    "proxied": WarningKind(
        "connections went through a proxy",
        "Connections went through a proxy: the figures include its time and its limits.",
        "To measure the target alone, run loadtest where it reaches the target directly, with [target] proxy"
        ' = "none".',
        ("proxy", "variable"),
    ),
    "other_hosts": WarningKind(
        "the target sent users to other hosts, and connections to these were opened too",
        "The target led users to other hosts, which were under load too.",
        "Make sure that these hosts may be loaded. The answer to a request, or a redirect, named them.",
        ("hosts",),
    ),
    "proxy_ignored": WarningKind(
        "the environment names a proxy, but connections do not go through it",
        "Connections went to the target directly, although the environment names a proxy.",
        'If connections must go through the proxy, set [target] proxy = "environment". If they must not, add'
        " the target's host to NO_PROXY.",
        ("variables",),
    ),
    "rate_limited_by_plan": WarningKind(
        "a threshold tests a rate, but the planned load limited this rate, and not the target",
        "{name} was limited by the configured rate: it says that the target kept up, not what it could do.",
        "To find the capacity, raise the load, or use the closed model without think time.",
        ("name", "value", "n"),
    ),
    "foreign_events": WarningKind(
        "an event arrived that carries another virtual user's mark",
        "{foreign} events of other users arrived: the target mixes users up.",
        "See slowest.jsonl for the frames.",
        ("foreign", "received"),
        "no; but the run fails, unless a threshold on events.foreign allows it",
    ),
    "malformed_events": WarningKind(
        "a message arrived that the protocol cannot read",
        "{malformed} messages could not be read by the protocol.",
        "See slowest.jsonl for the frames; correct the protocol file, or the target.",
        ("malformed", "received"),
    ),
    "compression_not_negotiated": WarningKind(
        "loadtest offered compression, and the target did not agree to it on some connections",
        "Compression was not negotiated on {not_negotiated} of {offered} connections: messages on these were"
        " not compressed.",
        "Switch permessage-deflate on in the target or in the proxy before it. Or do not offer it: [target]"
        " compression = false.",
        ("not_negotiated", "offered"),
    ),
    "messages_not_taken": WarningKind(
        "messages were not sent, because the target's receive window was full",
        "{not_taken} messages were not sent, because the target's receive window was full. Their turns failed"
        " by `not_taken`.",
        "The target acknowledges too slowly for the plan. slowest.jsonl says how many messages the target"
        " takes at a"
        " time (in MQTT the broker's `receive_maximum`). Raise that number, or spread the load over more"
        " connections.",
        ("not_taken",),
    ),
    "tasks_raised": WarningKind(
        "a task of a user written in Python raised an exception",
        "{raised} times a task raised an exception{told}.",
        "See run.log for the first traceback of each. Either the target is wrong, or the task's check is.",
        ("raised", "by", "reasons"),
        "no; but the run fails",
    ),
    "tasks_failed": WarningKind(
        "a task of a user written in Python called `fail`",
        "{failed} times a task said that it failed{told}.",
        "The task gives the reason. slowest.jsonl has the frames of the slowest and of the broken turns.",
        ("failed", "reasons"),
        "no; but the run fails",
    ),
    "turn_path_never_matched": WarningKind(
        "events came, but none carried the id of a turn at the protocol's `turn` path",
        "{unmatched} events came, and not one carried the id of a turn at {paths}; top-level keys seen:"
        " {keys}.",
        "Correct `turn` under [events] in the protocol: it must be the path at which the target's events"
        " have the id that the message carried."
        " slowest.jsonl has the frames.",
        ("unmatched", "turn", "keys"),
    ),
    "type_path_never_matched": WarningKind(
        "no turn ended, and the last events of the turns that timed out had no type at the protocol's"
        " `type` path",
        "{timed_out} turns timed out, and their last events had no type at {paths}; top-level keys seen:"
        " {keys}.",
        "Correct `type` under [events] in the protocol: it is the path of the events' type. slowest.jsonl"
        " has the frames.",
        ("timed_out", "begun", "last", "type", "keys"),
    ),
    "end_never_seen": WarningKind(
        "turns received events, but no event ended a turn in the whole run",
        "{timed_out} of {begun} turns timed out{when}, and no event ended a turn: none of {ends} came{told}.",
        "Under [events], set `end` to the type of the event that ends a turn. See Broken turns.",
        ("timed_out", "begun", "last", "end"),
    ),
    "turns_timed_out": WarningKind(
        "turns did not end within their timeout",
        "{timed_out} of {begun} turns timed out{when}{told}.",
        "See Broken turns in the report for what they received, and the timeline for when.",
        ("timed_out", "begun", "last"),
    ),
    "delivery_faults": WarningKind(
        "events were lost, late, duplicate, out of order or of no turn. Or a required event, or one of a"
        " pair, was missing",
        "Events were not delivered as the protocol promises: {told}.",
        "See slowest.jsonl for the frames. Add thresholds on events.* to judge them.",
        ("lost", "duplicate", "out_of_order", "late", "unmatched", "missing_required", "unpaired"),
    ),
    "sequence_not_followed": WarningKind(
        "the sequence numbers of some turns cannot be used: a gap is over 65,536, or a number is below"
        " `sequence_start` or not a whole number",
        "{turns} of {begun} turns carried sequence numbers that do not count their events ({told}). Which"
        " events of these turns were lost, duplicate or out of order is not known.",
        "Correct `sequence` and `sequence_start` under [events] in the protocol, or the target's numbers."
        " slowest.jsonl has the frames.",
        ("turns", "begun", "by"),
        "no; but loss, duplicates and order are null, and thresholds on them are not measured",
    ),
    "refused_connections": WarningKind(
        "the target refused connections",
        "{refused} of {attempted} connection attempts to {where} were refused: {told}.",
        "See run.log for every kind of refusal.",
        ("refused", "attempted", "layers", "reasons"),
    ),
    "unexpected_closes": WarningKind(
        "connections ended before loadtest left them: the target closed them, they broke, or loadtest gave"
        " them up",
        "{closed} connections ended before we left them{when}: {told}.",
        "See the close codes (1006: without a close frame) and the target's log.",
        ("closed", "codes", "ended_by_us", "reasons"),
    ),
    "connections_never_due": WarningKind(
        "at `connect_rate`, the run ends before the last connections may open",
        "{never_due} of {planned} planned connections were never due: at `connect_rate` the run ends before"
        " they may open.",
        "Raise connect_rate, or the duration. Those connections count as not ready.",
        ("never_due", "planned"),
        "no; connections.ready.ratio counts them",
    ),
    "stray_errors": WarningKind(
        "errors (`fail` or `refuse` of the protocol) ended no turn: they named none, or a turn that was"
        " already complete",
        "{errors} error messages of the target did not end a turn: they named none, or one that was"
        " complete already.",
        "See slowest.jsonl for the frames. loadtest may have counted turns as complete that these errors "
        "refused. If"
        " they are no failures, remove them from `fail` or `refuse` in the protocol.",
        ("errors", "begun"),
        "no; but the run fails if their number exceeds 1 % of the turns due. A threshold on"
        " events.stray_errors replaces this limit",
    ),
    "ends_came_again": WarningKind(
        "events that end a turn came for turns that were already complete, or that had already received"
        " this end",
        "{ended_again} ends of turns came again. Either the target sends them twice, or the protocol's `end`"
        " (or `end_all`) names events that come more than once.",
        "See slowest.jsonl for the frames. If the protocol file is wrong, let `end` name only the last event"
        " of a turn.",
        ("ended_again", "due"),
        "no; but the run fails if their number exceeds 1 % of the turns due. A threshold on turns.ended_again"
        " replaces this limit",
    ),
    "requests_refused": WarningKind(
        "turns were complete, although the target did not answer their HTTP request with success",
        "{refused} turns were complete, although the target did not answer their HTTP request with success.",
        "See the target's log, and slowest.jsonl for the first words of the answers. A client would count"
        " these turns as refused.",
        ("refused", "due"),
        "no; but the run fails if their number exceeds 1 % of the turns due. A threshold on"
        " turns.request_refused replaces this limit",
    ),
    "not_undone": WarningKind(
        "steps of [[prepare]] could not be undone",
        "{not_undone} steps of [[prepare]] were not undone{told}: what they made is left in the target.",
        "Remove by hand what these steps made in the target; see run.log. A threshold on"
        " connections.not_undone judges it.",
        ("not_undone", "reasons"),
    ),
    "left_unanswered": WarningKind(
        "loadtest closed connections, and on more than 1 % of them the target did not answer the last"
        " message (`leave`)",
        "The target did not answer `leave` on {left_unanswered} of the {left} connections that we closed: it"
        " said nothing in time, closed with an error, or broke the connection.",
        "See the target's log, or correct `leave` in the protocol file. A threshold on"
        " connections.left_unanswered judges it.",
        ("left_unanswered", "left"),
    ),
    "address_failed": WarningKind(
        "the target's name has several addresses. One of them refused a connection or was too slow, while"
        " another accepted one",
        "{share} addresses of the target's name failed: {told}.",
        "See whether a server listens at each address: a client that tries only one of them may get no"
        " connection. target.addresses sets which addresses are tried first.",
        ("addresses", "failed"),
    ),
    "address_changed": WarningKind(
        "loadtest looked up the target's name again for users who came back. It found addresses that were"
        " not there at the beginning",
        "During the run, the target's name resolved to {told}; it did not at the beginning. Users who"
        " reconnected used this address.",
        "Nothing to do if the target moved, for example in a deployment. Only users who reconnect use the"
        " new address; the first connection of a user always goes to the addresses that were found at the"
        " start.",
        ("lookups", "found"),
    ),
    "lookups_failed": WarningKind(
        "loadtest looked up the target's name again for users who came back, and found nothing. These users"
        " used the known addresses",
        "{failed} of {lookups} lookups of the target's name in mid-run failed{told}.",
        "Check the name service (DNS). Users who reconnect to an address that the target left are refused.",
        ("failed", "lookups", "reasons"),
    ),
    "pings_unanswered": WarningKind(
        "loadtest gave up a connection because it was silent. Or at the end, more pings were unanswered"
        " than can still be in flight",
        "{unanswered} of {sent} pings were never answered.",
        "See whether the target, or a proxy before it, answers control frames.",
        ("unanswered", "sent"),
    ),
    "heartbeats_unanswered": WarningKind(
        "loadtest gave up a connection because the target did not answer a heartbeat of the protocol in time",
        "{missed} connections were given up because a heartbeat was not answered ({sent} were sent).",
        "See whether the target answers heartbeats, and whether `answer` in the protocol fits its answers.",
        ("missed", "sent"),
    ),
    "answers_withheld": WarningKind(
        "the target sent over 1,000 requests a second on one connection, and loadtest left those beyond "
        "it unanswered",
        "{withheld} requests of the target were not answered: a connection answers 1,000 a second.",
        "The target is not to blame for turns that waited for such an answer. Spread the turns over more"
        " connections, or lower the load.",
        ("withheld", "answered"),
    ),
}
"""About the target: what it is, and what it did."""

GENERATOR_KINDS: dict[str, WarningKind] = {
    "generator_saturated": WarningKind(
        "a generator process used over 90 % of a core, on average or in more than a tenth of the measured"
        " seconds. A single such second is reported too, but does not spoil the run",
        "A generator process used {mean} of a core on average and {max} at most"
        " ({saturated} of {seconds} seconds above 90 %).",
        "Use more --processes or more machines, or lower the load.",
        ("mean", "max", "saturated", "seconds"),
        "in the open model: yes, unless only single seconds were busy. In the closed model: no. But"
        " thresholds on response time below ten times the p99 of lateness are not measured",
    ),
    "generator_unwatched": WarningKind(
        "connections were ready, and the generator's CPU was not read in any second of the measured part",
        "The generator's CPU was not read in the measured part, so whether it was saturated is unknown.",
        "Run again. If it happens again, this is a fault of loadtest.",
        (),
        "yes",
    ),
    "cpu_not_read": WarningKind(
        "this platform does not report the CPU time of a process",
        "This platform does not tell the generator its CPU time, so whether it was saturated is unknown.",
        "Watch the generator's CPU from outside, or run it on Linux, macOS or Windows.",
        ("system",),
    ),
    "generator_starved": WarningKind(
        "a generator process was ready to run but had no core for more than 20 % of the measured part",
        "A generator process was ready to run but had no core for {mean} of the time ({max} in the worst"
        " second): other processes of this machine used it.",
        "End what else runs on this machine, give the generator cores of its own, or use another machine."
        " send.lateness and receive.lag show what it cost.",
        ("mean", "max", "seconds"),
        "no; the delays that it caused have warnings of their own",
    ),
    "generator_stood_still": WarningKind(
        "the event loop of a generator process was late by a second or more. In sum this was over 10 % of"
        " the measured part, or once longer than a turn's timeout. The process was suspended (a closed"
        " laptop, a paused virtual machine, a throttled container), or something blocked it",
        "The generator stood still for {stood_still_ms} of the measured part, {longest_ms} at a stretch. It"
        " neither sent nor read in that time, so nothing is known of it.",
        "Run loadtest on a machine that is not suspended, paused or throttled (see cpu.stat of its cgroup).",
        ("stood_still_ms", "longest_ms"),
        "yes",
    ),
    "generator_late": WarningKind(
        "the generator itself sent messages too late. The p99 of its delay may be at most 10 % of the"
        " tightest threshold on response time, or 10 ms if there is no such threshold. Time spent waiting"
        " for a connection to become"
        " ready does not count",
        "{share} sent {lateness_ms} or more after it was due, because the generator was late"
        " (allowed: {allowed_ms}). Response time includes this delay, so it is an upper bound{told}.",
        "Use more --processes, lower the load, or look at service time, which does not include the delay.",
        ("lateness_ms", "allowed_ms", "thresholds"),
        "no. A threshold that passes still passes. A missed threshold on response time counts as not"
        " measured. It stays missed if service time misses it too, or if response time minus the longest"
        " delay does",
    ),
    "pace_not_kept": WarningKind(
        "chunks of a file went out late: p99 of `chunk.lateness` exceeds a tenth of the time between two"
        " chunks (with too few samples for p99: the largest value)",
        "{share} sent {lateness_ms} or more after it was due (allowed: {allowed_ms}). Either the generator"
        " was late, or the target did not read. The target did not hear the file at its pace, so no time of"
        " this run counts.",
        "See send.lateness. If it is small, find out why the target does not read. Otherwise use more"
        " --processes, lower the load, or give the generator cores of its own.",
        ("lateness_ms", "allowed_ms", "n"),
        "yes",
    ),
    "connections_not_opened": WarningKind(
        "this machine could not open connections. It ran out of open files (EMFILE, ENFILE), memory"
        " (ENOBUFS, ENOMEM) or local ports (EADDRNOTAVAIL, EADDRINUSE). These attempts never reached the"
        " target, so they do not count as refused",
        "This machine could not open {not_opened} of {attempted} connections: {told}.",
        "Files: raise ulimit -n. Ports: raise net.ipv4.ip_local_port_range, give the target several"
        " source_addresses, or use more machines.",
        ("not_opened", "attempted", "limits"),
        "yes",
    ),
    "load_not_reached_by_generator": WarningKind(
        "planned connections were not attempted, or planned turns were not begun, and the target is not the"
        " reason",
        "{missing} of {asked} planned {what} were not begun{measured}, and the target is not the reason.",
        "Use more --processes or more machines, or lower the load.",
        ("missing", "asked", "what", "measured_missing", "measured_due"),
        "if more than 1 % is missing",
    ),
    "too_few_samples": WarningKind(
        "a threshold names a percentile that needs more samples than the run has",
        "{name} needs {needed} samples; the run has {n}.",
        "Run longer, or use a lower percentile.",
        ("name", "needed", "n"),
        "no; the threshold counts as not measured",
    ),
    "worker_lost": WarningKind(
        "a worker process ended or fell silent before its last interval arrived",
        "A worker was lost, and with it what it had measured and not yet sent.",
        "See the worker's stderr (on its own machine, if remote), then run again.",
        ("worker",),
        "yes",
    ),
    "intervals_refused": WarningKind(
        "loadtest refused a second (interval) of a worker: it came twice or too late, was damaged, or"
        " belongs to no second of this run",
        "Intervals that arrived on the workers' port were refused. Earlier intervals of the same worker"
        " cannot be trusted either.",
        "Give master and workers a key (--key-env), and start every worker only once.",
        ("n",),
        "yes",
    ),
    "copies_not_followed": WarningKind(
        "several processes drove the run, and loadtest does not know which copies one of them received "
        "for an audience",
        "Copies for the members of an audience were not followed, so deliveries were not measured.",
        "Run again. If there were too many copies for one process, use more processes.",
        ("reason",),
    ),
    "clock_stepped": WarningKind(
        "the system's clock was set during the run; the kernel stamps arrivals by this clock",
        "The system's clock was stepped during the run, so durations across the step are wrong.",
        "Let the clock be slewed instead of set (chrony, ntpd -x) and run again.",
        ("by_ms", "worker"),
        "yes",
    ),
    "clock_step_injected": WarningKind(
        "LOADTEST_CLOCK_STEP was set. It is for tests, and makes every clock of loadtest coarser",
        "Every clock was made coarser on purpose, to steps of {step}; shorter durations are shown as"
        " '< {step}'.",
        "Unset LOADTEST_CLOCK_STEP.",
        ("step_ms",),
    ),
    "clock_coarse": WarningKind(
        "this system's clock goes in steps of 0.1 ms or more",
        "The clock of this system goes in steps of {step}; shorter durations are shown as '< {step}'.",
        "Run the generator on Linux.",
        ("step_ms",),
    ),
    "not_linux_no_kernel_stamps": WarningKind(
        "the kernel gave no arrival stamps, so arrivals were timed when they were read",
        "Arrivals were timed when they were read, not by the kernel: service time contains receive lag.",
        "Run the generator on Linux; see receive.lag for how late it read.",
        ("system",),
    ),
    "replies_by_order_after_timeout": WarningKind(
        "replies that are matched by order came after a turn of their connection had timed out. Each of"
        " them may answer an earlier turn",
        "{events} of {received} events were matched by order after a turn of their connection had timed out"
        " ({timed_out} turns did). Each may answer an earlier turn than the one it was counted for.",
        "Give the protocol a turn id ([events] turn), or a longer timeout. Until then look at ratios, not at"
        " times.",
        ("events", "received", "timed_out"),
        "no. But if more than 1 % of the measured events are such replies, thresholds on times of turns are"
        " not measured",
    ),
    "answers_by_order_unsure": WarningKind(
        "answers are matched by order, and several turns were in flight on a connection. The protocol does"
        " not say that the target answers in order",
        "{events} of {received} events were matched by order while several turns were in flight on their"
        " connection. Which turn each of them answers is not known.",
        "Give the protocol a turn id ([events] turn), or send one turn at a time. If the target answers in"
        " order, say `ordered = true`.",
        ("events", "received"),
        "no. But if more than 1 % of the measured events are such answers, thresholds on times of turns are"
        " not measured",
    ),
    "answers_contradict_order": WarningKind(
        "some turns ended before an event came that the protocol requires of each turn. These turns were"
        " matched by order, while several were in flight on their connection",
        "{turns} of {begun} turns ended without what the protocol requires, while others were in flight on"
        " their connection. The answers do not come in the order that the protocol file assumes.",
        "Correct the protocol file: give it a turn id ([events] turn), or send one turn at a time.",
        ("turns", "begun"),
        "no; but a threshold that would hold without these turns is not measured",
    ),
    "coalesced_reads": WarningKind(
        "events shared a read with a later frame: over 1 % of the measured events. Or because of them, "
        "p99 or a lower percentile of turns is only an upper bound",
        "{share} of the events shared a read with a later frame, and have the time stamp of that frame."
        " First-event times may be slightly too high, never too low{told}. Gaps within one read are not"
        " known, and those next to it may be too high or too low.",
        "Completion is exact if a connection has only one turn in flight.",
        ("share", "received", "bounds"),
    ),
    "age_by_two_clocks": WarningKind(
        "events carried the target's time of sending, and its clock and loadtest's clock agree within their"
        " uncertainty",
        "Ages of events are the difference of the target's clock and ours{where}: the true age may be"
        " {told}.",
        "If target and generator are two hosts, set both clocks by NTP or PTP. If the target writes times"
        " with more digits, ages are more exact.",
        ("dated", "from_future", "ahead", "step", "same_host", "error"),
        "no; but a threshold on an age is not measured if this uncertainty decides it",
    ),
    "target_clock_differs": WarningKind(
        "events carried the target's time of sending, but its clock and loadtest's clock differ, or may"
        " differ",
        "Ages of events were not measured: {told}.",
        "Set the clocks of both hosts by NTP or PTP, and look at `path` and `unit` of `sent_at`.",
        ("dated", "from_future", "ahead", "step", "same_host", "error"),
        "no; but thresholds on ages are not measured",
    ),
    "turns_sampled": WarningKind(
        "there were more turns than the turn table can hold. It has a sample of them, chosen by a stated"
        " rule",
        "The turn table holds a sample of the turns. Counts, rates and percentiles are of all turns.",
        "Nothing to do. Burst positions and plots of single turns show only the sampled turns.",
        ("turns", "one_in"),
    ),
    "interrupted": WarningKind(
        "the run was ended from outside (SIGINT, SIGTERM or SIGHUP, or somebody stopped it on its page)",
        "The run was interrupted; what was measured until then is stored.",
        "Run it to its end for a verdict.",
        (),
        "no; the outcome is interrupted, exit code 130",
    ),
    "cut_short": WarningKind(
        "the run was killed and did not end by itself",
        "The run was cut short: it did not end by itself. What came after the last stored second is missing.",
        "Run it to its end for a verdict.",
        ("seconds",),
        "yes",
    ),
    "aborted": WarningKind(
        "loadtest ended the run early, because an abort rule of the scenario applied or an event reached the"
        " wrong user",
        "The run was ended early by a rule of its own; the verdict is of what was measured until then.",
        "See the rule that applied.",
        ("rule",),
    ),
    "results_not_written": WarningKind(
        "loadtest could not write to the results folder, and ended the run early",
        "The results could not be written any more, so the run was ended early.",
        "Make room for the results folder, or name another with --results, and run again.",
        ("reason",),
        "yes",
    ),
    "limits_low": WarningKind(
        "the limits of open files or local ports are too low for the planned connections",
        "The limits of this machine are low for the planned connections.",
        "Raise them (ulimit -n; net.ipv4.ip_local_port_range) or use more machines.",
        ("nofile", "ports", "needed"),
    ),
    "answers_sound_wrong": WarningKind(
        "turns end by `count` alone, and the first answers all had a type that sounds like an error",
        "The answers that completed the first turns all had a type that sounds like an error. They count as"
        " good answers.",
        "If they are errors, name that type in `fail` of [events]: then no verdict takes them for answers.",
        ("answers", "type"),
    ),
    "messages_not_encoded": WarningKind(
        "the protocol's codec could not encode a message",
        "{unsendable} messages were not sent, because the codec could make no frame of them. Their turns"
        " failed by `codec`; the target received nothing.",
        "See slowest.jsonl for what the codec said. Correct the message in the protocol, the data, or the"
        " codec.",
        ("unsendable",),
        "yes",
    ),
    "requests_not_sent": WarningKind(
        "the HTTP request of a turn was not sent: too many requests waited for their answers, or a value"
        " made it invalid",
        "{unsent} HTTP requests of turns were not sent. Their turns failed by `http_unsent`; the target"
        " received nothing.",
        "See slowest.jsonl for the reason. Correct `send` of the protocol or the data, or send fewer requests"
        " at a time.",
        ("unsent",),
        "yes",
    ),
    "ledger_does_not_add_up": WarningKind(
        "counters contradict each other: for example, turns due are not the sum of turns begun and turns "
        "not attempted",
        "The counters do not add up: {told}.",
        "This is a fault of loadtest; please report it with the results folder.",
        ("laws",),
        "yes",
    ),
}
"""About the load generator, its clock, and the measurement."""

KINDS: dict[str, WarningKind] = {**TARGET_KINDS, **GENERATOR_KINDS}
"""Every warning there is, by its code."""


@dataclass(frozen=True, slots=True)
class RunWarning:
    """A reason to doubt or qualify the numbers. ``spoils``: the run is invalid for it."""

    code: str
    message: str
    remedy: str
    numbers: Mapping[str, Any]
    spoils: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As in ``run.json``."""
        return {
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "numbers": dict(self.numbers),
            "spoils": self.spoils,
        }


def warning(
    code: str, numbers: Mapping[str, Any], told: Mapping[str, str] | None = None, *, spoils: bool = False
) -> RunWarning:
    """The warning of a code; its message is filled in from ``told``, else from the numbers as they are."""
    kind = KINDS[code]
    words = {name: shown(value) for name, value in numbers.items()}
    message = kind.message.format_map({**words, **(told or {})})
    return RunWarning(code, message, kind.remedy, numbers, spoils or kind.spoils == "yes")


def shown(value: object) -> str:
    """A number of a warning as text."""
    return format_count(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)


_HEAD = """\
# Notices

A notice is a reason to doubt or qualify the numbers of a run. Notices are in every report, and in
`run.json` under `notices`, as `{code, message, remedy, numbers, spoils}`. A notice that spoils the run makes
it invalid (exit code 4): the run was measured, but must not be believed.

| code | raised when | numbers | what to do | spoils the run |
|---|---|---|---|---|
"""


def warnings_page() -> str:
    """The page ``docs/notices.md``: every code, when it is raised, its numbers, what to do, if it spoils."""
    return _HEAD + "".join(_row(code, kind) for code, kind in KINDS.items())


def _row(code: str, kind: WarningKind) -> str:
    numbers = " ".join(f"`{name}`" for name in kind.numbers) or "–"
    return f"| `{code}` | {kind.when} | {numbers} | {kind.remedy} | {kind.spoils} |\n"
