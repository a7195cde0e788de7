"""The command line: one module per command, and the only room that knows click.

Imports here stay lean: ``loadtest --help`` loads click and nothing else that is heavy. A command
imports the rooms it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.cli.commands import loadtest
from loadtest.cli.ending import exit_code_of


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv`` (default: ``sys.argv``) and return its exit code.

    Nothing but the exit code leaves: every error becomes a sentence on stderr and one of ``errors.Exit``.
    """
    words = None if argv is None else list(argv)
    return exit_code_of(
        lambda: loadtest.main(
            words, prog_name="loadtest", standalone_mode=False, auto_envvar_prefix="LOADTEST"
        )
    )
