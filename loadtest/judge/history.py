"""The runs of one scenario that make a history: of one machine and of the newest run's load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from loadtest.judge.comparability import Differing, differences
from loadtest.judge.manifest_access import Manifest, count_or_zero, number, section
from loadtest.judge.run_standing import Standing, left_out_because, standing
from loadtest.judge.samples import Side, is_simulated

BARRED = frozenset({"never", "load"})
"""Differences that end a history: what came before them is no history of what came after."""


PLACE = ("cpu", "cores_usable", "cores_quota", "memory_bytes", "architecture")
"""What decides how fast a generator is. Two machines with the same values in it count as one."""

PLACE_NEEDED = frozenset({"cpu", "cores_usable", "memory_bytes"})
"""Runs that do not have all of these are of one place only if their machine has the same digest."""

MEMORY_TOLERANCE = 0.03
"""A kernel keeps a little of the memory for itself, and each one keeps another part."""

RECENT = 10
"""How many of the newest runs are checked for a target that was down, or for runs that cannot be believed."""

CLOCK_TOLERANCE = timedelta(days=1)
"""A run that began later than that after now was dated by a wrong clock, and would be the newest for ever."""


Unusable = Literal["dated ahead", "machine", "simulated", "load", "doubt"]
"""Why a run is no part of a history. Against the simulator or a real target are two histories by intent."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A stored run that is not part of the history, and why: in full, and as the kind of reason."""

    id: str
    reason: str
    kind: Unusable


@dataclass(frozen=True, slots=True)
class RunHistory:
    """``runs`` count, oldest first, each judged, those in which the target was down among them.

    ``doubted`` says why the newest run of all cannot count, ``doubtful`` how many of the last ten cannot.
    """

    scenario: str
    machine: str
    runs: tuple[Manifest, ...]
    left_out: tuple[LeftOut, ...] = ()
    doubted: str | None = None
    doubtful: int = 0

    @property
    def standings(self) -> tuple[Standing, ...]:
        """What each run is worth."""
        return tuple(standing(run) for run in self.runs)

    @property
    def simulated(self) -> bool:
        """Whether our own simulator answered; never in some runs only."""
        return any(is_simulated(run) for run in self.runs)

    @property
    def newest(self) -> Manifest:
        """The run that started last; an empty manifest where none counts."""
        return self.runs[-1] if self.runs else {}

    def place(self, run_id: str | None) -> int | None:
        """The position of a run; None where it is not part of the history."""
        return next((at for at, run in enumerate(self.runs) if run.get("id") == run_id), None)


def history(
    manifests: Iterable[Manifest],
    *,
    now: datetime | None = None,
    machine: str | None = None,
    last: int | None = None,
) -> RunHistory:
    """The history that the newest of these judged runs of one scenario belongs to.

    Runs of another machine, of another load, simulated where it was not, those that cannot be believed, and
    those that are dated after ``now`` are left out, each with why; one that found its target down counts.
    Runs that still go on are not there yet. ``machine`` is its name or the beginning of the digest that a
    fingerprint holds, by default that of the newest run. ``last``: only the newest so many.

    Raises:
        ValueError: no run is of that machine; one sentence.
    """
    ended = [run for run in manifests if run.get("status") != "running"]
    ordered = sorted(ended, key=lambda run: str(run.get("started")))
    here = [run for run in ordered if machine is None or machine_of(run).startswith(machine)]
    if not here:
        known = ", ".join(dict.fromkeys(machine_of(run) for run in ordered)) or "no machine at all"
        raise ValueError(f'there is no run of the machine "{machine}"; there are runs of {known}')
    chosen = next((run for run in reversed(here) if not _dated_ahead(run, now)), here[-1])
    newest = next(
        (run for run in reversed(ordered) if not _dated_ahead(run, now) and not _elsewhere(run, chosen)),
        chosen,
    )
    counted: list[Manifest] = []
    left_out: list[LeftOut] = []
    believed: list[bool] = []
    for run in ordered:
        if found := _unusable(run, newest, now):
            left_out.append(LeftOut(str(run.get("id")), *found))
        else:
            counted.append(run)
        if found is None or found[1] == "doubt":
            believed.append(found is None)
    doubted = _dated_ahead(newest, now) or left_out_because(newest) or _unjudged(newest)
    shown = counted[-last:] if last else counted
    name = str(section(newest, "scenario").get("name"))
    return RunHistory(
        name, machine_of(newest), tuple(shown), tuple(left_out), doubted, believed[-RECENT:].count(False)
    )


