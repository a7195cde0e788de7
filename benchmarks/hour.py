"""How long a stored run of an hour takes to be looked at: every second kept, fifteen metrics in each.

    python -m benchmarks.hour                     make two in a temporary folder, time the views, three times
    python -m benchmarks.hour --seconds 60        a shorter one
    python -m benchmarks.hour --keep results      leave it there

The run is made by arithmetic and written by ``keep``'s own writers; nothing is sent.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loadtest.errors import Exit
from loadtest.judge.judge_run import judge_run
from loadtest.keep.fingerprint import fingerprint
from loadtest.keep.manifest import COMPLETE, first_manifest, timestamp
from loadtest.keep.read import read_run
from loadtest.keep.write import RunFolder
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import TURN, Interval
from loadtest.plan.overrides import Overrides
from loadtest.plan.scenario_file import load_scenario
from loadtest.plan.schedule import Schedule

NS = 1_000_000_000
STARTED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CONNECTIONS = 40
TURNS_A_SECOND = 200
EVENTS = 7

MEDIAN_MS = {
    "connect.resolve": 0.9,
    "connect.tcp": 0.1,
    "connect.tls": 2.0,
    "connect.upgrade": 1.4,
    "connect.ready": 0.6,
    "connect.total": 5.0,
    "reconnect.time": 120.0,
    "ping.rtt": 0.4,
    "send.lateness": 0.05,
    "receive.lag": 0.03,
    "turn.first_event": 3.0,
    "turn.completion": 12.0,
    "turn.first_event.service": 2.9,
    "turn.completion.service": 11.9,
    "event.gap": 1.5,
}
"""Every metric there is, and where the middle of each lies."""

VERDICTS = (Exit.PASS, Exit.FAIL, Exit.INVALID)
"""Ways for a view to end; two runs alone, say, are too few to tell them apart."""

HTML = ("--format", "html", "--output")

DIFFERENT_SECONDS = 120
"""So many are drawn; then they come again, since drawing takes longer than writing."""


def make_hour(results: Path, label: str = "hour", seconds: int = 3600, seed: int = 1) -> Path:
    """Write a run of so many seconds, judge it, and return its folder."""
    scenario = load_scenario(
        "agent-burst",
        Overrides(
            connections=CONNECTIONS, duration=f"{seconds}s", sets=("load.warmup=0s", "traffic.every=1s")
        ),
    )
    folder = RunFolder.create(results, scenario.name, label, STARTED)
    manifest = first_manifest(
        scenario,
        run_id=folder.id,
        label=label,
        started=STARTED,
        turns_due=Schedule(scenario.load, scenario.traffic).due(),
        fingerprint=fingerprint(scenario.sha256, [], redactor=None),
    )
    rng = np.random.default_rng(seed)
    drawn = [_histograms(rng) for _ in range(min(seconds, DIFFERENT_SECONDS))]
    for second in range(seconds):
        folder.interval(_interval(second, drawn[second % len(drawn)], rng))
    manifest["observed"] = folder.close()
    ended = STARTED + timedelta(seconds=seconds)
    manifest |= {"ended": timestamp(ended), "duration_s": float(seconds), "status": COMPLETE}
    folder.manifest(manifest)
    run = read_run(folder.path)
    folder.manifest(judge_run(run.manifest, run.totals(), run.turns()))
    return folder.path


class _Drawn(Histogram):
    """Encoded once: the seconds come again, and encoding is most of the writing."""

    def __init__(self) -> None:
        super().__init__()
        self._encoded = b""

    def encode(self) -> bytes:
        """As the histogram's own, remembered."""
        self._encoded = self._encoded or super().encode()
        return self._encoded


def _histograms(rng: np.random.Generator) -> dict[str, Histogram]:
    """One second of every metric, as wide as real ones are."""
    made: dict[str, Histogram] = {}
    for name, middle in MEDIAN_MS.items():
        n = TURNS_A_SECOND * (EVENTS - 1) if name == "event.gap" else TURNS_A_SECOND
        made[name] = _Drawn()
        made[name].record((rng.lognormal(np.log(middle * 1e6), 0.5, n)).astype(np.int64))
    return made


