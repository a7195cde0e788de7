"""Records a run: fills its folder while it goes, ends it early where a rule says so, judges it at the end."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import gevent
import numpy as np

from loadtest.drive.coordinator import DriveResult, make_clock
from loadtest.drive.endpoint import Endpoint
from loadtest.drive.health.sampler import HealthSampler, sources_of
from loadtest.errors import Exit, LoadtestError, TargetError
from loadtest.judge.abort import end_early
from loadtest.judge.judge_run import judge_run
from loadtest.judge.live_thresholds import ThresholdSoFar, thresholds_so_far
from loadtest.judge.target_warnings import CLOSED
from loadtest.keep.fingerprint import fingerprint
from loadtest.keep.manifest import COMPLETE, INTERRUPTED, first_manifest, timestamp
from loadtest.keep.read import Run, read_run
from loadtest.keep.redact import RedactingFormatter, Redactor
from loadtest.keep.write import RunFolder
from loadtest.measure.interval import TURN, Interval
from loadtest.measure.totals import Totals
from loadtest.plan.schedule import turns_due
from loadtest.plan.secrets import read_token
from loadtest.plan.unmeasured import unless_marked, unmeasured_counters
from loadtest.plan.written_secrets import plan_secrets
from loadtest.run.prepare_run import Prepared, platform_facts
from loadtest.units import NS_PER_S

logger = logging.getLogger(__name__)

KINDS_OF_REASONS = (
    ("refusals", "refused"),
    ("closes", "closed by the target"),
    ("still_opening", "left while still opening"),
    ("lookups_failed", "the target's name could not be looked up again"),
    ("not_undone", "not taken back"),
    ("error_answers", "a turn was answered with an error"),
)
"""The kinds of reasons, as keys of the manifest and in words."""

REST = 150
"""How many times as long as a look at the thresholds took there is none: of messages less than 1 % wait."""

MAX_WRITING_NS = 300_000
"""Time spent on writing before the load goes on. A pause costs some 0.1 ms, a step often less."""

RESTS_S = 4.0
"""The most seconds for which an answer on thresholds may be old."""

if TYPE_CHECKING:
    from loadtest.run.live_server import LivePage

Watcher = Callable[[Interval], None]


class RunRecorder:
    """One run's folder, from its first second to its reports.

    ``stop`` is called when a rule ends the run early; ``watchers`` are called with every interval. ``page``
    shows the run in a browser, where that was asked for. ``at_end`` is called when the load is over,
    ``after_reports`` when the reports are written. ``health`` samples the target beside the load.
    """

    def __init__(self, prepared: Prepared, arguments: list[str], secrets: list[str]) -> None:
        options, scenario = prepared.options, prepared.scenario
        started = datetime.now(UTC)
        self.prepared = prepared
        self.redactor = Redactor([*secrets, *plan_secrets(prepared.scenario)])
        health = scenario.target.health
        self.folder = RunFolder.create(
            options.results_folder,
            scenario.name,
            options.label,
            started,
            self.redactor,
            sampled=() if health is None else health.names,
        )
        clock = make_clock(prepared.step_ns)
        self.manifest: dict[str, Any] = first_manifest(
            scenario,
            run_id=self.folder.id,
            label=options.label,
            started=started,
            turns_due=turns_due(scenario),
            fingerprint=fingerprint(scenario.sha256, arguments, redactor=self.redactor),
        )
        self.manifest["clock"] = {
            "resolution_ns": clock.resolution_ns,
            "step_ns": clock.step_ns or None,
            "kernel_stamps": clock.wall,
        }
        processes = options.workers or options.processes
        self.manifest["generator"] = {"limits": prepared.limits, "processes": processes}
        self._note_unmeasured(processes)
        self.manifest["observed"] = platform_facts(prepared)
        self.manifest["target"]["simulated"] = prepared.simulated
        if options.asked_by is not None:
            self.manifest["asked_by"] = options.asked_by
        self.folder.begin(self.manifest)
        self.stop: Callable[[], None] | None = None
        self.watchers: list[Watcher] = []
        self.page: LivePage | None = None
        self.health: HealthSampler | None = None
        self.at_end: list[Callable[[], None]] = []
        self.after_reports: list[Callable[[], None]] = []
        self.totals = Totals()
        self._stand_again_s = 0.0
        self._stand: tuple[int, tuple[ThresholdSoFar, ...]] | None = None
        self._log = self._open_log()

    def _note_unmeasured(self, processes: int) -> None:
        """Note what the protocols give no way to know: of each population, and so of the whole run."""
        scenario = self.prepared.scenario
        parts = {"": scenario} | {each.name: each.scenario for each in scenario.populations}
        for name, part in parts.items():
            into = self.manifest["populations"][name] if name else self.manifest
            into["unmeasured"] = unmeasured_counters(part.protocol)
            into["unless_marked"] = unless_marked(part.protocol, processes)
        of_parts = [self.manifest["populations"][name] for name in parts if name and parts[name].sends]
        for key in ("unmeasured", "unless_marked") if of_parts else ():
            self.manifest[key] = {name: why for each in of_parts for name, why in each[key].items()}

    def _open_log(self) -> logging.Handler:
        log = logging.FileHandler(self.folder.log, encoding="utf-8")
        log.setFormatter(RedactingFormatter(self.redactor, "%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        root.addHandler(log)
        root.setLevel(min(root.level or logging.INFO, logging.INFO))
        return log

    def driven_by_tasks(self) -> None:
        """The users' tasks decide what is sent and when: the plan does not know the number of turns."""
        self.manifest["load"]["planned"] |= {"turns_due": None, "turns_per_s": None, "by_tasks": True}

    def found(self, endpoint: Endpoint) -> None:
        """The target was found."""
        target = self.manifest["target"]
        target["url"] = endpoint.url
        target["address"], *others = addresses = endpoint.shown_addresses
        if others:
            target["addresses"] = addresses
        target["tls"] = (
            None if endpoint.tls is None else {"verified": not self.prepared.scenario.target.insecure}
        )
        if endpoint.proxy is not None:
            self.redactor.know(endpoint.proxy.secrets)
            proxy = {"url": endpoint.proxy.shown, "variable": endpoint.proxy.variable or None}
            target["proxy"] = proxy
            numbers = {"proxy": proxy["url"], "variable": proxy["variable"] or "[target] proxy"}
            self.manifest["observed"].append({"code": "proxied", "numbers": numbers})
        # A disk without room is reported with the first second, and ends the run.
        with suppress(OSError):
            self.folder.manifest(self.manifest)

    def thresholds_so_far(self) -> tuple[ThresholdSoFar, ...]:
        """Where the thresholds stand; computed once for each second, whoever asks.

        Where that takes long, as on a busy machine, less often, for messages that fall due meanwhile have to
        wait: every ``RESTS_S`` seconds at least.
        """
        seconds, now_s = len(self.totals.seconds), time.perf_counter()
        if self._stand is None or (self._stand[0] != seconds and now_s >= self._stand_again_s):
            self._stand = (seconds, thresholds_so_far(self.manifest, self.totals))
            after_s = time.perf_counter()
            self._stand_again_s = after_s + min((after_s - now_s) * REST, RESTS_S)
        return self._stand[1]

    def watch_target(self, start_wall_ns: Callable[[], int | None]) -> None:
        """Sample the target's health until the load is over, where the scenario asks for it."""
        health = self.prepared.scenario.target.health
        if health is None:
            return
        self.health = HealthSampler(sources_of(health, self.prepared.simulator_pid), start_wall_ns)
        # The sampler goes on to write its reasons there.
        self.manifest["target"]["health"] = self.health.facts()
        self.health.start()
        self.at_end.append(self.health.stop)

    def not_found(self, error: TargetError) -> DriveResult:
        """The target's name cannot be resolved: one refused attempt stands for all connections."""
        refused = {"connections.attempted": 1, f"connections.refused.{error.layer}": 1}
        self.folder.interval(Interval(second=0, counters={"measured": refused}))
        return DriveResult(observed={"refusals": {f"{error.layer}: {error.sentence}": 1}})

    def take(self, interval: Interval) -> None:
        """Store one second, show it, and end the run early if a rule says so."""
        self._learn_token()
        if self.health is not None:
            self.health.add_to(interval)
        try:
            since_ns = time.perf_counter_ns()
            for _ in self.folder.writing(interval):
                if time.perf_counter_ns() - since_ns >= MAX_WRITING_NS:
                    # Not 0: gevent would come straight back here without a look at its sockets.
                    gevent.sleep(0.0001)
                    since_ns = time.perf_counter_ns()
        except (LoadtestError, OSError) as error:
            # A full disk ends the run and makes it invalid, but it is no crash.
            self._not_written(error)
            return
        self.totals.add(interval)
        self._log_closes(interval)
        self._show(interval)
        self._check_rules((interval.second + 1) * NS_PER_S)

    def _learn_token(self) -> None:
        """Connections read the token's file anew: what it holds now is a secret, too."""
        auth = self.prepared.scenario.target.auth
        if auth is not None and auth.token_file is not None:
            with suppress(OSError, UnicodeDecodeError):
                self.redactor.know([read_token(auth.token_file)])

    def _log_closes(self, interval: Interval) -> None:
        """Log the close codes of a second, so that run.log says when connections ended."""
        closed: Counter[str] = Counter()
        for counters in interval.counters.values():
            closed.update({name: n for name, n in counters.items() if name.startswith(CLOSED)})
        for name, n in closed.items():
            code = name.removeprefix(CLOSED)
            logger.warning("second %d: %d connections ended, code %s", interval.second, n, code)

    def _show(self, interval: Interval) -> None:
        """Call every watcher; one that fails is removed, and the run goes on."""
        for watcher in list(self.watchers):
            try:
                watcher(interval)
            except Exception:
                self.watchers.remove(watcher)
                logger.exception("the display of the run's progress failed and was stopped")

    def _check_rules(self, elapsed_ns: int) -> None:
        scenario = self.prepared.scenario
        early = end_early(self.manifest, self.totals, scenario.abort, scenario.thresholds, elapsed_ns)
        if early is not None:
            self._end_early("aborted", {"rule": early.sentence})

    def _end_early(self, code: str, numbers: dict[str, Any]) -> None:
        if not any(fact["code"] == code for fact in self.manifest["observed"]):
            self.manifest["observed"].append({"code": code, "numbers": numbers})
            if self.stop is not None:
                self.stop()

    def close(self, result: DriveResult, *, interrupted: bool) -> Run:
        """Judge the run and write its results.

        If the folder is full or gone, the run is still judged, from what is in memory.

        Raises:
            Exception: what crashed the run.
        """
        self._note(result)
        ended = datetime.now(UTC)
        manifest = self.manifest
        self.stop = None
        try:
            manifest["observed"] += self.folder.close()
        except LoadtestError as error:
            self._not_written(error)
        manifest["ended"] = timestamp(ended)
        manifest["duration_s"] = (ended - datetime.fromisoformat(manifest["started"])).total_seconds()
        manifest["interrupted"] = interrupted
        manifest["status"] = INTERRUPTED if interrupted else COMPLETE
        if result.crash is not None:
            manifest["failure"] = _failure(result.crash)
        try:
            run = self._judged()
        except (LoadtestError, OSError) as error:
            self._not_written(error)
            run = self._judged_by_memory()
        self._log.close()
        logging.getLogger().removeHandler(self._log)
        if result.crash is not None:
            raise result.crash
        return run

    def _judged(self) -> Run:
        """The run, judged from its files."""
        self.folder.manifest(self.manifest)
        run = read_run(self.folder.path)
        judged = judge_run(run.manifest, run.totals(), run.turns(), self._seconds(run))
        self.folder.manifest(judged)
        return read_run(self.folder.path)

    def _judged_by_memory(self) -> Run:
        """The run, judged from memory: everything except what needs its single turns."""
        judged = judge_run(deepcopy(self.manifest), self.totals, np.empty(0, TURN), None)
        return Run(self.folder.path, self.redactor.manifest(judged))

    def _not_written(self, error: Exception) -> None:
        """The folder cannot be written any more: what was measured is judged, but the run is invalid."""
        self._end_early("results_not_written", {"reason": str(error)})

    def _seconds(self, run: Run) -> list[Interval] | None:
        """The intervals, if a threshold of a stage needs them."""
        staged = any(threshold.stage is not None for threshold in self.prepared.scenario.thresholds)
        return list(run.intervals()) if staged else None

    def _note(self, result: DriveResult) -> None:
        """Enter what was observed while driving into the manifest."""
        observed = self.manifest["observed"]
        seen = dict(result.observed)
        server = seen.pop("server", None)
        if server:
            self.manifest["target"]["server"] = server["server"] or None
            self.manifest["target"]["subprotocol"] = server["subprotocol"]
            # A simulator that somebody else started says so itself.
            self.manifest["target"]["simulated"] |= "(SIMULATED)" in str(server["server"])
        for kind, words in KINDS_OF_REASONS:
            if reasons := seen.pop(kind, None):
                self.manifest[kind] = reasons
                for reason, n in reasons.items():
                    logger.warning("%s %d times: %s", words, n, reason)
        tasks = {what: seen.pop(f"tasks_{what}", None) for what in ("raised", "failed")}
        if any(tasks.values()):
            self.manifest["tasks"] = {what: reasons or {} for what, reasons in tasks.items()}
        for what, reasons in tasks.items():
            for reason, n in (reasons or {}).items():
                logger.warning("a task %s %d times: %s", what, n, reason)
        observed += [{"code": code, "numbers": numbers} for code, numbers in seen.items()]
        if result.processes > 1:
            self.manifest["generator"]["processes"] = result.processes
            self._note_unmeasured(result.processes)
        observed += [{"code": "worker_lost", "numbers": {"worker": name}} for name in result.lost_workers]
        if result.refused_intervals:
            observed.append({"code": "intervals_refused", "numbers": {"n": result.refused_intervals}})


def _failure(crash: Exception) -> dict[str, Any]:
    """A crash of ours, or a mistake of the user, for the manifest."""
    if isinstance(crash, LoadtestError):
        return {"exit_code": int(crash.exit_code), "sentence": str(crash)}
    return {"exit_code": int(Exit.INTERNAL), "sentence": f"{type(crash).__name__}: {crash}"}


def exit_code_of(run: Run) -> Exit:
    """The exit code of a judged run; one that passed is invalid without the files that others wait for."""
    code = Exit(run.manifest["verdict"]["exit_code"])
    return Exit.INVALID if code is Exit.PASS and run.manifest.get("not_written") else code
