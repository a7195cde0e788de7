"""A proxy between a client and a server that keeps what they say: for ``loadtest record``.

Every message is passed on as it came, and written down with its time, without secrets. The proxy sees
messages, not frames: pings, fragments and compression are of each side's own.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, SecurityError, WebSocketException
from websockets.http11 import Request, Response
from websockets.typing import Origin, Subprotocol

from loadtest.errors import ConfigError, Problem
from loadtest.keep.redact import Redactor
from loadtest.plan.capture import MAX_BYTES, MAX_FRAMES, CapturedFrame, capture_text
from loadtest.plan.frame_limits import MAX_MESSAGE_BYTES
from loadtest.plan.settings import public_url
from loadtest.secret_names import (
    TRANSPORT_HEADERS,
    handshake_secrets,
    looks_like_token,
    subprotocol_secrets,
)
from loadtest.show.sanitize import printable
from loadtest.speak.close_codes import IN_NO_FRAME, NORMAL
from loadtest.speak.codec.mqtt_password import connect_password
from loadtest.units import MIB

MAX_FILES = 1_000
"""Connections that are written down; later ones are only passed on."""

MAX_NAMES = 10_000
"""Names of files that are tried for a connection, where files of earlier recordings are there."""

FULL = f"a capture contains at most {MAX_FRAMES:,} messages and {MAX_BYTES // MIB} MiB"

OPEN_WITHIN_S = 10.0

ANSWER_WITHIN_S = 3 * OPEN_WITHIN_S
"""A client is given up later than the server is: what became of the server is told and counted."""

_UNHEARD = logging.getLogger(f"{__name__}.websockets")
_UNHEARD.addHandler(logging.NullHandler())
_UNHEARD.propagate = False
"""What the library has to say of requests that are no WebSockets: it says it with a traceback."""

_TELLING = ("Origin", "Authorization", "Cookie")
"""Headers of which a reader is told that they came: a server may want them."""


@dataclass(slots=True)
class RecordedConnection:
    """What was kept of one connection. ``left_out``: frames that were passed on, but not written.

    ``path``: the file that was made; None: none could be. ``failed``: why not all could be written.
    ``url`` is where it led, with what may be secret in it; ``subprotocols`` what was offered, without.
    ``credentials`` are the names of headers that may have let the client in.
    """

    path: Path | None = None
    frames: int = 0
    left_out: int = 0
    failed: str = ""
    url: str = ""
    subprotocols: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()


@dataclass(slots=True)
class RecordingOptions:
    """Where to listen, where to pass on to, where to write; ``connections``: end after so many."""

    host: str
    port: int
    to: str
    save: Path
    connections: int | None = None
    insecure: bool = False


@dataclass(slots=True)
class Recorded:
    """What a recording brought. ``refused``: connections that the server did not take; the last reason.

    ``not_sockets`` are requests by HTTP that asked for no WebSocket.
    """

    connections: list[RecordedConnection] = field(default_factory=list)
    refused: int = 0
    reason: str = ""
    not_sockets: int = 0


def record(options: RecordingOptions, on_listening: Callable[[str], None]) -> Recorded:
    """Pass connections on and keep what they say, until a signal ends it or enough have come.

    ``on_listening`` is given the URL that clients are to use.

    Raises:
        ConfigError: it cannot listen on the address, or a file is there already.
    """
    return asyncio.run(recording(options, on_listening))


async def recording(options: RecordingOptions, on_listening: Callable[[str], None]) -> Recorded:
    """As ``record``, in a loop that runs already."""
    return await _Recording(options).run(on_listening)


class _Writer:
    """Writes the messages of one connection, each as it comes, up to what a capture may hold."""

    def __init__(self, file: IO[bytes] | None, kept: RecordedConnection, secrets: Iterable[str]) -> None:
        self._file = file
        self._kept = kept
        self._began_ns = time.monotonic_ns()
        self._bytes = 0
        self._redactor = Redactor(secrets)

    def note(self, message: str | bytes, *, inward: bool) -> None:
        """Write one message down."""
        binary = isinstance(message, bytes)
        text = message.decode("utf-8", "surrogateescape") if isinstance(message, bytes) else message
        if isinstance(message, bytes) and not inward:
            self._redactor.learn([connect_password(message)])
        clean = self._redactor.heard if inward else self._redactor.sent
        payload = clean(text).encode("utf-8", "surrogateescape")
        frame = CapturedFrame(time.monotonic_ns() - self._began_ns, inward, payload, binary)
        line = capture_text([frame]).encode()
        self._bytes += len(line)
        if self._kept.frames >= MAX_FRAMES or self._bytes > MAX_BYTES:
            self._kept.failed = self._kept.failed or FULL
            self.close()
        if not self._written(line):
            self._kept.left_out += 1
        else:
            self._kept.frames += 1

    def _written(self, line: bytes) -> bool:
        """Write a line as a whole, or nothing of it and no other after it."""
        if self._file is None:
            return False
        at = self._file.tell()
        try:
            if self._file.write(line) == len(line):
                return True
            why = "the disk is full"
        except OSError as error:
            why = error.strerror or str(error)
        with suppress(OSError):
            self._file.truncate(at)
        self._kept.failed = why
        self.close()
        return False

    def close(self) -> None:
        """Nothing more comes."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


