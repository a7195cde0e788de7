"""What the docs show is run: the commands of a newcomer, every command line, every TOML block, every link."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from loadtest.cli.commands import loadtest
from loadtest.errors import Exit
from loadtest.plan import protocol, scenario
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.scenario_file import load_scenario
from tests.end_to_end.documents import DOCUMENTS, ROOT, Block, blocks, commands, every
from tests.end_to_end.running import DRAWN

README = ROOT / "README.md"
SHOWN_PORT = "8765"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def write_files(folder: Path, port: int) -> list[Path]:
    """Save the files of the README as a reader would; the port they show may be taken here."""
    files = [block for block in blocks(README) if block.file]
    for block in files:
        (folder / str(block.file)).write_text(block.text.replace(SHOWN_PORT, str(port)), "utf-8")
    return [folder / str(block.file) for block in files]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(server: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, server], cwd=server.parent)
    try:
        deadline = time.monotonic() + 60
        while not listens(port):
            assert process.poll() is None, f"{server.name} ended before it listened"
            assert time.monotonic() < deadline, f"{server.name} does not listen"
        yield
    finally:
        process.terminate()
        process.wait(10)


def newcomer(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script as in a shell with the virtual environment activated."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOADTEST_")}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-x", "-c", script],
        cwd=folder,
        env={**environment, **DRAWN, "PATH": path},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


# Its draft limits a response time: beside other tests a slow generator may be at fault, and the run invalid.
@pytest.mark.timed
def test_a_newcomer_runs_the_readme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    (server,) = write_files(tmp_path, port)
    scripts = [block.text.replace(SHOWN_PORT, str(port)) for block in blocks(README) if "run" in block.marks]
    assert scripts
    started = time.monotonic()
    with running(server, port):
        ended = newcomer(tmp_path, "\n".join(scripts))
    wall_s = time.monotonic() - started
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert list((tmp_path / "results").glob("*/report.html"))
    with capsys.disabled():
        sys.stdout.write(f"\nthe commands of the README took {wall_s:.1f} s\n")


@pytest.mark.parametrize("block", [*every("sh"), *every("console")], ids=lambda block: block.name)
def test_every_command_shown_is_understood(block: Block) -> None:
    for line in commands(block):
        words = shlex.split(re.sub(r"^(\.venv/bin/|\$ )|\s[&|>].*", "", line))
        if words[0] != "loadtest":
            continue
        with loadtest.make_context("loadtest", words[1:]) as context:
            name, command, rest = loadtest.resolve_command(context, words[1:])
            assert command is not None
            command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("block", every("sh"), ids=lambda block: block.name)
def test_every_target_of_make_shown_exists(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = {word for line in commands(block) if line.startswith("make ") for word in line.split()[1:]}
    assert shown <= targets


@pytest.mark.parametrize("block", every("toml", "scenario"), ids=lambda block: block.name)
def test_every_scenario_shown_can_be_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "shown.toml"
    file.write_text(block.text, "utf-8")
    load_scenario(file)


@pytest.mark.parametrize("block", every("toml", "protocol"), ids=lambda block: block.name)
def test_every_protocol_shown_can_be_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "shown.toml"
    file.write_text(block.text, "utf-8")
    if "scenarios/data/" in block.text:
        shutil.copytree(ROOT / "scenarios" / "data", tmp_path / "scenarios" / "data")
    load_protocol(file)


@pytest.mark.parametrize(
    ("document", "described"),
    [
        (
            "scenarios.md",
            (
                scenario.Target,
                scenario.Auth,
                scenario.Load,
                scenario.Stage,
                scenario.Traffic,
                scenario.Limits,
            ),
        ),
        (
            "protocols.md",
            (protocol.ReadyStep, protocol.AutoReply, protocol.Connect, protocol.TurnShape, protocol.Events),
        ),
    ],
)
def test_every_key_is_documented(document: str, described: tuple[type, ...]) -> None:
    text = (ROOT / "docs" / document).read_text("utf-8")
    code = " ".join(re.findall(r"`([^`\n]+)`", text))
    fields = {field.name for kind in described for field in dataclasses.fields(kind)} - {
        "fixed_claims",
        "keep_cookies",
        "compress_sent",
    }
    keys = {re.sub("_(ns|bytes)$", "", field) for field in fields}
    assert {key for key in keys if not re.search(rf"\b{key}\b", code)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings
            }


@pytest.mark.parametrize("document", [README, ROOT / "docs" / "measuring.md"], ids=lambda path: path.name)
def test_the_table_of_exit_codes_is_complete(document: Path) -> None:
    shown = re.findall(r"^\| (\d+) \|", document.read_text("utf-8"), re.MULTILINE)
    assert [int(code) for code in shown] == sorted(Exit)


def test_a_command_that_does_not_exist_would_be_found() -> None:
    broken = Block(README, 1, "sh", (), "loadtest run --no-such-option\n")
    with pytest.raises(click.UsageError):
        test_every_command_shown_is_understood(broken)
