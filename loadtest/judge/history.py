"""The runs of one scenario that make a history: of one machine and of the newest run's load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from loadtest.judge.comparable import Differing, differences
from loadtest.judge.sections import Manifest, section
from loadtest.judge.sides import Side, doubt, is_simulated

BARRED = frozenset({"never", "load"})
"""Differences that end a history: what came before them is no history of what came after."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A stored run that is not part of the history, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """``runs`` count, oldest first, each judged. ``doubted`` says why the newest run of all cannot count."""

    scenario: str
    machine: str
    runs: tuple[Manifest, ...]
    left_out: tuple[LeftOut, ...] = ()
    doubted: str | None = None

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


def history(manifests: Iterable[Manifest], *, machine: str | None = None, last: int | None = None) -> History:
    """The history that the newest of these judged runs of one scenario belongs to.

    Runs of another machine, of another load, simulated where it was not, and those that cannot be believed
    are left out, each with why; runs that still go on are not there yet. ``machine`` is the beginning of the
    digest that a fingerprint holds, by default that of the newest run. ``last``: only the newest so many.

    Raises:
        ValueError: no run is of that machine; one sentence.
    """
    ended = [run for run in manifests if run.get("status") != "running"]
    ordered = sorted(ended, key=lambda run: str(run.get("started")))
    here = [run for run in ordered if machine is None or machine_of(run).startswith(machine)]
    if not here:
        known = ", ".join(dict.fromkeys(machine_of(run) for run in ordered)) or "no machine at all"
        raise ValueError(f'no run was made on the machine "{machine}"; there are runs of {known}')
    newest = here[-1]
    counted: list[Manifest] = []
    left_out: list[LeftOut] = []
    for run in ordered:
        if why := _foreign(run, newest) or doubt(run) or _unjudged(run):
            left_out.append(LeftOut(str(run.get("id")), why))
        else:
            counted.append(run)
    doubted = doubt(newest) or _unjudged(newest)
    shown = counted[-last:] if last else counted
    name = str(section(newest, "scenario").get("name"))
    return History(name, machine_of(newest), tuple(shown), tuple(left_out), doubted)


def machine_of(run: Manifest) -> str:
    """The digest of the machine that a run was made on."""
    return str(section(run, "fingerprint").get("machine") or "unknown")


def _foreign(run: Manifest, newest: Manifest) -> str | None:
    if machine_of(run) != machine_of(newest):
        return f"it was made on another machine, {machine_of(run)}"
    barred = [each for each in between(run, newest) if each.weight in BARRED]
    if not barred:
        return None
    first = barred[0]
    if first.weight == "never":
        return f"{'it was' if is_simulated(run) else 'the newest run is'} simulated, and the other real"
    return f"its load is another: {first.name} {first.baseline} against {first.candidate}"


def _unjudged(run: Manifest) -> str | None:
    return None if run.get("verdict") else "it was never judged"


def between(run: Manifest, other: Manifest) -> Sequence[Differing]:
    """What differs between two runs beside what was measured."""
    return differences(Side("", (run,)), Side("", (other,)))


def explaining(run: Manifest, other: Manifest) -> Iterator[str]:
    """What differs between two runs of a history, in words: their surroundings, the target, the code."""
    for each in between(run, other):
        yield f"{each.name} {each.baseline} → {each.candidate}"
    before, after = commit_of(run), commit_of(other)
    if before != after:
        yield f"commit {before or 'not told'} → {after or 'not told'}"


def commit_of(run: Manifest) -> str | None:
    """The commit that was checked out where the run was made, in its short form."""
    commit = section(run, "fingerprint", "git").get("commit")
    return str(commit)[:12] if commit else None
