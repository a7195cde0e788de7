"""Every way a command can end has its exit code and one sentence; no traceback reaches a user."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from loadtest.cli.exit_status import exit_code_of
from loadtest.errors import ConfigError, Exit, Layer, LoadtestError, Problem, TargetError


@pytest.fixture(autouse=True)
def crash_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where details of crashes go, instead of the machine's temp folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("LOADTEST_TRACEBACK", raising=False)
    return tmp_path


def raising(error: BaseException) -> Callable[[], object]:
    def command() -> object:
        raise error

    return command


def abort(cause: BaseException) -> click.Abort:
    error = click.Abort()
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("result", "code"), [(None, 0), (0, 0), (1, 1), (Exit.INVALID, 4), (Exit.UNREACHABLE, 3), ("text", 0)]
)
def test_what_a_command_returns_is_the_exit_code(result: object, code: int) -> None:
    assert exit_code_of(lambda: result) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("no such key"), 2),
        (click.UsageError("no such option"), 2),
        (click.FileError("plan.toml", "not readable"), 2),
        (TargetError(Layer.TCP, "127.0.0.1:1 refused the connection"), 3),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (abort(KeyboardInterrupt()), 130),
        (abort(EOFError("ran out")), 70),
        (LoadtestError("a base error of ours"), 70),
        (ZeroDivisionError("a crash"), 70),
        (MemoryError(), 70),
        (GeneratorExit(), 70),
        (SystemExit(4), 4),
        (SystemExit(), 0),
        (SystemExit(1), 70),
        (SystemExit("a text"), 70),
        (BrokenPipeError(), 70),
    ],
)
def test_every_error_has_its_code_and_shows_no_traceback(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(raising(error)) == code
    assert "Traceback" not in "".join(capsys.readouterr())


def test_every_problem_stands_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Problem("plan.toml:3", "connections is 0"), Problem("--set", "no key lod")]
    exit_code_of(raising(ConfigError(problems)))
    assert capsys.readouterr().err == "plan.toml:3: connections is 0\n--set: no key lod\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConfigError('there is no run "\x1b[2J"'), 'there is no run "\\x1b[2J"\n'),
        (
            ConfigError([Problem("a\x1b.toml", "a\r"), Problem("", "b\nPASS\u202e")]),
            "a\\x1b.toml: a\\r\nb\\nPASS\\u202e\n",
        ),
        (TargetError(Layer.AUTH, "\x9b31m no\n\n"), "auth: \\x9b31m no\\n\\n\n"),
        (click.UsageError("no \x1b]0;x\x07"), "Error: no \\x1b]0;x\\x07\n"),
    ],
)
def test_no_error_steers_the_terminal(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names of files, labels and answers are of others: what a terminal would obey is shown as its escape."""
    exit_code_of(raising(error))
    assert capsys.readouterr().err == said


def test_a_refusal_names_its_layer(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(raising(TargetError(Layer.TLS, "the certificate has expired")))
    assert capsys.readouterr().err == "tls: the certificate has expired\n"


def test_a_crash_says_whose_fault_it_is_and_keeps_the_details(
    crash_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code_of(raising(ZeroDivisionError("of all things")))
    said = capsys.readouterr().err
    assert "this is a bug in loadtest" in said
    kept = re.search(r"The details are in (\S+\.txt);", said)
    assert kept is not None
    assert Path(kept[1]).parent == crash_files
    assert "ZeroDivisionError: of all things" in Path(kept[1]).read_text("utf-8")


def test_a_crash_prints_its_traceback_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADTEST_TRACEBACK", "1")
    assert exit_code_of(raising(ZeroDivisionError("of all things"))) == 70
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "The details are above." in said


def test_a_crash_without_room_for_its_details_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda *_, **__: raising(OSError("no space"))())
    assert exit_code_of(raising(ZeroDivisionError())) == 70
    assert "could not be written to a file; to see them, set LOADTEST_TRACEBACK=1" in capsys.readouterr().err


def test_a_termination_is_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert exit_code_of(lambda: signal.raise_signal(signal.SIGTERM)) == 130
    assert capsys.readouterr().err == "loadtest: interrupted\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_command_may_run_in_another_thread() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(exit_code_of(lambda: 4)))
    thread.start()
    thread.join()
    assert codes == [4]


def with_stdout(where: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell runs it, with its stdout ``where``."""
    command = [*("sh", "-c", f'"$@" {where}', "sh", sys.executable, "-m", "loadtest"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("words", [("--version",), ("scenarios",)])
def test_a_full_stdout_is_told_and_nobody_could_read_a_verdict(words: tuple[str, ...]) -> None:
    ended = with_stdout("> /dev/full", *words)
    assert (ended.returncode, ended.stderr) == (4, LOST)


LOST = "loadtest: the output could not be written to stdout: No space left on device\n"


def test_a_closed_stdout_leaves_the_exit_code() -> None:
    ended = with_stdout(">&-", "scenarios")
    assert (ended.returncode, ended.stderr) == (0, "")
