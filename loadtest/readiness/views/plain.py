"""The same page for machines and mails: Markdown, JSON, CSV and JUnit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from xml.etree import ElementTree

from loadtest.keep.plain import json_text
from loadtest.readiness.assessment_data import Assessment
from loadtest.readiness.views.telling import instant
from loadtest.show.document import Tone
from loadtest.show.page import Page, Section
from loadtest.show.render.markdown import escaped
from loadtest.show.sanitize import printable

MARKS: dict[Tone, str] = {"good": "✅ ", "bad": "❌ ", "doubt": "❔ ", "plain": ""}


def markdown(page: Page) -> str:
    """The page for a pull request or a job summary of CI, verdict first."""
    lines = [f"# {page.verdict}: {escaped(page.title)}", ""]
    if page.question:
        lines += [escaped(page.question), ""]
    lines += [f"**{escaped(page.why)}** Exit code {page.exit_code}.", ""]
    lines += [f"{number}. {escaped(blocker)}" for number, blocker in enumerate(page.blockers, 1)]
    lines += ["", *(f"- {escaped(name)}: {escaped(value)}" for name, value in page.facts)]
    for section in page.sections:
        lines += ["", f"## {section.title}", "", escaped(section.meaning), "", *_table(section)]
    return "\n".join([*lines, "", f"<sub>{escaped(page.footer)}</sub>"]) + "\n"


def _table(section: Section) -> Iterator[str]:
    noted = any(line.notes for line in section.lines)
    heads = (*section.heads, "why") if noted else section.heads
    yield f"| {' | '.join(heads)} |"
    yield (
        "|" + "|".join(" ---: " if column in section.right else " --- " for column in range(len(heads))) + "|"
    )
    for line in section.lines:
        cells = [escaped(cell) for cell in line.cells]
        cells[0] = f"{MARKS[line.tone]}{cells[0]}"
        if noted:
            cells.append("<br>".join(escaped(note) for note in line.notes))
        yield f"| {' | '.join(cells)} |"


def as_json(found: Assessment) -> str:
    """Everything, as it is kept."""
    return json_text(found.plain(), indent=2) + "\n"


def as_csv(found: Assessment) -> str:
    """One row per fact: verdict, figures, components, their measures, criteria, gates and triggers."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(("group", "name", "outcome", "value", "unit", "n", "expected", "reason"))
    writer.writerows([_guarded(cell) for cell in row] for row in _rows(found))
    return made.getvalue()


def _guarded(cell: object) -> object:
    """A text without controls; one that a spreadsheet would take for a formula begins with an apostrophe."""
    if not isinstance(cell, str):
        return cell
    shown = printable(cell, 2000)
    return f"'{shown}" if shown[:1] in {"=", "+", "-", "@"} else shown


def _rows(found: Assessment) -> Iterator[tuple[object, ...]]:
    yield ("verdict", found.policy, found.verdict, found.exit_code, "", "", "", found.why)
    for figure in (*found.figures.values(), found.confidence):
        yield ("figure", figure.name, "", _blank(figure.value), figure.unit, "", "", figure.arithmetic)
    for row in found.components:
        yield ("component", row.name, row.status, _blank(row.score), "score", "", row.priority, row.said)
        for name, measure in row.measures.items():
            value = _blank(measure.value)
            yield ("measure", f"{row.name}.{name}", "", value, measure.unit, measure.n, "", measure.reason)
    for each in found.functions:
        yield ("function", each.name, each.status, each.users, "users", "", each.impact, each.why)
    for criterion in found.criteria:
        judged = (criterion.outcome, criterion.measured, "", "", criterion.expected, criterion.reason)
        yield ("criterion", criterion.title, *judged)
    for group, conditions in (("gate", found.gates), ("trigger", found.triggers)):
        for condition in conditions:
            yield (group, condition.title, condition.outcome, condition.measured, "", "",
                   f"{condition.fact} {condition.expression}", condition.arithmetic)  # fmt: skip


def _blank(value: float | None) -> object:
    return "" if value is None else value


def junit(found: Assessment) -> str:
    """A test case per component, criterion, gate and trigger; unknown is an error, never skipped."""
    suite = ElementTree.Element("testsuite", name=found.policy)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("verdict", found.verdict), ("exit_code", str(found.exit_code)), ("id", found.id),
                        ("policy", found.policy_sha256), ("confidence", found.confidence.text)):  # fmt: skip
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for row in found.components:
        kind = {"down": "failure", "unknown": "error"}.get(row.status)
        _case(
            suite,
            "components",
            row.name,
            kind if row.priority == "critical" or row.required else None,
            row.said,
        )
    for criterion in found.criteria:
        kind = {"missed": "failure", "unknown": "error"}.get(criterion.outcome)
        said = f"{criterion.measured}, expected {criterion.expected} {criterion.reason}".strip()
        _case(suite, "criteria", criterion.title, kind, said)
    for group, conditions in (("gates", found.gates), ("triggers", found.triggers)):
        for each in conditions:
            kind = {"missed": "failure", "TRIGGERED": "failure", "unknown": "error"}.get(each.outcome)
            _case(suite, group, each.title, kind, f"{each.fact} is {each.measured}: {each.arithmetic}")
    counted = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
    for name, path in counted.items():
        suite.set(name, str(len(suite.findall(path))))
    suite.set("skipped", "0")
    suite.set("timestamp", instant(found.at)[:19].replace(" ", "T"))
    suite.set("time", f"{found.took_s:.3f}")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, group: str, name: str, kind: str | None, said: str) -> None:
    shown, clean = ("".join(each for each in words if each.isprintable()) for words in (name, said))
    case = ElementTree.SubElement(suite, "testcase", classname=f"{suite.get('name')}.{group}", name=shown)
    if kind:
        ElementTree.SubElement(case, kind, type=kind, message=clean)
    else:
        ElementTree.SubElement(case, "system-out").text = clean
