"""What the connections, the traffic and the virtual users of one process read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from loadtest.drive.before_connect import BeforeConnect
from loadtest.drive.credentials import CredentialProvider, environment_values
from loadtest.drive.dns_lookups import Find, Lookups
from loadtest.drive.endpoint import Endpoint, look_up
from loadtest.drive.guarded_codec import guarded
from loadtest.drive.http_turns import HttpTurns
from loadtest.drive.learned_secrets import LearnedSecrets
from loadtest.drive.observations import Observations
from loadtest.drive.poller import Poller, make_poller
from loadtest.drive.source_addresses import own_sources
from loadtest.drive.transport import Address, Timestamping, TlsTransport, Transport
from loadtest.drive.user_cookies import OF_PROCESS, UserCookies
from loadtest.measure.clock import Clock
from loadtest.measure.recorder import Recorder
from loadtest.plan.chaos import slow_users
from loadtest.plan.conversation import ConversationPlan
from loadtest.plan.mix import Mix
from loadtest.plan.placeholder_names import NOW, data_values, now_values, user_values
from loadtest.plan.scenario import Chaos, Scenario
from loadtest.plan.schedule import Schedule
from loadtest.plan.secrets import message_texts
from loadtest.speak.codec.factory import codec_of
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.units import NS_PER_S

CLOSE_TIMEOUT_NS = 2 * NS_PER_S
"""How long a connection that we close waits for the target's close frame."""

SLOW_BUFFER = 4096
"""Receive buffer, in bytes, of a user who reads slowly: the target must notice it soon."""

FETCHED = frozenset({"oauth2", "sigv4"})
"""Kinds of credentials that are asked for, or looked up, before a connection."""

NO_ROW: dict[str, Any] = {}
"""The values of a turn that has none of its own."""


@dataclass(frozen=True, slots=True)
class ShardAssignment:
    """What one process has to do: the run, its scenario and target, and which virtual users it drives.

    The users of ``scenario`` are numbered from ``first`` on, of ``of_all`` in the run (0: it has no others).
    ``spread``: other processes drive users of the run as well.
    """

    run_id: str
    scenario: Scenario
    endpoint: Endpoint
    users: range
    worker: int = 0
    first: int = 0
    of_all: int = 0
    spread: bool = False


