"""Families of an exported run in the text format that Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from loadtest.show.metric_families import BOUNDS_S, Buckets, Family

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LE = (*(repr(bound) for bound in BOUNDS_S), "+Inf")


class _One:
    """A collector of one family."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def exposition(family: Family, common: Mapping[str, str]) -> bytes:
    """The lines of one family; ``common`` labels stand at every sample, empty ones at none."""
    from prometheus_client import generate_latest

    return generate_latest(_One(_metric(family, {key: text for key, text in common.items() if text})))


def _metric(family: Family, common: Mapping[str, str]) -> Metric:
    from prometheus_client.core import Metric

    metric = Metric(family.name, f"{family.help[:1].upper()}{family.help[1:]}.", family.kind)
    for labels, value in family.samples:
        known = {**common, **labels}
        if isinstance(value, Buckets):
            for bound, n in zip(_LE, value.cumulated, strict=True):
                metric.add_sample(f"{family.name}_bucket", {**known, "le": bound}, n)
            metric.add_sample(f"{family.name}_count", known, value.cumulated[-1])
            metric.add_sample(f"{family.name}_sum", known, value.sum_s)
        else:
            metric.add_sample(f"{family.name}{'_total' * (family.kind == 'counter')}", known, value)
    return metric
