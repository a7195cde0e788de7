"""``loadtest runs``: what is stored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.shared_options import Stored, Time, WholeNumber, option, results_option
from loadtest.cli.suggesting_group import SuggestingGroup
from loadtest.plan.printable_text import visible

if TYPE_CHECKING:
    from loadtest.keep.find import StoredRun, ThresholdOutcome
    from loadtest.keep.prune import Pruned, Spared
    from loadtest.keep.read import Run
    from loadtest.show.report_model import ThresholdRow

EXAMPLES = """\b
Examples:
  loadtest runs list
  loadtest runs show latest
  loadtest runs baseline v1.4.0
  loadtest runs prune --keep 7d --dry-run
"""

LIST_EXAMPLE = """\b
Examples:
  loadtest runs list --last 5
  loadtest runs list --sort first-event
"""

FIRST_EVENT, COMPLETION = "turn.first_event", "turn.completion"
HEAD = ("", "run", "first event p95", "completion p95", "target", "", "")

NAMED = 20
"""Files that an import left, of which the names are told."""

SORTS: dict[str, Callable[[StoredRun], Any]] = {
    "started": lambda run: run.started,
    "scenario": lambda run: run.scenario,
    "label": lambda run: run.label or "",
    "outcome": lambda run: run.outcome or "",
    "first-event": lambda run: run.p95_ms.get(FIRST_EVENT, 0.0),
    "completion": lambda run: run.p95_ms.get(COMPLETION, 0.0),
}
"""What a list of runs can be sorted by; those that are equal stay oldest first."""

SHOW_EXAMPLES = """\b
Examples:
  loadtest runs show latest
  loadtest runs show v1.4.0
"""

PRUNE_EXAMPLES = """\b
Examples:
  loadtest runs prune --dry-run
  loadtest runs prune --keep 30d
"""

BASELINE_EXAMPLES = """\b
Examples:
  loadtest runs baseline v1.4.0
  loadtest runs baseline
"""

HTML_EXAMPLE = """\b
Example:
  loadtest runs html
"""

IMPORT_EXAMPLE = """\b
Example:
  loadtest runs import from-ci/20261122T121530Z-agent-burst
"""

MERGE_EXAMPLE = """\b
Example:
  loadtest runs merge host-a host-b --label both
"""


@click.group(cls=SuggestingGroup, epilog=EXAMPLES, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the stored runs, show one, mark the baseline, delete old raw files, import, merge.

    Without a command, loadtest lists the runs.
    """
    if context.invoked_subcommand is None:
        with list_stored.make_context("list", [], parent=context) as of_list:
            list_stored.invoke(of_list)


@command.command("list", epilog=LIST_EXAMPLE)
@results_option("RUNS_LIST")
@option("--last", metavar="N", type=WholeNumber(), help="Only the N newest.")
@option(
    "--sort",
    metavar="BY",
    type=click.Choice([*SORTS]),
    default="started",
    show_default=True,
    help=f"{', '.join(SORTS)}; runs without this value come first.",
)
@option(
    "--all",
    "everything",
    is_flag=True,
    help="Also list the runs that `ready` and `watch` made to probe a component.",
)
def list_stored(results: str, last: int | None, sort: str, everything: bool) -> None:  # noqa: FBT001 - click gives flags by name
    """List every stored run, oldest first: outcome, id, p95 of first event and completion, target, reason.

    Runs that `loadtest ready` and `loadtest watch` made to probe a component are left out unless --all is
    given.
    """
    from loadtest.cli.skipped_runs import skipped
    from loadtest.keep.baseline import marked
    from loadtest.keep.find import list_runs
    from loadtest.show.render.terminal import fitting

    stored = list_runs(Path(results), warn=skipped)
    runs = [run for run in stored if everything or run.asked_by is None]
    if not stored:
        click.echo(f'"{results}" has no runs yet; make one: loadtest run agent-burst', err=True)
    baseline = marked(Path(results))
    shown = sorted(runs[-last:] if last else runs, key=SORTS[sort])
    rows = [_row(run, baseline) for run in shown]
    for line in fitting([HEAD, *rows] if rows else [], sys.stdout):
        click.echo(line)
    if hidden := len(stored) - len(runs):
        told = ("run", "is", "it") if hidden == 1 else ("runs", "are", "them")
        sentence = "{} {} that `ready` or `watch` made {} left out; --all lists {}"
        click.echo(sentence.format(hidden, *told), err=True)


def _row(run: StoredRun, baseline: Path | None) -> tuple[str, ...]:
    """Outcome, id, what was asked, what to know beside it, and why."""
    from loadtest.show.sanitize import printable

    asked = f"asked by {printable(run.asked_by)}" if run.asked_by else ""
    notes = ", ".join(filter(None, ("baseline" if run.path == baseline else "", asked)))
    target = "SIMULATED" if run.simulated else printable(run.target, 80)
    times = (_p95(run, name) for name in (FIRST_EVENT, COMPLETION))
    return (
        printable(run.outcome or _standing(run)),
        printable(run.id),
        *times,
        target,
        notes,
        printable(_why(run), 500),
    )


