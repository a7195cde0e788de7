"""What ``protocols check`` says against a protocol that can be read: matches that never decide anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from loadtest.plan.match import FieldTest, conditions
from loadtest.plan.match_logic import implies, never_true
from loadtest.plan.named_matches import NamedMatch, named_matches
from loadtest.plan.protocol import Protocol

PING = ("heartbeat", "heartbeat.answer")

DECIDE_BEFORE: dict[str, tuple[str, ...]] = {
    "ready": ("auth_errors", "heartbeat"),
    "heartbeat": (),
    "ignore": PING,
    "answer": (*PING, "ignore"),
    "fail": (*PING, "ignore"),
    "refuse": (*PING, "ignore", "fail"),
    "end": (*PING, "ignore", "fail", "refuse"),
    "end_all": (*PING, "ignore", "fail", "refuse"),
    "first": (*PING, "ignore", "fail", "refuse"),
    "audio": (*PING, "ignore", "answer"),
    "required": (*PING, "ignore"),
    "pairs": (*PING, "ignore"),
    "order": (*PING, "ignore"),
    "count": (*PING, "ignore", "answer"),
    "wait": ("fail", "refuse"),
}
"""By key, the keys that decide about an event before it: what they claim never comes to it."""

FIRST_FITS = ("heartbeat", "answer")
"""Lists of which the first entry that fits is taken."""


class _Rule(NamedTuple):
    named: NamedMatch
    wanted: tuple[FieldTest, ...]


def conflicts(protocol: Protocol) -> Iterator[str]:
    """A sentence for each match that can never be true, or that another one always decides before."""
    typed = bool(protocol.events.type) or protocol.events.format == "opaque"
    rules = [_Rule(each, conditions(each.match, typed=typed)) for each in named_matches(protocol)]
    groups = _groups(protocol)
    possible: list[_Rule] = []
    for rule in rules:
        why = never_true(rule.wanted) or _no_group(rule.wanted, groups)
        if why:
            yield f"`{rule.named}` never matches an event: {why}"
        else:
            possible.append(rule)
    for place, rule in enumerate(possible):
        before = _before(rule, place, possible)
        if before is not None:
            yield (
                f"`{rule.named}` has no effect: `{before.named}` is checked first and matches every such"
                f" event{_instead(rule, before)}"
            )


def _before(rule: _Rule, place: int, rules: Sequence[_Rule]) -> _Rule | None:
    """The rule that claims every event of another before it."""
    key, kind = rule.named.key, rule.named.kind
    for at, other in enumerate(rules):
        earlier = other.named.key in DECIDE_BEFORE.get(key, ())
        earlier |= key in FIRST_FITS and other.named.key == key and at < place
        if earlier and (not kind or other.named.kind in {"", kind}) and implies(rule.wanted, other.wanted):
            return other
    return None


def _instead(rule: _Rule, before: _Rule) -> str:
    """How a `fail` may leave out what a `refuse` asks for; "" where no one value tells them apart."""
    if (rule.named.key, before.named.key) != ("refuse", "fail"):
        return ""
    for each in rule.wanted:
        if each.path is not None and each.how == "in" and each not in before.wanted:
            values = "|".join(map(re.escape, each.wanted))
            return (
                f'; exclude these events there with `{each.path} = {{ regex = "^(?!({values})$)" }}`,'
                f' and add a second `fail` with `lacks = "{each.path}"` for events without this value'
            )
    return ""


def _groups(protocol: Protocol) -> set[str] | None:
    """What a text may have; None where messages are no texts."""
    if protocol.events.format != "text":
        return None
    return {"type", *re.compile(protocol.events.pattern).groupindex}


def _no_group(wanted: Sequence[FieldTest], groups: set[str] | None) -> str:
    """Why a text never meets conditions: they ask for what the pattern does not take out of it."""
    if groups is None:
        return ""
    for each in wanted:
        if each.path is not None and each.path not in groups and each.how != "lacks":
            return f"`pattern` has no group named `{each.path}`"
    return ""
