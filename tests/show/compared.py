"""Comparisons to draw: sample runs as repeats of releases, some slower, some that lose turns."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from sample import EVIL, SampleRun, Shape, judged, make_intervals, unreachable

from loadtest.judge.compare import compare
from loadtest.judge.samples import side
from loadtest.show.comparison import Compared, compared

Named = tuple[str, Sequence[Any]]
LONG = "release-2026.11.22-rc1+with.a.name.that.goes.on"


@functools.cache
def release(
    name: str, n: int, factor: float = 1.0, *, lost: float = 0.0, seconds: int = 8
) -> tuple[SampleRun, ...]:
    """Repeats of a release that answers ``factor`` times as slowly; the same each time."""
    rng = np.random.default_rng(sum(name.encode()))
    runs = []
    for number in range(n):
        slow = factor * float(np.exp(rng.normal(0, 0.02)))
        shape = Shape(
            connections=12, seconds=8, warmup=1, median_ms=20 * slow, gap_ms=4 * slow, timed_out=lost
        )
        seed = int(rng.integers(1_000_000))
        run = judged(shape, make_intervals(shape, seed), label=name, started=f"2026-11-22T12:{number:02}:00Z")
        run.manifest["id"] = f"20261122T12{number:02}00Z-agent-burst-{name}"
        runs.append(run)
    return tuple(runs)


def of(
    before: tuple[str, Sequence[Any]], *others: tuple[str, Sequence[Any]], **options: Any
) -> list[Compared]:
    """A comparison with each of the others."""
    made = []
    for name, runs in others:
        one, other = (side(title, [run.manifest for run in found]) for title, found in (before, (name, runs)))
        made.append(compared(compare(one, other, **options), before[1], runs))
    return made


@functools.cache
def slower() -> list[Compared]:
    """Five against five, the candidate two fifths slower."""
    return of(("v1", release("v1", 5)), ("v2", release("v2", 5, 1.4)))


@functools.cache
def lossy() -> list[Compared]:
    """Three turns in ten are lost."""
    return of(("v1", release("v1", 5)), ("lossy", release("lossy", 5, lost=0.3)))


@functools.cache
def single() -> list[Compared]:
    """One against one."""
    return of(("v1", release("v1", 5)[:1]), ("v2", release("v2", 5, 1.4)[:1]))


@functools.cache
def nightly() -> list[Compared]:
    """One against a history."""
    return of(("nights", release("nights", 9)), ("tonight", release("tonight", 1, 1.3)))


@functools.cache
def many() -> list[Compared]:
    """Seven candidates, one of them much slower."""
    others = [(f"{LONG}-{at}", release(f"r{at}", 2, 1 + at / 10)) for at in range(6)]
    return of(("v1", release("v1", 5)), *others, ("slow", release("slow", 2, 40.0)))


@functools.cache
def hostile() -> list[Compared]:
    """Names from elsewhere that try to be something else."""
    return of((f"v1{EVIL}", release("v1", 5)), (EVIL, release("v2", 5, 1.4)))


@functools.cache
def nothing() -> list[Compared]:
    """A candidate that was never reached."""
    return of(("v1", release("v1", 5)), ("dead", [unreachable()]), force=True)


@functools.cache
def few() -> list[Compared]:
    """Runs of one second: hardly a sample."""
    shape = Shape(connections=1, seconds=1, warmup=0, burst=1, beats=1)
    tiny = [judged(shape, make_intervals(shape, seed)) for seed in (1, 2)]
    return of(("t1", tiny[:1]), ("t2", tiny[1:]))


COMPARISONS = {made.__name__: made for made in (slower, lossy, single, nightly, many, hostile, nothing, few)}
