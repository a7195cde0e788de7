"""Turns whose message goes by HTTP, while their events come on the socket.

Each request runs in a greenlet of its own: neither other users nor the callbacks of connections wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn, Protocol

from gevent.pool import Group

from loadtest.drive.http_client import (
    CookieKeeper,
    HttpAnswer,
    HttpClient,
    HttpNotSent,
    HttpRequestFailed,
    Writing,
)
from loadtest.drive.prepare_requests import LINE, CompiledRequest
from loadtest.plan.prepare import HttpRequest
from loadtest.speak.turn import Turn

MAX_WAITING = 4_096
"""Requests of a process that may wait for their answers; a turn beyond fails, and nothing is sent."""


HERE = "`send` of the protocol, or the values in it"
"""Where what is wrong with a request of ours is to be corrected."""


class HttpHost(Protocol):
    """What requests ask of the process that they belong to."""

    def http_url(self, url: str) -> str:
        """A whole URL; of a path, the one at the target's host."""

    def cookies_of(self, user: int) -> CookieKeeper:
        """The cookies of a user, of whatever host."""

    def now(self) -> int:
        """Nanoseconds of the run's clock."""


class HttpTurnListener(Protocol):
    """Is told how the request of a turn goes: its connection."""

    user: int

    def http_wrote(self, turn: Turn, at_ns: int) -> None:
        """The last byte of the request goes to the kernel at ``at_ns``."""

    def http_answered(self, turn: Turn, refused: HttpRequestFailed | None, status: int) -> None:
        """The request was answered; or ``refused`` says why not well. ``status`` 0: there was no answer."""


class HttpTurns:
    """The requests of turns, by kind ("" is that of [turn]), of one process.

    ``after`` has a function called where callbacks of connections are.
    """

    def __init__(
        self,
        requests: Mapping[str, HttpRequest],
        client: HttpClient,
        host: HttpHost,
        *,
        within_ns: int,
        after: Callable[[Callable[[], None]], None],
    ) -> None:
        self._requests = {name: CompiledRequest(each, within_ns) for name, each in requests.items()}
        self._client = client
        self._host = host
        self._after = after
        self._going_on = Group()

    def takes(self, kind: str) -> bool:
        """Whether turns of a kind go by HTTP."""
        return kind in self._requests

    def send(self, listener: HttpTurnListener, turn: Turn, kind: str, values: Mapping[str, Any]) -> None:
        """Send the request of a turn; the listener is told how it goes."""
        if len(self._going_on) >= MAX_WAITING:
            refused = HttpNotSent(
                f"the request was not sent, because {MAX_WAITING:,} others wait for their answers",
            )
            self._after(lambda: listener.http_answered(turn, refused, 0))
            return
        self._going_on.spawn(self._run, listener, turn, self._requests[kind], values)

    def close(self) -> None:
        """Break off what goes on."""
        self._going_on.kill()

    def _run(
        self, listener: HttpTurnListener, turn: Turn, request: CompiledRequest, values: Mapping[str, Any]
    ) -> None:
        refused: HttpRequestFailed | None = None
        status = 0
        try:
            answer = self._answer(listener, turn, request, values)
            status = answer.status
            refused = _wrong(answer)
        except HttpRequestFailed as refusal:
            refused = refusal
        except Exception as error:
            self._after(partial(_crash, error))
            return
        self._after(lambda: listener.http_answered(turn, refused, status))

    def _answer(
        self, listener: HttpTurnListener, turn: Turn, request: CompiledRequest, values: Mapping[str, Any]
    ) -> HttpAnswer:
        """What the target answers.

        Raises:
            HttpRequestFailed: there is no answer that can be used.
        """
        host = self._host
        told = False

        def wrote(at_ns: int) -> None:
            # What a kept connection lost may be written again: it was sent when it was first written.
            nonlocal told
            if not told:
                told = True
                listener.http_wrote(turn, at_ns)

        call = request.call(values, host.http_url, correct=HERE)
        cookies = host.cookies_of(listener.user)
        writing = Writing(host.now, wrote)
        return self._client.send(call, cookies, within_ns=request.within_ns, follow=False, writing=writing)


def _crash(error: Exception) -> NoReturn:
    """Raise a mistake of ours where the poller hears of it, and ends the run."""
    raise error


def _wrong(answer: HttpAnswer) -> HttpRequestFailed | None:
    """What is wrong with an answer: any status but success; a redirect is not followed."""
    if 200 <= answer.status <= 299:
        return None
    text = answer.body[: 4 * LINE].decode("utf-8", "replace").strip()
    line = "".join(c if c.isprintable() else " " for c in text)[:LINE].strip()
    return HttpRequestFailed(f"the target answered HTTP {answer.status}" + (f": {line}" if line else ""))
