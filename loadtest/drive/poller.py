"""The event loop of one process: a turn reads what is ready, runs what is due, writes what was gathered.

On Linux all connections are registered with one epoll descriptor of ours, and gevent's loop watches that one
descriptor. One wake-up then serves every connection that is ready (gevent would call back once per
connection), reads come before any other work, and a ``timerfd`` wakes us within 0.05 ms of a due turn,
where gevent's loop rounds up to the next millisecond. Elsewhere gevent's own watchers do this work.

On Linux, small reads of all that are ready come before what they brought is taken: the kernel's code and
ours push each other out of the CPU's caches, so that one after the other costs 8 % more of a round trip.

Where the kernel stamps arrivals and no action depends on them, reads may wait for what is due within a
millisecond: the process then just sleeps, and wakes once a message instead of twice.
"""

from __future__ import annotations

import abc
import heapq
import itertools
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import gevent
from gevent.monkey import get_original
from typing_extensions import override

READ, WRITE = 1, 4
"""Bits of readiness, as epoll has them; gevent's loop has 1 and 2."""

EDGE = 1 << 31
"""Epoll's bit for edge-triggered readiness (EPOLLET)."""


class Takable(Protocol):
    """Something with bytes that were read and not looked at yet."""

    def take(self) -> None:
        """Take what was read."""


OnReady = Callable[[int], Takable | None]
"""What a descriptor's readiness is told; it gives back who has something to take once all have read."""

Ready = tuple[int, int, OnReady | None]
"""A descriptor, its readiness, and what was to be called when that was told."""

MAX_TURNS, MAX_GO_NS, MAX_READY = 16, 5_000_000, 256
"""Max loop turns and time in one go, before other greenlets run; max connections served in one turn.

The time bounds the reads of one turn too, to that of one large read more: 64 KiB of tiny events take tens of
milliseconds, and 256 connections that a target floods would take seconds. 256 small reads take some 2 ms.
"""

PATIENCE_NS = 1_000_000
"""Reads wait only for what is due within this time."""

_sleep = get_original("time", "sleep")


Action = Callable[[int], None]


class Timers:
    """What is due when: a heap of instants and actions; an action gets the instant at which it was due."""

    __slots__ = ("_entries", "_number")

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Action]] = []
        self._number = itertools.count()

    def add(self, due_ns: int, action: Action) -> None:
        """Have ``action`` called at ``due_ns``; entries of one instant keep their order."""
        heapq.heappush(self._entries, (due_ns, next(self._number), action))

    @property
    def next_ns(self) -> int | None:
        """The earliest instant, or None."""
        return self._entries[0][0] if self._entries else None

    def run(self, now_ns: int, now: Callable[[], int]) -> None:
        """Call what is due at ``now_ns``; after ``MAX_GO_NS`` the rest waits, so that reads come between."""
        entries = self._entries
        until_ns = now_ns + MAX_GO_NS
        while entries and entries[0][0] <= now_ns:
            due_ns, _, action = heapq.heappop(entries)
            action(due_ns)
            # A look takes 0.05 us, to begin a turn 6 us, to catch up with a flood tens of milliseconds.
            if now() >= until_ns:
                return


class Flushable(Protocol):
    """Something with gathered writes."""

    def flush(self) -> None:
        """Write what was gathered."""


