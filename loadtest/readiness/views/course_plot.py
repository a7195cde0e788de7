"""The plot over time: overall health as a line, and a strip of states for each component.

It is a list of shapes, drawn twice: as SVG for pages, where nothing heavy is imported since a watch draws it
every few seconds, and by matplotlib as pixels for the PDF.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from loadtest.readiness.assessment import Assessment, ComponentRow, CoursePoint
from loadtest.show.document import Plot, Tone
from loadtest.show.sanitize import printable

PER_INCH = 96.0
ROW, LINE_HIGH, HEAD, FOOT = 19.0, 62.0, 8.0, 22.0
LETTERS, LETTER = 12.0, 7.0
"""The size of the letters, and how wide one is at most as a rule."""
TONES: dict[str, Tone] = {"healthy": "good", "degraded": "doubt", "down": "bad", "unknown": "plain"}
HEIGHTS = {"healthy": 5.0, "degraded": 9.0, "down": 15.0}
"""The worse, the taller: the plot can be read without its colours. What is unknown is a dotted line."""

VARIABLES: dict[Tone, str] = {
    "good": "var(--good)", "bad": "var(--bad)", "doubt": "var(--doubt)", "plain": "var(--muted)",
}  # fmt: skip
INKS: dict[Tone, str] = {"good": "#00795a", "bad": "#b34700", "doubt": "#b58100", "plain": "#5c6773"}


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    wide: float
    high: float
    tone: Tone


@dataclass(frozen=True, slots=True)
class _Line:
    points: tuple[tuple[float, float], ...]
    tone: Tone
    dotted: bool = False
    thick: float = 1.0


@dataclass(frozen=True, slots=True)
class _Words:
    x: float
    y: float
    text: str
    anchor: str = "start"
    muted: bool = True


_Shape = _Box | _Line | _Words


def course_plot(found: Assessment, instant: Callable[[float], str]) -> Plot | None:
    """The plot; None of fewer than two assessments. ``instant`` makes text of a Unix time."""
    points = found.course
    if len(points) < 2:
        return None
    n = sum(each.n for each in points)
    shared = (
        f" Where {max(each.n for each in points)} share a column, the worst is shown."
        if n > len(points)
        else ""
    )
    caption = (
        f"The last {n} assessments, each as wide as the others, from {instant(points[0].at)} to"
        f" {instant(points[-1].at)}: overall health (the line breaks where it was not known) and each"
        f" component. The taller, the worse; dotted is unknown.{shared}"
    )
    rows = found.components
    return Plot(caption, lambda inches: _svg(points, rows, inches), lambda inches: _png(points, rows, inches))


def _high(rows: Sequence[ComponentRow]) -> float:
    return HEAD + LINE_HIGH + ROW * len(rows) + FOOT


def _shapes(points: Sequence[CoursePoint], rows: Sequence[ComponentRow], wide: float) -> Iterator[_Shape]:
    longest = max((len(printable(row.title, 80)) for row in rows), default=0)
    letters = max(10, min(longest, int(wide * 0.3 / LETTER)))
    left, right = max(96.0, letters * LETTER + 8), wide - 8.0
    step = (right - left) / len(points)
    top, bottom = HEAD, HEAD + LINE_HIGH - 12
    for share in (0.0, 0.5, 1.0):
        y = bottom - (bottom - top) * share
        yield _Line(((left, y), (right, y)), "plain", thick=0.4)
        yield _Words(left - 6, y + 4, f"{share:.0%}", "end")
    yield _Words(0, (top + bottom) / 2 + 4, "health", muted=False)
    for part in _known(points):
        yield _Line(
            tuple((left + step * (at + 0.5), bottom - (bottom - top) * health) for at, health in part),
            "plain", thick=1.8,
        )  # fmt: skip
    for number, row in enumerate(rows):
        yield from _strip(points, row, number, (left, step, letters))
    last = HEAD + LINE_HIGH + ROW * len(rows) + 14
    yield _Words(left, last, _clock(points[0].at))
    yield _Words(right, last, _clock(points[-1].at), "end")


def _strip(
    points: Sequence[CoursePoint], row: ComponentRow, number: int, place: tuple[float, float, int]
) -> Iterator[_Shape]:
    left, step, letters = place
    middle = HEAD + LINE_HIGH + ROW * number + ROW / 2 - 2
    title = printable(row.title, 80)
    yield _Words(0, middle + 4, title if len(title) <= letters else f"{title[: letters - 1]}…", muted=False)
    at = 0
    while at < len(points):
        status, begin = points[at].status.get(row.name), at
        while at < len(points) and points[at].status.get(row.name) == status:
            at += 1
        x, wide = left + step * begin, step * (at - begin)
        if status == "unknown":
            yield _Line(((x, middle), (x + wide, middle)), "plain", dotted=True, thick=1.4)
        elif status is not None:
            high = HEIGHTS[status]
            yield _Box(x, middle - high / 2, max(1.0, wide - 0.6), high, TONES[status])


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


def _svg(points: Sequence[CoursePoint], rows: Sequence[ComponentRow], inches: float) -> str:
    wide, high = inches * PER_INCH, _high(rows)
    drawn = "".join(_drawn(each) for each in _shapes(points, rows, wide))
    return (
        f'<svg viewBox="0 0 {wide:.0f} {high:.0f}" role="img" aria-label="health and components over time"'
        f' font-size="{LETTERS:g}">{drawn}</svg>'
    )


def _drawn(shape: _Shape) -> str:
    if isinstance(shape, _Box):
        return (
            f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.wide:.1f}" height="{shape.high:.1f}"'
            f' fill="{VARIABLES[shape.tone]}"/>'
        )
    if isinstance(shape, _Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        if len(shape.points) == 1:
            ((x, y),) = shape.points
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="var(--ink)"/>'
        dots = ' stroke-dasharray="2 3"' if shape.dotted else ""
        ink = "var(--ink)" if shape.thick > 1.5 else VARIABLES[shape.tone]
        return (
            f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-width="{shape.thick:g}"{dots}/>'
        )
    fill = "var(--muted)" if shape.muted else "var(--ink)"
    return (
        f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}" fill="{fill}">'
        f"{escape(shape.text)}</text>"
    )


def _png(points: Sequence[CoursePoint], rows: Sequence[ComponentRow], inches: float) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    wide, high = inches * PER_INCH, _high(rows)
    figure = Figure(figsize=(inches, high / PER_INCH), dpi=200)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, wide), ylim=(high, 0))
    axes.set_axis_off()
    anchors = {"start": "left", "end": "right"}
    for each in _shapes(points, rows, wide):
        if isinstance(each, _Box):
            axes.add_patch(Rectangle((each.x, each.y), each.wide, each.high, color=INKS[each.tone], lw=0))
        elif isinstance(each, _Line):
            xs, ys = zip(*each.points, strict=True)
            ink = "#1b2430" if each.thick > 1.5 else INKS[each.tone]
            style = ":" if each.dotted else "-"
            mark = "o" if len(xs) == 1 else ""
            axes.add_line(Line2D(xs, ys, color=ink, lw=each.thick * 0.75, ls=style, marker=mark, ms=2))
        else:
            ink = "#5c6773" if each.muted else "#1b2430"
            axes.text(each.x, each.y, each.text.replace("$", r"\$"), ha=anchors[each.anchor], color=ink,
                      fontsize=LETTERS * 0.72, family="DejaVu Sans")  # fmt: skip
    into = io.BytesIO()
    figure.savefig(into, format="png")
    return into.getvalue()
