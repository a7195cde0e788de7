"""``loadtest simulator`` starts the simulator as it is told."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys

import pytest

from loadtest.cli import main
from loadtest.simulator.faults import FAULT_OPTIONS
from loadtest.simulator.options import Options, parse_options


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What the simulator is told."""
    seen: list[Options] = []
    monkeypatch.setattr("loadtest.simulator.server.run", seen.append)
    return seen


def test_nothing_typed_is_the_default_simulator(started: list[Options]) -> None:
    assert main(["simulator"]) == 0
    assert started == [Options()]


def test_every_option_arrives(started: list[Options]) -> None:
    typed = shlex.split(
        "--port 8765 --seed 7 --jwt-secret-env S --cert c.pem --key k.pem --compression --partials 3 "
        "--heartbeat 5s --slow-reader 9s --max-time 60s --max-connections 10 --max-message-bytes 4096 "
        "--max-turns 99 --fault drop=0.05 --fault delay=exp:20ms"
    )
    assert main(["simulator", *typed]) == 0
    assert started == [parse_options(typed)]
    assert started[0].faults == ("drop=0.05", "delay=exp:20ms")


def test_every_mistake_is_told_at_once(started: list[Options], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulator", "--seed", "x", "--fault", "dorp=0.05"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "drop" in said[1]
    assert started == []


def test_the_help_lists_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulator", "--help"]) == 0
    told = capsys.readouterr().out
    assert [name for name in FAULT_OPTIONS if f"\n  {name}" not in told] == []


def test_it_serves_until_it_is_interrupted() -> None:
    command = [sys.executable, "-m", "loadtest", "simulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["simulated"] is True
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
