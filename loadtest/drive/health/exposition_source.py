"""Endpoints in Prometheus' text format: a node_exporter, a target's own, a series of either."""

from __future__ import annotations

import abc
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from typing_extensions import override

from loadtest.drive.health.http_get import get_url
from loadtest.drive.health.source import CounterRate, HealthSource, NotSampledError
from loadtest.plan.health import PROCESS_METRICS, HealthMetric
from loadtest.plan.settings import public_url

Fetch = Callable[[str], bytes]

LONGEST_LINE = 16_384


@dataclass(frozen=True, slots=True)
class ExposedSample:
    """One line of the format."""

    series: str
    labels: Mapping[str, str]
    value: float


def samples_of(body: bytes, wanted: Collection[str]) -> list[ExposedSample]:
    """The samples of the wanted series; no other line is looked at: an exporter has thousands.

    Raises:
        NotSampledError: a line of these is not of the format.
    """
    from prometheus_client.parser import text_string_to_metric_families

    lines = [
        line
        for line in body.decode("utf-8", "replace").split("\n")
        if len(line) <= LONGEST_LINE and line.partition("{")[0].partition(" ")[0] in wanted
    ]
    try:
        families = list(text_string_to_metric_families("\n".join(lines) + "\n"))
        found = [each for family in families for each in family.samples]
    except (ValueError, KeyError, IndexError) as error:
        raise NotSampledError(f"the answer is not in Prometheus' text format: {str(error)[:100]}") from None
    return [ExposedSample(each.name, each.labels, float(each.value)) for each in found]


def summed(samples: Collection[ExposedSample], series: str, labels: Mapping[str, str]) -> float | None:
    """The sum of a series over all label sets that have ``labels``; None where there is none."""
    values = [
        each.value
        for each in samples
        if each.series == series and all(each.labels.get(key) == text for key, text in labels.items())
    ]
    return math.fsum(values) if values and all(map(math.isfinite, values)) else None


class _Endpoint(HealthSource):
    """CPU, memory and open files, from the series that a kind of endpoint has for them."""

    names = PROCESS_METRICS
    wanted: tuple[str, ...]

    def __init__(self, url: str, fetch: Fetch = get_url, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._fetch, self._clock = url, fetch, clock
        self._cpu = CounterRate()

    @override
    def sample(self) -> Mapping[str, float | str]:
        samples = samples_of(self._fetch(self._url), self.wanted)
        at_s = self._clock()
        cpu_s, memory, open_files = self.read(samples)
        told = {"cpu": cpu_s, "memory": memory, "open_files": open_files}
        found = {name: self._told(value) for name, value in told.items()}
        if cpu_s is None or cpu_s < 0:
            return found
        del found["cpu"]
        if (cores := self._cpu.of(cpu_s, at_s)) is not None:
            found["cpu"] = cores
        return found

    def _told(self, value: float | None) -> float | str:
        """The value, or why it is none: none of these can be below 0."""
        if value is None:
            return f"{public_url(self._url)} does not report this metric"
        return value if value >= 0 else f"{public_url(self._url)} reports {value:g}, which is impossible"

    @abc.abstractmethod
    def read(self, samples: list[ExposedSample]) -> tuple[float | None, float | None, float | None]:
        """CPU seconds so far, bytes of memory and open files; None for what is not told."""


class NodeSource(_Endpoint):
    """A whole machine, by its node_exporter."""

    wanted = (
        "node_cpu_seconds_total",
        "node_memory_MemTotal_bytes",
        "node_memory_MemAvailable_bytes",
        "node_filefd_allocated",
    )

    @override
    def read(self, samples: list[ExposedSample]) -> tuple[float | None, float | None, float | None]:
        cpu, total, free, files = self.wanted
        spent = [each for each in samples if each.series == cpu]
        busy = [each for each in spent if each.labels.get("mode") not in {"idle", "iowait"}]
        of_all, left = summed(samples, total, {}), summed(samples, free, {})
        memory = None if of_all is None or left is None else of_all - left
        return (summed(busy, cpu, {}) or 0.0) if spent else None, memory, summed(samples, files, {})


class OwnEndpoint(_Endpoint):
    """The target itself, by the series that Prometheus' client libraries give every process."""

    wanted = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds")

    @override
    def read(self, samples: list[ExposedSample]) -> tuple[float | None, float | None, float | None]:
        cpu, memory, files = (summed(samples, name, {}) for name in self.wanted)
        return cpu, memory, files


class SeriesSource(HealthSource):
    """One series of an endpoint, or its increase a second."""

    def __init__(
        self, metric: HealthMetric, fetch: Fetch = get_url, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.names = (metric.name,)
        self._metric, self._fetch, self._clock = metric, fetch, clock
        self._rate = CounterRate()

    @override
    def sample(self) -> Mapping[str, float | str]:
        metric = self._metric
        samples = samples_of(self._fetch(metric.url), (metric.series,))
        value = summed(samples, metric.series, metric.labels)
        if value is None:
            of = "".join(f' {key}="{text}"' for key, text in metric.labels.items())
            raise NotSampledError(f"{public_url(metric.url)} has no number for {metric.series}{of}")
        shown = self._rate.of(value, self._clock()) if metric.rate else value
        return {} if shown is None else {metric.name: shown}