def _p95(run: StoredRun, metric: str) -> str:
    """Return the percentile of a metric; a dash where the run has none."""
    from loadtest.units import format_ms

    found = run.p95_ms.get(metric)
    if found is None:
        return "–"
    return "never" if found == inf else format_ms(found)


def _why(run: StoredRun) -> str:
    """Return what became of the thresholds, with what was measured where one was missed; else the reason."""
    of = len(run.thresholds)
    missed = [each for each in run.thresholds if each.outcome == "missed"]
    if run.outcome == "pass" and of:
        return f"{of} held"
    if run.outcome == "interrupted":
        return ""
    if run.outcome != "fail" or not missed:
        return run.why
    told = (f"{each.name} {_measured(each)}" for each in missed)
    return f"{len(missed)} of {of} missed: {', '.join(told)}"


def _measured(judged: ThresholdOutcome) -> str:
    """Return what a threshold measured; one may be missed by a bound alone, without a value."""
    from loadtest.show.build_report import measured_text

    if judged.measured is None:
        return "without a value"
    return measured_text(judged.unit or "", judged.measured)


def _standing(run: StoredRun) -> str:
    """Return how a run without a verdict stands: running, or cut short."""
    from loadtest.keep.read import read_manifest

    return str(read_manifest(run.path)["status"])


@command.command(epilog=SHOW_EXAMPLES)
@click.argument("run", type=Stored(), default="latest")
@results_option("RUNS_SHOW")
def show(run: str, results: str) -> None:
    """Show the folder of RUN, how the run ended, and its thresholds.

    RUN is an id, the beginning of one, a label, a path, or latest.
    """
    from loadtest.cli.skipped_runs import skipped
    from loadtest.keep.find import find_run, find_runs
    from loadtest.keep.read import read_run

    stored = read_run(find_run(Path(results), run, skipped))
    repeats = len(find_runs(Path(results), run))
    for topic, text in _told(stored, repeats if stored.manifest.get("label") == run else 0):
        click.echo(f"{topic:<10} {visible(text)}")


def _told(run: Run, repeats: int) -> Iterator[tuple[str, str]]:
    """Yield topic and text of what is known of a run at a glance; it may be the newest of several."""
    from loadtest.show.build_report import build_report
    from loadtest.show.sanitize import printable

    report, verdict = build_report(run.manifest), run.manifest.get("verdict") or {}
    known = {fact.name: fact.value for fact in report.facts}
    yield "run", printable(run.id) + (f"  the newest of {repeats} with that label" if repeats > 1 else "")
    yield "status", run.status
    if asked := run.manifest.get("asked_by"):
        yield "asked by", printable(asked)
    yield "target", report.target + ("  SIMULATED" if report.simulated else "")
    if "load" in known:
        yield "load", known["load"]
    if pruned := run.manifest.get("pruned"):
        yield "pruned", printable(f"{pruned.get('at')}: {', '.join(pruned.get('files') or ())}")
    for part in run.manifest.get("merged") or ():
        begun = f"begun {part.get('offset_s', 0.0):.3f} s after the first"
        yield "merged of", f"{printable(part.get('run'))}, {begun}"
    if report.judgement.exit_code is not None:
        yield "verdict", f"{printable(verdict.get('outcome'))}, exit code {report.judgement.exit_code}"
    for threshold in report.thresholds:
        yield "threshold", _judged(threshold)
    for notice in report.notices:
        yield "notice", f"{notice.code}: {notice.message}"
    yield "folder", str(run.path)
    for file in sorted(path for path in run.path.rglob("*") if path.is_file()):
        yield "file", f"{printable(file.relative_to(run.path))}  {file.stat().st_size:,} bytes"


def _judged(threshold: ThresholdRow) -> str:
    """Return one threshold with what was measured and what became of it."""
    why = f" ({threshold.reason})" if threshold.reason else ""
    n = f" (n={threshold.n})" if threshold.n else ""
    measured = f", measured {threshold.measured}{n}" if threshold.measured != "–" else ""
    return f"{threshold.name} {threshold.expression}: {threshold.outcome}{measured}{why}"


@command.command("html", epilog=HTML_EXAMPLE)
@results_option("RUNS_HTML")
def write_page(results: str) -> None:
    """Write index.html of the results folder: every run with verdict, key numbers, and a link to its report.

    loadtest also writes this page after each run. You can publish the folder as static files.
    """
    from loadtest.errors import ConfigError, Problem
    from loadtest.show.runs_index import write_index

    try:
        click.echo(f"wrote {write_index(Path(results))}")
    except OSError as error:
        sentence = f"index.html cannot be written to the results folder {results}: {error.strerror or error}"
        raise ConfigError([Problem("runs html", sentence)]) from None


