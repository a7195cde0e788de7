"""The settings of each kind of probe, as a policy writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """``fields``: paths in the JSON answer and the values they may have; ``shown``: told as evidence.

    ``body`` is sent as it is. Up to ``redirects`` are followed; otherwise one is an answer like any other.
    ``release`` is the path in the answer that says which release is running.
    """

    url: str
    method: str = "GET"
    body: str | None = None
    redirects: int = 0
    release: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (200,)
    fields: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    contains: str | None = None
    samples: int = 20
    insecure: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """A connection opened and closed again."""

    host: str
    port: int
    samples: int = 20


@dataclass(frozen=True, slots=True)
class TlsProbe:
    """A TLS handshake; ``name`` is the host name that the certificate must be for, if it is not ``host``."""

    host: str
    port: int = 443
    name: str | None = None
    samples: int = 3
    insecure: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class DnsProbe:
    """A name, and the addresses that it must have, among others."""

    host: str
    addresses: tuple[str, ...] = ()
    samples: int = 20


@dataclass(frozen=True, slots=True)
class PrometheusProbe:
    """``url`` is that of the server, without ``/api``; the levels of the component judge its ``query``."""

    url: str
    query: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class GrpcProbe:
    """``grpc://HOST:PORT``, or ``grpcs://`` for TLS, asked for the health of ``service`` ("": of all)."""

    url: str
    service: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    samples: int = 20
    insecure: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class KubernetesProbe:
    """``workloads`` such as "deployment/web", by ``kubectl get``, or in a ``file`` of its JSON.

    The tags of the images that have ``release`` in their name say which release is running.
    """

    workloads: tuple[str, ...]
    file: str | None = None
    namespace: str | None = None
    context: str | None = None
    release: str | None = None


@dataclass(frozen=True, slots=True)
class CommandProbe:
    """Started as a list, never through a shell; ``exit_codes`` are those that mean healthy."""

    command: tuple[str, ...]
    exit_codes: tuple[int, ...] = (0,)
    contains: str | None = None


@dataclass(frozen=True, slots=True)
class JunitProbe:
    """JUnit files, or patterns of them; ``expected`` is how many tests should have run, where known.

    ``release`` is the name of the property in them that says which release was tested.
    """

    files: tuple[str, ...]
    expected: int | None = None
    release: str | None = None


@dataclass(frozen=True, slots=True)
class DatabaseProbe:
    """``postgresql://`` or ``sqlite:///PATH``; ``query`` should only read."""

    url: str
    query: str = "SELECT 1"
    samples: int = 20


@dataclass(frozen=True, slots=True)
class RedisProbe:
    """``redis://[user:password@]HOST:PORT``, or ``rediss://`` for TLS, probed with PING."""

    url: str
    samples: int = 20
    insecure: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class ContainersProbe:
    """What ``docker compose ps`` and two looks of ``docker inspect`` tell, or a file that holds a listing.

    The tags of the images that have ``release`` in their name say which release is running.
    """

    file: str | None = None
    project: str | None = None
    services: tuple[str, ...] = ()
    apart_s: float = 2.0
    release: str | None = None


@dataclass(frozen=True, slots=True)
class ResourcesProbe:
    """This host, or one process of it."""

    pid: int | None = None
    pid_file: str | None = None
    disk: str = "/"
    over_s: float = 0.5


@dataclass(frozen=True, slots=True)
class WebsocketProbe:
    """A scenario run by this tool, ``count`` times, begun ``every_s`` apart; ``failure_limit`` may fail.

    ``by_label``: no run is made; the last one counts that is kept of the scenario, labelled as the release.
    """

    scenario: str
    target: str | None = None
    duration: str | None = None
    connections: int | None = None
    sets: tuple[str, ...] = ()
    count: int = 1
    every_s: float = 0.0
    failure_limit: int = 0
    by_label: bool = False

    @property
    def release(self) -> str | None:
        """Where its evidence says which release it is of, as other probes name it."""
        return "label" if self.by_label else None


Probe = (
    HttpProbe
    | TcpProbe
    | TlsProbe
    | DnsProbe
    | PrometheusProbe
    | GrpcProbe
    | KubernetesProbe
    | CommandProbe
    | JunitProbe
    | DatabaseProbe
    | RedisProbe
    | ContainersProbe
    | ResourcesProbe
    | WebsocketProbe
)
