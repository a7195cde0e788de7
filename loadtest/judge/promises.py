"""The thresholds of a run, read back from the settings that its manifest keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.judge.sections import Manifest, settings
from loadtest.plan.threshold import Threshold, parse_threshold


def thresholds_of(manifest: Manifest) -> tuple[Threshold, ...]:
    """Every threshold of the scenario, then those of each stage.

    Raises:
        ValueError: a threshold cannot be read; one sentence.
    """
    found = list(_parsed(settings(manifest, "thresholds"), None))
    for index, stage in enumerate(settings(manifest, "load").get("stages") or ()):
        found += _parsed(stage.get("thresholds") or {}, index)
    return tuple(found)


def _parsed(table: Mapping[str, Any], stage: int | None) -> Iterator[Threshold]:
    for name, written in table.items():
        for expression in written if isinstance(written, list | tuple) else [written]:
            yield parse_threshold(name, str(expression), stage)


def rule_names(manifest: Manifest) -> list[str]:
    """What the thresholds of a run and its abort rules name."""
    names = [threshold.name for threshold in thresholds_of(manifest)]
    return names + [name for name in settings(manifest, "abort") if name != "after"]


RESPONSE = ("turn.first_event", "turn.completion")
"""Metrics of response time; the same with ``.service`` is service time."""


def response_metric(threshold: Threshold) -> str | None:
    """The response-time metric that a threshold limits from above; None for any other."""
    metric, _, statistic = threshold.name.rpartition(".")
    above = threshold.operator in {"<", "<="} and statistic != "n"
    return metric if above and metric in RESPONSE else None


def tightest_ms(thresholds: tuple[Threshold, ...]) -> float | None:
    """The lowest limit of response time; None without one."""
    return min((threshold.limit for threshold in thresholds if response_metric(threshold)), default=None)
