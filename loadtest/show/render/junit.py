"""JUnit, for build servers.

What is missed is a failure. What could not be measured, or not be believed, is an error; nothing is ever
skipped, since CI counts skipped as passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

Kind = Literal["passed", "failure", "error"]


@dataclass(frozen=True, slots=True)
class JUnitCase:
    """One test case; ``text`` is the message of what did not pass, or what a passed one printed."""

    classname: str
    name: str
    kind: Kind = "passed"
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
