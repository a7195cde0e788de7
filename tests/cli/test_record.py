"""``loadtest record`` says what it wrote, and what it could not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.run import recording_proxy
from loadtest.run.recording_proxy import Recorded, RecordedConnection, RecordingOptions

URL = "ws://127.0.0.1:9/ws"


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Recorded], tuple[int, str, str]]:
    """Exit code, stdout and stderr of a command whose recording brought that."""
    monkeypatch.chdir(tmp_path)

    def run(found: Recorded) -> tuple[int, str, str]:
        def record(options: RecordingOptions, _listening: Callable[[str], None]) -> Recorded:
            return found

        monkeypatch.setattr(recording_proxy, "record", record)
        code = main(["record", "--to", URL, "--save", "f.jsonl"])
        return code, *capsys.readouterr()

    return run


def test_only_what_was_written_is_claimed(told: Callable[[Recorded], tuple[int, str, str]]) -> None:
    lost = RecordedConnection(left_out=3, failed="f-2.jsonl cannot be written: Permission denied")
    whole = RecordedConnection(Path("f-4.jsonl"), frames=2, url=URL)
    part = RecordedConnection(Path("f-5.jsonl"), frames=1, left_out=4, failed="the disk is full", url=URL)
    code, out, err = told(Recorded([lost, whole, part]))
    assert code == 4
    assert out.splitlines()[:2] == [
        "wrote f-4.jsonl: 2 messages",
        "wrote f-5.jsonl: 1 messages, 4 more were passed on, but not recorded",
    ]
    assert f"next: loadtest init {URL} --capture f-4.jsonl\n" in out
    assert err == (
        "a connection with 3 messages was passed on, but not recorded: f-2.jsonl cannot be written:"
        " Permission denied\nf-5.jsonl is not complete: the disk is full\n"
    )


def test_a_full_capture_is_not_complete(told: Callable[[Recorded], tuple[int, str, str]]) -> None:
    full = RecordedConnection(Path("f.jsonl"), frames=2, left_out=1, failed=recording_proxy.FULL, url=URL)
    code, _, err = told(Recorded([full]))
    assert code == 4
    assert err == "f.jsonl is not complete: a capture contains at most 100,000 messages and 64 MiB\n"


def test_where_no_file_could_be_written_there_is_no_next_step(
    told: Callable[[Recorded], tuple[int, str, str]],
) -> None:
    code, out, err = told(Recorded([RecordedConnection(left_out=1, failed="no room")]))
    assert (code, out) == (4, "")
    assert err == "a connection with 1 messages was passed on, but not recorded: no room\n"


def test_a_recording_that_is_whole_passes(told: Callable[[Recorded], tuple[int, str, str]]) -> None:
    code, out, err = told(Recorded([RecordedConnection(Path("f.jsonl"), frames=2, url=URL)]))
    assert (code, err) == (0, "")
    assert out.startswith("wrote f.jsonl: 2 messages\n")
