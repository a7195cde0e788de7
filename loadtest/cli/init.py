"""``loadtest init``: a scenario and a protocol to start from, for a server of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.cli.options import option
from loadtest.cli.writing import refuse_to_overwrite, write_new
from loadtest.errors import ConfigError, Problem

if TYPE_CHECKING:
    from loadtest.plan.scaffold import Drafted

EXAMPLES = """\b
Examples:
  loadtest init ws://localhost:8765
  loadtest init ws://localhost:8766 --name second
  loadtest init wss://chat.example/ws --folder load/
  loadtest init ws://localhost:8765 --capture frames.jsonl
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
@option(
    "--capture",
    metavar="FRAMES.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draft the protocol from frames, such as those that `try --save` writes.",
)
def command(url: str, folder: Path, name: str | None, capture: Path | None) -> None:
    """Write a scenario and a protocol for the server at URL.

    Both are a start, valid as they are. Nothing is overwritten.
    """
    from loadtest.plan.scaffold import starting_files

    drafted = None if capture is None else _drafted(capture)
    files = {folder / name: text for name, text in starting_files(url, name, drafted).items()}
    refuse_to_overwrite(files, "choose another --name or --folder")
    for path, text in files.items():
        write_new(path, text)
        click.echo(f"wrote {path}")
    scenario, protocol = files
    if capture is None:
        click.echo(
            f"next: loadtest try {scenario}\n      loadtest explain {scenario}\n      loadtest run {scenario}"
        )
    else:
        click.echo(
            f"next: loadtest protocols check {protocol} --capture {capture}\n      loadtest try {scenario}"
        )


def _drafted(path: Path) -> Drafted:
    """What the capture in a file tells."""
    from loadtest.keep.redact import Redactor
    from loadtest.plan.capture import read_capture
    from loadtest.plan.scaffold import Drafted
    from loadtest.speak.captured_secrets import captured_secrets
    from loadtest.speak.draft import draft
    from loadtest.speak.draft_toml import protocol_text, rows_text

    frames = read_capture(path)
    by_place = Redactor().text
    try:
        secrets = captured_secrets(frames)
    except ValueError as error:
        raise ConfigError([Problem(str(path), str(error))]) from None
    # What is taken out in one place is taken out in all others; a token that comes back stays one value.
    sent = "\n".join(by_place(frame.text) for frame in frames if not frame.inward)
    clean = Redactor(secret for secret in secrets if secret not in sent).text
    found = draft(frame._replace(payload=_cleaned(frame.payload, clean)) for frame in frames)
    if not found.message:
        sentence = "no message was sent in it that a turn could be made of"
        raise ConfigError([Problem(str(path), sentence)])
    identities = rows_text([found.identity]) if found.identity else ""
    return Drafted(
        lambda name: protocol_text(found, name), rows_text(found.rows) if found.rows else "", identities
    )


def _cleaned(payload: bytes, clean: Callable[[str], str]) -> bytes:
    """A payload without secrets, which would stand in the files."""
    return clean(payload.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