class Poller(abc.ABC):
    """Readiness, due actions and gathered writes of one process.

    ``now`` is the run's clock; ``lag_ns`` the longest time that something due had to wait for its loop turn.
    ``reads_behind``: actions that are due run before some that are ready were read, or before it was taken.
    ``patient``: reads may wait for what is due soon, unless connections are ``connecting`` (their number).
    ``on_crash`` is called with an unexpected exception: gevent would only print it, and the run would hang.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.timers = Timers()
        self.dirty: list[Flushable] = []
        self._arrived: list[Takable] = []
        self._ready: dict[int, OnReady] = {}
        self.lag_ns = 0
        self.running = False
        self.reads_behind = False
        self.patient = False
        self.connecting = 0
        self.on_crash: Callable[[Exception], None] | None = None

    @abc.abstractmethod
    def register(self, fd: int, on_ready: OnReady, bits: int) -> None:
        """Call ``on_ready(bits)`` whenever the descriptor is ready for what ``bits`` asks."""

    @abc.abstractmethod
    def modify(self, fd: int, bits: int) -> None:
        """Ask for other readiness."""

    def hand_over(self, fd: int, on_ready: OnReady) -> None:
        """Call ``on_ready`` from now on."""
        self._ready[fd] = on_ready

    @abc.abstractmethod
    def unregister(self, fd: int) -> None:
        """Stop watching a descriptor, before it is closed."""

    def start(self) -> None:
        """Begin to call back."""
        self.running = True

    def stop(self) -> None:
        """Call back no more."""
        self.running = False

    @abc.abstractmethod
    def wake(self) -> None:
        """Have a loop turn soon: something was gathered, or became due, outside of one."""

    def _crashed(self, error: Exception) -> None:
        self.stop()
        if self.on_crash is None:
            raise error
        self.on_crash(error)

    def _take_arrived(self, until_ns: int) -> None:
        """Have what was read taken, in the order in which it was read, as long as there is time."""
        arrived, now = self._arrived, self.now
        taken = 0
        for each in arrived:
            if now() >= until_ns:
                break
            each.take()
            taken += 1
        del arrived[:taken]

    def _work(self) -> None:
        """The work after the reads of a loop turn: due actions, then gathered writes."""
        now_ns = self.now()
        due_ns = self.timers.next_ns
        if due_ns is not None and due_ns <= now_ns:
            self.lag_ns = max(self.lag_ns, now_ns - due_ns)
            self.timers.run(now_ns, self.now)
        dirty = self.dirty
        if dirty:
            self.dirty = []
            for connection in dirty:
                connection.flush()


class EpollPoller(Poller):
    """The poller of Linux."""

    def __init__(self, now: Callable[[], int]) -> None:
        super().__init__(now)
        from loadtest.drive.linux import TimerFd, keep_freed_memory, make_epoll, sleep_exactly

        sleep_exactly()
        keep_freed_memory()
        self._epoll = make_epoll()
        self._timer = TimerFd()
        self._epoll.register(self._timer.fd, READ | EDGE)
        self._ready[self._timer.fd] = self._timer.expired
        self._armed_ns: int | None = None
        loop = gevent.get_hub().loop
        self._loop = loop
        self._watcher = loop.io(self._epoll.fileno(), 1)
        self._woken = False
        # Who was ready and had no turn yet: asked anew, epoll would name the same ones first, time and again.
        self._behind: list[Ready] = []

    @override
    def register(self, fd: int, on_ready: OnReady, bits: int) -> None:
        self._ready[fd] = on_ready
        self._epoll.register(fd, bits)

    @override
    def modify(self, fd: int, bits: int) -> None:
        self._epoll.modify(fd, bits)

    @override
    def unregister(self, fd: int) -> None:
        if self._ready.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    @override
    def start(self) -> None:
        super().start()
        self._watcher.start(self._turns)

    @override
    def stop(self) -> None:
        if self._epoll.closed:
            return
        super().stop()
        self._watcher.stop()
        self._watcher.close()
        self._timer.close()
        self._epoll.close()

    @override
    def wake(self) -> None:
        if not self._woken and self.running:
            self._woken = True
            self._loop.run_callback(self._turns)

    def _turns(self) -> None:
        self._woken = False
        try:
            self._take_turns()
        except Exception as error:
            self._crashed(error)

    def _take_turns(self) -> None:
        poll = self._epoll.poll
        until_ns = self.now() + MAX_GO_NS
        for _ in range(MAX_TURNS):
            if not self.running:
                return
            if self._behind or self._arrived:
                ready = self._serve_behind(until_ns)
            else:
                ready = self._serve(poll(0, MAX_READY), until_ns)
            self._work()
            if not self._slept(until_ns) and (not ready or self.now() >= until_ns):
                break
        if self._arrived:
            # It is in no socket any more that would wake us.
            self.wake()
        self._arm()

    def _serve(self, ready: Sequence[tuple[int, int]], until_ns: int) -> bool:
        """Call those that are ready, as long as there is time; whether there were any."""
        on_ready, now, arrived = self._ready, self.now, self._arrived
        for done, (fd, bits) in enumerate(ready, 1):
            action = on_ready.get(fd)
            # A connection may have closed another one earlier in this very turn.
            if action is None:
                continue
            takes = action(bits)
            if takes is not None:
                arrived.append(takes)
            elif now() >= until_ns:
                self._behind = [(*each, on_ready.get(each[0])) for each in ready[done:]]
                break
        self._take_arrived(until_ns)
        # Where as many are ready as epoll may tell, there may be more.
        self.reads_behind = bool(self._behind or arrived) or len(ready) == MAX_READY
        return bool(ready)

    def _serve_behind(self, until_ns: int) -> bool:
        """Call those that had to wait; not who has begun something else since, maybe with another socket."""
        self._take_arrived(until_ns)
        behind = deque(self._behind)
        while behind and self.now() < until_ns:
            fd, bits, action = behind.popleft()
            if action is not None and self._ready.get(fd) is action:
                takes = action(bits)
                if takes is not None:
                    self._arrived.append(takes)
        self._behind = list(behind)
        self._take_arrived(until_ns)
        self.reads_behind = True  # others may have become ready meanwhile
        return True

    def _slept(self, until_ns: int) -> bool:
        """Sleep until the next action is due, if reads may wait for it and other greenlets for us."""
        due_ns = self.timers.next_ns
        if not self.patient or self.connecting or due_ns is None or due_ns >= until_ns:
            return False
        left_ns = due_ns - self.now()
        # Not through gevent's loop and the timer: on that way CPU caches go cold, which is most of what a
        # message costs.
        if 0 < left_ns < PATIENCE_NS:
            _sleep(left_ns / 1e9)
        return left_ns < PATIENCE_NS

    def _arm(self) -> None:
        due_ns = self.timers.next_ns
        if due_ns is None or not self.running:
            return
        if due_ns != self._armed_ns or not self._timer.armed:
            self._armed_ns = due_ns
            self._timer.arm(max(due_ns - self.now(), 1))


class WatcherPoller(Poller):
    """The poller of every other system, on gevent's own watchers."""

    def __init__(self, now: Callable[[], int]) -> None:
        super().__init__(now)
        self._loop = gevent.get_hub().loop
        self._watchers: dict[int, Any] = {}
        self._timer: Any = None
        self._woken = False
        # By when reads let through what is due, of those that the loop has in hand.
        self._until_ns: int | None = None

    @override
    def register(self, fd: int, on_ready: OnReady, bits: int) -> None:
        self._ready[fd] = on_ready
        self._watch(fd, bits)

    def _watch(self, fd: int, bits: int) -> None:
        watcher = self._loop.io(fd, (1 if bits & READ else 0) | (2 if bits & WRITE else 0))
        self._watchers[fd] = watcher
        watcher.start(self._on_ready, fd, bits)

    def _on_ready(self, fd: int, bits: int) -> None:
        action = self._ready.get(fd)
        try:
            takes = None if action is None else action(bits)
            if takes is not None:
                takes.take()
            self._let_through()
        except Exception as error:
            self._crashed(error)
        self.wake()

    def _let_through(self) -> None:
        """Do what is due where reads take long: gevent calls back for all that is ready first."""
        now_ns = self.now()
        if self._until_ns is None:
            self._until_ns = now_ns + MAX_GO_NS
        elif now_ns >= self._until_ns:
            self._until_ns = None
            self.reads_behind = True
            self._work()
            self.reads_behind = False

    @override
    def modify(self, fd: int, bits: int) -> None:
        self._drop(fd)
        self._watch(fd, bits)

    @override
    def unregister(self, fd: int) -> None:
        if self._ready.pop(fd, None) is not None:
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        watcher = self._watchers.pop(fd)
        watcher.stop()
        watcher.close()

    @override
    def start(self) -> None:
        super().start()
        self.wake()

    @override
    def stop(self) -> None:
        super().stop()
        for fd in list(self._ready):
            self.unregister(fd)
        self._disarm()

    @override
    def wake(self) -> None:
        if not self._woken and self.running:
            self._woken = True
            self._loop.run_callback(self._turn)

    def _turn(self) -> None:
        self._woken = False
        self._until_ns = None
        if not self.running:
            return
        try:
            self._work()
        except Exception as error:
            self._crashed(error)
            return
        self._disarm()
        due_ns = self.timers.next_ns
        if due_ns is not None:
            self._timer = self._loop.timer(max(due_ns - self.now(), 0) / 1e9)
            self._timer.start(self.wake)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None


def make_poller(now: Callable[[], int]) -> Poller:
    """The best poller of this system."""
    return EpollPoller(now) if sys.platform == "linux" else WatcherPoller(now)
