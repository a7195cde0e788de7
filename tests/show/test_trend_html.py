from __future__ import annotations

import json
import re

import pytest
from trends import TRENDS

from loadtest.show.trend import written


@pytest.mark.parametrize("name", ["stepped", "nothing", "hostile"])
def test_the_page_needs_nothing_else(name: str) -> None:
    made = TRENDS[name]()
    page = str(written([made], "html", int(made.ruling.exit_code)))
    assert set(re.findall(r"\s(?:src|href)=\"([^\"#]+)", page)) == {"data:,"}
    assert page.count("<script") == (0 if name == "nothing" else 2)
    assert page.count("<svg") == (0 if name == "nothing" else 1) + 1


def test_a_run_leads_to_its_report_and_a_level_is_a_line() -> None:
    page = str(written([TRENDS["stepped"]()], "html", 1, link=lambda run: f"./{run}/report.html"))
    found = re.search(r'id="chart-data">(.*?)</script>', page)
    assert found
    chart = json.loads(found[1])[0][0]
    assert chart["links"][0] == "./n000/report.html"
    assert [each["label"] for each in chart["series"]][:2] == ["run", "mean of its level"]
    assert len({value for value in chart["series"][1]["values"] if value is not None}) == 2
    assert chart["limits"] == [{"label": "p95 < 100ms", "value": 100, "missed": False}]


def test_several_scenarios_stand_on_one_page() -> None:
    page = str(written([TRENDS["steady"](), TRENDS["stepped"]()], "html", 1))
    assert "the worst of 2 trends" in page
    assert "<title>SLOWER: made: 33 runs" in page
    assert "SIMULATED" in page
    assert "Change points" in page
