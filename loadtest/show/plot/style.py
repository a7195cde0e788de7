"""How every plot looks: one colour a meaning, type sizes, and text that is cut to fit.

What is drawn (an outcome, a release, a metric, a phase, how a connection ended) has its colour, dash, marker
and hatch in one of the tables here. No plot chooses a colour by the place of something in a list of its own:
two plots that are held side by side would paint the same thing in different colours. Releases have no names
that are known beforehand: they are numbered once for all plots of a call (``release``).

The colours themselves, and what they are on a page that is dark, stand in ``show.light_and_dark``.
matplotlib is imported by the functions that need it: a page takes its colours from here and draws nothing.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.errors import Layer
from loadtest.show.document import Tone
from loadtest.show.light_and_dark import PLOT

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

INK, MUTED, GRID, EDGE, SHADE, SURFACE = (
    PLOT[name].light for name in ("ink", "muted", "grid", "edge", "shade", "surface")
)
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = (
    PLOT[name].light for name in ("blue", "orange", "green", "vermillion", "purple", "sky")
)
"""Apart for every kind of colour vision; line styles and markers differ besides."""


class Style(NamedTuple):
    """How one meaning is drawn, never by colour alone. ``hatch`` fills its bars, ``width`` is in points."""

    colour: str
    dash: str | tuple[float, tuple[float, ...]] = "-"
    marker: str = "o"
    hatch: str = ""
    width: float = 1.6


TONES: dict[Tone, str] = {"good": GREEN, "bad": VERMILLION, "doubt": INK, "plain": INK}

OUTCOMES = {
    "complete": Style(GREEN, (0, (4, 2)), "o", "", 1.5),
    "failed": Style(VERMILLION, "-", "X", "///"),
    "timed_out": Style(ORANGE, "-", "^", "..."),
    "lost": Style(PURPLE, "-", "v", "xxx"),
    "refused": Style(SKY, "-", "s", "---"),
    "abandoned": Style(BLUE, "-", "D", "+++"),
    "not_attempted": Style(MUTED, "-", "P", ""),
}
"""Of a turn, by the outcome's key in ``run.json``."""

RATES = {
    "events.received": Style(INK, "-", width=1.5),
    "events.sent": Style(BLUE, (0, (6, 1.5, 1.5, 1.5)), width=1.5),
    "turns.due": Style(MUTED, (0, (1, 1.5)), width=1.5),
    "turns.complete": OUTCOMES["complete"],
}
"""Of a counter that is drawn as a rate."""

METRICS = {
    "turn.first_event": Style(BLUE, "-", "o", width=3.6),
    "turn.completion": Style(VERMILLION, "-", "^", width=1.9),
    "turn.first_event.service": Style(SKY, (0, (4, 2)), "s", width=2.2),
    "turn.completion.service": Style(ORANGE, (0, (4, 2)), "D", width=1.1),
    "event.gap": Style(INK),
    "send.lateness": Style(PURPLE),
    "receive.lag": Style(MUTED, (0, (4, 2))),
}
"""From wide to narrow: lines often lie on one another, and all must show."""

PERCENTILES = {
    "p50": Style(INK, "-", "o"),
    "p95": Style(INK, (0, (4, 2)), "s"),
    "p99": Style(INK, (0, (1, 1.2)), "^"),
}
"""Dash and marker of a percentile over time; the colour is that of its metric."""

PHASES = {"warm-up": SHADE, "drain": SHADE}
"""What is not measured is shaded; the legend names it."""

TURN_PARTS = {
    "late": Style(PURPLE),
    "waiting": Style(BLUE),
    "streaming": Style(SKY),
    "unanswered": Style(ORANGE),
}
"""Of the bar of a single turn: until it was sent, until its first event, until its end; or no event came."""

CONNECTIONS = {
    "ready": Style(BLUE),
    "refused": Style(SKY, marker="s"),
    "closed": Style(VERMILLION, marker="X"),
}
"""Of connections, where no layer and no code tells them apart."""

