"""The tables "Every key" of docs/scenarios.md, made from the schema of a scenario.

    python tools/key_tables.py            ends with 1 if the page is not as the schema says
    python tools/key_tables.py --write    brings it up to date

A table stands between ``<!-- keys of TABLE -->`` and ``<!-- end of keys -->``; TABLE is ``a scenario`` or a
name such as ``load``. The keys of a table that has no such place stand in the table around it: ``cut.share``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loadtest.plan.key_types import KeyTable
from loadtest.plan.schema import all_tables

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scenarios.md"

PLACE = re.compile(r"<!-- keys of ([\w. ]+) -->\n.*?<!-- end of keys -->", re.DOTALL)

WHOLE_FILE = "a scenario"


def rows(table: KeyTable[Any], elsewhere: set[str], before: str = "") -> Iterator[str]:
    """One row for each key; ``elsewhere`` names the tables that have a place of their own."""
    for key in table.keys:
        inner = key.type.keys
        if inner is not None and inner.title not in elsewhere:
            yield from rows(inner, elsewhere, f"{before}{key.name}.")
        else:
            yield f"| `{before}{key.name}` | {key.help} | {table.default_shown(key)} |"


def rewritten(page: str) -> str:
    """The page with its tables as the schema says.

    Raises:
        KeyError: the page has a place for a table that is none.
    """
    tables = {table.title or WHOLE_FILE: table for table in all_tables()}
    places = set(PLACE.findall(page))

    def made(place: re.Match[str]) -> str:
        head = ["| key | is | default |", "|---|---|---|"]
        lines = "\n".join([*head, *rows(tables[place[1]], places)])
        return f"<!-- keys of {place[1]} -->\n\n{lines}\n\n<!-- end of keys -->"

    return PLACE.sub(made, page)


def main() -> int:
    """Compare the page with the schema, or write it."""
    page = PAGE.read_text("utf-8")
    wanted = rewritten(page)
    if wanted == page:
        return 0
    if "--write" in sys.argv[1:]:
        PAGE.write_text(wanted, "utf-8")
        return 0
    sys.stdout.write(f"{PAGE.name} is not as the schema says; run: python tools/key_tables.py --write\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
