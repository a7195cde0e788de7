"""Samples the target's health once a second beside the load, in the process that leads the run."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gevent

from loadtest.drive.health.container_source import ContainerSource
from loadtest.drive.health.exposition_source import NodeSource, OwnEndpoint, SeriesSource
from loadtest.drive.health.process_source import ProcessSource
from loadtest.drive.health.query_source import QuerySource
from loadtest.drive.health.source import HealthSource, NotSampledError
from loadtest.measure.interval import Interval
from loadtest.plan.health import Health

logger = logging.getLogger(__name__)

AT_S = 0.2
"""When in each second samples are taken: an answer that takes its time is there before the second is over."""

KEPT_S = 30
"""Seconds whose samples are kept until their interval comes; of workers it comes late."""


def sources_of(health: Health, simulator_pid: int | None) -> list[HealthSource]:
    """Everything that a scenario asks for; ``simulator_pid`` is that of the simulator of this run."""
    sources: list[HealthSource] = []
    if health.pid is not None:
        sources.append(ProcessSource(health.pid or simulator_pid or 0))
    if health.container:
        sources.append(ContainerSource(health.container))
    if health.node:
        sources.append(NodeSource(health.node))
    if health.endpoint:
        sources.append(OwnEndpoint(health.endpoint))
    return sources + [SeriesSource(each) if each.series else QuerySource(each) for each in health.metrics]


class HealthSampler:
    """Takes samples, and adds them to the gauges of the second that they were taken in.

    ``reasons`` says of each name why it was not sampled the last time that it was not. ``start_wall_ns`` is
    when the run began, once that is known.
    """

    def __init__(self, sources: Iterable[HealthSource], start_wall_ns: Callable[[], int | None]) -> None:
        self._sources = list(sources)
        self._start_wall_ns = start_wall_ns
        self._samples: dict[int, dict[str, float]] = {}
        self.reasons: dict[str, str] = {}
        self._loops: list[Any] = []

    @property
    def names(self) -> list[str]:
        """Everything that is to be sampled."""
        return [name for source in self._sources for name in source.names]

    def facts(self) -> dict[str, Any]:
        """For the manifest: what is sampled, on which machine, and why something is not."""
        return {"sampled": self.names, "sampled_on": socket.gethostname(), "reasons": self.reasons}

    def start(self) -> None:
        """Begin to sample; rates count from here."""
        self._loops = [gevent.spawn(self._sample_often, source) for source in self._sources]

    def stop(self) -> None:
        """Sample no more."""
        gevent.killall(self._loops)

    def add_to(self, interval: Interval) -> None:
        """Add what was sampled in a second to its gauges."""
        found = self._samples.pop(interval.second, {})
        interval.gauges.update({f"target.{name}": value for name, value in found.items()})

    def _sample_often(self, source: HealthSource) -> None:
        self._sample(source, None)
        second = 0
        while True:
            start_ns = self._start_wall_ns()
            if start_ns is None:
                gevent.sleep(0.05)
                continue
            elapsed_s = (time.time_ns() - start_ns) / 1e9
            second = max(second, int(elapsed_s - AT_S) + 1 if elapsed_s > AT_S else 0)
            gevent.sleep(max(0.0, second + AT_S - elapsed_s))
            self._sample(source, second)
            second += 1

    def _sample(self, source: HealthSource, second: int | None) -> None:
        """Take one sample; of a rate it may be the first, which has no value yet."""
        # Not in this thread: to read /proc, and to parse what an exporter says, takes milliseconds.
        found = gevent.get_hub().threadpool.apply(_sampled, (source,))
        for name, value in found.items():
            if isinstance(value, str):
                self.reasons[name] = value
            elif second is not None:
                self._samples.setdefault(second, {})[name] = value
        if second is not None:
            self._samples.pop(second - KEPT_S, None)


def _sampled(source: HealthSource) -> Mapping[str, float | str]:
    """Values, or reasons why there are none; gevent would print an exception of another thread."""
    try:
        return source.sample()
    except NotSampledError as error:
        return dict.fromkeys(source.names, str(error))
    except Exception as error:
        logger.exception("the target's health could not be sampled")
        return dict.fromkeys(source.names, f"{type(error).__name__}: {str(error)[:120]}")
