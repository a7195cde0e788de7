"""ready.html: one file that needs nothing else, for a phone and a wide screen, light and dark."""

from __future__ import annotations

import base64
import hashlib

from loadtest.show.document import Document
from loadtest.show.render.html import POLICY, environment


def html(
    document: Document,
    *,
    refresh_s: int | None = None,
    opened: bool = False,
    details: str = "",
    results: str = "",
) -> str:
    """The page; with ``refresh_s`` it renews itself at that interval, until its button pauses it.

    A page that reloaded itself would take the place from whoever reads it (WCAG 2.2.1, 3.2.5): only a browser
    without scripts does that. ``opened``: nothing is folded. ``details`` is the address of a page where that
    is so. ``results`` is the address of the results folder, relative to the page: without it nothing leads to
    the reports of runs.
    """
    from markupsafe import Markup

    made = environment("loadtest.readiness")
    script = made.get_template("renew.js").render() if refresh_s else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return made.get_template("ready.html").render(
        document=document,
        refresh_s=refresh_s,
        opened=opened,
        details=details,
        results=results,
        script=Markup(script),  # noqa: S704 - a file of our own
        policy=POLICY + (f"; connect-src 'self'; script-src 'sha256-{digest}'" if script else ""),
    )
