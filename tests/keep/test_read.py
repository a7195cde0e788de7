from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import ConfigError
from loadtest.keep import aggregate as summing
from loadtest.keep import turns
from loadtest.keep.read import Run, read_run
from loadtest.keep.writer_process import this_process
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from tests.keep.samples import holding, manifest, second, write_run
from tests.keep.samples import turns as made_turns

SECONDS = [second(number) for number in range(4)]


def told(totals: Totals) -> dict[str, Any]:
    return {
        "histograms": totals.histograms,
        "counters": totals.counters,
        "instants": totals.instants,
        "moves": totals.moves.tolist(),
        "seconds": totals.seconds,
    }


def sum_of(seconds: list[Interval]) -> dict[str, Any]:
    totals = Totals()
    for interval in seconds:
        totals.add(interval)
    totals.histograms = {tag: histogram for tag, histogram in totals.histograms.items() if histogram.n}
    return told(totals)


@pytest.fixture(params=["closed", "killed"])
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Run:
    return read_run(write_run(tmp_path, SECONDS, close=request.param == "closed"))


def test_totals_are_those_of_the_intervals_exactly(run: Run) -> None:
    assert told(run.totals()) == sum_of(SECONDS)


def test_a_part_has_its_own_totals_and_knows_who_was_ready_before(run: Run) -> None:
    part = run.totals(1, 3)
    assert part.histograms == sum_of(SECONDS[1:3])["histograms"]
    assert part.count("turns.complete") == 10
    assert [row.second for row in part.seconds] == [1, 2]
    assert part.moves.tolist() == [[0, 1], [1000, 1], [2000, 1]]
    assert run.totals(last=1).count("turns.complete") == 5


def test_intervals_come_back(run: Run) -> None:
    for found, original in zip(run.intervals(), SECONDS, strict=True):
        assert found.second == original.second
        assert found.histograms == {tag: made for tag, made in original.histograms.items() if made.n}
        assert (found.counters, found.gauges) == (original.counters, original.gauges)
        assert (found.instants, found.moves.tolist()) == (original.instants, original.moves.tolist())


def test_intervals_of_a_part_and_of_some_tags(run: Run) -> None:
    found = list(run.intervals(first=2, tags={"turn.completion"}))
    assert [interval.second for interval in found] == [2, 3]
    assert [list(interval.histograms) for interval in found] == [["turn.completion"]] * 2


@pytest.mark.parametrize("step", [2, 3, 100])
def test_steps_of_several_seconds_have_the_same_histograms_together(run: Run, step: int) -> None:
    one, several = list(run.intervals()), list(run.intervals(step=step))
    assert sum_of(several) == sum_of(one)
    assert [each.second for each in several] == [each.second for each in one]
    last = {(each.second - one[0].second) // step: each.second for each in one}
    assert all(each.second in last.values() for each in several if each.histograms)


def test_turns_and_slowest_come_back(run: Run) -> None:
    assert sorted(run.turns()["seq"]) == list(range(20))
    assert sorted(entry["seq"] for entry in run.slowest()) == [0, 1, 2, 3]


def test_how_a_run_stands(tmp_path: Path) -> None:
    write_run(tmp_path, [])
    (path,) = tmp_path.iterdir()

    def status(**change: Any) -> str:
        (path / "run.json").write_text(json.dumps(manifest(**change)))
        found = read_run(path)
        assert found.manifest["status"] == found.status
        return found.status

    assert status() == "complete"
    assert status(interrupted=True) == "interrupted"
    assert status(ended=None, status="running", process=this_process()) == "running"
    assert status(ended=None, status="running", process={**this_process(), "started": 1}) == "cut short"
    assert status(ended=None, status="running", process=None) == "cut short"


def test_a_run_tells_what_it_is(tmp_path: Path) -> None:
    path = write_run(tmp_path, [])
    assert read_run(path / "run.json").path == path
    assert repr(read_run(path)) == "<Run 20261122T121530Z-chat: complete>"
    assert Run(path, manifest()).id == path.name


FILES = ["intervals.hlog", "intervals.jsonl", "turns.npy", "slowest.jsonl", "timeline.csv", "totals.hlog"]
files = st.sampled_from(FILES)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    results = tmp_path_factory.mktemp("results")
    return {how: write_run(results / how, SECONDS, close=how == "closed") for how in ("closed", "killed")}


def cut(original: Path, results: Path, name: str, share: float) -> Run:
    """A copy of a run, one file of it cut to a share of its length, or not there at all."""
    path = Path(shutil.copytree(original, results / original.name))
    if (path / name).exists():
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: int(len(data) * share)])
    if share < 0.01:
        (path / name).unlink(missing_ok=True)
    return read_run(path)