class _Onward(connect):
    """A connection to the server that was named: another host is not given what the client says."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """As of its base; a redirect to another host or port is an error."""
        old = self.uri
        new = super().process_redirect(exc)
        if isinstance(new, str) and urlsplit(new).netloc != urlsplit(old).netloc:
            where = public_url(new)
            return SecurityError(
                f"the server redirects to {where}, which would get the credentials of the client; to record"
                " there, write it as --to"
            )
        return new


class _Recording:
    """One recording, in one event loop."""

    def __init__(self, options: RecordingOptions) -> None:
        self._options = options
        self._found = Recorded()
        self._over = asyncio.Event()
        self._ended = 0
        # The number of the next file; one that is there already is left out.
        self._number = 1
        self._watches: set[asyncio.Task[None]] = set()
        # The server's side of each connection, from its upgrade to its end.
        self._others: dict[ServerConnection, ClientConnection] = {}

    async def run(self, on_listening: Callable[[str], None]) -> Recorded:
        """Listen until it is over."""
        options = self._options
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self._over.set)
        try:
            server: Server = await serve(
                self._pass_on,
                options.host,
                options.port,
                process_request=self._open_other,
                select_subprotocol=self._agreed,
                compression=None,
                open_timeout=ANSWER_WITHIN_S,
                max_size=MAX_MESSAGE_BYTES,
                server_header=None,
                logger=_UNHEARD,
            )
        except OSError as error:
            where = f"{options.host}:{options.port}"
            raise ConfigError([Problem("--listen", f"cannot listen on {where}: {error.strerror}")])
        async with server:
            host, port = next(iter(server.sockets)).getsockname()[:2]
            on_listening(f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}")
            await self._over.wait()
        if self._watches:
            await asyncio.wait(self._watches, timeout=OPEN_WITHIN_S)
        return self._found

    def _url_for(self, path: str) -> str:
        """Where a client's request leads: `--to` as it is if it has a path, else with the client's."""
        parts = urlsplit(self._options.to)
        return self._options.to if parts.path not in {"", "/"} else f"{parts.scheme}://{parts.netloc}{path}"

    async def _open_other(self, client: ServerConnection, request: Request) -> Response | None:
        """Connect to the server before the client is answered; its refusal is the client's."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            self._found.not_sockets += 1
            return client.respond(HTTPStatus.UPGRADE_REQUIRED, "only WebSockets are passed on\n")
        names = _offered(request)
        passed = [
            (name, value)
            for name, value in request.headers.raw_items()
            if name.lower() not in TRANSPORT_HEADERS and not name.lower().startswith("sec-websocket-")
        ]
        origin = request.headers.get("Origin")
        try:
            self._others[client] = await _Onward(
                self._url_for(_path_of(request)),
                origin=None if origin is None else Origin(origin),
                subprotocols=[Subprotocol(name) for name in names] or None,
                additional_headers=passed,
                user_agent_header=request.headers.get("User-Agent"),
                open_timeout=OPEN_WITHIN_S,
                max_size=MAX_MESSAGE_BYTES,
                ssl=_unverified() if self._options.insecure and self._options.to.startswith("wss") else None,
            )
        # Of an address that it redirects to, the parts are looked at by urllib, which raises a ValueError.
        except (OSError, WebSocketException, ValueError) as error:
            self._found.refused += 1
            self._found.reason = _reason(error, request)
            self._count_end()
            return client.respond(
                HTTPStatus.BAD_GATEWAY, f"the server did not accept the connection: {self._found.reason}\n"
            )
        watch = asyncio.ensure_future(self._end_unanswered(client))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return None

    async def _end_unanswered(self, client: ServerConnection) -> None:
        """End the server's side of a client that left before it was answered; it was no connection yet."""
        await client.wait_closed()
        if other := self._others.pop(client, None):
            await other.close()

    def _agreed(self, client: ServerConnection, _offered: object) -> Subprotocol | None:
        """The subprotocol that the server chose."""
        return self._others[client].subprotocol

    async def _pass_on(self, client: ServerConnection) -> None:
        """One connection: both ways at once, until one side ends."""
        other = self._others.pop(client, None)
        if other is None:
            return
        kept = self._kept_of(client.request)
        self._found.connections.append(kept)
        writer = _Writer(self._new_file(kept), kept, _secrets_in(client.request))
        try:
            ways = [
                asyncio.ensure_future(_copy(client, other, writer, inward=False)),
                asyncio.ensure_future(_copy(other, client, writer, inward=True)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await _end_like(client, other)
            await _end_like(other, client)
            await asyncio.wait(ways)
        finally:
            writer.close()
            self._count_end()
            await other.close()

    def _kept_of(self, request: Request | None) -> RecordedConnection:
        """Where a connection is written, and what it asked for."""
        kept = RecordedConnection()
        if request is not None:
            names = _offered(request)
            secrets = [each for each in subprotocol_secrets(names) if each]
            kept.url = self._url_for(_path_of(request))
            kept.credentials = tuple(name for name in _TELLING if name in request.headers)
            kept.subprotocols = tuple(name for name in names if not any(each in name for each in secrets))
        return kept

    def _new_file(self, kept: RecordedConnection) -> IO[bytes] | None:
        """A file that was not there: the first has the name that was given, the others a number in it."""
        save = self._options.save
        if len(self._found.connections) > MAX_FILES:
            kept.failed = f"at most {MAX_FILES} connections are recorded"
            return None
        # Each has been there, so it takes a folder of so many to come to the end.
        for number in range(self._number, self._number + MAX_NAMES):
            path = save if number == 1 else save.with_name(f"{save.stem}-{number}{save.suffix}")
            try:
                # Unbuffered: what a full disk did not take is known at once.
                file = path.open("xb", buffering=0)
            except FileExistsError:
                continue
            except OSError as error:
                kept.failed = f"{path} cannot be written: {error.strerror or error}"
                return None
            kept.path, self._number = path, number + 1
            return file
        kept.failed = f"{MAX_NAMES} files with names like {save} exist"
        return None

    def _count_end(self) -> None:
        self._ended += 1
        if self._options.connections is not None and self._ended >= self._options.connections:
            self._over.set()


Side = ServerConnection | ClientConnection


async def _copy(source: Side, sink: Side, writer: _Writer, *, inward: bool) -> None:
    """Pass one side's messages on until it ends."""
    with suppress(ConnectionClosed):
        async for message in source:
            writer.note(message, inward=inward)
            await sink.send(message)


async def _end_like(ended: Side, other: Side) -> None:
    """End the other side as this one ended, if it did."""
    code = ended.close_code
    if code is not None:
        reason = ended.close_reason or ""
        await other.close(NORMAL if code in IN_NO_FRAME else code, reason)


def _reason(error: Exception, request: Request) -> str:
    """Why the server did not let a client in, without what the client said in confidence."""
    redactor = Redactor(_secrets_in(request))
    return printable(redactor.text(str(error))) or type(error).__name__


def _path_of(request: Request) -> str:
    """What a client asks for. Without a slash it would go on with the host that is put before it."""
    return request.path if request.path.startswith("/") else f"/{request.path}"


def _offered(request: Request) -> list[str]:
    """The subprotocols that a client offers."""
    offered = request.headers.get_all("Sec-WebSocket-Protocol")
    return [name.strip() for text in offered for name in text.split(",") if name.strip()]


def _secrets_in(request: Request | None) -> list[str]:
    """What a client says at its upgrade that no file is to hold."""
    if request is None:
        return []
    # With a host before it, a path that begins with "//[" is not taken for a host.
    url = f"ws://client{_path_of(request)}"
    parts = [part for part in urlsplit(url).path.split("/") if looks_like_token(part)]
    return [*parts, *handshake_secrets(url, request.headers.raw_items())]


def _unverified() -> object:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
