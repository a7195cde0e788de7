from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

from sample import SampleRun

from loadtest.show.build_report import build_report
from loadtest.show.ci_annotations import ci_annotations
from loadtest.show.render.junit import junit_suite

Sample = Callable[[str], SampleRun]
GITHUB = {"GITHUB_ACTIONS": "true"}
GITLAB = {"GITLAB_CI": "true"}


def test_elsewhere_there_are_none(sample: Sample) -> None:
    assert (
        ci_annotations(build_report(sample("failed").manifest), {"CI": "true", "GITHUB_ACTIONS": "false"})
        == []
    )


def test_a_run_that_passed_has_none(sample: Sample) -> None:
    assert ci_annotations(build_report(sample("passed").manifest), GITHUB) == []


def test_github_has_an_error_for_each_missed_threshold_and_a_warning_for_what_was_not_measured(
    sample: Sample,
) -> None:
    first, second, third = ci_annotations(build_report(sample("failed").manifest), GITHUB)
    begin = "::error title=loadtest agent-burst v1.4.0::"
    assert first.startswith(f"{begin}turn.first_event.p95 was 442 ms (n=7,500), not < 100ms; 1.2 %25 of")
    assert second == f"{begin}turns.complete.ratio was 98.8 %25 (n=7,500), not >= 99%25"
    why = "the protocol has no sequence number"
    assert third.endswith(f"::events.lost.ratio <= 0.1%25 was not measured: {why}")
    assert third.startswith("::warning title=")


def test_what_was_measured_and_is_in_doubt_is_not_called_unmeasured(sample: Sample) -> None:
    manifest = deepcopy(sample("failed").manifest)
    for row in manifest["verdict"]["thresholds"]:
        if row["outcome"] == "not_measured":
            row["measured"] = 0.02
    report = build_report(manifest)
    assert [row.outcome for row in report.thresholds if row.tone == "doubt"] == ["in doubt"]
    assert "is in doubt, it was 2.0 %25: the protocol" in ci_annotations(report, GITHUB)[2]
    assert "error" in {each.kind for each in junit_suite(manifest).cases if "in doubt" in each.text}


def test_a_run_that_failed_for_another_cause_says_it(sample: Sample) -> None:
    report = build_report(sample("invalid").manifest)
    held = replace(report, thresholds=tuple(row for row in report.thresholds if row.tone == "good"))
    (line,) = ci_annotations(held, GITHUB)
    assert line.startswith(
        "::error title=loadtest agent-burst nightly::INVALID: A generator process used 97.3 %25"
    )


def test_what_a_file_says_cannot_become_a_command(sample: Sample) -> None:
    report = replace(build_report(sample("failed").manifest), scenario="a::b,c\n::set-env", label="")
    line = ci_annotations(report, GITHUB)[0]
    assert line.startswith("::error title=loadtest a%3A%3Ab%2Cc%0A%3A%3Aset-env::turn.")
    assert "\n" not in line


def test_gitlab_colours_lines_that_say_error_unless_colour_is_not_wanted(sample: Sample) -> None:
    report = build_report(sample("failed").manifest)
    assert ci_annotations(report, GITLAB)[1].startswith("\x1b[31;1mERROR: turns.complete.ratio was 98.8 %")
    assert ci_annotations(report, GITLAB)[2].startswith("\x1b[31;1mWARNING: events.lost.ratio")
    assert ci_annotations(report, {**GITLAB, "NO_COLOR": "1"})[0].startswith("ERROR: turn.first_event.p95")
