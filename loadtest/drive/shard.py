"""One process's share of a run: its connections, their traffic, the intervals it measures, and its end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
from gevent.event import Event

from loadtest.drive.connection import Connection
from loadtest.drive.context import Assignment, Terms
from loadtest.drive.generator import Vitals
from loadtest.drive.mischief import Mischief
from loadtest.drive.poller import make_poller
from loadtest.drive.task_traffic import Guide
from loadtest.drive.tasks import Tasks
from loadtest.drive.traffic import ClosedTraffic, OpenTraffic, Traffic
from loadtest.drive.virtual_user import Stay
from loadtest.measure.clock import Clock
from loadtest.measure.interval import Interval
from loadtest.measure.recorder import Recorder
from loadtest.plan.connections import Visit
from loadtest.plan.names import user_values
from loadtest.plan.scenario import Chaos
from loadtest.plan.schedule import Schedule
from loadtest.speak.session import Refused

NS = 1_000_000_000
HANDSHAKE_SLACK_NS = 5 * NS
ASKED_EVERY_NS = 10_000_000

REASONS_KEPT = 20
"""Different reasons of a kind that a process keeps."""

REASONS = frozenset({"refusals", "closes", "still_opening", "tasks_raised", "tasks_failed"})
"""The kinds of reasons: what is observed under these names is how often each was seen."""


class Share(Terms):
    """The virtual users of one process.

    ``on_interval`` is given each second as it closes; ``done`` is set when all is over,
    ``reported`` when the last one has been given.
    Attributes without an underscore are what connections and traffic ask for.
    """

    def __init__(self, assignment: Assignment, clock: Clock, on_interval: Callable[[Interval], None]) -> None:
        super().__init__(assignment, clock)
        scenario = assignment.scenario
        self.poller = make_poller(clock.now)
        self.poller.on_crash = self._crashed
        self.crash: Exception | None = None
        self.schedule = Schedule(scenario.load, scenario.traffic)
        self.users = assignment.users
        self.done = Event()
        self.begun = Event()
        self.reported = Event()
        self.observed: dict[str, dict[str, Any]] = {}
        self._on_interval = on_interval
        self.start_ns = 0
        self.end_ns = 0
        self.stays: list[Stay] = []
        self.reconnect = scenario.load.reconnect
        self.mischief: Mischief | None = None
        self._pending: list[Visit] = []
        self._seqs: dict[int, Iterator[int]] = {}
        self._guides: dict[int, Guide] = {}
        self._guided: Iterator[int] = iter(self.users)
        self.finishing = False
        self._abandoning = False
        self._asking = False
        self._over_ones = 0
        self._refused_ones = 0
        self._second = 0
        self._vitals = Vitals()
        if not self._vitals.reads_cpu:
            self.observed["cpu_not_read"] = {"system": sys.platform}
        self.recorder = Recorder(0, scenario.load.warmup_ns, scenario.load.duration_ns, assignment.worker)
        self.tasks = Tasks(self._count_task, self._add_reason, self.compiled_protocol.labels.type_label)

    # ------------------------------------------------------------------ the way of a run

    def begin(self, start_ns: int) -> None:
        """Start at ``start_ns`` of the run's clock, which may lie a little ahead."""
        load = self.assignment.scenario.load
        self.start_ns = start_ns
        self.end_ns = start_ns + self.schedule.end_ns
        self.recorder = Recorder(start_ns, load.warmup_ns, load.duration_ns, self.assignment.worker)
        self.recorder.sessions = _Sessions(self.stays)
        if self.assignment.worker == 0 and self.assignment.place.resolve_ns is not None:
            self.recorder.metrics.resolve.append(self.assignment.place.resolve_ns)
        if self.chaos != Chaos():
            self.mischief = Mischief(self)
        agenda = self.poller.agenda
        for instant_ns in (start_ns, self.recorder.measured_ns, self.end_ns):
            agenda.add(instant_ns, self.recorder_enters)
        agenda.add(self.end_ns, self._schedule_over)
        # A pause of the garbage collector would show as latency: what exists now is never looked at again.
        gc.collect()
        gc.freeze()
        self._pending = list(reversed(self.schedule.visits(self.users)))
        self._plan_visit(start_ns)
        self.poller.start()
        self.poller.wake()
        self.begun.set()
        self._reporter = gevent.spawn(self._report)

    def recorder_enters(self, instant_ns: int) -> None:
        """The run comes to a boundary between warm-up, measured part and drain."""
        self.recorder.enter(instant_ns)

    def _plan_visit(self, _due_ns: int) -> None:
        """Open every connection whose instant has come; one agenda entry stands for all that follow."""
        now_ns = self.now()
        while self._pending and not self.finishing:
            due_ns = self.start_ns + self._pending[-1].connect_ns
            if due_ns > now_ns:
                self.poller.agenda.add(due_ns, self._plan_visit)
                return
            self._visit(self._pending.pop())

    def _visit(self, visit: Visit) -> None:
        assignment = self.assignment
        values: dict[str, Any] = {"run.id": assignment.run_id}
        values.update(user_values(visit.user, assignment.run_id, assignment.scenario.target.identities))
        stay = Stay(self, visit, values)
        self.stays.append(stay)
        if visit.leave_ns is not None:
            self.poller.agenda.add(self.start_ns + visit.leave_ns, lambda _due: stay.leave())
        stay.begin()

    def new_connection(self, user: int, values: dict[str, Any]) -> Connection:
        """A connection of a user, not opened yet."""
        if self.mischief is None:
            return Connection(self, user, values)
        return self.mischief.new_connection(user, values)

    def new_traffic(self, connection: Connection, visit: Visit) -> Traffic:
        """What a user sends in one visit."""
        if self._guides:
            return self._guides[visit.user]
        if not self.schedule.sends:
            return Traffic()
        if self.assignment.scenario.load.model == "open":
            return OpenTraffic(self, connection, self.schedule.arrivals(visit))
        return ClosedTraffic(self, connection, self._seqs_of(visit.user))

    def next_guide(self) -> Guide | None:
        """The guide of the next virtual user whose tasks decide what it sends."""
        user = next(self._guided, None)
        return None if user is None else self._guides[user]

    def guide_users(self) -> None:
        """Let tasks decide what each virtual user sends; before the start."""
        self._guides = {user: Guide(self, self._seqs_of(user)) for user in self.users}

    def _seqs_of(self, user: int) -> Iterator[int]:
        return self._seqs.setdefault(user, self.schedule.think(user))

    # ------------------------------------------------------------------ the end

    def refused_at_first(self) -> None:
        """A user's first attempt was refused; a target that refused every one has said all it will."""
        self._refused_ones += 1
        all_refused = self._refused_ones == len(self.stays) and not self._pending
        if all_refused and "last_ready" not in self.recorder.instants:
            self._cut_schedule()
            self.poller.agenda.add(self.now(), self._drain_over)

    def stay_over(self) -> None:
        """A user has no connection any more, and will have none."""
        self._over_ones += 1
        self.may_be_done()

    def _schedule_over(self, _due_ns: int) -> None:
        """Nothing falls due any more: drain."""
        if self.finishing:
            return
        self._cut_schedule()
        for stay in self.stays:
            stay.traffic.schedule_over()
            if stay.over:
                stay.traffic.finish()
        self.poller.agenda.add(self.now() + self.timeout_ns + HANDSHAKE_SLACK_NS, self._drain_over)
        self.may_be_done()

    def _cut_schedule(self) -> None:
        if self.now() < self.end_ns and not self.finishing:
            self.recorder.instant("last_measured", self.now())
        self.finishing = True
        self._pending = []

    def may_be_done(self) -> None:
        """Something ended. Whether all has is asked soon, not for each turn: it is a look at every user."""
        if not self._asking and (self.finishing or self.turns_per_connection is not None):
            self._asking = True
            self.poller.agenda.add(self.now() + ASKED_EVERY_NS, self._ask_if_done)

    def _ask_if_done(self, _due_ns: int) -> None:
        self._asking = False
        if self._abandoning:
            if self._over_ones == len(self.stays):
                self._all_over()
        elif self.finishing:
            if self._all_idle():
                self._drain_over(self.now())
            else:
                self.may_be_done()
        elif not self._pending and self._all_idle():
            self._schedule_over(self.now())

    def _all_idle(self) -> bool:
        return all(stay.is_idle for stay in self.stays)

    def _drain_over(self, _due_ns: int) -> None:
        if self._abandoning:
            return
        self._abandoning = True
        for stay in self.stays:
            stay.traffic.finish()
            stay.end()
        self.may_be_done()

    def _all_over(self) -> None:
        self.poller.stop()
        self.done.set()

    def _crashed(self, error: Exception) -> None:
        """A mistake of ours: keep what was measured, and say so."""
        self.crash = error
        self.done.set()

    def stop(self) -> None:
        """End now: turns in flight are abandoned, what was measured is kept."""
        self._cut_schedule()
        self.poller.agenda.add(self.now(), self._drain_over)
        self.poller.wake()

    # ------------------------------------------------------------------ what the process reports

    def _report(self) -> None:
        """Close an interval at every full second, and the last one when all is over.

        Whatever goes wrong with one ends the run: it must not go on, and for ever, with nobody listening.
        """
        try:
            while not self.done.is_set():
                boundary_ns = self.start_ns + (self._second + 1) * NS
                if not self.done.wait(timeout=max(boundary_ns - self.now(), 0) / 1e9):
                    self._give_interval()
            self._give_interval()
        except Exception as error:
            self._crashed(error)
        finally:
            self.reported.set()

    def _give_interval(self) -> None:
        second = self._second
        self._second = max(second + 1, (self.now() - self.start_ns) // NS)
        self._watch_clock()
        gauges = self._vitals.take(self.poller.lag_ns)
        self.poller.lag_ns = 0
        self.poller.patient = self.reads_may_wait and not self._guides
        gauges["users"] = float(len(self.users))
        gauges["in_flight"] = float(sum(len(stay.connection.session.turns) for stay in self.stays))
        interval = self.recorder.take(second, gauges)
        if self.mischief is not None:
            self.mischief.aside.add_to(interval)
        self._on_interval(interval)

    def _watch_clock(self) -> None:
        stepped_ns = self.clock.stepped_ns()
        if abs(stepped_ns) > max(5_000_000, 2 * self.clock.step_ns):
            self.observed["clock_stepped"] = {"by_ms": stepped_ns / 1e6, "worker": self.assignment.worker}

    def saw_server(self, server: str, subprotocol: str | None) -> None:
        """What the target said of itself, once."""
        if "server" not in self.observed:
            self.observed["server"] = {"server": server, "subprotocol": subprotocol}

    def saw_refusal(self, refused: Refused) -> None:
        """Keep the first few different reasons of refusals."""
        self._add_reason("refusals", f"{refused.layer}: {refused.reason}")

    def saw_still_opening(self, reason: str) -> None:
        """We leave a connection that is not ready: where it stood, by layer."""
        self._add_reason("still_opening", reason)

    def saw_close(self, code: int, reason: str) -> None:
        """Keep the first few different reasons that the target gave for closing connections."""
        self._add_reason("closes", f"code {code}: {reason}")

    def _count_task(self, name: str) -> None:
        self.recorder.metrics.count(name)

    def _add_reason(self, kind: str, reason: str) -> None:
        reasons = self.observed.setdefault(kind, {})
        if reason in reasons or len(reasons) < REASONS_KEPT:
            reasons[reason] = reasons.get(reason, 0) + 1


class _Sessions(Iterable[Any]):
    """The conversations of a growing list of users."""

    def __init__(self, stays: list[Stay]) -> None:
        self._stays = stays

    def __iter__(self) -> Any:
        return (stay.connection.session for stay in self._stays)
