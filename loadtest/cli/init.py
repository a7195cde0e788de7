"""``loadtest init``: a scenario and a protocol to start from, for a server of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.cli.draft_secrets import left_out_hints, query_from_environment
from loadtest.cli.drafting import drafted
from loadtest.cli.output_files import refuse_to_overwrite, write_new
from loadtest.cli.shared_options import for_new_files, option
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


STREAMS = """\

The draft ends a turn at its first answer. If the server sends several answers (an agent, a chat):
  with your own client     loadtest record --to {url}    records it and prints the next command
  by hand                  in {protocol}, replace `count` by `end`
  an example               loadtest protocols --show agent-events"""


@click.command(epilog=EXAMPLES)
@click.argument("url")
@for_new_files
@option(
    "--capture",
    metavar="FRAMES.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draft the protocol from recorded frames, such as those of `try --save`.",
)
@option(
    "--subprotocol",
    "subprotocols",
    metavar="NAME",
    multiple=True,
    help="A subprotocol that the client offers; repeatable.",
)
@option(
    "--query",
    "query_names",
    metavar="NAME",
    multiple=True,
    help="A secret parameter of the URL, which an environment variable will give; repeatable.",
)
def command(  # noqa: PLR0917 - click passes them by name
    url: str,
    folder: Path,
    name: str | None,
    capture: Path | None,
    subprotocols: tuple[str, ...],
    query_names: tuple[str, ...],
) -> None:
    """Write a scenario and a protocol for the server at URL.

    Both files are valid; change them to fit your server. Nothing is overwritten.
    """
    from loadtest.plan.scaffold import starting_files

    if subprotocols and capture is None:
        raise ConfigError(
            [Problem("--subprotocol", "works only with --capture; otherwise set `subprotocols` in [target]")]
        )
    found = None if capture is None else _drafted_from(capture, subprotocols)
    query = query_from_environment(query_names)
    files = {folder / name: text for name, text in starting_files(url, name, found, query).items()}
    refuse_to_overwrite(files, "choose another --name or --folder")
    for path, text in files.items():
        write_new(path, text)
        click.echo(f"wrote {path}")
    if query:
        click.echo("\n".join(left_out_hints(query_names, query)))
    scenario, protocol = files
    if capture is None:
        click.echo(
            f"next: loadtest try {scenario}\n      loadtest explain {scenario}\n      loadtest run {scenario}"
        )
        click.echo(STREAMS.format(url=url, protocol=protocol))
    else:
        click.echo(
            f"next: loadtest protocols check {protocol} --capture {capture}\n      loadtest try {scenario}"
        )


def _drafted_from(capture: Path, subprotocols: tuple[str, ...]) -> Drafted:
    """What the capture in a file tells."""
    from loadtest.plan.capture import read_capture
    from loadtest.speak.captured_wire import captured_wire

    return drafted(captured_wire(read_capture(capture)), str(capture), subprotocols)[0]
