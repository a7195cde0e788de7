"""The noise floor of a build as a document: how much its runs differ."""

from __future__ import annotations

from loadtest.judge.noise_floor import AGAINST, Floor, Noise
from loadtest.show.comparison import callouts, change_text
from loadtest.show.document import DataTable, Document, DocumentSection, TableColumn, TableRow
from loadtest.show.sanitize import printable
from loadtest.units import FORMATS, format_count, format_spread

COLUMNS = (
    TableColumn("metric", code=True),
    TableColumn("mean", right=True),
    TableColumn("runs", right=True),
    TableColumn("runs differ by", right=True),
    TableColumn(f"{AGAINST} against {AGAINST} runs detect", right=True),
    TableColumn("runs per side for the smallest effect", right=True),
)


def document(floor: Floor) -> Document:
    """The floor in words: what decides first. It has no verdict."""

    def metrics(*, primary: bool) -> DataTable:
        return DataTable(COLUMNS, tuple(_metric(row) for row in floor.rows if row.primary is primary))

    return Document(
        kind="noise",
        subject=printable(floor.side.name),
        about="how much runs of one build differ",
        sections=(
            DocumentSection("What decides", (metrics(primary=True),)),
            DocumentSection("Exploratory", (metrics(primary=False),)),
        ),
        callouts=callouts(floor.notices),
    )


def _metric(row: Noise) -> TableRow:
    rule = row.measure
    takes = "over 200" if row.repeats is None else format_count(row.repeats)
    return TableRow(
        (
            rule.name,
            FORMATS[rule.unit](row.value),
            format_count(row.runs),
            format_spread(row.spread, points=rule.scale == "points"),
            change_text(rule, row.visible),
            f"{takes} ({format_spread(rule.smallest, points=rule.scale == 'points')})",
        )
    )
