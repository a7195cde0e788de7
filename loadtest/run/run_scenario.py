"""``loadtest run``: from options to an exit code."""

from __future__ import annotations

import os
import sys

from loadtest.drive.coordinator import DriveResult
from loadtest.errors import Exit, TargetError, worst_of
from loadtest.keep.read import Run
from loadtest.plan.scenario import Scenario
from loadtest.plan.secrets import scenario_secrets
from loadtest.plan.settings import public_url
from loadtest.run.interrupts import Interrupts
from loadtest.run.locust_runner import drive
from loadtest.run.options import RunOptions
from loadtest.run.prepare_run import Prepared, prepare, start_target
from loadtest.run.run_recorder import RunRecorder, exit_code_of
from loadtest.show.progress import LiveProgress, working


def execute(options: RunOptions, scenario: Scenario | None = None) -> int:
    """Run a scenario ``repeat`` times, show each run, and return the exit code.

    ``scenario`` is the one that the options name, where it has been read already.

    Raises:
        ConfigError: something the user wrote is wrong; nothing was sent.
    """
    runs: list[Run] = []
    for number in range(options.repeat):
        if options.repeat > 1:
            sys.stderr.write(f"run {number + 1} of {options.repeat}\n")
        runs.append(run_once(prepare(options, scenario)))
        if exit_code_of(runs[-1]) == Exit.INTERRUPTED:
            break
    if len(runs) > 1:
        from loadtest.run.reporting import show_repeats

        show_repeats(runs, options)
    return worst_of([exit_code_of(run) for run in runs])


def run_once(prepared: Prepared) -> Run:
    """One run, from the simulator's start to the last report."""
    recording = RunRecorder(prepared, sys.argv, scenario_secrets(prepared.scenario, os.environ))
    with Interrupts(recording.folder.path) as interrupts:
        with prepared.closing:
            run = _drive_and_judge(recording, interrupts)
        # Not before the load: it would be a tenth of all that is imported until the first connection.
        from loadtest.run.reporting import show_run

        show_run(run, prepared.options)
        _finish_page(recording, interrupts)
        for finished in recording.after_reports:
            finished()
    if interrupts.too_late:
        raise KeyboardInterrupt
    return run


def _finish_page(recording: RunRecorder, interrupts: Interrupts) -> None:
    """Hand the report over to an open page; on a terminal it stays there until somebody closes it."""
    page = recording.page
    if page is None:
        return
    terminal = sys.stdout.isatty() and sys.stderr.isatty()
    if interrupts.signalled_already or not recording.prepared.options.page_stays(
        os.environ, terminal=terminal
    ):
        page.finish()
        return
    interrupts.waiting = page.close
    page.stay()


def _drive_and_judge(recording: RunRecorder, interrupts: Interrupts) -> Run:
    """Drive the run and judge it; a run whose target cannot be resolved is judged as well."""
    prepared = recording.prepared
    try:
        start_target(prepared)
        endpoint = prepared.endpoint()
    except TargetError as error:
        return recording.close(recording.not_found(error), interrupted=False)
    except Exception as error:
        return recording.close(DriveResult(crash=error), interrupted=False)
    recording.found(endpoint)
    if not endpoint.is_loopback:
        where = ", ".join(endpoint.shown_addresses)
        by = f" through the proxy {endpoint.proxy.shown}" if endpoint.proxy is not None else ""
        sys.stderr.write(f"sending to {recording.redactor.text(public_url(endpoint.url))}{by} at {where}\n")
    load = prepared.scenario.load
    progress = LiveProgress(
        (load.warmup_ns + load.duration_ns) / 1e9,
        warmup_s=load.warmup_ns / 1e9,
        thresholds=recording.thresholds_so_far,
        quiet=prepared.options.quiet,
    )
    with progress:
        recording.watchers.append(progress.interval)
        try:
            result = drive(recording, endpoint, interrupts)
        except Exception as error:
            result = DriveResult(crash=error)
    interrupts.reporting = True
    if interrupts.by is not None:
        recording.manifest["interrupted_by"] = interrupts.by
    with working("judging the run", quiet=prepared.options.quiet):
        return recording.close(result, interrupted=interrupts.caught)
