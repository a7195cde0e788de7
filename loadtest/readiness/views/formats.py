"""All views of an assessment by the name of a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.views.badge import badge
from loadtest.readiness.views.csv_junit import as_csv, junit
from loadtest.readiness.views.html import html
from loadtest.readiness.views.page_model import brief, build_page
from loadtest.show.render.json import as_json
from loadtest.show.render.markdown import markdown
from loadtest.show.render.pdf import pdf
from loadtest.show.render.terminal import render

FILES = {
    "terminal": "ready.txt",
    "html": "ready.html",
    "markdown": "ready.md",
    "json": "ready.json",
    "csv": "ready.csv",
    "junit": "ready.xml",
    "pdf": "ready.pdf",
    "badge": "ready.svg",
}
"""What each view is called in a folder."""

VIEWS: Mapping[str, Callable[[Assessment], str | bytes]] = {
    "terminal": lambda found: render([build_page(found)], width=100, whole=True, cut=False),
    "html": lambda found: html(build_page(found)),
    "markdown": lambda found: markdown([build_page(found)], whole=True),
    "json": lambda found: as_json(found.plain()),
    "csv": as_csv,
    "junit": junit,
    "pdf": lambda found: pdf(brief(build_page(found))),
    "badge": lambda found: badge(found) or "",
}


def view(found: Assessment, form: str, results: str = "") -> bytes:
    """The assessment in one of ``VIEWS``, as the bytes of a file.

    ``results`` is the address of the results folder from there, for the links of a page; empty: it has none.
    """
    made = html(build_page(found), results=results) if form == "html" else VIEWS[form](found)
    return made if isinstance(made, bytes) else made.encode("utf-8", "replace")
