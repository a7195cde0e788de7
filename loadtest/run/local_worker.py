"""A worker process that a run starts on this machine: ``python -m loadtest.run.local_worker HOST:PORT``."""

from __future__ import annotations

import os
import sys

from loadtest.errors import LoadtestError
from loadtest.run.worker import work
from loadtest.stdio import let_readers_leave


def _key() -> str:
    """The first line of standard input, byte for byte, so that nothing is read beyond it."""
    line = bytearray()
    while (byte := os.read(sys.stdin.fileno(), 1)) not in {b"", b"\n"}:
        line += byte
    return line.decode()


def main() -> int:
    """Work for the master named on the command line; its end is this process's end."""
    let_readers_leave()
    try:
        # The key comes first over the pipe that is our life line: a command line is seen by all.
        return work(sys.argv[1], _key(), child=True)
    except LoadtestError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
