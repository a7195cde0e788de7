"""ready.html: one file that needs nothing else, for a phone and a wide screen, light and dark."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from loadtest.show.document import Document

if TYPE_CHECKING:
    from jinja2 import Environment


def html(document: Document, *, refresh_s: int | None = None, opened: bool = False, details: str = "") -> str:
    """The page; with ``refresh_s`` a browser reloads it at that interval.

    ``opened``: nothing is folded. ``details`` is the address of a page where that is so.
    """
    page = _environment().get_template("ready.html")
    return page.render(document=document, refresh_s=refresh_s, opened=opened, details=details)


@functools.cache
def _environment() -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    own, shared = (
        PackageLoader("loadtest.readiness", "templates"),
        PackageLoader("loadtest.show", "templates"),
    )
    return Environment(
        loader=ChoiceLoader([own, shared]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
