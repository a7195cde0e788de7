"""Every notice about ourselves: the generator, its clock, and the measurement."""

from __future__ import annotations

from loadtest.judge.kind import Kind

SELF_KINDS: dict[str, Kind] = {
    "generator_saturated": Kind(
        "a generator process used more than 90 % of a core, on average over the measured part or in more than"
        " a tenth of its seconds; as a remark also where it did so in a single second",
        "A generator process used {mean} of a core on average and {max} at most"
        " ({saturated} of {seconds} seconds above 90 %).",
        "Use more --processes or more machines, or lower the load.",
        ("mean", "max", "saturated", "seconds"),
        "in the open model, unless only single seconds were busy; in the closed model it makes thresholds on"
        " response time not measured whose limit is less than ten times the p99 of lateness",
    ),
    "generator_unwatched": Kind(
        "connections were ready, and the generator's CPU was not read in any second of the measured part",
        "The generator's CPU was not read in the measured part, so that nobody can say that the generator was"
        " not saturated.",
        "Run again; if it stays so, this is a fault of loadtest.",
        (),
        "yes",
    ),
    "cpu_not_read": Kind(
        "this platform does not tell a process its CPU time",
        "This platform does not tell the generator its CPU time: whether it was saturated is not known.",
        "Watch the generator's CPU from outside, or run it on Linux, macOS or Windows.",
        ("system",),
    ),
    "generator_starved": Kind(
        "a generator process was ready to run and had no core for more than 20 % of the measured part",
        "A generator process waited for a core for {mean} of the time on average and {max} of a second at"
        " most: other processes of this machine took it.",
        "End what else runs on this machine, give the generator cores of its own, or use another machine; see"
        " send.lateness and receive.lag for what it cost.",
        ("mean", "max", "seconds"),
        "no; what it costs shows in lateness and receive lag, and is judged there",
    ),
    "generator_stood_still": Kind(
        "the event loop of a generator process was late by a second or more, in sum for more than 10 % of the"
        " measured part, or once for longer than a turn's timeout: the process was suspended (a laptop's lid,"
        " a paused virtual machine, a throttled container), or something held it up",
        "The generator stood still for {stood_still_ms} of the measured part, {longest_ms} at a stretch: it"
        " neither sent nor looked, so that nothing is known of that time.",
        "Run it on a machine that is not suspended, paused or throttled (see cpu.stat of its cgroup).",
        ("stood_still_ms", "longest_ms"),
        "yes",
    ),
    "generator_late": Kind(
        "messages went out later than planned by our own delay: p99 of lateness is more than 10 % of the"
        " tightest threshold on response time, or more than 10 ms without one; waiting for a connection that"
        " is not ready is not our delay",
        "{share} sent {lateness_ms} ms or more after it was due, by the generator's own"
        " delay (allowed: {allowed_ms} ms). Response time contains this delay, so it is an upper"
        " bound{told}.",
        "Use more --processes, lower the load, or look at service time, which does not contain it.",
        ("lateness_ms", "allowed_ms", "thresholds"),
        "no: what holds with the delay holds without it. A threshold on response time that is missed counts"
        " as not measured where the delay can explain it: service time does not miss, nor does response time"
        " without the longest delay",
    ),
    "connections_not_opened": Kind(
        "this machine could not open connections, for want of open files (EMFILE, ENFILE), memory (ENOBUFS,"
        " ENOMEM) or local ports (EADDRNOTAVAIL, EADDRINUSE); the target was not asked, so none of them"
        " counts as refused",
        "This machine could not open {not_opened} of {attempted} connections: {told}.",
        "Files: raise ulimit -n. Ports: raise net.ipv4.ip_local_port_range, give the target several"
        " source_addresses, or use more machines.",
        ("not_opened", "attempted", "limits"),
        "yes",
    ),
    "load_not_reached_by_generator": Kind(
        "planned turns or connections were not begun, though the target refused, closed and delayed nothing",
        "{missing} of {asked} planned {what} were not begun{measured}, though the target stood in the way of"
        " none.",
        "Use more --processes or more machines, or lower the load.",
        ("missing", "asked", "what", "measured_missing", "measured_due"),
        "if more than 1 % is missing",
    ),
    "too_few_samples": Kind(
        "a threshold names a percentile that needs more samples than were taken",
        "{name} needs {needed} samples, {n} were taken.",
        "Run longer, or judge a coarser percentile.",
        ("name", "needed", "n"),
        "no; the threshold counts as not measured",
    ),
    "worker_lost": Kind(
        "a worker process ended or fell silent before its last interval had arrived",
        "A worker was lost, and with it what it had measured and not yet sent.",
        "Its last words stand on stderr, of its own machine if it was on another one; run again.",
        ("worker",),
        "yes",
    ),
    "clock_stepped": Kind(
        "the system's clock, by which the kernel stamps arrivals, was set during the run",
        "The system's clock was stepped during the run, so that durations across the step are wrong.",
        "Let the clock be slewed instead of set (chrony, ntpd -x) and run again.",
        ("by_ms", "worker"),
        "yes",
    ),
    "clock_step_injected": Kind(
        "LOADTEST_CLOCK_STEP was set, which coarsens every clock of loadtest for tests",
        "Every clock was coarsened on purpose, to steps of {step}; shorter durations are told as below it.",
        "Unset LOADTEST_CLOCK_STEP.",
        ("step_ms",),
    ),
    "clock_coarse": Kind(
        "this system's clock goes in steps of 0.1 ms or more",
        "The clock of this system goes in steps of {step}; shorter durations are told as below it.",
        "Run the generator on Linux.",
        ("step_ms",),
    ),
    "not_linux_no_kernel_stamps": Kind(
        "the kernel gave no arrival stamps, so that arrivals were timed when they were read",
        "Arrivals were timed when they were read, not by the kernel: service time contains receive lag.",
        "Run the generator on Linux; see receive.lag for how late it read.",
        ("system",),
    ),
    "replies_by_order_after_timeout": Kind(
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
    "answers_by_order_unsure": Kind(
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
    "answers_contradict_order": Kind(
        "turns matched by order ended without what the protocol requires of them, while several were in"
        " flight on their connection",
        "{turns} of {begun} turns ended without what the protocol requires, with others in flight on their"
        " connection: the answers do not come in the order that the protocol file takes them in.",
        "Correct the protocol file: give it a turn id ([events] turn), or send one turn at a time.",
        ("turns", "begun"),
        "no; but thresholds that only these turns miss count as not measured",
    ),
    "coalesced_reads": Kind(
        "more than 1 % of the events of the measured part shared one read with the event before, or the first"
        " or last events of so many turns did with a later one that p99 or a coarser percentile is an upper"
        " bound",
        "{share} of the events were read together with the one before. So first-event times and gaps may be a"
        " little too high, never too low{told}.",
        "Completion is exact with one turn in flight on a connection.",
        ("share", "received", "bounds"),
    ),
    "turns_sampled": Kind(
        "there were more turns than the turn table keeps, so that it holds a part of them, by a stated rule",
        "The turn table holds a part of the turns; counts, rates and percentiles are of all of them.",
        "Nothing to do; burst positions and pictures of single turns are of the sample.",
        ("turns", "one_in"),
    ),
    "interrupted": Kind(
        "the run was ended from outside (SIGINT or SIGTERM, or somebody stopped it on Locust's page)",
        "The run was interrupted; what was measured until then is kept.",
        "Run it to its end for a verdict.",
        (),
        "no; the outcome is interrupted, exit code 130",
    ),
    "cut_short": Kind(
        "the run was killed and never ended by itself",
        "The run was cut short: it never ended by itself. What came after the last second that was kept"
        " is missing.",
        "Run it to its end for a verdict.",
        ("seconds",),
        "yes",
    ),
    "aborted": Kind(
        "an abort rule of the scenario held, or an event reached the wrong user, and the run was ended early",
        "The run was ended early by a rule of its own; the verdict is of what was measured until then.",
        "See the rule that held.",
        ("rule",),
    ),
    "results_not_written": Kind(
        "the results folder could not be written to, so that the run was ended early",
        "The results could not be written any more, and the run was ended early.",
        "Make room for the results folder, or name another with --results, and run again.",
        ("reason",),
        "yes",
    ),
    "limits_low": Kind(
        "the limits of open files or local ports do not cover the planned connections",
        "The limits of this machine are low for the planned connections.",
        "Raise them (ulimit -n; net.ipv4.ip_local_port_range) or use more machines.",
        ("nofile", "ports", "needed"),
    ),
    "ledger_does_not_add_up": Kind(
        "counters contradict each other, such as turns due against turns begun and not attempted",
        "The counters do not add up: {told}.",
        "This is a fault of loadtest; please report it with the results folder.",
        ("laws",),
        "yes",
    ),
}
