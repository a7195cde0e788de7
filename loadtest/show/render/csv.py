"""CSV, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from loadtest.show.sanitize import printable

LONGEST = 2000
"""Characters of a cell; the rest is in the JSON."""

_FORMULA = ("=", "+", "-", "@")


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows below their heads; what does not exist (None) is an empty cell, numbers are written whole."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([_guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return made.getvalue()


def _guarded(text: str) -> str:
    """Printable, and never a formula: spreadsheets run what begins like one."""
    shown = printable(text, LONGEST)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
