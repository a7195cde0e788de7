"""Badges as SVG, for a README or a dashboard: the verdict, or the uptime of a component."""

from __future__ import annotations

from html import escape

from loadtest.readiness.assessment import Assessment, OutageRow
from loadtest.readiness.views.page_model import up_text
from loadtest.show.light_and_dark import BADGE, PAGE, PLOT
from loadtest.show.sanitize import printable

COLOURS = {
    **dict.fromkeys(("GO", "healthy"), PAGE["good"].light),
    **dict.fromkeys(("NO-GO", "down"), PAGE["bad"].light),
    **dict.fromkeys(("INCONCLUSIVE", "degraded"), PAGE["doubt"].light),
    "unknown": PLOT["muted"].light,
}
LETTER, EDGE, HIGH = 6.6, 8.0, 20
LONGEST = 60


def badge(found: Assessment, name: str = "") -> str | None:
    """The verdict of the whole, or state and uptime of a component; None where there is none of that name."""
    if not name:
        return _drawn(found.policy, found.verdict, COLOURS[found.verdict])
    row = next((each for each in found.components if each.name == name), None)
    if row is None:
        return None
    kept = next((each for each in found.outages if each.name == name), None)
    return _drawn(row.title, f"{row.status}{_uptime(kept) if kept else ''}", COLOURS[row.status])


def _uptime(row: OutageRow) -> str:
    """Over the longest time that is kept as a whole, else over all that is known."""
    for share in reversed(row.shares):
        if share.up is not None:
            return f", up {up_text(share.up, down=row.since is not None)} of {share.over}"
    return "" if row.up is None else f", up {up_text(row.up, down=row.since is not None)}"


def _drawn(left: str, right: str, colour: str) -> str:
    """Two boxes beside each other; the words are text, so that a reader can be read to."""
    left, right = (escape(printable(each, LONGEST)) for each in (left, right))
    a, b = (len(each) * LETTER + 2 * EDGE for each in (left, right))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{a + b:.0f}" height="{HIGH}" role="img"'
        f' aria-label="{left}: {right}"><title>{left}: {right}</title>'
        f'<rect width="{a:.1f}" height="{HIGH}" fill="{BADGE.light}"/>'
        f'<rect x="{a:.1f}" width="{b:.1f}" height="{HIGH}" fill="{colour}"/>'
        '<g fill="white" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{a / 2:.1f}" y="14">{left}</text>'
        f'<text x="{a + b / 2:.1f}" y="14">{right}</text></g></svg>\n'
    )
