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
        "planned turns or connections were not begun, since the target refused or closed connections, let"
        " them wait longer than a turn may, or did not read 16 MiB that waited on one",
        "{missing} of {asked} planned {what} were not begun{measured}: the target {told}.",
        "See the refusals and closes; the ratios count what is missing.",
        ("missing", "asked", "what", "measured_missing", "measured_due", "not_read"),
    ),
    "batched_not_streamed": WarningKind(
        "the events of nine in ten turns all came within the last tenth of the turn, of turns that took 20 ms"
        " or more; never told while the generator's own delays could look like it",
        "The target answers in batches: the first event came when {share} of the turn's time was over (median"
        " of {turns} turns that took {service} each), and all the rest with it.",
        "If it is meant to stream, look for buffering in the backend or in a proxy before it.",
        ("first_event_share", "spread_share", "service_ms", "turns", "largest_lag_ms"),
    ),
    "insecure_tls": WarningKind(
        "certificates were not verified (--insecure)",
        "INSECURE: the target's certificate was not verified; anyone could have answered.",
        "Give the authority's certificate as ca_file instead of --insecure.",
    ),
    "proxied": WarningKind(
        "connections went through a proxy",
        "Connections went through a proxy: the figures hold its time and its limits.",
        'To measure the target alone, run where it is reached without one, with [target] proxy = "none".',
        ("proxy", "variable"),
    ),
    "other_hosts": WarningKind(
        "connections were opened to other hosts too, to which the target led its users",
        "The target led users to other hosts, which were under load too.",
        "Make sure that they are meant to be: the answer to a request, or a redirect, named them.",
        ("hosts",),
    ),
    "proxy_ignored": WarningKind(
        "the environment names a proxy, which connections do not go through",
        "Connections went to the target directly, although the environment names a proxy.",
        "Bypassing the proxy must be intended; else run where the target is reached without one. To say that"
        " none is wanted, put the target's host into NO_PROXY.",
        ("variables",),
    ),
    "rate_limited_by_plan": WarningKind(
        "a threshold speaks of a rate that the configured rate limited",
        "{name} was limited by the configured rate: it says that the target kept up, not what it could do.",
        "To find the capacity, raise the load, or use the closed model without think time.",
        ("name", "value", "n"),
    ),
    "foreign_events": WarningKind(
        "an event that carries another virtual user's mark arrived",
        "{foreign} events of other users arrived: the target mixes users up.",
        "See slowest.jsonl for the frames.",
        ("foreign", "received"),
        "no; the run fails, unless a threshold on events.foreign says what is allowed",
    ),
    "malformed_events": WarningKind(
        "a message arrived that the protocol cannot read",
        "{malformed} messages could not be read by the protocol.",
        "See slowest.jsonl for the frames; correct the protocol file, or the target.",
        ("malformed", "received"),
    ),
    "compression_not_negotiated": WarningKind(
        "compression was offered, and the target did not agree to it on some connections",
        "Compression was not negotiated on {not_negotiated} of {offered} connections: what was sent and"
        " received on them was not compressed.",
        "Switch permessage-deflate on in the target or in the proxy before it, or do not offer it: [target]"
        " compression = false.",
        ("not_negotiated", "offered"),
    ),
    "messages_not_taken": WarningKind(
        "messages were not sent: the target's receive window was full",
        "{not_taken} messages were not sent: the target's receive window was full. Their turns failed by"
        " `not_taken`.",
        "The target acknowledges too slowly for the plan: see slowest.jsonl for how many it takes (in MQTT"
        " the broker's `receive_maximum`); raise that, or spread the load over more connections.",
        ("not_taken",),
    ),
    "tasks_raised": WarningKind(
        "a task of a user written in Python ended by an exception",
        "{raised} times a task raised an exception{told}.",
        "See run.log for the first traceback of each. Either the target is wrong, or the task's check is.",
        ("raised", "by", "reasons"),
        "no; the run fails",
    ),
    "tasks_failed": WarningKind(
        "a task of a user written in Python called `fail`",
        "{failed} times a task said that it failed{told}.",
        "The reason is the task's own; slowest.jsonl has the frames of the slowest and of the broken turns.",
        ("failed", "reasons"),
        "no; the run fails",
    ),
    "turn_path_never_matched": WarningKind(
        "events came, and not one of them carried the id of a turn where the protocol looks for it",
        "{unmatched} events came, and not one carried the id of a turn at {paths}; top-level keys seen:"
        " {keys}.",
        "Correct `turn` under [events] in the protocol to the path of the id that the message sent;"
        " slowest.jsonl has the frames.",
        ("unmatched", "turn", "keys"),
    ),
    "type_path_never_matched": WarningKind(
        "no turn ended, and the last event of each that timed out had no type where the protocol looks for"
        " it",
        "{timed_out} turns timed out, and their last events had no type at {paths}; top-level keys seen:"
        " {keys}.",
        "Correct `type` under [events] in the protocol to the path of the events' type; slowest.jsonl has the"
        " frames.",
        ("timed_out", "begun", "last", "type", "keys"),
    ),
    "end_never_seen": WarningKind(
        "turns received events, and not one was ended by an event in the whole run",
        "{timed_out} of {begun} turns timed out{when}, and none was ever ended by an event: none of {ends}"
        " came{told}.",
        "Correct `end` under [events] in the protocol to the type that ends a turn, or see Broken turns.",
        ("timed_out", "begun", "last", "end"),
    ),
    "turns_timed_out": WarningKind(
        "turns were not over within their timeout",
        "{timed_out} of {begun} turns timed out{when}{told}.",
        "See Broken turns in the report for what they received, and the timeline for when.",
        ("timed_out", "begun", "last"),
    ),
    "delivery_faults": WarningKind(
        "events were lost, came twice, out of order, late or for nobody, or one of a pair or a required one"
        " was missing",
        "Events were not delivered as the protocol promises: {told}.",
        "See slowest.jsonl for the frames; add thresholds on events.* to judge it.",
        ("lost", "duplicate", "out_of_order", "late", "unmatched", "missing_required", "unpaired"),
    ),
    "sequence_not_followed": WarningKind(
        "turns carried sequence numbers that do not count their events: with a gap of more than 65,536, below"
        " `sequence_start`, or no whole number",
        "{turns} of {begun} turns carried sequence numbers that cannot be followed ({told}): which of their"
        " events were lost, came twice or out of order is not known.",
        "Correct `sequence` and `sequence_start` under [events] in the protocol, or the target's numbers;"
        " slowest.jsonl has the frames.",
        ("turns", "begun", "by"),
        "no; loss, duplicates and order are null, and thresholds on them not measured",
    ),
    "refused_connections": WarningKind(
        "the target refused connections, by layer",
        "{refused} of {attempted} connection attempts to {where} were refused: {told}.",
        "See run.log for every kind of refusal.",
        ("refused", "attempted", "layers", "reasons"),
    ),
    "unexpected_closes": WarningKind(
        "connections ended that we had not left: the target closed them, they broke, or we gave them up",
        "{closed} connections ended before we left them{when}: {told}.",
        "See the close codes (1006: without a close frame) and the target's log.",
        ("closed", "codes", "ended_by_us", "reasons"),
    ),
    "connections_never_due": WarningKind(
        "the run ends before `connect_rate` lets the last connections open",
        "{never_due} of {planned} planned connections were never due: at `connect_rate` the run ends before"
        " they would open.",
        "Raise connect_rate, or the duration. Those connections count as not ready.",
        ("never_due", "planned"),
        "no; connections.ready.ratio counts them",
    ),
    "stray_errors": WarningKind(
        "errors by the protocol's `fail` or `refuse` came that ended no turn: they named none, or one that"
        " was complete",
        "{errors} errors of the target ended no turn: they named none, or one that was complete.",
        "See slowest.jsonl for the frames: what they refuse was counted as done. If they are no failures,"
        " take them out of `fail` or `refuse` in the protocol.",
        ("errors", "begun"),
        "no; above 1 % of the turns due the run fails, unless a threshold on events.stray_errors says what is"
        " allowed",
    ),
    "ends_came_again": WarningKind(
        "ends of turns came again: for turns that were complete, or that had this end already",
        "{ended_again} ends of turns came again: the target sends them twice, or the protocol's `end` (or"
        " `end_all`) names events that come more than once.",
        "See slowest.jsonl for the frames. If it is the protocol file, name the last event of a turn alone.",
        ("ended_again", "due"),
        "no; above 1 % of the turns due the run fails, unless a threshold on turns.ended_again says what is"
        " allowed",
    ),
    "requests_refused": WarningKind(
        "turns were complete by their events, though the target did not answer their request by HTTP with"
        " success",
        "{refused} turns were complete, though the target did not answer their request by HTTP with success.",
        "See the target's log, and slowest.jsonl for the first words of the answers: a client would have"
        " taken these turns for refused.",
        ("refused", "due"),
        "no; above 1 % of the turns due the run fails, unless a threshold on turns.request_refused says what"
        " is allowed",
    ),
    "not_undone": WarningKind(
        "steps of [[prepare]] could not be taken back",
        "{not_undone} steps of [[prepare]] were not taken back{told}: what they made is left in the target.",
        "Clean the target up by hand; see run.log. A threshold on connections.not_undone judges it.",
        ("not_undone", "reasons"),
    ),
    "left_unanswered": WarningKind(
        "more than 1 % of the connections that we left got no answer to our last word (`leave` of [connect])",
        "{left_unanswered} of {left} connections that we left got no answer to our last word: the target said"
        " nothing in time, closed with an error, or broke the connection.",
        "See the target's log, or correct `leave` in the protocol file. A threshold on"
        " connections.left_unanswered judges it.",
        ("left_unanswered", "left"),
    ),
    "address_failed": WarningKind(
        "of the addresses of the target's name, at least one refused a connection or was too slow, while"
        " another took one",
        "{share} addresses of the target's name failed: {told}.",
        "See whether a server listens at each address: a client that tries only one would have had no"
        " connection. Which are tried first is said by target.addresses.",
        ("addresses", "failed"),
    ),
    "address_changed": WarningKind(
        "the target's name, looked up again for users who came back, had addresses that it did not have at"
        " the beginning",
        "In mid-run the target's name led to {told}, which it did not at the beginning: users who came"
        " back were sent there.",
        "Nothing to do where the target was moved, as by a deployment. First connections of users keep to the"
        " addresses of the beginning.",
        ("lookups", "found"),
    ),
    "lookups_failed": WarningKind(
        "the target's name was looked up again for users who came back, and found nothing: they went on with"
        " the addresses that were known",
        "{failed} of {lookups} lookups of the target's name in mid-run failed{told}.",
        "See the name service. A user who comes back to an address that is not the target's any more is"
        " refused.",
        ("failed", "lookups", "reasons"),
    ),
    "pings_unanswered": WarningKind(
        "a connection was given up as silent, or more pings were unanswered at the end than could still be in"
        " flight",
        "{unanswered} of {sent} pings were never answered.",
        "See whether the target, or a proxy before it, answers control frames.",
        ("unanswered", "sent"),
    ),
    "heartbeats_unanswered": WarningKind(
        "a connection was given up because a heartbeat of the protocol was not answered within its time",
        "{missed} connections were given up because a heartbeat was not answered ({sent} were sent).",
        "See whether the target answers heartbeats, and whether `answer` in the protocol fits what it says.",
        ("missed", "sent"),
    ),
    "answers_withheld": WarningKind(
        "the target asked more on one connection than a connection answers in a second",
        "{withheld} requests of the target were not answered: a connection answers 1,000 a second.",
        "Turns that waited for such an answer are not the target's failures: spread them over more"
        " connections, or lower the load.",
        ("withheld", "answered"),
    ),
}
"""About the target: what it is, and what it did."""

