"""``loadtest suite``: many scenarios, one summary, one exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.shared_options import ShippedName, Time, WholeNumber, option, plan_options, results_option
from loadtest.errors import ConfigError, Problem

if TYPE_CHECKING:
    from loadtest.judge.suite import Suite

EXAMPLES = """\b
Examples:
  loadtest suite agent-burst echo-steady
  loadtest suite scenarios/ --label v1.4.0 --target ws://staging:8000/ws --repeat 5
  loadtest suite scenarios/ --label nightly --budget 30m --summary "$GITHUB_STEP_SUMMARY" --output public/
"""


@click.command(epilog=EXAMPLES)
@click.argument("scenarios", nargs=-1, required=True, type=ShippedName("scenario"))
@plan_options("SUITE")
@option("--label", metavar="TEXT", help="A name for all runs, such as a version: letters, digits, . _ -")
@option("--repeat", metavar="N", type=WholeNumber(), default=1, help="Go through the list N times.")
@option(
    "--budget", metavar="TIME", type=Time(), help="Skip runs that would end after this time, such as 30m."
)
@option("--processes", metavar="N", type=WholeNumber(), default=1, help="Local load-generator processes.")
@option(
    "--summary",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the summary as Markdown to FILE.",
)
@option("--output", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
        help="Where to write the summary; default: beside the runs.")  # fmt: skip
@option("--insecure", is_flag=True, help="Do not verify the target's certificate; every report will say so.")
@results_option("SUITE")
def command(scenarios: tuple[str, ...], **options: Any) -> int:
    """Run SCENARIOS (folders, files, shipped names) one after another, and print one summary.

    loadtest checks all scenarios before the first run. A scenario that does not fit into the budget is listed
    and counts as not passed. The exit code is the worst, in this order: 70, 130, 2, 1, 3, 4, 0.
    """
    from loadtest.run.options import RunOptions
    from loadtest.run.suite import SuiteOptions, run_suite
    from loadtest.show.render.markdown import markdown
    from loadtest.show.suite import document

    own = {name: options.pop(name) for name in ("repeat", "budget", "summary", "output")}
    each = RunOptions(**options)
    _check_places(own["output"], own["summary"])
    suite = run_suite(SuiteOptions(refs=scenarios, each=each, repeat=own["repeat"], budget_ns=own["budget"]))
    try:
        _keep(suite, own["output"], Path(each.results_folder))
        if own["summary"] is not None:
            _write(own["summary"], markdown([document(suite)]))
    finally:
        _show(suite)
    return suite.exit_code


def _check_places(output: Path | None, summary: Path | None) -> None:
    """Report mistakes now rather than after an hour of runs.

    Raises:
        ConfigError: what is to be written could not be.
    """
    try:
        for folder in (output, summary.parent if summary else None):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        if summary is not None:
            summary.open("a", encoding="utf-8").close()
    except OSError as error:
        sentence = f"the file {error.filename} cannot be written: {error.strerror}"
        raise ConfigError([Problem("--output, --summary", sentence)]) from None


def _show(suite: Suite) -> None:
    from loadtest.show.render.terminal import show
    from loadtest.show.suite import document

    click.echo()
    show([document(suite)], sys.stdout)


def _keep(suite: Suite, output: Path | None, results: Path) -> None:
    """Write every view, and say where."""
    from datetime import datetime

    from loadtest.keep.folder import folder_name, make_folder
    from loadtest.show.suite import files

    if output is None:
        name = folder_name("suite", suite.label, datetime.fromisoformat(suite.started))
        output = make_folder(results, name)
    for name, text in files(suite).items():
        _write(output / name, text)
    click.echo(f"wrote {output}")


def _write(path: Path, text: str) -> None:
    from loadtest.keep.atomic import write_whole

    try:
        write_whole(path, text)
    except OSError as error:
        raise ConfigError(
            [
                Problem(
                    "--output",
                    f"the file {path} cannot be written: {error.strerror}",
                )
            ]
        ) from None
