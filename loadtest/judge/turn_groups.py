"""The turns of a run by population and by kind: which rows of the turn table they are, and their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loadtest.judge.manifest_access import Manifest, count_or_zero, kinds, section
from loadtest.judge.measurement_window import Turns
from loadtest.judge.populations import population_manifests
from loadtest.measure.tagging import counter_of, with_population
from loadtest.plan.threshold import of_kind

EVERY_USER = 2**31


class Members(NamedTuple):
    """Turns of ``users`` users from ``first`` on; ``kind`` as the turn table has it, 0: of any."""

    first: int
    users: int
    kind: int = 0

    def among(self, turns: Turns) -> npt.NDArray[np.bool_]:
        """Which rows they are."""
        theirs = (turns["user"] >= self.first) & (turns["user"] < self.first + self.users)
        found: npt.NDArray[np.bool_] = theirs & (turns["kind"] == self.kind) if self.kind else theirs
        return found


@dataclass(frozen=True, slots=True)
class TurnGroup:
    """Turns that are counted under names of their own: of a population, of a kind, or of both; else all."""

    population: str = ""
    kind: str = ""
    members: tuple[Members, ...] = ()

    def rows(self, turns: Turns) -> Turns:
        """Its rows of the turn table."""
        if not self.members:
            return turns
        found: Turns = turns[np.logical_or.reduce([each.among(turns) for each in self.members])]
        return found

    def metric(self, name: str) -> str:
        """What a metric is called that is of these turns alone."""
        tagged = of_kind(name, self.kind) if self.kind else name
        return with_population(tagged, self.population) if self.population else tagged

    def counter(self, name: str) -> str:
        """What a counter is called that is of these turns alone."""
        tagged = of_kind(name, self.kind) if self.kind else name
        return counter_of(tagged, self.population) if self.population else tagged


ALL_TURNS = TurnGroup()


def turn_groups(manifest: Manifest, *, by_kind: bool) -> tuple[TurnGroup, ...]:
    """All turns, and those of each population; ``by_kind``: of each kind of turn as well."""
    found, of_all = [ALL_TURNS], dict[str, list[Members]]()
    for population, own in population_manifests(manifest).items():
        everyone = _users(manifest, population)
        if population:
            found.append(TurnGroup(population, "", (everyone,)))
        for number, kind in enumerate(kinds(own) if by_kind else (), 1):
            members = everyone._replace(kind=number)
            of_all.setdefault(kind, []).append(members)
            if population:
                found.append(TurnGroup(population, kind, (members,)))
    return (*found, *(TurnGroup("", kind, tuple(members)) for kind, members in of_all.items()))


def kinds_known(manifest: Manifest, turns: Turns) -> bool:
    """Whether the turn table says of each turn which kind it is of; earlier versions kept none."""
    return not any(
        (turns["kind"][_users(manifest, population).among(turns)] == 0).any()
        for population, own in population_manifests(manifest).items()
        if kinds(own)
    )


def _users(manifest: Manifest, population: str) -> Members:
    if not population:
        return Members(0, EVERY_USER)
    plan = section(manifest, "populations", population)
    return Members(count_or_zero(plan.get("first_user")), count_or_zero(plan.get("users")))
