"""How a command ends: every outcome becomes one sentence and one exit code; no traceback reaches a user."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
from click.core import ParameterSource

from loadtest.cli.interrupting import Interrupting
from loadtest.errors import ConfigError, Exit, LoadtestError
from loadtest.plan.printable_text import visible
from loadtest.stdio import let_readers_leave

TRACEBACK_WANTED = "LOADTEST_TRACEBACK"
"""Set to 1, a crash of ours prints its traceback instead of writing it to a file."""


def exit_code_of(command: Callable[[], object]) -> int:
    """Call ``command`` and return the exit code of what became of it.

    A returned integer is the exit code, None is 0. Never raises.
    """
    _open_what_is_closed()
    let_readers_leave()
    with Interrupting() as interrupting:
        try:
            result = command()
            sys.stdout.flush()
            interrupting.over = True
        # One that left would end in 1, which says that a threshold was missed.
        except BaseException as error:
            interrupting.over = True
            return _ended_by(error)
    return int(result) if isinstance(result, int) else Exit.PASS


def _open_what_is_closed() -> None:
    """A command whose stdout or stderr was closed (``>&-``) has nobody to tell, and ends by its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - of the process


def _ended_by(error: BaseException) -> int:
    match error:
        case OSError() if (code := _of_stdout(error)) is not None:
            return code
        case KeyboardInterrupt() | click.Abort() if not isinstance(error.__cause__, EOFError):
            _say("loadtest: interrupted")
            return Exit.INTERRUPTED
        case LoadtestError():
            _say(_sentences(error))
            return error.exit_code
        case click.ClickException():
            _say(_usage(error))
            return Exit.CONFIG
        # 1 says that a threshold was missed: a library that leaves with it knows nothing of that.
        case SystemExit(code=int() | None as code) if code != Exit.FAIL:
            return code or Exit.PASS
        case _:
            return _crashed(error)


def _usage(error: click.ClickException) -> str:
    """Return what click has to say about a usage mistake, with the usage line of the command."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    about = f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n\n" if context else ""
    return f"{about}Error: {error.format_message()}{_origin(error)}"


def _origin(error: click.ClickException) -> str:
    """Return where a wrong value came from, if it was not typed."""
    if not isinstance(error, click.BadParameter) or not error.ctx or not error.param or not error.param.name:
        return ""
    if error.ctx.get_parameter_source(error.param.name) is not ParameterSource.ENVIRONMENT:
        return ""
    names = [error.param.envvar] if isinstance(error.param.envvar, str) else list(error.param.envvar or ())
    names.append(f"{error.ctx.auto_envvar_prefix}_{error.param.name}".upper())
    return f" (from {next((name for name in names if os.environ.get(name)), 'the environment')})"


def _sentences(error: LoadtestError) -> str:
    """Return every problem of ``error``, one per line; a line break in one is shown as its escape."""
    problems = error.problems if isinstance(error, ConfigError) else (error,)
    return "\n".join(visible(str(problem)) for problem in problems)


def _crashed(error: BaseException) -> int:
    """Say that it was our fault and where the details are."""
    _say(
        f"loadtest: internal error ({type(error).__name__}): this is a bug in loadtest, not a fault "
        f"of the target or of yours; do not rely on any result of this command. {_details(error)}"
    )
    return Exit.INTERNAL


def _details(error: BaseException) -> str:
    """Keep the traceback and return the sentence that says where."""
    text = "".join(traceback.format_exception(error))
    if os.environ.get(TRACEBACK_WANTED, "0") not in {"", "0"}:
        _say(text)
        return "The details are above."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="loadtest-crash-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError:
        return (
            f"The details could not be written to a file; to see them, set {TRACEBACK_WANTED}=1 and run the"
            " command again."
        )
    return f"The details are in {file.name}; please report them."


def _say(text: str) -> None:
    """Write lines to stderr, without what a terminal would obey; a closed stderr is no reason to crash."""
    with suppress(OSError):
        click.echo("\n".join(map(visible, text.split("\n"))), err=True)


def _of_stdout(error: OSError) -> int | None:
    """The exit code where stdout takes nothing any more; None where the error is of something else."""
    if error.filename is not None or not _is_lost():
        return None
    _leave_stdout()
    _say(f"loadtest: the output could not be written to stdout: {error.strerror or error}")
    return Exit.INVALID


def _is_lost() -> bool:
    """Whether stdout takes nothing any more, as on a full disk: nobody could read the verdict."""
    try:
        sys.stdout.flush()
        sys.stdout.write("\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return False


def _leave_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not fail either."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
