"""The opening handshake of one connection (RFC 6455 section 4.1), sans-I/O.

A plain 101 is checked directly: 20 us, or 4 where the target has answered so before, against 150 us through
``websockets.ClientProtocol``, which is asked about every 101 that is not plain (an extension, repeated
headers). An interim answer is passed over (RFC 9110, 15.2). Of any other status the head is enough; the
beginning of its body is told, where one is announced.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from websockets.client import ClientProtocol
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from loadtest.errors import Layer
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.refusal_body import CUT, RefusalBody

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_HEAD_BYTES = 65_536
"""Bytes of an HTTP answer's head that are read before it is refused."""

LONGEST_PHRASE = 100
"""Letters of an HTTP status phrase that are told."""

Headers = Sequence[tuple[str, str]]

_STATUS = re.compile(r"HTTP/1\.[0-9] ([1-5][0-9][0-9])(?: (.*))?")
_NAME = re.compile(r"[^\s:]+")
_AUTH = frozenset({401, 407})
_RETRIES = frozenset({429, 503})
"""Statuses that say when to come back (RFC 6585, 4; RFC 9110, 15.6.4)."""


_PROOF = "<proof>"
"""Stands for the proof of ``Sec-WebSocket-Accept``, which is of one connection alone, in an answer's head.

Not just left out: what stands on both sides of it would be joined, and an empty header would prove as well.
"""

MAX_REMEMBERED_HEAD = 1024
"""Bytes of the longest answer that is remembered. None with a cookie is: each connection has its own."""


class PlainAnswer(NamedTuple):
    """What a plain 101 says."""

    server: str
    subprotocol: str | None
    set_cookies: tuple[str, ...]


