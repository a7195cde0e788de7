"""Files that claim more than there is memory: their bytes take no room on the disk, and are not all read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loadtest.catalog import METRICS
from loadtest.errors import ConfigError
from loadtest.keep import aggregate, baseline, bounded, hlog, manifest_reader, slowest, turns
from loadtest.keep.bounded import lines_of, read_whole
from loadtest.keep.find import list_runs
from loadtest.keep.read import Run, read_run
from loadtest.measure.interval import PHASES
from loadtest.plan.mix import MAX_KINDS
from loadtest.plan.population_file import MAX_POPULATIONS
from loadtest.plan.schema import MAX_BURST
from tests.keep.samples import holding, second, write_run

SECONDS = [second(number) for number in range(3)]
GIB = 1024**3


def grown(path: Path, size: int) -> None:
    """As large as that, with a hole at its end."""
    with path.open("ab") as file:
        file.truncate(size)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_run(tmp_path / "results", SECONDS, close=False)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So little is read at most that the test itself stays small."""
    monkeypatch.setattr(bounded, "LONGEST_LINE", 100_000)
    monkeypatch.setattr(slowest, "MOST_BYTES", 100_000)
    monkeypatch.setattr(manifest_reader, "MOST_BYTES", 100_000)


def test_a_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_whole(tmp_path / "a", 5) == b"12345"
    with pytest.raises(ValueError, match="the file is larger than 4 bytes"):
        read_whole(tmp_path / "a", 4)


def test_lines_are_read_up_to_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "LONGEST_LINE", 4)
    assert list(lines_of(io.BytesIO(b"123\n\n4567"))) == [b"123\n", b"\n", b"4567"]
    with pytest.raises(ValueError, match="line 2 is longer than 4 bytes"):
        list(lines_of(io.BytesIO(b"123\n4567\n")))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("name", "read", "sentence"),
    [
        ("intervals.jsonl", lambda run: list(run.intervals()), "line 4 is longer than"),
        ("intervals.jsonl", lambda run: run.turns(), "line 4 is longer than"),
        ("intervals.hlog", lambda run: run.totals(), None),
        ("slowest.jsonl", lambda run: run.slowest(), None),
        ("totals.hlog", lambda run: run.totals(), None),
    ],
)
def test_a_file_without_end_is_refused_or_not_needed(
    path: Path, name: str, read: Callable[[Run], object], sentence: str | None
) -> None:
    grown(path / name, 500 * GIB)
    if sentence is None:
        read(read_run(path))
    else:
        with pytest.raises(ConfigError, match=rf"{name} cannot be read: {sentence}"):
            read(read_run(path))


@pytest.mark.usefixtures("small")
def test_a_histogram_log_without_end_of_line_is_refused(path: Path) -> None:
    (path / "intervals.hlog").write_bytes(b"")
    grown(path / "intervals.hlog", 500 * GIB)
    with pytest.raises(ConfigError, match="line 1 is longer than"):
        read_run(path).totals()


@pytest.mark.usefixtures("small")
def test_lists_name_a_manifest_without_end_and_leave_it_out(path: Path) -> None:
    grown(path / "run.json", 500 * GIB)
    warned: list[str] = []
    assert list_runs(path.parent, warn=warned.append) == []
    (sentence,) = warned
    assert "run.json cannot be read: the file is larger than 100,000 bytes" in sentence


def test_a_mark_without_end_marks_nothing(path: Path) -> None:
    baseline.mark(path.parent, path)
    assert baseline.marked(path.parent) == path
    grown(path.parent / "baseline", 500 * GIB)
    assert baseline.marked(path.parent) is None


def test_no_more_turns_are_read_than_the_run_kept(path: Path) -> None:
    rows = 10**9
    (path / "turns.npy").write_bytes(turns.head(rows) + (path / "turns.npy").read_bytes()[512:])
    grown(path / "turns.npy", 512 + rows * turns.TURN.itemsize)
    assert read_run(path).turns()["seq"].tolist() == [4, 3, 2, 1, 0, 9, 8, 7, 6, 5, 14, 13, 12, 11, 10]


