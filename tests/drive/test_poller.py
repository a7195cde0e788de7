"""One loop turn: what is ready is read, what is due is done, what was gathered is written."""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import gevent
import pytest
from gevent.event import Event
from hypothesis import given
from hypothesis import strategies as st

from loadtest.drive import poller as poller_module
from loadtest.drive.poller import MAX_TURNS, READ, WRITE, EpollPoller, Poller, Timers, WatcherPoller
from loadtest.drive.poller import make_poller as best_poller
from tests.drive.conftest import MakePoller

WITHIN_S = 60.0
"""How long a test waits for what must come."""

MS = 1_000_000
S = 1_000 * MS

Pair = tuple[socket.socket, socket.socket]


class Flushed:
    """Something with gathered writes."""

    def __init__(self, tell: Callable[[], object]) -> None:
        self.flush = tell


class Takes:
    """A connection that has something to take, and how it takes it."""

    def __init__(self, tell: Callable[[], object]) -> None:
        self.take = tell


@pytest.fixture
def pairs() -> Iterator[Callable[[], Pair]]:
    """Make connected sockets; they are closed after the test."""
    made: list[socket.socket] = []

    def make() -> Pair:
        pair = socket.socketpair()
        for one in pair:
            one.setblocking(False)
        made.extend(pair)
        return pair

    yield make
    for one in made:
        one.close()


def came(event: Event) -> None:
    assert event.wait(WITHIN_S), f"still waiting after {WITHIN_S:g} s"


# ------------------------------------------------------------------ timers


@given(st.lists(st.integers(0, 20)), st.integers(0, 20))
def test_what_is_due_is_done_in_order_and_the_rest_is_kept(dues: list[int], now: int) -> None:
    timers = Timers()
    done: list[tuple[int, int]] = []
    for number, due in enumerate(dues):
        timers.add(due, lambda due_ns, number=number: done.append((due_ns, number)))
    timers.run(now, lambda: now)
    planned = sorted((due, number) for number, due in enumerate(dues))
    assert done == [entry for entry in planned if entry[0] <= now]
    assert timers.next_ns == min((due for due in dues if due > now), default=None)


def test_an_action_may_plan_what_is_due_at_once() -> None:
    timers = Timers()
    done: list[int] = []
    timers.add(1, lambda _due: timers.add(2, done.append))
    timers.add(1, lambda _due: timers.add(9, done.append))
    timers.run(5, lambda: 5)
    assert done == [2]
    assert timers.next_ns == 9


# ------------------------------------------------------------------ readiness


def test_bytes_that_arrive_are_told(make_poller: MakePoller, pairs: Callable[[], Pair]) -> None:
    ours, theirs = pairs()
    poller = make_poller()
    heard: list[bytes] = []
    told = Event()

    def on_ready(bits: int) -> None:
        assert bits & READ
        heard.append(ours.recv(10))
        told.set()

    poller.register(ours.fileno(), on_ready, READ)
    poller.start()
    for word in (b"one", b"two"):
        told.clear()
        theirs.send(word)
        came(told)
    assert heard == [b"one", b"two"]


def test_what_is_asked_can_change(make_poller: MakePoller, pairs: Callable[[], Pair]) -> None:
    ours, theirs = pairs()
    poller = make_poller()
    told: list[str] = []
    written, read = Event(), Event()

    def on_ready(bits: int) -> None:
        if bits & WRITE:
            told.append("write")
            poller.modify(ours.fileno(), READ)
            written.set()
        else:
            told.append(ours.recv(10).decode())
            read.set()

    poller.register(ours.fileno(), on_ready, READ)
    poller.start()
    theirs.send(b"one")
    came(read)
    poller.modify(ours.fileno(), WRITE)
    came(written)
    read.clear()
    theirs.send(b"two")
    came(read)
    assert told == ["one", "write", "two"]


def test_another_may_be_told_from_now_on(make_poller: MakePoller, pairs: Callable[[], Pair]) -> None:
    ours, theirs = pairs()
    poller = make_poller()
    told: list[str] = []
    second_told = Event()

    def first(_bits: int) -> None:
        told.append(f"first: {ours.recv(10).decode()}")
        poller.hand_over(ours.fileno(), second)
        theirs.send(b"b")

    def second(_bits: int) -> None:
        told.append(f"second: {ours.recv(10).decode()}")
        second_told.set()

    poller.register(ours.fileno(), first, READ)
    poller.start()
    theirs.send(b"a")
    came(second_told)
    assert told == ["first: a", "second: b"]


