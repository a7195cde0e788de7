"""A match that is written in Python is checked as one in a protocol is."""

from __future__ import annotations

import pytest

from loadtest.plan.match_file import checked_match


def test_a_type_or_a_table_is_a_match() -> None:
    assert checked_match("done") == "done"
    assert checked_match({"type": "done", "has": "x"}) == {"type": "done", "has": "x"}


@pytest.mark.parametrize("wrong", [None, 5, "", {}, {"has": 7}, {"regex": "("}])
def test_anything_else_is_told(wrong: object) -> None:
    with pytest.raises(ValueError, match="a match must be an event type or a table of conditions: "):
        checked_match(wrong)
