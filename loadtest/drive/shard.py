"""The shard of one process: its virtual users, the intervals it measures, and the end of its run."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import gevent
from gevent.event import Event

from loadtest.drive.before_connect import BeforeConnect
from loadtest.drive.chaos_injection import ChaosInjection
from loadtest.drive.connection import Connection
from loadtest.drive.context import Context, ShardAssignment
from loadtest.drive.conversation_traffic import ConversationTraffic
from loadtest.drive.generator_health import GeneratorHealth
from loadtest.drive.observations import REASONS
from loadtest.drive.poller import make_poller
from loadtest.drive.task_errors import Tasks
from loadtest.drive.task_traffic import TaskTraffic
from loadtest.drive.traffic import ClosedTraffic, OpenTraffic, UserTraffic
from loadtest.drive.virtual_user import VirtualUser
from loadtest.measure.clock import Clock
from loadtest.measure.interval import LAST_MEASURED, Interval, logged_copies
from loadtest.plan.scenario import Chaos
from loadtest.plan.stages import Visit
from loadtest.speak.delivery_log import MAX_ROWS, DeliveryLog
from loadtest.speak.session import Session
from loadtest.units import NS_PER_S

TOO_MANY_COPIES = f"a load-generator process received more than {MAX_ROWS:,} copies in a second"

MAX_STEP_NS = 5_000_000
"""How far the wall clock may move against the steady one in a second, before that is told."""

HANDSHAKE_SLACK_NS = 5 * NS_PER_S
DONE_POLL_NS = 10_000_000

OPENED_AT_ONCE = 256
"""Connections that are begun before those that were begun are served."""


class Shard:
    """The virtual users of one process.

    ``on_interval`` is called with each second as it closes. ``begun`` is set by ``begin``, ``done`` when all
    users are over, ``reported`` when the last interval was given. ``crash``: the exception that ended it.
    ``alone``: the process drives no other shard beside it, of another population.
    """

    def __init__(
        self, assignment: ShardAssignment, clock: Clock, on_interval: Callable[[Interval], None]
    ) -> None:
        self.context = context = Context(assignment, clock, make_poller)
        context.poller.on_crash = self._crashed
        if assignment.spread:
            context.compiled_protocol.log_deliveries(context.now)
        self.crash: Exception | None = None
        self.done = Event()
        self.begun = Event()
        self.reported = Event()
        self.virtual_users: list[VirtualUser] = []
        self.alone = True
        self.chaos_injection: ChaosInjection | None = None
        self.tasks = Tasks(
            self._count_task,
            context.observations.add_reason,
            context.compiled_protocol.labels.type_label,
        )
        self._on_interval = on_interval
        self._users = assignment.users
        self._pending: list[Visit] = []
        self._seqs: dict[int, Iterator[int]] = {}
        self._task_traffic: dict[int, TaskTraffic] = {}
        self._users_without_task_traffic = iter(self._users)
        # One bound method that all users share: 64 bytes less for each.
        self._done_hint: Callable[[], None] = self._may_be_done
        self._abandoning = False
        self._closing = False
        self._asking = False
        self._users_over = 0
        self._users_refused = 0
        self._second = 0
        self._health = GeneratorHealth()
        if not self._health.reads_cpu:
            context.observations.note("cpu_not_read", {"system": sys.platform})

    def now(self) -> int:
        """The run's clock."""
        return self.context.now()

    @property
    def sources(self) -> Sequence[str]:
        """The addresses of this machine that connections come from; none: the system chooses."""
        return self.context.sources

    def forward_secrets(self, take: Callable[[list[str]], None] | None) -> None:
        """Have ``take`` told of secrets that are known only now, such as tokens that a target gave."""
        self.context.on_secrets = take

    @property
    def observed(self) -> dict[str, dict[str, Any]]:
        """What was observed beside what was counted, by code."""
        facts = self.context.observations.facts
        cleaned = self.context.learned_secrets.counted
        return {code: cleaned(told) if code in REASONS else told for code, told in facts.items()}

    # ------------------------------------------------------------------ the course of a run

    def begin(self, start_ns: int) -> None:
        """Start at ``start_ns`` of the run's clock, which may lie a little ahead."""
        context = self.context
        context.begin(start_ns)
        recorder, timers, assignment = context.recorder, context.poller.timers, context.assignment
        recorder.sessions = _Sessions(self.virtual_users)
        if assignment.worker == 0 and assignment.endpoint.resolve_ns is not None:
            recorder.metrics.resolve.append(assignment.endpoint.resolve_ns)
        if context.chaos != Chaos():
            self.chaos_injection = ChaosInjection(context, self._connections)
        for instant_ns in (start_ns, recorder.measured_ns, context.end_ns):
            timers.add(instant_ns, recorder.enter)
        timers.add(context.end_ns, self._schedule_over)
        # A pause of the garbage collector would show as latency: what exists now is never looked at again.
        gc.collect()
        gc.freeze()
        self._pending = list(reversed(context.schedule.visits(self._users)))
        self._open_due_visits(start_ns)
        context.poller.start()
        context.poller.wake()
        self.begun.set()
        self._reporter = gevent.spawn(self._report)

    def _connections(self) -> Iterator[Connection]:
        return (user.connection for user in self.virtual_users)

    def _open_due_visits(self, _due_ns: int) -> None:
        """Begin visits whose instant has come, a slice at a time; one timer stands for all that follow."""
        context = self.context
        now_ns = context.now()
        begun = 0
        while self._pending and not context.finishing:
            due_ns = context.start_ns + self._pending[-1].connect_ns
            if due_ns > now_ns:
                context.poller.timers.add(due_ns, self._open_due_visits)
                return
            if begun == OPENED_AT_ONCE:
                context.poller.timers.add(context.now(), self._open_due_visits)
                return
            self._begin_visit(self._pending.pop())
            begun += 1

    def _begin_visit(self, visit: Visit) -> None:
        context = self.context
        user = VirtualUser(context, self, visit, context.user_values(visit.user))
        self.virtual_users.append(user)
        if visit.leave_ns is not None:
            context.poller.timers.add(context.start_ns + visit.leave_ns, lambda _due: user.leave())
        user.begin()

    def new_connection(self, user: int, values: dict[str, Any]) -> Connection:
        """A connection of a user, not opened yet."""
        if self.chaos_injection is None:
            return Connection(self.context, user, values)
        return self.chaos_injection.new_connection(user, values)

    def new_traffic(self, connection: Connection, visit: Visit) -> UserTraffic:
        """What a user sends in one visit."""
        context = self.context
        if self._task_traffic:
            return self._task_traffic[visit.user]
        if not context.schedule.sends:
            return UserTraffic()
        if context.conversations is not None:
            numbers = self._seqs.setdefault(visit.user, count())
            return ConversationTraffic(context, context.conversations, connection, numbers, self._done_hint)
        if context.assignment.scenario.load.model == "open":
            return OpenTraffic(context, connection, context.schedule.arrivals(visit), self._done_hint)
        return ClosedTraffic(context, connection, self._seqs_of(visit.user), self._done_hint)

    def next_task_traffic(self) -> TaskTraffic | None:
        """The traffic of the next virtual user whose tasks decide what it sends; None when all have one."""
        user = next(self._users_without_task_traffic, None)
        return None if user is None else self._task_traffic[user]

    def let_tasks_decide(self, *, prepare: bool = False) -> None:
        """Let tasks decide what each virtual user sends; to be called before the start.

        ``prepare``: users do something before each connection, which waits for that.
        """
        self.context.compiled_protocol.listens = False
        self._task_traffic = {
            user: TaskTraffic(self.context, self.tasks, self._seqs_of(user), prepares=prepare)
            for user in self._users
        }

    def _seqs_of(self, user: int) -> Iterator[int]:
        return self._seqs.setdefault(user, self.context.schedule.think(user))

    # ------------------------------------------------------------------ the end

    def never_ready(self) -> None:
        """A user was refused, and tries no more; when that is true of every user, the run ends."""
        self._users_refused += 1
        all_refused = self._users_refused == len(self.virtual_users) and not self._pending
        if all_refused and "last_ready" not in self.context.recorder.instants:
            self._cut_schedule()
            self.context.poller.timers.add(self.context.now(), self._drain_over)

    def user_over(self) -> None:
        """A user has no connection any more, and will have none."""
        self._users_over += 1
        self._may_be_done()

    def _schedule_over(self, _due_ns: int) -> None:
        """Nothing falls due any more: drain."""
        context = self.context
        if context.finishing:
            return
        self._cut_schedule()
        for user in self.virtual_users:
            user.traffic.schedule_over()
            if user.over:
                user.traffic.finish()
        over_ns = context.now() + context.longest_turn_ns + HANDSHAKE_SLACK_NS
        context.poller.timers.add(over_ns, self._drain_over)
        self._may_be_done()

    def _cut_schedule(self) -> None:
        context = self.context
        if context.now() < context.end_ns and not context.finishing:
            context.recorder.instant(LAST_MEASURED, context.now())
        context.finishing = True
        self._pending = []

    def _may_be_done(self) -> None:
        """Something ended: soon ask whether all has; not for each turn, as it takes a look at every user."""
        context = self.context
        if not self._asking and (context.finishing or context.turns_per_connection is not None):
            self._asking = True
            context.poller.timers.add(context.now() + DONE_POLL_NS, self._ask_if_done)

    def _ask_if_done(self, _due_ns: int) -> None:
        self._asking = False
        if self._abandoning:
            if self._users_over == len(self.virtual_users) and not self._closing:
                self._closing = True
                self._all_over()
        elif self.context.finishing:
            if not self._awaits_copies() and all(user.may_end for user in self.virtual_users):
                self._drain_over(self.context.now())
            else:
                self._may_be_done()
        elif not self._pending and self._all_idle():
            self._schedule_over(self.context.now())

    def _all_idle(self) -> bool:
        return not self._awaits_copies() and all(user.is_idle for user in self.virtual_users)

    def _awaits_copies(self) -> bool:
        """Whether a copy is due to a user of an audience that may still come in time."""
        deliveries = self.context.compiled_protocol.deliveries
        if deliveries is None:
            return False
        deliveries.expire(self.context.now())
        return deliveries.waiting()

    def _drain_over(self, _due_ns: int) -> None:
        if self._abandoning:
            return
        self._abandoning = True
        deliveries = self.context.compiled_protocol.deliveries
        if deliveries is not None:
            # Before users leave: what is not due to them any more is not missing.
            deliveries.expire(self.context.now())
        for user in self.virtual_users:
            user.traffic.finish()
            user.end()
        self._may_be_done()

    def _all_over(self) -> None:
        """Every user is over; what was prepared for all of them is taken back first."""
        if self.context.before is None:
            self._end()
        else:
            gevent.spawn(self._close_before, self.context.before)

    def _close_before(self, before: BeforeConnect) -> None:
        try:
            before.close()
        finally:
            self._end()

    def _end(self) -> None:
        self.context.poller.stop()
        deliveries = self.context.compiled_protocol.deliveries
        if deliveries is not None:
            deliveries.close()
        self.done.set()

    def _crashed(self, error: Exception) -> None:
        """A mistake of ours: what was measured is kept, and the run reports the mistake."""
        self.crash = error
        self.done.set()

    def stop(self) -> None:
        """End now: turns in flight are abandoned, what was measured is kept."""
        self._cut_schedule()
        self.context.poller.timers.add(self.context.now(), self._drain_over)
        self.context.poller.wake()

    # ------------------------------------------------------------------ what the process reports

    def _report(self) -> None:
        """Close an interval at every full second, and the last one when all users are over.

        An exception here ends the run: it must not go on for ever with nobody listening.
        """
        context = self.context
        try:
            while not self.done.is_set():
                boundary_ns = context.start_ns + (self._second + 1) * NS_PER_S
                if not self.done.wait(timeout=max(boundary_ns - context.now(), 0) / 1e9):
                    self._give_interval()
            self._give_interval()
        except Exception as error:
            self._crashed(error)
        finally:
            self.reported.set()

    def _give_interval(self) -> None:
        context = self.context
        second = self._second
        self._second = max(second + 1, (context.now() - context.start_ns) // NS_PER_S)
        self._watch_clock()
        gauges = self._health.take(context.poller.lag_ns)
        context.poller.lag_ns = 0
        context.poller.patient = self.alone and context.reads_may_wait and not self._task_traffic
        gauges["users"] = float(len(self._users))
        gauges["in_flight"] = float(sum(len(user.connection.session.turns) for user in self.virtual_users))
        if context.compiled_protocol.ages is not None:
            context.recorder.instants |= context.compiled_protocol.ages.bounds
        interval = context.recorder.take(second, gauges)
        self._take_copies(interval)
        context.learned_secrets.clean(interval.frames)
        if self.chaos_injection is not None:
            self.chaos_injection.slow_recorder.add_to(interval)
        self._on_interval(interval)

    def _take_copies(self, interval: Interval) -> None:
        """Add the log of what this process saw of copies, its instants counted from the run's start."""
        log = self.context.compiled_protocol.deliveries
        if isinstance(log, DeliveryLog):
            interval.copies = logged_copies(log.take(), self.context.start_ns)
            if log.overflowed:
                self.context.observations.note("copies_not_followed", {"reason": TOO_MANY_COPIES})

    def _count_task(self, name: str) -> None:
        self.context.recorder.metrics.count(name)

    def _watch_clock(self) -> None:
        stepped_ns = self.context.clock.stepped_ns()
        if abs(stepped_ns) > MAX_STEP_NS:
            worker = self.context.assignment.worker
            numbers = {"by_ms": stepped_ns / 1e6, "worker": worker}
            self.context.observations.note("clock_stepped", numbers)


class _Sessions:
    """The current session of each user of a growing list."""

    def __init__(self, users: list[VirtualUser]) -> None:
        self._users = users

    def __iter__(self) -> Iterator[Session]:
        return (user.connection.session for user in self._users)
