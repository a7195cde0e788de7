"""``loadtest worker``: this machine sends for a run that another machine leads."""

from __future__ import annotations

import click

from loadtest.cli.options import option

EXAMPLES = """\b
Example:
  loadtest run my.toml --target wss://chat.example/ws --workers 2 --bind 10.0.0.1:5557     the one machine
  loadtest worker --master 10.0.0.1:5557                                                   two others
"""


@click.command(epilog=EXAMPLES)
@option("--master", metavar="HOST:PORT", required=True, help="Where `loadtest run --workers` waits.")
def command(master: str) -> int:
    """Join a distributed run as a worker.

    Sends its share of the load, and ends with the run.
    """
    from loadtest.run import work

    return work(master)
