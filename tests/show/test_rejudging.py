from __future__ import annotations

from collections.abc import Callable

import pytest
from sample import SampleRun

from loadtest.show.rejudging import CODE, asked_anew, rejudged

TIGHT = {"turn.first_event.p95": "< 1us"}


def test_the_verdict_is_by_the_other_thresholds(sample: Callable[[str], SampleRun]) -> None:
    run = sample("passed")
    found = rejudged(run, TIGHT).manifest
    assert found["verdict"]["outcome"] == "fail"
    assert [row["expression"] for row in found["verdict"]["thresholds"]] == ["< 1us", ">= 99%"]
    assert CODE in [notice["code"] for notice in found["notices"]]
    assert found["metrics"] == run.manifest["metrics"]
    assert run.manifest["verdict"]["outcome"] == "pass"


def test_of_a_pruned_run_the_stored_numbers_are_judged(sample: Callable[[str], SampleRun]) -> None:
    run = SampleRun({**sample("passed").manifest, "pruned": {"at": "2026"}})
    found = rejudged(run, TIGHT).manifest
    assert found["verdict"]["outcome"] == "fail"
    assert [notice["code"] for notice in found["notices"]].count(CODE) == 1


def test_a_threshold_that_cannot_be_read(sample: Callable[[str], SampleRun]) -> None:
    with pytest.raises(ValueError, match="soon"):
        rejudged(sample("passed"), {"turn.first_event.p95": "soon"})


def test_the_settings_say_what_was_asked(sample: Callable[[str], SampleRun]) -> None:
    assert asked_anew(sample("passed"), TIGHT).manifest["scenario"]["settings"]["thresholds"] == TIGHT
