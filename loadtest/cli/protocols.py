"""``loadtest protocols``: those that ship; ``check`` reads one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.cli.options import ShippedName, option
from loadtest.cli.shipped import show_shipped

if TYPE_CHECKING:
    from loadtest.plan.match import Match
    from loadtest.plan.protocol import CountAt, Protocol

EXAMPLES = """\b
Examples:
  loadtest protocols
  loadtest protocols --show agent-events > mine.toml
  loadtest protocols check mine.toml
"""

CHECK_EXAMPLE = """\b
Example:
  loadtest protocols check mine.toml
  loadtest protocols check mine.toml --capture frames.jsonl
"""


UNMEASURED = "not measured: no path"


@click.group(epilog=EXAMPLES, invoke_without_command=True)
@option("--show", metavar="NAME", type=ShippedName("protocol"), help="Print the TOML of one.")
@click.pass_context
def command(context: click.Context, show: str | None) -> None:
    """List the protocols that ship, or check one's own."""
    if context.invoked_subcommand is None:
        show_shipped("protocol", show)


@command.command(epilog=CHECK_EXAMPLE)
@click.argument("file", type=ShippedName("protocol"))
@option(
    "--capture",
    metavar="FRAMES.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Say of every frame of a capture what it would be taken for, and whether its turns end.",
)
def check(file: str, capture: Path | None) -> int:
    """Read FILE, report every mistake in it, and say what was understood.

    With a capture the exit code is 1 where a turn of it does not end, 4 where it has none.
    """
    from loadtest.errors import ConfigError
    from loadtest.plan.protocol_file import load_protocol
    from loadtest.speak.codec.factory import codec_problems

    protocol = load_protocol(file)
    if problems := codec_problems(protocol):
        raise ConfigError(problems)
    if capture is not None:
        return _check_capture(protocol, capture)
    for topic, sentence in _understood(protocol):
        click.echo(f"{topic:<30} {sentence}")
    return 0


def _check_capture(protocol: Protocol, path: Path) -> int:
    """Play a capture to a protocol, show what it makes of it, and return the exit code."""
    from loadtest.cli.frames import frame_line, replay_exit_code, replay_notes
    from loadtest.keep.redact import Redactor
    from loadtest.plan.capture import read_capture
    from loadtest.show.terminal_frames import show_frames
    from loadtest.speak.replay import replay

    frames = read_capture(path)
    played = replay(protocol, frames)
    clean = Redactor().text
    lines = [frame_line(frame, frames[0].at_ns, clean) for frame in played.frames]
    show_frames(f"{protocol.name}: {path}, {len(frames)} frames", lines, list(replay_notes(played, clean)))
    return int(replay_exit_code(played))


def _understood(protocol: Protocol) -> Iterator[tuple[str, str]]:
    """Yield topic and sentence of everything that decides what will be counted."""
    from loadtest.plan.match import match_words
    from loadtest.plan.protocol_file import asked_columns

    connect, events = protocol.connect, protocol.events
    yield "name", f"{protocol.name}  {protocol.about}".rstrip()
    yield "path", connect.path
    if protocol.codec is not None:
        yield "codec", f"{protocol.codec.name}: paths, matches and messages are of what it makes of frames"
    yield (
        "ready",
        f"after its steps: {len(connect.ready)}" if connect.ready else "with the 101 of the upgrade",
    )
    yield (
        "events",
        f"{events.format}, matched {f'by {_or(events.turn)}' if events.match == 'id' else 'in order'}",
    )
    yield (
        "end",
        f"when its events reach {_told_count(events.count)}"
        if events.count
        else _or(events.end)
        or (events.end_all and f"when all of these have come: {', '.join(map(match_words, events.end_all))}")
        or "a turn never ends by itself, but with the run: `end` or `count` would say when",
    )
    if protocol.turns:
        yield "kinds of turn", f"{', '.join(protocol.turns)}: `mix` of a scenario says which are sent"
    yield "fail", _or(events.fail) or "no event fails a turn"
    yield "required", ", ".join(map(match_words, events.required)) or "nothing"
    yield "lost, duplicate, out of order", _or(events.sequence) or UNMEASURED
    yield "foreign", _or(events.user) or UNMEASURED
    if asked := asked_columns(protocol):
        names = ", ".join(f"{{{name}}}" for name in asked)
        yield "needs of the scenario", f"{names}: columns of its target.identities or traffic.data"


def _told_count(count: int | CountAt) -> str:
    return str(count) if isinstance(count, int) else f"the number that one of them says at {count.path}"


def _or(matches: Iterable[Match]) -> str:
    from loadtest.plan.match import match_words

    return " or ".join(map(match_words, matches))
