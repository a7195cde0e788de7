"""ready.html: one file that needs nothing else, for a phone and a wide screen, light and dark."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from loadtest.show.document import Document

if TYPE_CHECKING:
    from jinja2 import Environment


def html(document: Document, *, refresh_s: int | None = None) -> str:
    """The page; with ``refresh_s`` a browser reloads it at that interval."""
    return _environment().get_template("ready.html").render(document=document, refresh_s=refresh_s)


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