def machine_of(run: Manifest) -> str:
    """The name or the digest of the machine that a run was made on."""
    return str(section(run, "fingerprint").get("machine") or "unknown")


def _dated_ahead(run: Manifest, now: datetime | None) -> str | None:
    """Why a run cannot have been made when it says; None where it can, or nobody knows what time it is."""
    try:
        started = datetime.fromisoformat(str(run.get("started")))
        ahead = now is not None and started > now + CLOCK_TOLERANCE
    except (TypeError, ValueError):
        return None
    return f"its date, {started:%Y-%m-%d}, is in the future" if ahead else None


def _unusable(run: Manifest, newest: Manifest, now: datetime | None) -> tuple[str, Unusable] | None:
    """Why a run is no part of the history of the newest; None where it is."""
    if why := _dated_ahead(run, now):
        return why, "dated ahead"
    if why := _elsewhere(run, newest):
        return why, "machine"
    barred = [each for each in between(run, newest) if each.weight in BARRED]
    if any(each.weight == "never" for each in barred):
        said = f"{'this run' if is_simulated(run) else 'the newest run'} was simulated, the other one was not"
        return said, "simulated"
    if barred:
        first = barred[0]
        return f"its load differs: {first.name} {first.baseline} instead of {first.candidate}", "load"
    why = left_out_because(run) or _unjudged(run)
    return (why, "doubt") if why else None


def _elsewhere(run: Manifest, newest: Manifest) -> str | None:
    """Why a run was made in another place; None where nothing differs that decides how fast a generator is.

    A name that was given to a machine counts, whatever else is known of it. Else what is told of both
    decides, and where too little is told, as in old runs, the digest of the machine.
    """
    one, other = (section(each, "fingerprint") for each in (run, newest))
    another = f"it was made on another machine, {machine_of(run)}"
    names = [each.get("machine") if each.get("machine_from") == "name" else None for each in (one, other)]
    if any(names):
        return None if names[0] == names[1] else another
    told = [name for name in PLACE if name in one and name in other]
    differing = next((name for name in told if not _alike(name, one[name], other[name])), None)
    if differing:
        return f"{another}: {differing} {one[differing]} instead of {other[differing]}"
    same = set(told) >= PLACE_NEEDED or machine_of(run) == machine_of(newest)
    return None if same else another


def _alike(name: str, one: object, other: object) -> bool:
    if name != "memory_bytes":
        return one == other
    size, of = number(one) or 0.0, number(other) or 0.0
    return abs(size - of) <= MEMORY_TOLERANCE * max(size, of)


def _unjudged(run: Manifest) -> str | None:
    return None if run.get("verdict") else "it was never judged"


def between(run: Manifest, other: Manifest) -> Sequence[Differing]:
    """What differs between two runs apart from what was measured."""
    return differences(Side("", (run,)), Side("", (other,)))


def explaining(run: Manifest, other: Manifest) -> Iterator[str]:
    """What differs between two runs of a history, in words: their surroundings, the target, the code.

    Not the machine: where two of one history have another digest, nothing differs that matters.
    """
    for each in between(run, other):
        if each.name != "machine":
            yield f"{each.name} {each.baseline} → {each.candidate}"
    before, after = commit_of(run), commit_of(other)
    if before != after:
        yield f"commit {before or 'not known'} → {after or 'not known'}"


def commit_of(run: Manifest) -> str | None:
    """The commit that was checked out where the run was made, in its short form."""
    commit = section(run, "fingerprint", "git").get("commit")
    return str(commit)[:12] if commit else None


def missed_thresholds(run: Manifest) -> Iterator[tuple[str, str]]:
    """Name and promise of every threshold that a run missed; of a stage the promise says which."""
    found = section(run, "verdict").get("thresholds")
    for row in found if isinstance(found, list | tuple) else ():
        if isinstance(row, Mapping) and row.get("outcome") == "missed":
            stage = f" in stage {count_or_zero(row['stage']) + 1}" if "stage" in row else ""
            yield str(row.get("name")), f"{row.get('expression')}{stage}"
