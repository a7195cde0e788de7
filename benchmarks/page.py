"""Measured tables in a page of the docs: written by the command that measured them, between two marks."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "calibration.md"
MEASURING = DOCS / "measuring.md"


def write_table(name: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``.

    Raises:
        ValueError: the page has no such marks.
    """
    before, _, after = _around(name, page)
    page.write_text(f"{before}\n\n{text.strip()}\n\n{after}", "utf-8")


def read_table(name: str, page: Path = PAGE) -> str:
    """What stands between the two marks.

    Raises:
        ValueError: the page has no such marks.
    """
    return _around(name, page)[1].strip()


def _around(name: str, page: Path) -> tuple[str, str, str]:
    """A page in three: up to the first mark, between the two, from the second on."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.read_text("utf-8").partition(begin)
    shown, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page} has no place for the table: {begin} {end}")
    return f"{before}{begin}", shown, f"{end}{after}"


def made_on(manifest: dict[str, Any], *, first: bool) -> str:
    """The machine and the versions that a run was made with, and today's date.

    ``first``: server and generator ran before all other processes.
    """
    found, libraries = manifest["fingerprint"], manifest["fingerprint"]["libraries"]
    memory = found["memory_bytes"] / 2**30
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"Made on {today}: {found['cpu']}, {found['cores']} cores, {memory:.0f} GiB, Linux "
        f"{release(found['kernel'])}, {found['python']}, gevent {libraries['gevent']}, websockets "
        f"{libraries['websockets']}, loadtest {found['loadtest']}. Loopback; server and generator each had a "
        f"core of their own{', at real-time priority' if first else ''}."
    )


def release(kernel: str) -> str:
    """The version of a kernel, without what names one machine's build: "6.18"."""
    return ".".join(kernel.split("-", maxsplit=1)[0].split(".")[:2])


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column to the left, numbers to the right."""
    marks = ["---", *("--:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, marks, *rows])


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of all Markdown tables in a text, each by the names of its columns."""
    rows: list[dict[str, str]] = []
    head: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if head and cells and cells[0] != "---":
            rows.append(dict(zip(head, cells, strict=True)))
        head = cells and (head or cells)
    return rows
