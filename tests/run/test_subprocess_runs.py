from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import pytest

from loadtest.cli.commands import loadtest
from loadtest.errors import ConfigError, Exit
from loadtest.keep.writer_process import host_digest
from loadtest.run import subprocess_runs
from loadtest.run.options import NOT_FORWARDED, RunOptions, variables
from loadtest.run.subprocess_runs import FinishedRun, RunSequence, command_line

OPTIONS = RunOptions(
    scenario="-odd.toml",
    target="ws://h/ws",
    label="v1",
    duration="1s",
    connections=3,
    connect_rate="5/s",
    sets=("load.seed=2", "traffic.message=a = b", "load.seed=\n3"),
    processes=2,
    workers=4,
    bind="127.0.0.1:5557",
    key_env="WORKERS_KEY",
    join_within="3m",
    results="there",
    ui=True,
    ui_port=8123,
    ui_close=True,
    prometheus="127.0.0.1:9465",
    otel="http://127.0.0.1:4318",
    asked_by="policy: component",
    insecure=True,
    quiet=True,
)


def test_the_words_and_the_variables_mean_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables(OPTIONS.target, OPTIONS.sets).items():
        monkeypatch.setenv(name, value)
    words = command_line(OPTIONS)
    with loadtest.make_context("loadtest", words, auto_envvar_prefix="LOADTEST") as context:
        name, command, rest = loadtest.resolve_command(context, command_line(OPTIONS))
        assert command is not None
        assert name is not None
        parsed = command.make_context(name, rest, parent=context).params
    assert RunOptions(**parsed) == OPTIONS


def test_what_may_be_a_secret_is_on_no_command_line() -> None:
    secret = replace(OPTIONS, target="ws://u:hush@h/ws?token=hush", sets=("target.headers.X-Key=hush",))
    assert "hush" not in " ".join(command_line(secret))
    assert variables(secret.target, secret.sets) == {
        "LOADTEST_RUN_TARGET": "ws://u:hush@h/ws?token=hush",
        "LOADTEST_RUN_SET": '["target.headers.X-Key=hush"]',
    }
    assert variables(None, ()) == {}


def test_every_field_is_an_option_of_the_run_command() -> None:
    with loadtest.make_context("loadtest", ["run"]) as context:
        command = loadtest.get_command(context, "run")
    assert command is not None
    names = {each.name for each in command.params if each.expose_value} - {"help"}
    assert names == {each.name for each in fields(RunOptions)}


def test_every_option_is_forwarded_or_refused() -> None:
    refused = {each.name for each in fields(RunOptions) if NOT_FORWARDED in each.metadata}
    assert refused == {"repeat", "verbose", "json"}
    plain = RunOptions()
    for each in fields(RunOptions):
        if each.name not in refused:
            assert getattr(OPTIONS, each.name) != getattr(plain, each.name), each.name
    with pytest.raises(ConfigError, match="--repeat: this option cannot be used"):
        command_line(RunOptions(repeat=2))


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpOptions(RunOptions):
    """Options as a later version may have them."""

    sampling_rate: str | None = None
    dry: bool = False
    tags: tuple[str, ...] = ()
    forever: bool = field(default=False, metadata={NOT_FORWARDED: "it would never end"})


def test_a_new_option_is_forwarded_by_its_declaration_alone() -> None:
    assert command_line(MadeUpOptions()) == command_line(RunOptions())
    words = command_line(MadeUpOptions(sampling_rate="1%", dry=True, tags=("a", "b")))
    assert words == [
        "run",
        "--quiet",
        "--sampling-rate=1%",
        "--dry",
        "--tags=a",
        "--tags=b",
        "--",
        "agent-burst",
    ]


def test_a_new_option_that_means_nothing_for_one_of_several_runs_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--forever: .*it would never end"):
        command_line(MadeUpOptions(forever=True))


