"""Audio at its pace: runs against a voice backend that knows the truth, and the scenario that ships."""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.servers import HERE, serving

if TYPE_CHECKING:
    from tests.end_to_end.conftest import RunIt
    from tests.end_to_end.running import Ended

pytestmark = [pytest.mark.long, pytest.mark.timed]

SPEECH = bytes(range(256)) * 62 + b"an odd end"
"""15,882 bytes: 99 chunks of 160 and one of 42; two seconds at one every 20 ms."""

SCENARIO = """
protocol = {{ {framing}, turn = {{ messages = [
  {{ chunks = "speech.ulaw", size = {size}, every = "{every}", binary = true }},
  '{{"type":"commit"}}'{more},
] }}, events = {{ match = "order", type = ["type"], audio = ["binary"], end = ["done"] }} }}
[target]
url = "ws://127.0.0.1:1/"
[load]
model = "closed"
duration = "2s"
[traffic]
timeout = "10s"
[limits]
connections = 1000
"""

Calls = list[dict[str, Any]]


class Backend:
    """A run against the server, and what that knows afterwards."""

    def __init__(self, run: RunIt, folder: Path) -> None:
        self._run = run
        self._folder = folder

    def call(
        self, *options: str, size: int = 160, every: str = "20ms", more: str = ""
    ) -> tuple[Ended, Calls]:
        (self._folder / "speech.ulaw").write_bytes(SPEECH)
        path = self._folder / "call.toml"
        path.write_text(
            SCENARIO.format(framing="framing = { binary = true }", size=size, every=every, more=more), "utf-8"
        )
        truth = self._folder / "truth.json"
        with ExitStack() as stack:
            with alone_on(CORES[0]):
                server = stack.enter_context(serving([sys.executable, HERE / "voice_server.py", truth]))
            with alone_on(CORES[-1]):
                ended = self._run("run", path, "--target", server.url("/"), *options)
        return ended, json.loads(truth.read_text("utf-8"))


CORES = sorted(os.sched_getaffinity(0))


@contextmanager
def alone_on(core: int) -> Iterator[None]:
    """What is started within has a core, before all that is not in real time, where this system lets us."""
    mine, policy = os.sched_getaffinity(0), os.sched_getscheduler(0)
    try:
        os.sched_setaffinity(0, {core})
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        yield
    finally:
        os.sched_setscheduler(0, policy, os.sched_param(0))
        os.sched_setaffinity(0, mine)


@pytest.fixture
def backend(run: RunIt, tmp_path: Path) -> Backend:
    return Backend(run, tmp_path)


def rank(samples: Sequence[float], part: float) -> float:
    return sorted(samples)[max(ceil(part * len(samples)) - 1, 0)]


def test_fifty_calls_are_timed_as_they_were_and_keep_their_pace_or_the_run_says_not(backend: Backend) -> None:
    ended, calls = backend.call(
        *("--connections", "50", "--duration", "6s"),
        *("--set", "load.connect_rate=50/s", "--set", "load.warmup=3s"),
    )
    metrics, counts = ended.manifest["metrics"], ended.manifest["counts"]
    assert counts["turns"]["complete"] == len(calls) >= 150, ended.screen
    assert {call["crc"] for call in calls} == {zlib.crc32(SPEECH)}
    assert {len(call["chunks"]) for call in calls} == {100}
    # Those of the measured part began last.
    calls = sorted(calls, key=lambda call: call["chunks"][0])[-counts["measured"]["turns"]["complete"] :]
    waited = [(call["spoke"] - call["ended"]) / 1e6 for call in calls]
    late = [
        max(at - call["chunks"][0] - place * 20_000_000, 0) / 1e6
        for call in calls
        for place, at in enumerate(call["chunks"][1:], 1)
    ]
    measured, pace = metrics["turn.first_audio.service"], metrics["chunk.lateness"]
    told = {
        "first audio": (measured["p50"], rank(waited, 0.5), measured["p99"], rank(waited, 0.99)),
        "lateness": (pace["p50"], rank(late, 0.5), pace["p99"], rank(late, 0.99)),
        "code": ended.code,
    }
    assert measured["n"] == len(calls)
    assert pace["n"] == 99 * len(calls)
    kept = pace["p99"] <= 2
    assert kept == ("pace_not_kept" not in ended.notices), told
    assert ended.code == (0 if kept else 4), told
    # What the target saw of the pace is what we say of it, whether it was kept or not.
    assert abs(pace["p99"] - rank(late, 0.99)) < (1 if kept else 5), told
    # On a machine whose cores are taken, a message also waits between its stamp and the kernel.
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        assert abs(measured[name] - rank(waited, part)) < (1 if kept else 10), told


def test_a_pace_that_no_process_keeps_makes_the_run_invalid(backend: Backend) -> None:
    ended, _ = backend.call("--connections", "400", "--duration", "1s", size=16, every="2ms")
    assert ended.code == 4, ended.screen
    notice = ended.notice("pace_not_kept")
    assert notice["spoils"]
    assert notice["numbers"]["lateness_ms"] > notice["numbers"]["allowed_ms"] == 0.2


def test_users_interrupt_and_workers_have_the_file(backend: Backend) -> None:
    stop = """, { interrupt = { after = "50ms", send = '{"type":"stop"}' } }"""
    ended, calls = backend.call("--connections", "4", "--processes", "2", size=1600, more=stop)
    counts, metrics = ended.manifest["counts"], ended.manifest["metrics"]
    assert counts["turns"]["complete"] == len(calls) >= 8, ended.screen
    assert {call["crc"] for call in calls} == {zlib.crc32(SPEECH)}
    assert counts["turns"]["interrupted"] == len(calls)
    assert metrics["turn.barge_in"]["n"] == len(calls)
    # After 50 ms a third frame has gone, and the fourth is due within 20 ms: there the server stops.
    assert 5 < metrics["turn.barge_in"]["p50"] < 25
    assert ended.run.manifest["scenario"]["settings"]["protocol"]["turn"]["messages"][0]["bytes"] == 15_882


def test_the_scenario_that_ships_runs_from_a_fresh_clone(run: RunIt) -> None:
    ended = run("run", "voice-call", "--duration", "4s", "--set", "load.warmup=1s")
    assert ended.code in {0, 4}, ended.screen
    metrics = ended.manifest["metrics"]
    assert (ended.code == 4) == ("pace_not_kept" in ended.notices), ended.screen
    assert 295 < metrics["turn.first_audio"]["p50"] < 500
    assert metrics["turn.barge_in[interrupt]"]["n"] > 0
    assert "first audio" in ended.screen + (ended.folder / "report.md").read_text("utf-8")
    header = (ended.folder / "timeline.csv").read_text("utf-8").splitlines()[0]
    assert "chunk.lateness" in header
