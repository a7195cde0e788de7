"""A query of a Prometheus server that has one value."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from typing_extensions import override

from loadtest.drive.health.http_get import get_url
from loadtest.drive.health.source import HealthSource, NotSampledError
from loadtest.plan.health import HealthMetric


class QuerySource(HealthSource):
    """PromQL, asked anew for each sample."""

    def __init__(self, metric: HealthMetric, fetch: Callable[[str], bytes] = get_url) -> None:
        self.names = (metric.name,)
        self._metric, self._fetch = metric, fetch

    @override
    def sample(self) -> Mapping[str, float | str]:
        metric = self._metric
        asked = urlencode({"query": metric.query})
        body = self._fetch(f"{metric.url.rstrip('/')}/api/v1/query?{asked}")
        try:
            values = _values(json.loads(body))
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            raise NotSampledError(f"the answer of {metric.url} is not that of a Prometheus server") from None
        if len(values) != 1 or not math.isfinite(values[0]):
            told = "no value" if not values else f"{len(values)} values" if len(values) > 1 else "no number"
            raise NotSampledError(f"Prometheus has {told} for {metric.query}")
        return {metric.name: values[0]}


def _values(answer: Any) -> list[float]:
    data = answer["data"]
    if data["resultType"] == "scalar":
        return [float(data["result"][1])]
    return [float(each["value"][1]) for each in data["result"]]
