"""``loadtest protocols``: those that ship; ``check`` reads one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.cli.shared_options import ShippedName, option
from loadtest.cli.shipped import show_shipped
from loadtest.cli.suggesting_group import SuggestingGroup

if TYPE_CHECKING:
    from loadtest.plan.capture import CapturedFrame
    from loadtest.plan.protocol import Protocol

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


@click.group(cls=SuggestingGroup, epilog=EXAMPLES, invoke_without_command=True)
@option("--show", metavar="NAME", type=ShippedName("protocol"), help="Print the TOML of one.")
@click.pass_context
def command(context: click.Context, show: str | None) -> None:
    """List the shipped protocols, or check your own."""
    if context.invoked_subcommand is None:
        show_shipped("protocol", show)


@command.command(epilog=CHECK_EXAMPLE)
@click.argument("file", type=ShippedName("protocol"))
@option(
    "--capture",
    metavar="FRAMES.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Show which rules match each frame of a capture, and whether its turns end.",
)
def check(file: str, capture: Path | None) -> int:
    """Read FILE, report every mistake in it, and print what it means.

    The exit code is 1 if a MATCH never matches an event, or if another MATCH always comes before it. With a
    capture it is also 1 if a turn of the capture does not end, and 4 if the capture has no turn.
    """
    from loadtest.errors import ConfigError, Exit
    from loadtest.plan.match_conflicts import conflicts
    from loadtest.plan.protocol_file import load_protocol
    from loadtest.plan.protocol_summary import understood
    from loadtest.speak.codec.factory import codec_problems

    protocol = load_protocol(file)
    if problems := codec_problems(protocol):
        raise ConfigError(problems)
    if capture is not None:
        return _check_capture(protocol, capture)
    for topic, sentence in understood(protocol):
        click.echo(f"{topic:<30} {sentence}")
    doubts = list(conflicts(protocol))
    for sentence in doubts:
        click.echo(f"{'to look at':<30} {sentence}")
    return int(Exit.FAIL if doubts else Exit.PASS)


def _secrets(protocol: Protocol, frames: Sequence[CapturedFrame], path: Path) -> list[str]:
    """The secrets that a capture holds, and those of the protocol that this machine knows."""
    import os

    from loadtest.errors import ConfigError, Problem
    from loadtest.plan.placeholder_names import env_names
    from loadtest.plan.protocol_file import templates
    from loadtest.speak.captured_secrets import captured_secrets

    try:
        found = captured_secrets(frames, protocol)
    except ValueError as error:
        raise ConfigError([Problem(str(path), str(error))]) from None
    variables = env_names(text for _, text, _ in templates(protocol))
    return [*found, *(os.environ[name] for name in variables if os.environ.get(name))]


def _check_capture(protocol: Protocol, path: Path) -> int:
    """Play a capture to a protocol, show what it makes of it, and return the exit code."""
    from loadtest.cli.frames import conflict_notes, frame_line, replay_exit_code, replay_notes
    from loadtest.errors import Exit
    from loadtest.keep.redact import Redactor
    from loadtest.plan.capture import read_capture
    from loadtest.plan.match_conflicts import conflicts
    from loadtest.show.terminal_frames import show_frames
    from loadtest.speak.captured_wire import messages_for
    from loadtest.speak.replay import replay

    frames = messages_for(protocol, read_capture(path))
    played = replay(protocol, frames)
    clean = Redactor(_secrets(protocol, frames, path)).text
    lines = [frame_line(frame, frames[0].at_ns, clean) for frame in played.frames]
    doubts = list(conflicts(protocol))
    notes = [*replay_notes(played, clean), *conflict_notes(doubts)]
    show_frames(f"{protocol.name}: {path}, {len(frames)} frames", lines, notes)
    return int(Exit.FAIL if doubts else replay_exit_code(played))
