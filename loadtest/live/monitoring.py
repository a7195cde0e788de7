"""The watch itself as data for its page: its routes, what is open, what is silenced. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.live.alerts import AlertState, Incident
from loadtest.live.silences import Silence, acknowledged, silenced
from loadtest.readiness.assessment import IncidentRow, Monitoring, RouteRow
from loadtest.readiness.policy import Policy
from loadtest.readiness.views.telling import instant


def monitoring(
    policy: Policy, state: AlertState, silences: Sequence[Silence], now: float, *, next_at: float
) -> Monitoring:
    """The watch at ``now``; it probes again at ``next_at``."""
    waiting = [message.route for message in state.outbox]
    routes = tuple(
        RouteRow(
            each.name, each.kind, each.severities, state.arrived.get(each.name), waiting.count(each.name),
            state.trouble.get(each.name, ""),
        )
        for each in policy.alerts.routes
    )  # fmt: skip
    incidents = tuple(
        IncidentRow(each.title, each.severity, each.since, _told(key, each, silences, now))
        for key, each in sorted(state.incidents.items(), key=lambda item: item[1].since)
    )
    beat = policy.alerts.heartbeat
    return Monitoring(
        at=now,
        next_at=max(now, next_at),
        components=len(policy.components),
        routes=routes,
        incidents=incidents,
        silences=tuple(_sentence(each) for each in silences if each.since <= now < each.until),
        heartbeat=f"a heartbeat every {policy.alerts.heartbeat_s:g} s"
        if beat
        else "nobody watches this watch",
    )


def _told(key: str, incident: Incident, silences: Sequence[Silence], now: float) -> str:
    if silenced(key, silences, now):
        return "silenced"
    if acknowledged(key, incident.since, silences, now):
        return "acknowledged"
    if incident.hidden:
        return "cannot be asked, because of another"
    if incident.announced is None:
        return f"seen {incident.seen} times, not told yet"
    return "escalated" if incident.escalated else "told"


def _sentence(each: Silence) -> str:
    what = "silenced" if each.kind == "silence" else "acknowledged"
    by = f" by {each.by}" if each.by else ""
    why = f": {each.why}" if each.why else ""
    return f"{', '.join(each.parts)} {what}{by} until {instant(each.until)}{why}"
