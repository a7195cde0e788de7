"""What the live page of a run is made of: its files, its numbers as ``api/live``, in the end the report."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qs

from loadtest.keep.folder import REPORT
from loadtest.show.live_run import LiveRun
from loadtest.show.render.html import environment
from loadtest.show.render.json import as_json

STATIC = Path(__file__).resolve().parents[1] / "show" / "static"
FILES = {
    "keys.js": ("keys.js", "text/javascript"),
    "live.js": ("live.js", "text/javascript"),
    "uplot.js": ("uPlot.iife.min.js", "text/javascript"),
    "uplot.css": ("uPlot.min.css", "text/css"),
}

HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Answer = tuple[str, str, bytes]
"""Status line, content type, body."""


class LiveAnswers:
    """Answers what the page of one run asks for; who may ask is for the server to say.

    ``looked_at_s`` is when numbers were asked for the last time, by the monotonic clock.
    """

    def __init__(self, live: LiveRun, folder: Path) -> None:
        self.live = live
        self.looked_at_s: float | None = None
        self._folder = folder

    def answer(self, path: str, query: str) -> Answer:
        """The answer to a GET of a path, relative to where the page is."""
        match path:
            case "":
                body = environment().get_template("live.html").render().encode()
                return "200 OK", "text/html", body
            case "api/live":
                return "200 OK", "application/json", self._numbers(query)
            case "report":
                return self._report()
            case _ if path in FILES:
                name, kind = FILES[path]
                return "200 OK", kind, (STATIC / name).read_bytes()
        return "404 Not Found", "text/plain", b"there are / and /api/live\n"

    def _numbers(self, query: str) -> bytes:
        self.looked_at_s = time.monotonic()
        asked = parse_qs(query).get("since", ["0"])[0]
        since = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 0
        return as_json({**self.live.document(since), "folder": str(self._folder)}).encode()

    def _report(self) -> Answer:
        try:
            return "200 OK", "text/html", (self._folder / REPORT).read_bytes()
        except OSError:
            return "404 Not Found", "text/plain", b"the run has no report yet\n"


def headers_of(path: str, kind: str) -> list[tuple[str, str]]:
    """The headers of an answer, without its length."""
    policy = [("Content-Security-Policy", POLICY)] if path == "" else []
    return [*HEADERS, ("Content-Type", f"{kind}; charset=utf-8"), *policy]
