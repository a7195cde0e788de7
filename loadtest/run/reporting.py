"""Shows a finished run: writes its views into its folder, prints its verdict."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from loadtest.errors import worst_of
from loadtest.keep.read import Run
from loadtest.run.recording import exit_code_of
from loadtest.show.render.terminal import takes_unicode
from loadtest.show.repeats import repeats
from loadtest.show.report_model import tell
from loadtest.show.terminal import one_line, show
from loadtest.show.views import ViewsMissingError, write_views


def show_run(run: Run, *, quiet: bool) -> None:
    """Write the views of a run, and print its verdict.

    Views that are missing stand in ``run.manifest["not_written"]``: with them a run does not end with 0.
    """
    try:
        write_views(run)
    except ViewsMissingError as error:
        # The verdict is known; only its views cannot be written.
        run.manifest["not_written"] = list(error.names)
        sys.stderr.write(f"loadtest: {error}; a run that passed ends with {int(error.exit_code)} for that\n")
    report = tell(run.manifest)
    if quiet:
        sys.stdout.write(f"{one_line(report)}\n{where(run.path)}\n")
    else:
        show(report, where=where(run.path / "report.html"))


def show_repeats(runs: Sequence[Run], *, quiet: bool) -> None:
    """Print the runs of ``--repeat``: a column each, then their exit codes and the worst."""
    if not quiet:
        told = repeats([tell(run.manifest) for run in runs], ascii_only=not takes_unicode(sys.stdout))
        sys.stdout.write(f"\n{told}\n")
    codes = [exit_code_of(run) for run in runs]
    listed = ", ".join(str(int(code)) for code in codes)
    sys.stdout.write(f"exit codes: {listed}; worst: {int(worst_of(codes))}\n")


def where(path: Path) -> str:
    """A path, relative to the working directory where that is possible."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