RELEASES = (
    Style(INK, "-", "o", ""),
    Style(BLUE, (0, (5, 2)), "s", "///"),
    Style(VERMILLION, (0, (1.2, 1.2)), "^", "..."),
    Style(GREEN, (0, (6, 1.5, 1.5, 1.5)), "D", "xxx"),
    Style(PURPLE, (0, (3, 1)), "v", "---"),
    Style(ORANGE, (0, (1, 2.5)), "P", "+++"),
)
"""The baseline, then the candidates; ``release`` says which is whose."""

PROBES = {
    "held": Style(GREEN, marker="o"),
    "missed": Style(VERMILLION, marker="X"),
    "invalid": Style(MUTED, marker="v"),
}
"""Of a run of a search, by its answer."""

LIMIT, GENERATOR, TARGET = PURPLE, PURPLE, GREEN
"""Of a threshold's limit; of what the generator itself used; of what was sampled of the target."""

LIMIT_DASH = (0, (2, 1.4))

REFUSED = {
    Layer.PREPARE: Style(SKY, hatch="***"),
    Layer.RESOLVE: Style(SKY, hatch="///"),
    Layer.TCP: Style(SKY, hatch="---"),
    Layer.PROXY: Style(SKY, hatch="ooo"),
    Layer.TLS: Style(SKY, hatch="xxx"),
    Layer.UPGRADE: Style(PURPLE, hatch="..."),
    Layer.AUTH: Style(PURPLE, hatch="+++"),
    Layer.READY: Style(PURPLE),
}
"""Of a connection that was refused at a layer."""

GIVEN_UP = {
    "silent": Style(MUTED, hatch="///"),
    "broken": Style(MUTED, hatch="xxx"),
    "codec": Style(MUTED, hatch="+++"),
    "too_long": Style(MUTED, hatch="---"),
    "flood": Style(MUTED, hatch="..."),
}
"""Of a connection that we ended, by the reason."""

OTHER_KINDS = Style(EDGE)

CLOSED_COLOURS, HATCHES = (VERMILLION, ORANGE, BLUE), ("///", "...", "xxx", "---", "+++", "")


def refused(layer: str) -> Style:
    """Of connections that were refused at ``layer``."""
    return REFUSED[Layer(layer)] if layer in set(Layer) else OTHER_KINDS


def closed(code: str) -> Style:
    """Of connections that the target closed with ``code``: its own among 18 codes in a row."""
    number = int(code[:9]) if code.isascii() and code.isdigit() else 0
    turn, colour = divmod(number % (len(CLOSED_COLOURS) * len(HATCHES)), len(CLOSED_COLOURS))
    return Style(CLOSED_COLOURS[colour], hatch=HATCHES[turn])


def given_up(why: str) -> Style:
    """Of connections that we ended."""
    return GIVEN_UP.get(why, OTHER_KINDS)


def release(number: int) -> Style:
    """Of the baseline, which is 0, or of a candidate, counted from 1 over all pictures of a call."""
    return RELEASES[(number - 1) % (len(RELEASES) - 1) + 1] if number else RELEASES[0]


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
    # As an SVG has its letters, and no time is spent on fitting each to the pixels of one screen.
    "text.hinting": "none",
    "axes.unicode_minus": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "loadtest",
    "path.simplify": True,
    "hatch.linewidth": 0.8,
}
"""Given to matplotlib while a plot is drawn, and taken back after."""


@functools.cache
def _font(weight: str) -> FT2Font:
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    return FT2Font(findfont(FontProperties(family=FONT, weight=weight)))


def drawable(text: str) -> str:
    """``text`` with every character that the font cannot draw replaced by ``?``."""
    font = _font("normal")
    return "".join(c if c == " " or font.get_char_index(ord(c)) else "?" for c in text)


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, weight: str = "normal") -> float:
    """How wide ``text`` is drawn, in points."""
    from matplotlib.ft2font import LoadFlags

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
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    steps = [1, 2, 5, 10] if integer else [1, 2, 2.5, 5, 10]
    axis.set_major_locator(MaxNLocator(bins, min_n_ticks=2, steps=steps, integer=integer))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def log_time(axis: Any, low: float, high: float) -> None:
    """A logarithmic axis from ``low`` to ``high``, labelled at 1, 2 and 5, or at powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

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
