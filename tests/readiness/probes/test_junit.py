"""JUnit files: the pass rate is over what should have run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest.readiness.evidence import Evidence
from loadtest.readiness.probe import JunitProbe
from loadtest.readiness.probes.junit import probe_tests
from loadtest.readiness.probes.probe_context import ProbeContext, ProbeError


def asked(folder: Path, *files: str, expected: int | None = None) -> Evidence:
    return probe_tests(JunitProbe(files or ("junit.xml",), expected), ProbeContext(folder, {}, folder, 1e18))


def numbers(found: Evidence) -> dict[str, float | None]:
    return {name: each.value for name, each in found.measures.items() if each.value}


def write(folder: Path, cases: str, name: str = "junit.xml", attributes: str = "") -> None:
    (folder / name).write_text(
        f"<testsuites><testsuite name='s' {attributes}>{cases}</testsuite></testsuites>"
    )


def passed(n: int, seconds: float = 0.1) -> str:
    return "".join(f"<testcase classname='c' name='p{i}' time='{seconds}'/>" for i in range(n))


def took_no_time(file: Path, name: str) -> None:
    """In the file: on a busy core, doing nothing takes as long as it likes."""
    tree = ElementTree.parse(file)
    next(case for case in tree.iter("testcase") if case.get("name") == name).set("time", "0.000")
    tree.write(file)


def test_the_files_of_pytest_itself(tmp_path: Path) -> None:
    (tmp_path / "test_good.py").write_text(
        "import pytest, time\n"
        "def test_passes(): time.sleep(0.02)\n"
        "def test_does_nothing(): pass\n"
        "def test_fails(): assert False\n"
        "@pytest.mark.skip\ndef test_skipped(): pass\n"
        "@pytest.fixture\ndef broken(): raise ValueError\n"
        "def test_errors(broken): pass\n"
    )
    (tmp_path / "test_uncollected.py").write_text("import no_such_module\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=junit.xml"]
    command.append("--continue-on-collection-errors")
    own = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False, env=own)
    took_no_time(tmp_path / "junit.xml", "test_does_nothing")
    found = asked(tmp_path, expected=10)
    assert numbers(found) == {
        "should_run": 10, "passed": 2, "failed": 1, "errors": 1, "skipped": 1, "not_collected": 5,
        "instant": 1,
        "passed.ratio": 0.2,
    }  # fmt: skip
    lines = "\n".join(found.lines)
    assert "test_good.test_does_nothing" in lines
    assert "0.00 s" in lines
    assert "test_uncollected" in lines


def test_collection_errors_only_mean_that_no_test_passed(tmp_path: Path) -> None:
    write(tmp_path, "<testcase name='tests.a'><error message='collection failure'>x</error></testcase>" * 31)
    found = asked(tmp_path)
    assert (found.outcome, found.measures["not_collected"].value) == ("failed", 31)
    assert found.said == "0 of 31 tests passed (0 %)"


def test_what_a_suite_counts_but_does_not_list_did_not_run(tmp_path: Path) -> None:
    write(tmp_path, passed(2), attributes="tests='5'")
    assert numbers(asked(tmp_path)) == {"should_run": 5, "passed": 2, "not_collected": 3, "passed.ratio": 0.4}


def test_nested_suites_are_counted_once(tmp_path: Path) -> None:
    inner = f"<testsuite name='i' tests='2'>{passed(2)}</testsuite>"
    write(tmp_path, inner, attributes="tests='2'")
    assert numbers(asked(tmp_path)) == {"should_run": 2, "passed": 2, "passed.ratio": 1}


def test_what_two_suites_count_of_the_same_tests_is_counted_once(tmp_path: Path) -> None:
    inner = f"<testsuite name='i' tests='5'>{passed(2)}</testsuite>"
    write(tmp_path, inner, attributes="tests='5'")
    assert numbers(asked(tmp_path)) == {"should_run": 5, "passed": 2, "not_collected": 3, "passed.ratio": 0.4}


def test_a_file_that_two_patterns_name_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, passed(2))
    context = ProbeContext(tmp_path, {}, tmp_path, 1e18)
    assert probe_tests(JunitProbe(("junit.xml", "*.xml")), context).measures["passed"].value == 2


def test_a_test_that_says_that_it_did_not_run_did_not_pass(tmp_path: Path) -> None:
    write(tmp_path, "<testcase name='a' status='notrun' time='0'/>" + passed(1))
    assert numbers(asked(tmp_path))["skipped"] == 1


def test_a_copy_of_an_old_report_is_as_old_as_the_report(tmp_path: Path) -> None:
    inner = f"<testsuite name='i' timestamp='2025-09-06T12:00:00+00:00'>{passed(2)}</testsuite>"
    write(tmp_path, inner)
    assert asked(tmp_path).at == 1_757_160_000


def test_several_files_are_one_and_as_old_as_the_oldest(tmp_path: Path) -> None:
    write(tmp_path, passed(2), "a.xml")
    write(tmp_path, passed(3), "b.xml")
    os.utime(tmp_path / "a.xml", (1000, 1000))
    found = asked(tmp_path, "*.xml")
    assert (found.measures["passed"].value, found.at) == (5, 1000)


def test_an_empty_file_is_no_success(tmp_path: Path) -> None:
    write(tmp_path, "")
    assert (asked(tmp_path).outcome, "passed.ratio" in asked(tmp_path).measures) == ("failed", False)


BOMB = '<!DOCTYPE a [<!ENTITY a "' + "x" * 1000 + '">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 50}">' for a, b in zip("abcdef", "bcdefg", strict=True)
) + "]><testsuites><testsuite name='&g;'/></testsuites>"  # fmt: skip


@pytest.mark.parametrize("text", ["not xml", "<html/>", BOMB])
def test_what_is_no_junit_file_is_a_wrong_answer(tmp_path: Path, text: str) -> None:
    (tmp_path / "junit.xml").write_text(text)
    with pytest.raises(ProbeError, match="cannot be read"):
        asked(tmp_path)


def test_a_missing_file_means_that_the_tests_did_not_run(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="the tests did not run"):
        asked(tmp_path, "gone/*.xml")


def test_attempts_of_a_test_are_one_test_and_its_last_one_counts(tmp_path: Path) -> None:
    failed = "<testcase classname='c' name='{0}' time='0.1'/><testcase classname='c' name='{0}' time='0.1'>"
    cases = (
        passed(1)
        + failed.format("bad")
        + "<failure message='no'/></testcase>"
        + failed.format("flaky")
        + "</testcase>"
    )
    write(tmp_path, cases, attributes="tests='3'")
    found = asked(tmp_path)
    assert numbers(found) == {
        "should_run": 3, "passed": 2, "failed": 1, "repeated": 2, "passed.ratio": pytest.approx(2 / 3),
    }  # fmt: skip
    assert "took more than one attempt: c.bad, c.flaky" in found.lines


def test_tests_of_one_name_are_as_many_as_their_suite_counts(tmp_path: Path) -> None:
    write(tmp_path, passed(1) * 3, attributes="tests='3'")
    assert numbers(asked(tmp_path))["passed"] == 3


UNLISTED = [
    # A file that could not be loaded, as Jest and others write it: a suite that lists nothing.
    ("<testsuite tests='0' errors='1'/>", {"should_run": 4, "passed": 3, "errors": 1}),
    ("<testsuite errors='1'><error message='no database'/></testsuite>", {"should_run": 4, "errors": 1}),
    ("<testsuite tests='0' failures='2'/>", {"should_run": 5, "passed": 3, "failed": 2}),
    # What is not listed failed as counted; the rest of it did not run.
    ("<testsuite tests='5' failures='2' errors='1'/>", {"failed": 2, "errors": 1, "not_collected": 2}),
    ("<testsuite tests='2' skipped='2' disabled='2'/>", {"should_run": 5, "skipped": 2}),
    # A failure is one of the tests that a suite counts, so that it lists them as passed wrongly.
    ("<testsuite tests='3' failures='2'>{3}</testsuite>", {"should_run": 6, "passed": 4, "failed": 2}),
    ("<testsuite failures='2'>{3}</testsuite>", {"should_run": 8, "passed": 6, "failed": 2}),
    # An error may be one of no test.
    ("<testsuite tests='3' errors='1'>{3}</testsuite>", {"should_run": 7, "passed": 6, "errors": 1}),
    ("<testsuite tests='1' failures='1'><testcase name='a'><rerunFailure/></testcase></testsuite>",
     {"should_run": 4, "passed": 3, "failed": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("suite", "right"), UNLISTED)
def test_what_a_suite_counts_as_wrong_but_does_not_list_is_wrong(
    tmp_path: Path, suite: str, right: dict[str, int]
) -> None:
    good = f"<testsuite name='good' tests='3' errors='0' failures='0'>{passed(3)}</testsuite>"
    (tmp_path / "junit.xml").write_text(f"<testsuites>{good}{suite.replace('{3}', passed(3))}</testsuites>")
    found = asked(tmp_path)
    told = numbers(found)
    assert {name: told.get(name) for name in right} == right
    assert (told["passed.ratio"] or 0) < 1
    assert found.issues
    assert any("counted in the file, but not listed there as such" in line for line in found.lines)


@pytest.mark.parametrize("where", ["testsuites", "testsuite"])
def test_totals_of_an_outer_suite_hold_those_of_its_inner_ones(tmp_path: Path, where: str) -> None:
    inner = (
        f"<testsuite tests='4' failures='1' errors='1' skipped='0'>{passed(2)}"
        "<testcase name='f' time='1'><failure/></testcase><testcase name='e' time='1'><error/></testcase>"
        "</testsuite><testsuite tests='0' errors='1'/>"
    )
    for errors, all_errors in ((1, 2), (2, 2), (3, 3)):
        counted = f"tests='4' failures='1' errors='{errors}'"
        (tmp_path / "junit.xml").write_text(f"<{where} {counted}>{inner}</{where}>")
        assert numbers(asked(tmp_path)) == {
            "should_run": 3 + all_errors, "passed": 2, "failed": 1, "errors": all_errors,
            "passed.ratio": pytest.approx(2 / (3 + all_errors)),
        }  # fmt: skip


FAILS = "<testcase name='a' time='1'><failure/><failure/></testcase>"


@pytest.mark.parametrize(
    ("cases", "attributes", "right"),
    [
        # Some count an error as a failure, some each failure of one test.
        ("<testcase name='a'><error/></testcase>", "tests='1' failures='1'", {"errors": 1}),
        (FAILS, "tests='1' failures='2'", {"failed": 1}),
        # An earlier attempt that failed is counted by some, and the test passed.
        (FAILS + "<testcase name='a' time='1'/>", "tests='1' failures='2'", {"passed": 1, "repeated": 1}),
        ("<testcase name='a' status='notrun'/>", "tests='1' skipped='1' disabled='1'", {"skipped": 1}),
    ],
)
def test_what_is_listed_is_not_counted_again(
    tmp_path: Path, cases: str, attributes: str, right: dict[str, int]
) -> None:
    write(tmp_path, cases, attributes=attributes)
    found = numbers(asked(tmp_path))
    found.pop("passed.ratio", None)
    assert found == {"should_run": 1, **right}


@pytest.mark.parametrize(
    ("said", "what"),
    [("status='failed'", "failed"), ("result='Failure'", "failed"), ("result='suppressed'", "skipped")],
)
def test_a_test_whose_status_says_that_it_did_not_pass_did_not(tmp_path: Path, said: str, what: str) -> None:
    write(tmp_path, f"<testcase name='a' time='1' {said}/>" + passed(1))
    assert numbers(asked(tmp_path)) == {"should_run": 2, "passed": 1, what: 1, "passed.ratio": 0.5}


def test_suites_inside_elements_that_are_none_are_read(tmp_path: Path) -> None:
    inner = "<group><testsuite tests='2' errors='1'><testcase name='a' time='1'/></testsuite></group>"
    (tmp_path / "junit.xml").write_text(f"<testsuites>{inner}</testsuites>")
    assert numbers(asked(tmp_path)) == {"should_run": 2, "passed": 1, "errors": 1, "passed.ratio": 0.5}
