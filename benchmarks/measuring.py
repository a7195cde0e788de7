"""One measurement: a fresh server, one generator, and what the work it did has cost it.

The work is counted by the server, the cost is the CPU time of the generator's whole process tree, and both
are read at the two ends of a window in the steady part: start-up, imports and reports are in neither.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import tree
from benchmarks.cases import Case
from benchmarks.generator import Generator, Job, Told
from benchmarks.server import Server

BEGINS_WITHIN_S = 40.0
ENDS_WITHIN_S = 40.0
LOOK_EVERY_S = 0.02
ONCE_S = 8.0
"""How long a run is whose connections are opened once, so that all are open before it ends."""

FEW = 200
"""The smaller number of connections of the memory case."""


class NotMeasuredError(Exception):
    """The generator did not do what was to be measured."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How measurements are made: which cores, how long."""

    generator_cores: Sequence[int]
    server_cores: Sequence[int]
    settle_s: float
    window_s: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure. ``per_s`` is work per second of wall time, ``told`` what the generator says of latency.

    ``bunched`` is the share of messages that reached the server within 0.1 ms of the one before.
    ``cpu`` and ``server_cpu`` are how much of a core the generator and the server had in the window.
    """

    case: str
    generator: str
    value: float
    per_s: float | None = None
    cpu: float | None = None
    server_cpu: float | None = None
    told: Told | None = None
    truth: Told | None = None
    bunched: float | None = None
    round: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """The state of one measurement at an instant."""

    at_s: float
    work: int
    cpu_s: float
    server_cpu_s: float


class Bench:
    """A server and a generator at work for one measurement."""

    def __init__(self, case: Case, server: Server, running: tree.Running) -> None:
        self.case = case
        self.server = server
        self.running = running

    def look(self) -> Look:
        """How much work was done, and what it has cost."""
        work = int(self.server.stats()[self.case.counter])
        return Look(time.perf_counter(), work, tree.cpu_s(self.running.pid), tree.cpu_s(self.server.pid))

    def until(self, done: Callable[[dict[str, Any]], bool], within_s: float, what: str) -> None:
        """Wait until the server's counters say so.

        Raises:
            NotMeasuredError: they do not in time, or the generator ended before.
        """
        deadline = time.perf_counter() + within_s
        while not done(self.server.stats()):
            if self.running.ended() or time.perf_counter() > deadline:
                raise NotMeasuredError(f"{what}; its last words: {self.running.last_words()}")
            time.sleep(LOOK_EVERY_S)


@contextmanager
def _at_work(
    generator: Generator, case: Case, settings: Settings, *, truth: bool = False, **job: Any
) -> Iterator[tuple[Bench, Job]]:
    together = case.kind == "together"
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        Server.start([] if together else settings.server_cores, truth=truth) as server,
    ):
        todo = Job(case, server, Path(folder), job.pop("connections", case.connections), **job)
        cores: Sequence[int] = [] if together else settings.generator_cores
        words = generator.words(todo)
        with tree.Running(words, todo.folder, cores, generator.environ(todo)) as running:
            yield Bench(case, server, running), todo


def _window(bench: Bench, settings: Settings, generator: Generator) -> tuple[Look, Look]:
    """The two ends of the steady part."""
    counter = bench.case.counter
    bench.until(lambda found: found[counter] > 0, BEGINS_WITHIN_S, "nothing came")
    time.sleep(settings.settle_s + (generator.settles_s if bench.case.kind == "steady" else 0.0))
    first = bench.look()
    time.sleep(settings.window_s)
    return first, bench.look()


def _per_cpu_s(generator: Generator, case: Case, first: Look, last: Look) -> Measured:
    work, cpu_s, wall_s = last.work - first.work, last.cpu_s - first.cpu_s, last.at_s - first.at_s
    if work <= 0 or cpu_s <= 0:
        raise NotMeasuredError(f"no work was done in {wall_s:.1f} s")
    server_cpu = (last.server_cpu_s - first.server_cpu_s) / wall_s
    return Measured(case.name, generator.name, work / cpu_s, work / wall_s, cpu_s / wall_s, server_cpu)


def steady(generator: Generator, case: Case, settings: Settings) -> Measured:
    """Work per CPU-second while it goes on."""
    with _at_work(generator, case, settings) as (bench, _job):
        return _per_cpu_s(generator, case, *_window(bench, settings, generator))


def once(generator: Generator, case: Case, settings: Settings) -> Measured:
    """Connections per CPU-second, from the first of them to the close of the last, all between included."""
    if not generator.once:
        return steady(generator, case, settings)
    with _at_work(generator, case, settings, seconds=ONCE_S) as (bench, job):
        before = first = bench.look()

        def opened(found: dict[str, Any]) -> bool:
            nonlocal before, first
            before, first = first, bench.look()
            return bool(found["accepted"])

        bench.until(opened, BEGINS_WITHIN_S, "no connection came")
        bench.until(lambda found: found["closed"] >= job.connections, ENDS_WITHIN_S, "not all were closed")
        return _per_cpu_s(generator, case, before, bench.look())


def storm(generator: Generator, case: Case, settings: Settings) -> Measured:
    """How long TCP took for connections that are opened all at once, as the generator says at its end."""
    with _at_work(generator, case, settings, seconds=ONCE_S) as (bench, job):
        bench.until(
            lambda found: found["upgraded"] >= job.connections, BEGINS_WITHIN_S, "not all were opened"
        )
        ended = bench.running.wait(ENDS_WITHIN_S)
        told = generator.told(job) if generator.told is not None and ended else None
        if told is None or told.p50 is None:
            raise NotMeasuredError(
                f"the run of one round was not valid; its last words: {bench.running.last_words()}"
            )
    return Measured(case.name, generator.name, told.p50, told=told)


def memory(generator: Generator, case: Case, settings: Settings) -> Measured:
    """Resident memory per connection: many of them less few of them."""
    few, many = (_resident(generator, case, settings, n) for n in (FEW, FEW + case.connections))
    return Measured(case.name, generator.name, (many - few) / case.connections / 1024)


def _resident(generator: Generator, case: Case, settings: Settings, connections: int) -> int:
    with _at_work(generator, case, settings, connections=connections) as (bench, _job):
        bench.until(lambda found: found["open"] >= connections, BEGINS_WITHIN_S, "not all were opened")
        time.sleep(settings.settle_s + settings.window_s)
        if bench.server.stats()["open"] < connections:
            raise NotMeasuredError("not all were held")
        return tree.resident_bytes(bench.running.pid)


def rate(generator: Generator, case: Case, settings: Settings) -> Measured:
    """CPU at a fixed rate, and what the generator says of service time beside what the server did."""
    seconds = settings.settle_s + settings.window_s + 2.0
    with _at_work(generator, case, settings, truth=True, seconds=seconds) as (bench, job):
        first, last = _window(bench, settings, generator)
        ended = generator.told is not None and bench.running.wait(ENDS_WITHIN_S)
        told = generator.told(job) if generator.told is not None and ended else None
        # Both speak of all messages of the run, to its end.
        service_us = bench.server.stats()["service_us"]
        truth, bunched = _truth(service_us)
    wall_s = last.at_s - first.at_s
    per_s = (last.work - first.work) / wall_s
    if per_s <= 0:
        raise NotMeasuredError("no message was answered")
    cpu_per_message_s = (last.cpu_s - first.cpu_s) / (last.work - first.work)
    cost = 100 * 2000 * cpu_per_message_s
    return Measured(case.name, generator.name, cost, per_s, told=told, truth=truth, bunched=bunched)


def _truth(service_us: dict[str, Any] | None) -> tuple[Told | None, float | None]:
    """The server's own service time, and the share of messages that came close behind another."""
    if service_us is None:
        return None, None
    told = Told(service_us["p50"] / 1000, service_us["p99"] / 1000)
    return told, service_us["bunched"] / service_us["n"]


def together(generator: Generator, case: Case, settings: Settings, processes: int) -> Measured:
    """Work per second of wall time with so many processes."""
    with _at_work(generator, case, settings, processes=processes) as (bench, _job):
        first, last = _window(bench, settings, generator)
        found = _per_cpu_s(generator, case, first, last)
        name = f"{generator.name}, {processes} process{'es' if processes > 1 else ''}"
        return replace(found, generator=name, value=found.per_s or 0.0, per_s=found.value)
