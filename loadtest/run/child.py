"""A worker process that a run starts on its own machine: ``python -m loadtest.run.child HOST:PORT``."""

from __future__ import annotations

import sys

from loadtest.errors import LoadtestError
from loadtest.run.worker import work
from loadtest.streams import let_readers_leave


def main() -> int:
    """Work for the master named on the command line; its end is this process's end."""
    let_readers_leave()
    try:
        return work(sys.argv[1], child=True)
    except LoadtestError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
