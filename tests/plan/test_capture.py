"""Captures: read as they are written, and every wrong line told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import ConfigError
from loadtest.plan import capture
from loadtest.plan.capture import CapturedFrame, capture_text, parse_capture, read_capture


def test_what_is_written_is_read_again() -> None:
    frames = (
        CapturedFrame(0, True, b'{"type":"welcome"}', line=1),
        CapturedFrame(12_000_000, False, "über".encode(), line=2),
        CapturedFrame(13_000_000, True, b"\x00\x01\xff", binary=True, line=3),
    )
    assert parse_capture(capture_text(frames), "f") == frames
    assert frames[1].text == "über"


@given(st.lists(st.tuples(st.integers(0, 10**9), st.booleans(), st.binary(), st.booleans())))
def test_every_capture_is_read_as_it_was(found: list[tuple[int, bool, bytes, bool]]) -> None:
    found.sort(key=lambda each: each[0])
    frames = [CapturedFrame(*each) for each in found]
    if not frames:
        return
    again = parse_capture(capture_text(frames), "f")
    assert [each[:3] for each in again] == [each[:3] for each in frames]


def test_json_may_stand_as_such() -> None:
    lines = ['{"a": [1, "\\u00fc"]}', '"text"', "null", '"\\ud800"']
    frames = parse_capture("\n".join(f'{{"at": 0, "dir": "out", "json": {line}}}' for line in lines), "f")
    assert [json.loads(frame.payload.decode("utf-8", "surrogatepass")) for frame in frames] == [
        {"a": [1, "ü"]},
        "text",
        None,
        "\ud800",
    ]
    assert not any(frame.binary for frame in frames)


def test_what_is_no_text_is_written_as_base64() -> None:
    (frame,) = parse_capture(capture_text([CapturedFrame(0, True, b"\xff")]), "f")
    assert frame.payload == b"\xff"
    assert frame.binary


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("no", "is not JSON"),
        ("[1]", "a line must be an object, not a list"),
        ('{"dir": "in", "text": ""}', "needs `at`"),
        ('{"at": "0", "dir": "in", "text": ""}', '`at` must be a number of seconds from 0 on, not "0"'),
        ('{"at": null, "dir": "in", "text": ""}', "`at` must be a number of seconds from 0 on, not null"),
        ('{"at": true, "dir": "in", "text": ""}', "not true"),
        ('{"at": -1, "dir": "in", "text": ""}', "not -1"),
        ('{"at": NaN, "dir": "in", "text": ""}', "`at` must be a number of seconds"),
        ('{"at": 0, "text": ""}', 'this line needs `dir`: "in" or "out"'),
        ('{"at": 0, "dir": "up", "text": ""}', '`dir` must be "in" or "out", not "up"'),
        ('{"at": 0, "dir": "in"}', "a line needs exactly one of `text`, `json` and `base64`"),
        ('{"at": 0, "dir": "in", "text": "", "base64": ""}', "needs exactly one of"),
        ('{"at": 0, "dir": "in", "text": 5}', "`text` must be text, not 5"),
        ('{"at": 0, "dir": "in", "base64": "!"}', "`base64` is not valid base64"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(line: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse_capture(f"\n{line}\n", "f.jsonl")
    (problem,) = told.value.problems
    assert problem.where == "f.jsonl:2"
    assert sentence in problem.sentence


def test_not_more_problems_are_told_than_anybody_reads() -> None:
    with pytest.raises(ConfigError) as told:
        parse_capture("no\n" * 100, "f.jsonl")
    assert len(told.value.problems) == capture.MAX_PROBLEMS


def test_frames_stand_in_the_order_of_their_time() -> None:
    lines = '{"at": 1, "dir": "in", "text": ""}\n{"at": 0, "dir": "in", "text": ""}\n'
    with pytest.raises(ConfigError, match="f:2: `at` is earlier than in the line above"):
        parse_capture(lines * 2, "f")


def test_a_capture_has_a_frame() -> None:
    with pytest.raises(ConfigError, match="f: the capture has no frames"):
        parse_capture("\n", "f")


def test_a_capture_has_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MAX_FRAMES", 2)
    with pytest.raises(ConfigError, match="more than 2 frames"):
        parse_capture('{"at": 1, "dir": "in", "text": ""}\n' * 3, "f")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_capture(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xff")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_capture(tmp_path / "bytes")
    (tmp_path / "good").write_text('{"at": 1, "dir": "in", "text": "x"}')
    assert len(read_capture(tmp_path / "good")) == 1
    monkeypatch.setattr(capture, "MAX_BYTES", 2)
    with pytest.raises(ConfigError, match="is larger than"):
        read_capture(tmp_path / "good")