def test_more_turns_than_any_run_keeps_are_refused(path: Path) -> None:
    rows = turns.MOST_ROWS + 1
    (path / "turns.npy").write_bytes(turns.head(rows))
    grown(path / "turns.npy", 512 + rows * turns.TURN.itemsize)
    text = (path / "intervals.jsonl").read_text()
    (path / "intervals.jsonl").write_text(text.replace('"turns_kept":5', f'"turns_kept":{rows}'))
    with pytest.raises(ConfigError, match="the file has 16,000,001 turns; no run keeps more than 16,000,000"):
        read_run(path).turns()


@pytest.mark.parametrize("kept", [-1, -(2**62)])
def test_fewer_turns_than_none_are_none(path: Path, kept: int) -> None:
    text = (path / "intervals.jsonl").read_text()
    (path / "intervals.jsonl").write_text(text.replace('"turns_kept":5', f'"turns_kept":{kept}'))
    assert len(read_run(path).turns()) == 0


def test_a_table_of_fewer_rows_than_none_is_empty(tmp_path: Path) -> None:
    made = np.zeros(3, turns.TURN)
    (tmp_path / "turns.npy").write_bytes(turns.head(-1) + made.tobytes())
    assert len(turns.read_turns(tmp_path / "turns.npy")) == 0


def test_more_histograms_than_any_run_has_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregate, "MOST_IN_A_SECOND", 2)
    run = read_run(path)
    with pytest.raises(ConfigError, match="second 0 has 3 histograms, too many"):
        list(run.intervals())


def test_histograms_with_more_names_than_any_run_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregate, "MOST_IN_A_RUN", 2)
    added = aggregate.Sum()
    payload = hlog.line("a", holding(1), 0).rstrip().rsplit(b",", 1)[1]
    row = next(aggregate.interval_rows.read_rows([ROW]))
    for tag in ("a", "b"):
        added.add((row, {tag: payload}))
    with pytest.raises(ValueError, match="more than 2 histograms by name"):
        added.add((row, {"c": payload}))


EXACT = b"[1,1,1,1,0]"
ROW = (
    b'{"second":0,"histograms":{"a":%b,"b":%b,"c":%b},"counters":{},"gauges":{},"instants":{},"moves":[],'
    b'"turns":0,"turns_kept":0}\n' % (EXACT, EXACT, EXACT)
)


def test_sums_of_more_histograms_than_any_run_has_are_not_believed_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path / "results", SECONDS)
    monkeypatch.setattr(aggregate, "MOST_IN_A_RUN", 3)
    assert len(aggregate.read_sum(path) or ()) == 3
    monkeypatch.setattr(aggregate, "MOST_IN_A_RUN", 2)
    assert aggregate.read_sum(path) is None
    with pytest.raises(ConfigError, match="more than 2 histograms by name"):
        read_run(path).totals()


def test_the_largest_plan_has_no_more_histograms_than_are_read() -> None:
    """Those of a kind, and all once more by population."""
    kinds = MAX_POPULATIONS * MAX_KINDS * sum(metric.by_kind for metric in METRICS)
    names = (2 * kinds + (MAX_POPULATIONS + 1) * len(METRICS)) * len(PHASES)
    assert names <= aggregate.MOST_IN_A_SECOND < aggregate.MOST_IN_A_RUN


def test_the_manifest_of_the_largest_burst_is_read(path: Path) -> None:
    manifest = json.loads((path / "run.json").read_text())
    times = {"n": 90_000, "p50": 1234.567891, "p95": 2345.678912, "max": 3456.789123}
    row = {"position": 99_999, "turns": 90_000, "first_event": times, "completion": times}
    rows = ",\n".join([json.dumps(row, indent=2)] * MAX_BURST)
    text = json.dumps({**manifest, "burst_positions": []})
    (path / "run.json").write_text(text.replace('"burst_positions": []', f'"burst_positions": [{rows}]'))
    assert (path / "run.json").stat().st_size > 25_000_000
    assert len(read_run(path).manifest["burst_positions"]) == MAX_BURST


def test_of_a_killed_run_the_first_of_too_many_slow_turns_are_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_run(path).slowest()
    lines = (path / "slowest.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == len(whole) > 1
    monkeypatch.setattr(slowest, "MOST_BYTES", len(lines[0]) + len(lines[1]) - 1)
    assert read_run(path).slowest() == whole[:1]
