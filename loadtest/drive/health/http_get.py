"""One GET of a small answer, bounded in time and size."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from loadtest.drive.health.source import NotSampledError

WITHIN_S = 0.7
"""A sample is of one second: an answer that takes longer comes too late for it."""

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of an answer that are read."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=WITHIN_S)
        self._path = path

    @override
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(WITHIN_S)
        self.sock.connect(self._path)


def get_url(url: str) -> bytes:
    """The body of a 200.

    Raises:
        NotSampledError: anything else came, or nothing in time.
    """
    parts = urlsplit(url)
    headers = {}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=WITHIN_S, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=WITHIN_S)
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return get(connection, path, headers, f"{host}:{port}" if port else host)


def get(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], shown: str) -> bytes:
    """The body of a 200; the connection is closed.

    Raises:
        NotSampledError: anything else came, or nothing in time.
    """
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read(MAX_BYTES + 1)
    except TimeoutError:
        raise NotSampledError(f"{shown} did not answer within {WITHIN_S:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSampledError(
            f"{shown} could not be queried: {str(error)[:120] or type(error).__name__}"
        ) from None
    finally:
        connection.close()
    if answer.status != 200:
        raise NotSampledError(f"{shown} answered with HTTP status {answer.status}")
    if len(body) > MAX_BYTES:
        raise NotSampledError(f"{shown} answered with more than {MAX_BYTES} bytes")
    return body
