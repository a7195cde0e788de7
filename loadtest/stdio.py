"""stdout and stderr whose reader may leave (``loadtest run agent-burst | head -1``).

A verdict does not depend on who reads it: what is written to a reader that left goes nowhere, and the command
goes on to its own end and exit code.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO


class Forgiving(io.FileIO):
    """A file descriptor that takes everything; what the system refuses as ``forgiven`` goes nowhere."""

    def __init__(self, descriptor: int, name: str, forgiven: Callable[[OSError], bool]) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.name = name
        self.left = False
        self._forgiven = forgiven

    def write(self, data: Any, /) -> int:
        """As a file does; once the reader has left, the descriptor itself leads nowhere."""
        try:
            return super().write(data)
        except OSError as error:
            if not self._forgiven(error):
                raise
            self.left = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return memoryview(data).nbytes


def let_readers_leave() -> None:
    """Make this process's stdout and stderr such streams; others that stand in for them stay as they are.

    A stdout that cannot be written for another reason, such as a full disk, still raises: nobody could read
    the verdict. A stderr that takes nothing has nobody to tell so.
    """
    sys.stdout = _forgiving(sys.stdout, sys.__stdout__, lambda error: error.errno == errno.EPIPE)
    sys.stderr = _forgiving(sys.stderr, sys.__stderr__, lambda _error: True)


def _forgiving(stream: TextIO, own: TextIO | None, forgiven: Callable[[OSError], bool]) -> TextIO:
    if stream is not own or not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    raw = Forgiving(stream.fileno(), stream.name, forgiven)
    unbuffered = isinstance(stream.buffer, io.RawIOBase)
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=unbuffered,
    )


def reader_left(stream: TextIO) -> bool:
    """Whether the reader of a stream was found to have left."""
    buffer = getattr(stream, "buffer", None)
    return bool(getattr(getattr(buffer, "raw", buffer), "left", False))
