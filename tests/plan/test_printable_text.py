"""What nobody would see is shown as its escape, everything else as it is."""

from __future__ import annotations

import pytest

from loadtest.plan.printable_text import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("ö → ja", "ö → ja"),
        ("^\r?$", r"^\r?$"),
        ("PONG\r\n", r"PONG\r\n"),
        ("\x1b[2J\u202e", r"\x1b[2J\u202e"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
