"""A codec of somebody else's, of which no call may hold up the process: a limit of CPU time for each.

The limit is of CPU time, so that a busy machine makes no codec slow. Where the system
has no such timer, or codecs do not run in the main thread, there is no limit.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from typing_extensions import override

from loadtest.speak.codec.codec import BrokenStreamError, Codec, Frame
from loadtest.speak.codec.coded_frames import MAX_MESSAGES
from loadtest.speak.codec.factory import NamedCodec

MAX_S = 2.0
"""CPU time that a codec may take for one frame, or one message."""


class GuardedCodec(Codec):
    """Does what the codec does, in limited time."""

    def __init__(self, codec: Any, most_s: float = MAX_S) -> None:
        super().__init__()
        self._codec = codec
        self._most_s = most_s
        self.takes_text = getattr(codec, "takes_text", False) is True
        self.user_mark = getattr(codec, "user_mark", None)

    @override
    def decode(self, frame: Frame) -> Iterator[Any]:
        made: list[Any] = []
        failed: Exception | None = None
        try:
            with _limited(self._most_s):
                for each in self._codec.decode(frame):
                    made.append(each)
                    if len(made) > MAX_MESSAGES:
                        break
        except Exception as error:
            failed = error
        yield from made
        if failed is not None:
            raise failed
        replies = getattr(self._codec, "replies", None)
        if replies:
            self.replies, self._codec.replies = replies, []
        self.held = getattr(self._codec, "held", 0)

    @override
    def encode(self, message: Any) -> Any:
        with _limited(self._most_s):
            return self._codec.encode(message)


def guarded(codec: NamedCodec | None) -> NamedCodec | None:
    """A codec with a limit, if it is somebody else's and this system can limit it."""
    limits = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if codec is None or codec.ships or not limits:
        return codec
    make = codec.make
    return replace(codec, make=lambda: GuardedCodec(make()))


@contextmanager
def _limited(most_s: float) -> Iterator[None]:
    def over(_signal: int, _frame: object) -> None:
        raise BrokenStreamError(f"needed more than {most_s:g} s of CPU time for one frame")

    before = signal.signal(signal.SIGVTALRM, over)
    # Again after that long: what is raised may be caught by the codec itself.
    signal.setitimer(signal.ITIMER_VIRTUAL, most_s, most_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
