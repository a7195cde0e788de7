"""``loadtest watch silence`` and ``loadtest watch acknowledge``: what a running watch need not tell."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.shared_options import ShippedName, Time, option, results_option
from loadtest.errors import ConfigError, Exit, Problem

if TYPE_CHECKING:
    from loadtest.live.silences import SilenceKind

LONG_NS = 7 * 86_400_000_000_000

LONGEST_DAYS = 90
"""Of a silence: whoever wants none for longer takes the component out of the policy."""


@click.command()
@click.argument("policy", type=ShippedName("policy"))
@click.argument("parts", metavar="COMPONENT...", nargs=-1, required=True)
@option("--for", "for_ns", metavar="TIME", type=Time(), default="1h", show_default=True,
        help="How long to send no alerts.")  # fmt: skip
@option("--by", metavar="NAME", help="Who silences the alerts; default: the user of this system.")
@option("--why", metavar="TEXT", default="", help="A reason, printed beside it.")
@results_option("WATCH")
def silence(policy: str, **options: Any) -> int:
    """Send no alerts about COMPONENT (a name, or a pattern such as "*") of POLICY for a time.

    If an incident is still open when the time is over, the watch alerts then.
    """
    return _add("silence", policy, options, options["for_ns"])


@click.command()
@click.argument("policy", type=ShippedName("policy"))
@click.argument("parts", metavar="COMPONENT...", nargs=-1, required=True)
@option("--by", metavar="NAME", help="Who works on the component; default: the user of this system.")
@option("--why", metavar="TEXT", default="", help="A remark, printed beside it.")
@results_option("WATCH")
def acknowledge(policy: str, **options: Any) -> int:
    """Say that somebody works on the incidents of COMPONENT: no more reminders and no escalation of them."""
    return _add("acknowledgement", policy, options, LONG_NS)


def _add(kind: SilenceKind, policy: str, options: dict[str, Any], for_ns: int) -> int:
    from loadtest.live.silences import Silence, add_silence
    from loadtest.readiness.history import History
    from loadtest.readiness.policy_file import load_policy
    from loadtest.readiness.views.page_model import instant

    read = load_policy(policy)
    if for_ns > LONGEST_DAYS * 86_400 * 10**9:
        raise ConfigError([Problem("--for", f"is more than {LONGEST_DAYS} days, the maximum")])
    known = {each.name for each in read.components}
    for part in options["parts"]:
        if not set("*?[") & set(part) and part not in known:
            raise ConfigError([Problem("COMPONENT", f"the policy {read.name} has no component `{part}`")])
    now = time.time()
    by = options["by"] or getpass.getuser()
    until = now + for_ns / 1e9
    folder = History.of(Path(options["results"]), read.name).folder
    add_silence(folder, Silence(kind, options["parts"], now, until, by, options["why"]), now)
    click.echo(f"alert {kind} for {', '.join(options['parts'])} until {instant(until)} by {by}")
    return Exit.PASS


SUBCOMMANDS = {"silence": silence, "acknowledge": acknowledge}
