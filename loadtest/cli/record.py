"""``loadtest record``: a proxy that keeps what a client of one's own says to a server."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.cli.output_files import refuse_to_overwrite
from loadtest.cli.shared_options import WholeNumber, option
from loadtest.errors import ConfigError, Exit, Problem
from loadtest.plan.printable_text import visible

if TYPE_CHECKING:
    from loadtest.run.recording_proxy import RecordedConnection

EXAMPLES = """\b
Examples:
  loadtest record --listen 127.0.0.1:9000 --to wss://chat.example/ws
  loadtest record --to ws://localhost:8765 --save chat.jsonl --connections 1
"""


@click.command(epilog=EXAMPLES)
@option(
    "--to",
    metavar="URL",
    required=True,
    help="The URL of the server; if it has no path, the client's path is used.",
)
@option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:9000",
    show_default=True,
    help="The address for clients; port 0 takes a free port.",
)
@option(
    "--save",
    metavar="FRAMES.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("frames.jsonl"),
    show_default=True,
    help="The file of the first connection; other files have a number in the name.",
)
@option("--connections", metavar="N", type=WholeNumber(), help="End after N connections; default: at Ctrl-C.")
@option("--insecure", is_flag=True, help="Do not verify the server's certificate.")
def command(to: str, listen: str, save: Path, connections: int | None, *, insecure: bool) -> int:
    """Pass connections on to the server at --to, and store every message with its time, without secrets.

    Point a real client (a browser, an app) at the address it prints. The files that it writes are for
    `init --capture` and `protocols check --capture`. No file is overwritten. The exit
    code is 3 if the server refused everybody, and 4 if it could not write everything.
    """
    from loadtest.plan.target import url_problem
    from loadtest.run.options import host_and_port
    from loadtest.run.recording_proxy import RecordingOptions, record

    if wrong := url_problem(to):
        raise ConfigError([Problem("--to", wrong)])
    host, port = host_and_port(listen, "--listen")
    refuse_to_overwrite([save], "name another file")
    options = RecordingOptions(host, port, to, save, connections, insecure=insecure)
    found = record(options, lambda url: click.echo(f"listening at {url}; press Ctrl-C to end"))
    for each in found.connections:
        _tell(each)
    if found.refused:
        click.echo(f"the server refused {found.refused} connections: {found.reason}", err=True)
    if found.not_sockets:
        what = f"{found.not_sockets} HTTP requests were not passed on, because they did not open a WebSocket"
        click.echo(f'{what}; a Socket.IO client needs transports: ["websocket"]', err=True)
    if not found.connections:
        click.echo("nothing was recorded: no client connected", err=not found.refused)
        return int(Exit.UNREACHABLE if found.refused else Exit.CONFIG)
    if written := [each for each in found.connections if each.path is not None]:
        print_next_step(written[0], written[0].path or save)
    return int(Exit.INVALID if any(each.failed for each in found.connections) else Exit.PASS)


def _tell(kept: RecordedConnection) -> None:
    """Say what was written of a connection, and on stderr why not all of it was."""
    more = f", {kept.left_out} more were passed on, but not recorded" if kept.left_out else ""
    if kept.path is not None:
        click.echo(f"wrote {kept.path}: {kept.frames} messages{more}")
        if kept.failed:
            click.echo(f"{kept.path} is not complete: {kept.failed}", err=True)
        return
    what = f"a connection with {kept.left_out} messages was passed on, but not recorded"
    click.echo(f"{what}: {kept.failed}", err=True)


def print_next_step(first: RecordedConnection, save: Path) -> None:
    """Say what a connection was let in by, and the command that drafts from its file."""
    from loadtest.cli.draft_secrets import left_out_hints, query_from_environment
    from loadtest.cli.drafting import INSTEAD, shown_url

    shown = shown_url(first.url)
    session = _session_of(save)
    left_out = [name for name in dict.fromkeys(shown.left_out) if name not in session]
    if left_out:
        click.echo("\n".join(left_out_hints(left_out, query_from_environment(left_out))))
    if shown.in_path:
        click.echo(f"the path of the URL may contain a token; replace {INSTEAD} in the draft by the token")
    for name in first.credentials:
        click.echo(f"the client sent the header {name}; if the server needs this header, set it in [target]")
    words = ["loadtest", "init", shown.url, "--capture", str(save)]
    words += [word for name in first.subprotocols for word in ("--subprotocol", name)]
    words += [word for name in left_out for word in ("--query", name)]
    click.echo(visible(f"next: {shlex.join(words)}"))


def _session_of(save: Path) -> frozenset[str]:
    """Parameters of the URL that name a session begun elsewhere, which nobody else can go on with."""
    from loadtest.plan.capture import read_capture
    from loadtest.speak.captured_wire import captured_wire

    try:
        return captured_wire(read_capture(save)).session
    except ConfigError:
        # Nothing was said.
        return frozenset()
