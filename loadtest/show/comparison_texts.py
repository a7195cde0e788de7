"""A comparison for a pull request, for machines, and for CI."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from loadtest.judge.compare import SCHEMA, Comparison
from loadtest.show.comparison import TONES, Line, Told, tell
from loadtest.show.headline import Verdict, of_all, worst_first
from loadtest.show.markdown import MARKS, code, escaped, remarks, table
from loadtest.show.report import Tone

HEADS = (
    "",
    "metric",
    "baseline",
    "candidate",
    "change",
    "95 % interval",
    "p",
    "smallest effect",
    "of the baseline",
    "of the candidate",
    "why",
)
MEANING = (
    "Means of runs. Changes and their intervals are over {over}; p is of the direction of the change,"
    " corrected over the metrics of a table, and tests for more than three fifths of the smallest effect."
)
ALIGN = "ll" + "r" * 8 + "l"


def as_json(comparisons: Sequence[Comparison], exit_code: int) -> str:
    """Every comparison as plain data; numbers that do not exist are null."""
    verdict = of_all(worst_first(map(tell, comparisons)), exit_code, "comparison")
    return document(SCHEMA, exit_code, verdict=verdict, comparisons=[each.as_dict() for each in comparisons])


def document(schema: str, exit_code: int, **found: Any) -> str:
    """What was found as JSON for machines."""
    made = {"schema": schema, "exit_code": exit_code, **found}
    return json.dumps(made, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def markdown(tolds: Iterable[Told], *, exploratory: bool = False) -> str:
    """Every comparison, the worst first; ``exploratory``: with the metrics that decide nothing, folded."""
    listed = worst_first(tolds)
    parts = [*headlines(listed, "comparisons")]
    parts += ["\n".join(_markdown(told, exploratory=exploratory)) for told in listed]
    return "\n\n".join(parts) + "\n"


def headlines(sorted_verdicts: Sequence[Verdict], what: str) -> Iterator[str]:
    """The worst of several as one verdict, and below it a line for each; nothing for a single one."""
    if len(sorted_verdicts) < 2:
        return
    first = sorted_verdicts[0]
    yield f"# {first.word}: the worst of {len(sorted_verdicts)} {what}, exit code {first.exit_code}"
    yield "\n".join(
        f"- {MARKS[each.tone]} **{each.word}** {escaped(each.subject)}" for each in sorted_verdicts
    )


def _markdown(told: Told, *, exploratory: bool) -> Iterator[str]:
    simulated = " (SIMULATED)" if told.simulated else ""
    sides = f"{escaped(told.baseline)} → {escaped(told.candidate)}"
    yield f"# {told.word}: {escaped(told.scenario)}, {sides}{simulated}"
    if told.undecided:
        yield from ("", f"**{escaped(told.undecided)}** Exit code {told.exit_code}.")
    else:
        yield from ("", f"**{escaped(told.why)}** Exit code {told.exit_code}.")
    if told.primary and (exploratory or not told.undecided):
        yield from ("", "## What decides", "", *_table(told.primary))
        yield from ("", MEANING.format(over=told.over))
    if told.exploratory and exploratory:
        yield from (
            "",
            f"<details><summary>Exploratory: {len(told.exploratory)} metrics that decide nothing</summary>",
        )
        yield from ("", *_table(told.exploratory), "", "</details>")
    if told.differing and (exploratory or not told.undecided):
        yield from (
            "",
            "## What differs beside the numbers",
            "",
            "| | baseline | candidate |",
            "| --- | --- | --- |",
        )
        yield from (
            f"| {code(name)} | {escaped(one)} | {escaped(other)} |" for name, one, other in told.differing
        )
    yield from remarks(told.notices)


def _table(lines: Iterable[Line]) -> Iterator[str]:
    return table(HEADS, ALIGN, map(_cells, lines))


def _cells(each: Line) -> tuple[str, ...]:
    return (
        f"{MARKS[each.tone]} {each.word}",
        code(each.name),
        each.baseline,
        each.candidate,
        each.change,
        each.interval,
        escaped(each.p),
        each.smallest,
        each.baseline_n,
        each.candidate_n,
        escaped(each.why),
    )


KINDS: dict[Tone, str] = {"bad": "failure", "doubt": "error"}
"""What a case in a JUnit file holds where it is no pass."""


def junit(comparisons: Iterable[Comparison]) -> str:
    """A suite per comparison, a case per metric that decides, and one for the whole.

    Slower is a failure; what one cannot tell is an error; nothing is ever skipped.
    """
    root = ElementTree.Element("testsuites")
    for comparison in comparisons:
        _suite(root, tell(comparison), comparison)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, told: Told, comparison: Comparison) -> None:
    name = f"{told.scenario} {told.baseline} against {told.candidate}{' SIMULATED' if told.simulated else ''}"
    suite = ElementTree.SubElement(root, "testsuite", name=name)
    case = ElementTree.SubElement(suite, "testcase", classname=told.scenario, name="comparison")
    # The ruling's tone: a threshold that both sides miss is shown, and fails no comparison.
    tone = TONES[comparison.ruling.outcome]
    kind = KINDS.get(tone)
    if kind and not any(TONES[each.word] == tone for each in told.primary):
        ElementTree.SubElement(case, kind, type=comparison.ruling.outcome, message=told.why)
    for each in told.primary:
        case = ElementTree.SubElement(suite, "testcase", classname=told.scenario, name=each.name)
        said = f"{each.baseline} → {each.candidate}, {each.change} ({each.interval}); {each.why}"
        kind = KINDS.get(TONES[each.word])
        if kind:
            ElementTree.SubElement(case, kind, type=each.word, message=f"{each.word}: {said}")
        else:
            ElementTree.SubElement(case, "system-out").text = f"{each.word}: {said}"
    counted = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
    for attribute, path in counted.items():
        suite.set(attribute, str(len(suite.findall(path))))
    suite.set("skipped", "0")
