"""A worker that is late, or slow, is named by the run; a lost one too, in test_interrupted."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread

import psutil
import pytest

from tests.end_to_end.conftest import Launch
from tests.end_to_end.running import wait_until
from tests.end_to_end.test_same_counts import PROTOCOL

pytestmark = pytest.mark.long

SCENARIO = """
name = "watched"
protocol = "numbered-echo.toml"

[target]
url = "simulator"

[load]
connections = 9
duration = "3s"

[traffic]
rate = "300/s"
timeout = "20s"
"""
LATE_S = 1.0
SLOW_S = 0.09


def make_slow(worker: psutil.Process, over: Event) -> None:
    """It has its core for a tenth of the time, as beside a greedy neighbour."""
    while not over.wait(0.01):
        worker.suspend()
        time.sleep(SLOW_S)
        worker.resume()


def test_a_late_and_a_slow_worker_are_told_from_one_that_is_well(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "numbered-echo.toml").write_text(PROTOCOL)
    (tmp_path / "watched.toml").write_text(SCENARIO)
    launched = launch("run", tmp_path / "watched.toml", "--processes", "3")
    wait_until(lambda: launched.written_seconds() >= 1)
    children = psutil.Process(launched.process.pid).children()
    late, slow, well = (child for child in children if "loadtest.run.local_worker" in child.cmdline())
    over = Event()
    slowing = Thread(target=make_slow, args=(slow, over))
    slowing.start()
    try:
        # Nothing happens there for a while, as on a host that was suspended.
        late.suspend()
        time.sleep(LATE_S)
        late.resume()
    finally:
        over.set()
        slowing.join()
    ended = launched.end()
    (workers,) = [fact["numbers"] for fact in ended.manifest["observed"] if fact["code"] == "workers"]
    lateness = {one["process"]: one["lateness_max_ms"] for one in workers.values()}
    assert lateness[late.pid] >= LATE_S * 1000 * 0.9
    assert lateness[slow.pid] >= SLOW_S * 1000 * 0.9
    assert lateness[well.pid] < lateness[late.pid]
    assert ended.notice("generator_late")["numbers"]["lateness_ms"] >= SLOW_S * 1000 * 0.9
    assert "worker_lost" not in ended.notices
    turns = ended.manifest["counts"]["turns"]
    assert turns["due"] == turns["complete"] == len(ended.turns)
