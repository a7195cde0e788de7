"""Files that are replaced whole: a reader finds the old one or the new one, also after a loss of power."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write, beside ``path``, that takes its place in one step once it is on the disk.

    Where ``path`` is a link, what it leads to is replaced. Nothing is left of a file that failed.

    Raises:
        OSError: it cannot be written; what was there before is there still.
    """
    path = path.resolve()
    beside = path.with_name(f"{path.name}.new")
    try:
        yield beside
        # Without it a crash soon after may leave the new name with no content.
        with beside.open("r+b") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        # A full disk has better use for the room.
        with suppress(OSError):
            beside.unlink()
        raise


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole, or not at all; text as UTF-8 with its line ends as they are.

    Raises:
        OSError: it cannot be written; what was there before is there still.
    """
    with replacing(path) as beside:
        beside.write_bytes(content if isinstance(content, bytes) else content.encode())
