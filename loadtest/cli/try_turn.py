"""``loadtest try``: one connection, one turn, every frame."""

from __future__ import annotations

from pathlib import Path

import click

from loadtest.cli.output_files import refuse_to_overwrite, write_new
from loadtest.cli.shared_options import ShippedName, Time, option

EXAMPLES = """\b
Examples:
  loadtest try mine.toml
  loadtest try mine.protocol.toml --target ws://localhost:8000/ws
  loadtest try agent-burst --save frames.jsonl
"""


@click.command(name="try", epilog=EXAMPLES)
@click.argument("file", type=ShippedName("scenario"))
@option("--target", metavar="URL", help="The target; required if SCENARIO is a protocol.")
@option(
    "--timeout",
    metavar="TIME",
    type=Time(),
    help="The time limit for the turn; default: that of the scenario.",
)
@option(
    "--save",
    metavar="FRAMES.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the frames to this file, for `protocols check --capture` and `init --capture`.",
)
def command(file: str, target: str | None, timeout: int | None, save: Path | None) -> int:
    """Send one turn of FILE (a scenario or a protocol); show every frame, and which rules match it.

    The exit code is 0 if the turn was complete, 1 if it failed or timed out, 3 without a connection.
    """
    from loadtest.cli.frames import trial_lines, trial_notes
    from loadtest.plan.capture import capture_text
    from loadtest.run.try_turn import try_file
    from loadtest.show.terminal_frames import show_frames

    if save is not None:
        refuse_to_overwrite([save], "name another file")
    tried = try_file(file, target, timeout)
    simulated = "   SIMULATED" if tried.simulated else ""
    heading = f"{tried.scenario.name}: one turn to {tried.url}{simulated}"
    show_frames(heading, list(trial_lines(tried)), list(trial_notes(tried)))
    if save is not None:
        write_new(save, capture_text(tried.captured()))
        click.echo(f"wrote {save}")
    return int(tried.exit_code)
