"""What a stored run says of a metric's upper bounds may be anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.cli import main
from tests.cli.stored import store

ODD = (
    None,
    True,
    7,
    1.5,
    "p50",
    "\x1b[2J",
    {"p50": 1},
    [None],
    [7, {}, []],
    [["p50"]],
    ["p99999"],
    ["../x"] * 99,
)


COMMANDS = (
    ("runs", "list"),
    ("runs", "show", "bad"),
    ("report", "bad", "--format", "terminal"),
    ("report", "bad", "--exit-code", "--set", "thresholds.turn.first_event.p95=< 1ms"),
    ("compare", "good", "bad"),
    ("trend",),
)


def test_odd_bounds_of_a_metric_cost_no_command_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOADTEST_RESULTS", raising=False)
    store(tmp_path / "results", "good")
    file = store(tmp_path / "results", "bad") / "run.json"
    manifest = json.loads(file.read_text())
    for number, bounds in enumerate(ODD):
        manifest["metrics"]["turn.first_event"]["bounds"] = bounds
        file.write_text(json.dumps(manifest))
        for command in (COMMANDS[number % len(COMMANDS)], COMMANDS[(number + 2) % len(COMMANDS)]):
            code = main(list(command))
            told = "".join(capsys.readouterr())
            assert code in {0, 1, 2, 4}, (bounds, command, told)
            assert "Traceback" not in told
            assert "\x1b[2J" not in told
