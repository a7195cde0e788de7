"""CPU and memory of a container, asked of its engine (Docker's, or Podman's, which speaks the same)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from typing_extensions import override

from loadtest.drive.health.http_get import UnixConnection, get
from loadtest.drive.health.source import CounterRate, HealthSource, NotSampledError
from loadtest.plan.health import CONTAINER_METRICS

USUAL_SOCKET = "/var/run/docker.sock"


class ContainerSource(HealthSource):
    """A running container, by name or id. What the kernel may drop of its page cache is no memory of it."""

    names = CONTAINER_METRICS

    def __init__(
        self,
        container: str,
        socket_path: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._container = container
        self._socket_path = socket_path or _socket_path(os.environ.get("DOCKER_HOST", ""))
        self._clock = clock
        self._cpu = CounterRate()

    @override
    def sample(self) -> Mapping[str, float | str]:
        path = f"/containers/{quote(self._container, safe='')}/stats?stream=false&one-shot=true"
        body = get(
            UnixConnection(self._socket_path),
            path,
            {},
            f"the container engine at {self._socket_path}",
        )
        try:
            stats = json.loads(body)
            cpu_ns, memory = stats["cpu_stats"]["cpu_usage"]["total_usage"], _memory(stats["memory_stats"])
            cores = self._cpu.of(float(cpu_ns) / 1e9, self._clock())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise NotSampledError(
                f"the container engine reports nothing about {self._container}: is this container running?"
            ) from None
        return {"memory": memory, **({} if cores is None else {"cpu": cores})}


def _socket_path(docker_host: str) -> str:
    return docker_host.removeprefix("unix://") if docker_host.startswith("unix://") else USUAL_SOCKET


def _memory(stats: Mapping[str, Any]) -> float:
    """As `docker stats` tells it: without the inactive part of the page cache (cgroup v2, then v1)."""
    details = stats.get("stats") or {}
    cache = details.get("inactive_file", details.get("total_inactive_file", 0))
    return float(stats["usage"]) - float(cache)
