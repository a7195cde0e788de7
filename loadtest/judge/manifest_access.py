"""Reading a manifest that may lack sections: a run is judged while it goes on, and after it was killed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Manifest = Mapping[str, Any]
"""``run.json`` as plain data, complete or not."""

NS_PER_MS = 1_000_000

_MAPPINGS = (dict, Mapping)
"""What is found by keys: a dict is told at once, and any other by the slow way."""


def section(of: object, *keys: str) -> Mapping[str, Any]:
    """The mapping found by following ``keys``; an empty one where any is missing or is no mapping."""
    found = of
    for key in keys:
        if not isinstance(found, _MAPPINGS):
            return {}
        found = found.get(key)
    return found if isinstance(found, _MAPPINGS) else {}


def number(value: object) -> float | None:
    """``value`` as a finite float; None for anything that is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def count_or_zero(value: object) -> int:
    """``value`` as a count; 0 for anything that is no integer."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


ENDED_EARLY = ("aborted", "worker_lost", "results_not_written")
"""Observed facts after which a run did not come to its planned end."""


def planned(manifest: Manifest, name: str) -> float | None:
    """A number of the plan; None where the plan does not set it."""
    return number(section(manifest, "load", "planned").get(name))


def model(manifest: Manifest) -> str:
    """The load model, "open" or "closed"; "open", the default, where the manifest does not say.

    "mixed": some populations have the one, some the other.
    """
    load = section(manifest, "load")
    return str(load.get("model") or section(load, "planned").get("model") or "open")


def settings(manifest: Manifest, *keys: str) -> Mapping[str, Any]:
    """A table of the effective scenario."""
    return section(manifest, "scenario", "settings", *keys)


def populations(manifest: Manifest) -> tuple[str, ...]:
    """The names of the populations, in the order of the scenario; none where all users are alike."""
    return tuple(str(each.get("name")) for each in _tables(settings(manifest), "population"))


def population_settings(manifest: Manifest, population: str) -> Mapping[str, Any]:
    """The effective scenario of one population, as if it were alone, without what the run is judged by."""
    own = (each for each in _tables(settings(manifest), "population") if each.get("name") == population)
    return next(own, {})


def parts(manifest: Manifest) -> list[Mapping[str, Any]]:
    """The effective scenario of each population; of the run itself where it has none."""
    return _tables(settings(manifest), "population") or [settings(manifest)]


def has_stages(manifest: Manifest) -> bool:
    """Whether the run, or one of its populations, has stages."""
    return any(section(part, "load").get("stages") for part in parts(manifest))


def sends(manifest: Manifest) -> bool:
    """Whether the scenario sends messages at all; one without traffic connects and holds."""
    return any(part.get("traffic") is not None for part in parts(manifest))


def sends_turns(manifest: Manifest) -> bool:
    """Whether the scenario sends turns: with 0 turns each, connections are only held."""
    return any(map(_sends_turns, parts(manifest)))


def _sends_turns(part: Mapping[str, Any]) -> bool:
    return part.get("traffic") is not None and section(part, "traffic").get("turns") != 0


def kinds(manifest: Manifest) -> tuple[str, ...]:
    """The kinds of turn that the scenario sends; none where all turns are of one."""
    return tuple(sorted({kind for part in parts(manifest) for kind in _kinds_of(part)}))


def _kinds_of(part: Mapping[str, Any]) -> set[str]:
    return {*section(part, "traffic", "mix"), *_kinds_in(_tables(part, "conversation"))}


def message_steps(manifest: Manifest) -> list[Any]:
    """The steps of all turns of several messages that the scenario may send: texts, and tables of others."""
    found = []
    for protocol in (section(part, "protocol") for part in parts(manifest)):
        turns = (section(protocol, "turn"), *(section(protocol, "turns", kind) for kind in kinds(manifest)))
        found += [step for turn in turns for step in turn.get("messages") or ()]
    return found


def conversations(manifest: Manifest) -> tuple[str, ...]:
    """The names of the conversations of the scenario."""
    tables = (each for part in parts(manifest) for each in _tables(part, "conversation"))
    return tuple(sorted({str(each["name"]) for each in tables if "name" in each}))


def prepare_steps(manifest: Manifest) -> tuple[str, ...]:
    """The names of the steps of `[[prepare]]`."""
    return tuple(
        sorted(str(each["name"]) for each in _tables(settings(manifest), "prepare") if "name" in each)
    )


def _tables(of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = of.get(key)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list | tuple) else []


def _kinds_in(tables: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The kinds of turn in conversations, or in steps of them."""
    for table in tables:
        if "turn" in table:
            yield str(table["turn"])
        for key in ("steps", "branch"):
            yield from _kinds_in(table.get(key) or ())


