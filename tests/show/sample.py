"""Runs to draw: made of arithmetic and a seed and judged for real, without a socket or a clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.judge.judge_run import judge_run
from loadtest.keep.write import RunFolder
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, TURN, Interval
from loadtest.measure.totals import Totals

S = 1_000_000_000
MS = 1_000_000
NO_SEQUENCE = "the protocol has no sequence number"
THRESHOLDS = {
    "connections.ready.peak": "> 10",
    "rates.events_received_per_s": "> 20",
    "turn.first_event.p95": "< 100ms",
    "turns.complete.ratio": ">= 99%",
}


@dataclass
class SampleRun:
    """Looks like ``keep.read.Run``: a manifest, and the rest when asked."""

    manifest: dict[str, Any]
    seconds: list[Interval] = field(default_factory=list)
    path: Path = Path("results/sample")

    def intervals(
        self,
        first: int | None = None,
        last: int | None = None,
        tags: Collection[str] | None = None,
        step: int = 1,
    ) -> Iterator[Interval]:
        for interval in self.seconds:
            if (first or 0) <= interval.second and (last is None or interval.second < last):
                wanted = {
                    tag: each for tag, each in interval.histograms.items() if tags is None or tag in tags
                }
                yield replace(interval, histograms=wanted)

    def totals(self, first: int | None = None, last: int | None = None) -> Totals:
        totals = Totals()
        for interval in self.intervals(first, last):
            totals.add(interval)
        return totals

    def turns(self) -> npt.NDArray[np.void]:
        if not self.seconds:
            return np.empty(0, TURN)
        turns = np.concatenate([interval.turns for interval in self.seconds])
        return turns[np.argsort(turns["seq"], kind="stable")]

    def slowest(self) -> list[dict[str, Any]]:
        turns = self.turns()
        turns = turns[(turns["phase"] == 1) & (turns["outcome"] == 0)]
        order = np.argsort(turns["intended_ns"] - turns["done_ns"], kind="stable")[:5]
        return [frame_log(row) for row in turns[order]]


def frame_log(row: np.void) -> dict[str, Any]:
    """The frames of a turn, as ``measure.recorder`` logs them."""
    names = ("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed")
    at = np.linspace(row["first_ns"], row["done_ns"], len(names)).astype(int)
    frames = [
        [int(t), f'{{"type":"{name}","run_id":"r-{row["seq"]}"}}'] for t, name in zip(at, names, strict=True)
    ]
    sent = [int(row["sent_ns"]), f'{{"type":"start_agent","payload":{{"run_id":"r-{row["seq"]}"}}}}']
    log = {"kind": "slowest", "turn": f"r-{row['seq']}", "outcome": "complete", "reason": None}
    numbers = {key: int(row[key]) for key in ("seq", "user", "intended_ns", "sent_ns", "first_ns", "done_ns")}
    return log | numbers | {"frames": [sent, *frames]}


@dataclass(frozen=True)
class Shape:
    """What kind of run to make."""

    connections: int = 50
    seconds: int = 30
    warmup: int = 5
    burst: int = 5
    beats: int | None = None
    median_ms: float = 3.0
    spread: float = 0.45
    events: int = 5
    gap_ms: float = 2.0
    frozen: tuple[int, ...] = ()
    timed_out: float = 0.0
    cpu: float = 0.31
    refused: dict[str, int] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)


def make_turns(shape: Shape, rng: np.random.Generator) -> npt.NDArray[np.void]:
    """The turn table: a burst per connection and second, spread over the second."""
    beats = shape.beats or shape.seconds + shape.warmup
    users = np.repeat(np.arange(shape.connections), beats * shape.burst)
    turns = np.zeros(len(users), TURN)
    turns["user"] = users
    turns["position"] = np.tile(np.arange(shape.burst), shape.connections * beats)
    beat = np.tile(np.repeat(np.arange(beats), shape.burst), shape.connections)
    turns["intended_ns"] = beat * S + users * (S // shape.connections)
    turns["sent_ns"] = turns["intended_ns"] + (rng.lognormal(-2.4, 0.7, len(turns)) * MS).astype(np.int64)
    service = rng.lognormal(np.log(shape.median_ms), shape.spread, len(turns)) * (
        1 + 0.18 * turns["position"]
    )
    turns["first_ns"] = turns["sent_ns"] + (service * MS).astype(np.int64)
    stream = rng.gamma(shape.events, shape.gap_ms, len(turns))
    turns["done_ns"] = turns["first_ns"] + (stream * MS).astype(np.int64)
    turns["events"] = shape.events
    for second in shape.frozen:
        stuck = turns["intended_ns"] // S == second
        for column in ("first_ns", "done_ns"):
            turns[column][stuck] += (second + 1) * S - turns["intended_ns"][stuck]
    turns["phase"] = np.where(turns["intended_ns"] < shape.warmup * S, 0, 1)
    late = rng.random(len(turns)) < shape.timed_out
    turns["outcome"][late] = OUTCOMES.index("timed_out")
    turns["done_ns"][late] = turns["intended_ns"][late] + 10 * S
    turns["waited_from_ns"] = turns["intended_ns"]
    turns = turns[np.argsort(turns["intended_ns"], kind="stable")]
    turns["seq"] = np.arange(len(turns))
    return turns


def _histogram(values: npt.NDArray[Any]) -> Histogram:
    made = Histogram()
    made.record(np.maximum(values.astype(np.int64), 1))
    return made


def turn_histograms(turns: npt.NDArray[np.void]) -> dict[str, Histogram]:
    """Distributions of the turns of one second, tagged by phase."""
    made = {}
    for phase, prefix in ((0, "warmup:"), (1, "")):
        of_phase = turns[turns["phase"] == phase]
        done = of_phase[of_phase["outcome"] == 0]
        columns = {
            "send.lateness": of_phase["sent_ns"] - of_phase["intended_ns"],
            "turn.first_event": done["first_ns"] - done["intended_ns"],
            "turn.completion": done["done_ns"] - done["intended_ns"],
            "turn.first_event.service": done["first_ns"] - done["sent_ns"],
            "turn.completion.service": done["done_ns"] - done["sent_ns"],
            "event.gap": np.repeat((done["done_ns"] - done["first_ns"]) // 4, 4),
            "receive.lag": (done["first_ns"] - done["sent_ns"]) // 90,
        }
        made |= {prefix + name: _histogram(values) for name, values in columns.items() if len(values)}
    return made


def make_intervals(shape: Shape, seed: int = 1) -> list[Interval]:
    """One interval a second until the last turn has ended."""
    rng = np.random.default_rng(seed)
    turns = make_turns(shape, rng)
    ended = turns["done_ns"] // S
    opened = np.linspace(0, min(2.0, shape.connections / 25), shape.connections) * S + 6 * MS
    last = min(int(ended.max()), shape.warmup + shape.seconds + 10)
    return [_interval(shape, second, turns, opened.astype(np.int64), rng) for second in range(last + 1)]


def _interval(
    shape: Shape,
    second: int,
    turns: npt.NDArray[np.void],
    opened: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Interval:
    ended = turns[turns["done_ns"] // S == second]
    due = turns[turns["intended_ns"] // S == second]
    interval = Interval(second=second, histograms=turn_histograms(ended), turns=ended)
    for phase, name in ((0, "warmup"), (1, "measured")):
        interval.counters[name] = _counters(ended[ended["phase"] == phase], due[due["phase"] == phase])
    _open(interval, opened[opened // S == second], rng)
    measured = interval.counters["measured"]
    if second == 1:
        measured |= {f"connections.refused.{layer}": n for layer, n in shape.refused.items()}
        measured["connections.attempted"] += sum(shape.refused.values())
    if second == 12:
        measured |= {f"connections.closed.{code}": n for code, n in shape.closed.items()}
    busy = shape.cpu if len(due) else 0.03
    interval.gauges = {
        "users": float(shape.connections),
        "ready": float((opened // S <= second).sum()),
        "in_flight": float(len(ended) // 90),
        "cpu": float(np.clip(busy + rng.normal(0, 0.015), 0.01, 1.0)),
        "loop_lag_ns": float(abs(rng.normal(0.4, 0.2))) * MS * (25 if shape.cpu > 0.9 else 1),
    }
    interval.instants = {"first_attempt": 0, "last_ready": int(opened.max())}
    return interval


def _open(interval: Interval, now: npt.NDArray[np.int64], rng: np.random.Generator) -> None:
    """The connections that became ready in this second."""
    measured = interval.counters["measured"]
    for name in ("attempted", "established", "ready"):
        measured[f"connections.{name}"] = len(now)
    if len(now):
        interval.moves = np.stack([now, np.ones_like(now)], axis=1)
        for name, scale in (("tcp", 0.1), ("upgrade", 1.4), ("ready", 0.6), ("total", 2.1)):
            interval.histograms[f"connect.{name}"] = _histogram(
                rng.lognormal(np.log(scale), 0.3, len(now)) * MS
            )


def _counters(ended: npt.NDArray[np.void], due: npt.NDArray[np.void]) -> dict[str, int]:
    events = int(ended["events"].sum())
    counters = {f"turns.{name}": int((ended["outcome"] == at).sum()) for at, name in enumerate(OUTCOMES)}
    counters |= {"turns.due": len(due), "turns.begun": len(due), "events.sent": len(due)}
    counters |= dict.fromkeys(("events.received", "events.matched", "events.expected"), events)
    return counters | {
        "bytes.sent": 118 * len(due),
        "bytes.received": 164 * events,
        "events.coalesced": events // 900,
    }


SHA256 = "5f0c9be1" * 8
FINGERPRINT = {
    "loadtest": "0.1.0",
    "scenario_sha256": SHA256,
    "arguments": ["loadtest", "run", "agent-burst", "--label", "v1.4.0"],
    "machine": "9f86d081884c",
    "system": "Linux",
    "kernel": "6.1.0-18-amd64",
    "architecture": "x86_64",
    "cpu": "AMD EPYC 7B13",
    "cores": 2,
    "memory_bytes": 8589934592,
    "python": "CPython 3.11.7",
    "libraries": {"locust": "2.47.0", "gevent": "26.9.0", "websockets": "17.4", "numpy": "2.4.6"},
    "limits": {"open_files": {"soft": 1048576, "hard": 1048576}, "local_ports": [32768, 60999]},
    "git": None,
}


def base_manifest(shape: Shape) -> dict[str, Any]:
    """``run.json`` before it is judged."""
    settings = {
        "load": {"model": "open"},
        "traffic": {"burst": shape.burst, "every": "1s"},
        "thresholds": THRESHOLDS,
    }
    path = "scenarios/agent-burst.toml"
    return {
        "schema": "loadtest.run/1",
        "id": "20261122T121530Z-agent-burst-v1.4.0",
        "label": "v1.4.0",
        "status": "complete",
        "scenario": {
            "name": "agent-burst",
            "question": "Can the backend answer bursts of messages from many users at once?",
            "path": path,
            "sha256": SHA256,
            "settings": settings,
        },
        "started": "2026-11-22T12:15:30Z",
        "ended": "2026-11-22T12:16:07Z",
        "duration_s": 36.4,
        "interrupted": False,
        "target": {
            "url": "ws://127.0.0.1:43211/ws",
            "address": "127.0.0.1:43211",
            "tls": False,
            "server": "Python/3.11 websockets/17.4",
            "simulated": True,
        },
        "load": {"model": "open", "planned": planned(shape)},
        "generator": {"processes": 1, "limits": {"open_files": 1048576, "local_ports": 28232}},
        "unmeasured": {},
        "observed": [],
        "clock": {"resolution_ns": 1},
        "fingerprint": dict(FINGERPRINT),
    }


def planned(shape: Shape) -> dict[str, Any]:
    """The section ``load.planned``."""
    beats = shape.beats or shape.seconds + shape.warmup
    return {
        "connections": shape.connections,
        "connect_rate": 25.0,
        "duration_s": float(shape.seconds),
        "warmup_s": float(shape.warmup),
        "timeout_s": 10.0,
        "turns_due": shape.connections * shape.burst * beats,
        "turns_per_s": float(shape.connections * shape.burst),
        "burst": shape.burst,
        "model": "open",
    }


def judged(shape: Shape, seconds: list[Interval], **changes: Any) -> SampleRun:
    """A run of these seconds, judged; ``changes`` replace top-level keys before it is."""
    run = SampleRun(base_manifest(shape) | changes, seconds)
    run.manifest = judge_run(run.manifest, run.totals(), run.turns())
    return run


def passed() -> SampleRun:
    """Fifty connections, bursts of five, all held."""
    shape = Shape()
    return judged(shape, make_intervals(shape))


def failed() -> SampleRun:
    """The target froze twice for a second and some turns timed out; no sequence numbers."""
    shape = Shape(frozen=(14, 23), timed_out=0.012, closed={"1006": 2}, refused={"upgrade": 3})
    unmeasured = dict.fromkeys(("lost", "duplicate", "out_of_order"), NO_SEQUENCE)
    manifest = base_manifest(shape)
    manifest["scenario"]["settings"]["thresholds"] = THRESHOLDS | {"events.lost.ratio": "<= 0.1%"}
    return judged(shape, make_intervals(shape, 2), unmeasured=unmeasured, scenario=manifest["scenario"])


def unreachable() -> SampleRun:
    """Nothing listened: not one number."""
    shape = Shape(connections=10, seconds=10, warmup=0)
    counters = {"measured": {"connections.attempted": 10, "connections.refused.tcp": 10}}
    target = {
        "url": "ws://127.0.0.1:1/ws",
        "address": "127.0.0.1:1",
        "tls": False,
        "server": None,
        "simulated": False,
    }
    return judged(
        shape,
        [Interval(second=0, counters=counters, instants={"first_attempt": 0})],
        id="20261122T121530Z-agent-burst",
        label=None,
        target=target,
        duration_s=0.8,
    )


def invalid() -> SampleRun:
    """The generator was saturated; few samples besides."""
    shape = Shape(connections=8, seconds=8, warmup=0, burst=1, cpu=0.97, median_ms=41)
    return judged(shape, make_intervals(shape, 3), label="nightly")


def interrupted() -> SampleRun:
    """Ctrl-C after ten seconds."""
    shape = Shape(seconds=10, warmup=2)
    seconds = make_intervals(shape, 4)
    return judged(
        replace(shape, seconds=30), seconds, interrupted=True, status="interrupted", duration_s=12.6
    )


def cut_short() -> SampleRun:
    """Killed: intervals, and the manifest of the first second, never judged."""
    shape = Shape(seconds=10, warmup=2)
    manifest = base_manifest(replace(shape, seconds=30)) | {"status": "cut short", "ended": None}
    return SampleRun(
        {key: value for key, value in manifest.items() if key != "duration_s"}, make_intervals(shape, 4)
    )


def tiny() -> SampleRun:
    """One turn."""
    shape = Shape(connections=1, seconds=1, warmup=0, burst=1, beats=1)
    return judged(shape, make_intervals(shape, 5), label=None)


def huge() -> SampleRun:
    """A million milliseconds, and counts with many digits."""
    shape = Shape(connections=40, seconds=8, warmup=1, median_ms=1e6, spread=1.6, gap_ms=2e5)
    seconds = make_intervals(Shape(connections=40, seconds=8, warmup=1), 6)
    turns = make_turns(shape, np.random.default_rng(6))
    for interval in seconds:
        interval.turns = turns[turns["intended_ns"] // S == interval.second]
        interval.histograms = turn_histograms(interval.turns)
        interval.counters = {
            p: {k: n * 98_765_432 for k, n in c.items()} for p, c in interval.counters.items()
        }
    return judged(shape, seconds)


EVIL = (
    "<script>alert('x')</script>\x1b[31m$x^{2}$ | `code` [link](javascript:x) "
    "\u202eevil\x00 ]]> & \ud800 日本語 "
)


def hostile() -> SampleRun:
    """Text from elsewhere that tries to be something else."""
    run = failed()
    evil = EVIL + "W" * 300
    manifest = run.manifest
    manifest["scenario"] |= {
        "name": "a-name-that-somebody-generated-from-a-title-and-never-read" * 3,
        "path": evil,
    }
    manifest["label"] = "v1.<b>bold</b>." + "9" * 120
    manifest["target"] |= {
        "url": f"ws://{'x' * 180}.example/ws?q=<img src=x onerror=alert(1)>",
        "server": evil,
    }
    for row in manifest["verdict"]["thresholds"]:
        row["reason"] = evil
    row = manifest["verdict"]["thresholds"][2]
    manifest["verdict"]["thresholds"].append(row | {"name": evil, "expression": evil})
    manifest["verdict"]["reason"] = evil
    for notice in manifest["notices"]:
        notice |= {"code": evil, "message": evil, "remedy": evil, "numbers": {evil: evil}}
    manifest["counts"]["connections"]["refused"] = {evil: 3, "upgrade": 9}
    manifest["counts"]["connections"]["closed"] = {evil: 123456789}
    manifest["counts"]["events"]["unmeasured"] = dict.fromkeys(("lost", "duplicate", "out_of_order"), evil)
    manifest["rates"]["turns_per_s"] = {"value": None, "n": 0, "over_s": None, "bound": None, "reason": evil}
    manifest["fingerprint"][evil] = evil
    manifest["metrics"][evil] = manifest["metrics"]["event.gap"]
    for interval in run.seconds:
        interval.counters["measured"] |= {f"connections.closed.{evil}": 2, f"connections.refused.{evil}": 1}
    return HostileRun(manifest, run.seconds)


class HostileRun(SampleRun):
    """Whose frames are hostile, too."""

    def slowest(self) -> list[dict[str, Any]]:
        broken = {"kind": EVIL, "user": 3, "frames": [[None, EVIL], "no frame", [5]], "seq": EVIL}
        return [*super().slowest(), broken, {"frames": [[1, EVIL]], "outcome": EVIL, "reason": EVIL}]


def store(run: SampleRun, results: Path) -> Path:
    """Write the run as a real one into ``results``; the folder."""
    folder = RunFolder.create(results, "agent-burst", None, datetime(2026, 11, 22, 12, 15, 30, tzinfo=UTC))
    for interval in run.seconds:
        last = interval is run.seconds[-1]
        folder.interval(replace(interval, frames=run.slowest() if last else []))
    folder.close()
    folder.manifest(run.manifest)
    return folder.path


def empty() -> SampleRun:
    """A manifest with nothing in it."""
    return SampleRun({})


SAMPLES = {
    made.__name__: made
    for made in (passed, failed, unreachable, invalid, interrupted, cut_short, tiny, huge, hostile, empty)
}
