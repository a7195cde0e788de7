"""``loadtest watch``: the GO / NO-GO report again and again, with alerts."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.shared_options import (
    Settings,
    ShippedName,
    WholeNumber,
    option,
    results_option,
    target_option,
)
from loadtest.errors import ConfigError, Exit, Problem
from loadtest.stdio import reader_left

if TYPE_CHECKING:
    from loadtest.live.reload import Reload
    from loadtest.live.watch import Watch
    from loadtest.readiness.assessment import Assessment
    from loadtest.readiness.policy import Policy

LONGEST_SLEEP_S = 1.0

NOTES = 5
"""So many of the last messages and remedies stand below the dashboard."""

EXAMPLES = """\b
Examples:
  loadtest watch my-policy.toml
  loadtest watch my-policy.toml --serve 8790       and a page on http://127.0.0.1:8790/
  loadtest watch my-policy.toml --rounds 1         once, for cron
  loadtest watch silence my-policy.toml cache --for 2h --why "new disk"
  loadtest watch acknowledge my-policy.toml backend
"""


class _Watch(click.Command):
    """The watch, with commands that speak to one that runs; a policy may have any other name."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click does, but of the command that the first word names."""
        from loadtest.cli.silence import SUBCOMMANDS

        if args and args[0] in SUBCOMMANDS:
            command, name = SUBCOMMANDS[args[0]], f"{info_name} {args[0]}"
            prefix = None if parent is None else parent.auto_envvar_prefix
            if prefix is not None:
                # click would take the name with its space.
                extra["auto_envvar_prefix"] = f"{prefix}_{name}".upper().replace(" ", "_")
            return command.make_context(name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(epilog=EXAMPLES, cls=_Watch)
@click.argument("policy", default="ready", type=ShippedName("policy"))
@option(
    "--serve",
    metavar="[HOST:]PORT",
    help="Serve a page that refreshes itself; on loopback unless HOST is given.",
)
@option(
    "--rounds",
    metavar="N",
    type=WholeNumber(),
    help="Stop after N assessments and exit with the last verdict.",
)
@option(
    "--remedy",
    is_flag=True,
    help="Run the policy's remedies, except dry runs; without this option they are only reported.",
)
@target_option
@option("--release", metavar="LABEL", help="The release to judge: a label or a commit.")
@option("--set", "sets", metavar="KEY=VALUE", type=Settings(), multiple=True, envvar="LOADTEST_WATCH_SET",
        help="Replace one key of the policy; repeatable (in the variable: one per line).")  # fmt: skip
@option("--quiet", is_flag=True, help="Print changes only.")
@results_option("WATCH")
def command(policy: str, **options: Any) -> int:
    """Probe the components of POLICY at its intervals and send alerts on its routes, until Ctrl-C.

    The state of alerts is on disk: a watch that is restarted neither loses nor repeats an alert. It reads
    a changed policy again without a restart, and also at SIGHUP.
    """
    from loadtest.live.notifiers import unusable_routes
    from loadtest.live.reload import Reload
    from loadtest.live.watch import Watch
    from loadtest.live.watch_state import only_one
    from loadtest.readiness.history import History
    from loadtest.readiness.policy_file import load_policy

    def load() -> Policy:
        return load_policy(policy, options["sets"], options["target"], options["release"])

    read = load()
    if unset := unusable_routes(read, os.environ):
        raise ConfigError(unset)
    results = Path(options["results"])
    with only_one(History.of(results, read.name).folder):
        watch = Watch(read, results, act=options["remedy"])
        if options["rounds"]:
            # Its verdict is of all components, however slow one is.
            watch.first_s = inf
        with _serving(options["serve"], watch), _screen(watch, quiet=options["quiet"]) as show:
            return _rounds(watch, options["rounds"], show, Reload(read.path, load))


def _rounds(watch: Watch, most: int | None, show: Callable[[Assessment], None], reload: Reload) -> int:
    done = 0
    while most is None or done < most:
        reload.look(watch)
        found = watch.round()
        if found is not None:
            done += 1
            show(found)
        if most is None and reader_left(sys.stdout):
            # It says what changes until Ctrl-C: with nobody before it, that is now.
            break
        if most is None or done < most:
            time.sleep(max(0.01, min(LONGEST_SLEEP_S, watch.pause_s())))
    watch.finish()
    return watch.latest.exit_code if watch.latest else Exit.INVALID


@contextmanager
def _serving(where: str | None, watch: Watch) -> Iterator[None]:
    if where is None:
        yield
        return
    from loadtest.live.status_page import StatusPage

    page = StatusPage(*_address(where), watch.shown)
    click.echo(f"status page {page.url}", err=True)
    try:
        yield
    finally:
        page.close()


def _address(where: str) -> tuple[str, int]:
    host, _, port = where.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ConfigError([Problem("--serve", f"`{where}` is not a port; write for example --serve 8790")])
    return host.strip("[]") or "127.0.0.1", int(port)


@contextmanager
def _screen(watch: Watch, *, quiet: bool) -> Iterator[Callable[[Assessment], None]]:
    """A dashboard on a terminal; elsewhere a line whenever something changes."""
    from rich.console import Console

    console = Console(file=sys.stdout)
    if quiet or not console.is_terminal:
        watch.said = click.echo
        yield _Lines()
        return
    from rich.live import Live
    from rich.text import Text

    from loadtest.readiness.views.dashboard import dashboard

    notes: deque[str] = deque(maxlen=NOTES)
    watch.said = notes.append
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def show(found: Assessment) -> None:
            drawn = dashboard(
                found, notes, width=console.width, height=console.height - 1, colour=not console.no_color
            )
            live.update(Text.from_ansi(drawn, no_wrap=True), refresh=True)

        yield show


class _Lines:
    """One line per change of the verdict or of a part."""

    def __init__(self) -> None:
        self.before: tuple[str, ...] = ()

    def __call__(self, found: Assessment) -> None:
        from loadtest.readiness.views.page_model import instant

        parts = tuple(f"{row.name} {row.status}" for row in found.components)
        if (found.verdict, *parts) != self.before:
            self.before = (found.verdict, *parts)
            click.echo(f"{instant(found.at)} {found.verdict}: {', '.join(parts)}")
