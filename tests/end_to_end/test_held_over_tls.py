"""Connections over TLS to a server that accepts 200 a second are all held: nothing is lost, both sides agree.

A thousand for some seconds; with ``HOLD_S=600`` in the environment ten thousand for ten minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.certificates import Authority
from tests.end_to_end.conftest import Launch

pytestmark = pytest.mark.long

HOLD_S = float(os.environ.get("HOLD_S", "0"))
CONNECTIONS = 10_000 if HOLD_S else 500
ACCEPTS_PER_S = 200
PING_S = 20 if HOLD_S else 2
# Where other work takes its share of the machine, accepting and TLS take several times as long.
OPENED_S = CONNECTIONS / ACCEPTS_PER_S * (1 if HOLD_S else 3)

SCENARIO = f"""
name = "held"
protocol = "echo"
[target]
url = "wss://127.0.0.1:PORT/x"
ca_file = "CA"
connect_timeout = "120s"
[load]
connections = {CONNECTIONS}
connect_rate = "{ACCEPTS_PER_S * 1.5:g}/s"
duration = "{OPENED_S + (HOLD_S or 4):g}s"
[traffic]
turns = 0
ping = "{PING_S}s"
ping_timeout = "60s"
[limits]
connections = {CONNECTIONS}
[thresholds]
"connections.ready.peak" = "== {CONNECTIONS}"
"connections.closed" = "== 0"
"connections.refused" = "== 0"
"""


def test_all_are_held(launch: Launch, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.pair("server")
    server = str(Path(__file__).parent / "slow_start_server.py")
    command = [sys.executable, server, str(pair.cert), str(pair.key), str(ACCEPTS_PER_S)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = json.loads(process.stdout.readline())["port"]
            scenario = tmp_path / "held.toml"
            scenario.write_text(SCENARIO.replace("PORT", str(port)).replace("CA", str(authority.cert)))
            ended = launch("run", scenario).end(within_s=OPENED_S + HOLD_S + 120)
        finally:
            process.stdin.close()
            theirs = json.loads(process.stdout.readline())
    told = f"{ended.screen}\n{theirs}"
    assert ended.code == 0, told
    counts = ended.manifest["counts"]
    ours, pings = counts["connections"], counts["pings"]
    assert {ours[name] for name in ("attempted", "established", "ready", "peak", "left")} == {CONNECTIONS}
    assert (ours["refused"], ours["closed"], ours["ended_by_us"]) == ({}, {}, {}), told
    assert {theirs[name] for name in ("accepted", "tls", "upgraded", "peak", "closed 1000")} == {CONNECTIONS}
    assert theirs["open"] == 0, told
    assert theirs["pings"] == pings["sent"] >= CONNECTIONS, told
    assert pings["answered"] == pings["sent"] - pings.get("in_flight", 0), told
    if HOLD_S:
        sys.stderr.write(f"{told}\n{json.dumps(ended.manifest['metrics'], indent=1)}\n")
