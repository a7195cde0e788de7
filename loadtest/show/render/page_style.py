"""The colours of a page as CSS variables, light and dark: those of the plots, under the same names."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.show.light_and_dark import PAGE, PLOT, PLOT_NAMES, Colour
from loadtest.show.plot import style

MEANINGS: dict[str, Mapping[str, style.Style]] = {
    "outcome": style.OUTCOMES,
    "metric": style.METRICS,
    "rate": style.RATES,
    "connections": style.CONNECTIONS,
    "part": style.TURN_PARTS,
    "line": {
        "limit": style.Style(style.LIMIT),
        "generator": style.Style(style.GENERATOR),
        "target": style.Style(style.TARGET),
    },
}
"""What pages draw themselves, by the first word of the variable."""

REPEATED = {"ink": "ink", "muted": "muted", "line": "grid", "shade": "shade", "card": "surface"}
"""Variables of words and boxes that have a plot's colour."""


def page_colours() -> str:
    """The rules that define every colour of a page; a dark screen has its own, paper never."""
    light = [f"--{name}: {colour.light};" for name, colour in _named().items()]
    dark = [f"--{name}: {colour.dark};" for name, colour in _named().items()]
    return (
        f":root {{ color-scheme: light dark; {' '.join([*light, *_meanings()])} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {' '.join(dark)} }} }}"
    )


def _named() -> dict[str, Colour]:
    return {
        **PAGE,
        **{name: PLOT[of] for name, of in REPEATED.items()},
        **{f"plot-{name}": colour for name, colour in PLOT.items()},
    }


def _meanings() -> list[str]:
    return [
        f"--{variable(kind, name)}: var(--plot-{PLOT_NAMES[look.colour]});"
        for kind, table in MEANINGS.items()
        for name, look in table.items()
    ]


def variable(kind: str, name: str) -> str:
    """The variable of a meaning: "outcome-timed-out", "metric-turn-first-event"."""
    return f"{kind}-{name.replace('_', '-').replace('.', '-')}"
