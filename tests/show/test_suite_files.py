from __future__ import annotations

import json
from xml.etree import ElementTree

from junitparser import JUnitXml
from suites import SUITE

from loadtest.show.suite import files


def test_every_view_has_a_file() -> None:
    assert set(files(SUITE)) == {
        "suite.md",
        "suite.txt",
        "suite.json",
        "junit.xml",
        "benchmark.json",
        "benchmark-rates.json",
    }


def test_junit_has_a_suite_per_run_and_skips_nothing() -> None:
    suites = list(JUnitXml.fromstring(files(SUITE)["junit.xml"].encode()))
    assert [suite.name for suite in suites] == [
        "burst SIMULATED",
        "burst SIMULATED (2)",
        "steady",
        "storm",
        "crashed",
        "soak",
    ]
    found = {suite.name: (suite.tests, suite.failures, suite.errors, suite.skipped) for suite in suites}
    assert found["burst SIMULATED"] == (2, 0, 0, 0)
    assert found["steady"] == (2, 1, 0, 0)
    assert found["storm"][2] >= 1
    assert found["crashed"] == (1, 0, 1, 0)
    assert found["soak"] == (1, 0, 1, 0)
    error = ElementTree.fromstring(files(SUITE)["junit.xml"]).find("testsuite[@name='soak']/testcase/error")
    assert error is not None
    assert error.get("type") == "not run"


def test_benchmarks_are_means_of_the_runs_that_can_be_believed() -> None:
    rows = {row["name"]: row for row in json.loads(files(SUITE)["benchmark.json"])}
    burst = rows["burst: turn.first_event p95 (SIMULATED)"]
    assert burst["value"] == 21.0
    assert burst["range"] == "mean of 2 runs, 20 to 22"
    assert rows["steady: turn.first_event p95"]["range"] == "n=1,000"
    assert not any(name.startswith(("storm", "soak", "crashed")) for name in rows)
    rates = {row["name"] for row in json.loads(files(SUITE)["benchmark-rates.json"])}
    assert rates == {"burst: turns_per_s (SIMULATED)", "steady: turns_per_s"}