class Context:
    """The settings of one process's connections, and the clock, poller and recorder that they share.

    ``start_ns``, ``end_ns`` and ``recorder`` are those of the run from ``begin`` on; ``finishing`` becomes
    true when nothing more falls due.

    Raises:
        ConfigError: this machine has none of the source addresses, or has not the protocol's codec.
    """

    on_secrets: Callable[[list[str]], None] | None = None
    finishing = False

    def __init__(
        self,
        assignment: ShardAssignment,
        clock: Clock,
        new_poller: Callable[[Callable[[], int]], Poller] = make_poller,
    ) -> None:
        scenario, endpoint, protocol = assignment.scenario, assignment.endpoint, assignment.scenario.protocol
        target, traffic, load = scenario.target, scenario.traffic, scenario.load
        self.assignment = assignment
        self.clock, self.now = clock, clock.now
        own = None if traffic is None else traffic.message
        self.timeout_ns = traffic.timeout_ns if traffic is not None else CLOSE_TIMEOUT_NS
        self.schedule = Schedule(load, traffic, assignment.first, assignment.of_all)
        self.planned_users = self.schedule.users
        self.compiled_protocol = CompiledProtocol(
            protocol,
            message=protocol.turn.message if own is None else own,
            nonce=assignment.run_id,
            timeout_ns=self.timeout_ns,
            unix_offset_ns=0 if clock.wall else time.time_ns() - clock.now(),
            users=self.schedule.stride,
            identities=target.identities,
            first_user=assignment.first,
            kinds=scenario.kinds,
            audience_is_here=not assignment.spread,
            seed=load.seed,
            listens=not self.schedule.sends,
        )
        offered = protocol.connect.subprotocols if target.subprotocols is None else target.subprotocols
        self.credential_provider = CredentialProvider(target, endpoint.path, tuple(offered))
        self.secret_values = environment_values(message_texts(scenario))
        self.cookies = UserCookies(self.learn)
        self.sources = own_sources(target.source_addresses)
        self.compression, self.compress_sent = target.compression, target.compress_sent
        self.spread = target.addresses
        self.connect_timeout_ns = target.connect_timeout_ns
        self.close_timeout_ns = CLOSE_TIMEOUT_NS
        self.max_message_bytes = target.max_message_bytes
        self.codec = guarded(codec_of(protocol))
        self.binary = protocol.turn.encoding == "binary"
        self.ping_ns = traffic.ping_ns if traffic is not None and traffic.ping_ns is not None else 0
        own_limit_ns = traffic.ping_timeout_ns if traffic is not None else None
        self.ping_timeout_ns = self.timeout_ns if own_limit_ns is None else own_limit_ns
        self.burst = traffic.burst if traffic is not None else 1
        self.think_ns = (traffic.every_ns or 0) if traffic is not None else 0
        self.turns_per_connection = (traffic.turns or None) if traffic is not None else None
        rows = traffic.data if traffic is not None else ()
        self._rows: list[dict[str, Any]] = [data_values(number, rows) for number in range(len(rows))]
        self._wants_now = self.compiled_protocol.asked & NOW
        self.has_rows = bool(rows or self._wants_now)
        floor = clock.floor if clock.step_ns else None
        self._timestamping = Timestamping(self.now, floor, clock.wall)
        self.seed = load.seed
        said = scenario.conversations
        self.conversations = ConversationPlan(said, load.seed) if said else None
        self.mix = Mix(traffic.mix, load.seed) if traffic is not None and traffic.mix else None
        self.reconnect = load.reconnect
        self.lookups = Lookups(self, endpoint.addresses, _finder(assignment))
        self.chaos = scenario.chaos
        self.slow = slow_users(self.chaos, self.seed, self.planned_users)
        self.observations, self.learned_secrets = Observations(), LearnedSecrets()
        self.note_secret = self.learned_secrets.add  # one for all connections: 64 bytes less of each
        self.start_ns = self.end_ns = 0
        self.recorder = self._new_recorder(0)
        self.poller = new_poller(clock.now)
        self.before = self._before_connect(scenario, endpoint)

    @property
    def longest_turn_ns(self) -> int:
        """How long a turn may take at most, with the files that it sends at their pace."""
        return self.timeout_ns + self.assignment.scenario.streams_ns

    def _before_connect(self, scenario: Scenario, endpoint: Endpoint) -> BeforeConnect | None:
        """What is done before connections; None where nothing is."""
        if not _asks_before(scenario):
            return None
        before = BeforeConnect(
            scenario,
            endpoint,
            now=self.now,
            cookies=self.cookies,
            observations=self.observations,
            learn=self.learn,
            recorder=lambda: self.recorder,
            after=self._from_greenlet,
        )
        self.credential_provider.tokens = before.tokens
        return before

    @property
    def http_turns(self) -> HttpTurns | None:
        """What sends the turns that go by HTTP; None where none does."""
        return None if self.before is None else self.before.http_turns

    def _from_greenlet(self, step: Callable[[], None]) -> None:
        """Have a step done where callbacks of connections are, soon."""
        self.poller.timers.add(self.now(), lambda _due: step())
        self.poller.wake()

    def learn(self, secrets: Iterable[str]) -> None:
        """Take these out of every output of the run from now on; ``on_secrets`` is told."""
        found = list(secrets)
        if found and self.on_secrets is not None:
            self.on_secrets(found)

    def begin(self, start_ns: int) -> None:
        """The run starts at ``start_ns`` of its clock: measure from there."""
        self.start_ns = start_ns
        self.end_ns = start_ns + self.schedule.end_ns
        self.recorder = self._new_recorder(start_ns)

    def _new_recorder(self, start_ns: int) -> Recorder:
        load, kinds = self.assignment.scenario.load, self.assignment.scenario.kinds
        return Recorder(start_ns, load.warmup_ns, load.duration_ns, self.assignment.worker, kinds)

    @property
    def reads_may_wait(self) -> bool:
        """Each message has one reply, is sent at a planned instant and timed by the kernel.

        Then no figure depends on when the reply is read.
        """
        scenario = self.assignment.scenario
        return (
            self.clock.wall
            and scenario.load.model == "open"
            and scenario.protocol.events.count == 1
            and not scenario.kinds
            and self.burst == 1
            and scenario.chaos == Chaos()
        )

    def user_values(self, user: int) -> dict[str, Any]:
        """What is known of a user before it connects; what its own code will give is empty yet."""
        run_id, target = self.assignment.run_id, self.assignment.scenario.target
        given = {f"user.{name}": "" for name in target.before_connect}
        return {
            "run.id": run_id,
            **self.secret_values,
            **given,
            **user_values(user, run_id, target.identities, self.assignment.first),
        }

    def row(self, seq: int) -> dict[str, Any]:
        """The values that only this turn has; ``NO_ROW`` unless the context ``has_rows``."""
        row = self._rows[seq % len(self._rows)] if self._rows else NO_ROW
        if self._wants_now:
            row = {**row, **now_values(time.time_ns() // 1_000_000, self._wants_now)}
        return row

    def cookies_of(self, user: int, url: str) -> Mapping[str, str]:
        """The cookies that the target gave this user, by name; none where they are not kept."""
        return self.cookies.sent((OF_PROCESS, user), url) if self.cookies.kept else {}

    def keep_cookies(self, user: int, url: str, set_cookies: Sequence[str]) -> list[str]:
        """Keep what the answer to an upgrade sets, where cookies are kept; gives the values that it sets."""
        if self.assignment.scenario.target.keep_cookies:
            self.cookies.keep(user, url, set_cookies)
        return [line.partition(";")[0].partition("=")[2].strip() for line in set_cookies]

    def source_of(self, user: int) -> str | None:
        """The address from which a user of this process connects; None: the system chooses.

        It follows from the user's position in this process, so that every address serves equally many.
        """
        if not self.sources:
            return None
        return self.sources[self.assignment.users.index(user) % len(self.sources)]

    def addresses_of(
        self, user: int, endpoint: Endpoint | None = None, *, again: bool = False
    ) -> Sequence[Address]:
        """The addresses of the target, or of another host, in the order in which a user tries them.

        ``again``: those that the target's name has now; else those of the beginning of the run.
        """
        own = self.assignment.endpoint
        endpoint = endpoint or own
        same = (endpoint.authority, endpoint.proxy) == (own.authority, own.proxy)
        addresses = self.lookups.addresses if again and same else endpoint.addresses
        at = 0 if self.spread == "first" else user % len(addresses)
        if self.spread == "all":
            return addresses[at : at + 1]
        return addresses[at:] + addresses[:at] if at else addresses

    def count(self, name: str) -> None:
        """One more of a counter."""
        self.recorder.metrics.count(name)

    def lookup_failed(self, reason: str) -> None:
        """The target's name could not be looked up in mid-run."""
        self.observations.add_reason("lookups_failed", reason)

    def open_transport(self, user: int, address: Address, endpoint: Endpoint | None = None) -> Transport:
        """A socket that connects to an address of the target, or of another host.

        Raises:
            OSError: it failed at once.
        """
        endpoint = endpoint or self.assignment.endpoint
        buffer = SLOW_BUFFER if user in self.slow else None
        if endpoint.tls is None:
            return Transport(address, self._timestamping, self.source_of(user), receive_buffer=buffer)
        return TlsTransport(
            address,
            self._timestamping,
            self.source_of(user),
            context=endpoint.tls,
            server_name=endpoint.server_name,
            receive_buffer=buffer,
        )


def _asks_before(scenario: Scenario) -> bool:
    """Whether something may have to be done by HTTP, or looked up, before a connection."""
    target = scenario.target
    fetches = target.auth is not None and (target.auth.kind in FETCHED or bool(target.auth.token_command))
    posts = any(turn.send is not None for turn in scenario.sent_turns.values())
    return (
        bool(scenario.prepare) or fetches or target.path is not None or target.follow_redirects > 0 or posts
    )


def _finder(assignment: ShardAssignment) -> Find | None:
    """What looks the target's name up again; None where there is no name, or nobody connects again."""
    endpoint, scenario = assignment.endpoint, assignment.scenario
    if endpoint.resolve_ns is None or scenario.load.reconnect is None:
        return None
    return partial(look_up, endpoint, scenario.target)
