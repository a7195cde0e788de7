"""JUnit, for build servers: suites of cases and properties as XML, and the suite of a run.

What is missed is a failure. What could not be measured, or not be believed, is an error; nothing is ever
skipped, since CI counts skipped as passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

from loadtest.judge.manifest_access import Manifest, number
from loadtest.show.build_report import IN_DOUBT, build_report
from loadtest.show.metric_table import NOT_MEASURED
from loadtest.show.report_model import Report, ThresholdRow

CaseKind = Literal["passed", "failure", "error"]


@dataclass(frozen=True, slots=True)
class JUnitCase:
    """One test case; ``text`` is the message of what did not pass, or what a passed one printed."""

    classname: str
    name: str
    kind: CaseKind = "passed"
    type: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class JUnitSuite:
    """Test cases under one name; ``timestamp`` is ISO 8601 without its zone, ``time`` in seconds."""

    name: str
    cases: tuple[JUnitCase, ...]
    properties: Mapping[str, str] = field(default_factory=dict)
    timestamp: str = ""
    time: str = ""


def junit(suites: Iterable[JUnitSuite]) -> str:
    """The XML document of all suites."""
    root = ElementTree.Element("testsuites")
    for suite in suites:
        root.append(_suite(suite))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(suite: JUnitSuite) -> ElementTree.Element:
    made = ElementTree.Element("testsuite", name=suite.name)
    if suite.properties:
        properties = ElementTree.SubElement(made, "properties")
        for name, value in suite.properties.items():
            ElementTree.SubElement(properties, "property", name=name, value=value)
    for case in suite.cases:
        _case(made, case)
    kinds = [case.kind for case in suite.cases]
    counted = {"tests": len(kinds), "failures": kinds.count("failure"), "errors": kinds.count("error")}
    for name, n in (counted | {"skipped": 0}).items():
        made.set(name, str(n))
    for name, text in (("timestamp", suite.timestamp), ("time", suite.time)):
        if text:
            made.set(name, text)
    return made


def _case(suite: ElementTree.Element, case: JUnitCase) -> None:
    made = ElementTree.SubElement(suite, "testcase", classname=case.classname, name=case.name)
    if case.kind != "passed":
        ElementTree.SubElement(made, case.kind, type=case.type, message=case.text)
    elif case.text:
        ElementTree.SubElement(made, "system-out").text = case.text


# ------------------------------------------------------------------ of a run


KINDS: dict[str, CaseKind] = {"missed": "failure", NOT_MEASURED: "error", IN_DOUBT: "error"}
"""What the case of a threshold is in a JUnit file where it was not held."""


def junit_suite(manifest: Manifest) -> JUnitSuite:
    """A case per threshold and one for the run itself; classes are named after the scenario."""
    report = build_report(manifest)
    judged, took = report.judgement, number(manifest.get("duration_s"))
    simulated = "SIMULATED" if report.simulated else ""
    properties = {
        "run": report.id,
        "target": report.target,
        "simulated": "true" if report.simulated else "false",
        "verdict": judged.word,
        "exit_code": "" if judged.exit_code is None else str(judged.exit_code),
    }
    return JUnitSuite(
        name=" ".join(part for part in (report.scenario, report.label, simulated) if part),
        cases=(_run_case(report), *(_threshold_case(report, row) for row in report.thresholds)),
        properties={name: value for name, value in properties.items() if value},
        timestamp=str(manifest.get("started") or "")[:19],
        time=f"{took:.3f}" if took else "",
    )


def _run_case(report: Report) -> JUnitCase:
    """The run as a whole: an error unless thresholds alone decided it."""
    judged = report.judgement
    by_thresholds = any(row.outcome != "held" for row in report.thresholds)
    if judged.word == "PASS" or (judged.word == "FAIL" and by_thresholds):
        return JUnitCase(report.scenario, "run")
    kind: CaseKind = "failure" if judged.word == "FAIL" else "error"
    return JUnitCase(report.scenario, "run", kind, judged.word.lower(), judged.why)


def _threshold_case(report: Report, row: ThresholdRow) -> JUnitCase:
    name, kind = f"{row.name} {row.expression}", KINDS.get(row.outcome, "passed")
    measured = f"measured {row.measured}" + (f" (n={row.n})" if row.n else "")
    if kind == "passed":
        return JUnitCase(report.scenario, name, text=measured)
    message = "; ".join(part for part in (measured if row.measured != "–" else "", row.reason) if part)
    return JUnitCase(report.scenario, name, kind, row.outcome, f"{row.outcome}: {message}")
