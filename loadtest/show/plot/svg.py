"""A figure as SVG: alone on white, or inside a page whose colours it takes; and as PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

from matplotlib.figure import Figure

from loadtest.show.light_and_dark import PLOT_NAMES
from loadtest.show.plot import style


def alone(figure: Figure, about: str) -> str:
    """A file of its own, on white, with ``about`` as its title for those who do not see it."""
    return _described(_written(figure), about)


def inline(svgs: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """What ``alone`` made, for the inside of one HTML page: a hidden SVG of all letters, and each plot.

    Ids are unique over the page and colours are CSS variables; the page defines ``--plot-ink`` and the
    like, the colours of paper are the fallback.
    """
    letters: dict[str, str] = {}
    bodies = {}
    for number, (name, svg) in enumerate(svgs.items()):
        body = _GLYPH.sub("", svg[svg.index("<svg") :])
        letters |= {match[1]: match[0] for match in _GLYPH.finditer(svg)}
        bodies[name] = _coloured(_prefixed(body, f"p{number}-"))
    glyphs = "".join(letters.values())
    hidden = (
        f'<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>{glyphs}</defs></svg>'
    )
    return hidden, bodies


_GLYPH = re.compile(r'\s*<path id="(DejaVu[^"]+)"[^>]*/>')
_ID = re.compile(r'(\bid="|href="#|url\(#|aria-labelledby=")(?!DejaVu)')
_LONG = re.compile(r"-?\d+\.\d{3,}")


def _prefixed(body: str, prefix: str) -> str:
    return _ID.sub(lambda match: match[1] + prefix, body)


def _coloured(body: str) -> str:
    for colour, name in PLOT_NAMES.items():
        body = body.replace(colour, f"var(--plot-{name},{colour})")
    return body


def png(figure: Figure, scale: float = 2.0) -> bytes:
    """Pixels, ``scale`` times the size of the SVG."""
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=style.DPI * scale)
    return target.getvalue()


def _written(figure: Figure) -> str:
    target = io.StringIO()
    figure.savefig(
        target, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    plain = re.sub(r"<!--.*?-->", "", target.getvalue(), flags=re.DOTALL)
    # A hundredth of a point is more than any screen shows.
    return re.sub(r'(?<= d=")[^"]+|(?<=translate\()[^)]+', _rounded, plain)


def _rounded(match: re.Match[str]) -> str:
    return _LONG.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), match[0])


def _described(svg: str, about: str) -> str:
    start = svg.index("<svg")
    opening, rest = svg[start : svg.index(">", start)], svg[svg.index(">", start) + 1 :]
    title = f'<title id="about">{escape(about)}</title>'
    prologue = '<?xml version="1.0" encoding="utf-8"?>'
    return f'{prologue}\n{opening} role="img" aria-labelledby="about">\n {title}{rest}'
