"""What a process does for its users before they connect: tokens, ``[[prepare]]``, hosts that are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from loadtest.drive.aws_signer import AwsSigner
from loadtest.drive.endpoint import Endpoint, http_tls_context, resolve_endpoint
from loadtest.drive.http_client import HttpClient, Origin, origin_of
from loadtest.drive.http_turns import HttpTurns
from loadtest.drive.observations import Observations
from loadtest.drive.prepare_requests import Preparation, render_path
from loadtest.drive.proxy import Proxy, proxy_for
from loadtest.drive.token_source import CommandTokenSource, OAuth2TokenSource, TokenSource
from loadtest.drive.user_cookies import CookiesOfUser, UserCookies
from loadtest.errors import ConfigError, Layer, TargetError
from loadtest.measure.recorder import Recorder
from loadtest.plan.prepare import PREPARED
from loadtest.plan.scenario import Scenario
from loadtest.plan.template import Template
from loadtest.speak.connect_refusal import ConnectRefusal

MAX_HOSTS = 64
"""Other hosts that a target may send users to; of more, the connection is refused."""


class BeforeConnect:
    """All of it, for one process. ``waits``: a connection may have to wait for something here."""

    def __init__(
        self,
        scenario: Scenario,
        endpoint: Endpoint,
        *,
        now: Callable[[], int],
        cookies: UserCookies,
        observations: Observations,
        learn: Callable[[Iterable[str]], None],
        recorder: Callable[[], Recorder],
        after: Callable[[Callable[[], None]], None],
    ) -> None:
        self.now = now
        self.learn = learn
        # A step was done: its name, the instant, how long it took.
        self.on_done: Callable[[str, int, int], None] = lambda _name, _at_ns, _took_ns: None
        self._cookies = cookies
        self._observations = observations
        self._recorder = recorder
        self._endpoint = endpoint
        self._target = target = scenario.target
        self._client = HttpClient(lambda: http_tls_context(target), self._address_of, self._proxy_of)
        self._path = None if target.path is None else Template.parse(target.path)
        self._endpoints: dict[Origin, Endpoint] = {origin_of(self._endpoint.url): self._endpoint}
        self.preparation = Preparation(scenario.prepare, self._client, self) if scenario.prepare else None
        self.tokens = self._token_source()
        self.http_turns = self._http_turns(scenario, after)

    def _http_turns(
        self, scenario: Scenario, after: Callable[[Callable[[], None]], None]
    ) -> HttpTurns | None:
        """The requests of the turns that go by HTTP; None where none does."""
        requests = {name: turn.send for name, turn in scenario.sent_turns.items() if turn.send is not None}
        if not requests or scenario.traffic is None:
            return None
        return HttpTurns(requests, self._client, self, within_ns=scenario.traffic.timeout_ns, after=after)

    def _token_source(self) -> TokenSource | None:
        auth = self._target.auth
        if auth is not None and auth.token_command:
            return CommandTokenSource(auth, self.now, self.learn)
        if auth is not None and auth.kind == "sigv4":
            return AwsSigner(auth, self.now, self.learn)
        if auth is not None and auth.kind == "oauth2":
            return OAuth2TokenSource(auth, self._client, self.now, self.learn)
        return None

    @property
    def waits(self) -> bool:
        """Whether the next connection has to wait for something here."""
        return self.preparation is not None or (self.tokens is not None and not self.tokens.is_fresh)

    @property
    def undoes(self) -> bool:
        """Whether something may have to be taken back when a user has ended."""
        return self.preparation is not None and self.preparation.undoes

    def run(self, user: int, values: dict[str, Any]) -> None:
        """Do it for a connection of a user, in a greenlet that waits.

        Raises:
            ConnectRefusal: it cannot be done.
        """
        if self.tokens is not None:
            self.tokens.renew()
        if self.preparation is not None:
            self.preparation.prepare(user, values)
        if self._path is not None:
            self.find(self.url_for(values))

    def undo(self, user: int, values: Mapping[str, Any]) -> None:
        """Take back what was done for a user who is over, in a greenlet that waits."""
        if self.preparation is not None:
            self.preparation.undo(user, values)

    def close(self) -> None:
        """Take back what was done for all, in a greenlet that waits."""
        if self.http_turns is not None:
            self.http_turns.close()
        if self.preparation is not None:
            self.preparation.undo_run()
        self._client.close()

    # ------------------------------------------------------------------ where connections go

    def url_for(self, values: Mapping[str, Any]) -> str:
        """The URL of one connection.

        Raises:
            ConnectRefusal: what was prepared makes none.
        """
        if self._path is None:
            return self._endpoint.url
        where = render_path(self._path, values)
        if not where.startswith("/") and "://" not in where:
            raise ConnectRefusal(Layer.PREPARE, "the value of `path` must be a path or a URL")
        try:
            url = urljoin(self._endpoint.url.replace("ws", "http", 1), where)
            scheme = "wss" if origin_of(url)[0] == "https" else "ws"
        except ValueError:
            raise ConnectRefusal(Layer.PREPARE, "the value of `path` is not a WebSocket URL") from None
        return f"{scheme}://{url.partition('://')[2]}"

    def endpoint_at(self, url: str) -> Endpoint | None:
        """Where a URL leads; None: its name was not looked up yet."""
        return self._endpoints.get(origin_of(url))

    def find(self, url: str) -> Endpoint:
        """As ``endpoint_at``, in a greenlet that waits for the name.

        Raises:
            ConnectRefusal: it is not known, or there are too many hosts.
        """
        known = self._endpoints.get(origin_of(url))
        if known is not None:
            return known
        if len(self._endpoints) > MAX_HOSTS:
            raise ConnectRefusal(
                Layer.RESOLVE,
                f"the target sent users to more than {MAX_HOSTS} other hosts, the limit",
            )
        try:
            found = resolve_endpoint(self._target, url)
        except TargetError as error:
            raise ConnectRefusal(error.layer, error.sentence) from None
        except ConfigError as error:
            raise ConnectRefusal(Layer.PROXY, str(error)) from None
        self._endpoints[origin_of(url)] = found
        hosts = [urlsplit(each.url).netloc for each in self._endpoints.values()]
        self._observations.note("other_hosts", {"hosts": ", ".join(hosts[1:])})
        return found

    # ------------------------------------------------------------------ what requests ask

    def _address_of(self, origin: Origin) -> tuple[str, int]:
        """Of the target's own origin, where its connections go; else what the URL says."""
        endpoint = self._endpoint
        if origin == origin_of(endpoint.url) and endpoint.proxy is None:
            host, port = endpoint.addresses[0].sockaddr[:2]
            return host, port
        return origin[1], origin[2]

    def _proxy_of(self, origin: Origin) -> Proxy | None:
        scheme, host, port = origin
        shown = f"[{host}]" if ":" in host else host
        return proxy_for(self._target.proxy, f"{scheme}://{shown}:{port}")

    # PreparationHost, HttpHost

    def http_url(self, url: str) -> str:
        """A whole URL; of a path, the one at the target's host."""
        whole = urljoin(self._endpoint.url.replace("ws", "http", 1), url)
        origin_of(whole)
        return whole

    def cookies_of(self, user: int) -> CookiesOfUser:
        """The cookies of a user, of whatever host."""
        return self._cookies.of(user)

    def took(self, step: str, ns: int) -> None:
        """A step was done in so many nanoseconds."""
        self.on_done(step, self.now(), ns)
        self._recorder().metrics_at(self.now(), step).prepare.append(max(ns, 0))

    def not_undone(self, reason: str) -> None:
        """A step could not be taken back."""
        self._recorder().metrics.count("connections.not_undone")
        self._observations.add_reason("not_undone", reason)


def prepared_values(values: Mapping[str, Any]) -> list[str]:
    """What was kept of answers, of the values of a user."""
    return [str(value) for name, value in values.items() if name.startswith(f"{PREPARED}.")]