@given(files, st.floats(0, 1))
def test_a_killed_run_that_was_cut_anywhere_has_whole_seconds(
    whole: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, name: str, share: float
) -> None:
    run = cut(whole["killed"], tmp_path_factory.mktemp("cut"), name, share)
    seconds = len(list(run.intervals()))
    assert told(run.totals()) == sum_of(SECONDS[:seconds])
    assert set(run.turns()["seq"]) <= set(range(20))
    assert len(run.turns()) <= 5 * seconds or name == "intervals.hlog"
    assert len(run.slowest()) <= 4
    assert seconds == 4 or name in {"intervals.hlog", "intervals.jsonl"}
    shutil.rmtree(run.path)


@given(files, st.floats(0, 0.999))
def test_a_closed_run_that_was_cut_later_is_whole_or_says_so(
    whole: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, name: str, share: float
) -> None:
    run = cut(whole["closed"], tmp_path_factory.mktemp("cut"), name, share)
    if name in {"intervals.hlog", "intervals.jsonl"}:
        for read in (run.totals, lambda: list(run.intervals())):
            with pytest.raises(ConfigError, match="was changed after the run"):
                read()
    else:
        assert told(run.totals()) == sum_of(SECONDS)
        assert len(list(run.intervals())) == 4
    assert set(run.turns()["seq"]) <= set(range(20))
    assert len(run.slowest()) <= 4
    shutil.rmtree(run.path)


def test_a_closed_run_without_sums_says_so_too(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, SECONDS))
    (run.path / "totals.hlog").unlink()
    assert told(run.totals()) == sum_of(SECONDS)
    text = (run.path / "intervals.hlog").read_bytes()
    (run.path / "intervals.hlog").write_bytes(text[:-9])
    with pytest.raises(ConfigError, match="changed after the run: second 3 is missing"):
        run.totals()
    (run.path / "intervals.hlog").unlink()
    with pytest.raises(ConfigError, match="No such file"):
        run.totals()


def test_a_killed_run_misses_only_the_second_that_was_being_written(tmp_path: Path) -> None:
    path = write_run(tmp_path, SECONDS, close=False)
    text = (path / "intervals.jsonl").read_bytes()
    (path / "intervals.jsonl").write_bytes(text[:-1])
    run = read_run(path)
    assert told(run.totals()) == sum_of(SECONDS[:3])
    assert sorted(run.turns()["seq"]) == list(range(15))


def test_a_killed_run_of_very_many_turns_says_that_it_has_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path, [Interval(second=0, turns=made_turns(0, 300))], close=False)
    monkeypatch.setattr("loadtest.keep.read.MAX_TURNS", 50)
    monkeypatch.setattr(turns.sampled, "__defaults__", (50,))
    run = read_run(path)
    assert run.manifest["observed"] == [{"code": "turns_sampled", "numbers": {"turns": 300, "one_in": 8}}]
    assert 0 < len(run.turns()) <= 50


def test_sums_of_other_files_are_not_used(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", SECONDS)
    other = write_run(tmp_path / "other", [second(9)])
    shutil.copy(other / "totals.hlog", one / "totals.hlog")
    assert told(read_run(one).totals()) == sum_of(SECONDS)


@pytest.mark.parametrize("part", [b"HISTFAAA", b"Tag=turn.completion", b"[Sum of "])
def test_damaged_sums_are_made_anew(tmp_path: Path, part: bytes) -> None:
    path = write_run(tmp_path, SECONDS)
    text = (path / "totals.hlog").read_bytes()
    assert part in text
    (path / "totals.hlog").write_bytes(text.replace(part, b"?" * len(part), 1))
    assert told(read_run(path).totals()) == sum_of(SECONDS)


def test_sums_that_are_whole_but_of_other_samples_are_made_anew(tmp_path: Path) -> None:
    path = write_run(tmp_path, SECONDS)
    text = (path / "totals.hlog").read_bytes()
    wrong = [line for line in text.splitlines() if not line.startswith(b"Tag=turn.first")]
    (path / "totals.hlog").write_bytes(b"\n".join(wrong) + b"\n")
    assert told(read_run(path).totals()) == sum_of(SECONDS)


def test_many_histograms_of_a_tag_are_decoded_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summing, "AT_ONCE", 3)
    path = write_run(tmp_path, [second(number) for number in range(8)], close=False)
    assert told(read_run(path).totals()) == sum_of([second(number) for number in range(8)])


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("intervals.hlog", b"Tag=turn.completion,1", b"Tag=turn.completion,7", "does not fit second 1"),
        ("intervals.hlog", b"Tag=turn.completion,1", b"Tag=turn.completioM,1", "does not fit second 1"),
        ("intervals.hlog", b"HISTFAAA", b"HISTF%%A", "intervals.jsonl cannot be read"),
        ("intervals.jsonl", b'"second":2', b'"second":x', "line 3 is not an interval"),
        (
            "intervals.jsonl",
            b'"turn.completion":[5',
            b'"turn.completion":[6',
            "more or fewer samples than its row",
        ),
        ("slowest.jsonl", b'{"kind"', b"{{kind", "slowest.jsonl cannot be read"),
        ("turns.npy", b"NUMPY", b"nUMPY", "turns.npy cannot be read"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, name: str, old: bytes, new: bytes, sentence: str) -> None:
    path = write_run(tmp_path, SECONDS, close=False)
    data = (path / name).read_bytes()
    assert old in data
    (path / name).write_bytes(data.replace(old, new, 1))

    def read() -> None:
        run = read_run(path)
        run.totals()
        list(run.intervals())
        run.turns()
        run.slowest()

    with pytest.raises(ConfigError, match=sentence):
        read()


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not the folder of a run"):
        read_run(tmp_path)
    for text, sentence in [
        ("{", "cannot be read"),
        (
            '{"schema":"loadtest.run/1","metrics":[{"max":1e308}]}',
            r"contains the number 1e\+308, which is too large",
        ),
        ('{"schema":"loadtest.run/1","n":-%s}' % ("9" * 60), r"contains the number -1e\+60"),
        ("[]", 'schema "None"'),
        ('{"schema":"x/2"}', 'schema "x/2"'),
    ]:
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(ConfigError, match=sentence):
            read_run(tmp_path)


