"""A suite of runs as a document, and the files it is written into."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from loadtest.errors import WORST_FIRST
from loadtest.judge.manifest_access import Manifest, number, section
from loadtest.judge.run_standing import standing
from loadtest.judge.suite import Made, Suite
from loadtest.show.benchmark import benchmark, benchmark_rates
from loadtest.show.build_report import judgement
from loadtest.show.document import NOTHING, DataTable, Document, DocumentSection, TableColumn, TableRow, Tone
from loadtest.show.manifest import as_integer, rows
from loadtest.show.metric_table import duration_text
from loadtest.show.render.json import as_json
from loadtest.show.render.junit import JUnitCase, JUnitSuite, junit, junit_suite
from loadtest.show.render.markdown import markdown
from loadtest.show.render.terminal import render
from loadtest.show.sanitize import printable
from loadtest.units import format_count, format_duration, format_ratio

COLUMNS = (
    TableColumn(""),
    TableColumn("code", right=True),
    TableColumn("scenario", names=True),
    TableColumn("thresholds held", right=True),
    TableColumn("first event p95", right=True),
    TableColumn("completion p95", right=True),
    TableColumn("turns complete", right=True),
    TableColumn("took", right=True),
    TableColumn("run", code=True, screen="never"),
)

TONES: dict[str, Tone] = {"PASS": "good", "FAIL": "bad", "UNREACHABLE": "bad", "ERROR": "bad"}
"""Of a word; any other is in doubt."""


def files(suite: Suite) -> dict[str, str]:
    """Every view of a suite by its file's name."""
    of = document(suite)
    return {
        "suite.md": markdown([of]),
        "suite.txt": render([of], width=110, cut=False),
        "suite.json": as_json(suite.as_dict()),
        "junit.xml": junit(map(_junit, suite.runs)),
        "benchmark.json": _merged(suite, benchmark),
        "benchmark-rates.json": _merged(suite, benchmark_rates),
    }


def document(suite: Suite) -> Document:
    """The whole suite in words, its worst run first."""
    listed = _worst_first(suite)
    word = "INTERRUPTED" if suite.interrupted or not listed else _word(listed[0])
    left_out = ", ".join(f"{path} ({kind})" for path, kind in suite.left_out.items())
    return Document(
        kind="suite",
        subject=printable(" ".join(part for part in ("Suite", suite.label or "") if part), 80),
        about=f"{format_count(len(suite.runs))} {'run' if len(suite.runs) == 1 else 'runs'}",
        word=word,
        tone=TONES.get(word, "doubt"),
        exit_code=int(suite.exit_code),
        why=_summed(suite),
        context=(f"Not run, because these files are no scenarios: {printable(left_out, 1000)}.",)
        if left_out
        else (),
        simulated=suite.simulated,
        sections=(DocumentSection("Runs", (DataTable(COLUMNS, tuple(map(_run, listed))),)),),
    )


def _worst_first(suite: Suite) -> list[Made]:
    """In the order in which exit codes count; equals stay in the order of the runs."""
    return sorted(suite.runs, key=lambda made: (WORST_FIRST.index(made.counts_as), made.exit_code is None))


def _run(made: Made) -> TableRow:
    word, name = _word(made), printable(_name(made), 80)
    why = "" if word == "PASS" else printable(made.why, 1000)
    return TableRow(
        cells=(
            word,
            NOTHING if made.exit_code is None else str(int(made.exit_code)),
            name,
            _held(made.manifest),
            _p95(made.manifest, "turn.first_event"),
            _p95(made.manifest, "turn.completion"),
            _complete(made.manifest),
            NOTHING if made.took_s is None else format_duration(made.took_s * 1e9),
            printable(made.manifest.get("id") or "", 200),
        ),
        tone=TONES.get(word, "doubt"),
        notes=(why,) if why else (),
        remark=f"{word} {name}: {why}" if why else "",
    )


def _word(made: Made) -> str:
    if made.exit_code is None:
        return "NOT RUN"
    return judgement(made.manifest).word if section(made.manifest, "verdict") else "ERROR"


def _name(made: Made) -> str:
    again = f" ({made.planned.number})" if made.planned.number > 1 else ""
    return f"{made.planned.scenario}{again}"


def _held(manifest: Manifest) -> str:
    judged = rows(manifest, "verdict", "thresholds")
    held = sum(row.get("outcome") == "held" for row in judged)
    return f"{held} of {len(judged)}" if judged else NOTHING


def _p95(manifest: Manifest, metric: str) -> str:
    return duration_text(section(manifest, "metrics", metric), "p95") or NOTHING


def _complete(manifest: Manifest) -> str:
    turns = section(manifest, "counts", "measured", "turns")
    due, complete = as_integer(turns.get("due")), as_integer(turns.get("complete"))
    return format_ratio((complete or 0) / due) if due else NOTHING


def _summed(suite: Suite) -> str:
    """How many runs ended in which way, and what they took."""
    words = [_word(made) for made in suite.runs]
    counted = ", ".join(
        f"{format_count(words.count(word))} {word}" for word in dict.fromkeys(sorted(words, key=_gravity))
    )
    budget = number(suite.budget_s)
    of = f" of {format_duration(budget * 1e9)}" if budget else ""
    stopped = "; interrupted" if suite.interrupted else ""
    return f"{counted} in {format_duration(suite.took_s * 1e9)}{of}{stopped}"


def _gravity(word: str) -> int:
    order = ("ERROR", "INTERRUPTED", "FAIL", "UNREACHABLE", "INVALID", "NOT RUN", "PASS")
    return order.index(word) if word in order else 0


def _junit(made: Made) -> JUnitSuite:
    """Of one run; one that was not run, or left nothing, is an error."""
    again = f" ({made.planned.number})" if made.planned.number > 1 else ""
    if section(made.manifest, "verdict"):
        found = junit_suite(made.manifest)
        return replace(found, name=f"{found.name}{again}")
    scenario = made.planned.scenario
    case = JUnitCase(scenario, "run", "error", made.outcome, printable(made.why, 1000))
    return JUnitSuite(f"{scenario}{again}", (case,))


def _merged(suite: Suite, entries_of: Callable[[Manifest], str]) -> str:
    """The entries of every run that can be believed; of repeats the mean, with what they spread over."""
    found: dict[str, list[dict[str, Any]]] = {}
    for made in suite.runs:
        if section(made.manifest, "verdict") and standing(made.manifest).kind not in {"left out", "down"}:
            for entry in json.loads(entries_of(made.manifest)):
                found.setdefault(entry["name"], []).append(entry)
    return as_json([_mean(entries) for entries in found.values()])


def _mean(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if len(entries) == 1:
        return entries[0]
    values = [entry["value"] for entry in entries]
    spread = f"mean of {format_count(len(values))} runs, {min(values):.4g} to {max(values):.4g}"
    return {**entries[0], "value": statistics.fmean(values), "range": spread}
