"""The two sides of a comparison: which stored runs count as repeats, and which are left out and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.judge.measured import Measurement, lookup
from loadtest.judge.sections import Manifest, section, whole


@dataclass(frozen=True, slots=True)
class Side:
    """``name`` is what the user called it; ``runs`` count, each judged; ``left_out`` has id and reason."""

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
        return [lookup(name, run) for run in self.runs]

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
                }
                for run in self.runs
            ],
            "left_out": [{"id": run, "reason": why} for run, why in self.left_out],
        }


def is_simulated(manifest: Manifest) -> bool:
    """Whether our own simulator answered."""
    return bool(section(manifest, "target").get("simulated"))


def side(name: str, manifests: Iterable[Manifest]) -> Side:
    """The side of these judged runs, oldest first; one that cannot be believed is left out, with why."""
    counted: list[Manifest] = []
    left_out = []
    for manifest in sorted(manifests, key=lambda run: str(run.get("started"))):
        if why := doubt(manifest):
            left_out.append((str(manifest.get("id")), why))
        else:
            counted.append(manifest)
    return Side(name, tuple(counted), tuple(left_out))


def paired_sides(names: tuple[str, str], pairs: Iterable[tuple[Manifest, Manifest]]) -> tuple[Side, Side]:
    """The two sides of pairs of judged runs, in their order; of a pair either both count or neither."""
    kept: list[tuple[Manifest, Manifest]] = []
    left_out: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    for pair in pairs:
        doubts = [doubt(each) for each in pair]
        if not any(doubts):
            kept.append(pair)
            continue
        for of_side, each, why in zip(left_out, pair, doubts, strict=True):
            of_side.append((str(each.get("id")), why or "its partner does not count"))
    one, other = (
        Side(name, tuple(pair[at] for pair in kept), tuple(left_out[at])) for at, name in enumerate(names)
    )
    return one, other


def doubt(manifest: Manifest) -> str | None:
    """Why a run says nothing about its target; None where it may be compared.

    A run that missed a threshold may, and so may one that was too short for one of its thresholds.
    """
    verdict = section(manifest, "verdict")
    if manifest.get("status") not in {"complete", None}:
        return f"the run is {manifest['status']}"
    if section(manifest, "failure"):
        return "the run failed before it began, or by a fault of loadtest"
    if verdict.get("outcome") == "unreachable":
        return "no connection was ever ready"
    spoiling = [each for each in _rows(manifest, "notices") if each.get("spoils")]
    return f"the run is invalid: {spoiling[0].get('message')}" if spoiling else None


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
                stage = f" of stage {whole(row['stage']) + 1}" if "stage" in row else ""
                key = (f"{row.get('name')}{stage}", str(row.get("expression")))
                missed, judged = found.get(key, (0, 0))
                found[key] = (missed + (outcome == "missed"), judged + 1)
    return found


def _rows(manifest: Manifest, *keys: str) -> list[Manifest]:
    *path, last = keys
    found = section(manifest, *path).get(last)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list | tuple) else []