class Upgrade:
    """One handshake: ``request`` is to be written; ``receive`` takes the answer.

    After ``receive`` returned True, ``rest`` holds the bytes after the head, ``subprotocol`` and
    ``extensions`` what was agreed, ``server`` the target's name for itself. ``set_cookies`` are the values of
    the ``Set-Cookie`` headers of any answer, ``location`` is where a redirect leads. ``refusal``: the target
    has refused, and the rest of its answer is waited for; ``ended`` gives it as far as it came.
    """

    __slots__ = (
        "_body",
        "_data",
        "_head",
        "_key",
        "_offers",
        "_passed_over",
        "_subprotocols",
        "extensions",
        "location",
        "refusal",
        "request",
        "rest",
        "server",
        "set_cookies",
        "status",
        "subprotocol",
    )

    def __init__(
        self,
        host: str,
        path: str,
        headers: Headers = (),
        *,
        subprotocols: Sequence[str] = (),
        compression: bool = False,
    ) -> None:
        self._key = base64.b64encode(os.urandom(16)).decode()
        self._subprotocols = subprotocols
        self._offers = [ClientPerMessageDeflateFactory(client_max_window_bits=True)] if compression else []
        self._data = b""
        self._head = b""
        self._passed_over = 0
        self._body: RefusalBody | None = None
        self.refusal: ConnectRefusal | None = None
        self.set_cookies: Sequence[str] = ()
        self.rest = b""
        self.status: int | None = None
        self.subprotocol: str | None = None
        self.extensions: Sequence[Extension] = ()
        self.server = ""
        self.location = ""
        self.request = self._compose(host, path, headers)

    def _compose(self, host: str, path: str, headers: Headers) -> bytes:
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {self._key}",
            "Sec-WebSocket-Version: 13",
        ]
        if self._offers:
            lines.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
        if self._subprotocols:
            lines.append(f"Sec-WebSocket-Protocol: {', '.join(self._subprotocols)}")
        lines += [f"{name}: {value}" for name, value in headers]
        try:
            # What the environment holds may be no UTF-8: it is sent as it is.
            return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            sentence = "the request contains half of a character (a lone surrogate), which cannot be sent"
            raise ConnectRefusal(Layer.UPGRADE, sentence) from None

    def receive(self, data: bytes) -> bool:
        """Take bytes of the answer; True when the connection is open.

        Raises:
            ConnectRefusal: the target did not agree, or does not speak WebSocket.
        """
        if self._body is not None:
            return self._receive_body(data, self._body)
        self._data += data
        while True:
            end = self._data.find(b"\r\n\r\n")
            if (len(self._data) if end < 0 else end) + self._passed_over > MAX_HEAD_BYTES:
                raise ConnectRefusal(Layer.UPGRADE, "the head of the answer is larger than 64 KiB")
            if end < 0:
                return self._is_http()
            head = self._data[:end]
            if self._plain(head):
                self.rest = self._data[end + 4 :]
                self._data = b""
                return True
            lines = head.decode("latin-1").split("\r\n")
            status, phrase = self._status_in(lines[0])
            if status >= 200 or status == 101:
                break
            # An interim answer, such as 103 with early hints: the one that counts follows.
            self._passed_over += end + 4
            self._data = self._data[end + 4 :]
        self.status = status
        self.rest = self._data[end + 4 :]
        self._read_headers(lines[1:])
        if status != 101:
            return self._refused(lines, phrase)
        if lines[0].startswith("HTTP/1.0"):
            raise ConnectRefusal(Layer.UPGRADE, "answered with HTTP/1.0, which cannot upgrade a connection")
        self._by_library(lines)
        self._data = b""
        return True

    def ended(self) -> ConnectRefusal:
        """What it means that the connection ended, or nothing more came, before the answer was whole."""
        if self.refusal is not None and self._body is not None:
            no, body = self.refusal, self._body
            line = f": {body.line}" if body.line else ""
            answer = self._head + b"\r\n\r\n" + body.body
            return ConnectRefusal(no.layer, no.reason + line, retry_after=no.retry_after, answer=answer)
        if not self._data:
            return ConnectRefusal(Layer.UPGRADE, "closed without an answer to the upgrade")
        return ConnectRefusal(Layer.UPGRADE, "closed in the middle of the answer to the upgrade")

    def _is_http(self) -> bool:
        """False, the head is not whole; what is no HTTP is told at once."""
        if self._data[:5] not in (b"HTTP/", b"HTTP/"[: len(self._data)]):
            raise ConnectRefusal(Layer.UPGRADE, "the answer is not HTTP: no WebSocket server listens there")
        return False

    @staticmethod
    def _status_in(line: str) -> tuple[int, str]:
        """Status and phrase, which is cut where it is long."""
        found = _STATUS.fullmatch(line)
        if found is None:
            raise ConnectRefusal(Layer.UPGRADE, "the answer to the upgrade is not valid HTTP")
        return int(found[1]), _cut((found[2] or "").strip(), LONGEST_PHRASE)

    def _read_headers(self, lines: Sequence[str]) -> None:
        """Take what concerns every answer."""
        cookies = []
        for line in lines:
            name, _, value = line.partition(":")
            if name.lower() == "server":
                self.server = value.strip()
            elif name.lower() == "set-cookie":
                cookies.append(value.strip())
        self.set_cookies = cookies

    def _refused(self, lines: Sequence[str], phrase: str) -> bool:
        """The target refused: the beginning of the body may follow."""
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        status = self.status or 0
        layer = Layer.AUTH if status in _AUTH else Layer.UPGRADE
        where = self.location = headers.get("location", "") if 300 <= status < 400 else ""
        moved = f", to {_cut(where, LONGEST_PHRASE)}" if where else ""
        self.refusal = ConnectRefusal(
            layer,
            f"the target answered HTTP {status} {phrase}".rstrip() + moved,
            retry_after=headers.get("retry-after", "") if status in _RETRIES else "",
        )
        self._head = "\r\n".join(lines).encode("latin-1")
        self._body = RefusalBody(status, headers)
        rest, self.rest = self.rest, b""
        return self._receive_body(rest, self._body)

    def _receive_body(self, data: bytes, body: RefusalBody) -> bool:
        """False while more of the body is to come; else the refusal is raised."""
        if body.take(data):
            raise self.ended()
        return False

    def _plain(self, head: bytes) -> bool:
        """Accept a 101 whose headers are plain; False leaves any other answer to the caller."""
        proof = hashlib.sha1(self._key.encode() + _GUID).digest()  # noqa: S324 - the proof that RFC 6455 asks for
        accept = base64.b64encode(proof)
        proof_mark = _PROOF.encode()
        if head.count(accept) != 1 or proof_mark in head:
            return False
        marked = head.replace(accept, proof_mark)
        may_know = len(marked) <= MAX_REMEMBERED_HEAD and b"cookie" not in marked.lower()
        answer = _known_answer(marked) if may_know else _plain_answer(marked)
        if answer is None:
            return False
        if answer.subprotocol is not None and answer.subprotocol not in self._subprotocols:
            return False
        self.status = 101
        self.server, self.subprotocol, self.set_cookies = answer
        return True

    def _by_library(self, lines: Sequence[str]) -> None:
        """Ask the library, which has limits of its own for each line: of headers it sees those it judges."""
        uri = WebSocketURI(False, "localhost", 80, "/", "")
        protocol = ClientProtocol(
            uri,
            extensions=self._offers or None,
            subprotocols=[Subprotocol(name) for name in self._subprotocols] or None,
        )
        protocol.key = self._key
        judged = [line for line in lines[1:] if _is_judged(line.partition(":")[0])]
        head = "\r\n".join([lines[0], *judged])
        protocol.receive_data(head.encode("latin-1") + b"\r\n\r\n")
        error = protocol.handshake_exc
        if error is not None:
            raise ConnectRefusal(Layer.UPGRADE, f"the answer to the upgrade is not valid: {error}")
        self.subprotocol = protocol.subprotocol
        self.extensions = tuple(protocol.extensions)


def _plain_answer(head: bytes) -> PlainAnswer | None:
    """What a 101 agrees to, with ``_PROOF`` in place of its proof; None: it is not plain."""
    first, *lines = head.decode("latin-1").split("\r\n")
    status = _STATUS.fullmatch(first)
    if status is None or status[1] != "101" or first.startswith("HTTP/1.0"):
        return None
    found: dict[str, str] = {}
    cookies: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        if _NAME.fullmatch(name) is None:
            return None
        lower = name.lower()
        if lower == "set-cookie":
            cookies.append(value.strip())
        elif lower in found:
            return None
        else:
            found[lower] = value.strip()
    agrees = (
        found.get("upgrade", "").lower() == "websocket"
        and found.get("connection", "").lower() == "upgrade"
        and found.get("sec-websocket-accept") == _PROOF
        and "sec-websocket-extensions" not in found
    )
    if not agrees:
        return None
    return PlainAnswer(found.get("server", ""), found.get("sec-websocket-protocol"), tuple(cookies))


_known_answer = lru_cache(64)(_plain_answer)
"""Many targets answer all connections alike, but for the proof and for the date of the second: 4 us, not 20.
64 answers of at most 1 KiB are kept."""


def _is_judged(name: str) -> bool:
    """Whether a header decides about the upgrade, or is none at all."""
    lower = name.lower()
    return (
        lower in {"upgrade", "connection"} or lower.startswith("sec-websocket-") or not _NAME.fullmatch(name)
    )


def _cut(text: str, longest: int) -> str:
    """The ellipsis tells the redactor that a token may have been cut."""
    return text if len(text) <= longest else text[:longest] + CUT
