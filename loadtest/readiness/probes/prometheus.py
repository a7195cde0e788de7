"""A query of a Prometheus server, whose result is held against the policy's levels."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import urlencode

from loadtest.readiness.evidence import Evidence, Measure
from loadtest.readiness.probe import HttpProbe, PrometheusProbe
from loadtest.readiness.probes.http import asked_once
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError
from loadtest.units import format_number

SHOWN = 5


def probe_prometheus(probe: PrometheusProbe, context: ProbeContext) -> Evidence:
    """The values of the query now: one that cannot be asked, or has none, tells nothing of the component."""
    url = f"{probe.url.rstrip('/')}/api/v1/query?{urlencode({'query': probe.query})}"
    request = HttpProbe(url, headers=probe.headers, statuses=(200, 400, 422), ca_file=probe.ca_file)
    try:
        status, body = asked_once(request, context)
        values = _values(json.loads(body))
    except NotProbedError:
        raise
    except ProbeError as error:
        raise NotProbedError(error.error, f"Prometheus could not be queried: {error}") from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise NotProbedError(
            "answer",
            f"the answer of {probe.url} is not that of a Prometheus server ({str(error)[:120]})",
        ) from None
    if not values:
        raise NotProbedError("stale", f"Prometheus has no value for {probe.query}")
    lines = [probe.query, *(f"{name}: {format_number(value)}" for name, value in values[:SHOWN])]
    numbers = [value for _, value in values]
    if not all(map(math.isfinite, numbers)):
        raise NotProbedError("answer", f"a value of {probe.query} is not a number (HTTP status {status})")
    n = len(numbers)
    measures = {
        "value.min": Measure(min(numbers), "number", n),
        "value.max": Measure(max(numbers), "number", n),
        "series": Measure(n, "count", n),
    }
    more = f" to {format_number(max(numbers))} in {n} series" if n > 1 else ""
    said = f"{probe.query} is {format_number(min(numbers))}{more}"
    return Evidence("answered", said, context.wall(), "", measures, tuple(lines))


def _values(answer: Any) -> list[tuple[str, float]]:
    """The name and the value of each series.

    Raises:
        NotProbedError: Prometheus says that the query is wrong.
    """
    if answer["status"] != "success":
        raise NotProbedError("policy", f"Prometheus says: {str(answer.get('error'))[:200]}")
    result, kind = answer["data"]["result"], answer["data"]["resultType"]
    if kind == "scalar":
        return [("scalar", float(result[1]))]
    return [(json.dumps(each["metric"], sort_keys=True), float(each["value"][1])) for each in result]
