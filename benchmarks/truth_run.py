"""One run of the real generator against the truth server, each on a core of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.truth import NS, Answers, Table, read_answers
from loadtest.keep.read import read_run

HERE = Path(__file__).resolve().parent
WARMUP_S = 3
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, GENERATOR_CORE = CORES[0], CORES[-1]

LOOK_EVERY_S = 0.5


class Failed(Exception):  # noqa: N818 - a fact about a process, not an error of ours
    """The server or the generator did not do its part; says what it said."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent to which server. Without ``turns_per_s`` the model is closed: the next turn at once."""

    delay: str
    turns_per_s: int | None
    connections: int = 2000
    burn_us: int = 0
    duration_s: int = 10
    own_clock: bool = False

    @property
    def scenario(self) -> Path:
        """The scenario file."""
        kind = "-closed" if self.turns_per_s is None else "-stream" if self.delay == "streamed" else ""
        return HERE / "scenarios" / f"truth{kind}.toml"


@dataclass(frozen=True, slots=True)
class Measured:
    """Both sides of a run.

    ``cpu`` is the processor time of the generator over the measured part, as a part of a core, read from
    outside; ``waited`` the part of the run's time in which the generator, or the server if that was worse,
    was ready to go on and another process had its core.
    """

    manifest: dict[str, Any]
    turns: Table
    answers: Answers
    cpu: float
    waited: float
    own: Table | None


class Look(NamedTuple):
    """An instant of Unix time, and the nanoseconds that each side has run and has waited for a core."""

    at_ns: int
    ran_ns: int
    waited_ns: int
    server_waited_ns: int


def measure(load: Load, folder: Path) -> Measured:
    """Run ``loadtest run`` for real.

    Raises:
        Failed: a process ended otherwise than it should.
    """
    truth, own_clock = folder / "truth.npy", folder / "own.npy"
    with serving(load.delay, truth) as (server, url):
        command = _command(load, url, folder, own_clock)
        looks = _run_pinned(command, server.pid, folder / "generator.out", load.duration_s + 90)
    run = read_run(next((folder / "results").glob("*/run.json")).parent)
    answers = read_answers(truth)
    own = np.load(own_clock) if load.own_clock else None
    cpu = _cpu(looks, answers, load.duration_s)
    return Measured(run.manifest, run.turns(), answers, cpu, _waited(looks, answers), own)


def _command(load: Load, url: str, folder: Path, own_clock: Path) -> list[str]:
    program = ["loadtest"]
    if load.burn_us or load.own_clock:
        program = ["benchmarks.instrumented", "--burn-us", str(load.burn_us), "--burn-after", str(WARMUP_S)]
    if load.own_clock:
        program += ["--own-clock", str(own_clock)]
    settings = {"load.connections": load.connections, "load.duration": f'"{load.duration_s}s"'}
    settings |= {"load.warmup": f'"{WARMUP_S}s"'}
    if load.delay == "compressed":
        settings |= {"target.compression": "true"}
    if load.turns_per_s is not None:
        settings |= {"traffic.rate": f'"{load.turns_per_s}/s"'}
    return [
        *(sys.executable, "-m", *program, "run", str(load.scenario), "--target", url, "--quiet"),
        *("--results", str(folder / "results")),
        *(word for name, value in settings.items() for word in ("--set", f"{name}={value}")),
    ]


@contextmanager
def as_children_shall(core: int) -> Iterator[None]:
    """Have processes started here run on one core, and before all others where we may ask for that."""
    mine, policy = os.sched_getaffinity(0), os.sched_getscheduler(0)
    os.sched_setaffinity(0, {core})
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, os.sched_param(0))
        os.sched_setaffinity(0, mine)


def may_come_first() -> bool:
    """Whether processes of ours may run before all others."""
    with as_children_shall(GENERATOR_CORE):
        return os.sched_getscheduler(0) == os.SCHED_FIFO


@contextmanager
def serving(delay: str, truth: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The truth server on its core, and its URL; at the end it has written down what happened.

    Raises:
        Failed: it ended otherwise than it should.
    """
    command = [sys.executable, "-m", "benchmarks.truth_server", delay, "--truth", str(truth)]
    with as_children_shall(SERVER_CORE):
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    with server:
        try:
            assert server.stdout is not None  # asked for above
            url = server.stdout.readline().strip()
            if not url:
                raise Failed(f"the truth server ended with {server.wait()}")
            yield server, url
            server.send_signal(signal.SIGTERM)
            if server.wait(30) != 0:
                raise Failed(f"the truth server ended with {server.returncode}")
        finally:
            if server.poll() is None:
                server.kill()


def _run_pinned(command: list[str], server: int, output: Path, within_s: float) -> list[Look]:
    """Run the generator on its core, and look at both sides while it runs."""
    looks: list[Look] = []
    with output.open("w") as out:
        with as_children_shall(GENERATOR_CORE):
            generator = subprocess.Popen(command, stdout=out, stderr=out, cwd=HERE.parent)
        deadline_s = time.monotonic() + within_s
        try:
            while generator.poll() is None and time.monotonic() < deadline_s:
                looks.append(_look(generator.pid, server))
                time.sleep(LOOK_EVERY_S)
        finally:
            if generator.poll() is None:
                generator.kill()
            generator.wait()
    # A generator that finds itself saturated ends with 4: measured, and not to be believed.
    if generator.returncode not in (0, 4):
        raise Failed(f"the generator ended with {generator.returncode}: {output.read_text()[-2000:]}")
    return looks


def _look(generator: int, server: int) -> Look:
    return Look(time.time_ns(), *_scheduled(generator), _scheduled(server)[1])


def _scheduled(pid: int) -> tuple[int, int]:
    """How long the threads of a process have run, and been ready to while another process had their core."""
    try:
        stats = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    except OSError:
        return 0, 0
    return sum(int(stat[0]) for stat in stats if stat), sum(int(stat[1]) for stat in stats if stat)


def _span(looks: list[Look], from_ns: int, until_ns: int) -> tuple[Look, int]:
    """What happened between two instants, and over how many nanoseconds.

    Raises:
        Failed: the run was too short to look at.
    """
    within = [look for look in looks if from_ns <= look.at_ns <= until_ns]
    if len(within) < 2:
        raise Failed("the run was over before its processor time could be read twice")
    first, last = within[0], within[-1]
    return Look(*(b - a for a, b in zip(first, last, strict=True))), last.at_ns - first.at_ns


def _cpu(looks: list[Look], answers: Answers, duration_s: int) -> float:
    from_ns = int(answers.arrived_ns.min()) + WARMUP_S * NS
    span, elapsed_ns = _span(looks, from_ns, from_ns + duration_s * NS)
    return span.ran_ns / elapsed_ns


def _waited(looks: list[Look], answers: Answers) -> float:
    span, elapsed_ns = _span(looks, int(answers.arrived_ns.min()), int(answers.departed_ns.max()))
    return max(span.waited_ns, span.server_waited_ns) / elapsed_ns