def turns_end(manifest: Manifest) -> bool:
    """Whether every turn can be complete; one that has no end goes on until its user leaves."""
    return all(map(_can_end, events_of_kinds(manifest)))


def _can_end(events: Mapping[str, Any]) -> bool:
    return bool(events.get("end") or events.get("end_all")) or events.get("count") is not None


def events_of_kinds(manifest: Manifest) -> list[dict[str, Any]]:
    """What events mean to the turns that the scenario sends, as the protocol has it; by kind of turn."""
    every = parts(manifest)
    asking = [part for part in every if _sends_turns(part)] or every
    return [events for part in asking for events in _events_of(part)]


def _events_of(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    of_all, turns = section(part, "protocol", "events"), section(part, "protocol", "turns")
    return [{**of_all, **section(turns, kind)} for kind in sorted(_kinds_of(part))] or [dict(of_all)]


def speaking_kinds(manifest: Manifest) -> dict[str, bool]:
    """Of all turns, under "", and of each kind: whether the protocol says which of their events are audio."""
    found = {"": all(events.get("audio") for events in events_of_kinds(manifest))}
    for part in parts(manifest):
        names = sorted(_kinds_of(part))
        events = _events_of(part) if names else []
        found |= {name: bool(each.get("audio")) for name, each in zip(names, events, strict=True)}
    return found


def ending_kinds(manifest: Manifest) -> tuple[str, ...]:
    """The kinds that can be complete, of a run of several without populations, or of one population."""
    (part,) = parts(manifest)
    names = sorted(_kinds_of(part)) if _sends_turns(part) else []
    if len(names) < 2:
        return ()
    return tuple(name for name, events in zip(names, _events_of(part), strict=True) if _can_end(events))


def turns_never_end(manifest: Manifest) -> bool:
    """Whether the protocol is known, and its turns have no end."""
    return bool(settings(manifest, "protocol", "events")) and not turns_end(manifest)


def breaks_turns(manifest: Manifest) -> bool:
    """Whether the plan itself takes connections away from turns: users leave, or are cut off."""
    every = [section(part, "chaos") for part in parts(manifest)]
    return any(section(chaos, "leavers") or section(chaos, "cut") for chaos in every)


def target_outcomes(manifest: Manifest) -> tuple[str, ...]:
    """The outcomes of turns, but for complete, that are held against the target.

    Where the plan takes connections away, a turn that was abandoned is not; nor is one that was lost or not
    attempted, unless the target closed or refused a connection as well: then nobody knows whose doing it was.
    """
    always = ("failed", "timed_out", "refused")
    if not breaks_turns(manifest):
        return (*always, "lost", "not_attempted", "abandoned")
    connections = section(manifest, "counts", "connections")
    interfered = section(connections, "closed") or section(connections, "refused")
    return (*always, "lost", "not_attempted") if interfered else always


def observed(manifest: Manifest) -> list[Mapping[str, Any]]:
    """The facts that the generator noted while it ran: ``{code, numbers}``."""
    found = manifest.get("observed")
    rows = found if isinstance(found, list | tuple) else ()
    return [row for row in rows if isinstance(row, Mapping) and row.get("code")]


def was_observed(manifest: Manifest, *codes: str) -> bool:
    """Whether the generator noted any of these facts."""
    return any(row["code"] in codes for row in observed(manifest))


def whole_run(manifest: Manifest) -> bool:
    """Whether the run came to its own end: nothing outside cut it, no rule ended it, no part was taken of it.

    A run whose status is missing counts as whole, one that still goes on does not.
    """
    cut = manifest.get("status") in {"running", "cut short", "interrupted"} or manifest.get("interrupted")
    return not cut and not manifest.get("part") and not was_observed(manifest, *ENDED_EARLY)


def tick_ns(manifest: Manifest) -> int:
    """The smallest time the run's clocks could tell: their resolution, or the step that was injected.

    1 where the manifest does not say.
    """
    clock = section(manifest, "clock")
    return max(count_or_zero(clock.get("resolution_ns")), count_or_zero(clock.get("step_ns")), 1)
