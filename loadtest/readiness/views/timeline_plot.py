"""The plot over time: overall health as a line, and a strip of states for each component.

It is a list of shapes, so that a watch can draw it every few seconds without importing anything heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from loadtest.readiness.assessment import Assessment, ComponentRow, CoursePoint
from loadtest.show.document import Plot, Tone
from loadtest.show.plot.shapes import (
    PER_INCH,
    DrawnBox,
    DrawnLine,
    DrawnShape,
    DrawnWords,
    png_of,
    svg_of,
)
from loadtest.show.sanitize import printable

ROW, LINE_HIGH, HEAD, FOOT = 19.0, 62.0, 8.0, 22.0
LETTER = 7.0
"""How wide a letter is at most, as a rule."""
TONES: dict[str, Tone] = {"healthy": "good", "degraded": "doubt", "down": "bad", "unknown": "plain"}
HEIGHTS = {"healthy": 5.0, "degraded": 9.0, "down": 15.0}
"""The worse, the taller: the plot can be read without its colours. What is unknown is a dotted line."""


def course_plot(found: Assessment, instant: Callable[[float], str]) -> Plot | None:
    """The plot; None of fewer than two assessments. ``instant`` makes text of a Unix time."""
    points = found.course
    if len(points) < 2:
        return None
    n = sum(each.n for each in points)
    shared = (
        f" Where {max(each.n for each in points)} share a column, the column shows the worst."
        if n > len(points)
        else ""
    )
    caption = (
        f"The last {n} assessments, each as wide as the others, from {instant(points[0].at)} to"
        f" {instant(points[-1].at)}: overall health (with a gap where it was not known) and each component. "
        f"A taller mark is worse; a dotted mark is unknown.{shared}"
    )
    rows = found.components
    label = "health and components over time"

    def shapes(inches: float) -> Sequence[DrawnShape]:
        return list(_shapes(points, rows, inches * PER_INCH))

    high = HEAD + LINE_HIGH + ROW * len(rows) + FOOT
    return Plot(
        caption,
        lambda inches: svg_of(shapes(inches), inches, high, label),
        lambda inches: png_of(shapes(inches), inches, high),
    )


def _shapes(points: Sequence[CoursePoint], rows: Sequence[ComponentRow], wide: float) -> Iterator[DrawnShape]:
    longest = max((len(printable(row.title, 80)) for row in rows), default=0)
    letters = max(10, min(longest, int(wide * 0.3 / LETTER)))
    left, right = max(96.0, letters * LETTER + 8), wide - 8.0
    step = (right - left) / len(points)
    top, bottom = HEAD, HEAD + LINE_HIGH - 12
    for share in (0.0, 0.5, 1.0):
        y = bottom - (bottom - top) * share
        yield DrawnLine(((left, y), (right, y)), "plain", thick=0.4)
        yield DrawnWords(left - 6, y + 4, f"{share:.0%}", "end")
    yield DrawnWords(0, (top + bottom) / 2 + 4, "health", muted=False)
    for part in _known(points):
        yield DrawnLine(
            tuple((left + step * (at + 0.5), bottom - (bottom - top) * health) for at, health in part),
            "plain", thick=1.8,
        )  # fmt: skip
    for number, row in enumerate(rows):
        yield from _strip(points, row, number, (left, step, letters))
    last = HEAD + LINE_HIGH + ROW * len(rows) + 14
    yield DrawnWords(left, last, _clock(points[0].at))
    yield DrawnWords(right, last, _clock(points[-1].at), "end")


def _strip(
    points: Sequence[CoursePoint], row: ComponentRow, number: int, place: tuple[float, float, int]
) -> Iterator[DrawnShape]:
    left, step, letters = place
    middle = HEAD + LINE_HIGH + ROW * number + ROW / 2 - 2
    title = printable(row.title, 80)
    yield DrawnWords(
        0, middle + 4, title if len(title) <= letters else f"{title[: letters - 1]}…", muted=False
    )
    at = 0
    while at < len(points):
        status, begin = points[at].status.get(row.name), at
        while at < len(points) and points[at].status.get(row.name) == status:
            at += 1
        x, wide = left + step * begin, step * (at - begin)
        if status == "unknown":
            yield DrawnLine(((x, middle), (x + wide, middle)), "plain", dotted=True, thick=1.4)
        elif status is not None:
            high = HEIGHTS[status]
            yield DrawnBox(x, middle - high / 2, max(1.0, wide - 0.6), high, TONES[status])


def _known(points: Sequence[CoursePoint]) -> Iterator[list[tuple[int, float]]]:
    """Runs of points whose health is known; one alone is as wide as its column."""
    part: list[tuple[int, float]] = []
    for at, each in enumerate(points):
        if each.health is not None:
            part.append((at, min(1.0, max(0.0, each.health))))
        elif part:
            yield part
            part = []
    if part:
        yield part


def _clock(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%m-%d %H:%M")
