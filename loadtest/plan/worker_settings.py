"""What each worker of a run is told of the plan: all of it, but only the identities of its own users.

Identities hold the passwords and tokens of users. A worker gets the whole rows of those that it plays; of the
others only the columns by which their events are known to be for several users (``events.audience``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from loadtest.plan.scenario import Scenario
from loadtest.plan.scenario_file import Plain, worker_settings
from loadtest.plan.template import Template

Rows = list[tuple[int, dict[str, str]]]
"""Identities with their places in the list of all."""


def shared_settings(scenario: Scenario) -> Plain:
    """What every worker gets: as ``worker_settings``, without what only one user's worker needs to know."""
    settings = worker_settings(scenario)
    identities = scenario.target.identities
    if identities:
        audience = Template.parse(scenario.protocol.events.audience or "").names
        rows = [
            {column: value if f"user.{column}" in audience else "" for column, value in row.items()}
            for row in identities
        ]
        cast("Plain", settings["target"])["identities"] = rows
    return settings


def identities_of(scenario: Scenario, users: Iterable[int]) -> Rows:
    """The identities of these users; user k has the k-th, and after the last the first again."""
    identities = scenario.target.identities
    if not identities:
        return []
    places = dict.fromkeys(user % len(identities) for user in users)
    return [(place, dict(identities[place])) for place in places]


def with_identities(settings: Mapping[str, object], rows: Iterable[Sequence[object]]) -> Plain:
    """The settings of a worker with the identities of its users in their places."""
    found = [(cast("int", place), row) for place, row in rows]
    if not found:
        return dict(settings)
    target = dict(cast("Plain", settings["target"]))
    identities = list(cast("list[object]", target["identities"]))
    for place, row in found:
        identities[place] = row
    return {**settings, "target": {**target, "identities": identities}}
