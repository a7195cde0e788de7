"""The root command: lean to start, kind to typing mistakes, complete in its help."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from loadtest.cli import main
from loadtest.cli.commands import COMMANDS
from tests.pace import children_s, pace

HEAVY = ("locust", "gevent", "numpy", "matplotlib", "scipy", "rich", "msgspec", "websockets", "jinja2")


def loadtest(*words: str, interpreter: tuple[str, ...] = (), **more: str) -> subprocess.CompletedProcess[str]:
    environment: Mapping[str, str] = {**os.environ, **more}
    command = [sys.executable, *interpreter, "-m", "loadtest", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_help_imports_nothing_heavy() -> None:
    ended = loadtest("--help", interpreter=("-X", "importtime"))
    assert ended.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "click" in imported
    assert {name for name in imported if name.split(".")[0] in HEAVY} == set()


@pytest.mark.timed
def test_help_starts_in_under_300_ms() -> None:
    """Of processor time on a machine of the reference's pace."""

    def once() -> float:
        before_s, pace_before = children_s(), pace()
        assert loadtest("--help").returncode == 0
        return (children_s() - before_s) / max(pace_before, pace())

    once()  # the first start compiles
    assert min(once() for _ in range(3)) < 0.3


def test_help_lists_every_command_with_a_sentence() -> None:
    listed = loadtest("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S.*[^.]\.$", listed, re.MULTILINE), f"{name}: a whole one"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"loadtest {name}" in capsys.readouterr().out.split("Example")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_names_its_environment_variable(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([name, "--help"])
    shown = " ".join(capsys.readouterr().out.split("Example")[0].split())
    for option in re.findall(r"(?<= )--[a-z-]+(?= [A-Z])", shown):
        wanted = f"LOADTEST_{name}_{option[2:].replace('-', '_')}".upper()
        assert wanted in shown or option == "--help"


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"loadtest, version \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_a_mistyped_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rnu"]) == 2
    assert 'there is no command "rnu". Did you mean "run"?' in capsys.readouterr().err


def test_a_command_like_no_other_gets_no_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zzzzzz"]) == 2
    assert "Did you mean" not in capsys.readouterr().err


def test_a_mistyped_option_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--lable", "v1"]) == 2
    assert "'--label'" in capsys.readouterr().err


def test_an_option_before_the_command_is_a_usage_error() -> None:
    assert main(["--label", "v1", "run"]) == 2


def test_no_command_at_all_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_help_may_be_asked_for_in_other_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == main(["run", "-h"]) == main(["runs", "list", "-h"]) == 0
    assert capsys.readouterr().out.count("-h, --help") == 3
    assert main(["help"]) == 2
    assert 'Did you mean "--help"?' in capsys.readouterr().err


SAYING = [
    ("--help",),
    ("run", "--help"),
    ("protocols",),
    ("explain", "agent-burst"),
    ("runs", "list", "--help"),
]


@pytest.mark.parametrize("words", SAYING)
@pytest.mark.parametrize("both", [False, True])
def test_a_reader_that_left_does_not_change_the_exit_code(words: tuple[str, ...], both: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "loadtest", *words]
    stderr = subprocess.STDOUT if both else subprocess.PIPE
    ended = subprocess.run(command, stdout=writer, stderr=stderr, timeout=60, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr or b"") == (0, b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_complete(shell: str) -> None:
    ended = loadtest(_LOADTEST_COMPLETE=f"{shell}_source")
    assert ended.returncode == 0
    assert "_LOADTEST_COMPLETE" in ended.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("loadtest ru", "plain,run"),
        ("loadtest run --la", "plain,--label"),
        ("loadtest run agent", "plain,agent-burst"),
        ("loadtest protocols --show ec", "plain,echo"),
        ("loadtest report lat", "plain,latest"),
        ("loadtest run agent-burst --set load.conn", "plain,load.connections="),
        ("loadtest explain --set traffic.arrivals=p", "plain,traffic.arrivals=poisson"),
    ],
)
def test_what_completion_offers(typed: str, offered: str) -> None:
    words = len(typed.split()) - 1
    ended = loadtest(_LOADTEST_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=str(words))
    assert offered in ended.stdout.splitlines()