def test_one_connection_may_close_another_in_the_same_turn(
    make_poller: MakePoller, pairs: Callable[[], Pair]
) -> None:
    """Both are ready at once; the one that comes first is the only one that is told."""
    poller = make_poller()
    here = [pairs(), pairs()]
    told: list[int] = []
    settled = Event()

    def on_ready_of(number: int) -> Callable[[int], None]:
        def on_ready(_bits: int) -> None:
            told.append(number)
            here[number][0].recv(10)
            other = here[1 - number][0]
            poller.unregister(other.fileno())
            other.close()
            poller.timers.add(poller.now() + MS, lambda _due: settled.set())

        return on_ready

    for number, (ours, theirs) in enumerate(here):
        poller.register(ours.fileno(), on_ready_of(number), READ)
        theirs.send(b"x")
    poller.start()
    came(settled)
    assert len(told) == 1


def test_a_descriptor_is_forgotten_once(make_poller: MakePoller, pairs: Callable[[], Pair]) -> None:
    ours, _ = pairs()
    poller = make_poller()
    poller.register(ours.fileno(), lambda _bits: None, READ)
    poller.unregister(ours.fileno())
    poller.unregister(ours.fileno())


def test_what_was_ready_when_it_was_forgotten_is_not_told(
    stopped: Callable[[Poller], Poller], pairs: Callable[[], Pair]
) -> None:
    """gevent may call back once more for a watcher that was stopped in the same turn of its loop."""
    poller = stopped(WatcherPoller(time.monotonic_ns))
    ours, _ = pairs()
    poller.register(ours.fileno(), lambda _bits: pytest.fail("it was forgotten"), READ)
    poller.unregister(ours.fileno())
    poller._on_ready(ours.fileno(), READ)


# ------------------------------------------------------------------ turns


def test_a_turn_reads_then_does_what_is_due_then_writes(
    make_poller: MakePoller, pairs: Callable[[], Pair]
) -> None:
    ours, theirs = pairs()
    poller = make_poller()
    order: list[str] = []
    written = Event()

    def flushed() -> None:
        order.append("written")
        written.set()

    def on_ready(_bits: int) -> None:
        order.append(ours.recv(10).decode())
        poller.dirty.append(Flushed(flushed))
        poller.timers.add(poller.now(), lambda _due: order.append("due"))

    theirs.send(b"read")
    poller.register(ours.fileno(), on_ready, READ)
    poller.start()
    came(written)
    assert order == ["read", "due", "written"]
    assert poller.dirty == []


def test_what_a_flush_gathers_waits_for_the_next_turn(make_poller: MakePoller) -> None:
    poller = make_poller()
    order: list[int] = []
    written = Event()

    def once_more() -> None:
        order.append(1)
        poller.dirty.append(Flushed(lambda: (order.append(2), written.set())))
        poller.wake()

    poller.start()
    poller.dirty.append(Flushed(once_more))
    poller.wake()
    came(written)
    assert order == [1, 2]


def test_reads_come_between_where_much_is_due_at_once(
    make_poller: MakePoller, pairs: Callable[[], Pair]
) -> None:
    """Each action takes a millisecond: what came is read long before all of them are done."""
    ours, theirs = pairs()
    now = [0]
    poller = make_poller(lambda: now[0])
    order: list[str] = []
    over = Event()

    def connect(_due_ns: int) -> None:
        now[0] += MS
        order.append("due")
        poller.dirty.append(Flushed(lambda: order.append("written")))

    def on_ready(_bits: int) -> None:
        ours.recv(10)
        order.append("read")

    for _ in range(100):
        poller.timers.add(0, connect)
    poller.timers.add(0, lambda _due: over.set())
    poller.register(ours.fileno(), on_ready, READ)
    poller.timers.add(-1, lambda _due: theirs.send(b"x"))
    poller.start()
    poller.wake()
    came(over)
    assert order.index("read") < 40
    assert order.index("written") < 40
    assert order.count("due") == 100
    assert poller.lag_ns >= 80 * MS, "what waited longest is known"


