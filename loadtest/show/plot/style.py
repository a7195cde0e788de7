"""How every plot looks: colours that anyone can tell apart, type sizes, and text that is cut to fit.

Colours are unique per role, so that ``svg.inline`` can turn them into CSS variables of a page that is
light or dark.
"""

from __future__ import annotations

import functools
from typing import Any

from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

INK, MUTED, GRID, EDGE, SHADE, SURFACE = "#1b2430", "#5c6773", "#e3e7eb", "#aab2bc", "#f1f3f6", "#fffffe"
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
)
"""Okabe and Ito's palette, apart for every kind of colour vision; line styles and markers differ besides."""

WIDE_IN, NARROW_IN = 10.4, 3.75
"""Widths in inches: a page of about 1,000 px, and a phone. Points have the same size on both."""

TITLE_PT, TEXT_PT, SMALL_PT = 13.5, 9.8, 8.8
EDGE_IN = 0.12
DPI = 100

FONT = "DejaVu Sans"
"""Comes with matplotlib, so that text has the same size everywhere."""

SETTINGS: Any = {
    "font.family": [FONT],
    "font.size": TEXT_PT,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "loadtest",
    "path.simplify": True,
    "hatch.linewidth": 0.8,
}
"""Given to matplotlib while a plot is drawn, and taken back after."""


@functools.cache
def _font(weight: str) -> FT2Font:
    return FT2Font(findfont(FontProperties(family=FONT, weight=weight)))


def drawable(text: str) -> str:
    """``text`` with every character that the font cannot draw replaced by ``?``."""
    font = _font("normal")
    return "".join(c if c == " " or font.get_char_index(ord(c)) else "?" for c in text)


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, weight: str = "normal") -> float:
    """How wide ``text`` is drawn, in points."""
    font = _font(weight)
    font.set_size(size, 72)
    font.set_text(drawable(text), 0.0, flags=LoadFlags.NO_HINTING)
    # FreeType counts in 64ths of a pixel, here of a point.
    return float(font.get_width_height()[0] / 64)


def fit(text: str, points: float, size: float, *, weight: str = "normal") -> str:
    """``text`` cut with an ellipsis so that it is at most ``points`` wide."""
    shown = drawable(text)
    # No character of this font is narrower than a fifth of its size: the rest cannot fit and is not measured.
    shown = shown[: int(points / (size * 0.2)) + 1]
    if text_width(shown, size, weight=weight) <= points:
        return shown
    low, high = 0, len(shown)
    while low < high:
        middle = (low + high + 1) // 2
        fits = text_width(shown[:middle] + "…", size, weight=weight) <= points
        low, high = (middle, high) if fits else (low, middle - 1)
    return shown[:low].rstrip() + "…"


def wrap(text: str, points: float, size: float, *, lines: int, weight: str = "normal") -> str:
    """``text`` on at most ``lines`` lines of ``points`` width, the last one cut if need be."""
    words, made = drawable(text).split(), [""]
    while words:
        longer = f"{made[-1]} {words[0]}".strip()
        if text_width(longer, size, weight=weight) <= points:
            made[-1] = longer
            words.pop(0)
        elif made[-1] and len(made) < lines:
            made.append("")
        else:
            made[-1] = fit(" ".join([made[-1], *words]).strip(), points, size, weight=weight)
            break
    return "\n".join(made)


def thousands(axis: Any, *, bins: int = 5, integer: bool = False) -> None:
    """Short tick labels with thousands apart, never in powers of ten; ``integer`` for counts."""
    steps = [1, 2, 5, 10] if integer else [1, 2, 2.5, 5, 10]
    axis.set_major_locator(MaxNLocator(bins, min_n_ticks=2, steps=steps, integer=integer))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def log_time(axis: Any, low: float, high: float) -> None:
    """A logarithmic axis from ``low`` to ``high``, labelled at 1, 2 and 5, or at powers of ten."""
    steps = (1.0, 2.0, 5.0) if high / max(low, 1e-6) < 3_000 else (1.0,)
    axis.axes.set_yscale("log")
    axis.axes.set_ylim(max(low, 1e-6) / 1.3, high * 1.3)
    axis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def plain(value: float) -> str:
    """A tick's number: "0.1", "2.5", "1,000", "2 M"."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M")):
        if abs(value) >= size:
            return f"{value / size:,.4g}{unit}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
