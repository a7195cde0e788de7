"""``loadtest ready``: the GO / NO-GO report of a whole system."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.options import Formats, Settings, ShippedName, option, results_option, target_option
from loadtest.cli.shipped import show_shipped
from loadtest.cli.writing import put
from loadtest.errors import ConfigError, Exit, Problem

if TYPE_CHECKING:
    from loadtest.readiness.assessment import Assessment
    from loadtest.readiness.policy import Policy

FORMATS = ("terminal", "html", "markdown", "json", "csv", "junit", "pdf")

EXAMPLES = """\b
Examples:
  loadtest ready                              asks what listens on port 8765 (loadtest simulator --port 8765)
  loadtest ready --target ws://localhost:8000/ws
  loadtest ready --show ready > my-policy.toml
  loadtest ready my-policy.toml
  loadtest ready my-policy.toml --since LAST --format html,pdf --output public/
  loadtest ready my-policy.toml --verify-rollback
"""


@click.command(epilog=EXAMPLES)
@click.argument("policy", default="ready", type=ShippedName("policy"))
@option("--since", metavar="ID", help="Show what changed since an assessment, such as LAST.")
@option("--format", metavar="NAME,...", type=Formats(FORMATS), default="terminal",
        help=f"{', '.join(FORMATS)}; several with commas.")  # fmt: skip
@option("--output", metavar="PATH", type=click.Path(path_type=Path), help="A file, or a folder for several.")
@target_option
@option("--set", "sets", metavar="KEY=VALUE", type=Settings(), multiple=True, envvar="LOADTEST_READY_SET",
        help="Replace one key of the policy; repeatable (variable: one per line).")  # fmt: skip
@option("--show", metavar="NAME", type=ShippedName("policy"), help="Print the TOML of a policy that ships.")
@option("--verify-rollback", is_flag=True, help="Run the check of the rollback command, not the rollback.")
@option("--rollback", is_flag=True, help="Run the policy's rollback command if the verdict is NO-GO.")
@option("--quiet", is_flag=True, help="Print only the verdict and where the report is.")
@results_option("READY")
def command(policy: str, **options: Any) -> int:
    """Probe every component that POLICY (a shipped name or a TOML file) names, and judge the whole system.

    The exit code is the verdict: 0 GO, 1 NO-GO, 4 INCONCLUSIVE.
    """
    if options["show"] is not None:
        show_shipped("policy", options["show"])
        return Exit.PASS
    from loadtest.readiness.policy_file import load_policy
    from loadtest.readiness.ready import ReadyOptions, ready

    if len(options["format"]) > 1 and options["output"] is None:
        raise ConfigError([Problem("--format", "several formats need --output FOLDER")])
    read = load_policy(policy, options["sets"], options["target"])
    asked = ReadyOptions(
        results=Path(options["results"]), since=options["since"], verify_rollback=options["verify_rollback"]
    )
    found, folder = ready(read, asked)
    _show(found, folder, options)
    if found.verdict == "NO-GO" and read.rollback is not None:
        _roll_back(read, run_it=options["rollback"])
    return found.exit_code


def _show(found: Assessment, folder: Path, options: dict[str, Any]) -> None:
    from loadtest.readiness.views.every import FILES, view

    report = folder / FILES["html"]
    told = f"{found.verdict} {found.id}: {found.why}\n{report}"
    shown = (lambda: click.echo(told)) if options["quiet"] else (lambda: _screen(found, report))
    put(lambda form: _text(view(found, form), form), FILES, options, shown)
    if options["output"] is not None:
        click.echo(told)


def _text(view: bytes, form: str) -> str | bytes:
    return view if form == "pdf" else view.decode()


def _screen(found: Assessment, report: Path) -> None:
    from rich.console import Console

    from loadtest.readiness.views.telling import tell
    from loadtest.readiness.views.text import text
    from loadtest.show.render.terminal import takes_unicode

    console = Console(file=sys.stdout)
    colour = console.is_terminal and not console.no_color
    ascii_only = not takes_unicode(sys.stdout)
    sys.stdout.write(text(tell(found), width=console.width, colour=colour, ascii_only=ascii_only))
    click.echo(f"\nReport  {report}")


def _roll_back(policy: Policy, *, run_it: bool) -> None:
    """Say the rollback command; run it only when told to."""
    from loadtest.readiness.ready import run_rollback, shown_command

    assert policy.rollback is not None  # noqa: S101 - the caller has asked
    shown = shown_command(policy, policy.rollback.command)
    if not run_it:
        click.echo(f"rollback, not run (--rollback runs it): {shown}", err=True)
        return
    click.echo(f"rolling back: {shown}", err=True)
    said, _ = run_rollback(policy, policy.rollback.command)
    click.echo(f"rollback: {said}", err=True)
