"""Thresholds: what a run must hold, in checkable form."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal, cast

from loadtest import catalog
from loadtest.catalog import STATISTICS
from loadtest.errors import Layer
from loadtest.units import parse_bytes, parse_duration, parse_rate, parse_ratio

Operator = Literal["<", "<=", ">", ">=", "==", "!="]
Unit = Literal["ms", "per_s", "ratio", "count", "cores", "bytes", "number"]

METRICS = tuple(each.name for each in catalog.METRICS)
"""Every distribution a run measures, in the order of ``run.json``."""

RATES = tuple(each.name for each in catalog.RATES)

CONNECTIONS = (
    *(each.key for each in catalog.CONNECTION_COUNTERS if each.threshold),
    "ready.peak",
    *(f"refused.{layer}" for layer in Layer),
)
"""What ``connections.NAME`` may be; ``closed.1006`` and any other close code may be named as well."""

TURNS = tuple(each.key for each in catalog.TURN_COUNTERS if each.threshold)

DELIVERIES = tuple(each.key for each in catalog.DELIVERY_COUNTERS)

EVENTS = tuple(each.key for each in catalog.EVENT_COUNTERS if each.threshold)

CONVERSATIONS = tuple(each.key for each in catalog.CONVERSATION_COUNTERS if each.threshold)

COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
"""How each operator compares a value with a limit."""

TURNED_OFF = "none"
"""Written instead of an expression: what would be judged by default is not judged."""

COMPLETE_RATIO = "turns.complete.ratio"
READY_RATIO = "connections.ready.ratio"

DELIVERY_RATIOS = (
    *(f"events.{name}.ratio" for name in ("lost", "duplicate", "out_of_order", "malformed", "stray_errors")),
    "turns.ended_again.ratio",
    "turns.request_refused.ratio",
    "deliveries.missing.ratio",
)
"""Events that were not delivered as the protocol requires; judged where the run counted any."""

TARGET_UNITS: Mapping[str, Unit] = {"cpu": "cores", "memory": "bytes"}
"""Of what is sampled of the target; everything else is a number."""

STATED_BY: Mapping[str, frozenset[str]] = {
    COMPLETE_RATIO: frozenset({COMPLETE_RATIO, "turns.complete"}),
    READY_RATIO: frozenset({READY_RATIO, "connections.ready"}),
    **{ratio: frozenset({ratio, ratio.removesuffix(".ratio")}) for ratio in DELIVERY_RATIOS},
}
"""What is judged by default, with the names by which a scenario replaces it."""

DEFAULT_RATIO = 0.99
"""The default for the ratio of complete turns, of ready connections and of correctly delivered events."""

BY_KIND = (
    *(each.name for each in catalog.METRICS if each.by_kind),
    *(each.name for each in catalog.COUNTERS if each.by_kind),
)
"""What every kind of turn has as well, under NAME[KIND]."""

OF_ALL = frozenset({"connections.ready.peak", "generator.cpu.max"})
"""What is measured of all populations together."""

BY_POPULATION = frozenset(
    (
        *METRICS,
        *(f"rates.{name}" for name in RATES),
        *(each.name for each in catalog.COUNTERS if each.threshold),
        *(f"connections.refused.{layer}" for layer in Layer),
    )
)
"""What every population has as well, under NAME[POPULATION], or NAME[POPULATION/KIND] of its turns."""

TAG = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""The name of a kind of turn, of a conversation, of a population."""

