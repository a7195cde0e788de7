"""[target.health]: what of the target itself is sampled each second beside the load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.host_name import is_http_url
from loadtest.plan.toml_reader import TomlTable, quoted

PROCESS_METRICS = ("cpu", "memory", "open_files")
"""What a pid, a node and a target's own endpoint tell."""

CONTAINER_METRICS = ("cpu", "memory")
"""What the engine of a container tells."""

OF_SIMULATOR = 0
"""Stands for the pid of the simulator that the run starts itself."""

MAX_METRICS = 20

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthMetric:
    """A metric of the target's own: a series of an endpoint, or a query of a Prometheus server.

    Of several series that have the ``labels`` the sum is taken; of a counter, with ``rate``, the increase a
    second.
    """

    name: str
    url: str
    series: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    rate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """At most one of ``pid``, ``container``, ``node`` and ``endpoint``, and ``metrics`` beside it."""

    pid: int | None = None
    container: str = ""
    node: str = ""
    endpoint: str = ""
    metrics: tuple[HealthMetric, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What is sampled, by the names that thresholds know."""
        usual = CONTAINER_METRICS if self.container else PROCESS_METRICS if self.has_source else ()
        return (*usual, *(each.name for each in self.metrics))

    @property
    def has_source(self) -> bool:
        """Whether CPU and memory are sampled at all."""
        return self.pid is not None or bool(self.container or self.node or self.endpoint)


def read_pid(table: TomlTable, key: str, default: int | None) -> int | None:
    """A process of this machine, or ``simulator``."""
    value = table.take(key)
    if value == SIMULATOR:
        return OF_SIMULATOR
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        table.report(key, f'`{key}` must be the number of a process or "{SIMULATOR}", not {quoted(value)}')
        return default
    return value


def write_pid(pid: int) -> int | str:
    """As it is written."""
    return pid or SIMULATOR


def read_http_url(table: TomlTable, key: str, default: str) -> str:
    """An address of http or https; a wrong one is reported."""
    url = table.text(key, default)
    if url and (not is_http_url(url) or any(c.isspace() or not c.isprintable() for c in url)):
        table.report(key, f"`{key}` must be an address that begins with http:// or https://")
        return default
    return url


def check_metric(table: TomlTable, metric: HealthMetric) -> HealthMetric:
    """The metric; what its keys ask of each other is reported."""
    if metric.name and (not NAME.fullmatch(metric.name) or metric.name in PROCESS_METRICS):
        sentence = (
            f"`name` may contain a to z, 0 to 9 and `_`, and must differ from {', '.join(PROCESS_METRICS)}"
        )
        table.report("name", f"{sentence}; it is {quoted(metric.name)}")
    if bool(metric.series) == bool(metric.query):
        sentence = "a metric needs either `series` (of an endpoint) or `query` (of a Prometheus server)"
        table.source.report(table.path, sentence)
    if metric.query and (metric.labels or metric.rate):
        key = "labels" if metric.labels else "rate"
        table.report(key, f"`{key}` works only with `series`; with `query`, write it in PromQL")
    return metric


def check_health(table: TomlTable, health: Health) -> Health:
    """The table; what its keys ask of each other is reported."""
    given = [key for key in ("pid", "container", "node", "endpoint") if table.has(key)]
    if len(given) > 1:
        table.report(
            given[1],
            f"`{given[1]}` and `{given[0]}` both set whose CPU is sampled; remove one of them",
        )
    if not given and not health.metrics:
        sentence = (
            "[target.health] samples nothing; add `pid`, `container`, `node`, `endpoint` or"
            " `[[target.health.metrics]]`"
        )
        table.source.report(table.path, sentence)
    names = [each.name for each in health.metrics if each.name]
    for name in sorted({name for name in names if names.count(name) > 1}):
        table.report("metrics", f"two metrics have the name `{name}`")
    if len(health.metrics) > MAX_METRICS:
        table.report(
            "metrics",
            f"[target.health] may have at most {MAX_METRICS} metrics, not {len(health.metrics)}",
        )
    return health
