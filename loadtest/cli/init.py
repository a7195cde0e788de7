"""``loadtest init``: a scenario and a protocol to start from, for a server of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from loadtest.cli.options import option
from loadtest.errors import ConfigError, Problem

EXAMPLES = """\b
Examples:
  loadtest init ws://localhost:8765
  loadtest init ws://localhost:8766 --name second
  loadtest init wss://chat.example/ws --folder load/
"""


@click.command(epilog=EXAMPLES)
@click.argument("url")
@option(
    "--folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where to write them; the current folder if not given.",
)
@option("--name", metavar="NAME", help="What they are called; after the host if not given.")
def command(url: str, folder: Path, name: str | None) -> None:
    """Write a scenario and a protocol for the server at URL.

    Both are a start, valid as they are. Nothing is overwritten.
    """
    from loadtest.plan.scaffold import starting_files

    files = {folder / name: text for name, text in starting_files(url, name).items()}
    _refuse_to_overwrite(files)
    for path, text in files.items():
        _write(path, text)
        click.echo(f"wrote {path}")
    scenario = next(iter(files))
    click.echo(f"next: loadtest explain {scenario}\n      loadtest run {scenario}")


def _refuse_to_overwrite(paths: dict[Path, str]) -> None:
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if there:
        sentence = "is there already and is not overwritten; move it, or choose another --name or --folder"
        raise ConfigError([Problem(str(path), sentence) for path in there])


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be written: {error.strerror or error}")]) from None
