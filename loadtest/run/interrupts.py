"""Ctrl-C and SIGTERM over one run: the first ends it early and keeps it, a later one drops the report."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Self

import gevent

from loadtest.errors import PATIENCE_S


class Interrupts:
    """What a signal does, from the run's first folder to its last report.

    While the run goes (``stop`` is set) the first one ends it; while its report is written the first one is
    only answered; before that it raises KeyboardInterrupt. Any that comes more than a second after the first
    ends the process with 130, and says where what was measured is kept. ``caught``: the run was ended, ``by``
    what if not by a signal;
    ``too_late``: the first came when only the report was left.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self.caught = False
        self.by: str | None = None
        self.too_late = False
        self.reporting = False
        self.stop: Callable[[], object] | None = None
        self._early = False
        self._folder = folder
        self._clock = clock
        self._leave = leave
        self._first_s: float | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        # An interrupt that strikes gevent's loop is handed to the main greenlet, and needs no traceback.
        hub = gevent.get_hub()
        hub.NOT_ERROR = tuple({*hub.NOT_ERROR, KeyboardInterrupt})
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self.signalled)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # it is what signal() gave us

    def signalled(self, _number: int, _frame: FrameType | None) -> None:
        """A signal came. By Python, not by the loop: it must act also where the loop stands still."""
        now = self._clock()
        if self._first_s is None:
            self._first_s = now
            self._first()
        elif now - self._first_s >= PATIENCE_S:
            _say(f"loadtest: interrupted; what was measured is kept in {self._folder}")
            self._leave(130)

    def asked(self, by: str) -> None:
        """Somebody ends the run otherwise than by a signal; once it has ended there is nothing to end."""
        if self.stop is not None and not self.reporting and not self.caught:
            self.caught, self.by = True, by
            _say(f"loadtest: ending the run early: it was stopped on {by}")
            self.stop()

    def _first(self) -> None:
        if self.stop is not None and not self.reporting:
            self.caught = True
            _say("loadtest: ending the run early; again to leave without its report")
            self.stop()
        elif self.reporting:
            self.too_late = True
            _say("loadtest: the report is being written; again to leave without it")
        else:
            self._early = True
            raise KeyboardInterrupt

    def begin(self, stop: Callable[[], object]) -> None:
        """The run goes from now on; ``stop`` ends it early.

        Raises:
            KeyboardInterrupt: a signal came before, and where it came nobody heard of it (a finaliser).
        """
        if self._early:
            raise KeyboardInterrupt
        self.stop = stop


def _say(text: str) -> None:
    # Not through sys.stderr: the signal may have come in the middle of a write to it.
    # A stderr that is closed, or that nobody reads any more, is no reason not to end.
    if sys.__stderr__ is not None:
        with suppress(OSError):
            os.write(sys.__stderr__.fileno(), f"{text}\n".encode())
