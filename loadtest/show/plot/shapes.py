"""A plot of few shapes, drawn without matplotlib as SVG, and by it as pixels for a PDF.

Coordinates are in pixels of 96 an inch, from the upper left corner.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from loadtest.show.document import Tone
from loadtest.show.light_and_dark import PAGE, PLOT

PER_INCH = 96.0
LETTERS = 12.0

VARIABLES: dict[Tone, str] = {
    "good": "var(--good)", "bad": "var(--bad)", "doubt": "var(--doubt)", "plain": "var(--muted)",
}  # fmt: skip
INK, MUTED = PLOT["ink"].light, PLOT["muted"].light
INKS: dict[Tone, str] = {
    "good": PAGE["good"].light, "bad": PAGE["bad"].light, "doubt": PAGE["doubt"].light, "plain": MUTED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A filled box."""

    x: float
    y: float
    wide: float
    high: float
    tone: Tone


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line through points; of a single one a dot. One thicker than 1.5 is drawn in ink."""

    points: tuple[tuple[float, float], ...]
    tone: Tone
    dotted: bool = False
    thick: float = 1.0


@dataclass(frozen=True, slots=True)
class DrawnWords:
    """A line of text; its baseline is at ``y``."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    muted: bool = True


DrawnShape = DrawnBox | DrawnLine | DrawnWords


def svg_of(shapes: Sequence[DrawnShape], inches: float, high: float, label: str) -> str:
    """The shapes as SVG; ``label`` says what they are."""
    wide = inches * PER_INCH
    drawn = "".join(_drawn(each) for each in shapes)
    return (
        f'<svg viewBox="0 0 {wide:.0f} {high:.0f}" role="img" aria-label="{escape(label)}"'
        f' font-size="{LETTERS:g}">{drawn}</svg>'
    )


def _drawn(shape: DrawnShape) -> str:
    if isinstance(shape, DrawnBox):
        return (
            f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.wide:.1f}" height="{shape.high:.1f}"'
            f' fill="{VARIABLES[shape.tone]}"/>'
        )
    if isinstance(shape, DrawnLine):
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


def png_of(shapes: Sequence[DrawnShape], inches: float, high: float) -> bytes:
    """The shapes as pixels, for paper."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    wide = inches * PER_INCH
    figure = Figure(figsize=(inches, high / PER_INCH), dpi=200)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, wide), ylim=(high, 0))
    axes.set_axis_off()
    anchors = {"start": "left", "end": "right"}
    for each in shapes:
        if isinstance(each, DrawnBox):
            axes.add_patch(Rectangle((each.x, each.y), each.wide, each.high, color=INKS[each.tone], lw=0))
        elif isinstance(each, DrawnLine):
            xs, ys = zip(*each.points, strict=True)
            ink = INK if each.thick > 1.5 else INKS[each.tone]
            style = ":" if each.dotted else "-"
            mark = "o" if len(xs) == 1 else ""
            axes.add_line(Line2D(xs, ys, color=ink, lw=each.thick * 0.75, ls=style, marker=mark, ms=2))
        else:
            ink = MUTED if each.muted else INK
            axes.text(each.x, each.y, each.text.replace("$", r"\$"), ha=anchors[each.anchor], color=ink,
                      fontsize=LETTERS * 0.72, family="DejaVu Sans")  # fmt: skip
    into = io.BytesIO()
    figure.savefig(into, format="png")
    return into.getvalue()
