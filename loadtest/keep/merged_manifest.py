"""``run.json`` of several hosts as that of one run: how each of its keys is merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from loadtest.measure.reasons import most_frequent

JsonObject = dict[str, Any]

Merge = Callable[[list[Any]], Any]
"""Makes one value of those that the parts have, of which there is one at least; the earliest comes first."""

OF_THE_SUM = frozenset(
    {"id", "label", "status", "process", "interrupted", "verdict", "observed", "merged", "fingerprint"}
)
"""What a merged run says of itself."""

COMPUTED = frozenset(
    {"metrics", "counts", "rates", "notices", "of_due", "burst_positions", "health", "slow_readers"}
)
"""What is computed anew, from the sums."""

LEFT_OUT = frozenset({"failure", "interrupted_by", "pruned", "populations", "part", "not_written"})
"""Only runs that cannot be merged have these; ``not_written`` is left out, as reports are written anew."""


def merged_manifest(manifests: Sequence[JsonObject]) -> JsonObject:
    """What the parts say together, without what is computed or is of the sum itself.

    A key that is not known here stays where all parts agree.
    """
    apart = OF_THE_SUM | COMPUTED | LEFT_OUT
    found = _by_key([{key: each[key] for key in each if key not in apart} for each in manifests], KEYS)
    addresses = _united([_addresses(each.get("target") or {}) for each in manifests])
    if len(addresses) > 1 and not found["target"].get("simulated"):
        found["target"]["addresses"] = addresses
    return found


def _by_key(tables: Sequence[JsonObject], merges: Mapping[str, Merge]) -> JsonObject:
    found: JsonObject = {}
    for key in dict.fromkeys(key for each in tables for key in each):
        values = [each[key] for each in tables if key in each]
        if key in merges:
            found[key] = merges[key](values)
        elif len(values) == len(tables) and _alike(values):
            found[key] = values[0]
    return found


def _addresses(target: JsonObject) -> list[Any]:
    """Those of the target's name, as one part found them."""
    every = target.get("addresses") or [target.get("address")]
    return [each for each in every if each]


# ------------------------------------------------------------------ how values are merged


def _alike(values: Sequence[Any]) -> bool:
    return all(each == values[0] for each in values)


def _first(values: list[Any]) -> Any:
    return values[0]


def _if_alike(values: list[Any]) -> Any:
    return values[0] if _alike(values) else None


def _added(values: list[Any]) -> Any:
    """The sum; None where one of them is not known."""
    return None if None in values else sum(values)


def _highest(values: list[Any]) -> Any:
    return max((each for each in values if each is not None), default=None)


def _lowest(values: list[Any]) -> Any:
    return min((each for each in values if each is not None), default=None)


def _listed(values: list[Any]) -> str | None:
    """What each of them says, once: "one, other"."""
    return ", ".join(dict.fromkeys(str(each) for each in values if each)) or None


def _united(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(each for some in values for each in some or ()))


def _reasons(values: list[Any]) -> dict[str, int]:
    """How often each reason was seen, the most frequent first."""
    return most_frequent(sum((Counter(each or {}) for each in values), Counter()))


def _known(values: list[Any]) -> JsonObject:
    """Reasons by name, of all of them; of one name the first."""
    return {name: why for each in reversed(values) for name, why in (each or {}).items()}


def _lowest_of_each(values: list[Any]) -> JsonObject:
    tables = [each for each in values if each]
    return {key: _lowest([each.get(key) for each in tables]) for key in _united(tables)}


def _common(values: list[Any]) -> Any:
    """What settings have in common, at any depth; what differs is left out."""
    if not all(isinstance(each, dict) for each in values):
        return _if_alike(values)
    shared = [key for key in values[0] if all(key in each for each in values)]
    found = {key: _common([each[key] for each in values]) for key in shared}
    return {key: each for key, each in found.items() if each is not None or values[0][key] is None}


def _table(merges: Mapping[str, Merge]) -> Merge:
    """A table, each key of it by a rule of its own; where no part has one, what all of them say."""

    def merge(values: list[Any]) -> Any:
        tables = [each for each in values if isinstance(each, dict)]
        return _by_key(tables, merges) if tables else _if_alike(values)

    return merge


def _load(values: list[Any]) -> JsonObject:
    """What was planned together; what was achieved is computed anew."""
    plans = [each["planned"] for each in values]
    summed = {name: _added([each.get(name) for each in plans]) for name in SUMMED}
    planned = {**_by_key(plans, PLANNED), **summed}
    return {"model": _if_alike([each.get("model") for each in values]), "planned": planned, "achieved": {}}


def _of_generator(values: list[Any]) -> JsonObject:
    """What was known of the generators before the run; what they measured is computed anew."""
    known = [each or {} for each in values]
    processes = sum(each.get("processes") or 1 for each in known)
    limits = _lowest_of_each([each.get("limits") for each in known])
    return {"processes": processes, **({"limits": limits} if limits else {})}


SCENARIO: Mapping[str, Merge] = {
    "name": _first,
    "question": _first,
    "path": _if_alike,
    "sha256": _first,
    "settings": _common,
}
"""Of one hash, in which the target has no part."""

TARGET: Mapping[str, Merge] = {
    "url": _first,
    "address": _first,
    "addresses": _united,
    "tls": _table({"verified": all}),
    "server": _listed,
    "subprotocol": _if_alike,
    "simulated": any,
    "proxy": _table({"url": _listed, "variable": _if_alike}),
    "health": _table({"sampled": _united, "sampled_on": _listed, "reasons": _known}),
}

SUMMED = ("connections", "connect_rate", "turns_due", "turns_per_s")
"""Of the planned load: what several hosts do together is their sum, None where one of them does not know."""

PLANNED: Mapping[str, Merge] = {"never_due": _added, "by_tasks": any}
"""What only some plans have; the rest is of the scenario, which is one."""

KEYS: Mapping[str, Merge] = {
    "schema": _first,
    "scenario": _table(SCENARIO),
    "started": _first,
    "ended": _highest,
    "duration_s": _highest,
    "target": _table(TARGET),
    "load": _load,
    "generator": _of_generator,
    "clock": _table({"resolution_ns": _highest, "step_ns": _highest, "kernel_stamps": all}),
    "unmeasured": _known,
    "unless_marked": _known,
    "refusals": _reasons,
    "closes": _reasons,
    "still_opening": _reasons,
    "lookups_failed": _reasons,
    "not_undone": _reasons,
    "error_answers": _reasons,
    "tasks": _table({"raised": _reasons, "failed": _reasons}),
    "asked_by": _listed,
}
"""By key of ``run.json`` what is made of what the parts say."""