_KIND = re.compile(rf"(?P<name>[a-z0-9_.]+)\[(?P<kind>{TAG.pattern}(/{TAG.pattern})?)\](?P<rest>(\..*)?)")
_TARGET = re.compile(r"target\.([a-z][a-z0-9_]{0,31})\.([a-z][a-z0-9_.]*)")
_PERCENTILE = re.compile(r"p([0-9]{1,2})(?:[._]([0-9]{1,3}))?")
_CLOSED = re.compile(r"closed\.[0-9]{4}")
EXPRESSION = re.compile(r"(<=|>=|==|!=|<|>)\s*(\S.*)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True)
class Threshold:
    """``name`` ``operator`` ``limit``; the limit is in ``unit`` (durations: milliseconds, as in run.json).

    ``name`` is spelt as run.json spells it (``p99_9``, also where ``p99.9`` was written).
    ``expression`` is the text as written ("< 100ms"); ``stage`` the index of the stage it speaks of, or None.
    ``default``: it is judged because the scenario does not replace it.
    """

    name: str
    expression: str
    operator: Operator
    limit: float
    unit: Unit
    stage: int | None = None
    default: bool = False


def default_thresholds(
    written: Iterable[Threshold],
    turned_off: Collection[str],
    *,
    ends: bool,
    stages: int = 0,
    kinds: Collection[str] = (),
) -> tuple[Threshold, ...]:
    """The thresholds by which a run is judged where the scenario does not replace them.

    ``ends``: it sends turns that can be complete; ``kinds``: those of its kinds that can, each of which is
    judged where nothing is said of all. Where a scenario replaces a default for single stages, the other
    stages are judged by the default.
    """
    every = list(written)
    named: dict[str, set[int | None]] = {
        name: {each.stage for each in every if each.name in stated} for name, stated in STATED_BY.items()
    }
    found = []
    if ends and COMPLETE_RATIO not in turned_off:
        said = _unsaid(named[COMPLETE_RATIO], stages)
        found += [_default(COMPLETE_RATIO, DEFAULT_RATIO, stage) for stage in said]
    if COMPLETE_RATIO not in turned_off and not named[COMPLETE_RATIO]:
        stated = {each.name for each in every}
        for kind in kinds:
            name = tagged(COMPLETE_RATIO, kind)
            if not stated & {name, name.removesuffix(".ratio")}:
                found.append(_default(name, DEFAULT_RATIO, None))
    if READY_RATIO not in turned_off and not named[READY_RATIO]:
        found.append(_default(READY_RATIO, DEFAULT_RATIO, None))
    delivery = [name for name in DELIVERY_RATIOS if name not in turned_off and not named[name]]
    return (*found, *(_at_most(name) for name in delivery))


def population_defaults(
    written: Iterable[Threshold],
    turned_off: Collection[str],
    ends: Mapping[str, bool],
    kinds: Mapping[str, Collection[str]],
    stages: Mapping[str, int],
) -> tuple[Threshold, ...]:
    """The default thresholds of every population, so that a large one does not hide what a small one missed.

    ``ends``: by population, whether it sends turns that can be complete; ``kinds``: which of
    its kinds can; ``stages``: how many it has. What is written, or turned off, of
    the whole run is so of each of them.
    """
    every, found = list(written), []
    for name, can_end in ends.items():
        own = [replace(each, name=plain) for each in every if (plain := _said_of(each.name, name, ends))]
        off = {plain for each in turned_off if (plain := _said_of(each, name, ends))}
        defaults = default_thresholds(own, off, ends=can_end, stages=stages[name], kinds=kinds[name])
        found += [replace(each, name=tagged(each.name, name)) for each in defaults]
    return tuple(found)


def of_population(name: str, population: str) -> str | None:
    """The name of the same of one population; None if it exists only for all populations together."""
    found = tagged(name, population)
    return None if name in OF_ALL or split_kind(found)[1] is None else found


def _said_of(name: str, population: str, populations: Collection[str]) -> str:
    """A name as the population itself would have it; empty where it is of another one."""
    plain, of = split_population(name, populations)
    return plain if of in {None, population} else ""


def _unsaid(named: Collection[int | None], stages: int) -> list[int | None]:
    """The stages that no threshold speaks of; None alone stands for the whole run."""
    if not named:
        return [None]
    return [] if None in named else [stage for stage in range(stages) if stage not in named]


def _default(name: str, at_least: float, stage: int | None) -> Threshold:
    return Threshold(name, f">= {at_least * 100:g}%", ">=", at_least, "ratio", stage, default=True)


def _at_most(name: str) -> Threshold:
    limit = round(1 - DEFAULT_RATIO, 4)
    return Threshold(name, f"<= {limit * 100:g}%", "<=", limit, "ratio", default=True)


def of_kind(name: str, kind: str) -> str:
    """The name of what is measured of one kind of turn alone: "turn.first_event[ask]"."""
    return f"{name}[{kind}]"


@functools.lru_cache(4_096)
def split_kind(name: str) -> tuple[str, str | None]:
    """The name without its kind of turn, and the kind; None where it is of all turns.

    "turns.lost[ask].ratio" is "turns.lost.ratio" of "ask". The kind may be a population, or one of its kinds
    ("askers/ask"): only who knows the scenario can tell (``split_population``).
    """
    match = _KIND.fullmatch(name)
    if match is None or not (match["name"] in BY_KIND or _of_populations(match["name"])):
        return name, None
    return match["name"] + match["rest"], match["kind"]


def _of_populations(name: str) -> bool:
    return name in BY_POPULATION or (name.startswith("connections.") and _closed(name))


def _closed(name: str) -> bool:
    """Whether it is a count of closes by code."""
    return _CLOSED.fullmatch(name.removeprefix("connections.")) is not None


def split_population(name: str, populations: Collection[str]) -> tuple[str, str | None]:
    """The name without its population, which is one of ``populations``; None where it is of the whole run.

    "turn.completion[askers/ask].p95" is "turn.completion[ask].p95" of "askers".
    """
    whole, tag = split_kind(name)
    population, _, kind = (tag or "").partition("/")
    if population not in populations:
        return name, None
    return (tagged(whole, kind) if kind else whole), population


def tagged(name: str, tag: str) -> str:
    """The name with a tag: "turns.lost[ask].ratio" of "turns.lost.ratio" and "ask"; ``split_kind`` undoes it.

    A name that has a kind already gets a population before it: "turns.lost[askers/ask]".
    """
    whole, kind = split_kind(name)
    label = tag if kind is None else f"{tag}/{kind}"
    split = split_metric(whole)
    if split is not None:
        return f"{of_kind(split[0], label)}.{split[1]}"
    for rest in (".ratio", ".peak"):
        if whole.endswith(rest):
            return of_kind(whole.removesuffix(rest), label) + rest
    return of_kind(whole, label)


def kind_in(name: str) -> str | None:
    """The kind of turn of which a name speaks; None where it is of all turns."""
    return split_kind(name)[1]


@functools.lru_cache(4_096)
def split_metric(name: str) -> tuple[str, str] | None:
    """Metric and statistic of "turn.first_event.p95"; None where it is not METRIC.STATISTIC.

    A percentile is returned with an underscore: "p99_9". The metric of one kind of turn is "NAME[KIND]".
    """
    whole, kind = split_kind(name)
    if kind is not None:
        split = split_metric(whole)
        return (of_kind(split[0], kind), split[1]) if split else None
    for metric in sorted(METRICS, key=len, reverse=True):
        if name.startswith(metric + "."):
            statistic = name[len(metric) + 1 :].replace(".", "_")
            known = statistic in STATISTICS or percentile(statistic) is not None
            return (metric, statistic) if known else None
    return None


def split_target(name: str) -> tuple[str, str] | None:
    """What was sampled of the target, and the statistic, of "target.cpu.max"; None where it is no such name.

    A percentile is returned with an underscore.
    """
    match = _TARGET.fullmatch(name)
    if match is None:
        return None
    statistic = match[2].replace(".", "_")
    known = statistic in STATISTICS or percentile(statistic) is not None
    return (match[1], statistic) if known else None


def percentile(statistic: str) -> float | None:
    """The q of "p50" or "p99_9", above 0 and below 100; None where it is no percentile."""
    match = _PERCENTILE.fullmatch(statistic)
    q = float(f"{match[1]}.{match[2] or 0}") if match else 0.0
    return q if q > 0 else None


def held(threshold: Threshold, value: float) -> bool:
    """Whether a measured ``value``, in the threshold's unit, holds the threshold."""
    return COMPARE[threshold.operator](value, threshold.limit)


# threshold  ::= name "=" expression
# name       ::= metric "." statistic | "rates." rate | "connections." NAME | "generator.cpu.max"
#              | "connections.ready.ratio"
#              | "target." NAME "." statistic
#              | "turns." outcome [ ".ratio" ] | "events." NAME [ ".ratio" ]
# statistic  ::= "n" | "min" | "max" | "mean" | "p" 1*2DIGIT [ ( "." | "_" ) 1*3DIGIT ]
# expression ::= operator value
# operator   ::= "<" | "<=" | ">" | ">=" | "==" | "!="
# value      ::= duration "100ms" | rate "20/s" "20" | ratio "99%" "0.99" | count "10"    as the name asks
#              | cores "80%" "1.5" | size "512MiB" | number "2.5"
@functools.lru_cache(maxsize=512)
def parse_threshold(name: str, expression: str, stage: int | None = None) -> Threshold:
    """A threshold from its two sides, as in ``"turn.first_event.p95" = "< 100ms"``.

    Raises:
        ValueError: one sentence; for an unknown name it has the nearest.
    """
    canonical, unit = resolve(name)
    match = EXPRESSION.fullmatch(expression.strip())
    if match is None:
        raise ValueError(
            f'"{expression}" is not an operator with a value; write for example "{_example(unit)}"',
        )
    limit = _limit(match[2], unit, canonical)
    return Threshold(canonical, expression, cast("Operator", match[1]), limit, unit, stage)


def resolve(name: str) -> tuple[str, Unit]:
    """The name as run.json spells it, and the unit of what it names.

    Raises:
        ValueError: nothing that is measured has this name; the sentence has the nearest.
    """
    if split := split_metric(name):
        return ".".join(split), "count" if split[1] == "n" else "ms"
    if split := split_target(name):
        return f"target.{'.'.join(split)}", "count" if split[1] == "n" else TARGET_UNITS.get(
            split[0], "number"
        )
    known = plain_names()
    whole, kind = split_kind(name)
    if whole.startswith("connections.") and _closed(whole):
        return name, "count"
    if kind is not None and whole in known:
        return name, known[whole]
    if name not in known:
        raise ValueError(f'"{name}" is not a metric; {_nearest(name, known)}')
    return name, known[name]


def plain_names() -> dict[str, Unit]:
    """Every name that is not METRIC.STATISTIC, with its unit."""
    names: dict[str, Unit] = {f"rates.{rate}": "per_s" for rate in RATES}
    names |= dict.fromkeys((f"connections.{each}" for each in CONNECTIONS), "count")
    groups = {"turns": TURNS, "events": EVENTS, "conversations": CONVERSATIONS, "deliveries": DELIVERIES}
    for group, members in groups.items():
        names |= dict.fromkeys((f"{group}.{each}" for each in members), "count")
    names |= {f"{each.name}.ratio": "ratio" for each in catalog.COUNTERS if each.share_of}
    names["generator.cpu.max"] = "ratio"
    return names


def _nearest(name: str, known: Mapping[str, Unit]) -> str:
    for metric in METRICS:
        if name == metric:
            return f'add a statistic: "{name}.p95", .p50, .p99, .mean, .min, .max or .n'
    every = [*known, *(f"{metric}.{statistic}" for metric in METRICS for statistic in STATISTICS)]
    near = get_close_matches(name, every, n=1, cutoff=0.5)
    return (
        f'did you mean "{near[0]}"?'
        if near
        else 'examples of metrics are "turn.first_event.p95" and "turns.lost"'
    )


def _example(unit: Unit) -> str:
    return {
        "ms": "< 100ms",
        "per_s": "> 20/s",
        "ratio": ">= 99%",
        "count": "> 10",
        "cores": "< 80%",
        "bytes": "< 512MiB",
        "number": "< 100",
    }[unit]


def _limit(text: str, unit: Unit, name: str) -> float:
    if unit == "ms":
        return parse_duration(text) / 1_000_000
    if unit == "ratio":
        return parse_ratio(text)
    if unit == "per_s" and "/" in text:
        return parse_rate(text)
    if unit == "bytes" and not _NUMBER.fullmatch(text):
        return float(parse_bytes(text))
    if unit == "cores" and text.endswith("%") and _NUMBER.fullmatch(text[:-1].strip()):
        return round(float(text[:-1]) / 100, 12)
    if text.endswith("%") and unit != "cores":
        has_ratio = f"{split_kind(name)[0]}.ratio" in plain_names()
        ratio = f'; for its ratio write "{name}.ratio"' if has_ratio else ""
        raise ValueError(f'"{text}" is a percentage, but {name} is not a ratio{ratio}')
    if not _NUMBER.fullmatch(text):
        raise ValueError(f'"{text}" is not a number; write for example "{_example(unit)}"')
    limit = float(text)
    if unit == "count" and not limit.is_integer():
        raise ValueError(f'"{text}" is not a whole number, but {name} is a count')
    return limit
