"""A small stored run: made up by arithmetic, judged and kept for real."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from loadtest.judge.judge_run import judge_run
from loadtest.keep.manifest import COMPLETE, first_manifest, timestamp
from loadtest.keep.read import read_run
from loadtest.keep.redact import Redactor
from loadtest.keep.write import RunFolder
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, PHASES, TURN, Interval
from loadtest.plan.overrides import Overrides
from loadtest.plan.scenario_file import load_scenario

STARTED = datetime(2026, 11, 22, 12, 15, 30, tzinfo=UTC)
MS = 1_000_000
SECONDS = 6
PER_SECOND = 100


def store(
    results: Path,
    label: str | None = None,
    *,
    first_event_ms: int = 20,
    seconds: int = SECONDS,
    ended: bool = True,
) -> Path:
    """A run of six seconds with 100 turns each; from the fourth second on first events take twice as long."""
    sets = ("load.warmup=0s", "load.connections=20")
    scenario = load_scenario("agent-burst", Overrides(duration=f"{SECONDS}s", sets=sets))
    folder = RunFolder.create(results, scenario.name, label, STARTED, Redactor())
    manifest = first_manifest(scenario, run_id=folder.id, label=label, started=STARTED, turns_due=600)
    folder.manifest(manifest)
    for number in range(seconds):
        folder.interval(_second(number, first_event_ms * (2 if number >= 3 else 1)))
    as_killed = Path(shutil.copytree(folder.path, results / f"{folder.path.name}-as-killed"))
    folder.close()
    if ended:
        shutil.rmtree(as_killed)
        run = read_run(folder.path)
        over = {"ended": timestamp(STARTED), "duration_s": SECONDS, "status": COMPLETE}
        folder.manifest(judge_run({**manifest, **over}, run.totals(), run.turns(), list(run.intervals())))
    else:
        shutil.rmtree(folder.path)
        as_killed.rename(folder.path)
    return folder.path


def _second(number: int, first_event_ms: int) -> Interval:
    turns = _turns(number, first_event_ms)
    histograms = {}
    for name, until in (("turn.first_event", "first_ns"), ("turn.completion", "done_ns")):
        histograms[name] = Histogram()
        histograms[name].record(turns[until] - turns["intended_ns"])
    n = PER_SECOND
    counters = {"turns.due": n, "turns.begun": n, "turns.complete": n, "events.sent": n, "turns.numbered": n}
    counters |= {"events.received": 7 * n, "events.matched": 7 * n, "events.expected": 7 * n}
    opened = 20 if number == 0 else 0
    counters |= {f"connections.{name}": opened for name in ("attempted", "established", "ready")}
    moves = np.array([[connection * MS, 1] for connection in range(opened)], np.int64).reshape(-1, 2)
    return Interval(
        second=number,
        histograms=histograms,
        counters={"measured": counters},
        gauges={"users": 20.0, "ready": 20.0, "cpu": 0.25},
        instants={"first_attempt": 0, "last_ready": 20 * MS},
        moves=moves,
        turns=turns,
    )


def _turns(number: int, first_event_ms: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    made = np.zeros(PER_SECOND, TURN)
    made["seq"] = np.arange(number * PER_SECOND, (number + 1) * PER_SECOND)
    made["outcome"] = OUTCOMES.index("complete")
    made["phase"] = PHASES.index("measured")
    made["events"] = 7
    made["intended_ns"] = number * 1000 * MS + np.arange(PER_SECOND) * 5 * MS
    made["waited_from_ns"] = made["intended_ns"]
    made["sent_ns"] = made["intended_ns"] + 10_000
    made["first_ns"] = made["intended_ns"] + first_event_ms * MS
    made["done_ns"] = made["first_ns"] + 50 * MS
    return made
