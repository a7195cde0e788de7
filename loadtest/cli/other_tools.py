"""Options as users of other load testers type them: taken, or answered with ours."""

from __future__ import annotations

from typing import Any

import click

FOLDER = "every run gets its own folder in --results DIR, with report.html, junit.xml and run.json"

ANSWERS = {
    "--rate": "for turns per second write --set traffic.rate=200/s; for connections per second write "
    "--connect-rate 25/s",
    "--arrival-rate": "for turns per second write --set traffic.rate=200/s",
    "--vus": "for the number of connections write --connections N (or -u N)",
    "--tag": "a run has one label: --label v1.4.0",
    "--tags": "a run has one label: --label v1.4.0",
    "-o": FOLDER,
    "--out": FOLDER,
    "--output": "every run gets its own folder in --results DIR; to write one view elsewhere: "
    "loadtest report latest --format html --output PATH",
    "--html": "every run writes report.html into its folder; to write it elsewhere: loadtest report latest "
    "--format html --output PATH",
    "--csv": "every run writes timeline.csv into its folder; for its figures as CSV: loadtest report latest "
    "--format csv",
    "--format": "a run prints a short screen; for other views: loadtest report latest --format NAME",
    "--stages": 'write stages in the scenario: stages = [{ duration = "10s", connections = 50 }]',
    "--threshold": '--set "thresholds.turn.first_event.p95=< 100ms"',
    "--summary-export": "every run writes run.json into its folder; --json prints it",
}
"""What an option of another tool is here, by how it is typed there."""


class AnsweringCommand(click.Command):
    """A command that answers an option which it does not have with what does the same."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does.

        Raises:
            UsageError: an option is unknown; the sentence says what to type instead, where that is known.
        """
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            answer = ANSWERS.get(error.option_name)
            if answer is None:
                raise
            raise click.UsageError(f"there is no option {error.option_name}: {answer}", ctx) from None


def with_unit(unit: str) -> Any:
    """Return a callback that reads a bare number, as Locust takes one, as so many of ``unit`` ("s", "/s")."""

    def completed(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
        text = (value or "").strip()
        bare = text.replace(".", "", 1)
        return f"{text}{unit}" if bare.isascii() and bare.isdecimal() else value

    return completed
