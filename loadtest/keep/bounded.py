"""Files of a run in memory: whole, or line by line, and never more of them than a run could have written.

A file of others may claim more bytes than there is memory, and take no room on their disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from loadtest.units import MIB

LONGEST_LINE = 64 * MIB
"""The longest lines that we write say which of a million connections became ready in a second: 30 MB."""


def read_whole(path: Path, most: int) -> bytes:
    """What a file holds.

    Raises:
        ValueError: it is larger than ``most`` bytes.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise ValueError(f"the file is larger than {most:,} bytes, the most that loadtest reads of it")
    return found


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, each with its end; the last one may have none.

    Raises:
        ValueError: one is longer than ``LONGEST_LINE``.
    """
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise ValueError(
                f"line {number} is longer than {LONGEST_LINE:,} bytes, the most that loadtest reads"
            )
        yield line
