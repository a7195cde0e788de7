"""Make docs/pictures/compare-*: every picture of a comparison, its page on a wide screen and on a phone.

    python docs/make_comparison_pictures.py results BASELINE CANDIDATE...

Each picture is made as SVG, as PNG, and with --grey once more without colour, as it comes out of a printer.
Screenshots need chromium, and are left out with a word where there is none.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from make_pictures import PICTURES, drawn, screenshots

from loadtest.judge.compare import compare, worst
from loadtest.judge.samples import side
from loadtest.keep.find import find_run, find_runs
from loadtest.keep.read import read_run
from loadtest.show.comparison import Compared, compared, written
from loadtest.show.comparison_data import boards
from loadtest.show.manifest import ReadableRun
from loadtest.show.plot.release_pictures import ComparisonPictures
from loadtest.show.report_formats import judged


def main() -> None:
    """Read the runs, make every picture, print its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="the folder of the runs")
    parser.add_argument("sides", nargs="+", help="labels or runs, the baseline first")
    parser.add_argument("--into", type=Path, default=PICTURES, help="where the pictures go")
    parser.add_argument("--grey", action="store_true", help="once more without colour")
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    items = compare_all(asked.results, asked.sides)
    for path in (*plots(items, asked.into, grey=asked.grey), *pages(items, asked.into)):
        print(path)


def compare_all(results: Path, sides: Sequence[str]) -> list[Compared]:
    """Every side against the first."""
    runs = {name: read_all(results, name) for name in sides}
    baseline, *candidates = sides
    found = []
    for name in candidates:
        one, other = (side(each, [run.manifest for run in runs[each]]) for each in (baseline, name))
        found.append(compared(compare(one, other), runs[baseline], runs[name]))
    return found


def read_all(results: Path, name: str) -> list[ReadableRun]:
    """All runs of a label, or one."""
    return [judged(read_run(path)) for path in find_runs(results, name) or [find_run(results, name)]]


def plots(items: Sequence[Compared], into: Path, *, grey: bool) -> Iterator[Path]:
    """Every picture, as SVG and as PNG."""
    for board in boards(items):
        pictures = ComparisonPictures(board)
        for name in pictures.names:
            yield from drawn(f"compare-{name}", pictures.svg(name), pictures.png(name), into, grey=grey)


def pages(items: Sequence[Compared], into: Path) -> Iterator[Path]:
    """compare.html as PNG, wide and narrow, light and dark."""
    code = int(worst([each.comparison for each in items]))
    return screenshots("compare", str(written(items, "html", code)), into)


if __name__ == "__main__":
    main()
