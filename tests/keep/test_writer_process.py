from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.keep.writer_process import host_digest, is_alive, this_process


def test_this_process_is_alive(tmp_path: Path) -> None:
    assert is_alive(this_process(), tmp_path / "none")


def test_a_process_that_ended_is_not(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    told = {**this_process(), "pid": child.pid}
    child.communicate(b"\n")
    assert not is_alive(told, tmp_path / "none")


@pytest.mark.parametrize(
    "change", [{"started": 1.0}, {"pid": None}, {"pid": "x"}, {"pid": 2**40}, {"pid": -1}]
)
def test_another_process_of_that_number_is_not_the_one(tmp_path: Path, change: dict[str, object]) -> None:
    assert not is_alive({**this_process(), **change}, tmp_path / "none")
    assert not is_alive({"host": host_digest()}, tmp_path / "none")


def test_of_another_host_only_its_file_tells(tmp_path: Path) -> None:
    written = tmp_path / "intervals.jsonl"
    elsewhere = {**this_process(), "host": "another"}
    assert not is_alive(elsewhere, written)
    written.write_text("")
    assert is_alive(elsewhere, written)
    os.utime(written, (1, 1))
    assert not is_alive(elsewhere, written)


def test_the_host_is_not_named() -> None:
    assert set(host_digest()) <= set("0123456789abcdef")
    assert len(host_digest()) == 16
