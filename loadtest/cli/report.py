"""``loadtest report``: a stored run, again, whole or in part."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.output_files import put
from loadtest.cli.shared_options import Settings, Stored, Time, option, results_option, view_options
from loadtest.errors import ConfigError, Exit, Problem
from loadtest.units import NS_PER_S

if TYPE_CHECKING:
    from loadtest.show.manifest import ReadableRun

FILES = {
    "terminal": "report.txt",
    "html": "report.html",
    "markdown": "report.md",
    "json": "report.json",
    "csv": "report.csv",
    "junit": "junit.xml",
    "prometheus": "metrics.prom",
    "pdf": "report.pdf",
    "svg": "report.svg",
    "png": "report.png",
}
"""What a view is called in a folder."""

EXAMPLES = """\b
Examples:
  loadtest report latest
  loadtest report v1.4.0 --format markdown >> "$GITHUB_STEP_SUMMARY"
  loadtest report latest --format html,junit --output public/
  loadtest report latest --from 30s --to 90s
  loadtest report v1.4.0 --set "thresholds.turn.first_event.p95=< 80ms" --exit-code
"""


@click.command(epilog=EXAMPLES)
@click.argument("run", type=Stored(), default="latest")
@view_options(FILES)
@option(
    "--from",
    metavar="TIME",
    type=Time(),
    help="Leave out everything before this time of the run (warm-up included).",
)
@option(
    "--to",
    metavar="TIME",
    type=Time(),
    help="Leave out everything after this time of the run, such as 90s.",
)
@option(
    "--set",
    "sets",
    metavar="KEY=VALUE",
    type=Settings(),
    multiple=True,
    envvar="LOADTEST_REPORT_SET",
    help='Judge by a different threshold: --set "thresholds.turn.first_event.p95=< 80ms"; repeatable.',
)
@option(
    "--thresholds",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Judge by the [thresholds] of this TOML file, such as a scenario's.",
)
@option("--exit-code", is_flag=True, help="End with the verdict's exit code instead of 0.")
@results_option("REPORT")
def command(run: str, **options: Any) -> int:
    """Show a stored run again, whole or in part, or judged by other thresholds.

    RUN is an id, the beginning of one, a label, a path, or latest.
    """
    from loadtest.show.report_formats import render_any

    shown = _find(run, options)
    put(lambda form: render_any(shown, form), FILES, options, lambda: _show(shown))
    return _code(shown) if options["exit_code"] else Exit.PASS


def _code(shown: ReadableRun) -> int:
    """Return the verdict's exit code; a run that still goes on, or tells none, has none to be believed."""
    running = shown.manifest.get("status") == "running"
    code = shown.manifest["verdict"].get("exit_code")
    return code if code in set(Exit) and not running else Exit.INVALID


def _find(run: str, options: dict[str, Any]) -> ReadableRun:
    """Return the judged run, or the judged part of it.

    Raises:
        ConfigError: there is no such run, nothing of it lies in the part, or a threshold cannot be read.
    """
    from loadtest.cli.skipped_runs import skipped
    from loadtest.cli.thresholds import thresholds_asked
    from loadtest.keep.find import find_run
    from loadtest.keep.read import read_run
    from loadtest.show.rejudging import asked_anew, rejudged
    from loadtest.show.report_formats import judged

    stored = read_run(find_run(Path(options["results"]), run, skipped))
    thresholds = thresholds_asked(stored.manifest, options["sets"], options["thresholds"])
    if options["from"] is not None or options["to"] is not None:
        whole = stored if thresholds is None else asked_anew(stored, thresholds)
        return _part(whole, options["from"], options["to"])
    return judged(stored) if thresholds is None else rejudged(stored, thresholds)


def _part(run: ReadableRun, from_ns: int | None, to_ns: int | None) -> ReadableRun:
    """Return the judged part of a run."""
    from loadtest.show.report_formats import part_of

    last = max((interval.second + 1 for interval in run.intervals(tags=())), default=0)
    first = _whole_second(from_ns, "--from", 0)
    end = _whole_second(to_ns, "--to", last)
    if first >= min(end, last):
        asked = f"from {first} s on" if to_ns is None else f"from {first} s to {end} s"
        sentence = f"the run has no data {asked}; it lasted {last} s, warm-up and drain included"
        raise ConfigError([Problem("--from, --to", sentence)])
    return part_of(run, float(first), float(min(end, last)))


def _whole_second(instant_ns: int | None, option_name: str, otherwise: int) -> int:
    if instant_ns is None:
        return otherwise
    second, rest = divmod(instant_ns, NS_PER_S)
    if rest:
        raise ConfigError(
            [Problem(option_name, "write whole seconds, such as 30s: a run is stored second by second")]
        )
    return second


def _show(shown: ReadableRun) -> None:
    """Print the terminal's view, in colour where stdout is one."""
    from loadtest.keep.folder import REPORT
    from loadtest.show.build_report import build_report
    from loadtest.show.render.terminal import show
    from loadtest.show.run import document

    show([document(build_report(shown.manifest))], sys.stdout, where=str(shown.path / REPORT))
