from __future__ import annotations

import io

from rich.console import Console

from loadtest.show.terminal_screen import indented, noticed, print_parts, rendered, shown


def draw(console: Console) -> None:
    parts = (
        ["µ first"],
        [],
        [indented("second " * 30, 4)],
        noticed([("code", "said", "remedy")]),
        noticed([]),
    )
    print_parts(parts, console)


def test_parts_have_an_empty_line_between_them() -> None:
    text = rendered(draw, width=60)
    assert text.startswith("µ first\n\n    second")
    assert text.endswith("Notices\n  ! code\n    said\n    → remedy\n")
    assert all(len(line) <= 60 for line in text.splitlines())


def test_plain_ascii() -> None:
    assert rendered(draw, ascii_only=True).startswith("u first")


def test_a_stream_that_takes_no_unicode_gets_none() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    shown(draw, stream)
    stream.flush()
    assert stream.buffer.getvalue().startswith(b"u first")  # type: ignore[attr-defined]  # a BytesIO
