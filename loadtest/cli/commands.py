"""The root of all commands; each is imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from loadtest import __version__
from loadtest.cli.suggesting_group import SuggestingGroup
from loadtest.errors import Exit

COMMANDS = {
    "run": "Run a scenario and judge it.",
    "worker": "Join a distributed run as a worker.",
    "explain": "Show what a scenario would do, without sending anything.",
    "try": "Send one turn, and show every frame and its meaning.",
    "init": "Write a scenario and a protocol for your server.",
    "record": "Record the messages between your client and a server.",
    "import": "Draft a scenario from a HAR file of a browser.",
    "report": "Show a stored run again, whole or in part.",
    "compare": "Compare the runs of two releases.",
    "trend": "Show the history of a scenario and its changes.",
    "ab": "Compare two targets by alternating between them.",
    "suite": "Run many scenarios, with one summary.",
    "search": "Find the highest load that still meets the thresholds.",
    "runs": "List, show, mark, prune, import and merge stored runs.",
    "ready": "Report GO or NO-GO for a whole system.",
    "watch": "Repeat the readiness report and send alerts.",
    "simulator": "Serve a simulated agent backend with fault injection.",
    "protocols": "List the shipped protocols, or check a protocol.",
    "scenarios": "List the shipped scenarios and policies.",
}
"""What each does, in the order of ``--help``; ``loadtest.cli.NAME`` holds ``command``."""

MODULES = {"try": "try_turn", "import": "import_file"}
"""Where a command is whose name no module can have: a word of Python."""


class Commands(SuggestingGroup):
    """A group whose commands live in modules of their own name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, in the order of a first use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import and return the command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"loadtest.cli.{MODULES.get(cmd_name, cmd_name)}").command
        assert isinstance(command, click.Command)  # noqa: S101 - tells the type checker what the loop over COMMANDS tests
        command.short_help = COMMANDS[cmd_name]
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As click does, but a broken pipe is told as the crash that it is."""
        with _broken_pipe_told():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, but a broken pipe is told as the crash that it is."""
        with _broken_pipe_told():
            return super().invoke(ctx)


@contextmanager
def _broken_pipe_told() -> Iterator[None]:
    """A pipe between processes of ours broke: stdout and stderr forgive readers that leave (``streams``).

    click would take it for such a reader, and leave with a code that is no verdict of ours.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise RuntimeError("a pipe between processes of loadtest broke") from error


@click.command(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]},
    epilog=(
        "\b\nExamples:\n"
        "  loadtest run agent-burst                    against our own simulator\n"
        "  loadtest run agent-burst --target ws://localhost:8000/ws\n"
        "  loadtest report latest --format markdown\n\n"
        f"\b\nExit codes: {', '.join(f'{code:d} {code.word}' for code in Exit)}.\n"
        "Every option has an environment variable: LOADTEST_RUN_LABEL for `run --label`."
    ),
)
@click.version_option(__version__, prog_name="loadtest")
@click.pass_context
def loadtest(context: click.Context) -> None:
    """WebSocket load tests whose numbers can be believed."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
