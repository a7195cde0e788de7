"""Where views go: one to stdout, or each to its file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from loadtest.errors import ConfigError, Problem
from loadtest.keep.atomic import write_whole
from loadtest.keep.folder import REPORT
from loadtest.show.document import Link, no_link
from loadtest.show.links import link_to

Made = Callable[[str], str | bytes]
"""A view by the name of its format."""


def put(made: Made, files: Mapping[str, str], options: Mapping[str, Any], show: Callable[[], None]) -> None:
    """Print one view (``show`` the terminal's), or write each to its file and say where.

    ``options`` are ``format`` and ``output``; ``files`` tells what a view is called in a folder.

    Raises:
        ConfigError: several views without a folder, pixels on a terminal, or they cannot be written.
    """
    formats, output = options["format"], options["output"]
    if output is None:
        if len(formats) > 1:
            raise ConfigError([Problem("--format", "several formats need --output FOLDER")])
        if formats == ("terminal",):
            show()
            return
        _print(made, formats[0])
        return
    into_folder = len(formats) > 1 or output.is_dir()
    paths = {name: output / files[name] if into_folder else output for name in formats}
    for path in paths.values():
        # Making a view may take seconds: what cannot be written is told before.
        _make_way(path)
    for name, path in paths.items():
        write(path, made(name))
        click.echo(f"wrote {path}")


def links_from(output: Path | None, runs: Mapping[str, Path]) -> Link:
    """How a page that is written to ``output`` leads to the reports of ``runs``, given by their ids.

    A page on stdout stands nowhere, and leads nowhere.
    """
    if output is None:
        return no_link
    folder = output if output.is_dir() or not output.suffix else output.parent

    def link(run: str) -> str:
        return link_to(runs[run] / REPORT, folder) if run in runs else ""

    return link


BINARY = frozenset({"pdf", "png"})
"""Views that no terminal can show."""


def _print(made: Made, form: str) -> None:
    if form in BINARY and sys.stdout.isatty():
        raise ConfigError(
            [Problem("--format", f"{form} is binary and cannot be printed; give --output FILE")]
        )
    click.echo(made(form), nl=False)


VIEWS = frozenset(
    {".txt", ".html", ".md", ".json", ".csv", ".xml", ".prom", ".pdf", ".svg", ".png", ".tsv", ".log"}
)
"""Endings of files that may be views of ours: only such a file is replaced."""


def write(path: Path, made: str | bytes) -> None:
    """Write a view, and the folders above it: whole, or not at all.

    Raises:
        ConfigError: it cannot be written, or a file is there that no view may replace.
    """
    _make_way(path)
    data = made if isinstance(made, bytes) else made.encode()
    try:
        if path.exists() and not path.is_file():
            # A pipe or a terminal (/dev/stdout) cannot be replaced.
            path.write_bytes(data)
        else:
            write_whole(path, data)
    except OSError as error:
        raise _unwritable(path, error) from None


def _make_way(path: Path) -> None:
    """Make the folders above a view's file.

    Raises:
        ConfigError: they cannot be made, or a file is there that no view may replace.
    """
    if why := _no_view(path):
        raise ConfigError([Problem("--output", f"{path} was not overwritten: {why}; name another file")])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError([Problem("--output", f"the file {path} cannot be written: {error.strerror}")])


def _no_view(path: Path) -> str | None:
    """Why a file that is there cannot be a view; None: it may be one, or there is none."""
    from loadtest.keep import folder

    record = {
        folder.RUN, folder.HISTOGRAMS, folder.INTERVALS, folder.TOTALS, folder.TIMELINE, folder.TURNS,
        folder.SLOWEST, folder.LOG,
    }  # fmt: skip
    if path.name in record and (path.parent / folder.RUN).is_file():
        return "the file belongs to a stored run"
    if path.is_file() and path.suffix.lower() not in VIEWS:
        return "the file exists, and its name is not that of a report"
    return None


def refuse_to_overwrite(paths: Iterable[Path], how: str) -> None:
    """Say before anything begins which files are there already; ``how`` says what to do.

    Raises:
        ConfigError: at least one of them is.
    """
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if there:
        sentence = f"this file exists and was not overwritten; move it, or {how}"
        raise ConfigError([Problem(str(path), sentence) for path in there])


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        data = text.encode("utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)
    except UnicodeEncodeError:
        sentence = "the file cannot be written: it would contain half of a character (a lone surrogate)"
        raise ConfigError([Problem(str(path), sentence)]) from None
    except OSError as error:
        raise ConfigError(
            [
                Problem(
                    str(path),
                    f"the file cannot be written: {error.strerror or error}",
                )
            ]
        ) from None
