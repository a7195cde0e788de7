"""A reader that leaves ends nothing: what is written from then on goes nowhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LEAVE = "from loadtest.stdio import let_readers_leave, reader_left; let_readers_leave();"


def without_reader(program: str, *interpreter: str, of: str = "stdout") -> subprocess.CompletedProcess[bytes]:
    """A program whose stdout, or stderr, nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, *interpreter, "-c", f"import os, sys; {LEAVE} {program}"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, of: writer}
    ended = subprocess.run(command, **streams, timeout=60, check=False)  # type: ignore[call-overload]  # by name
    os.close(writer)
    assert isinstance(ended, subprocess.CompletedProcess)
    return ended


@pytest.mark.parametrize("interpreter", [(), ("-u",)])
def test_a_program_goes_on_when_nobody_reads_it(interpreter: tuple[str, ...]) -> None:
    program = (
        "sys.stdout.write('x'*100_000); sys.stdout.flush(); print('more', flush=True);"
        "sys.stdout.buffer.write(b'bytes'); os.write(1, b'by another way');"
        "sys.exit(3 + reader_left(sys.stdout))"
    )
    ended = without_reader(program, *interpreter)
    assert (ended.returncode, ended.stderr) == (4, b"")


def test_so_it_is_with_stderr() -> None:
    ended = without_reader("sys.stderr.write('x\\n'); print('told'); sys.exit(3)", of="stderr")
    assert (ended.returncode, ended.stdout) == (3, b"told\n")


def test_what_is_read_arrives_whole() -> None:
    program = "sys.stdout.write('ä'*100_000); print(reader_left(sys.stdout))"
    command = [sys.executable, "-X", "utf8", "-c", f"import sys; {LEAVE} {program}"]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert ended.stdout.decode() == "ä" * 100_000 + "False\n"
    assert ended.stderr == b""
