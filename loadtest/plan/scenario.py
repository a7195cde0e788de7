"""The whole plan of a run, as frozen data: target, load, traffic, thresholds.

These types are valid by construction: ``plan.schema`` declares the keys that fill their fields, and
``plan.scenario_file`` reports every mistake of a file at once. Durations are integer nanoseconds (``_ns``),
rates are per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from loadtest.plan.conversation import Conversation, kinds_in
from loadtest.plan.frame_limits import MAX_MESSAGE_BYTES
from loadtest.plan.health import Health
from loadtest.plan.prepare import PrepareStep
from loadtest.plan.protocol import Protocol, TurnKind, TurnShape
from loadtest.plan.threshold import Threshold, default_thresholds, population_defaults

DataRows = tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Where a virtual user's credential comes from, and how it is presented.

    ``kind`` "jwt": a token minted per user, by ``algorithm``, from the secret or the private key in
    ``secret_env`` or ``key_file``; ``key_id`` is its ``kid``.
    ``kind`` "token": one token from ``token_env``, ``token_file`` or what ``token_command`` prints, which is
    run again after ``refresh_ns``.
    ``kind`` "oauth2": a token of ``token_url`` for ``client_id`` and the secret in ``secret_env`` (RFC 6749,
    4.4), asked for again before it expires.
    ``kind`` "sigv4": the URL is signed for an AWS ``service`` in a ``region``, with the credentials of
    ``profile`` or of the environment.
    ``format`` is a template of ``{token}`` or ``{token_base64url}``. ``name`` is that of the header, the
    query parameter or the cookie; a subprotocol has none.
    ``claims`` are templates; ``fixed_claims`` (numbers, true and false, lists) go into the token as they are.
    """

    kind: Literal["jwt", "token", "oauth2", "sigv4"]
    send_as: Literal["header", "query", "subprotocol", "cookie"] = "header"
    name: str = "Authorization"
    format: str = "Bearer {token}"
    secret_env: str | None = None
    token_env: str | None = None
    token_file: Path | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    fixed_claims: Mapping[str, object] = field(default_factory=dict)
    lifetime_ns: int = 900_000_000_000
    algorithm: Literal["HS256", "RS256", "ES256", "EdDSA"] = "HS256"
    key_file: Path | None = None
    key_id: str | None = None
    token_command: tuple[str, ...] = ()
    refresh_ns: int | None = None
    token_url: str | None = None
    client_id: str | None = None
    scope: str | None = None
    region: str | None = None
    service: str = "execute-api"
    profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the load goes and how a connection to it is opened.

    The values of ``headers``, ``cookies`` and ``query`` are templates. ``subprotocols`` None: the protocol's.
    ``faults`` are those of our own simulator, and mean nothing to any other target. ``source_addresses``, as
    written (``plan.source_addresses`` takes networks apart): where connections come from; none: the system
    chooses.
    ``before_connect`` are names of values that the code of a user gives before each connection.
    ``addresses``: which of the addresses of the name a connection tries first. ``connect_to``: host and port
    that are connected to; None: those of ``url``, which the target is told in any case.
    ``path``: a template that stands in the place of the URL's path, or of the whole URL. ``proxy``: its URL,
    or "environment" or "none". ``follow_redirects``: so many answers to one upgrade may lead elsewhere.
    ``compression``: permessage-deflate is offered; ``compress_sent``: where the target agrees, what we
    send is compressed too.
    ``keep_cookies``: a user sends back, on later connections, the cookies that the target set. ``health``:
    what of the target itself is sampled while the load runs.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    subprotocols: tuple[str, ...] | None = None
    auth: Auth | None = None
    identities: DataRows = ()
    before_connect: tuple[str, ...] = ()
    insecure: bool = False
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    compression: bool = False
    compress_sent: bool = False
    connect_timeout_ns: int = 10_000_000_000
    max_message_bytes: int = MAX_MESSAGE_BYTES
    faults: tuple[str, ...] = ()
    source_addresses: tuple[str, ...] = ()
    addresses: Literal["first", "rotate", "all"] = "first"
    connect_to: tuple[str, int] | None = None
    keep_cookies: bool = False
    path: str | None = None
    proxy: str = "environment"
    follow_redirects: int = 0
    health: Health | None = None

    @property
    def user_columns(self) -> list[str]:
        """``user.NAME`` of everything that a user of this target has beside number, id and thread."""
        names = (*(self.identities[0] if self.identities else ()), *self.before_connect)
        return [f"user.{name}" for name in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A period of the run with its own number of connections.

    ``ramp``: reach ``connections`` linearly over the stage; otherwise at once (as ``connect_rate`` allows).
    ``thresholds`` speak of this stage alone; those of all stages are also among the scenario's.
    """

    for_ns: int
    connections: int
    ramp: bool = False
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect:
    """When a user whose connection was lost or refused connects again.

    The first delay is ``initial_delay_ns``, each further one ``factor`` times as long, none longer than
    ``max_delay_ns``; each is shortened at random by up to the part ``jitter``. After ``tries`` failed tries
    the user gives up.
    """

    initial_delay_ns: int = 100_000_000
    factor: float = 2.0
    max_delay_ns: int = 10_000_000_000
    jitter: float = 0.5
    tries: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many connections, how fast they open, for how long.

    ``reconnect`` None: a connection that is lost stays lost.
    """

    model: Literal["open", "closed"] = "open"
    connections: int = 1
    connect_rate: float | None = None
    duration_ns: int = 30_000_000_000
    warmup_ns: int = 0
    seed: int = 1
    stages: tuple[Stage, ...] = ()
    reconnect: Reconnect | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a connection sends, and when.

    ``every_ns``: open, a burst per connection falls due this often; closed, think time.
    ``rate`` (turns per second over all connections) instead of ``every_ns``.
    ``turns`` caps the turns of one connection; 0: nothing is sent, but connections may be pinged.
    ``mix`` are kinds of turn of the protocol by weight; none: every turn is that of its [turn].
    ``ping_timeout_ns``: how long a peer may leave a ping unanswered and be silent; None: ``timeout_ns``.
    """

    burst: int = 1
    every_ns: int | None = None
    rate: float | None = None
    arrivals: Literal["constant", "poisson"] = "constant"
    phase: Literal["spread", "together"] = "spread"
    timeout_ns: int = 10_000_000_000
    turns: int | None = None
    message: str | None = None
    data: DataRows = ()
    ping_ns: int | None = None
    mix: Mapping[str, int] = field(default_factory=dict)
    ping_timeout_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Drop a share of the connections ``at_ns`` after the run's start, and again every ``every_ns``."""

    share: float
    at_ns: int
    every_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowReaders:
    """A share of the users read at most ``bytes_per_s``."""

    share: float
    bytes_per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """Faults injected at the client; by default none.

    ``leavers``: the share of turns during which the user leaves. ``malformed``: the share of turns that
    follow a broken message.
    """

    cut: Cut | None = None
    slow_readers: SlowReaders | None = None
    leavers: float = 0.0
    malformed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """End the run early, with a verdict on what was measured, once any rule holds after ``after_ns``."""

    rules: tuple[Threshold, ...] = ()
    after_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """How runs of the scenario are compared; none of it changes what is sent.

    ``primary`` names the metrics that decide (empty: those of the thresholds). ``smallest_effect`` is the
    relative difference (0 to 1) from which on a metric matters; ``effects`` has other values by metric name.
    """

    primary: tuple[str, ...] = ()
    smallest_effect: float = 0.05
    effects: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps that keep a typing mistake from becoming an attack."""

    connections: int = 20_000
    rate: float = 100_000.0
    duration_ns: int = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Population:
    """Users of a run who have load, traffic, protocol or identities of their own, beside others.

    ``scenario`` is what they would be alone: what the population does not write is that of the file.
    """

    name: str
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One TOML file, read and checked; ``traffic`` None means: connect and hold, send nothing.

    ``settings`` is the effective plan as plain TOML-able data (what ``run.json`` keeps and workers
    are sent); ``sha256`` is of its canonical JSON without the target, so that the same load on two
    targets has the same hash. ``thresholds`` are those written, those of a stage carry ``stage``;
    ``turned_off`` names what would be judged by default and is not. ``conversations``: what users say instead
    of single turns, one of them at a time, by weight. ``populations``: the users of the run, by name; none:
    all are of one, which is the scenario's own. ``prepare``: what is done by HTTP before a connection.
    """

    name: str
    question: str
    path: str
    sha256: str
    protocol: Protocol
    target: Target
    load: Load
    traffic: Traffic | None
    conversations: tuple[Conversation, ...] = ()
    populations: tuple[Population, ...] = ()
    prepare: tuple[PrepareStep, ...] = ()
    chaos: Chaos = field(default_factory=Chaos)
    thresholds: tuple[Threshold, ...] = ()
    turned_off: tuple[str, ...] = ()
    abort: Abort = field(default_factory=Abort)
    compare: Compare = field(default_factory=Compare)
    limits: Limits = field(default_factory=Limits)
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Scenario, ...]:
        """The scenario of each population; itself alone where it has none."""
        return tuple(each.scenario for each in self.populations) or (self,)

    @property
    def sends(self) -> bool:
        """Whether turns are sent: without traffic, or with 0 turns each, connections are only held."""
        return any(part.traffic is not None and part.traffic.turns != 0 for part in self.parts)

    @property
    def kinds(self) -> Mapping[str, TurnKind]:
        """The kinds of turn that are sent, by name; none where every turn is that of [turn]."""
        names = {kind for each in self.conversations for kind in kinds_in(each.steps)}
        names |= set(self.traffic.mix) if self.traffic is not None else set()
        return {name: self.protocol.turns[name] for name in sorted(names) if name in self.protocol.turns}

    @property
    def streams_ns(self) -> int:
        """How long the files of a turn take at most, in any part of the scenario."""
        turns = (kind.turn for part in self.parts for kind in part.kinds.values())
        return max(turn.streams_ns for turn in (*turns, *(part.protocol.turn for part in self.parts)))

    @property
    def sent_turns(self) -> Mapping[str, TurnShape]:
        """The turns that are sent, by kind; "" is that of [turn], where there are no kinds."""
        return {name: kind.turn for name, kind in self.kinds.items()} or {"": self.protocol.turn}

    @property
    def turns_end(self) -> bool:
        """Whether every turn that is sent can be complete."""
        kinds = self.kinds.values()
        return all(kind.events.ends for kind in kinds) if kinds else self.protocol.events.ends

    @property
    def ending_kinds(self) -> tuple[str, ...]:
        """The kinds judged each by itself: those that can be complete, where the plan breaks none off."""
        if not self.sends or self.chaos != Chaos() or len(self.kinds) < 2:
            return ()
        return tuple(name for name, kind in self.kinds.items() if kind.events.ends)

    @property
    def judged(self) -> tuple[Threshold, ...]:
        """What a run is judged by: the thresholds written, then the default ones."""
        if self.populations:
            ends = {each.name: each.scenario.sends and each.scenario.turns_end for each in self.populations}
            kinds = {each.name: each.scenario.ending_kinds for each in self.populations}
            stages = {each.name: len(each.scenario.load.stages) for each in self.populations}
            defaults = population_defaults(self.thresholds, self.turned_off, ends, kinds, stages)
            return (*self.thresholds, *defaults)
        defaults = default_thresholds(
            self.thresholds,
            self.turned_off,
            ends=self.sends and self.turns_end,
            stages=len(self.load.stages),
            kinds=self.ending_kinds,
        )
        return (*self.thresholds, *defaults)
