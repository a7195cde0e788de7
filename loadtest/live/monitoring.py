"""The watch itself as data for a page: its routes, what is open, what is silenced."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from loadtest.errors import ConfigError
from loadtest.live import watch_state
from loadtest.live.alerts import AlertState, Incident
from loadtest.live.silences import Silence, acknowledged, read_silences, silenced, windows
from loadtest.readiness.assessment import IncidentRow, Monitoring, RouteRow
from loadtest.readiness.policy import Policy
from loadtest.readiness.views.page_model import instant


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
        else "no heartbeat is configured, so nobody notices if this watch stops",
    )


def monitoring_on_disk(policy: Policy, folder: Path, now: float) -> Monitoring | None:
    """The watch of a policy as its files tell, for the page of an assessment that is made beside it.

    None where no alert has a route and no watch ever ran.
    """
    if not policy.alerts.routes and not (folder / watch_state.STATE).is_file():
        return None
    state, silences = watch_state.WatchState(), list[Silence]()
    with suppress(ConfigError):  # a watch says what is wrong with its own files
        state = watch_state.load(folder)
        silences = read_silences(folder)
    silences += windows(policy.maintenance, now)
    next_at = min((state.due.get(each.name, now) for each in policy.components), default=now)
    found = monitoring(policy, state.alerts, silences, now, next_at=next_at)
    return replace(found, running=watch_state.is_running(folder))


def _told(key: str, incident: Incident, silences: Sequence[Silence], now: float) -> str:
    if silenced(key, silences, now):
        return "silenced"
    if acknowledged(key, incident.since, silences, now):
        return "acknowledged"
    if incident.hidden:
        return "cannot be probed, because another component is down"
    if incident.announced is None:
        return f"seen {incident.seen} times, no alert yet"
    return "escalated" if incident.escalated else "alert sent"


def _sentence(each: Silence) -> str:
    what = "silenced" if each.kind == "silence" else "acknowledged"
    by = f" by {each.by}" if each.by else ""
    why = f": {each.why}" if each.why else ""
    return f"{', '.join(each.parts)} {what}{by} until {instant(each.until)}{why}"
