"""junit.xml and benchmark.json of all runs of a suite."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree

from loadtest.judge.run_standing import standing
from loadtest.judge.sections import Manifest, section
from loadtest.judge.suite import Made, Suite
from loadtest.keep.json import json_text
from loadtest.show.benchmark import benchmark, benchmark_rates
from loadtest.show.junit import junit as junit_of_run
from loadtest.show.report_model import tell
from loadtest.show.sanitize import printable
from loadtest.show.suite import as_json, as_markdown, as_text
from loadtest.units import format_count


def files(suite: Suite) -> dict[str, str]:
    """Every view of a suite by its file's name."""
    return {
        "suite.md": as_markdown(suite),
        "suite.txt": as_text(suite),
        "suite.json": as_json(suite),
        "junit.xml": junit(suite),
        "benchmark.json": _merged(suite, benchmark),
        "benchmark-rates.json": _merged(suite, benchmark_rates),
    }


def junit(suite: Suite) -> str:
    """A test suite per run; one that was not run, or left nothing, is an error."""
    root = ElementTree.Element("testsuites")
    for made in suite.runs:
        root.append(_kept(made) if section(made.manifest, "verdict") else _nothing_kept(made))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _kept(made: Made) -> ElementTree.Element:
    # Our own document, made a moment ago.
    (found,) = ElementTree.fromstring(junit_of_run(tell(made.manifest), made.manifest))  # noqa: S314 - as said above
    if made.planned.number > 1:
        found.set("name", f"{found.get('name')} ({made.planned.number})")
    return found


def _nothing_kept(made: Made) -> ElementTree.Element:
    name = (
        made.planned.scenario
        if made.planned.number == 1
        else f"{made.planned.scenario} ({made.planned.number})"
    )
    found = ElementTree.Element("testsuite", name=name, tests="1", failures="0", errors="1", skipped="0")
    case = ElementTree.SubElement(found, "testcase", classname=made.planned.scenario, name="run")
    ElementTree.SubElement(case, "error", type=made.outcome, message=printable(made.why, 1000))
    return found


def _merged(suite: Suite, entries_of: Callable[[Manifest], str]) -> str:
    """The entries of every run that can be believed; of repeats the mean, with what they spread over."""
    found: dict[str, list[dict[str, Any]]] = {}
    for made in suite.runs:
        if section(made.manifest, "verdict") and standing(made.manifest).kind not in {"left out", "down"}:
            for entry in json.loads(entries_of(made.manifest)):
                found.setdefault(entry["name"], []).append(entry)
    return json_text([_mean(entries) for entries in found.values()], indent=2) + "\n"


def _mean(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if len(entries) == 1:
        return entries[0]
    values = [entry["value"] for entry in entries]
    told = f"mean of {format_count(len(values))} runs, {min(values):.4g} to {max(values):.4g}"
    return {**entries[0], "value": statistics.fmean(values), "range": told}
