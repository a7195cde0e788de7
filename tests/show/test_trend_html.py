from __future__ import annotations

import re

import pytest
from trends import TRENDS

from loadtest.show.trend import written


@pytest.mark.parametrize("name", ["stepped", "nothing", "hostile"])
def test_the_page_needs_nothing_else(name: str) -> None:
    made = TRENDS[name]()
    page = str(written([made], "html", int(made.ruling.exit_code)))
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "<script" not in page
    assert page.count("<svg") == (0 if name == "nothing" else 2) + 1


def test_several_scenarios_stand_on_one_page() -> None:
    page = str(written([TRENDS["steady"](), TRENDS["stepped"]()], "html", 1))
    assert "the worst of 2 trends" in page
    assert "<title>SLOWER: made, 33 runs" in page
    assert "SIMULATED" in page
    assert "Change points" in page
