"""An assessment as Prometheus reads it: what is known as numbers, and nothing for what is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loadtest.readiness.assessment import Assessment, Monitoring
from loadtest.readiness.policy import SEVERITIES

STATUSES = ("healthy", "degraded", "down", "unknown")
VERDICTS = ("GO", "NO-GO", "INCONCLUSIVE")

Labels = tuple[tuple[str, str], ...]


def prometheus(found: Assessment) -> str:
    """The text exposition format; a value that is not known has no line."""
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: Assessment) -> Iterator[str]:
    policy = ("policy", found.policy)
    yield from _gauge(
        "verdict", "1 for the verdict of the last assessment.",
        [((policy, ("verdict", each)), float(each == found.verdict)) for each in VERDICTS],
    )  # fmt: skip
    yield from _gauge("assessed_timestamp_seconds", "When it was made.", [((policy,), found.at)])
    yield from _gauge("health_ratio", "Overall health.", [((policy,), found.figures["health.overall"].value)])
    yield from _gauge("confidence_ratio", "Confidence.", [((policy,), found.confidence.value)])
    yield from _gauge("blockers", "Reasons against GO.", [((policy,), float(len(found.blockers)))])
    yield from _gauge(
        "component_status", "1 for the status of the component.",
        [
            ((policy, ("component", row.name), ("status", each)), float(each == row.status))
            for row in found.components
            for each in STATUSES
        ],
    )  # fmt: skip
    yield from _gauge(
        "component_age_seconds", "Age of the evidence.",
        [((policy, ("component", row.name)), row.age_s) for row in found.components],
    )  # fmt: skip
    yield from _gauge(
        "component_up_ratio", "Share of the known time in which the component was not down.",
        [((policy, ("component", row.name)), row.up) for row in found.outages],
    )  # fmt: skip
    yield from _gauge(
        "component_uptime_ratio", "The same over the last hour, day and week, if the history is that long.",
        [
            ((policy, ("component", row.name), ("over", share.over)), share.up)
            for row in found.outages
            for share in row.shares
        ],
    )  # fmt: skip
    yield from _gauge(
        "component_recovery_seconds", "Mean time to recovery.",
        [((policy, ("component", row.name)), row.mean_s) for row in found.outages],
    )  # fmt: skip
    yield from _gauge(
        "trigger_pulled", "1 if the rollback trigger calls for a rollback, else 0.",
        [
            ((policy, ("trigger", row.title)), float(row.outcome == "TRIGGERED"))
            for row in found.triggers
            if row.outcome != "unknown"
        ],
    )  # fmt: skip

    if found.monitoring is not None:
        yield from _alerts((policy,), found.monitoring)


def _alerts(policy: Labels, seen: Monitoring) -> Iterator[str]:
    """What is open, and how the routes do."""
    open_ = [each.severity for each in seen.incidents]
    yield from _gauge(
        "incidents_open", "Incidents that are not over.",
        [((*policy, ("severity", each)), float(open_.count(each))) for each in SEVERITIES],
    )  # fmt: skip
    yield from _gauge(
        "route_messages_waiting", "Messages that have not been delivered yet.",
        [((*policy, ("route", each.name)), float(each.waiting)) for each in seen.routes],
    )  # fmt: skip
    yield from _gauge(
        "route_delivered_timestamp_seconds", "Time of the last delivered message.",
        [((*policy, ("route", each.name)), each.last) for each in seen.routes],
    )  # fmt: skip
    yield from _gauge(
        "route_failing", "1 if the last message was not delivered, else 0.",
        [((*policy, ("route", each.name)), float(bool(each.trouble))) for each in seen.routes],
    )  # fmt: skip


def _gauge(name: str, means: str, values: Iterable[tuple[Labels, float | None]]) -> Iterator[str]:
    known = [(labels, value) for labels, value in values if value is not None]
    if known:
        yield f"# HELP loadtest_ready_{name} {means}"
        yield f"# TYPE loadtest_ready_{name} gauge"
    for labels, value in known:
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        yield f"loadtest_ready_{name}{{{shown}}} {value:.10g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
