"""The command line: a module per command, what they share, and the only room that knows click.

Imports here stay lean: ``loadtest --help`` loads click and nothing else that is heavy. A command
imports the rooms it needs when it is called. This module itself imports only what Python has loaded before:
until ``main`` has taken over the signals, Ctrl-C would print a traceback.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what signal is made of, without the import of enum
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HANGUP = (_signal.SIGHUP,) if hasattr(_signal, "SIGHUP") else ()
"""Windows has none."""

COLLECTED_AFTER = 10_000
"""New objects until Python looks for cycles, in place of 700: looking takes a tenth of the imports, 0.11 of
1.2 CPU seconds until a run may begin."""

INTERRUPTED = 130
"""``errors.Exit.INTERRUPTED``, which is not imported yet."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv`` (default: ``sys.argv``) and return its exit code.

    Nothing but the exit code leaves: every error becomes a sentence on stderr and one of ``errors.Exit``.
    Without ``argv`` the process is ours: an interrupt before the command begins ends it with 130, and one
    that comes after the command has ended changes nothing.
    """
    if argv is not None:
        return _run(list(argv))
    _on_signals(_leave)
    gc.set_threshold(COLLECTED_AFTER)
    code = _run(None)
    _on_signals(_signal.SIG_IGN)
    return code


def _run(words: list[str] | None) -> int:
    from loadtest.cli.commands import loadtest
    from loadtest.cli.exit_status import exit_code_of

    return exit_code_of(
        lambda: loadtest.main(
            words, prog_name="loadtest", standalone_mode=False, auto_envvar_prefix="LOADTEST"
        )
    )


def _on_signals(action: object) -> None:
    for number in (_signal.SIGINT, _signal.SIGTERM, *HANGUP):
        # A process that was told to ignore it (nohup) goes on ignoring it.
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, action)


def _leave(*_: object) -> None:
    try:
        if sys.__stderr__ is not None:
            os.write(sys.__stderr__.fileno(), b"loadtest: interrupted\n")
    finally:
        os._exit(INTERRUPTED)
