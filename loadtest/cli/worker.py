"""``loadtest worker``: this machine sends for a run that another machine leads."""

from __future__ import annotations

import click

from loadtest.cli.shared_options import option

EXAMPLES = """\b
Example:
  export WORKERS_KEY=...                                             on all three: 16 characters or more
  loadtest run my.toml --workers 2 --bind 10.0.0.1:5557 --key-env WORKERS_KEY         the one machine
  loadtest worker --master 10.0.0.1:5557 --key-env WORKERS_KEY                        two others
"""


@click.command(epilog=EXAMPLES)
@option(
    "--master",
    metavar="HOST:PORT",
    required=True,
    help="The address where `loadtest run --workers` waits.",
)
@option("--key-env", metavar="NAME", help="The environment variable that holds the master's key.")
def command(master: str, key_env: str | None) -> int:
    """Join a distributed run as a worker.

    The worker sends its share of the load and ends with the run.
    """
    from loadtest.run import work

    return work(master, key_env)
