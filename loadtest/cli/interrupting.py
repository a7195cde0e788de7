"""Ctrl-C, SIGTERM and SIGHUP while a command works."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Self

from loadtest.errors import END_SIGNALS, PATIENCE_S, Exit

AGAIN_S = 0.01

IMPORTING = "<frozen importlib._bootstrap>"
"""Where Python's own frames of an import say they are from."""


class Interrupting:
    """Between ``with`` and its end ``END_SIGNALS`` end a command, unless the command takes them over.

    The first raises KeyboardInterrupt, so that what was begun is unwound; a later one leaves at once. While
    modules are imported the first leaves at once as well: nothing has begun, and an exception there would be
    printed by extension modules, or be lost. ``over``: the command has ended, and they change nothing. A
    process that was told to ignore one of them (``nohup``) goes on ignoring it.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, leave: Callable[[int], object] = os._exit
    ) -> None:
        self.over = False
        self._clock = clock
        self._leave = leave
        self._first_s: float | None = None
        self._number = signal.SIGINT
        self._before: dict[int, Any] = {}
        self._hook: Callable[[Any], object] = sys.unraisablehook

    def __enter__(self) -> Self:
        self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
        # In another thread than the main one signals do not arrive.
        with suppress(ValueError):
            for number in END_SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self.signalled)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        sys.unraisablehook = self._hook

    def signalled(self, number: int, frame: FrameType | None) -> None:
        """A signal came.

        Raises:
            KeyboardInterrupt: it is the first, and the command has not ended.
        """
        if self.over:
            return
        now = self._clock()
        if self._first_s is None:
            self._first_s, self._number = now, signal.Signals(number)
            if not _is_importing(frame):
                raise KeyboardInterrupt
        elif now - self._first_s < PATIENCE_S:
            return
        _say_interrupted()
        self._leave(Exit.INTERRUPTED)

    def _unraisable(self, lost: Any) -> None:
        """An exception that nobody hears: a KeyboardInterrupt is raised again when its place is left."""
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            self._hook(lost)
            return
        self._first_s = None
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(self._number))
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            return True
        frame = frame.f_back
    return False


def _say_interrupted() -> None:
    # Not through sys.stderr: the signal may have come in the middle of a write to it.
    if sys.__stderr__ is not None:
        with suppress(OSError):
            os.write(sys.__stderr__.fileno(), b"loadtest: interrupted\n")
