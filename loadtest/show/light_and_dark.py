"""The colours of all that is shown: on paper and a light page, a dark page, a terminal in a picture.

Nothing else in ``loadtest`` names a colour by its number. What a colour means is said in ``plot.style``.
"""

from __future__ import annotations

from typing import NamedTuple


class Colour(NamedTuple):
    """One colour, as ``#rrggbb``: on paper and on a light page, and on a dark one."""

    light: str
    dark: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue on paper, each 0 to 255."""
        return rgb(self.light)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of ``#rrggbb``, each 0 to 255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


PLOT = {
    "ink": Colour("#1b2430", "#e6eaef"),
    "muted": Colour("#5c6773", "#9aa6b2"),
    "grid": Colour("#e3e7eb", "#29323c"),
    "edge": Colour("#aab2bc", "#55616d"),
    "shade": Colour("#f1f3f6", "#1e2731"),
    "surface": Colour("#fffffe", "#151b22"),
    "blue": Colour("#0072b2", "#4ba3e3"),
    "orange": Colour("#e69f00", "#f0b429"),
    "green": Colour("#009e73", "#2fbf94"),
    "vermillion": Colour("#d55e00", "#f4824a"),
    "purple": Colour("#cc79a7", "#d893b8"),
    "sky": Colour("#56b4e9", "#8fd0f5"),
}
"""Of plots. The hues are Okabe and Ito's, apart for every kind of colour vision."""

PAGE = {
    "page": Colour("#f5f6f8", "#0d1116"),
    "good": Colour("#00795a", "#4ccfa4"),
    "bad": Colour("#b34700", "#ff9a5c"),
    "doubt": Colour("#8a6100", "#eec04f"),
    "link": Colour("#0072b2", "#6bb8ee"),
    "good-tint": Colour("#e3f4ee", "#10291f"),
    "bad-tint": Colour("#fcebe1", "#331d10"),
    "doubt-tint": Colour("#fbf1d9", "#2e2510"),
}
"""Of words and their grounds, dark enough on light and light enough on dark to be read (WCAG AA)."""

BADGE = Colour("#3b4651", "#3b4651")
"""The left half of a badge, which stands on pages of others."""

PLOT_NAMES = {colour.light: name for name, colour in PLOT.items()}
"""The name of a plot's colour by what it is on paper."""
