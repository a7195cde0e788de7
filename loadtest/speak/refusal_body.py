"""The beginning of the body of an HTTP answer that refuses the upgrade: what the server says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

MAX_BODY = 2_048
"""Bytes of a body that are read: who explains a refusal does so at its beginning."""

MAX_LINE = 200
"""Characters of it that are told."""

CUT = "…"
"""Tells the redactor that a token may have been cut here."""

_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r\n")


class RefusalBody:
    """Takes the bytes after the head of an answer with these headers (by name in small letters).

    Without a length, chunks or the announced end of the connection nothing is known to follow, and what came
    with the head is all.
    """

    __slots__ = ("_data", "_headers")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        without = status in {204, 304}
        self._headers = {"content-length": "0"} if without else headers
        self._data = b""

    def take(self, data: bytes) -> bool:
        """Whether the body is complete, or as much of it here as is read."""
        self._data += data
        if "chunked" in self._headers.get("transfer-encoding", "").lower():
            body, complete = _chunks(self._data)
            return complete or len(body) >= MAX_BODY
        length = self._headers.get("content-length", "")
        if length.isascii() and length.isdigit():
            return len(self._data) >= min(int(length), MAX_BODY)
        closes = "close" in self._headers.get("connection", "").lower()
        return not closes or len(self._data) >= MAX_BODY

    @property
    def body(self) -> bytes:
        """The beginning of the body, decoded from its chunks; empty where it is compressed."""
        if self._headers.get("content-encoding", "identity").lower() != "identity":
            return b""
        if "chunked" in self._headers.get("transfer-encoding", "").lower():
            return _chunks(self._data)[0][:MAX_BODY]
        length = self._headers.get("content-length", "")
        most = int(length) if length.isascii() and length.isdigit() else MAX_BODY
        return self._data[: min(most, MAX_BODY)]

    @property
    def line(self) -> str:
        """The first line that says something: of a page its title, of JSON what fits into one line."""
        text = self.body.decode("utf-8", "replace").strip()
        if text.startswith("<"):
            found = _TITLE.search(text)
            text = found[1] if found else ""
        elif text[:1] not in {"{", "["}:
            text = text.partition("\n")[0]
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        whole = len(line) <= MAX_LINE and len(self._data) < MAX_BODY
        return line if whole else line[:MAX_LINE] + CUT


def _chunks(data: bytes) -> tuple[bytes, bool]:
    """The body in chunks (RFC 9112, 7.1), as far as it came, and whether the last one is there."""
    body, at = b"", 0
    while found := _CHUNK.match(data, at):
        size = int(found[1], 16)
        if size == 0:
            return body, True
        body += data[found.end() : found.end() + size]
        at = found.end() + size + 2
    # What is no chunk ends the body: nothing after it can be read.
    broken = at < len(data) and b"\n" in data[at : at + 64]
    return body, broken
