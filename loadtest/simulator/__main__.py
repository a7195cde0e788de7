"""``python -m loadtest.simulator``: serve in this process, in the foreground."""

from __future__ import annotations

import sys

from loadtest.errors import ConfigError
from loadtest.simulator.options import parse_options
from loadtest.simulator.process import serve_here


def main(arguments: list[str]) -> int:
    """The exit code: 0 when it was stopped, 2 when it was asked for something wrong."""
    try:
        serve_here(parse_options(arguments))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
