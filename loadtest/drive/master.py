"""The master: hands out plan, users and start; merges what workers send; waits for the last interval.

master                                   worker
test_start     ── lt_plan ─────────────►  keeps the plan
               ◄───────────── lt_counted  how many users Locust gave it
               ── lt_clock ────────────►  (5 times)
               ◄─────────────── lt_clock
               ── lt_go ───────────────►  begins at the common instant, with the identities of its users
               ◄──────────── lt_secrets   a token that it was given: before what may hold it
               ◄──────────── lt_interval  every second
               ── lt_stop ─────────────►  (abort, interrupt)
               ◄──────────────── lt_done  how many intervals there were
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

import gevent
from typing_extensions import override

from loadtest.drive.coordinator import Coordinator, GiveInterval, RunSpec
from loadtest.drive.endpoint import known_addresses
from loadtest.drive.observations import add_facts
from loadtest.errors import ConfigError, LoadtestError
from loadtest.measure.delivery_replay import DeliveryReplay
from loadtest.measure.interval import Interval, from_bytes, merge
from loadtest.plan.audience import audiences, has_audience, population_names
from loadtest.plan.scenario import Scenario
from loadtest.plan.schedule import planned_users, schedules, share
from loadtest.plan.worker_settings import identities_of, shared_settings
from loadtest.units import NS_PER_S

logger = logging.getLogger(__name__)

COMMON_START_DELAY_NS = 500_000_000
"""Time from sending `lt_go` to the common start of all workers: it must reach each of them before."""

CLOCK_ASKED = 5
"""How often each worker is asked for its clock."""

BEGUN_WITHIN_S = 30.0
"""Seconds that workers may take from the plan to the common start."""

OVERTIME_S = 600
"""Seconds that a run may take longer than planned, as where a machine was suspended."""

COPIES_NOT_FOLLOWED = "copies_not_followed"
"""The fact that copies were not followed over the processes, with its reason."""
MAX_SECRETS = 1_000
"""Secrets of one message of a worker that are taken."""

SILENCE_S = 6.0
"""A worker that has sent nothing for so many seconds is lost: it should send an interval every second."""


@dataclass(slots=True)
class _WorkerRecord:
    """What the master knows about one worker."""

    client_id: str
    number: int = 0
    pid: int = 0
    users: int | None = None
    offset_ns: int = 0
    round_trip_ns: int | None = None
    asked: int = 0
    asked_ns: int | None = None
    latest: int = -1
    intervals: int = 0
    expected: int | None = None
    heard_s: float = 0.0
    lost: bool = False
    seconds: set[int] = field(default_factory=set)
    late_ns: int | None = None
    cpu: float | None = None

    @property
    def finished(self) -> bool:
        """Whether every interval that it closed has arrived."""
        return self.expected is not None and self.intervals >= self.expected

    def note(self, interval: Interval) -> None:
        """Note an interval that it closed."""
        self.heard_s = time.monotonic()
        self.latest = max(self.latest, interval.second)
        self.seconds.add(interval.second)
        self.intervals += 1
        lateness = interval.histograms.get("send.lateness")
        if lateness is not None and lateness.max_ns is not None:
            self.late_ns = max(lateness.max_ns, self.late_ns or 0)
        if "cpu" in interval.gauges:
            self.cpu = max(interval.gauges["cpu"], self.cpu or 0.0)

    def facts(self) -> dict[str, Any]:
        """Its process, clock offset, delays and CPU, for the manifest; None where that was not measured."""
        return {
            "process": self.pid,
            "client": self.client_id,
            "users": self.users,
            "clock_offset_ms": self.offset_ns / 1e6,
            "round_trip_ms": None if self.round_trip_ns is None else self.round_trip_ns / 1e6,
            "intervals": self.intervals,
            "lateness_max_ms": None if self.late_ns is None else self.late_ns / 1e6,
            "cpu_max": self.cpu,
        }


class MasterCoordinator(Coordinator):
    """Leads a run of workers: hands out the plan, merges their intervals, waits for the last one."""

    def __init__(self, environment: Any, spec: RunSpec, give: GiveInterval) -> None:
        super().__init__(environment, spec, give)
        self._workers: dict[str, _WorkerRecord] = {}
        self._pids: dict[str, int] = {}
        self._plan: dict[str, Any] | None = None
        self._gone = False
        self._last_second = _last_second(spec.scenario)
        self._stopping = False
        self._by_second: dict[int, list[Interval]] = {}
        self._copies = _replay(spec)
        self._held: Interval | None = None
        runner = environment.runner
        for message, listener in (
            ("lt_hello", self._on_hello),
            ("lt_counted", self._on_counted),
            ("lt_clock", self._on_clock),
            ("lt_secrets", self._on_secrets),
            ("lt_interval", self._on_interval),
            ("lt_done", self._on_done),
        ):
            # An earlier run from Locust's page has its listeners there, and Locust takes no second ones.
            runner.custom_messages.pop(message, None)
            runner.register_message(message, listener)
        environment.events.test_stopping.add_listener(self._on_stopping)

    @property
    def workers(self) -> int:
        """Number of workers that take part."""
        return len(self._workers)

    def send_plan(self) -> None:
        """Send the plan to every worker that has joined; must come before Locust's spawn messages."""
        endpoint = self.spec.endpoint
        self._plan = {
            "run_id": self.spec.run_id,
            "settings": shared_settings(self.spec.scenario),
            "url": endpoint.url,
            "addresses": known_addresses(endpoint),
            "proxied": endpoint.proxy is not None,
            "resolve_ns": endpoint.resolve_ns,
            "step_ns": self.spec.step_ns,
        }
        for node in self.environment.runner.clients.ready:
            # Also to those whose `lt_hello` did not reach us: under plain Locust it came before we listened.
            worker = self._workers[node.id] = _WorkerRecord(node.id, heard_s=time.monotonic())
            self._send(worker, "lt_plan", self._plan)
        gevent.spawn_later(BEGUN_WITHIN_S, self._give_up_waiting)

    def _on_secrets(self, msg: Any, **_kwargs: Any) -> None:
        found = msg.data
        if self.spec.learn is not None and isinstance(found, list) and len(found) <= MAX_SECRETS:
            self.spec.learn([text for text in found if isinstance(text, str)])

    def _on_hello(self, msg: Any, **_kwargs: Any) -> None:
        """A worker listens; one that joined before it could listen gets the plan now."""
        self._pids[msg.node_id] = int(msg.data["pid"])
        worker = self._workers.get(msg.node_id)
        if worker is not None and worker.users is None:
            self._send(worker, "lt_plan", self._plan)

    @property
    def listening(self) -> int:
        """Number of workers that can take a plan."""
        return len(self._pids)

    def _give_up_waiting(self) -> None:
        if not self._gone and not self.over.is_set():
            self._fail(f"the workers did not begin within {BEGUN_WITHIN_S:g} s")

    def _fail(self, sentence: str) -> None:
        """The run cannot begin."""
        self.result.crash = LoadtestError(sentence)
        self.over.set()

    def _send(self, worker: _WorkerRecord, message: str, data: Any) -> None:
        self.environment.runner.send_message(message, data, client_id=worker.client_id)

    def _on_counted(self, msg: Any, **_kwargs: Any) -> None:
        worker = self._workers.get(msg.node_id)
        if worker is None or worker.users is not None:
            return
        worker.users = int(msg.data["users"])
        worker.pid = int(msg.data["pid"])
        worker.heard_s = time.monotonic()
        self._ask_clock(worker)

    def _ask_clock(self, worker: _WorkerRecord) -> None:
        worker.asked += 1
        worker.asked_ns = time.time_ns()
        self._send(worker, "lt_clock", {"asked_ns": worker.asked_ns})

    def _on_clock(self, msg: Any, **_kwargs: Any) -> None:
        """Take the offset between two hosts' clocks from the quickest of a few round trips."""
        worker = self._workers.get(msg.node_id)
        asked_ns = None if worker is None else worker.asked_ns
        if worker is None or asked_ns is None or msg.data["asked_ns"] != asked_ns:
            return
        round_trip_ns = time.time_ns() - asked_ns
        worker.asked_ns = None
        if worker.round_trip_ns is None or round_trip_ns < worker.round_trip_ns:
            worker.round_trip_ns = round_trip_ns
            worker.offset_ns = int(msg.data["own_ns"]) - (asked_ns + round_trip_ns // 2)
        if worker.asked < CLOCK_ASKED:
            self._ask_clock(worker)
        elif all(one.users is not None and one.asked >= CLOCK_ASKED for one in self._workers.values()):
            self._go()

    def _go(self) -> None:
        """Send each worker its users and the common start instant."""
        if self._gone or self.over.is_set():
            return
        self._gone = True
        # share() gives the first of n workers one user more where they do not divide evenly.
        ranked = sorted(self._workers.values(), key=lambda worker: -(worker.users or 0))
        self.start_wall_ns = start_ns = time.time_ns() + COMMON_START_DELAY_NS
        for number, worker in enumerate(ranked):
            worker.number = number
            worker.heard_s = time.monotonic() + COMMON_START_DELAY_NS / NS_PER_S
            go = {
                "k": number,
                "n": len(ranked),
                "users": self.users,
                "start_wall_ns": start_ns + worker.offset_ns,
                "identities": identities_of(self.spec.scenario, share(number, len(ranked), self.users)),
            }
            self._send(worker, "lt_go", go)
        self._note_workers()
        gevent.spawn(self._watch)

    def _note_workers(self) -> None:
        """Note the facts of each worker: a sum over all does not say which of them was late or slow."""
        ranked = sorted(self._workers.values(), key=lambda worker: worker.number)
        self.result.observed["workers"] = {f"worker {one.number}": one.facts() for one in ranked}

    def _on_interval(self, msg: Any, **_kwargs: Any) -> None:
        worker = self._workers.get(msg.node_id)
        if worker is None:
            return
        try:
            interval = from_bytes(msg.data["interval"])
            why = self._refusal(worker, interval.second)
        except (ValueError, KeyError, TypeError) as error:
            why = f"the message is not an interval ({error})"
        if why:
            # Counted, it would be in the numbers of the run though nobody measured it.
            logger.error("an interval of worker %d is refused: %s", worker.number, why)
            self.result.refused_intervals += 1
            return
        worker.note(interval)
        self._by_second.setdefault(interval.second, []).append(interval)
        self._pass_on()

    def _refusal(self, worker: _WorkerRecord, second: int) -> str | None:
        """Why an interval of that second cannot be what the worker has just closed; None if it can."""
        if not self._gone:
            return "the run has not begun"
        if worker.lost or worker.finished:
            return "the worker was lost, or had already sent its last interval"
        if second in worker.seconds:
            return f"second {second} came before"
        return f"the run has no second {second}" if second > self._last_second else None

    def _pass_on(self) -> None:
        """Merge and pass on every second to which no worker can add any more."""
        waiting = [one.latest for one in self._workers.values() if not one.finished and not one.lost]
        closed = min(waiting) if waiting else None
        for second in sorted(self._by_second):
            if closed is not None and second > closed:
                break
            self._give_merged(merge(self._by_second.pop(second)))

    def _give_merged(self, interval: Interval) -> None:
        """Pass a second on; where copies are followed, the last one is held back: it gets the outcome."""
        if self._copies is None:
            self._give_or_end(interval)
            return
        self._copies.add(interval.copies, interval.second * NS_PER_S)
        interval.copies = interval.copies[:0]
        if self._held is not None:
            self._give_or_end(self._held)
        self._held = interval

    def _give_last(self) -> None:
        """Pass on the second that was held back, with the copies of the run where all of them are known."""
        if self._held is None or self._copies is None:
            return
        if self.result.lost_workers or self.result.refused_intervals:
            why = {"reason": "one of the load-generator processes sent no data about copies"}
            self.result.observed.setdefault(COPIES_NOT_FOLLOWED, why)
        if COPIES_NOT_FOLLOWED not in self.result.observed:
            self._copies.finish(self._held)
        self._give_or_end(self._held)

    def _on_done(self, msg: Any, **_kwargs: Any) -> None:
        worker = self._workers.get(msg.node_id)
        if worker is None or worker.expected is not None:
            return
        if msg.data["crash"] is not None:
            raised = ConfigError.of_lines if msg.data.get("mistake", False) else RuntimeError
            self.result.crash = raised(msg.data["crash"])
            self.stop()
        worker.expected = int(msg.data["intervals"])
        add_facts(self.result.observed, msg.data["observed"])
        self._pass_on()

    def _watch(self) -> None:
        """Wait for every worker's last interval; notice lost workers."""
        while not all(worker.finished or worker.lost for worker in self._workers.values()):
            gevent.sleep(0.05)
            for worker in self._workers.values():
                silent = time.monotonic() - worker.heard_s > SILENCE_S
                if not worker.lost and not worker.finished and silent:
                    self.lose(worker.client_id)
        self._pass_on()
        self._give_last()
        self._note_workers()
        self.result.processes = self.workers
        self.over.set()

    def lose(self, client_id: str) -> None:
        """Give a worker up: nothing more will come from it."""
        worker = self._workers.get(client_id)
        if worker is None or worker.lost or worker.finished:
            return
        worker.lost = True
        name = f"{worker.number} (process {worker.pid}, {client_id})"
        logger.error("worker %s is lost", name)
        self.result.lost_workers.append(name)
        self._pass_on()

    def lose_pid(self, pid: int) -> None:
        """A worker process of this machine has ended."""
        if not self._gone:
            self._fail(f"worker process {pid} ended before the run began; see its last message on stderr")
        for worker in self._workers.values():
            if worker.pid == pid:
                self.lose(worker.client_id)

    def _on_stopping(self, **_kwargs: Any) -> None:
        if not self.over.is_set():
            self.stop()
            self.over.wait(timeout=SILENCE_S + 2)

    @override
    def stop(self) -> None:
        if not self._gone:
            self.over.set()
        elif not self._stopping:
            self._stopping = True
            for worker in self._workers.values():
                if not worker.lost:
                    self._send(worker, "lt_stop", None)


def _replay(spec: RunSpec) -> DeliveryReplay | None:
    """What follows copies over all processes; None where the protocol has no audience."""
    scenario = spec.scenario
    if not has_audience(scenario):
        return None
    timeouts = [each.traffic.timeout_ns for each in schedules(scenario) if each.traffic is not None]
    return DeliveryReplay(
        audiences(scenario, spec.run_id),
        population_names(scenario),
        users=planned_users(scenario),
        within_ns=max(timeouts, default=NS_PER_S),
        counts_twice=all(part.protocol.events.count == 1 for part in scenario.parts),
    )


def _last_second(scenario: Scenario) -> int:
    """No interval of a run is of a later second."""
    timeouts = [each.traffic.timeout_ns for each in schedules(scenario) if each.traffic is not None]
    end_ns = max(each.end_ns for each in schedules(scenario))
    return (end_ns + max(timeouts, default=0) + scenario.streams_ns) // NS_PER_S + OVERTIME_S