@command.command("baseline", epilog=BASELINE_EXAMPLES)
@click.argument("run", type=Stored(), required=False)
@results_option("RUNS_BASELINE")
def mark_baseline(run: str | None, results: str) -> None:
    """Mark RUN as the baseline, or show which run is marked.

    `loadtest compare baseline` takes it with all runs of its label. `loadtest trend` accepts its level.
    `loadtest runs prune` never touches these runs.
    """
    from loadtest.cli.skipped_runs import skipped
    from loadtest.keep.baseline import mark, marked
    from loadtest.keep.find import find_run

    if run is not None:
        path = find_run(Path(results), run, skipped)
        mark(Path(results), path)
        click.echo(f"baseline   {visible(path.name)}")
    elif found := marked(Path(results)):
        click.echo(f"baseline   {visible(found.name)}")
    else:
        sentence = f'no run in "{results}" is marked as the baseline; mark one: loadtest runs baseline RUN'
        click.echo(sentence, err=True)


@command.command("prune", epilog=PRUNE_EXAMPLES)
@option(
    "--keep",
    metavar="TIME",
    type=Time(),
    default="7d",
    show_default=True,
    help="Keep the raw files of runs younger than this.",
)
@option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@results_option("RUNS_PRUNE")
def prune_runs(results: str, keep: int, dry_run: bool) -> None:  # noqa: FBT001 - click gives flags by name
    """Delete the raw files of old runs; run.json, reports and plots stay.

    The baseline, its repeats and runs that were never judged keep their raw files.
    """
    from datetime import UTC, datetime, timedelta

    from loadtest.cli.skipped_runs import skipped
    from loadtest.keep.prune import Pruned, prune
    from loadtest.units import format_bytes

    age = timedelta(microseconds=keep / 1000)
    found = prune(Path(results), age, datetime.now(UTC), dry_run=dry_run, warn=skipped)
    freed = [each for each in found if isinstance(each, Pruned)]
    for each in found:
        click.echo(_freed(each, dry_run=dry_run))
    would = "would be freed" if dry_run else "freed"
    total = format_bytes(sum(each.size for each in freed))
    click.echo(f"{len(freed)} {'run' if len(freed) == 1 else 'runs'}, {total} {would}")


def _freed(each: Pruned | Spared, *, dry_run: bool) -> str:
    """Return what became of one old run."""
    from loadtest.keep.prune import Spared
    from loadtest.units import format_bytes

    if isinstance(each, Spared):
        return f"spared  {visible(each.id)}: {visible(each.reason)}"
    files = ", ".join(each.files)
    return f"{'old' if dry_run else 'freed':<7} {visible(each.id)}: {format_bytes(each.size)}, {files}"


@command.command("import", epilog=IMPORT_EXAMPLE)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@results_option("RUNS_IMPORT")
def import_folder(folder: Path, results: str) -> None:
    """Import the run in DIR, or every run in the folders of DIR.

    loadtest checks every file before it imports the run. It refuses links and overwrites nothing.
    """
    from loadtest.keep.importing import import_runs

    for each in import_runs(Path(results), folder):
        said = "imported" if each.new else "already here:"
        click.echo(f"{said} {each.path}{_not_taken(each.ignored)}")


def _not_taken(ignored: Sequence[str]) -> str:
    """Return which files were left: the first ones by name, and how many there are more."""
    if not ignored:
        return ""
    names = ", ".join(map(visible, ignored[:NAMED]))
    more = f", and {len(ignored) - NAMED} more" if len(ignored) > NAMED else ""
    return f"; not taken: {names}{more}"


@command.command("merge", epilog=MERGE_EXAMPLE)
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True, type=Stored())
@option("--label", metavar="NAME", help="The label of the merged run.")
@results_option("RUNS_MERGE")
def merge_stored(runs: tuple[str, ...], label: str | None, results: str) -> None:
    """Merge simultaneous runs of one test on several hosts into a new run.

    The merged numbers are exact. The hosts must have run the same scenario.
    """
    from loadtest.cli.skipped_runs import skipped
    from loadtest.judge.judge_run import judge_run
    from loadtest.judge.manifest_access import has_stages
    from loadtest.keep.find import find_run
    from loadtest.keep.manifest import write_manifest
    from loadtest.keep.merging import merge_runs
    from loadtest.keep.read import read_run
    from loadtest.show.report_formats import write_views

    parts = [read_run(find_run(Path(results), run, skipped)) for run in runs]
    made = merge_runs(Path(results), parts, label)
    seconds = list(made.intervals()) if has_stages(made.manifest) else None
    write_manifest(made.path, judge_run(made.manifest, made.totals(), made.turns(), seconds))
    merged = read_run(made.path)
    write_views(merged)
    verdict = merged.manifest["verdict"]
    click.echo(f"merged {visible(merged.id)}: {verdict['outcome']}, exit code {verdict['exit_code']}")
    click.echo(f"report {merged.path / 'report.html'}")
