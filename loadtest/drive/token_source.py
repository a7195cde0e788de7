"""Tokens that are fetched in mid-run: by OAuth2's client credentials grant, or printed by a command."""

from __future__ import annotations

import abc
import json
import os
from collections.abc import Callable, Iterable
from urllib.parse import urlencode

import gevent
from gevent import subprocess
from gevent.lock import BoundedSemaphore
from typing_extensions import override

from loadtest.drive.http_client import HttpCall, HttpClient, HttpRequestFailed, NoCookies
from loadtest.errors import Layer
from loadtest.plan.identifiers import holds_controls, holds_halves
from loadtest.plan.scenario import Auth
from loadtest.speak.connect_refusal import ConnectRefusal

FETCH_WITHIN_S = 30.0
"""Seconds that a command or a token's endpoint may take."""

MAX_BYTES = 65_536
"""Bytes that a command may print."""

RENEWED_AT = 0.9
"""Part of a token's life after which another one is fetched."""

LINE = 120


class TokenSource(abc.ABC):
    """The one token of all users of a process; ``renew`` waits, everything else does not.

    ``token`` is the current one, "" before the first. ``learn`` is given each.
    """

    def __init__(self, now: Callable[[], int], learn: Callable[[Iterable[str]], None]) -> None:
        self.token = ""
        self._now = now
        self._learn = learn
        self._until_ns: int | None = None
        self._fetching = BoundedSemaphore(1)

    @property
    def is_fresh(self) -> bool:
        """Whether the current token can be used for a new connection."""
        return self.token != "" and (self._until_ns is None or self._now() < self._until_ns)

    def renew(self) -> None:
        """Have a fresh token; of many who ask at once, one fetches it.

        Raises:
            ConnectRefusal: there is none.
        """
        with self._fetching:
            if self.is_fresh:
                return
            token, lasts_ns = self._fetch()
            if not token or holds_controls(token) or holds_halves(token):
                raise ConnectRefusal(Layer.AUTH, f"the token of {self._origin} cannot be sent in a header")
            self._learn([token])
            self.token = token
            self._until_ns = None if lasts_ns is None else self._now() + lasts_ns

    _origin = ""

    @abc.abstractmethod
    def _fetch(self) -> tuple[str, int | None]:
        """A token and for how many nanoseconds it is used; None: for ever."""


class CommandTokenSource(TokenSource):
    """What a program prints on its standard output. No shell is asked, and nothing of it is an argument."""

    _origin = "token_command"

    def __init__(self, auth: Auth, now: Callable[[], int], learn: Callable[[Iterable[str]], None]) -> None:
        super().__init__(now, learn)
        self._command = list(auth.token_command)
        self._lasts_ns = auth.refresh_ns

    @override
    def _fetch(self) -> tuple[str, int | None]:
        try:
            process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise ConnectRefusal(
                Layer.AUTH, f"token_command cannot be run: {error.strerror or error}"
            ) from None
        try:
            with gevent.Timeout(FETCH_WITHIN_S, TimeoutError()):
                assert process.stdout is not None  # noqa: S101 - it is a pipe
                printed = process.stdout.read(MAX_BYTES + 1)
                process.stdout.close()
                code = process.wait()
        except TimeoutError:
            raise ConnectRefusal(Layer.AUTH, f"token_command took more than {FETCH_WITHIN_S:g} s") from None
        finally:
            if process.poll() is None:
                process.kill()
        if len(printed) > MAX_BYTES:
            raise ConnectRefusal(Layer.AUTH, f"token_command printed more than {MAX_BYTES >> 10} KiB")
        if code != 0:
            raise ConnectRefusal(Layer.AUTH, f"token_command ended with exit code {code}")
        return printed.decode("utf-8", "replace").strip(), self._lasts_ns


class OAuth2TokenSource(TokenSource):
    """The client credentials grant (RFC 6749, 4.4); the client says who it is by HTTP Basic (2.3.1)."""

    _origin = "token_url"

    def __init__(
        self,
        auth: Auth,
        client: HttpClient,
        now: Callable[[], int],
        learn: Callable[[Iterable[str]], None],
    ) -> None:
        super().__init__(now, learn)
        self._auth = auth
        self._client = client

    @override
    def _fetch(self) -> tuple[str, int | None]:
        auth = self._auth
        form = {
            "grant_type": "client_credentials",
            "client_id": auth.client_id or "",
            "client_secret": os.environ.get(auth.secret_env or "", ""),
            **({"scope": auth.scope} if auth.scope else {}),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            call = HttpCall("POST", auth.token_url or "", headers, urlencode(form).encode())
            answer = self._client.send(call, NoCookies(), within_ns=int(FETCH_WITHIN_S * 1e9), follow=False)
        except HttpRequestFailed as refused:
            raise ConnectRefusal(Layer.AUTH, f"token_url: {refused.reason}") from None
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        found = found if isinstance(found, dict) else {}
        if answer.status != 200:
            raise ConnectRefusal(Layer.AUTH, f"token_url answered HTTP {answer.status}{_error_in(found)}")
        token, seconds = found.get("access_token"), found.get("expires_in")
        if not isinstance(token, str):
            raise ConnectRefusal(Layer.AUTH, "token_url answered without an `access_token`")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 1e9:
            return token, None
        return token, int(seconds * RENEWED_AT * 1e9)


def _error_in(found: dict[str, object]) -> str:
    """The code of an error (RFC 6749, 5.2), where the answer has one."""
    error = found.get("error")
    return f": {error[:LINE]}" if isinstance(error, str) and error.isprintable() else ""
