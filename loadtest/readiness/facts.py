"""The facts about a whole system that triggers and gates can speak of."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.readiness.objectives import Unit

FACTS: Mapping[str, Unit] = {
    "health.overall": "ratio",
    "health.coverage": "ratio",
    "components.failed": "count",
    "components.critical.failed": "count",
    "components.degraded": "count",
    "components.unknown": "count",
    "impact.business": "impact",
    "impact.users": "ratio",
    "failures.in_a_row": "count",
}
"""Each with its unit; ``assessment`` computes them."""
