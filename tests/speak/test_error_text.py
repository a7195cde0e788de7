"""The words of an error of the target."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.speak.error_text import LONGEST, error_text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"type": "error", "message": "please\n log in"}, "please log in"),
        ({"error": {"code": "x1", "message": "busy\x1b[2J"}}, "busy [2J"),
        ({"errors": [{"message": "no field"}]}, "no field"),
        ({"error": "denied", "message": ""}, "denied"),
        ({"code": 7, "message": None}, ""),
        ([], ""),
        ({"message": "x" * 500}, "x" * LONGEST + "\u2026"),
    ],
)
def test_what_an_error_says(found: Any, text: str) -> None:
    assert error_text(found) == text
