from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest
from trends import TRENDS

from loadtest.show.render.markdown import markdown
from loadtest.show.trend import OTAVA_RUN, document, otava, written


@pytest.mark.parametrize("name", ["stepped", "promised"])
def test_markdown(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"trend-{name}.md", markdown([document(TRENDS[name]())]))


@pytest.mark.parametrize("name", TRENDS)
def test_markdown_of_any_is_one_table_row_per_line(name: str) -> None:
    text = markdown([document(TRENDS[name]())])
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)
    assert "nan" not in text.lower().split()


@pytest.mark.parametrize("name", TRENDS)
def test_json_has_no_number_that_is_none(name: str) -> None:
    made = json.loads(str(written([TRENDS[name]()], "json", 1)))
    assert (made["schema"], made["exit_code"]) == ("loadtest.trend/1", 1)
    assert made["trends"][0]["verdict"]["outcome"]


def test_otava_has_a_row_per_run_and_a_column_per_metric() -> None:
    rows = list(csv.DictReader(io.StringIO(otava([TRENDS["stepped"](), TRENDS["one"]()]))))
    assert len(rows) == 33 + 1
    assert list(rows[0])[: len(OTAVA_RUN)] == list(OTAVA_RUN)
    assert (rows[21]["run"], rows[21]["label"], rows[21]["commit"]) == ("n021", "v2", "c" * 12)
    assert float(rows[0]["turn.first_event.p95"]) > 0
    assert "turns.complete.ratio" in rows[0]


def test_otava_leaves_empty_what_was_not_measured() -> None:
    rows = list(csv.DictReader(io.StringIO(otava([TRENDS["unmeasured"]()]))))
    assert {row["turn.first_event.p95"] for row in rows} == {""}


def test_a_job_summary_of_a_young_history_is_short() -> None:
    text = markdown([document(TRENDS["one"]())])
    assert "|" not in text
    assert len(text.encode()) < 1000
    assert "<details><summary>Exploratory" in markdown([document(TRENDS["one"]())], whole=True)


def test_of_several_the_worst_stands_first_and_on_top() -> None:
    trends = [TRENDS[name]() for name in ("steady", "losing")]
    text = markdown(map(document, trends))
    assert text.startswith("# WORSE: the worst of 2 trends, exit code 1")
    made = json.loads(str(written(trends, "json", 1)))
    assert (made["verdict"]["outcome"], made["verdict"]["exit_code"]) == ("worse", 1)
