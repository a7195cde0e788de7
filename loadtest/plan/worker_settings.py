"""What each worker of a run is told of the plan: all of it, but only the identities of its own users.

Identities hold the passwords and tokens of users. A worker gets the whole rows of those that it plays; of the
others only the columns by which their events are known to be for several users (``events.audience``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from loadtest.plan.scenario import Scenario
from loadtest.plan.scenario_file import Plain, worker_settings
from loadtest.plan.schedule import schedules
from loadtest.plan.template import Template

IdentityRows = list[tuple[int, int, dict[str, str]]]
"""Identities with the number of their population and their places in its list."""


def shared_settings(scenario: Scenario) -> Plain:
    """What every worker gets: as ``worker_settings``, without what only one user's worker needs to know."""
    settings = worker_settings(scenario)
    _blank(scenario, settings)
    for part, own in zip(scenario.populations, _populations(settings), strict=True):
        _blank(part.scenario, own)
    return settings


def _blank(scenario: Scenario, settings: Plain) -> None:
    """Empty, in place, the columns that only the worker of a user needs."""
    identities = scenario.target.identities
    if identities:
        audience = Template.parse(scenario.protocol.events.audience or "").names
        rows = [
            {column: value if f"user.{column}" in audience else "" for column, value in row.items()}
            for row in identities
        ]
        cast("Plain", settings["target"])["identities"] = rows


def identities_of(scenario: Scenario, users: Iterable[int]) -> IdentityRows:
    """The identities of these users; the k-th of a population has the k-th, and after the last the first."""
    every, found = list(users), {}
    for number, (part, schedule) in enumerate(zip(scenario.parts, schedules(scenario), strict=True)):
        identities, last = part.target.identities, schedule.first + schedule.users
        for user in every if identities else ():
            if not scenario.populations or schedule.first <= user < last:
                place = (user - schedule.first) % len(identities)
                found[number, place] = dict(identities[place])
    return [(number, place, row) for (number, place), row in found.items()]


def with_identities(settings: Mapping[str, object], rows: Iterable[Sequence[object]]) -> Plain:
    """The settings of a worker with the identities of its users in their places."""
    whole = dict(settings)
    parts = [dict(each) for each in _populations(whole)]
    if parts:
        whole["population"] = parts
    lists: dict[object, list[object]] = {}
    for number, place, row in rows:
        if number not in lists:
            own = parts[cast("int", number)] if parts else whole
            target = dict(cast("Plain", own["target"]))
            lists[number] = list(cast("list[object]", target["identities"]))
            own["target"] = {**target, "identities": lists[number]}
        lists[number][cast("int", place)] = row
    return whole


def _populations(settings: Mapping[str, object]) -> list[Plain]:
    return cast("list[Plain]", settings.get("population", []))
