from __future__ import annotations

from collections.abc import Callable

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from sample import SampleRun

from loadtest.show.render.junit import junit, junit_suite

Golden = Callable[[str, str], None]
Sample = Callable[[str], SampleRun]


def cases(run: SampleRun) -> dict[str, list[object]]:
    (suite,) = JUnitXml.fromstring(junit([junit_suite(run.manifest)]).encode())
    assert isinstance(suite, TestSuite)
    found = {
        case.name: [type(result) for result in case.result] for case in suite if isinstance(case, TestCase)
    }
    kinds = [kind for results in found.values() for kind in results]
    assert (suite.tests, suite.failures, suite.errors) == (
        len(found),
        kinds.count(Failure),
        kinds.count(Error),
    )
    assert Skipped not in kinds
    return found


def test_golden(stored: tuple[str, SampleRun], golden: Golden) -> None:
    name, run = stored
    golden(f"{name}.junit.xml", junit([junit_suite(run.manifest)]))


def test_a_missed_threshold_is_a_failure_and_an_unmeasured_one_an_error(sample: Sample) -> None:
    found = cases(sample("failed"))
    assert found["turn.first_event.p95 < 100ms"] == [Failure]
    assert found["events.lost.ratio <= 0.1%"] == [Error]
    assert found["connections.ready.peak > 10"] == []
    assert found["run"] == []


def test_a_run_that_is_not_judged_by_thresholds_is_an_error_itself(sample: Sample) -> None:
    for name in ("unreachable", "invalid", "interrupted", "cut_short", "empty"):
        assert cases(sample(name))["run"] == [Error], name
    assert cases(sample("passed"))["run"] == []


def test_a_failure_without_a_threshold_is_told_by_the_run() -> None:
    verdict = {
        "outcome": "fail",
        "exit_code": 1,
        "reason": "3 events of other users arrived.",
        "thresholds": [],
    }
    assert cases(SampleRun({"verdict": verdict})) == {"run": [Failure]}


def test_every_sample_is_xml_whatever_its_texts_hold(run: SampleRun) -> None:
    cases(run)


def test_a_run_without_a_duration_has_no_time() -> None:
    assert "time=" not in junit([junit_suite({})])
