"""``loadtest ab``: two targets, alternating."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.compare import FILES, WRITTEN
from loadtest.cli.compare_extra import need_compare
from loadtest.cli.output_files import links_from, write
from loadtest.cli.shared_options import Settings, ShippedName, WholeNumber, option, results_option

if TYPE_CHECKING:
    from loadtest.run.ab import AbResult
    from loadtest.show.comparison import Compared

EXAMPLES = """\b
Examples:
  loadtest ab agent-burst --a ws://blue:8000/ws --b ws://green:8000/ws
  loadtest ab my.toml --a ws://blue:8000/ws --b ws://green:8000/ws --block 30s --pairs 12 --label v1.5.0
"""


@click.command(epilog=EXAMPLES)
@click.argument("scenario", default="agent-burst", type=ShippedName("scenario"))
@option("--a", metavar="URL", required=True, help="The URL of the baseline.")
@option("--b", metavar="URL", required=True, help="The URL of the candidate.")
@option("--block", metavar="TIME", default="10s", show_default=True, help="How long each block is measured.")
@option(
    "--warmup",
    metavar="TIME",
    default="2s",
    show_default=True,
    help="Warm-up before each block, not measured.",
)
@option(
    "--pairs",
    metavar="N",
    type=WholeNumber(),
    default=8,
    show_default=True,
    help="Blocks per target; a verdict needs at least 6.",
)
@option("--connections", metavar="N", type=WholeNumber(), help="How many connections.")
@option("--set", "sets", metavar="KEY=VALUE", type=Settings(), multiple=True, envvar="LOADTEST_AB_SET",
        help="Replace one key of the scenario; repeatable (in the variable: one per line).")  # fmt: skip
@option("--label", metavar="TEXT", help="Label the blocks TEXT-a and TEXT-b.")
@option("--processes", metavar="N", type=WholeNumber(), default=1, help="Local load-generator processes.")
@option("--output", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
        help="Where to write the comparison; default: beside the runs.")  # fmt: skip
@option("--lenient", is_flag=True, help="Exit with 0 instead of 4 if the verdict is cannot tell.")
@option("--insecure", is_flag=True, help="Do not verify the targets' certificates; every report will say so.")
@results_option("AB")
def command(scenario: str, **options: Any) -> int:
    """Run SCENARIO against two targets alternately, a b b a b a a b, and compare them pair by pair.

    Drift acts on both blocks of a pair and cancels out. Exit codes: 0 same, faster or better; 1 worse,
    slower or a threshold newly missed; 3 unreachable; 4 cannot tell.
    """
    from loadtest.errors import Exit, worst_of
    from loadtest.run.ab import AbOptions, run_ab
    from loadtest.run.options import RunOptions

    need_compare("ab")
    own = {name: options.pop(name) for name in ("a", "b", "block", "warmup", "pairs", "output", "lenient")}
    options["sets"] = (*options["sets"], f"load.warmup={own['warmup']}")
    each = RunOptions(scenario=scenario, duration=own["block"], **options)
    began = datetime.now(UTC)
    taken = run_ab(AbOptions(a=own["a"], b=own["b"], each=each, pairs=own["pairs"]))
    if not taken.pairs and taken.ended_by is not None:
        click.echo("no pair of blocks was finished, so there is nothing to compare", err=True)
        return taken.ended_by
    found = _compared(taken, lenient=own["lenient"])
    code = found.comparison.ruling.exit_code
    sides = (found.comparison.baseline, found.comparison.candidate)
    if taken.ended_by is Exit.UNREACHABLE and all(side.failed == len(side.runs) for side in sides):
        code = Exit.UNREACHABLE
    try:
        _keep(found, own["output"], Path(options["results"]), began)
    finally:
        _show(found)
    return code if taken.ended_by is None else worst_of([taken.ended_by, code])


def _compared(taken: AbResult, *, lenient: bool) -> Compared:
    """The comparison, pair by pair."""
    from loadtest.judge.compare import compare
    from loadtest.judge.samples import paired_sides
    from loadtest.show.comparison import compared

    one, other = paired_sides(taken.labels, [(a.manifest, b.manifest) for a, b in taken.pairs])
    comparison = compare(one, other, lenient=lenient, paired=True)
    return compared(comparison, [a for a, _ in taken.pairs], [b for _, b in taken.pairs])


def _show(found: Compared) -> None:
    from loadtest.show.comparison import document
    from loadtest.show.render.terminal import show

    show([document(found.comparison)], sys.stdout)


def _keep(found: Compared, output: Path | None, results: Path, began: datetime) -> None:
    """Write every view, and say where."""
    from loadtest.keep.folder import folder_name, make_folder
    from loadtest.show.comparison import written

    if output is None:
        output = make_folder(results, folder_name(f"ab-{found.comparison.scenario}", None, began))
    code = int(found.comparison.ruling.exit_code)
    link = links_from(
        output, {str(run.manifest.get("id")): run.path for run in (*found.baseline, *found.candidate)}
    )
    for name, file in FILES.items():
        if name in WRITTEN:
            write(output / file, written([found], name, code, link=link))
    click.echo(f"wrote {output}")
