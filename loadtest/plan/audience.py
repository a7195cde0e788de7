"""Of what audience each user of a run is, whatever population it belongs to."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.plan.placeholder_names import user_values
from loadtest.plan.scenario import Scenario
from loadtest.plan.schedule import schedules
from loadtest.plan.template import Template


def has_audience(scenario: Scenario) -> bool:
    """Whether copies of what any user sends may be due to others."""
    return any(part.protocol.events.audience for part in scenario.parts)


def audiences(scenario: Scenario, run_id: str) -> Callable[[int], str]:
    """The audience of a user: those for whom it is the same get copies of each other's events."""
    parts = [
        (
            schedule.first + schedule.users,
            schedule.first,
            part,
            Template.parse(part.protocol.events.audience or ""),
        )
        for part, schedule in zip(scenario.parts, schedules(scenario), strict=True)
    ]

    def audience_of(user: int) -> str:
        _, first, part, template = next(each for each in parts if user < each[0])
        values = {"run.id": run_id, **user_values(user, run_id, part.target.identities, first)}
        return template.render(values)

    return audience_of


def population_names(scenario: Scenario) -> Callable[[int], str]:
    """The population of a user; empty where there are none."""
    ends = [schedule.first + schedule.users for schedule in schedules(scenario)]
    names = [each.name for each in scenario.populations] or [""]

    def population_of(user: int) -> str:
        return next(name for name, end in zip(names, ends, strict=True) if user < end)

    return population_of
