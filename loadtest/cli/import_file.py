"""``loadtest import``: a description that another tool wrote, made a protocol and a scenario."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click

from loadtest.cli.draft_secrets import left_out_hints, prepare_text, prepared_query, query_from_environment
from loadtest.cli.drafting import INSTEAD, drafted, shown_url, write_drafted, write_files
from loadtest.cli.shared_options import for_new_files, option
from loadtest.cli.suggesting_group import SuggestingGroup
from loadtest.errors import ConfigError, Problem

EXAMPLES = """\b
Examples:
  loadtest import har session.har
  loadtest import har session.har --socket /chat --name chat --folder load/
  loadtest import asyncapi asyncapi.yaml --channel /chat --name chat
"""

CREDENTIALS = ("authorization", "cookie")


@click.group(cls=SuggestingGroup, name="import", epilog=EXAMPLES)
def command() -> None:
    """Draft a scenario and a protocol from what another tool wrote. Nothing is overwritten."""


@command.command(name="har", epilog=EXAMPLES)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option("--socket", metavar="TEXT", help="Which of several WebSockets: a part of its URL.")
@for_new_files
def har(file: Path, socket: str | None, folder: Path, name: str | None) -> None:
    """Draft from FILE, a HAR file that a browser saved while it spoke to the server."""
    from loadtest.plan.har import read_har
    from loadtest.plan.har_login import logins
    from loadtest.plan.identifiers import holds_halves
    from loadtest.secret_names import handshake_secrets
    from loadtest.speak.captured_wire import captured_wire

    found = read_har(file, socket)
    if any(map(holds_halves, (found.url, *found.subprotocols))):
        sentence = "contains half of a character (a lone surrogate) in its WebSocket's URL or a subprotocol"
        raise ConfigError([Problem(str(file), sentence)])
    try:
        shown = shown_url(found.url)
    except ValueError as error:
        raise ConfigError([Problem(str(file), f"contains a WebSocket with a wrong URL: {error}")]) from None
    user = urlsplit(found.url).netloc.rpartition("@")[0]
    secrets = [*handshake_secrets(found.url, found.headers.items()), *shown.in_path, *user.split(":")]
    wire = captured_wire(found.frames)
    made, frames = drafted(wire, str(file), found.subprotocols, secrets)
    left_out = [key for key in dict.fromkeys(shown.left_out) if key not in wire.session]
    asked = logins(found.earlier, found.url, left_out)
    steps = [each for each in asked if each.can_be_drafted]
    query = query_from_environment(left_out) | prepared_query(steps)
    write_drafted(shown.url, name, folder, made, frames, query, prepare_text(steps))
    if left_out:
        click.echo("\n".join(left_out_hints(left_out, query)))
    for each in asked:
        how = "[[prepare]] requests it" if each in steps else "a step of [[prepare]] can request it"
        held = ", ".join(each.keep)
        click.echo(
            f"the answer to {each.method} {each.shown} contained {held}: {how}; look at its body and headers"
        )
    if shown.in_path:
        click.echo(f"the URL's path may contain a token; the draft has {INSTEAD} in its place")
    for key in ("origin", *CREDENTIALS):
        if key in found.headers:
            click.echo(f"the browser sent {key.title()}; if the server needs it, set it in [target]")


@command.command(name="asyncapi", epilog=EXAMPLES)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option("--server", metavar="NAME", help="Which of several servers; by default the first WebSocket server.")
@option("--channel", metavar="NAME", help="Which of several socket channels, by name or path.")
@option(
    "--describes",
    type=click.Choice(["server", "client"]),
    default="server",
    show_default=True,
    help="Who the file describes. What a server receives is what its clients send.",
)
@for_new_files
def asyncapi(  # noqa: PLR0917 - click passes them by name
    file: Path, server: str | None, channel: str | None, describes: str, folder: Path, name: str | None
) -> None:
    """Draft from FILE, an AsyncAPI description (2.x or 3.x, YAML or JSON) of a WebSocket server."""
    from loadtest.plan.asyncapi import read_asyncapi
    from loadtest.plan.scaffold import Drafted, starting_files
    from loadtest.speak.description_draft import described

    api = read_asyncapi(
        file, server=server, channel=channel, describes="client" if describes == "client" else "server"
    )
    draft = described(api)
    found = Drafted(draft.protocol, draft.data, rows_are="the examples of the description")
    paths = write_files(folder, starting_files(api.url, name, found))
    click.echo(f"next: loadtest protocols check {paths[1]}\n      loadtest try {paths[0]}")
