"""A suite of runs in words: one table for the terminal and for Markdown, one document for machines."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.errors import WORST_FIRST
from loadtest.judge.sections import Manifest, number, section
from loadtest.judge.suite import Made, Suite
from loadtest.keep.json import json_text
from loadtest.show.manifest import rows, whole
from loadtest.show.markdown import code, escaped
from loadtest.show.metric_table import duration_text
from loadtest.show.report_model import judgement
from loadtest.show.sanitize import printable
from loadtest.show.terminal_screen import ASCII, aligned
from loadtest.units import format_count, format_duration, format_ratio

HEADS = (
    "",
    "code",
    "scenario",
    "thresholds held",
    "first event p95",
    "completion p95",
    "turns complete",
    "took",
)

MARKS = {"PASS": "✅", "FAIL": "❌", "UNREACHABLE": "❌", "ERROR": "❌"}
"""Of a word; of any other: one does not know."""

NOTHING = "–"


def as_json(suite: Suite) -> str:
    """The suite as plain data."""
    return json_text(suite.as_dict(), indent=2) + "\n"


def as_text(suite: Suite, *, width: int = 110, ascii_only: bool = False) -> str:
    """The table, the worst first, a sentence for everything that is no pass, the verdict as the last line."""
    text = table(suite, width=width) + verdict_line(suite)
    return text.translate(ASCII).encode("ascii", "replace").decode() if ascii_only else text


def table(suite: Suite, *, width: int) -> str:
    """The table, the worst first, then a sentence for everything that is no pass."""
    cells = [HEADS, *(_cells(made) for made in _worst_first(suite))]
    lines = [
        *aligned(cells, "lrlrrrrr", width, give_way=2),
        "",
        *(f"{_word(made)} {_name(made)}: {printable(made.why, 1000)}" for made in _not_passed(suite)),
    ]
    return "\n".join(lines) + "\n"


def verdict_line(suite: Suite) -> str:
    """How the suite ended, in one line."""
    return f"exit code {int(suite.exit_code)}: {_summed(suite)}\n"


def _worst_first(suite: Suite) -> list[Made]:
    """In the order in which exit codes count; equals stay in the order of the runs."""
    return sorted(suite.runs, key=lambda made: (WORST_FIRST.index(made.counts_as), made.exit_code is None))


def as_markdown(suite: Suite) -> str:
    """The same for a job summary of CI or a pull request."""
    return "\n".join(_markdown(suite)) + "\n"


def _markdown(suite: Suite) -> Iterator[str]:
    of = " ".join(part for part in ("Suite", suite.label or "") if part)
    simulated = " (SIMULATED)" if suite.simulated else ""
    yield from (
        f"# {escaped(of)}{simulated}: exit code {int(suite.exit_code)}",
        "",
        escaped(_summed(suite)),
        "",
    )
    yield f"| {' | '.join(HEADS)} |"
    yield "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"
    for made in _worst_first(suite):
        word, *cells = _cells(made)
        yield f"| {MARKS.get(word, '❔')} {word} | {' | '.join(escaped(cell) for cell in cells)} |"
    if told := _not_passed(suite):
        yield ""
        for made in told:
            run = made.manifest.get("id")
            where = f" ({code(str(run))})" if run else ""
            yield f"- **{_word(made)}** {escaped(_name(made))}{where}: {escaped(printable(made.why, 1000))}"
    if suite.left_out:
        named = ", ".join(f"{code(path)} ({kind})" for path, kind in suite.left_out.items())
        yield from ("", f"Left out, being no scenario: {named}.")


def _cells(made: Made) -> tuple[str, ...]:
    return (
        _word(made),
        NOTHING if made.exit_code is None else str(int(made.exit_code)),
        _name(made),
        _held(made.manifest),
        _p95(made.manifest, "turn.first_event"),
        _p95(made.manifest, "turn.completion"),
        _complete(made.manifest),
        NOTHING if made.took_s is None else format_duration(made.took_s * 1e9),
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
    due, complete = whole(turns.get("due")), whole(turns.get("complete"))
    return format_ratio((complete or 0) / due) if due else NOTHING


def _not_passed(suite: Suite) -> list[Made]:
    return [made for made in _worst_first(suite) if _word(made) != "PASS"]


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
