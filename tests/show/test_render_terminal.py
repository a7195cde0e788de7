from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from loadtest.show.document import (
    Callout,
    DataTable,
    Document,
    DocumentSection,
    TableCell,
    TableColumn,
    TableRow,
)
from loadtest.show.render.terminal import indented, print_parts, render, rendered, show

COLUMNS = (
    TableColumn(""),
    TableColumn("metric", code=True),
    TableColumn("before", right=True),
    TableColumn("after", right=True),
    TableColumn("p", right=True, screen="never"),
    TableColumn("since", screen="below"),
)

ROWS = (
    TableRow(
        ("slower", "turn.first_event.p95", TableCell("10 ms", "5 runs"), "20 ms", "0.01", "Monday"), "bad"
    ),
    TableRow(("same", "turn.completion.p95", "30 ms", "30 ms", "1", ""), "good", remark="nothing changed"),
    TableRow(("same", "event.gap.p95", "3 ms", "3 ms", "1", ""), "good", notable=False),
)

DOCUMENT = Document(
    kind="comparison",
    subject="scenario",
    about="→ µ",
    word="SLOWER",
    tone="bad",
    exit_code=1,
    why="It is slower.",
    sections=(
        DocumentSection("What decides", (DataTable(COLUMNS, ROWS[:2]),), brief="means"),
        DocumentSection("Exploratory", (DataTable(COLUMNS, ROWS[2:]),), folded="1 metric"),
        DocumentSection("Empty", (DataTable(COLUMNS, ()),)),
    ),
    callouts=(Callout("code", "said", "remedy"),),
)


def test_a_wide_screen_has_a_line_a_row_and_below_it_what_has_no_column() -> None:
    lines = render([DOCUMENT], width=100).splitlines()
    at = lines.index("What decides  means")
    assert lines[at + 1].split() == ["metric", "before", "after"]
    assert lines[at + 2].split() == ["✗", "slower", "turn.first_event.p95", "10", "ms", "20", "ms"]
    assert lines[at + 3] == "    since: Monday"
    assert "  ✓ nothing changed" in lines
    assert "  exploratory: 1 same (--exploratory lists them)" in lines
    assert "Empty" not in lines
    assert lines[-5:] == ["  ! code", "    said", "    → remedy", "", "SLOWER, exit code 1: It is slower."]


def test_a_narrow_screen_has_two_lines_a_row_and_at_last_a_sentence() -> None:
    long = replace(ROWS[0], cells=("slower", "m" * 80, "1" * 20, "2" * 20, "", ""))
    narrow = replace(DOCUMENT, sections=(DocumentSection("What decides", (DataTable(COLUMNS, (long,)),)),))
    lines = render([narrow], width=60).splitlines()
    assert "      " + "1" * 20 + "  " + "2" * 20 in lines
    longer = replace(long, cells=("slower", "m", "1" * 30, "2" * 30, "", ""))
    narrow = replace(DOCUMENT, sections=(DocumentSection("What decides", (DataTable(COLUMNS, (longer,)),)),))
    text = " ".join(render([narrow], width=60).split())
    assert f"before {'1' * 30}, after {'2' * 30}" in text


def test_everything_is_listed_where_asked() -> None:
    text = render([DOCUMENT], whole=True)
    assert "\nExploratory\n" in text
    assert "event.gap.p95" in text


def test_where_nothing_is_decided_only_the_numbers_that_will_decide_are_shown() -> None:
    text = render([replace(DOCUMENT, decided=False)])
    assert "turn.completion.p95" in text
    assert "xploratory" not in text
    assert "Exploratory" in render([replace(DOCUMENT, decided=False)], whole=True)


def draw(console: Console) -> None:
    parts = (
        ["µ first"],
        [],
        [indented("second " * 30, 4)],
    )
    print_parts(parts, console)


def test_parts_have_an_empty_line_between_them() -> None:
    text = rendered(draw, width=60)
    assert text.startswith("µ first\n\n    second")
    assert all(len(line) <= 60 for line in text.splitlines())


def test_plain_ascii() -> None:
    assert rendered(draw, ascii_only=True).startswith("u first")


def test_a_stream_that_takes_no_unicode_gets_none() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show([DOCUMENT], stream)
    stream.flush()
    assert stream.buffer.getvalue().startswith(b"scenario  > u")  # type: ignore[attr-defined]  # a BytesIO


def test_the_last_line_is_whole_where_no_terminal_shows_it() -> None:
    why = f"It is slower: {'turn.completion.p95, ' * 20}and that is the end."
    stream = io.StringIO()
    show([replace(DOCUMENT, why=why)], stream)
    assert stream.getvalue().endswith(f"SLOWER, exit code 1: {why}\n")
    assert render([replace(DOCUMENT, why=why)]).endswith("…\n")
    assert render([replace(DOCUMENT, why=why)], cut=False).endswith("the end.\n")