def test_an_empty_histogram_is_not_kept(tmp_path: Path) -> None:
    path = write_run(tmp_path, [Interval(second=0, histograms={"a": Histogram(), "b": holding(1)})])
    assert read_run(path).totals().histograms == {"b": holding(1)}


@pytest.mark.parametrize(
    ("counts", "where"),
    [
        ({"turns": {"lost": "x"}}, "counts.turns.lost"),
        ({"compression": {"sent_ratio": "x"}}, "counts.compression.sent_ratio"),
        ({"compression": {"sent_ratio": 2.5, "sent_wire": 2.5}}, "counts.compression.sent_wire"),
        ({"turns": {"lost": None}}, "counts.turns.lost"),
        ({"turns": {"lost": True}}, "counts.turns.lost"),
        ({"turns": {"lost": -1}}, "counts.turns.lost"),
        ({"turns": {"lost_by": {"code 1006": 1.5}}}, "counts.turns.lost_by"),
        ({"events": {"unmeasured": None}}, "counts.events.unmeasured"),
        ({"measured": {"turns": {"lost": 0.5}}}, "counts.measured.turns.lost"),
        ({"measured": {"turns": 5}}, "counts.measured.turns"),
    ],
)
def test_what_should_be_a_count_and_is_none_is_named(tmp_path: Path, counts: object, where: str) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"schema": "loadtest.run/1", "counts": counts}))
    with pytest.raises(ConfigError, match=rf"run\.json cannot be read: {where} is not a count"):
        read_run(tmp_path)


def test_a_count_of_events_may_be_unknown(tmp_path: Path) -> None:
    events = {"lost": None, "received": 3, "unmeasured": {"lost": "no event carried a sequence number"}}
    counts = {"events": events, "measured": {"events": events}}
    (tmp_path / "run.json").write_text(json.dumps({"schema": "loadtest.run/1", "counts": counts}))
    assert read_run(tmp_path).manifest["counts"] == counts


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"thresholds": {"turns.failed": "soon"}}, '"soon" is not an operator with a value'),
        ({"thresholds": {"turns.failed": ["== 0", None]}}, '"None" is not an operator with a value'),
        (
            {"load": {"stages": [{"for": "1s", "thresholds": {"turns.failed": 5}}]}},
            '"5" is not an operator with a value',
        ),
        ({"load": {"stages": [5]}}, "Expected `object`, got `int`"),
        (
            {"population": [{"load": {"stages": [{"for": "1s", "thresholds": {"turns.failed": 5}}]}}, {}]},
            '"5" is not an operator with a value',
        ),
    ],
)
def test_a_threshold_that_cannot_be_read_is_named(tmp_path: Path, settings: object, sentence: str) -> None:
    manifest = {"schema": "loadtest.run/1", "scenario": {"settings": settings}}
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        read_run(tmp_path)


def test_thresholds_that_can_be_read_are_taken_in(tmp_path: Path) -> None:
    written = {"turns.failed": ["== 0", "< 3"], "turns.complete.ratio": "none"}
    stage = {"for": "1s", "thresholds": written}
    settings: dict[str, Any] = {"thresholds": written, "load": {"stages": [stage, {"for": "2s"}]}}
    settings["population"] = [{"load": {"stages": [stage]}}, {"load": {}}]
    manifest = {"schema": "loadtest.run/1", "scenario": {"settings": settings}}
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    assert read_run(tmp_path).manifest["scenario"]["settings"] == settings


def test_a_section_that_is_not_there_is_empty(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema": "loadtest.run/1"}')
    found = read_run(tmp_path).manifest
    assert (found["scenario"], found["target"], found["load"]) == ({"name": ""}, {}, {})