def _interval(second: int, histograms: dict[str, Histogram], rng: np.random.Generator) -> Interval:
    turns = _turns(second, rng)
    opened = CONNECTIONS if second == 0 else 0
    counters = {
        **dict.fromkeys(("turns.due", "turns.begun", "turns.complete", "events.sent"), TURNS_A_SECOND),
        **dict.fromkeys(("events.received", "events.matched", "events.expected"), TURNS_A_SECOND * EVENTS),
        **{f"connections.{name}": opened for name in ("attempted", "established", "ready")},
        "bytes.sent": 118 * TURNS_A_SECOND,
        "bytes.received": 164 * EVENTS * TURNS_A_SECOND,
    }
    moves = np.stack([np.arange(opened), np.ones(opened, np.int64)], axis=1) if opened else None
    interval = Interval(second=second, histograms=histograms, turns=turns, counters={"measured": counters})
    interval.gauges = {"users": 40.0, "ready": 40.0, "in_flight": 3.0, "cpu": 0.2, "loop_lag_ns": 4e5}
    interval.instants = {"first_attempt": 0, "last_ready": opened, "last_matched": (second + 1) * NS - 1}
    if moves is not None:
        interval.moves = moves
    return interval


def _turns(second: int, rng: np.random.Generator) -> npt.NDArray[np.void]:
    turns = np.zeros(TURNS_A_SECOND, TURN)
    turns["seq"] = np.arange(TURNS_A_SECOND) + second * TURNS_A_SECOND
    turns["user"] = turns["seq"] % CONNECTIONS
    turns["phase"] = 1
    turns["events"] = EVENTS
    turns["intended_ns"] = second * NS + np.arange(TURNS_A_SECOND) * (NS // TURNS_A_SECOND // 2)
    turns["waited_from_ns"] = turns["intended_ns"]
    turns["sent_ns"] = turns["intended_ns"] + rng.integers(20_000, 90_000, TURNS_A_SECOND)
    turns["first_ns"] = turns["sent_ns"] + rng.integers(1_000_000, 9_000_000, TURNS_A_SECOND)
    turns["done_ns"] = turns["first_ns"] + rng.integers(1_000_000, 40_000_000, TURNS_A_SECOND)
    return turns


class Took(NamedTuple):
    """Seconds by the clock, and of processor time, which what else the machine does hardly changes."""

    wall_s: float
    cpu_s: float


def timed(words: Sequence[str | Path], times: int = 1) -> Took:
    """What a command of ours takes, from its start to its end; medians of some."""
    took = [_once([sys.executable, "-m", "loadtest", *map(str, words)]) for _ in range(times)]
    return Took(median(one.wall_s for one in took), median(one.cpu_s for one in took))


def _once(command: Sequence[str]) -> Took:
    before, began = os.times(), time.perf_counter()
    # What tests start draws no plots, and plots are what takes long.
    drawn = {**os.environ, "PYTHONPATH": ""}
    ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=drawn)
    wall_s, after = time.perf_counter() - began, os.times()
    if ended.returncode not in VERDICTS:
        raise RuntimeError(ended.stderr.decode())
    user_s = after.children_user - before.children_user
    return Took(wall_s, user_s + after.children_system - before.children_system)


def views(run: Path, other: Path, seconds: int) -> dict[str, list[str | Path]]:
    """What is timed, by what to call it."""
    page, both, third = run.parent / "page.html", run.parent / "both.html", seconds // 3
    return {
        "report --format terminal": ["report", run, "--format", "terminal"],
        "report --format html, with all plots": ["report", run, *HTML, page],
        "report of its middle third": ["report", run, "--from", f"{third}s", "--to", f"{2 * third}s"],
        "compare with another one": ["compare", run, other],
        "compare --format html, with all plots": ["compare", run, other, *HTML, both],
    }


def main(words: Sequence[str]) -> int:
    """Make, time, print."""
    parser = argparse.ArgumentParser(prog="benchmarks.hour", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--times", type=int, default=3, help="how often each is timed (default 3)")
    parser.add_argument("--keep", type=Path, help="make it in this folder, and leave it there")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as temporary:
        results = options.keep or Path(temporary)
        began = time.perf_counter()
        run, other = (make_hour(results, f"hour{n}", options.seconds, n) for n in (1, 2))
        print(f"made two runs of {options.seconds} s in {time.perf_counter() - began:.1f} s")
        for name, command in views(run, other, options.seconds).items():
            took = timed(command, options.times)
            print(f"{name:40} {took.wall_s:6.2f} s, of the processor {took.cpu_s:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
