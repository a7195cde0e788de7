from __future__ import annotations

import copy
import json
from typing import Any
from xml.etree import ElementTree

import junitparser
import pytest
from compared import COMPARISONS, lossy, nothing, of, release, single, slower

from loadtest.show.comparison import COLUMNS, document, suite, written
from loadtest.show.render.junit import junit
from loadtest.show.render.markdown import markdown


@pytest.mark.parametrize("name", COMPARISONS)
def test_json_holds_no_number_that_is_none(name: str) -> None:
    made = COMPARISONS[name]()
    read: Any = json.loads(written(made, "json", 1), parse_constant=pytest.fail)
    assert read["schema"] == "loadtest.comparison/1"
    assert len(read["comparisons"]) == len(made)
    for each in read["comparisons"]:
        assert each["verdict"]["exit_code"] in {0, 1, 4}
        for row in each["metrics"]:
            assert row["verdict"] in {"worse", "slower", "better", "faster", "same", "cannot tell"}


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_row_of_a_table_has_every_column(name: str) -> None:
    text = markdown(document(each.comparison) for each in COMPARISONS[name]())
    assert text.startswith("# ")
    for row in text.splitlines():
        if row.startswith("| ") and " --- " not in row:
            cells = row.replace("\\|", "").count("|") - 1
            assert cells in {len(COLUMNS) + 1, 3}


def test_what_decides_stands_before_what_does_not() -> None:
    text = markdown([document(slower()[0].comparison)], whole=True)
    assert text.index("## What decides") < text.index("<details><summary>Exploratory")
    assert text.startswith("# SLOWER: agent-burst")


def test_what_differs_is_told() -> None:
    elsewhere = copy.deepcopy(release("v2", 5, 1.4))
    for run in elsewhere:
        run.manifest["fingerprint"]["machine"] = "another|one"
    text = markdown([document(of(("v1", release("v1", 5)), ("v2", elsewhere))[0].comparison)])
    assert "| `machine` | 9f86d081884c | another\\|one |" in text


@pytest.mark.parametrize("name", COMPARISONS)
def test_junit_is_read_by_build_servers(name: str) -> None:
    text = written(COMPARISONS[name](), "junit", 1)
    read = junitparser.JUnitXml.fromstring(text.encode())
    assert sum(1 for _ in read) == len(COMPARISONS[name]())
    assert all(suite.skipped == 0 for suite in read)


def counted(comparisons: list[Any]) -> tuple[int, int, int]:
    found = ElementTree.fromstring(junit(map(suite, comparisons)))[0]
    return tuple(int(found.get(name, "")) for name in ("tests", "failures", "errors"))  # type: ignore[return-value]  # three of them


def test_slower_is_a_failure_and_not_knowing_an_error() -> None:
    decide = len(slower()[0].comparison.primary) + 1
    assert counted([slower()[0].comparison])[:2] == (decide, 1)
    assert counted([lossy()[0].comparison])[1] == 1
    assert counted([single()[0].comparison]) == (decide, 0, decide - 1)
    assert counted([nothing()[0].comparison])[2] >= 1


def test_a_job_summary_lists_only_what_decides() -> None:
    assert "Exploratory" not in markdown([document(slower()[0].comparison)])


def test_where_nothing_can_be_decided_one_sentence_says_so() -> None:
    text = markdown([document(single()[0].comparison)])
    assert "Nothing can be decided yet: the sides have 1 and 1 runs; a verdict needs 4 per side" in text
    assert "| " not in text
    assert len(text.encode()) < 3000
    assert "## What decides" in markdown([document(single()[0].comparison)], whole=True)


def test_of_several_the_worst_stands_first_and_on_top() -> None:
    before = ("v1", release("v1", 5))
    found = of(before, ("v2", release("v2", 5)), ("v3", release("v3", 5, 1.4)), ("v4", release("v4", 5)))
    made = [each.comparison for each in found]
    text = markdown(map(document, made))
    assert text.startswith("# SLOWER: the worst of 3 comparisons, exit code 1")
    assert [row.split("**")[1] for row in text.splitlines() if row.startswith("- ❌")] == ["SLOWER"]
    titles = [row for row in text.splitlines() if row.startswith("# ")]
    assert "v1 (5 runs) → v3 (5 runs)" in titles[1]
    read = json.loads(written(found, "json", 1))
    assert (read["verdict"]["outcome"], read["verdict"]["exit_code"]) == ("slower", 1)
    assert "→ v3" in read["verdict"]["comparison"]
    assert read["comparisons"][0]["candidate"]["name"] == "v2"


def test_a_threshold_that_the_candidate_misses_is_never_green() -> None:
    runs = copy.deepcopy(release("v1", 5))
    for run in runs:
        for row in run.manifest["verdict"]["thresholds"]:
            row["outcome"] = "missed"
    found = document(of(("v1", runs), ("again", runs))[0].comparison)
    assert found.tone != "good"
    missed = {row["name"] for run in runs for row in run.manifest["verdict"]["thresholds"]}
    decides = found.sections[0].tables[0]
    assert {row.tone for row in decides.rows if row.text(1) in missed} == {"bad"}


def test_a_target_that_was_down_is_a_failure_of_the_comparison() -> None:
    down = copy.deepcopy(release("v2", 5))
    down[-1].manifest["verdict"]["outcome"] = "unreachable"
    (found,) = of(("v1", release("v1", 5)), ("v2", down))
    assert found.comparison.ruling.outcome == "worse"
    assert counted([found.comparison])[1] >= 1
