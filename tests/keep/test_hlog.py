from __future__ import annotations

import io
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from loadtest.keep import hlog
from loadtest.measure.histogram import HIGHEST_NS, Histogram
from tests.keep.samples import MS, STARTED, holding


def log(*lines: bytes) -> list[bytes]:
    return [line + b"\n" for line in b"".join([hlog.head(STARTED), *lines]).splitlines()]


def test_the_reference_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "a.hlog"
    histogram = holding(2 * MS, 3 * MS, 3 * MS)
    path.write_bytes(
        hlog.head(STARTED)
        + hlog.line("turn.completion", histogram, 4)
        + hlog.line("warmup:event.gap", holding(7), 5)
    )
    reader = HistogramLogReader(str(path), HdrHistogram(1, HIGHEST_NS, 3))
    first, second, end = (reader.get_next_interval_histogram() for _ in range(3))
    reader.close()
    assert reader.get_start_time_sec() == STARTED.timestamp()
    assert (first.get_tag(), second.get_tag(), end) == ("turn.completion", "warmup:event.gap", None)
    assert first.get_start_time_stamp() == pytest.approx((STARTED.timestamp() + 4) * 1000)
    assert first.get_end_time_stamp() - first.get_start_time_stamp() == pytest.approx(1000)
    assert first.get_total_count() == 3
    assert first.get_value_at_percentile(100) == histogram.percentile(100)


def test_a_line_tells_tag_start_length_and_max_in_milliseconds() -> None:
    line = hlog.line("turn.completion", holding(2_500_000), 4)
    assert line.startswith(b"Tag=turn.completion,4.000,1.000,2.500000,HISTFAAA")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


def test_the_head_tells_version_and_times() -> None:
    assert hlog.head(STARTED, "[why]").decode().splitlines() == [
        "#[Histogram log format version 1.3]",
        "#[why]",
        "#[StartTime: 1795349730.250 (seconds since epoch), 2026-11-22T12:15:30.250+00:00]",
        "#[BaseTime: 1795349730.250 (seconds since epoch)]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]


def test_lines_come_back() -> None:
    histogram = holding(1, 2, 3 * MS)
    (found,) = hlog.read_lines(log(hlog.line("a:b-c_d.e", histogram, 17)))
    assert (found.tag, found.start_s) == ("a:b-c_d.e", 17.0)
    assert Histogram.decode(hlog.raw(found.payload)).n == 3


def test_a_line_that_was_cut_is_left_out() -> None:
    lines = log(hlog.line("a", holding(1), 0), hlog.line("b", holding(1), 0))
    for length in range(1, len(lines[-1])):
        cut = [*lines[:-1], lines[-1][:length]]
        assert [line.tag for line in hlog.read_lines(cut)] == ["a"]


@pytest.mark.parametrize("tag", ["", "a,b", "a b", "a\n", 'a"', "ä"])
def test_a_tag_that_would_break_the_line_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="does not allow"):
        hlog.line(tag, holding(1), 0)


def test_an_empty_histogram_is_not_logged() -> None:
    with pytest.raises(ValueError, match="is empty and cannot be logged"):
        hlog.line("a", Histogram(), 0)


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"Tag=a,x,1,1,HIST\n", b"a,1,1,1,HIST\n", b"Tag=\xff,1,1,1,HIST\n"]
)
def test_a_whole_line_that_is_no_histogram_is_told_by_number(line: bytes) -> None:
    with pytest.raises(ValueError, match="line 2 is not a tagged histogram"):
        list(hlog.read_lines(io.BytesIO(b"# fine\n" + line)))


def test_a_payload_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        hlog.raw(b"HISTF%%%")
