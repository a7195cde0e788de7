"""The fenced blocks of the README and the docs, and what their first line says about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

FENCE = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block. ``marks`` are the words after the language: ``run``, ``file=NAME``, ``scenario``."""

    document: Path
    line: int
    language: str
    marks: tuple[str, ...]
    text: str

    @property
    def file(self) -> str | None:
        """The name under which a reader saves the block."""
        return next((mark.removeprefix("file=") for mark in self.marks if mark.startswith("file=")), None)

    @property
    def name(self) -> str:
        """Where it stands."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(document: Path) -> Iterator[Block]:
    """Yield every fenced block of a document, in order."""
    text = document.read_text("utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(document, line, match[1], tuple((match[2] or "").split()), match[3])


def every(language: str, *marks: str) -> list[Block]:
    """Return the blocks of all documents in a language that carry all these marks."""
    found = [block for document in DOCUMENTS for block in blocks(document)]
    return [block for block in found if block.language == language and set(marks) <= set(block.marks)]


def commands(block: Block) -> Iterator[str]:
    """Yield the commands of a shell block, continued lines joined, comments left out."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if command := re.sub(r"\s+#.*$", "", line).strip():
            yield command