Play = Callable[..., FinishedRun]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Make a run of which a few lines of Python play the part."""

    def with_script(script: str, sequence: RunSequence | None = None) -> FinishedRun:
        def started(_words: Sequence[str], **options: object) -> subprocess.Popen[str]:
            head = f"import json, os, sys, time, pathlib\nresults = pathlib.Path({str(tmp_path)!r})\n"
            return popen([sys.executable, "-c", head + script], **options)  # type: ignore[call-overload, no-any-return]  # as it was called

        popen = subprocess.Popen
        monkeypatch.setattr(subprocess_runs.subprocess, "Popen", started)
        try:
            with sequence or RunSequence() as running:
                return running.run(RunOptions(results=str(tmp_path)))
        finally:
            monkeypatch.setattr(subprocess_runs.subprocess, "Popen", popen)

    return with_script


def leaves_a_run(name: str, pid: str) -> str:
    manifest = {"schema": "loadtest.run/1", "process": {"pid": 0, "host": host_digest()}, "ended": "now"}
    text = json.dumps(manifest).replace('"pid": 0', f'"pid": {pid}')
    return (
        f"(results / {name!r}).mkdir()\n"
        f"(results / {name!r} / 'run.json').write_text({text!r}.replace('PID', str(os.getpid())))\n"
    )


def test_the_folder_of_a_run_is_the_new_one_that_names_its_process(play: Play, tmp_path: Path) -> None:
    (tmp_path / "0-older").mkdir()
    older = leaves_a_run("0-older", "PID").partition("\n")[2]
    script = older + leaves_a_run("1-somebody-else", "1") + leaves_a_run("2-ours", "PID") + "sys.exit(1)"
    ended = play(script)
    assert ended.exit_code is Exit.FAIL
    assert ended.run is not None
    assert ended.run.path == tmp_path / "2-ours"
    assert ended.manifest["ended"] == "now"
    assert ended.took_s > 0


def test_what_it_says_is_said_here_and_the_last_line_is_kept(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = play("print('lost'); print('one\\ntwo\\n', file=sys.stderr); sys.exit(2)")
    assert (ended.exit_code, ended.run, ended.manifest, ended.last_words) == (Exit.CONFIG, None, {}, "two")
    told = capsys.readouterr()
    assert told.err == "one\ntwo\n\n"
    assert told.out == ""


@pytest.mark.parametrize(
    "end", ["sys.exit(99)", "os.kill(os.getpid(), 9)", "sys.exit(0)", "sys.exit(1)", "import nothing"]
)
def test_a_run_that_ends_as_none_of_ours_does_concluded_nothing(play: Play, end: str) -> None:
    assert play(end).exit_code is Exit.INTERNAL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reaches_the_run_and_ends_the_course(play: Play, number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGINT)
    sequence = RunSequence()
    script = (
        "import signal\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(130))\n"
        f"os.kill(os.getppid(), {int(number)})\n"
        "time.sleep(30)"
    )
    assert play(script, sequence).exit_code is Exit.INTERRUPTED
    assert sequence.interrupted
    assert signal.getsignal(signal.SIGINT) == before


def test_one_that_could_not_yet_handle_the_interrupt_was_interrupted_too(play: Play) -> None:
    script = (
        f"import signal; signal.signal({int(signal.SIGINT)}, signal.SIG_DFL)\n"
        f"os.kill(os.getppid(), {int(signal.SIGINT)}); time.sleep(30)"
    )
    assert play(script).exit_code is Exit.INTERRUPTED


def test_an_interrupt_while_python_begins_is_no_verdict(play: Play) -> None:
    """Python then ends with 1, as a run does that has failed."""
    script = (
        f"import signal; signal.signal({int(signal.SIGINT)}, signal.SIG_IGN)\n"
        f"os.kill(os.getppid(), {int(signal.SIGINT)}); sys.exit(1)"
    )
    assert play(script).exit_code is Exit.INTERRUPTED


def test_an_interrupt_before_the_run_began_ends_it_at_once(play: Play) -> None:
    sequence = RunSequence()
    sequence.interrupted = True
    assert play("time.sleep(30)", sequence).exit_code is Exit.INTERRUPTED


def test_variables_of_the_run_command_do_not_change_its_options(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADTEST_RUN_REPEAT", "7")
    monkeypatch.setenv("AGENT_JWT_SECRET", "kept")
    ended = play(
        "print('LOADTEST_RUN_REPEAT' in os.environ, os.environ['AGENT_JWT_SECRET'], file=sys.stderr)"
    )
    assert ended.last_words == "False kept"
    assert os.environ["LOADTEST_RUN_REPEAT"] == "7"
