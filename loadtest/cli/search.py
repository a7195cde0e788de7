"""``loadtest search``: the highest load that still passes the thresholds."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.shared_options import ShippedName, WholeNumber, option, plan_options, results_option
from loadtest.errors import ConfigError, Problem

if TYPE_CHECKING:
    from loadtest.judge.knee import Search

EXAMPLES = """\b
Examples:
  loadtest search agent-burst --target ws://staging:8000/ws --over connections --to 2000
  loadtest search echo-steady --over rate --from 200/s --to 5000/s --duration 20s
  loadtest search my.toml --over rate --precision 2% --repeat 5
"""


@click.command(epilog=EXAMPLES)
@click.argument("scenario", default="agent-burst", type=ShippedName("scenario"))
@plan_options("SEARCH")
@option("--over", type=click.Choice(["connections", "rate"]), default="connections", show_default=True,
        help="The load to vary: the number of connections, or turns per second.")  # fmt: skip
@option(
    "--from",
    metavar="LOAD",
    help="The first load, such as 50 or 100/s; default: the scenario's load.",
)
@option("--to", metavar="LOAD", help="The highest load to try; default: the scenario's limit.")
@option("--step", metavar="FACTOR", type=click.FloatRange(1.1, 10), default=2.0, show_default=True,
        help="The load is multiplied by this factor until a threshold is missed.")  # fmt: skip
@option("--precision", metavar="PART", default="5%", show_default=True, help="The precision of the result.")
@option(
    "--repeat",
    metavar="N",
    type=WholeNumber(),
    default=3,
    show_default=True,
    help="Runs at each end of the final range.",
)
@option("--label", metavar="TEXT", help="Label the runs search-TEXT.")
@option("--processes", metavar="N", type=WholeNumber(), default=1, help="Local load-generator processes.")
@option("--output", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
        help="Where to write the result; default: beside the runs.")  # fmt: skip
@option("--insecure", is_flag=True, help="Do not verify the target's certificate; every report will say so.")
@results_option("SEARCH")
def command(scenario: str, **options: Any) -> int:
    """Find the highest load at which SCENARIO still passes its thresholds.

    The load grows until a threshold is missed. Then loadtest halves the range between the highest load that
    passed and the lowest load that missed. Every probe is a stored run. Exit codes: 0 found, or all loads up
    to --to passed; 1 no load passed; 3 unreachable; 4 the generator was the limit.
    """
    from loadtest.run.options import RunOptions
    from loadtest.run.search import SearchOptions, run_search

    own = {
        name: options.pop(name) for name in ("over", "from", "to", "step", "precision", "repeat", "output")
    }
    search = run_search(
        SearchOptions(
            each=RunOptions(scenario=scenario, **options),
            over=own["over"],
            start=_load(own["from"], "--from", own["over"]),
            max_load=_load(own["to"], "--to", own["over"]),
            step=own["step"],
            precision=_part(own["precision"]),
            repeat=own["repeat"],
        )
    )
    _show(search)
    _keep(search, own["output"], Path(options["results"]))
    return search.finding.exit_code


def _load(text: str | None, name: str, over: str) -> float | None:
    """A number of connections, or a rate; a rate without a unit is by the second."""
    from loadtest.units import parse_rate

    if text is None:
        return None
    try:
        load = (
            float(text) if over == "connections" or text.replace(".", "", 1).isdigit() else parse_rate(text)
        )
    except ValueError as error:
        right = "a whole number, such as 50" if over == "connections" else str(error)
        raise ConfigError([Problem(name, f"`{text}`: {right}")]) from None
    if not 0 < load < 1e9:
        raise ConfigError([Problem(name, f"the load `{text}` must be more than 0")])
    return load


def _part(text: str) -> float:
    from loadtest.units import parse_ratio

    try:
        part = parse_ratio(text)
    except ValueError as error:
        raise ConfigError([Problem("--precision", str(error))]) from None
    if not 0.001 <= part <= 1:
        raise ConfigError([Problem("--precision", f"`{text}` must be between 0.1% and 100%")])
    return part


def _show(search: Search) -> None:
    from loadtest.show.render.terminal import show
    from loadtest.show.search import document

    click.echo()
    show([document(search)], sys.stdout)


def _keep(search: Search, output: Path | None, results: Path) -> None:
    """Write every view, and say where."""
    from loadtest.keep.atomic import write_whole
    from loadtest.keep.folder import folder_name, make_folder
    from loadtest.show.plot.knee import KneePicture
    from loadtest.show.render.html import html
    from loadtest.show.render.json import as_json
    from loadtest.show.render.markdown import markdown
    from loadtest.show.search import document

    if output is None:
        name = folder_name(f"search-{search.scenario}", None, datetime.fromisoformat(search.started))
        output = make_folder(results, name)
    of = document(search)
    texts = {"search.json": as_json(search.as_dict()), "search.md": markdown([of])}
    try:
        output.mkdir(parents=True, exist_ok=True)
        if search.tries:
            picture = KneePicture(search)
            texts |= {"search.html": html([of], int(search.finding.exit_code)), "knee.svg": picture.svg()}
            write_whole(output / "knee.png", picture.png())
        for name, text in texts.items():
            write_whole(output / name, text)
    except OSError as error:
        raise ConfigError(
            [
                Problem(
                    "--output",
                    f"the file {output} cannot be written: {error.strerror}",
                )
            ]
        ) from None
    click.echo(f"wrote {output}")
