"""The histogram logs of a run, read by a reader that is not ours: npm hdr-histogram-js."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.keep.read import read_run
from loadtest.keep.redact import Redactor
from loadtest.keep.write import RunFolder
from loadtest.measure.histogram import HIGHEST_NS, Histogram
from loadtest.measure.interval import Interval
from tests.keep.samples import STARTED, holding, manifest

pytestmark = pytest.mark.long

SUM_BY_TAG = """
const hdr = require("hdr-histogram-js");
const log = require("fs").readFileSync(process.argv[2], "utf8");
const reader = new hdr.HistogramLogReader(log);
const sums = {}, lines = [];
for (let one = reader.nextIntervalHistogram(); one; one = reader.nextIntervalHistogram()) {
  lines.push([one.tag, one.startTimeStampMsec, one.endTimeStampMsec]);
  sums[one.tag] ??= hdr.build({lowestDiscernibleValue: 1, highestTrackableValue: 3.6e12,
                               numberOfSignificantValueDigits: 3, bitBucketSize: 64});
  sums[one.tag].add(one);
}
const told = Object.fromEntries(Object.entries(sums).map(([tag, sum]) => [tag, {
  n: sum.totalCount, max: sum.maxValue,
  ...Object.fromEntries([50, 90, 95, 99, 99.9].map(q => [q, sum.getValueAtPercentile(q)]))}]));
console.log(JSON.stringify({told, lines}));
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("reader")
    (folder / "package.json").write_text("{}")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "hdr-histogram-js@3"]
    try:
        subprocess.run(install, check=True, cwd=folder, capture_output=True, text=True, timeout=300)
    except subprocess.SubprocessError as problem:
        pytest.skip(f"hdr-histogram-js could not be installed: {problem}")
    (folder / "sum.js").write_text(SUM_BY_TAG)
    return folder


def sums(reader: Path, log: Path) -> dict[str, Any]:
    done = subprocess.run(
        ["node", "sum.js", str(log)], cwd=reader, capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


def stored(results: Path) -> Path:
    """Ten seconds: a spread, a value in one second only, the ends of the range, few and many samples."""
    rng = np.random.default_rng(7)
    made = RunFolder.create(results, "chat", None, STARTED, Redactor())
    made.manifest(manifest(id=made.id))
    for second in range(10):
        spread = Histogram()
        spread.record(rng.lognormal(15, 2, 1 + 400 * second).astype(np.int64))
        histograms = {"turn.completion": spread, "warmup:turn.completion": holding(second, 2047, 2048)}
        if second == 4:
            histograms["reconnect.time"] = holding(1_234_567_890)
            histograms["event.gap"] = holding(0, 1, HIGHEST_NS, 2 * HIGHEST_NS)
        made.interval(Interval(second=second, histograms=histograms))
    made.close()
    return made.path


@pytest.mark.parametrize("name", ["intervals.hlog", "totals.hlog"])
def test_the_sum_of_the_lines_is_what_we_say(reader: Path, tmp_path: Path, name: str) -> None:
    path = stored(tmp_path)
    found = sums(reader, path / name)
    totals = read_run(path).totals()
    assert found["told"].keys() == totals.histograms.keys()
    for tag, histogram in totals.histograms.items():
        told = found["told"][tag]
        assert told.pop("n") == histogram.n, tag
        assert told.pop("max") == histogram.percentile(100), tag
        assert told == {q: histogram.percentile(float(q)) for q in told}, tag


def test_lines_begin_and_end_when_we_say(reader: Path, tmp_path: Path) -> None:
    lines = sums(reader, stored(tmp_path) / "intervals.hlog")["lines"]
    began = [begun for tag, begun, _ in lines if tag == "turn.completion"]
    assert began == pytest.approx([(STARTED.timestamp() + second) * 1000 for second in range(10)])
    assert all(ended - begun == pytest.approx(1000) for _, begun, ended in lines)