def test_what_is_due_is_done_at_its_instant_and_never_before(make_poller: MakePoller) -> None:
    poller = make_poller()
    poller.start()
    told: list[tuple[int, int]] = []
    over = Event()
    start_ns = poller.now()
    dues = [start_ns + after * MS for after in (12, 3, 7)]
    for due_ns in dues:
        poller.timers.add(due_ns, lambda due: told.append((due, poller.now())))
    poller.timers.add(max(dues), lambda _due: over.set())
    poller.wake()
    came(over)
    assert [due for due, _ in told] == sorted(dues)
    assert all(at >= due for due, at in told)


def test_something_earlier_may_be_planned_while_the_alarm_is_set(make_poller: MakePoller) -> None:
    poller = make_poller()
    poller.start()
    told = Event()
    poller.timers.add(poller.now() + 3600 * 1000 * MS, lambda _due: pytest.fail("an hour has not passed"))
    poller.wake()
    gevent.idle()
    poller.timers.add(poller.now() + 2 * MS, lambda _due: told.set())
    poller.wake()
    came(told)


def test_a_clock_that_was_set_back_is_waited_for(make_poller: MakePoller) -> None:
    """The alarm comes by the steady clock, before the run's clock shows the instant."""
    back_ns = [0]
    poller = make_poller(lambda: time.monotonic_ns() - back_ns[0])
    told = Event()
    poller.start()
    poller.timers.add(poller.now() + 2 * MS, lambda _due: told.set())
    poller.wake()
    gevent.idle()
    back_ns[0] = 10 * MS
    came(told)


def test_two_wakes_are_one_turn(make_poller: MakePoller) -> None:
    poller = make_poller(lambda: 0)
    turns: list[int] = []
    came_round = Event()
    poller._work = lambda: (turns.append(1), came_round.set())
    poller.start()
    poller.wake()
    poller.wake()
    came(came_round)
    gevent.idle()
    assert turns == [1]


def test_lag_is_the_longest_that_something_due_has_waited(make_poller: MakePoller) -> None:
    now = [100]
    poller = make_poller(lambda: now[0])
    lags = []
    for due_ns, at_ns in ((100, 100), (100, 350), (300, 360), (1000, 500)):
        poller.timers.add(due_ns, lambda _due: None)
        now[0] = at_ns
        poller._work()
        lags.append(poller.lag_ns)
    assert lags == [0, 250, 250, 250]


@pytest.fixture
def long_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATIENCE_NS", "MAX_GO_NS"):
        monkeypatch.setattr(poller_module, name, 3600 * S)


def read_at(epoll: Poller, pair: Pair, due_ns: int | None = None) -> int:
    """When bytes are read that arrive at once; the next thing falls due at ``due_ns``."""
    ours, theirs = pair
    instants: list[int] = []
    told = Event()

    def on_ready(_bits: int) -> None:
        ours.recv(10)
        instants.append(epoll.now())
        told.set()

    epoll.register(ours.fileno(), on_ready, READ)
    epoll.timers.add(epoll.now(), lambda _due: theirs.send(b"x"))
    if due_ns is not None:
        epoll.timers.add(due_ns, lambda _due: None)
    epoll.wake()
    came(told)
    return instants[0]


@pytest.mark.usefixtures("long_patience")
def test_reads_may_wait_for_what_is_due(epoll: Poller, pairs: Callable[[], Pair]) -> None:
    epoll.patient = True
    due_ns = epoll.now() + 200 * MS
    assert read_at(epoll, pairs(), due_ns) >= due_ns


@pytest.mark.usefixtures("long_patience")
@pytest.mark.parametrize(("patient", "opening"), [(0, 0), (1, 1)])
def test_reads_wait_for_nothing_where_they_must_not(
    epoll: Poller, pairs: Callable[[], Pair], patient: int, opening: int
) -> None:
    epoll.patient, epoll.connecting = bool(patient), opening
    due_ns = epoll.now() + 60 * S
    assert read_at(epoll, pairs(), due_ns) < due_ns