GENERATOR_KINDS: dict[str, WarningKind] = {
    "generator_saturated": WarningKind(
        "a generator process used more than 90 % of a core, on average over the measured part or in more than"
        " a tenth of its seconds; a single such second is told too and does not spoil the run",
        "A generator process used {mean} of a core on average and {max} at most"
        " ({saturated} of {seconds} seconds above 90 %).",
        "Use more --processes or more machines, or lower the load.",
        ("mean", "max", "saturated", "seconds"),
        "in the open model, unless only single seconds were busy; in the closed model, response-time"
        " thresholds below ten times the p99 of lateness are not measured",
    ),
    "generator_unwatched": WarningKind(
        "connections were ready, and the generator's CPU was not read in any second of the measured part",
        "The generator's CPU was not read in the measured part, so whether it was saturated is unknown.",
        "Run again; if it stays so, this is a fault of loadtest.",
        (),
        "yes",
    ),
    "cpu_not_read": WarningKind(
        "this platform does not tell a process its CPU time",
        "This platform does not tell the generator its CPU time, so whether it was saturated is unknown.",
        "Watch the generator's CPU from outside, or run it on Linux, macOS or Windows.",
        ("system",),
    ),
    "generator_starved": WarningKind(
        "a generator process was ready to run and had no core for more than 20 % of the measured part",
        "A generator process was runnable without a core for {mean} of the time ({max} in the worst second):"
        " other processes of this machine took it.",
        "End what else runs on this machine, give the generator cores of its own, or use another machine; see"
        " send.lateness and receive.lag for what it cost.",
        ("mean", "max", "seconds"),
        "no; what it costs shows in lateness and receive lag, and is judged there",
    ),
    "generator_stood_still": WarningKind(
        "the event loop of a generator process was late by a second or more, in sum for more than 10 % of the"
        " measured part, or once for longer than a turn's timeout: the process was suspended (a laptop's lid,"
        " a paused virtual machine, a throttled container), or something held it up",
        "The generator stood still for {stood_still_ms} of the measured part, {longest_ms} at a stretch: it"
        " neither sent nor looked, so that nothing is known of that time.",
        "Run it on a machine that is not suspended, paused or throttled (see cpu.stat of its cgroup).",
        ("stood_still_ms", "longest_ms"),
        "yes",
    ),
    "generator_late": WarningKind(
        "messages went out later than planned by our own delay: p99 of lateness is more than 10 % of the"
        " tightest threshold on response time, or more than 10 ms without one; waiting for a connection that"
        " is not ready is not our delay",
        "{share} sent {lateness_ms} or more after it was due, by the generator's own"
        " delay (allowed: {allowed_ms}). Response time contains this delay, so it is an upper"
        " bound{told}.",
        "Use more --processes, lower the load, or look at service time, which does not contain it.",
        ("lateness_ms", "allowed_ms", "thresholds"),
        "no. A threshold that is held stays held. One on response time that is missed counts as not measured"
        " if neither service time nor response time minus our longest delay misses it",
    ),
    "pace_not_kept": WarningKind(
        "chunks of a file went out late: p99 of `chunk.lateness` (the largest where it has fewer samples) is"
        " more than a tenth of the time between two chunks",
        "{share} sent {lateness_ms} or more after it was due (allowed: {allowed_ms}), by the generator's own"
        " delay, or because the target did not read. It did not hear the file at its pace, so no time of this"
        " run counts.",
        "See send.lateness: where that is small, see why the target does not read. Else use more --processes,"
        " lower the load, or give the generator cores of its own.",
        ("lateness_ms", "allowed_ms", "n"),
        "yes",
    ),
    "connections_not_opened": WarningKind(
        "this machine could not open connections, for want of open files (EMFILE, ENFILE), memory (ENOBUFS,"
        " ENOMEM) or local ports (EADDRNOTAVAIL, EADDRINUSE); the target was not asked, so none of them"
        " counts as refused",
        "This machine could not open {not_opened} of {attempted} connections: {told}.",
        "Files: raise ulimit -n. Ports: raise net.ipv4.ip_local_port_range, give the target several"
        " source_addresses, or use more machines.",
        ("not_opened", "attempted", "limits"),
        "yes",
    ),
    "load_not_reached_by_generator": WarningKind(
        "planned turns or connections were not begun, though the target refused, closed and delayed nothing",
        "{missing} of {asked} planned {what} were not begun{measured}, and the target is not the reason.",
        "Use more --processes or more machines, or lower the load.",
        ("missing", "asked", "what", "measured_missing", "measured_due"),
        "if more than 1 % is missing",
    ),
    "too_few_samples": WarningKind(
        "a threshold names a percentile that needs more samples than were taken",
        "{name} needs {needed} samples, {n} were taken.",
        "Run longer, or judge a coarser percentile.",
        ("name", "needed", "n"),
        "no; the threshold counts as not measured",
    ),
    "worker_lost": WarningKind(
        "a worker process ended or fell silent before its last interval had arrived",
        "A worker was lost, and with it what it had measured and not yet sent.",
        "See its stderr (on its own machine, if remote), then run again.",
        ("worker",),
        "yes",
    ),
    "intervals_refused": WarningKind(
        "an interval came that its worker cannot have measured: twice, too late, of no second of this run,"
        " or damaged",
        "Intervals that came over the port of the workers were refused; what their worker sent before"
        " cannot be believed either.",
        "Give master and workers a key (--key-env), and start every worker once.",
        ("n",),
        "yes",
    ),
    "copies_not_followed": WarningKind(
        "several processes drove the run, and what one of them saw of copies for an audience is not known",
        "Copies for the members of an audience were not followed, so deliveries were not measured.",
        "Run it again; where there were too many copies for one process, with more of them.",
        ("reason",),
    ),
    "clock_stepped": WarningKind(
        "the system's clock, by which the kernel stamps arrivals, was set during the run",
        "The system's clock was stepped during the run, so that durations across the step are wrong.",
        "Let the clock be slewed instead of set (chrony, ntpd -x) and run again.",
        ("by_ms", "worker"),
        "yes",
    ),
    "clock_step_injected": WarningKind(
        "LOADTEST_CLOCK_STEP was set, which coarsens every clock of loadtest for tests",
        "Every clock was coarsened on purpose, to steps of {step}; shorter durations are shown as"
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
        "the kernel gave no arrival stamps, so that arrivals were timed when they were read",
        "Arrivals were timed when they were read, not by the kernel: service time contains receive lag.",
        "Run the generator on Linux; see receive.lag for how late it read.",
        ("system",),
    ),
    "replies_by_order_after_timeout": WarningKind(
        "replies were matched to turns by their order, and came after a turn of their connection had timed"
        " out, so that each may answer an earlier turn",
        "{events} of {received} events came on connections on which a turn had timed out ({timed_out} did),"
        " and are matched by order alone: each may answer an earlier turn than the one it was counted for.",
        "Give the protocol a turn id ([events] turn), or a longer timeout; until then look at ratios, not at"
        " times.",
        ("events", "received", "timed_out"),
        "no; but where they are more than 1 % of the events of the measured part, thresholds on times of"
        " turns count as not measured",
    ),
    "answers_by_order_unsure": WarningKind(
        "answers are matched to turns by their order, the protocol does not say that the target answers in"
        " order, and several turns were in flight on a connection",
        "{events} of {received} events came while several turns were in flight on their connection, and are"
        " matched by order alone: which turn each answers is not known.",
        "Give the protocol a turn id ([events] turn), send one turn at a time, or say `ordered = true` where"
        " the target answers in order.",
        ("events", "received"),
        "no; but where they are more than 1 % of the events of the measured part, thresholds on times of"
        " turns count as not measured",
    ),
    "answers_contradict_order": WarningKind(
        "turns matched by order ended without what the protocol requires of them, while several were in"
        " flight on their connection",
        "{turns} of {begun} turns ended without what the protocol requires, with others in flight on their"
        " connection: the answers do not come in the order that the protocol file takes them in.",
        "Correct the protocol file: give it a turn id ([events] turn), or send one turn at a time.",
        ("turns", "begun"),
        "no; but thresholds that only these turns miss count as not measured",
    ),
    "coalesced_reads": WarningKind(
        "more than 1 % of the events of the measured part came in one read with a later frame, or so many"
        " turns had their first or last event in a shared read that p99, or a coarser percentile, is only an"
        " upper bound",
        "{share} of the events came in one read with a later frame, and have its time stamp. So first-event"
        " times and gaps may be a little too high, never too low{told}.",
        "Completion is exact with one turn in flight on a connection.",
        ("share", "received", "bounds"),
    ),
    "age_by_two_clocks": WarningKind(
        "events carried the time that the target sent them at, and the two clocks agree within their"
        " uncertainty",
        "Ages of events are the difference of the target's clock and ours{where}: the true age may be"
        " {told}.",
        "Of two hosts, set both clocks by NTP or PTP. Times with more digits leave less open.",
        ("dated", "from_future", "ahead", "step", "same_host", "error"),
        "no; a threshold on an age that this leaves open is not measured",
    ),
    "target_clock_differs": WarningKind(
        "events carried the time that the target sent them at, and its clock and ours differ, or may",
        "Ages of events were not measured: {told}.",
        "Set the clocks of both hosts by NTP or PTP, and look at `path` and `unit` of `sent_at`.",
        ("dated", "from_future", "ahead", "step", "same_host", "error"),
        "no; thresholds on ages are not measured",
    ),
    "turns_sampled": WarningKind(
        "there were more turns than the turn table keeps, so that it holds a part of them, by a stated rule",
        "The turn table holds a part of the turns; counts, rates and percentiles are of all of them.",
        "Nothing to do; burst positions and pictures of single turns are of the sample.",
        ("turns", "one_in"),
    ),
    "interrupted": WarningKind(
        "the run was ended from outside (SIGINT, SIGTERM or SIGHUP, or somebody stopped it on its page)",
        "The run was interrupted; what was measured until then is kept.",
        "Run it to its end for a verdict.",
        (),
        "no; the outcome is interrupted, exit code 130",
    ),
    "cut_short": WarningKind(
        "the run was killed and never ended by itself",
        "The run was cut short: it never ended by itself. What came after the last second that was kept"
        " is missing.",
        "Run it to its end for a verdict.",
        ("seconds",),
        "yes",
    ),
    "aborted": WarningKind(
        "an abort rule of the scenario held, or an event reached the wrong user, and the run was ended early",
        "The run was ended early by a rule of its own; the verdict is of what was measured until then.",
        "See the rule that held.",
        ("rule",),
    ),
    "results_not_written": WarningKind(
        "the results folder could not be written to, so that the run was ended early",
        "The results could not be written any more, and the run was ended early.",
        "Make room for the results folder, or name another with --results, and run again.",
        ("reason",),
        "yes",
    ),
    "limits_low": WarningKind(
        "the limits of open files or local ports do not cover the planned connections",
        "The limits of this machine are low for the planned connections.",
        "Raise them (ulimit -n; net.ipv4.ip_local_port_range) or use more machines.",
        ("nofile", "ports", "needed"),
    ),
    "answers_sound_wrong": WarningKind(
        "turns end by `count` alone, and the first answers all had an error-like type",
        "The answers that completed the first turns all had an error-like type, and count as good ones.",
        "If they are errors, name that type in `fail` of [events]: then no verdict takes them for answers.",
        ("answers", "type"),
    ),
    "messages_not_encoded": WarningKind(
        "the protocol's codec could make no frame of a message",
        "{unsendable} messages were not sent, since the codec could make no frame of them; their turns failed"
        " by `codec`, and the target was not asked.",
        "See slowest.jsonl for what the codec said; correct the message in the protocol, the data, or the"
        " codec.",
        ("unsendable",),
        "yes",
    ),
    "requests_not_sent": WarningKind(
        "the request of a turn by HTTP was not sent, since too many waited for their answers or a value"
        " made no request of it",
        "{unsent} requests of turns by HTTP were not sent; their turns failed by `http_unsent`, and the"
        " target was not asked.",
        "See slowest.jsonl for the reason; correct `send` of the protocol or the data, or send less at a"
        " time.",
        ("unsent",),
        "yes",
    ),
    "ledger_does_not_add_up": WarningKind(
        "counters contradict each other, such as turns due against turns begun and not attempted",
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

A notice is a reason to doubt or qualify the numbers of a run. It stands in `run.json` under `notices`, as
`{code, message, remedy, numbers, spoils}`, and in every report. One that spoils the result makes the run
invalid (exit code 4): it was measured, but is not to be believed.

| code | raised when | numbers | what to do | spoils the run |
|---|---|---|---|---|
"""


def warnings_page() -> str:
    """The page ``docs/notices.md``: every code, when it is raised, its numbers, what to do, if it spoils."""
    return _HEAD + "".join(_row(code, kind) for code, kind in KINDS.items())


def _row(code: str, kind: WarningKind) -> str:
    numbers = " ".join(f"`{name}`" for name in kind.numbers) or "–"
    return f"| `{code}` | {kind.when} | {numbers} | {kind.remedy} | {kind.spoils} |\n"
