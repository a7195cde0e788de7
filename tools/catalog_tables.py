"""The tables of docs/measuring.md that are made from the catalog: every metric, rate and counter.

python -m tools.catalog_tables            print them
python -m tools.catalog_tables --write    write them into the page
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.page import MEASURING, write_table
from loadtest import catalog

NAME = "catalog"


def tables() -> str:
    """Markdown."""
    return "\n".join([*_metrics(), "", *_rates(), "", *_counters()])


def _metrics() -> Iterator[str]:
    yield "| metric | is | of | heading in reports |"
    yield "|---|---|---|---|"
    for each in catalog.METRICS:
        of = "the whole run" if each.whole_run else "the measured part"
        yield f"| `{each.name}` | {each.help} | {of} | {each.group} |"


def _rates() -> Iterator[str]:
    yield "| rate | is |"
    yield "|---|---|"
    for each in catalog.RATES:
        yield f"| `{each.name}` | {each.help} |"


def _counters() -> Iterator[str]:
    yield "| counter | counts | in `run.json` | thresholds |"
    yield "|---|---|---|---|"
    for each in catalog.COUNTERS:
        name = f"`{each.name}`" + (f" by {each.by}" if each.by else "")
        place = f"`{each.kept_as}`" if each.kept_as else "always" if each.always else "if it rose"
        ratio = f", and `.ratio` of `{each.share_of}`" if each.share_of else ""
        judged = f"number{ratio}" if each.threshold else "–"
        yield f"| {name} | {each.help} | {place} | {judged} |"


def main() -> None:
    """Print them, or write them."""
    if "--write" in sys.argv[1:]:
        write_table(NAME, tables(), MEASURING)
    else:
        sys.stdout.write(tables() + "\n")


if __name__ == "__main__":
    main()