@pytest.mark.parametrize("short", ["PATIENCE_NS", "MAX_GO_NS"])
def test_reads_wait_neither_for_what_is_due_late_nor_longer_than_others_may_wait_for_us(
    epoll: Poller, pairs: Callable[[], Pair], monkeypatch: pytest.MonkeyPatch, short: str
) -> None:
    for name in {"PATIENCE_NS", "MAX_GO_NS"} - {short}:
        monkeypatch.setattr(poller_module, name, 3600 * S)
    epoll.patient = True
    due_ns = epoll.now() + 60 * S
    assert read_at(epoll, pairs(), due_ns) < due_ns


@pytest.mark.usefixtures("long_patience")
def test_where_nothing_is_due_reads_wait_for_nothing(epoll: Poller, pairs: Callable[[], Pair]) -> None:
    epoll.patient = True
    read_at(epoll, pairs())


def test_other_greenlets_get_their_turn_while_bytes_lie_unread(
    stopped: Callable[[Poller], Poller], pairs: Callable[[], Pair]
) -> None:
    """A descriptor that is always ready takes so many loop turns in one go, where no time passes."""
    epoll = stopped(EpollPoller(lambda: 0))
    ours, theirs = pairs()
    theirs.send(b"never read")
    told: list[int] = []
    told_before: list[int] = []
    over = Event()

    def on_ready(bits: int) -> None:
        if not told:
            gevent.get_hub().loop.run_callback(look)
        told.append(bits)

    def look() -> None:
        told_before.append(len(told))
        over.set()

    epoll.register(ours.fileno(), on_ready, READ)
    epoll.start()
    came(over)
    assert told_before == [MAX_TURNS]


def test_reads_that_take_long_let_through_what_is_due(
    make_poller: MakePoller, pairs: Callable[[], Pair]
) -> None:
    """A dozen connections are flooded: each read takes four milliseconds, and there is always more."""
    now = [0]
    poller = make_poller(lambda: now[0])
    order: list[int | str] = []
    over = Event()

    def reader(number: int) -> Callable[[int], None]:
        def on_ready(_bits: int) -> None:
            now[0] += 4 * MS
            order.append(number)

        return on_ready

    behind: list[bool] = []

    def tick(_due_ns: int) -> None:
        order.append("due")
        behind.append(poller.reads_behind)
        if order.count("due") < 12:
            poller.timers.add(now[0] + 1, tick)
        else:
            over.set()

    for number in range(12):
        ours, theirs = pairs()
        theirs.send(b"never read")
        poller.register(ours.fileno(), reader(number), READ)
    poller.timers.add(1, tick)
    poller.start()
    came(over)
    between = [list(group) for is_due, group in groupby(order, lambda each: each == "due") if not is_due]
    assert max(map(len, between)) <= 3, order
    read = [each for each in order if each != "due"]
    assert sorted(read[:12], key=str) == sorted(range(12), key=str), "each has its turn before one has two"
    assert any(behind), "what is due knows that some are not read yet"


def test_all_that_are_ready_are_read_before_what_they_read_is_taken(
    stopped: Callable[[Poller], Poller], pairs: Callable[[], Pair]
) -> None:
    poller = stopped(EpollPoller(lambda: 0))
    order: list[tuple[str, int]] = []
    over = Event()

    def reader(number: int, ours: socket.socket) -> Callable[[int], Takes]:
        def on_ready(_bits: int) -> Takes:
            order.append(("read", number))
            ours.recv(9)
            return Takes(lambda: order.append(("take", number)))

        return on_ready

    for number in range(3):
        ours, theirs = pairs()
        theirs.send(b"x")
        poller.register(ours.fileno(), reader(number, ours), READ)
    poller.timers.add(0, lambda _due: over.set())
    poller.start()
    came(over)
    assert [what for what, _ in order] == ["read"] * 3 + ["take"] * 3
    assert [number for _, number in order[:3]] == [number for _, number in order[3:]]


