"""``loadtest trend``: a scenario over all its stored runs."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.compare_extra import need_compare
from loadtest.cli.output_files import links_from, put
from loadtest.cli.shared_options import ShippedName, WholeNumber, option, results_option, view_options
from loadtest.errors import ConfigError, Problem

if TYPE_CHECKING:
    from loadtest.judge.trend import Trend
    from loadtest.keep.find import StoredRun

FILES = {
    "terminal": "trend.txt",
    "html": "trend.html",
    "markdown": "trend.md",
    "json": "trend.json",
    "svg": "trend.svg",
    "png": "trend.png",
    "pdf": "trend.pdf",
    "otava": "trend.csv",
}
"""What a view is called in a folder."""

PICTURES = ("svg", "png")

EXAMPLES = """\b
Examples:
  loadtest trend agent-burst
  loadtest trend agent-burst --metric turn.first_event.p99 --last 60
  loadtest trend --format markdown >> "$GITHUB_STEP_SUMMARY"
  loadtest trend agent-burst --format html,png --output public/
"""


@click.command(epilog=EXAMPLES)
@click.argument("scenario", required=False, type=ShippedName("scenario"))
@option(
    "--metric",
    metavar="METRIC",
    multiple=True,
    help="A metric that decides the verdict; repeatable, at most 6 times.",
)
@option("--last", metavar="N", type=WholeNumber(), help="Only the N newest runs.")
@option(
    "--machine",
    metavar="ID",
    help="Use the runs of this machine; default: the machine of the newest run.",
)
@option("--exploratory", is_flag=True, help="Also list the metrics that do not decide the verdict.")
@option("--lenient", is_flag=True, help="Exit with 0 instead of 4 if the verdict is cannot tell.")
@view_options(FILES)
@results_option("TREND")
def command(scenario: str | None, **options: Any) -> int:
    """Show the history of SCENARIO (default: every stored scenario), its changes, and the newest run.

    loadtest compares the newest run with 8 or more earlier runs. It finds a change of level 5 runs later.

    Exit codes: 1 the target was down, the newest run or its level is worse, or it misses its own
    threshold; 4 the newest run does not count, or too few earlier runs count; otherwise 0.
    """
    from loadtest.judge.trend import worst
    from loadtest.show.trend import written

    need_compare("trend")
    metrics = _checked(options["metric"])
    stored = _stored(Path(options["results"]), scenario)
    link = links_from(options["output"], {run.id: run.path for runs in stored for run in runs})
    trends = [_trend(runs, metrics, options) for runs in stored]
    if len(trends) > 1 and (picture := next((name for name in PICTURES if name in options["format"]), None)):
        raise ConfigError([Problem("--format", f"{picture} shows one scenario; name a SCENARIO")])
    code = worst(trends)
    listed = options["exploratory"]
    put(
        lambda form: written(trends, form, int(code), exploratory=listed, link=link),
        FILES,
        options,
        lambda: _show(trends, exploratory=listed),
    )
    return int(code)


def _show(trends: Sequence[Trend], *, exploratory: bool) -> None:
    from loadtest.show.render.terminal import show
    from loadtest.show.trend import document

    show(map(document, trends), sys.stdout, whole=exploratory)


def _trend(runs: Sequence[StoredRun], metrics: Sequence[str], options: dict[str, Any]) -> Trend:
    """The trend of the runs of one scenario; only their ``run.json`` is read."""
    from loadtest.judge.history import history
    from loadtest.judge.trend import trend
    from loadtest.keep.baseline import marked
    from loadtest.keep.read import read_manifest

    manifests = [read_manifest(run.path) for run in runs]
    try:
        past = history(manifests, now=datetime.now(UTC), machine=options["machine"], last=options["last"])
    except ValueError as error:
        raise ConfigError([Problem("--machine", str(error))]) from None
    baseline = marked(Path(options["results"]))
    return trend(past, metrics, baseline.name if baseline else None, lenient=options["lenient"])


def _checked(metrics: Sequence[str]) -> tuple[str, ...]:
    """The names of ``--metric``.

    Raises:
        ConfigError: there is no such metric, or they are too many.
    """
    from loadtest.plan.schema import COMPARE_TABLE
    from loadtest.plan.toml_reader import Source, TomlTable

    if not metrics:
        return ()
    source = Source("--metric")
    read = COMPARE_TABLE.read(TomlTable({"primary": list(metrics)}, source))
    source.finish()
    return read.primary


def _stored(results: Path, scenario: str | None) -> list[list[StoredRun]]:
    """The runs of one scenario, or of every one that is stored, oldest first.

    Raises:
        ConfigError: there is none.
    """
    from loadtest.cli.skipped_runs import skipped
    from loadtest.keep.find import list_runs

    groups: dict[str, list[StoredRun]] = {}
    for run in list_runs(results, probes=False, warn=skipped):
        groups.setdefault(run.scenario, []).append(run)
    if not groups:
        raise ConfigError(
            [Problem("trend", f'"{results}" has no runs yet; make one: loadtest run agent-burst')]
        )
    if scenario is None:
        return list(groups.values())
    name = scenario if scenario in groups else _name_of(scenario)
    if name not in groups:
        near = difflib.get_close_matches(name, groups, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"there are runs of {', '.join(list(groups)[:5])}"
        raise ConfigError([Problem("trend", f'"{results}" has no run of the scenario "{name}"; {hint}')])
    return [groups[name]]


def _name_of(scenario: str) -> str:
    """The name of a scenario that was given as the path of its file."""
    from loadtest.plan.scenario_file import load_scenario

    return load_scenario(scenario).name if Path(scenario).suffix == ".toml" else scenario
