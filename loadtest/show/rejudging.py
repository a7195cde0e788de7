"""A stored run judged by other thresholds than those it was made with; what is stored stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.judge.judge_run import judge_run
from loadtest.judge.manifest_access import has_stages, section
from loadtest.judge.thresholds import judged_thresholds
from loadtest.judge.verdict import judge
from loadtest.judge.warnings import RunWarning
from loadtest.show.manifest import ReadableRun, rows
from loadtest.show.report_formats import JudgedRun

CODE = "judged_anew"


def rejudged(run: ReadableRun, thresholds: Mapping[str, Any]) -> ReadableRun:
    """The run judged by ``thresholds`` in the place of its own; those of stages stay.

    Every view says so by a notice. Of a pruned run its stored numbers are judged.

    Raises:
        ValueError: a threshold cannot be read; one sentence.
    """
    manifest = asked_anew(run, thresholds).manifest
    if manifest.get("pruned"):
        return JudgedRun(run, _by_summary(manifest))
    seconds = list(run.intervals()) if has_stages(manifest) else None
    return JudgedRun(run, judge_run(manifest, run.totals(), run.turns(), seconds))


def asked_anew(run: ReadableRun, thresholds: Mapping[str, Any]) -> JudgedRun:
    """The run with these thresholds, not judged yet, so that a part of it can be."""
    scenario = section(run.manifest, "scenario")
    settings = {**section(scenario, "settings"), "thresholds": dict(thresholds)}
    manifest = {**run.manifest, "scenario": {**scenario, "settings": settings}}
    manifest["observed"] = [*rows(manifest, "observed"), _fact()]
    return JudgedRun(run, manifest)


def _fact() -> dict[str, Any]:
    return {
        "code": CODE,
        "message": "This view is judged by other thresholds than the run; the stored run is unchanged.",
        "remedy": "To judge the next run by these thresholds, write them into the scenario.",
        "numbers": {},
    }


def _by_summary(manifest: dict[str, Any]) -> dict[str, Any]:
    """The stored notices and numbers, with a verdict by other thresholds."""
    fact = _fact()
    stored = [row for row in rows(manifest, "notices") if row.get("code") != CODE]
    found = [_notice(row) for row in [*stored, fact]]
    verdict = judge(manifest, found, judged_thresholds(manifest))
    return {**manifest, "notices": [each.as_dict() for each in found], "verdict": verdict}


def _notice(row: Mapping[str, Any]) -> RunWarning:
    code, message, remedy = (str(row.get(name) or "") for name in ("code", "message", "remedy"))
    return RunWarning(code, message, remedy, section(row, "numbers"), bool(row.get("spoils")))