def test_what_was_read_waits_for_its_turn_where_to_take_it_is_long(
    make_poller: MakePoller, pairs: Callable[[], Pair]
) -> None:
    """Each is taken once, in the order it was read; what is due comes between; more is read after it."""
    now = [0]
    poller = make_poller(lambda: now[0])
    read: list[int] = []
    taken: list[int] = []
    left: list[tuple[int, bool]] = []
    over = Event()

    def reader(number: int, ours: socket.socket) -> Callable[[int], Takes]:
        def take() -> None:
            now[0] += 6 * MS
            taken.append(number)

        def on_ready(_bits: int) -> Takes:
            ours.recv(1)
            read.append(number)
            return Takes(take)

        return on_ready

    def look(_due_ns: int) -> None:
        left.append((len(read) - len(taken), poller.reads_behind))
        if len(taken) == 12:
            over.set()
        else:
            poller.timers.add(now[0] + 1, look)

    for number in range(6):
        ours, theirs = pairs()
        theirs.send(b"xx")
        poller.register(ours.fileno(), reader(number, ours), READ)
    poller.timers.add(1, look)
    poller.start()
    came(over)
    assert taken == read
    assert sorted(taken[:6]) == list(range(6)), "each has its turn before one has two"
    assert all(behind for waiting, behind in left if waiting)
    if isinstance(poller, EpollPoller):
        assert any(waiting for waiting, _ in left), "what is due does not wait until all was taken"
    assert len(left) >= 6, "what is due comes between"


def test_what_was_read_is_taken_though_nothing_else_happens(
    make_poller: MakePoller, pairs: Callable[[], Pair]
) -> None:
    """It is in no socket any more that would wake us, and nobody sends until all have their answers."""
    now = [0]
    poller = make_poller(lambda: now[0])
    taken: list[int] = []
    over = Event()

    def reader(number: int, ours: socket.socket) -> Callable[[int], Takes]:
        def take() -> None:
            now[0] += 6 * MS
            taken.append(number)
            if len(taken) == 6:
                over.set()

        def on_ready(_bits: int) -> Takes:
            ours.recv(1)
            return Takes(take)

        return on_ready

    for number in range(6):
        ours, theirs = pairs()
        theirs.send(b"x")
        poller.register(ours.fileno(), reader(number, ours), READ)
    poller.start()
    came(over)
    assert sorted(taken) == list(range(6))


def test_reads_are_not_behind_where_all_that_are_ready_were_read(
    make_poller: MakePoller, pairs: Callable[[], Pair]
) -> None:
    now = [0]
    poller = make_poller(lambda: now[0])
    read: list[bytes] = []
    behind: list[bool] = []
    over = Event()

    def reader(ours: socket.socket) -> Callable[[int], None]:
        def on_ready(_bits: int) -> None:
            now[0] += MS
            read.append(ours.recv(9))

        return on_ready

    def look(_due_ns: int) -> None:
        behind.append(poller.reads_behind)
        if len(read) == 3:
            over.set()
        else:
            poller.timers.add(now[0], look)

    for _ in range(3):
        ours, theirs = pairs()
        theirs.send(b"x")
        poller.register(ours.fileno(), reader(ours), READ)
    poller.timers.add(1, look)
    poller.start()
    came(over)
    assert not any(behind)


def test_who_had_no_turn_yet_is_forgotten_with_its_connection(
    stopped: Callable[[Poller], Poller], pairs: Callable[[], Pair]
) -> None:
    """Before its read comes round the second connection ends, and its descriptor is another's."""
    now = [0]
    poller = stopped(EpollPoller(lambda: now[0]))
    here = {ours.fileno(): theirs for ours, theirs in (pairs(), pairs())}
    told: list[int] = []
    settled = Event()

    def is_another(_due_ns: int) -> None:
        (fd,) = here.keys() - {told[0]}
        poller.unregister(fd)
        poller.register(fd, lambda _bits: pytest.fail("what was ready was another's"), 0)
        poller.timers.add(now[0] + 1, lambda _due: settled.set())
        now[0] += 1

    def slow(fd: int) -> Callable[[int], None]:
        def on_ready(_bits: int) -> None:
            now[0] += 6 * MS
            told.append(fd)
            poller.unregister(fd)
            poller.timers.add(now[0], is_another)

        return on_ready

    for fd, theirs in here.items():
        theirs.send(b"x")
        poller.register(fd, slow(fd), READ)
    poller.start()
    came(settled)
    assert len(told) == 1


