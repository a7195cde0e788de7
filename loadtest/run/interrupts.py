"""Signals that end a run: the first ends it early and keeps it, a later one skips the report."""

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

from loadtest.errors import END_SIGNALS, PATIENCE_S

ALWAYS = frozenset({signal.SIGINT, signal.SIGTERM})
"""End a run also where they were ignored before, as a shell without job control has it done."""


class Interrupts:
    """Handles signals from the creation of the run's folder to its last report.

    The first signal raises KeyboardInterrupt before the run (``stop`` is not set), ends the run while it
    goes, and is only answered while the report is written. One that comes more than a second after the
    first ends the process with 130, and says where the measurements are kept. ``caught``: the run was ended
    early; ``by``: by what, if not by a signal; ``too_late``: the first signal came when only the report was
    left. ``waiting`` is set when all is done and only a page stays open: a signal calls it, and changes
    nothing else.
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
        self.waiting: Callable[[], object] | None = None
        self._early = False
        self._folder = folder
        self._clock = clock
        self._leave = leave
        self._first_s: float | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        # An interrupt in gevent's loop is passed to the main greenlet, and needs no traceback.
        hub = gevent.get_hub()
        hub.NOT_ERROR = tuple({*hub.NOT_ERROR, KeyboardInterrupt})
        for number in END_SIGNALS:
            if number not in ALWAYS and signal.getsignal(number) is signal.SIG_IGN:
                # Under nohup a run goes on when its terminal is closed.
                continue
            self._before[number] = signal.signal(number, self.signalled)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # it is what signal() gave us

    @property
    def signalled_already(self) -> bool:
        """Whether a signal came."""
        return self._first_s is not None

    def signalled(self, _number: int, _frame: FrameType | None) -> None:
        """A signal came; through Python, not the loop: it must act even if the loop is blocked."""
        now = self._clock()
        if self._first_s is None:
            self._first_s = now
            self._first()
        elif now - self._first_s >= PATIENCE_S:
            _write(f"loadtest: interrupted; the results until now are stored in {self._folder}")
            self._leave(130)

    def end_early(self, by: str) -> None:
        """End the run early for another cause than a signal; no effect once it has ended."""
        if self.stop is not None and not self.reporting and not self.caught:
            self.caught, self.by = True, by
            _write(f"loadtest: ending the run early: stopped on {by}")
            self.stop()

    def _first(self) -> None:
        if self.waiting is not None:
            self.waiting()
        elif self.stop is not None and not self.reporting:
            self.caught = True
            _write("loadtest: ending the run early; interrupt again to end without a report")
            self.stop()
        elif self.reporting:
            self.too_late = True
            _write("loadtest: writing the report; interrupt again to end without a report")
        else:
            self._early = True
            raise KeyboardInterrupt

    def begin(self, stop: Callable[[], object]) -> None:
        """The run begins now; ``stop`` ends it early.

        Raises:
            KeyboardInterrupt: a signal came before, and its exception was lost (in a finaliser).
        """
        if self._early:
            raise KeyboardInterrupt
        self.stop = stop


def _write(text: str) -> None:
    # Not through sys.stderr: the signal may have interrupted a write to it. A closed stderr must not keep us
    # from ending.
    if sys.__stderr__ is not None:
        with suppress(OSError):
            os.write(sys.__stderr__.fileno(), f"{text}\n".encode())
