"""The two sides of a comparison: which stored runs count as repeats, and which are left out and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.judge.manifest_access import Manifest, count_or_zero, section
from loadtest.judge.run_standing import StandingKind, left_out_because, standing, value_in
from loadtest.judge.threshold_measurement import Measurement

STILL_RUNNING = "the run is running"


@dataclass(frozen=True, slots=True)
class Side:
    """``name`` is what the user called it; ``runs`` count, each judged; ``left_out`` has id and reason.

    A run in which the target was down counts.
    """

    name: str
    runs: tuple[Manifest, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether any of its runs was against our own simulator."""
        return any(is_simulated(run) for run in self.runs)

    @property
    def newest(self) -> Manifest:
        """The run that started last; an empty manifest where there is none."""
        return max(self.runs, key=lambda run: str(run.get("started")), default={})

    def measured(self, name: str) -> list[Measurement]:
        """What each run measured of a metric."""
        return [value_in(name, run) for run in self.runs]

    def standing_as(self, kind: StandingKind) -> int:
        """How many of its runs are worth that."""
        return sum(standing(run).kind == kind for run in self.runs)

    @property
    def failed(self) -> int:
        """In how many runs the target was down, or completed nothing."""
        return sum(standing(run).target_failed for run in self.runs)

    @property
    def too_many_left_out(self) -> bool:
        """Whether over a third of the runs that ended are left out."""
        ended = [why for _, why in self.left_out if why != STILL_RUNNING]
        return len(ended) * 3 > len(ended) + len(self.runs)

    def as_dict(self) -> dict[str, Any]:
        """As in the comparison's JSON."""
        return {
            "name": self.name,
            "simulated": self.simulated,
            "runs": [
                {
                    "id": run.get("id"),
                    "label": run.get("label"),
                    "started": run.get("started"),
                    "outcome": section(run, "verdict").get("outcome"),
                    "standing": standing(run).kind,
                }
                for run in self.runs
            ],
            "left_out": [{"id": run, "reason": why} for run, why in self.left_out],
        }


def is_simulated(manifest: Manifest) -> bool:
    """Whether our own simulator answered."""
    return bool(section(manifest, "target").get("simulated"))


def side(name: str, manifests: Iterable[Manifest]) -> Side:
    """The side of these judged runs, oldest first; what tells nothing of the target is left out."""
    counted: list[Manifest] = []
    left_out = []
    for manifest in sorted(manifests, key=lambda run: str(run.get("started"))):
        if why := left_out_because(manifest):
            left_out.append((str(manifest.get("id")), why))
        else:
            counted.append(manifest)
    return Side(name, tuple(counted), tuple(left_out))


def paired_sides(names: tuple[str, str], pairs: Iterable[tuple[Manifest, Manifest]]) -> tuple[Side, Side]:
    """The two sides of pairs of judged runs, in their order; of a pair either both count or neither."""
    kept: list[tuple[Manifest, Manifest]] = []
    left_out: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    for pair in pairs:
        doubts = [left_out_because(each) for each in pair]
        if not any(doubts):
            kept.append(pair)
            continue
        for of_side, each, why in zip(left_out, pair, doubts, strict=True):
            of_side.append((str(each.get("id")), why or "its partner does not count"))
    one, other = (
        Side(name, tuple(pair[at] for pair in kept), tuple(left_out[at])) for at, name in enumerate(names)
    )
    return one, other


def newly_missed(baseline: Side, candidate: Side) -> list[str]:
    """Thresholds that most of the candidate's runs missed, and most of the baseline's held, in words.

    One that the baseline's runs did not promise in the same words cannot be newly missed.
    """
    before = _missed(baseline.runs)
    return [
        f"{name} {expression}"
        for (name, expression), (missed, judged) in _missed(candidate.runs).items()
        if missed * 2 > judged and (name, expression) in before and _mostly_held(*before[name, expression])
    ]


def _mostly_held(missed: int, judged: int) -> bool:
    return missed * 2 < judged


def _missed(runs: Sequence[Manifest]) -> dict[tuple[str, str], tuple[int, int]]:
    """How many runs missed each threshold, and in how many it was held or missed."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for run in runs:
        for row in _rows(run, "verdict", "thresholds"):
            outcome = row.get("outcome")
            if outcome in {"held", "missed"}:
                stage = f" of stage {count_or_zero(row['stage']) + 1}" if "stage" in row else ""
                key = (f"{row.get('name')}{stage}", str(row.get("expression")))
                missed, judged = found.get(key, (0, 0))
                found[key] = (missed + (outcome == "missed"), judged + 1)
    return found


def _rows(manifest: Manifest, *keys: str) -> list[Manifest]:
    *path, last = keys
    found = section(manifest, *path).get(last)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list | tuple) else []
