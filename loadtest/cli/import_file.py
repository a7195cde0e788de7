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
from loadtest.plan.printable_text import visible

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
@option("--socket", metavar="TEXT", help="Choose one of several WebSockets by a part of its URL.")
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
        sentence = "the URL or a subprotocol of the WebSocket contains half of a character (a lone surrogate)"
        raise ConfigError([Problem(str(file), sentence)])
    try:
        shown = shown_url(found.url)
    except ValueError as error:
        raise ConfigError(
            [
                Problem(
                    str(file),
                    f"the URL of the WebSocket in this file is wrong: {error}",
                )
            ]
        ) from None
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
        how = (
            "the draft has this request in [[prepare]]"
            if each in steps
            else "a step of [[prepare]] can send this request"
        )
        held = ", ".join(each.keep)
        answer = f"the answer to {each.method} {each.shown} contained {held}"
        click.echo(visible(f"{answer}: {how}; check its body and headers"))
    if shown.in_path:
        click.echo(f"the path of the URL may contain a token; replace {INSTEAD} in the draft by the token")
    for key in ("origin", *CREDENTIALS):
        if key in found.headers:
            click.echo(
                f"the browser sent the header {key.title()}; if the server needs this header, set it in"
                " [target]",
            )


@command.command(name="asyncapi", epilog=EXAMPLES)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option(
    "--server",
    metavar="NAME",
    help="Choose one of several servers; default: the first WebSocket server.",
)
@option("--channel", metavar="NAME", help="Choose one of several WebSocket channels by name or path.")
@option(
    "--describes",
    type=click.Choice(["server", "client"]),
    default="server",
    show_default=True,
    help="Whether FILE describes the server or its client.",
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
