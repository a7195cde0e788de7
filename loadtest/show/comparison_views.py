"""All views of comparisons, as text by the name of a format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest.judge.compare import Comparison
from loadtest.show.comparison import tell
from loadtest.show.comparison_texts import as_json, junit, markdown
from loadtest.show.manifest import StoredRun
from loadtest.show.terminal_comparison import render


@dataclass(frozen=True)
class Compared:
    """A comparison with the stored runs of both sides, of which pictures are drawn."""

    comparison: Comparison
    baseline: tuple[StoredRun, ...]
    candidate: tuple[StoredRun, ...]


def compared(
    comparison: Comparison, baseline: Sequence[StoredRun], candidate: Sequence[StoredRun]
) -> Compared:
    """With those of the runs that count, and whose raw files were not pruned."""
    before, after = (
        tuple(
            run
            for run in runs
            if any(run.manifest is each for each in side.runs) and not run.manifest.get("pruned")
        )
        for runs, side in ((baseline, comparison.baseline), (candidate, comparison.candidate))
    )
    return Compared(comparison, before, after)


def text(items: Sequence[Compared], form: str, exit_code: int, *, exploratory: bool = False) -> str:
    """The comparisons in one format, ending with a newline; ``exploratory`` as in each of them."""
    comparisons = [each.comparison for each in items]
    forms: dict[str, Callable[[], str]] = {
        "terminal": lambda: render(map(tell, comparisons), width=100, exploratory=exploratory),
        "markdown": lambda: markdown(map(tell, comparisons), exploratory=exploratory),
        "json": lambda: as_json(comparisons, exit_code),
        "junit": lambda: junit(comparisons),
        "html": lambda: _html(items, exit_code),
    }
    return forms[form]()


def _html(items: Sequence[Compared], exit_code: int) -> str:
    from loadtest.show.comparison_html import html

    return html(items, exit_code)
