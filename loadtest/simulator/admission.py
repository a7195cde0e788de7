"""The door of the simulator: what is said to an HTTP request, and to a connection right after its upgrade."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.headers import parse_subprotocol
from websockets.http11 import Request, Response

from loadtest.simulator import events
from loadtest.simulator.agent import AgentTalk
from loadtest.simulator.connection import ServerClose, SimulatedConnection
from loadtest.simulator.echo import EchoTalk, JsonIdTalk
from loadtest.simulator.identity import identify
from loadtest.simulator.simulation import Simulation
from loadtest.simulator.voice import VoiceTalk

PATHS: dict[str, type[AgentTalk | EchoTalk | VoiceTalk]] = {
    "/ws": AgentTalk,
    "/websocket": AgentTalk,
    "/echo": EchoTalk,
    "/json-id": JsonIdTalk,
    "/voice": VoiceTalk,
}
"""Which talk is spoken where."""


class Admission:
    """Answers ``GET /health`` and ``GET /stats``, lets connections in or not, and starts their talk."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._faults = simulation.faults
        self._counters = simulation.counters

    def before(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to an upgrade that is refused, or to plain HTTP; None lets the connection in."""
        ours = _ours(connection)
        path = urlsplit(request.path).path
        if path in {"/health", "/stats"}:
            return _json_response(connection, self._report(path))
        self._counters.attempted += 1
        ours.number = self._counters.attempted
        status, reason = self._refusal(ours, path, request)
        if not status:
            return None
        response = connection.respond(HTTPStatus(status), f"{reason} (SIMULATED)\n")
        if status == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def after(self, connection: ServerConnection, request: Request, response: Response) -> None:  # noqa: ARG002 -- websockets calls it so
        """Count an upgrade that did not come about."""
        if _ours(connection).number and response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._counters.refused[response.status_code] += 1

    async def converse(self, connection: ServerConnection) -> None:
        """The life of one connection after its 101."""
        ours = _ours(connection)
        ours.established = True
        self._counters.opened()
        ending = self._turned_away(ours)
        if ending is not None:
            ours.end(ending)
        else:
            self._begin(ours)
        asked = await ours.ending
        if asked is not None:
            await ours.hang_up(asked)

    def _begin(self, connection: SimulatedConnection) -> None:
        """Begin the talk of the connection's path, now or after the time that ``slow-ready`` asks for."""
        request = cast("Request", connection.request)  # there is no 101 without one
        connection.talk = PATHS[urlsplit(request.path).path](connection)
        if self._faults.slow_ready_ns:
            self._counters.count_fault("slow-ready", connection.number)
            connection.loop.call_later(self._faults.slow_ready_ns / 1e9, connection.begin)
        else:
            connection.begin()

    def _refusal(self, connection: SimulatedConnection, path: str, request: Request) -> tuple[int, str]:
        """The status that an upgrade is refused with and why, or 0."""
        refuse = self._faults.refuse
        if path not in PATHS:
            return 404, f"There is nothing at {path}; the paths are {', '.join(PATHS)}, /health and /stats."
        if self._counters.open >= self._simulation.options.max_connections:
            return 503, "The simulator has its maximum number of connections."
        if refuse is not None and self._faults.strikes("refuse", refuse.share, connection.number):
            self._counters.count_fault("refuse", connection.number)
            return refuse.number, "Refused, because of the fault `refuse`."
        headers = {
            name: ", ".join(request.headers.get_all(name))
            for name in ("Authorization", "Cookie", "X-User-Id")
        }
        connection.identity = identify(request.path, headers, _offered(request), self._simulation.secret)
        if connection.identity.status and self._faults.auth_after_accept is None:
            return connection.identity.status, f"ConnectRefusal: {connection.identity.reason}."
        return 0, ""

    def _turned_away(self, connection: SimulatedConnection) -> ServerClose | None:
        """How a connection that got its 101 is closed at once, its error frame said already; or None."""
        faults, number = self._faults, connection.number
        if self._simulation.is_cold():
            return self._after_error(
                connection, "cold-start", "STARTUP_FAILED", ServerClose(1011, "still starting")
            )
        if connection.identity.status and faults.auth_after_accept is not None:
            ending = ServerClose(faults.auth_after_accept, "authentication failed")
            return self._after_error(connection, "auth-after-accept", "AUTH_ERROR", ending)
        close, invalid = faults.close_after_accept, faults.invalid_close_code
        if close is not None and faults.strikes("close-after-accept", close.share, number):
            ending = ServerClose(close.number, "authentication failed")
            return self._after_error(connection, "close-after-accept", "AUTH_ERROR", ending)
        if invalid is not None and faults.strikes("invalid-close-code", invalid.share, number):
            return self._after_error(
                connection, "invalid-close-code", "AUTH_ERROR", ServerClose(invalid.number, raw=True)
            )
        user = connection.identity.user
        if user is not None and not self._simulation.claim(connection, user):
            return ServerClose(1011)
        return None

    def _after_error(
        self, connection: SimulatedConnection, fault: str, code: str, ending: ServerClose
    ) -> ServerClose:
        self._counters.count_fault(fault, connection.number)
        connection.say(events.error(code, ending.reason or "refused", time.time()))
        return ending

    def _report(self, path: str) -> dict[str, Any]:
        health = self._simulation.health()
        return health if path == "/health" else health | {"faults_done": self._counters.faults_done()}


def _ours(connection: ServerConnection) -> SimulatedConnection:
    """The server makes no other connections than ours."""
    return cast("SimulatedConnection", connection)


def _offered(request: Request) -> list[str]:
    """The subprotocols an upgrade offers; a header that cannot be read is left to ``websockets``."""
    try:
        return [
            protocol
            for value in request.headers.get_all("Sec-WebSocket-Protocol")
            for protocol in parse_subprotocol(value)
        ]
    except ValueError:
        return []


def _json_response(connection: ServerConnection, body: dict[str, Any]) -> Response:
    response = connection.respond(HTTPStatus.OK, json.dumps(body, allow_nan=False) + "\n")
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response
