"""``loadtest ready``: the GO / NO-GO report of a whole system."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.output_files import put
from loadtest.cli.shared_options import (
    Formats,
    Output,
    Settings,
    ShippedName,
    option,
    results_option,
    target_option,
)
from loadtest.cli.shipped import show_shipped
from loadtest.errors import ConfigError, Exit, Problem

if TYPE_CHECKING:
    from loadtest.readiness.assessment import Assessment
    from loadtest.readiness.policy import Policy

FORMATS = ("terminal", "html", "markdown", "json", "csv", "junit", "pdf", "badge")

EXAMPLES = """\b
Examples:
  loadtest ready                              probes port 8765 (loadtest simulator --port 8765)
  loadtest ready --target ws://localhost:8000/ws
  loadtest ready --show ready > my-policy.toml
  loadtest ready my-policy.toml
  loadtest ready my-policy.toml --since LAST --format html,pdf --output public/
  loadtest ready my-policy.toml --verify-rollback
"""


@click.command(epilog=EXAMPLES)
@click.argument("policy", default="ready", type=ShippedName("policy"))
@option("--since", metavar="ID", help="Show what changed since the assessment ID, such as LAST.")
@option("--format", metavar="NAME,...", type=Formats(FORMATS), default="terminal",
        help=f"{', '.join(FORMATS)}; several with commas.")  # fmt: skip
@option("--output", metavar="PATH", type=Output(),
        help="A file, or a folder for several formats; a path that ends in / is a folder.")  # fmt: skip
@target_option
@option("--release", metavar="LABEL", help="The release to judge: a label or a commit.")
@option("--set", "sets", metavar="KEY=VALUE", type=Settings(), multiple=True, envvar="LOADTEST_READY_SET",
        help="Replace one key of the policy; repeatable (in the variable: one per line).")  # fmt: skip
@option("--show", metavar="NAME", type=ShippedName("policy"), help="Print the TOML of a shipped policy.")
@option("--verify-rollback", is_flag=True, help="Check the rollback command without running the rollback.")
@option("--rollback", is_flag=True,
        help="Run the policy's rollback if a rule calls for it, then assess again.")  # fmt: skip
@option("--force-rollback", is_flag=True, help="Run the rollback whatever the rules say, then assess again.")
@option("--quiet", is_flag=True, help="Print only the verdict and the path of the report.")
@results_option("READY")
def command(policy: str, **options: Any) -> int:
    """Probe every component that POLICY (a shipped name or a TOML file) names, and judge the whole system.

    The exit code is the verdict: 0 GO, 1 NO-GO, 4 INCONCLUSIVE.
    """
    if options["show"] is not None:
        show_shipped("policy", options["show"])
        return Exit.PASS
    from loadtest.live.monitoring import monitoring_on_disk
    from loadtest.readiness.history import History
    from loadtest.readiness.policy_file import load_policy
    from loadtest.readiness.ready import ReadyOptions, ready, roll_back, wants_rollback

    if len(options["format"]) > 1 and options["output"] is None:
        raise ConfigError([Problem("--format", "several formats need --output FOLDER")])
    read = load_policy(policy, options["sets"], options["target"], options["release"])
    if options["force_rollback"] and read.rollback is None:
        raise ConfigError([Problem("--force-rollback", "the policy has no [rollback] with a `command`")])
    results = Path(options["results"])
    asked = ReadyOptions(
        results=results, since=options["since"], verify_rollback=options["verify_rollback"],
        formats=tuple(each for each in options["format"] if each != "terminal"),
        monitoring=monitoring_on_disk(read, History.of(results, read.name).folder, time.time()),
    )  # fmt: skip
    found, folder = ready(read, asked)
    _show(found, folder, options)
    pulled = wants_rollback(found)
    if read.rollback is None or not (options["force_rollback"] or (options["rollback"] and pulled)):
        _say_rollback(read, found, pulled=pulled)
        return found.exit_code
    click.echo(f"rolling back: {shown_rollback(read)}", err=True)
    after, folder = roll_back(read, asked, found)
    _show(after, folder, options)
    # What runs after a rollback may be well: the release that was asked about is not.
    return after.exit_code or Exit.FAIL


def _show(found: Assessment, folder: Path | None, options: dict[str, Any]) -> None:
    from loadtest.readiness.views.formats import FILES, view

    report = str(folder / FILES["html"]) if folder else f"not stored: {(found.changes or ('',))[-1]}"
    told = f"{found.verdict} {found.id}: {found.why}\n{report}"
    shown = (lambda: click.echo(told)) if options["quiet"] else (lambda: _screen(found, report))
    put(lambda form: _text(view(found, form), form), FILES, options, shown)
    if options["output"] is not None:
        click.echo(told)


def _text(view: bytes, form: str) -> str | bytes:
    return view if form == "pdf" else view.decode()


def _screen(found: Assessment, report: str) -> None:
    from loadtest.readiness.views.page_model import build_page
    from loadtest.show.render.terminal import show

    show([build_page(found)], where=report)


def shown_rollback(policy: Policy) -> str:
    """The rollback command as a shell writes it, without secrets."""
    from loadtest.readiness.ready import shown_command

    return shown_command(policy, policy.rollback.command) if policy.rollback else ""


def _say_rollback(policy: Policy, found: Assessment, *, pulled: bool) -> None:
    """Say the rollback command at a NO-GO, and what would run it."""
    if policy.rollback is None or found.verdict != "NO-GO":
        return
    how = (
        "to run it, add --rollback"
        if pulled
        else "no rule calls for it; to run it anyway, add --force-rollback"
    )
    click.echo(f"rollback, not run ({how}): {shown_rollback(policy)}", err=True)