def test_other_greenlets_get_their_turn_between_reads_that_take_long(
    stopped: Callable[[Poller], Poller], pairs: Callable[[], Pair]
) -> None:
    now = [0]
    poller = stopped(EpollPoller(lambda: now[0]))
    told: list[int] = []
    told_before: list[int] = []
    over = Event()

    def look() -> None:
        told_before.append(len(told))
        over.set()

    def on_ready(bits: int) -> None:
        now[0] += 4 * MS
        if not told:
            gevent.get_hub().loop.run_callback(look)
        told.append(bits)

    for _ in range(12):
        ours, theirs = pairs()
        theirs.send(b"never read")
        poller.register(ours.fileno(), on_ready, READ)
    poller.start()
    came(over)
    assert told_before == [2]


# ------------------------------------------------------------------ a crash


class MistakeError(Exception):
    pass


def crash(*_: Any) -> None:
    raise MistakeError


def crash_in_read(poller: Poller, pair: Pair) -> None:
    pair[1].send(b"x")
    poller.register(pair[0].fileno(), crash, READ)


def crash_in_take(poller: Poller, pair: Pair) -> None:
    pair[1].send(b"x")
    poller.register(pair[0].fileno(), lambda _bits: Takes(crash), READ)


def crash_in_due(poller: Poller, _pair: Pair) -> None:
    poller.timers.add(0, crash)
    poller.wake()


def crash_in_flush(poller: Poller, _pair: Pair) -> None:
    poller.dirty.append(Flushed(crash))
    poller.wake()


@pytest.mark.parametrize("where", [crash_in_read, crash_in_take, crash_in_due, crash_in_flush])
def test_a_mistake_is_told_once_and_ends_the_service(
    make_poller: MakePoller, pairs: Callable[[], Pair], where: Callable[[Poller, Pair], None]
) -> None:
    poller = make_poller()
    told: list[Exception] = []
    crashed = Event()
    poller.on_crash = lambda error: (told.append(error), crashed.set())
    poller.start()
    where(poller, pairs())
    came(crashed)
    gevent.idle()
    assert [type(error) for error in told] == [MistakeError]
    assert not poller.running


def test_a_mistake_that_nobody_wants_to_know_is_raised(make_poller: MakePoller) -> None:
    poller = make_poller()
    with pytest.raises(MistakeError):
        poller._crashed(MistakeError())
    assert not poller.running


# ------------------------------------------------------------------ the end


def test_after_the_stop_nothing_is_done(make_poller: MakePoller, pairs: Callable[[], Pair]) -> None:
    ours, theirs = pairs()
    poller = make_poller()
    poller.register(ours.fileno(), lambda _bits: pytest.fail("it was stopped"), READ)
    poller.start()
    poller.timers.add(poller.now(), lambda _due: pytest.fail("it was stopped"))
    poller.wake()
    poller.stop()
    theirs.send(b"x")
    poller.wake()
    gevent.idle()
    poller.stop()
    assert not poller.running


def test_an_action_may_stop_the_poller(make_poller: MakePoller) -> None:
    poller = make_poller()
    over = Event()
    poller.start()
    later = poller.now() + 3600 * 1000 * MS
    poller.timers.add(0, lambda _due: (poller.timers.add(later, crash), poller.stop(), over.set()))
    poller.wake()
    came(over)
    gevent.idle()
    assert not poller.running


@pytest.mark.parametrize("ran", [True, False])
def test_a_poller_that_stops_gives_its_descriptors_back(
    stopped: Callable[[Poller], Poller], *, ran: bool
) -> None:
    poller = stopped(EpollPoller(time.monotonic_ns))
    descriptors = poller._epoll.fileno(), poller._timer.fd
    if ran:
        poller.start()
    poller.stop()
    poller.stop()
    polled = select.poll()
    for fd in descriptors:
        polled.register(fd, select.POLLIN)
    assert {bits for _, bits in polled.poll(0)} == {select.POLLNVAL}


@pytest.mark.parametrize(("platform", "kind"), [("linux", EpollPoller), ("darwin", WatcherPoller)])
def test_each_system_has_its_poller(
    monkeypatch: pytest.MonkeyPatch,
    stopped: Callable[[Poller], Poller],
    platform: str,
    kind: type[Poller],
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "platform", platform)
        poller = stopped(best_poller(time.monotonic_ns))
    assert type(poller) is kind
