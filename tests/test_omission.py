"""A loop that waits for its replies leaves out a frozen second, loadtest does not; the page shows both."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.omission import Polite, closed_loop, report
from benchmarks.page import MEASURING, PAGE, read_table
from benchmarks.truth import Answers, read_answers
from benchmarks.truth_run import Load, Measured, serving
from loadtest.measure.interval import TURN

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the truth is stamped by Linux's kernel")

MANIFEST = {
    "fingerprint": {
        "cpu": "a processor",
        "cores": 2,
        "memory_bytes": 2**30,
        "kernel": "6",
        "python": "CPython 3.11",
        "loadtest": "1",
        "libraries": {"gevent": "1", "websockets": "1"},
    },
}


def rows_of(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]


def run_of(metric: dict[str, object]) -> Measured:
    none = np.zeros(0, np.int64)
    manifest = {**MANIFEST, "metrics": {"turn.completion": metric}}
    return Measured(manifest, np.zeros(0, TURN), Answers(none, none, none, none), 0.2, 0.0, None)


def test_a_row_says_how_many_turns_there_were_of_those_due_and_marks_what_is_only_bounded() -> None:
    metric = {"n": 5000, "p50": 0.191, "p99": 949.9, "p99_9": 990.0, "max_exact": 999.4}
    polite = Polite(4010, {"p50": 0.18, "p99": 0.72, "max": 998.0})
    load = Load("freezing", 500, 10, duration_s=10)
    rows = rows_of(report(load, run_of({**metric, "bounds": ["p99", "max_exact"]}), polite))
    assert [row[1:] for row in rows] == [
        ["5,000 of 5,000", "0.19 ms", "≤ 950 ms", "≤ 999 ms"],
        ["4,010 of 5,000", "0.18 ms", "0.72 ms", "998 ms"],
    ]
    assert "≤" not in report(load, run_of(metric), polite)
    assert "n too small" in report(load, run_of({**metric, "p99": None}), polite)


def test_the_closed_loop_sends_each_message_once_and_sees_what_the_server_says(tmp_path: Path) -> None:
    load = Load("steady", 100, 4, duration_s=1)
    with serving("steady", tmp_path / "truth.npy") as (_, url):
        found = closed_loop(url, load, warmup_s=0)
    truth = read_answers(tmp_path / "truth.npy")
    assert len(set(truth.number.tolist())) == len(truth.number) == found.sent
    assert 0 < found.sent <= 100 + load.connections
    assert found.statistics["p50"] >= 5


def test_the_page_shows_both_and_the_machine() -> None:
    text = read_table("omission", MEASURING)
    assert text.startswith("Made on 20")
    (_, _, _, open_p99, _), (_, _, _, polite_p99, _) = rows_of(text)
    assert float(open_p99.removeprefix("≤ ").removesuffix(" ms").replace(",", "")) > 900
    assert float(polite_p99.removesuffix(" ms")) < 100


def test_the_readme_says_of_a_frozen_second_what_the_calibration_found() -> None:
    said = re.search(r"(p[\d.]+) of ([\d.]+) ms where the server's own log says ([\d.]+)", _readme())
    assert said
    lines = [line.strip("| ").split(" | ") for line in read_table("calibration", PAGE).splitlines()]
    head = next(cells for cells in lines if cells[0] == "delay")
    first = next(cells for cells in lines if cells[0] == "freezing")
    assert first[head.index(said[1])] == f"{said[2]} ({said[3]})"


def _readme() -> str:
    return " ".join((ROOT / "README.md").read_text("utf-8").split())


@pytest.mark.long
@pytest.mark.timed
def test_the_frozen_second_is_there_in_the_open_model_and_not_in_a_closed_loop() -> None:
    command = [sys.executable, "-m", "benchmarks.omission", "--duration", "5"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=ROOT, check=False)
    assert ended.returncode == 0, ended.stderr
    (_, planned, _, open_p99, _), (_, sent, _, polite_p99, _) = rows_of(ended.stdout)
    assert planned == "2,500 of 2,500"
    assert int(sent.split()[0].replace(",", "")) <= 2100
    assert float(open_p99.removeprefix("≤ ").removesuffix(" ms")) > 900
    assert float(polite_p99.removesuffix(" ms")) < 500
