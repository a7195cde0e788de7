"""The baseline: the run that others are compared with unless another is named, marked per results folder."""

from __future__ import annotations

from pathlib import Path

from loadtest.errors import ConfigError
from loadtest.keep.atomic import write_whole
from loadtest.keep.bounded import read_whole
from loadtest.keep.find import holds_run, is_folder_name, list_runs

MARK = "baseline"
"""A file beside the runs that holds the id of the marked one."""

MOST_BYTES = 4096


def mark(results: Path, run: Path) -> None:
    """Make the run in this folder the baseline, in place of any other.

    Raises:
        ConfigError: the run lies elsewhere, or the mark cannot be written.
    """
    run = run.resolve()
    if run.parent != results.resolve():
        raise ConfigError(
            f"the run {run} is not in the results folder {results}; import it first: loadtest runs import"
            f" {run}",
        )
    try:
        write_whole(results / MARK, f"{run.name}\n")
    except OSError as error:
        raise ConfigError(f"the baseline cannot be marked: {results / MARK}: {error.strerror}") from None


def marked(results: Path) -> Path | None:
    """The folder of the baseline; None where none was marked, or the marked run is gone."""
    try:
        name = read_whole(results / MARK, MOST_BYTES).decode().strip()
    except (OSError, ValueError):
        return None
    return results / name if is_folder_name(name) and holds_run(results / name) else None


def repeats(results: Path) -> list[Path]:
    """The baseline with all other runs of its label and scenario, oldest first; it alone without a label.

    Raises:
        ConfigError: no run is marked, or it cannot be read.
    """
    run = marked(results)
    if run is None:
        sentence = f'no run in "{results}" is marked as the baseline; mark one: loadtest runs baseline RUN'
        raise ConfigError(sentence)
    stored = list_runs(results)
    its = next((each for each in stored if each.path.name == run.name), None)
    if its is None:
        raise ConfigError(f"the baseline cannot be read: {run / 'run.json'} is damaged; mark another run")
    if its.label is None:
        return [run]
    return [each.path for each in stored if (each.label, each.scenario) == (its.label, its.scenario)]
