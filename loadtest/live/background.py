"""Calls that may take long, in threads of their own: a receiver or a remedy that hangs holds up no probe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

AT_ONCE_S = 0.5
"""What ends within this time is over when ``begin`` returns, so that what follows it comes after it."""

Done = Callable[[str, Exception | None], None]
"""Takes what the call returned, or why it did not; called in the thread that begins and settles."""


@dataclass(slots=True)
class _Going:
    done: Done
    thread: threading.Thread = field(init=False)
    said: str = ""
    error: BaseException | None = None

    def run(self, call: Callable[[], str]) -> None:
        """Keep what the call returns or raises."""
        try:
            self.said = call()
        except BaseException as error:  # it is raised where the call was begun
            self.error = error


class Background:
    """Calls that go on, at most one of each name."""

    def __init__(self, at_once_s: float = AT_ONCE_S) -> None:
        self.at_once_s = at_once_s
        self._going: dict[str, _Going] = {}

    @property
    def busy(self) -> frozenset[str]:
        """Names of calls that are not settled yet."""
        return frozenset(self._going)

    def begin(self, name: str, call: Callable[[], str], done: Done, wait_s: float | None = None) -> None:
        """Begin a call under a name that is not busy; settle it if it ends within ``wait_s``, or at once."""
        going = self._going[name] = _Going(done)
        going.thread = threading.Thread(target=going.run, args=(call,), name=name, daemon=True)
        going.thread.start()
        going.thread.join(self.at_once_s if wait_s is None else wait_s)
        self._settle(name)

    def settle(self) -> None:
        """Tell of every call that has ended since; does not wait."""
        for name in list(self._going):
            self._settle(name)

    def finish(self, within_s: float) -> None:
        """Wait for what goes on, so long at most, and settle it."""
        until = time.monotonic() + within_s
        for name, going in list(self._going.items()):
            going.thread.join(max(0.0, until - time.monotonic()))
            self._settle(name)

    def _settle(self, name: str) -> None:
        going = self._going[name]
        if going.thread.is_alive():
            return
        del self._going[name]
        if going.error is not None and not isinstance(going.error, Exception):
            raise going.error
        going.done(going.said, going.error)
