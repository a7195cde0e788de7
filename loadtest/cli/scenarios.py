"""``loadtest scenarios``: those that ship, and the policies beside them."""

from __future__ import annotations

import click

from loadtest.cli.shared_options import ShippedName, option
from loadtest.cli.shipped import show_shipped

EXAMPLES = """\b
Examples:
  loadtest scenarios
  loadtest scenarios --show agent-burst > mine.toml
  loadtest scenarios --show ready > policy.toml      a policy, for loadtest ready and watch
"""


@click.command(epilog=EXAMPLES)
@option("--show", metavar="NAME", type=ShippedName("scenario"), help="Print the TOML of one.")
def command(show: str | None) -> None:
    """List the shipped scenarios with their questions, and the policies for `loadtest ready`."""
    show_shipped("scenario", show)
