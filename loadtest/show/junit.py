"""junit.xml: a test case per threshold and one for the run itself.

A missed threshold is a failure. What could not be measured, or not be believed, is an error; nothing is
ever skipped, since CI counts skipped as passed.
"""

from __future__ import annotations

from xml.etree import ElementTree

from loadtest.judge.sections import Manifest, number
from loadtest.show.report import Report, ThresholdRow

KINDS = {"missed": "failure", "not measured": "error"}


def junit(report: Report, manifest: Manifest) -> str:
    """The XML document; a test case's name is its threshold, its class name the scenario."""
    suite = ElementTree.Element("testsuite", name=_name(report))
    _properties(suite, report)
    _run_case(suite, report)
    for row in report.thresholds:
        _threshold_case(suite, report, row)
    counted = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
    for name, path in counted.items():
        suite.set(name, str(len(suite.findall(path))))
    suite.set("skipped", "0")
    if manifest.get("started"):
        suite.set("timestamp", str(manifest["started"])[:19])
    took = number(manifest.get("duration_s"))
    if took:
        suite.set("time", f"{took:.3f}")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _name(report: Report) -> str:
    parts = (report.scenario, report.label, "SIMULATED" if report.simulated else "")
    return " ".join(part for part in parts if part)


def _properties(suite: ElementTree.Element, report: Report) -> None:
    properties = ElementTree.SubElement(suite, "properties")
    known = {
        "run": report.id,
        "target": report.target,
        "simulated": "true" if report.simulated else "false",
        "verdict": report.judgement.word,
        "exit_code": "" if report.judgement.exit_code is None else str(report.judgement.exit_code),
    }
    for name, value in known.items():
        if value:
            ElementTree.SubElement(properties, "property", name=name, value=value)


def _run_case(suite: ElementTree.Element, report: Report) -> None:
    """The run as a whole: an error unless thresholds alone decided it."""
    case = ElementTree.SubElement(suite, "testcase", classname=report.scenario, name="run")
    judged = report.judgement
    by_thresholds = any(row.outcome != "held" for row in report.thresholds)
    if judged.word == "PASS" or (judged.word == "FAIL" and by_thresholds):
        return
    kind = "failure" if judged.word == "FAIL" else "error"
    ElementTree.SubElement(case, kind, type=judged.word.lower(), message=judged.why)


def _threshold_case(suite: ElementTree.Element, report: Report, row: ThresholdRow) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname=report.scenario, name=f"{row.name} {row.expression}"
    )
    kind = KINDS.get(row.outcome)
    measured = f"measured {row.measured}" + (f" (n={row.n})" if row.n else "")
    if kind:
        message = "; ".join(part for part in (measured if row.measured != "–" else "", row.reason) if part)
        ElementTree.SubElement(case, kind, type=row.outcome, message=f"{row.outcome}: {message}")
    else:
        ElementTree.SubElement(case, "system-out").text = measured
