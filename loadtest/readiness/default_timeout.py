"""How long a probe may take where its policy does not say: as long as what it is asked for takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from loadtest.readiness.policy import Level
from loadtest.readiness.probe import Probe, WebsocketProbe
from loadtest.units import parse_duration

SHORTEST_S, LONGEST_S = 10.0, 60.0
"""Of probes that take samples. More than a minute is asked for in the policy, or not at all."""

RUN_S, AROUND_RUN_S = 60.0, 60.0
"""How long a load run is taken to last where that is not said, and what it needs around that."""


def default_timeout_s(probe: Probe, levels: Iterable[Level]) -> float:
    """Enough for all samples of a component that is as slow as the slowest of its levels, and for all looks.

    A component within its levels is then judged by all the samples that were asked for.
    """
    if isinstance(probe, WebsocketProbe):
        return SHORTEST_S if probe.by_label else _looks_s(probe)
    limits = [
        objective.limit / 1000
        for level in levels
        for objective in (level.warn, level.critical)
        if level.unit == "ms" and objective is not None
    ]
    # One more: no sample is begun without the time that the longest one took.
    tries = getattr(probe, "samples", 1) + 1
    return min(LONGEST_S, max(SHORTEST_S, tries * max(limits, default=0.0)))


def _looks_s(probe: WebsocketProbe) -> float:
    run_s = RUN_S
    with suppress(ValueError):  # the run itself says what is wrong with it
        run_s = parse_duration(probe.duration) / 1e9 if probe.duration else RUN_S
    one_s = run_s + AROUND_RUN_S
    return one_s + (probe.count - 1) * max(one_s, probe.every_s)
