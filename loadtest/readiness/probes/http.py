"""HTTP requests: status, latency, fields of the JSON answer, and at which layer it failed."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from loadtest.readiness.evidence import Evidence, Measure
from loadtest.readiness.probe import HttpProbe
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError, Tries
from loadtest.readiness.probes.tcp import in_time, opened
from loadtest.readiness.probes.tls import expires_at, expiry, secured

MAX_BODY_BYTES = 1024 * 1024
SHOWN_BODY = 200
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SEEN_ELSEWHERE = frozenset({301, 302, 303})
"""Redirects after which another method than HEAD becomes GET, as browsers do."""


@dataclass(slots=True)
class _Exchange:
    """One probe: its request and what it saw last."""

    probe: HttpProbe
    url: SplitResult
    headers: dict[str, str]
    context: ProbeContext
    body: bytes | None = None
    lines: dict[str, None] = field(default_factory=dict)
    ends: list[float | None] = field(default_factory=list)
    releases: dict[str, None] = field(default_factory=dict)

    def once(self) -> float:
        """One request on a connection of its own; milliseconds from its start to the last byte."""
        begun = self.context.clock()
        status, body = self.request()
        took = (self.context.clock() - begun) * 1000
        self.check(status, body)
        return took

    def request(self) -> tuple[int, bytes]:
        """One request, and those that its answers redirect it to; the status and the body of the last.

        Raises:
            ProbeError: there was no answer, or more redirects than the probe may follow.
        """
        url, method, headers = self.url, self.probe.method, self.headers
        for _ in range(self.probe.redirects + 1):
            status, body, location = self.request_to(url, method, headers)
            if not self.probe.redirects or status not in REDIRECTS or not location:
                return status, body
            to = urlsplit(urljoin(url.geturl(), location))
            if to.scheme not in {"http", "https"} or not to.hostname:
                raise ProbeError(
                    "answer",
                    f"the server redirects to {location[:80]}, which is not an HTTP URL",
                )
            if to.netloc != url.netloc or to.scheme != url.scheme:
                # What is a secret of one server is none of another's business.
                headers = {}
            if status in SEEN_ELSEWHERE:
                method = "HEAD" if method == "HEAD" else "GET"
            url = to
        raise ProbeError("answer", f"the server redirects more than {self.probe.redirects} times")

    def request_to(
        self, url: SplitResult, method: str, headers: Mapping[str, str]
    ) -> tuple[int, bytes, str | None]:
        """One request on a connection of its own: status, body, and where the answer redirects to."""
        secure = url.scheme == "https"
        host, port = url.hostname or "", url.port or (443 if secure else 80)
        sock = opened(host, port, self.context)
        if secure:
            ca_file = self.context.path(self.probe.ca_file) if self.probe.ca_file else None
            sock = safe = secured(sock, host, insecure=self.probe.insecure, ca_file=ca_file)
            self.ends.append(expires_at(safe))
            self.context.held.append(partial(sock.shutdown, socket.SHUT_RDWR))
        connection = http.client.HTTPConnection(host, port)
        connection.sock = sock
        try:
            return in_time(  # type: ignore[no-any-return]  # what exchange returns
                lambda: self.exchange(connection, url, method, headers), f"{host}:{port}"
            )
        except http.client.HTTPException as error:
            said = f"{host}:{port} closed the connection or did not answer by HTTP: {type(error).__name__}"
            raise ProbeError("closed", said) from None
        finally:
            connection.close()

    def exchange(
        self,
        connection: http.client.HTTPConnection,
        url: SplitResult,
        method: str,
        headers: Mapping[str, str],
    ) -> tuple[int, bytes, str | None]:
        """Send the request and read its answer, up to ``MAX_BODY_BYTES``."""
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        sent = self.body if method == self.probe.method and headers is self.headers else None
        connection.request(method, path, sent, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read(MAX_BODY_BYTES)
        if answer.length and len(body) < MAX_BODY_BYTES:
            raise http.client.IncompleteRead(body, answer.length)
        return answer.status, body, answer.getheader("Location")

    def check(self, status: int, body: bytes) -> None:
        """Raises ProbeError for a wrong answer; notes what is to be shown of a right one."""
        text = " ".join(body[:SHOWN_BODY].decode("utf-8", "replace").split())
        if status == HTTPStatus.UNAUTHORIZED and status not in self.probe.statuses:
            raise NotProbedError(
                "credential", "HTTP status 401: our credential is missing or was not accepted"
            )
        if status not in self.probe.statuses:
            raise ProbeError("status", f"HTTP status {status}" + (f": {text}" if text else ""))
        self.lines[f"HTTP status {status}"] = None
        if self.probe.contains and self.probe.contains.encode() not in body:
            raise ProbeError("answer", f'the answer does not contain "{self.probe.contains}": {text}')
        if self.probe.fields or self.probe.shown:
            self.check_fields(_decoded(body))
        if self.probe.release:
            running = field_of(_decoded(body), self.probe.release)
            self.releases["" if running is None else str(running)[:80]] = None

    def check_fields(self, data: Any) -> None:
        for path, right in self.probe.fields.items():
            value = field_of(data, path)
            if value not in right or isinstance(value, bool) != any(isinstance(each, bool) for each in right):
                wanted = " or ".join(json.dumps(each) for each in right)
                raise ProbeError("answer", f"{path} is {json.dumps(value)[:80]}, expected {wanted}")
            self.lines[f"{path} is {json.dumps(value)[:80]}"] = None
        for path in self.probe.shown:
            self.lines.pop(next((line for line in self.lines if line.startswith(f"{path} = ")), ""), None)
            self.lines[f"{path} = {json.dumps(field_of(data, path))[:80]}"] = None


def field_of(data: Any, path: str) -> Any:
    """What stands at a dotted path of an answer; None where there is nothing."""
    for part in path.split("."):
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ProbeError("answer", "the answer is not JSON") from None


def _by_url(url: SplitResult) -> dict[str, str]:
    """The header that a user and a password in the URL stand for."""
    if url.username is None:
        return {}
    user = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def probe_http(probe: HttpProbe, context: ProbeContext) -> Evidence:
    """Requests one after the other, each on a connection of its own."""
    asking = _asking(probe, context)
    tries = Tries("latency", probe.samples, context)
    tries.take(asking.once)
    shown = asking.url._replace(netloc=asking.url.netloc.rpartition("@")[2]).geturl()
    lines, more = tuple(asking.lines), dict[str, Measure]()
    if asking.ends:
        more, line = expiry(min((each for each in asking.ends if each), default=None), context.wall())
        lines = (*lines, line) if line else lines
    found = tries.evidence(f"{probe.method} {shown}", lines, more)
    return replace(found, release=tuple(asking.releases))


def asked_once(probe: HttpProbe, context: ProbeContext) -> tuple[int, bytes]:
    """The status and the body of one request.

    Raises:
        ProbeError: there was no answer, or a status that the probe does not take for right.
    """
    asking = _asking(probe, context)
    status, body = asking.request()
    asking.check(status, body)
    return status, body


def _asking(probe: HttpProbe, context: ProbeContext) -> _Exchange:
    try:
        url = urlsplit(context.filled_url(probe.url))
        url.port  # noqa: B018 - raises for a port that is none
    except ValueError as error:
        raise NotProbedError("policy", f"the URL cannot be read: {error}") from None
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise NotProbedError("policy", "the URL must begin with http:// or https:// and name a host")
    headers = _by_url(url) | {name: context.filled(value) for name, value in probe.headers.items()}
    if probe.body is None:
        return _Exchange(probe, url, headers, context)
    body = context.filled(probe.body)
    if "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "application/json" if _is_json(body) else "text/plain; charset=utf-8"
    return _Exchange(probe, url, headers, context, body.encode())


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
