from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len
from sample import SampleRun

from loadtest.show.build_report import build_report
from loadtest.show.render.terminal import aligned, render, show, takes_unicode
from loadtest.show.run import document

Golden = Callable[[str, str], None]
Sample = Callable[[str], SampleRun]


def screen(run: SampleRun, **options: Any) -> str:
    return render([document(build_report(run.manifest))], **options)


def test_golden(stored: tuple[str, SampleRun], golden: Golden) -> None:
    name, run = stored
    golden(f"{name}.terminal.txt", screen(run, where="results/x/report.html"))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(run: SampleRun, width: int) -> None:
    for line in screen(run, width=width).splitlines():
        assert cell_len(line) <= width, line


def test_the_table_of_metrics_keeps_whole_rows_at_80_columns(sample: Sample) -> None:
    lines = screen(sample("failed"), width=80).splitlines()
    (head,) = [line for line in lines if line.lstrip().startswith("n ")]
    assert head.split() == ["n", "min", "p50", "p95", "p99", "p99.9", "max"]
    row = next(line for line in lines if line.startswith("  completion"))
    assert len(row.split()) == 2 + 2 * 6


def test_a_wide_terminal_shows_every_column(sample: Sample) -> None:
    assert "p90" in screen(sample("failed"), width=120)


def test_columns_are_aligned_at_the_right(sample: Sample) -> None:
    lines = screen(sample("passed")).splitlines()
    head = next(line for line in lines if line.lstrip().startswith("n "))
    rows = [line for line in lines if line.startswith(("  first event", "  completion", "  event gap "))]
    assert {len(row) for row in rows} == {len(head)}


def test_ascii_is_ascii_and_of_the_same_shape(run: SampleRun) -> None:
    text = screen(run, ascii_only=True)
    assert text.isascii()


def test_simulated_is_said_at_the_top(sample: Sample) -> None:
    assert "SIMULATED" in screen(sample("passed")).splitlines()[0]
    assert "SIMULATED" not in screen(sample("unreachable"))


def test_no_colour_without_a_terminal_and_colour_on_one(sample: Sample) -> None:
    assert "\x1b[" not in screen(sample("failed"))
    assert "\x1b[31m" in screen(sample("failed"), colour=True)


def test_commands_in_foreign_text_do_not_reach_the_terminal(sample: Sample) -> None:
    text = screen(sample("hostile"))
    assert not set(text) & set("\x1b\x00\u202e")
    assert "[31m" in text  # it is shown, as text


def test_what_is_printed_fits_the_stream(sample: Sample) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    show([document(build_report(sample("hostile").manifest))], stream)
    stream.seek(0)
    assert stream.read().isascii()
    assert takes_unicode(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert not takes_unicode(io.StringIO())


def test_footnotes_stand_below_the_table_with_their_mark(sample: Sample) -> None:
    text = screen(sample("passed"))
    assert "– [1]" in text
    assert "  [1] not enough samples (n): p50 needs 2" in text


def test_the_tables_of_metrics_have_one_head_at_every_width(sample: Sample) -> None:
    for width in (60, 80, 100, 140):
        lines = [line.split() for line in screen(sample("failed"), width=width).splitlines()]
        assert len([line for line in lines if line[:1] == ["n"] and "p50" in line]) == 1, width
    assert "831 µs" in next(
        line for line in screen(sample("failed"), width=60).splitlines() if "7,411" in line
    )


def test_what_was_not_measured_for_one_reason_stands_together(sample: Sample) -> None:
    text = screen(sample("failed"), width=120)
    assert "turn.first_audio, turn.first_audio.service  the protocol does not say" in text
    assert "others, which the report lists" in text
    assert "connect.tls" not in text
    assert "connect.tls" in screen(sample("failed"), width=120, whole=True)


def test_a_reason_of_several_counters_in_turn_is_said_once(sample: Sample) -> None:
    lines = screen(sample("failed"), width=100).splitlines()
    at = next(n for n, line in enumerate(lines) if line.split()[1:3] == ["Events", "duplicate"])
    assert "no sequence number" not in lines[at + 1]
    assert "no sequence number" in lines[at + 2]


def test_a_column_gives_way_where_lines_would_be_too_wide() -> None:
    assert aligned([["ab", "x" * 40, "1"]], "llr", 30, give_way=1) == [f"ab  {'x' * 22}…  1"]
    assert aligned([["a", "1"], ["bbb", "22"]], "lr", 80) == ["a     1", "bbb  22"]


def test_the_verdict_fits_on_one_line(sample: Sample) -> None:
    line = build_report(sample("failed").manifest).one_line
    assert line.startswith("FAIL SIMULATED 20261122T121530Z-agent-burst-v1.4.0: 2 of 6")


def test_the_screen_needs_neither_matplotlib_nor_jinja2() -> None:
    code = (
        "import sys; from loadtest.show import progress, report_formats;"
        "from loadtest.show.render.terminal import render;"
        "from loadtest.show.build_report import build_report; from loadtest.show.run import document;"
        "render([document(build_report({}))]);"
        "print({'matplotlib', 'jinja2', 'locust', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
