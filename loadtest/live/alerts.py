"""When alerts are sent, and to whom. Pure: the time is an argument, the state is plain data.

There is one incident per problem. It is announced after ``failures`` observations in a row, announced again
when it gets worse, escalated while it stays critical, and its recovery is announced after ``successes`` good
observations in a row. An incident that returns within the cool-down of its severity is announced when the
cool-down is over. What cannot be told because of another problem is inhibited: no alert, and no recovery.
Announcements wait ``group_s`` for others and then share a message per route. Each route has the policy's rate
to itself, the most severe messages go first, and a message waits only for those that are at least as severe.
No announcement is dropped, and none of an incident arrives after a later one of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from loadtest.live.silences import Silence, acknowledged, silenced
from loadtest.readiness.assessment import Assessment, ComponentRow
from loadtest.readiness.objectives import opposite
from loadtest.readiness.policy import SEVERITIES, Alerts, Route, Severity
from loadtest.readiness.views.page_model import instant

AnnouncementKind = Literal["alert", "escalation", "reminder", "recovery"]

FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 300.0
REFUSED = 3
"""A message that failed so often may be one that its receiver will never take."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The state of one component or trigger; ``severity`` is None where nothing is wrong.

    One that is not ``fresh`` was only carried over from an earlier round, and counts for no repetition. One
    that is ``inhibited`` cannot be told because of another problem: it is neither wrong nor right.
    """

    key: str
    title: str
    severity: Severity | None
    said: str
    fresh: bool = True
    inhibited: bool = False


@dataclass(slots=True)
class Incident:
    """A problem that lasts; ``announced`` is the severity last announced, None before.

    ``worst`` is the worst severity told, ``critical_since`` when it last became critical, None while it is
    not. ``good`` counts the good observations in a row that may be its end. It is ``hidden`` while nobody can
    tell how it is. ``reminded`` is when it was last told again.
    """

    title: str
    severity: Severity
    said: str
    since: float
    seen: int = 1
    announced: Severity | None = None
    escalated: bool = False
    worst: Severity | None = None
    critical_since: float | None = None
    good: int = 0
    hidden: bool = False
    reminded: float | None = None


@dataclass(slots=True)
class Announcement:
    """Something to announce, before it is put into messages; ``escalated`` where its incident was."""

    key: str
    kind: AnnouncementKind
    severity: Severity
    title: str
    said: str
    at: float
    escalated: bool = False


@dataclass(slots=True)
class Message:
    """One message for one route. ``id`` stays the same in retries, so that a receiver can recognise it.

    ``told`` are the announcements that ``lines`` are made of, the oldest first. One that was ``begun`` to be
    sent may have arrived, whatever is known of it.
    """

    id: str
    route: str
    severity: Severity
    subject: str
    lines: list[str]
    at: float
    tries: int = 0
    not_before: float = 0.0
    begun: bool = False
    told: list[Announcement] = field(default_factory=list)


@dataclass(slots=True)
class Try:
    """A message that was sent, whether or not it arrived: it counts against the rate of its route."""

    at: float
    severity: Severity


@dataclass(slots=True)
class AlertState:
    """Everything that must survive a restart. ``told`` is when each key was last announced.

    ``tries`` are, by route, the messages that were sent lately. ``arrived`` is when the last one arrived, and
    ``trouble`` why the last one did not, where none has arrived since.
    """

    incidents: dict[str, Incident] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    waiting: list[Announcement] = field(default_factory=list)
    outbox: list[Message] = field(default_factory=list)
    tries: dict[str, list[Try]] = field(default_factory=dict)
    number: int = 0
    arrived: dict[str, float] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)


def observations(found: Assessment, asked: Container[str] | None = None) -> Iterator[Observation]:
    """What an assessment says of each component and trigger; ``asked`` are the components probed just now."""

    def fresh(name: str) -> bool:
        return asked is None or name in asked

    for row in found.components:
        # What lies behind another, or was never asked, is neither wrong nor right.
        hidden = row.error in {"through", "unasked"}
        title = f"{row.title} {row.status}"
        severity = None if hidden else _severity(row)
        yield Observation(f"component {row.name}", title, severity, row.why, fresh(row.name), hidden)
    # What was not asked again cannot make a trigger more certain.
    again = any(fresh(row.name) for row in found.components if row.status != "healthy")
    for trigger in found.triggers:
        pulled: Severity | None = "critical" if trigger.outcome == "TRIGGERED" else None
        said = f"{trigger.fact} is {trigger.measured}, but must be {opposite(trigger.expression)}"
        yield Observation(
            f"trigger {trigger.title}", f"roll back, because of the rule: {trigger.rule}", pulled, said,
            pulled is None or again, trigger.outcome == "unknown",
        )  # fmt: skip


def _severity(row: ComponentRow) -> Severity | None:
    if row.priority == "critical" and (row.status == "down" or row.missed):
        return "critical"
    if row.status == "healthy":
        return None
    return "warning" if row.status == "down" or row.required else "info"


def advance(
    state: AlertState,
    seen: Iterable[Observation],
    now: float,
    policy: Alerts,
    silences: Sequence[Silence] = (),
) -> None:
    """Update the state with the observations at ``now``, and fill its outbox."""
    _put_back(state, now)
    for each in seen:
        if each.inhibited:
            _inhibited(state, each)
        elif each.severity is None:
            _right(state, each, now, policy)
        else:
            _wrong(state, each, each.severity, now)
    for key, incident in state.incidents.items():
        if not silenced(key, silences, now):
            _announce(state, key, incident, now, policy)
            if not acknowledged(key, incident.since, silences, now):
                _escalate(state, key, incident, now, policy)
                _remind(state, key, incident, now, policy)
    _group(state, now, policy)


def _inhibited(state: AlertState, seen: Observation) -> None:
    """Nobody knows how it is: an incident that was told stays open, one that was not is forgotten."""
    incident = state.incidents.get(seen.key)
    if incident is None:
        return
    if incident.announced is None:
        del state.incidents[seen.key]
    incident.critical_since, incident.good, incident.hidden = None, 0, True


def _put_back(state: AlertState, now: float) -> None:
    """Move instants in the future to now: a clock that was set back must not silence anything."""
    for incident in state.incidents.values():
        incident.since = min(incident.since, now)
        if incident.critical_since is not None:
            incident.critical_since = min(incident.critical_since, now)
        if incident.reminded is not None:
            incident.reminded = min(incident.reminded, now)
    for waiting in state.waiting:
        waiting.at = min(waiting.at, now)
    for message in state.outbox:
        message.not_before = min(message.not_before, now + LONGEST_RETRY_S)
    state.told = {key: min(at, now) for key, at in state.told.items()}
    for each in (each for tries in state.tries.values() for each in tries):
        each.at = min(each.at, now)


def forget(state: AlertState, known: Container[str], now: float) -> None:
    """Close incidents of what is no longer in the policy: nothing else would ever close them."""
    for key in [each for each in state.incidents if each not in known]:
        incident = state.incidents[key]
        _recovered(
            state,
            key,
            now,
            f"the policy no longer contains this component or rule; the last state was: {incident.said}",
        )


def _wrong(state: AlertState, seen: Observation, severity: Severity, now: float) -> None:
    incident = state.incidents.get(seen.key)
    if incident is None:
        incident = state.incidents[seen.key] = Incident(seen.title, severity, seen.said, now)
    else:
        incident.seen += seen.fresh
        incident.good, incident.hidden = 0, False
        incident.title, incident.severity, incident.said = seen.title, severity, seen.said
    if severity != "critical":
        incident.critical_since = None
    elif incident.critical_since is None:
        incident.critical_since = now


def _announce(state: AlertState, key: str, incident: Incident, now: float, policy: Alerts) -> None:
    """Tell an incident that was seen often enough, and one that has got worse."""
    severity = incident.severity
    waits = incident.hidden or incident.good > 0 or incident.seen < policy.failures_of(key)
    if waits or incident.announced == severity:
        return
    worse = incident.announced is not None and _rank(severity) > _rank(incident.announced)
    quiet_until = state.told.get(key, float("-inf")) + policy.cooldown_s[severity]
    if worse or now >= quiet_until:
        incident.announced = severity
        if incident.worst is None or _rank(severity) > _rank(incident.worst):
            incident.worst = severity
        state.told[key] = now
        state.waiting.append(Announcement(key, "alert", severity, incident.title, incident.said, now))


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)


def _right(state: AlertState, seen: Observation, now: float, policy: Alerts) -> None:
    """A good observation: the end of an incident that nobody was told of, or one of several."""
    incident = state.incidents.get(seen.key)
    if incident is None:
        return
    incident.good += seen.fresh
    incident.critical_since = None
    if incident.announced is None or incident.good >= policy.successes_of(seen.key):
        _recovered(state, seen.key, now)


def _recovered(state: AlertState, key: str, now: float, said: str = "") -> None:
    """Announce a recovery to everyone who was alerted at the worst severity."""
    incident = state.incidents.pop(key)
    if incident.announced is not None:
        said = said or f"the problem lasted {now - incident.since:.0f} s: {incident.said}"
        severity = incident.worst or incident.announced
        title = f"{incident.title}: over after {now - incident.since:.0f} s"
        state.waiting.append(Announcement(key, "recovery", severity, title, said, now, incident.escalated))


def _escalate(state: AlertState, key: str, incident: Incident, now: float, policy: Alerts) -> None:
    """Escalate what was told as critical and has been critical ever since, up to now."""
    since = incident.critical_since
    if incident.announced != "critical" or incident.escalated or since is None:
        return
    if now - since >= policy.escalate_after_s:
        incident.escalated = True
        said = f"still critical after {now - since:.0f} s: {incident.said}"
        state.waiting.append(Announcement(key, "escalation", "critical", incident.title, said, now))


def _remind(state: AlertState, key: str, incident: Incident, now: float, policy: Alerts) -> None:
    """Tell again what lasts, as it is now."""
    last = incident.reminded or state.told.get(key, now)
    if not policy.remind_s or incident.announced is None or incident.hidden or incident.good:
        return
    if now - last >= policy.remind_s:
        incident.reminded = now
        said = f"for {now - incident.since:.0f} s: {incident.said}"
        told = Announcement(key, "reminder", incident.severity, incident.title, said, now, incident.escalated)
        state.waiting.append(told)


def _group(state: AlertState, now: float, policy: Alerts) -> None:
    """Announcements become messages, one per route, once the oldest has waited ``group_s``."""
    if not state.waiting or now - state.waiting[0].at < policy.group_s:
        return
    ready, state.waiting = state.waiting, []
    for route in policy.routes:
        mine = [each for each in ready if _goes_to(each, route, policy)]
        if mine:
            state.number += 1
            for older in state.outbox:
                # What waits to be tried again is tried before the new message, not after it.
                if older.route == route.name:
                    older.not_before = min(older.not_before, now)
            mine = [*_overtaken(state, route.name, {each.key for each in mine}), *mine]
            state.outbox.append(_message(route.name, mine, state.number, now))


def _overtaken(state: AlertState, route: str, keys: Container[str]) -> list[Announcement]:
    """What still waits on the route of the same incidents: it is told first, in the message that comes now.

    A message that was tried, or begun to be sent, stays as it is: it may have arrived.
    """
    taken: list[Announcement] = []
    for message in list(state.outbox):
        if message.route != route or message.begun or message.tries:
            continue
        older = [each for each in message.told if each.key in keys]
        left = [each for each in message.told if each.key not in keys]
        taken += older
        if older and left:
            _write(message, left)
        elif older:
            state.outbox.remove(message)
    return sorted(taken, key=lambda each: each.at)


def _goes_to(told: Announcement, route: Route, policy: Alerts) -> bool:
    """Escalations go to escalation routes, or to all routes if there are none; other messages to the rest."""
    if told.severity not in route.severities:
        return False
    if told.kind == "escalation":
        return route.escalated or not any(each.escalated for each in policy.routes)
    return not route.escalated or told.escalated


WORDS: dict[AnnouncementKind, str] = {
    "alert": "ALERT",
    "escalation": "ESCALATED",
    "reminder": "REMINDER",
    "recovery": "RECOVERED",
}


def _message(route: str, told: list[Announcement], number: int, now: float) -> Message:
    name = hashlib.sha256(f"{route} {number} {now}".encode()).hexdigest()[:16]
    message = Message(name, route, "info", "", [], now)
    _write(message, told)
    return message


def _write(message: Message, told: list[Announcement]) -> None:
    """Fill a message. Its subject is the worst that is not over, by the last word on each incident."""
    last = list({each.key: each for each in told}.values())
    first = max(last, key=lambda each: (each.kind != "recovery", _rank(each.severity)))
    more = f" and {len(last) - 1} more" if len(last) > 1 else ""
    message.told = told
    message.severity = max((each.severity for each in told), key=_rank)
    message.subject = f"{WORDS[first.kind]} {first.severity}: {first.title}{more}"
    message.lines = [
        f"{WORDS[each.kind]} {each.severity}: {each.title}: {each.said} ({instant(each.at)})" for each in told
    ]


def due(state: AlertState, now: float, policy: Alerts) -> list[Message]:
    """The messages that may be sent now, the most severe first, then the oldest.

    ``policy.most`` are sent on a route in ``policy.per_s``, failed tries counted. A message is held back only
    by those on its route that are at least as severe, and one that was refused again and again holds up none.
    """
    state.tries = {
        route: recent
        for route, tries in state.tries.items()
        if (recent := [each for each in tries if now - each.at < policy.per_s])
    }
    used = {route: [each.severity for each in tries] for route, tries in state.tries.items()}
    picked: list[Message] = []
    for message in sorted(state.outbox, key=lambda each: (-_rank(each.severity), each.tries >= REFUSED)):
        mine = used.setdefault(message.route, [])
        ahead = sum(_rank(severity) >= _rank(message.severity) for severity in mine)
        if message.not_before <= now and ahead < policy.most:
            picked.append(message)
            mine.append(message.severity)
    return picked


def delivered(state: AlertState, message: Message, now: float) -> None:
    """The message has arrived: it leaves the outbox and counts against the rate."""
    state.outbox = [each for each in state.outbox if each.id != message.id]
    state.arrived[message.route] = now
    state.trouble.pop(message.route, None)
    _count(state, message, now)


def failed(state: AlertState, message: Message, now: float, said: str = "") -> None:
    """The message did not arrive, as ``said``: it is sent again, later each time.

    So are those on its route that are not more severe: each would wait for the same receiver.
    """
    _count(state, message, now)
    state.trouble[message.route] = said or "the last message was not delivered"
    message.tries += 1
    message.not_before = now + min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** (message.tries - 1))
    for other in state.outbox:
        if other.route == message.route and _rank(other.severity) <= _rank(message.severity):
            other.not_before = max(other.not_before, message.not_before)


def _count(state: AlertState, message: Message, now: float) -> None:
    state.tries.setdefault(message.route, []).append(Try(now, message.severity))
