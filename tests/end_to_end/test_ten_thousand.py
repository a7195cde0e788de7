"""Ten thousand connections in one process: all get ready, stay, answer, and leave in time."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from loadtest.simulator.process import Simulator
from tests.end_to_end.conftest import Launch

pytestmark = [pytest.mark.long, pytest.mark.timed]

CONNECTIONS = 10_000
PLANNED_S = 17.0
SCENARIO = f"""
name = "ten-thousand"
protocol = "agent-events"

[target]
url = "simulator"
connect_timeout = "30s"

[load]
connections = {CONNECTIONS}
connect_rate = "1000/s"
duration = "{PLANNED_S:g}s"

[traffic]
turns = 0
ping = "4s"

[thresholds]
"connections.ready.peak" = "== {CONNECTIONS}"
"connections.closed" = "== 0"
"connections.refused" = "== 0"
"""


def test_ten_thousand_connections_are_held_by_one_process(launch: Launch, tmp_path: Path) -> None:
    scenario = tmp_path / "ten-thousand.toml"
    scenario.write_text(SCENARIO)
    with Simulator.start(heartbeat_ns=4_000_000_000) as simulator:
        launched = launch("run", scenario, "--target", simulator.url)
        began = time.monotonic()
        ended = launched.end(within_s=90)
        wall_s = time.monotonic() - began
        seen = simulator.stats()
    assert ended.code == 0, ended.screen
    counts = ended.manifest["counts"]
    connections = counts["connections"]
    assert connections["ready"] == connections["peak"] == connections["left"] == CONNECTIONS
    # What the target asks is answered, and what we ask as well; a second of either may still be on its way.
    assert seen["connections"]["peak"] == CONNECTIONS
    assert seen["heartbeats"]["sent"] >= CONNECTIONS
    assert seen["heartbeats"]["answered"] >= seen["heartbeats"]["sent"] - CONNECTIONS
    assert ended.manifest["metrics"]["ping.rtt"]["n"] >= CONNECTIONS
    started, over = (datetime.fromisoformat(ended.manifest[key]) for key in ("started", "ended"))
    assert (over - started).total_seconds() < PLANNED_S + 10
    assert wall_s < PLANNED_S + 20
