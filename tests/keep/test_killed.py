from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from loadtest.keep.read import read_run
from tests.keep.samples import second

WRITER = """
import sys
from pathlib import Path
from loadtest.keep.writer_process import this_process
from loadtest.keep.redact import Redactor
from loadtest.keep.write import RunFolder
from tests.keep.samples import STARTED, manifest, second

made = RunFolder(Path(sys.argv[1]), STARTED, Redactor())
made.manifest(manifest(ended=None, status="running", process=this_process()))
for number in range(100_000):
    made.interval(second(number))
    print(number, flush=True)
"""


def test_a_run_that_is_killed_without_warning_keeps_every_second_it_had_written(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout
    for line in child.stdout:
        if int(line) == 0:
            assert read_run(tmp_path).status == "running"
        if int(line) >= 30:
            break
    child.kill()
    written = max([int(line) for line in child.communicate()[0].split()], default=30)
    run = read_run(tmp_path)
    seconds = [interval.second for interval in run.intervals()]
    assert run.status == run.manifest["status"] == "cut short"
    assert seconds == list(range(len(seconds)))
    assert len(seconds) in {written + 1, written + 2}
    assert run.totals().count("turns.complete") == len(run.turns()) == 5 * len(seconds)
    assert run.totals().histograms["turn.completion"].n == 5 * len(seconds)
    assert next(run.intervals()).histograms["turn.completion"] == second(0).histograms["turn.completion"]
