"""What is broken, below each cause what follows from it, and the verdict in three sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from loadtest.readiness.assessment import Assessment, ComponentRow, ConditionRow, CriterionRow
from loadtest.readiness.causes import HINTS
from loadtest.readiness.objectives import format_value
from loadtest.units import format_duration, format_ratio

FindingWeight = Literal["broken", "unknown", "weak"]
"""broken: it does not work, or misses what it must; unknown: nobody can tell; weak: it works, not well."""

BY_POLICY = "by the policy"
MAX_NAMES = 4
ORDER: tuple[FindingWeight, ...] = ("broken", "unknown", "weak")
SYSTEM = "the whole system"


@dataclass(frozen=True, slots=True)
class CauseFound:
    """One thing that is not as it should be, and what follows from it.

    ``state`` is the word beside its sign. ``blocks``: it alone is a reason against GO. ``report`` is the
    report of its run, relative to the results folder; empty where there is none.
    """

    weight: FindingWeight
    state: str
    title: str
    said: str
    blocks: bool
    hint: str = ""
    follows: tuple[str, ...] = ()
    report: str = ""


def findings(found: Assessment) -> tuple[CauseFound, ...]:
    """Every cause, the worst first; what only follows from another stands below that one."""
    rows = {row.name: row for row in found.components}
    roots = {row.name: _root(row, rows) for row in found.components}
    told = set[str]()
    made = list(_components(found, roots, told))
    made += [_rule(each) for each in found.criteria if each.outcome != "met" and each.title not in told]
    if found.rollback is not None and found.rollback.worked is False:
        made.insert(0, CauseFound("broken", "FAILED", "Rollback", found.rollback.said, blocks=True))
    every = list(_with_system(found, made))
    every.sort(key=_place)
    return tuple(every)


def _place(each: CauseFound) -> tuple[int, bool, bool, bool]:
    return ORDER.index(each.weight), each.state == "so", not each.blocks, each.state == "degraded"


def _root(row: ComponentRow, rows: dict[str, ComponentRow]) -> str:
    """The component that hides this one, or itself."""
    while row.error == "through":
        hidden_by = (rows[name] for name in row.through if rows[name].status in {"down", "unknown"})
        outer = next(hidden_by, None)
        if outer is None:
            break
        row = outer
    return row.name


def _components(found: Assessment, roots: dict[str, str], told: set[str]) -> Iterator[CauseFound]:
    """A finding per component that is not well by itself; ``told`` gets the rules and functions it names."""
    for row in found.components:
        if roots[row.name] != row.name or (row.status == "healthy" and not row.missed):
            continue
        mine = [each for each in found.components if roots[each.name] == row.name]
        critical = row.priority == "critical"
        weight: FindingWeight = "broken" if row.status == "down" or (critical and row.missed) else "weak"
        if row.status == "unknown":
            weight = "unknown"
        names = {each.name for each in mine}
        missed = any(each.outcome == "missed" and each.component in names for each in found.criteria)
        if missed and weight == "weak":
            weight = "broken"
        promise = row.broken_promise
        yield CauseFound(
            weight=weight,
            state="missed" if promise and weight == "broken" else row.status,
            title=row.title,
            said="; ".join([promise, *_beside(row)]) if promise else row.why,
            blocks=missed or (critical and weight == "broken") or (row.required and weight == "unknown"),
            hint=_hint(found, row),
            follows=tuple(_follows(found, row, mine, told)),
            report=row.report,
        )


def _beside(row: ComponentRow) -> Iterator[str]:
    """What else was found of a component whose scenario missed thresholds."""
    yield from (issue for issue in row.issues if issue not in row.promises and issue not in row.said)
    yield row.said


def _hint(found: Assessment, row: ComponentRow) -> str:
    """The likely cause, what to do, and whose it is by the policy."""
    cause = next((each.cause for each in found.risks if each.title.startswith(f"{row.title} ")), "")
    action = next((each.text for each in found.actions if each.component == row.name), "")
    todo = action.removeprefix(f"{row.title}: ")
    cause = cause or HINTS.get(row.error, ("", ""))[0]
    named = (("likely", cause), ("do", todo), ("owner", row.owner), ("expected back", row.eta))
    said = "; ".join(f"{word}: {what}" for word, what in named if what)
    return f"{said} ({BY_POLICY})" if row.owner or row.eta else said


def _follows(
    found: Assessment, row: ComponentRow, mine: Sequence[ComponentRow], told: set[str]
) -> Iterator[str]:
    names = {each.name for each in mine}
    for each in mine:
        if each is not row:
            yield f"{each.title} is unknown: it can be reached only through {row.title}"
    for function in found.functions:
        touched = function.status != "working" and not names.isdisjoint(function.needs)
        if touched and f"function {function.name}" not in told:
            told.add(f"function {function.name}")
            reach = f"reaches {format_ratio(function.users)} of the users, {BY_POLICY}"
            yield f"{function.title} is {function.status} ({reach})"
    for criterion in found.criteria:
        if criterion.component in names and criterion.outcome != "met":
            told.add(criterion.title)
            word = "does not hold" if criterion.outcome == "missed" else "cannot be judged"
            yield f"the rule “{criterion.title}” {word}{_measured(criterion)}"


def _measured(rule: CriterionRow) -> str:
    known = rule.measured not in {"not measured", "healthy", "degraded", "down", "unknown"}
    return f": {rule.measured}, but must be {rule.expected}" if known else ""


def _rule(rule: CriterionRow) -> CauseFound:
    weight: FindingWeight = "broken" if rule.outcome == "missed" else "unknown"
    said = rule.reason or f"{rule.measured}, but must be {rule.expected}"
    return CauseFound(weight, rule.outcome, rule.title, said, blocks=True)


def _with_system(found: Assessment, made: list[CauseFound]) -> Iterator[CauseFound]:
    """The findings with the rules on the whole system that do not hold.

    They follow from the one thing that is broken, or from all of them together; where nothing is broken, each
    stands for itself.
    """
    against = [
        *(each for each in found.gates if each.outcome in {"missed", "unknown"}),
        *(each for each in found.triggers if each.outcome in {"TRIGGERED", "unknown"}),
    ]
    broken = [each for each in made if each.weight == "broken"]
    words = tuple(_condition(found, each) for each in against)
    if len(broken) == 1 and against:
        at = made.index(broken[0])
        made[at] = replace(broken[0], follows=(*broken[0].follows, *words), blocks=True)
    yield from made
    if len(broken) > 1 and against:
        yield CauseFound(
            "broken",
            "so",
            SYSTEM,
            "together, these causes break rules on the whole system",
            True,
            follows=words,
        )
    if not broken:
        yield from (_alone(found, each) for each in against)


def _alone(found: Assessment, row: ConditionRow) -> CauseFound:
    """A rule on the whole system that does not hold though nothing by itself is broken."""
    unknown = row.outcome == "unknown"
    said = _condition(found, row).partition("”")[2].strip()
    state = "unknown" if unknown else "missed"
    return CauseFound("unknown" if unknown else "broken", state, row.rule, f"the rule {said}", blocks=True)


def _condition(found: Assessment, row: ConditionRow) -> str:
    figures = {**found.figures, "confidence": found.confidence}
    figure = figures.get(row.fact)
    what = f"{(figure.title if figure else row.fact).removesuffix(', at least')} is {row.measured}"
    if row.outcome == "unknown":
        return f"the rule “{row.rule}” cannot be judged: {row.arithmetic}"
    then = ": roll back" if row.outcome == "TRIGGERED" else ""
    return f"the rule “{row.rule}” does not hold ({what}){then}"


def why(found: Assessment) -> str:
    """The first sentence, and what makes the whole of it doubtful."""
    made_up = [row.title for row in found.components if row.simulated]
    told = (
        f"; SIMULATED components, which say nothing about a real backend: {', '.join(made_up)}"
        if made_up
        else ""
    )
    return _first(found) + told


def sentences(found: Assessment) -> tuple[str, ...]:
    """Why the verdict is what it is: what is broken, what that means, and what it rests on."""
    return tuple(f"{each[0].upper()}{each[1:]}." for each in (why(found), _second(found), _third(found)))


def _first(found: Assessment) -> str:
    made = findings(found)
    causes = [each for each in made if each.state != "so"]
    if found.verdict == "NO-GO":
        broken = [each.title for each in causes if each.weight == "broken"]
        n = len(broken)
        promises = [f"{row.title} is {row.broken_promise}" for row in found.components if row.broken_promise]
        told = "; ".join([_names(broken), *promises[:MAX_NAMES]])
        return f"{n} thing{' is' if n == 1 else 's are'} broken: {told}"
    if found.verdict == "INCONCLUSIVE":
        unknown = [each.title for each in causes if each.blocks and each.weight == "unknown"]
        unknown = unknown or [each.title for each in causes if each.weight == "unknown"]
        n = len(unknown)
        return f"{n} thing{' is' if n == 1 else 's are'} not known: {_names(unknown)}"
    n = len(found.components)
    healthy = sum(row.status == "healthy" for row in found.components)
    but = [f"{each.title} ({each.state})" for each in causes]
    if not but:
        return (
            f"nothing is broken: all {n} components are healthy"
            if n > 1
            else "nothing is broken: the only component is healthy"
        )
    return f"nothing that counts is broken: {healthy} of {n} components are healthy, all but {_names(but)}"


def _names(names: Sequence[str]) -> str:
    shown = list(names[:MAX_NAMES])
    if len(names) > MAX_NAMES:
        return f"{', '.join(shown)} and {len(names) - MAX_NAMES} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _second(found: Assessment) -> str:
    out = [each.title for each in found.functions if each.status == "out"]
    words = []
    if out:
        users, value = found.figures["impact.users"], found.figures["impact.value"]
        lost = f" and {value.text} of the business value" if value.value else ""
        verb = "is" if len(out) == 1 else "are"
        everyone = users.value is not None and users.value >= 1
        whom = "all users" if everyone else f"at least {users.text} of the users"
        words.append(f"{_names(out)} {verb} out, for {whom}{lost} ({BY_POLICY})")
    words.append(_rules(found))
    return "; ".join(words)


def _rules(found: Assessment) -> str:
    outcomes: list[str] = ["missed" for row in found.components if row.broken_promise]
    outcomes += [each.outcome for each in found.criteria]
    outcomes += [each.outcome for each in (*found.gates, *found.triggers)]
    if not outcomes:
        return "the policy has no rules, so only the components decide"
    n = len(outcomes)
    bad = sum(each in {"missed", "TRIGGERED"} for each in outcomes)
    unknown, pulled = outcomes.count("unknown"), outcomes.count("TRIGGERED")
    verb = "does not hold" if bad == 1 else "do not hold"
    held = [each for each in (*found.gates, *found.triggers) if each.outcome in {"met", "not triggered"}]
    doubt = sum(bool(each.note) for each in held)
    if n == 1:
        said = "the one rule cannot be judged" if unknown else f"the one rule {verb if bad else 'holds'}"
        said += " unless unknown components break it" if doubt else ""
        return said + (", and calls for a rollback" if pulled else "")
    said = f"{bad} of {n} rules {verb}" if bad else f"{n - unknown} of {n} rules hold" if unknown else ""
    said = said or f"all {n} rules hold"
    if doubt and not bad:
        said += f" ({doubt} only if no unknown component breaks {'it' if doubt == 1 else 'them'})"
    if unknown:
        said += f", {unknown} cannot be judged"
    if pulled:
        said += f", {pulled} call{'s' if pulled == 1 else ''} for a rollback"
    return said


def _third(found: Assessment) -> str:
    n = len(found.components)
    unknown = [row.title for row in found.components if row.status == "unknown"]
    age = found.confidence.age_s
    if age is None:
        return f"there is no evidence: the state of all {n} components is unknown"
    old = "all of it new" if age < 1 else f"the oldest {format_duration(round(age) * 1e9)} old"
    rest = f"the verdict is based on evidence of {n - len(unknown)} of {n} components, {old}"
    sure = f"confidence {format_value(found.confidence.value, 'ratio')}"
    return f"{rest} ({sure}{f'; not known: {_names(unknown)}' if unknown else ''})"


def counted(words: Iterable[str]) -> str:
    """How often each word stands there: "5 healthy, 2 down"."""
    every = list(words)
    return ", ".join(f"{every.count(word)} {word}" for word in dict.fromkeys(every))
