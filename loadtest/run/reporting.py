"""Shows a finished run: prints what a terminal, a script or a CI service takes, and writes its views."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from loadtest.errors import LoadtestError, worst_of
from loadtest.keep.folder import REPORT
from loadtest.keep.previous import previous_run
from loadtest.keep.read import Run
from loadtest.measure.histogram import Histogram
from loadtest.run.options import RunOptions
from loadtest.run.run_recorder import exit_code_of
from loadtest.show.build_report import build_report
from loadtest.show.ci_annotations import ci_annotations
from loadtest.show.progress import working
from loadtest.show.render.json import as_json
from loadtest.show.render.terminal import show, show_last, show_short, takes_unicode
from loadtest.show.repeats import repeats
from loadtest.show.report_formats import ViewsMissingError, write_views
from loadtest.show.run import document
from loadtest.show.runs_index import INDEX, write_index
from loadtest.show.sanitize import printable
from loadtest.show.short_run import short_document


def show_run(run: Run, options: RunOptions) -> None:
    """Print the verdict of a run and write its views: a short screen, or what the options ask for instead.

    With ``--json`` nothing but the manifest goes to stdout; for CI services stderr says more. Views
    that are missing stand in ``run.manifest["not_written"]``: with them a run does not end with 0.
    """
    report = build_report(run.manifest)
    if options.json:
        sys.stdout.write(as_json(run.manifest))
        _written(run)
    elif options.quiet:
        sys.stdout.write(f"{report.one_line}\n")
        # The verdict is known: nobody waits for it until the reports are written.
        sys.stdout.flush()
        _written(run)
        sys.stdout.write(f"{where(run.path)}\n")
    elif options.verbose:
        _written(run)
        show([document(report)], where=where(run.path / REPORT))
    else:
        against = previous_run(run.path, str(run.manifest["scenario"]["name"]))
        short = short_document(run.manifest, _histograms(run), against)
        show_short(short)
        sys.stdout.flush()
        report_at = where(run.path / REPORT) if _written(run) else ""
        show_last(replace(short, exit_code=int(exit_code_of(run))), where=report_at)
    for line in ci_annotations(report, os.environ):
        sys.stderr.write(f"{line}\n")


def _written(run: Run) -> bool:
    """Write the views; False where some could not be, which stderr says."""
    try:
        with working("writing the report"):
            write_views(run)
            _write_index(run)
    except ViewsMissingError as error:
        # The verdict is known; only its views cannot be written.
        run.manifest["not_written"] = list(error.names)
        sys.stderr.write(f"loadtest: {error}; if the run passed, the exit code is {int(error.exit_code)}\n")
        return False
    return True


def _write_index(run: Run) -> None:
    """Renew the page of the results folder; a run that probes a component is not on it."""
    if run.manifest.get("asked_by") is not None:
        return
    try:
        write_index(run.path.parent)
    # The page is of other runs, which may be of others: nothing in them changes how this one ends.
    except Exception as error:
        # The run has its own views; the page can be made again: loadtest runs html.
        why = str(error) if isinstance(error, LoadtestError | OSError) else repr(error)
        sys.stderr.write(f"loadtest: {INDEX} of the results folder could not be written: {printable(why)}\n")


def _histograms(run: Run) -> Mapping[str, Histogram]:
    """The distributions of the measured part; none where the folder cannot be read."""
    try:
        return run.totals().histograms
    except (LoadtestError, OSError):
        return {}


def show_repeats(runs: Sequence[Run], options: RunOptions) -> None:
    """Print the runs of ``--repeat``: a column each, then their exit codes and the worst."""
    if options.json:
        return
    if not options.quiet:
        told = repeats([build_report(run.manifest) for run in runs], ascii_only=not takes_unicode(sys.stdout))
        sys.stdout.write(f"\n{told}\n")
    codes = [exit_code_of(run) for run in runs]
    listed = ", ".join(str(int(code)) for code in codes)
    sys.stdout.write(f"exit codes: {listed}; the command ends with the worst: {int(worst_of(codes))}\n")


def where(path: Path) -> str:
    """A path, relative to the working directory where that is possible."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
