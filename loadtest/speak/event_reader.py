"""What an event says about itself: its type, its turn, its user, its number; found by the protocol's paths.

A ``msgspec`` struct made from the paths decodes only those fields: 0.3 us an event of 150 bytes, against
4.3 us for ``json.loads``. What does not fit the struct (a string where an object was expected) is read
again, slowly and with the same meaning. What a match asks for is a field of the struct as well; where a
path leads through an array, the whole payload is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from loadtest.plan.match import FieldTest, value_text
from loadtest.plan.protocol import FIELDS, Events
from loadtest.speak.event_match import Getter, finder, has_index, is_index, needs_whole
from loadtest.speak.event_rules import ASIDE, AUDIO, FAIL, REFUSE, Decide, EventRules, Rule

Scalar = str | int | float | bool | None
Number = str | int | float | None
"""What may stand where a sequence number is looked for: ``true`` is none, though Python takes it for 1."""

Fields = tuple[str | None, Scalar, Scalar, Scalar]
"""Type, turn, user and sequence of an event; None where no path holds a scalar. A type is text."""

UNREADABLE = (ValueError, RecursionError)
"""What decoding raises: ``msgspec``'s errors and ``UnicodeDecodeError`` are both of the first kind."""

RARE = FAIL | REFUSE | (ASIDE & ~AUDIO)
"""Flags of events that may be read slowly: what has an error where the others have nothing."""

# Slots that the hot loop reads directly: the first two paths of the type, the first of the others.
_SLOTS = {"type": ("t0", "t1"), "turn": ("r0",), "user": ("u0",), "sequence": ("s0",)}

MAX_PATTERN_TEXT = 4_096
"""Characters of a text that a pattern is held against: what it takes may grow faster than the text."""

MAX_DIGITS = 18
"""Digits of a sequence number in a text."""

_NO_FIELD = re.compile(r"[\"\\\x00-\x1f]")
"""What JSON escapes in a key: a struct has no field of such a name."""

_NO_SLOTS: dict[str, str] = {}


class Malformed(ValueError):  # noqa: N818 - a fact about a payload, not an error of ours
    """The payload is not a JSON object, nor an array where the protocol has paths into one."""


class Event(msgspec.Struct):
    """The slots every reader's struct has; the struct itself is made per protocol."""

    t0: Any = None
    t1: Any = None
    r0: Any = None
    u0: Any = None
    s0: Any = None


class DecodedEvent(Event):
    """An event of which everything is decoded: ``found`` is the object or array."""

    found: Any = None


class Reader:
    """Decodes payloads for one protocol; made once, shared by every connection of a process.

    ``decode(payload)`` returns a struct whose slots ``t0 t1 r0 u0 s0`` hold what the leading paths name,
    and raises one of ``UNREADABLE`` where the payload does not fit. ``fields(event)`` are its fields by all
    paths; ``more_type``, ``more_user`` and ``more_sequence`` find one field where its slots are empty, and
    are None for a protocol that has no further path. ``decide(event, type)`` gives an event's flags and word,
    and is None where its type alone decides; ``decider_of(rules)`` is the same by the rules of one kind of
    turn, of which ``of_kinds`` has all. ``read(payload)`` and ``fields_in`` need no struct. Both ways
    agree on every JSON object; of bytes that are none, the struct may pass over what it does not read.
    """

    __slots__ = (
        "_fields",
        "_getters",
        "_pattern",
        "arrays",
        "decide",
        "decider_of",
        "decode",
        "more_sequence",
        "more_type",
        "more_user",
    )

    decide: Decide | None
    decider_of: Callable[[EventRules], Decide]
    more_type: Getter | None
    more_user: Getter | None
    more_sequence: Getter | None
    _getters: tuple[Getter, ...]

    def __init__(
        self, events: Events, rules: EventRules | None = None, of_kinds: Sequence[EventRules] = ()
    ) -> None:
        rules = rules or EventRules(events)
        paths: dict[str, tuple[str, ...]] = {field: tuple(getattr(events, field)) for field in FIELDS}
        self._fields = tuple(tuple(finder(path) for path in paths[field]) for field in FIELDS)
        wanted = [each for one in (rules, *of_kinds) for of, _ in one.matches for each in of]
        wanted += [each for one in (rules, *of_kinds) for of in one.ledger for each in of]
        asked = [each.path for each in wanted if each.path is not None]
        every = [path for each in paths.values() for path in each]
        # A path that begins with a place leads into an array: then one may be a message of its own.
        self._pattern = re.compile(events.pattern) if events.format == "text" else None
        self.arrays = any(is_index(path.partition(".")[0]) for path in (*every, *asked))
        if (
            self._pattern is not None
            or any(map(has_index, every))
            or any(map(_NO_FIELD.search, (*every, *asked)))
            or any(map(needs_whole, wanted))
            or _leads_on(wanted, (*every, *asked))
        ):
            self._read_whole(rules)
        else:
            self._read_struct(paths, asked, rules, one_kind=not of_kinds)

    def _read_whole(self, rules: EventRules) -> None:
        self.decode: Callable[[bytes], Any] = self._decode_whole
        self._getters = tuple(attrgetter(slot) for slot in ("t0", "r0", "u0", "s0"))
        self.more_type = self.more_user = self.more_sequence = None
        self.decider_of = _of_found
        self.decide = _of_found(rules)

    def _decode_whole(self, payload: bytes) -> DecodedEvent:
        found = self.read(payload)
        kind, turn, user, sequence = self.fields_in(found)
        if isinstance(sequence, bool):
            raise Malformed("no number")
        return DecodedEvent(t0=kind, r0=turn, u0=user, s0=sequence, found=found)

    def _read_struct(
        self, paths: dict[str, tuple[str, ...]], asked: list[str], rules: EventRules, *, one_kind: bool
    ) -> None:
        tree = _tree([*(path for each in paths.values() for path in each), *asked])
        # A path that leads on ("data" beside "data.seq") holds an object, or nothing, in all that fits.
        ends = {field: [path for path in paths[field] if _is_end(tree, path)] for field in FIELDS}
        slots = _leading(ends)
        # What is rare among the events of one kind of turn may be usual among those of another.
        fields = frozenset(path for each in paths.values() for path in each)
        rare = _rare(rules, fields, tree) if one_kind else {}
        kinds: dict[str, Any] = dict.fromkeys(asked, Any) | dict.fromkeys(rare.values(), None)
        kinds |= dict.fromkeys((*paths["turn"], *paths["user"]), Scalar)
        kinds |= dict.fromkeys(paths["sequence"], Number)
        # A type that is no text, such as a number, is read slowly, which makes it one.
        kinds |= dict.fromkeys(paths["type"], str | None)
        struct, names = _struct(tree, slots, kinds)
        self.decode = msgspec.json.Decoder(struct).decode
        self._getters = tuple(_first_of([names[path] for path in ends[field]]) for field in FIELDS)
        self.more_type = _more(ends["type"], names, _SLOTS["type"])
        self.more_user = _more(ends["user"], names, _SLOTS["user"])
        self.more_sequence = _more(ends["sequence"], names, _SLOTS["sequence"])
        plain = not rules.ledger and len(rare) == len(rules.matches)
        self.decide = None if plain else rules.decider(lambda path: _at(names[path]), but=rare)
        self.decider_of = lambda other: other.decider(lambda path: _at(names[path]))

    def fields(self, event: Any) -> Fields:
        """Type, turn, user and sequence of a decoded event."""
        kind, turn, user, sequence = self._getters
        return kind(event), turn(event), user(event), sequence(event)

    def fields_in(self, found: Any) -> Fields:
        """Type, turn, user and sequence of a JSON object or array."""
        kind, turn, user, sequence = (first_present(found, each) for each in self._fields)
        return None if kind is None else value_text(kind), turn, user, sequence

    def turn_ids(self, found: Any) -> list[Scalar]:
        """Whatever stands at the paths of the turn in a JSON object or array."""
        turns = self._fields[FIELDS.index("turn")]
        ids = (first_present(found, [getter]) for getter in turns)
        return [each for each in ids if each is not None]

    def read(self, payload: bytes) -> Any:
        """The whole message in a payload; of a text, its groups.

        Raises:
            Malformed: the payload is not JSON, or not what messages of this protocol are.
        """
        if self._pattern is not None:
            return groups_of(self._pattern, payload)
        return decode_message(payload, arrays=self.arrays)


def _of_found(rules: EventRules) -> Decide:
    """Decides by what is decoded whole."""
    decide = rules.decider()
    return lambda event, kind: decide(event.found, kind)


def groups_of(pattern: re.Pattern[str], payload: bytes) -> dict[str, Any]:
    """The named groups of a text that the pattern fits from its beginning; none where it does not.

    Without a group "type" the text itself is the type. A "sequence" of digits is a number. Only the first
    ``MAX_PATTERN_TEXT`` characters are looked at.
    """
    text = payload[: 4 * MAX_PATTERN_TEXT].decode("utf-8", "replace")[:MAX_PATTERN_TEXT]
    match = pattern.match(text)
    found: dict[str, Any] = {} if match is None else match.groupdict()
    number = found.get("sequence")
    if number is not None and number.isdecimal() and len(number) <= MAX_DIGITS:
        found["sequence"] = int(number)
    return {"type": text} | {name: value for name, value in found.items() if value is not None}


def decode_message(payload: bytes, *, arrays: bool = False) -> Any:
    """The JSON object in ``payload``, or the array if ``arrays`` may be messages.

    Raises:
        Malformed: it is not JSON in UTF-8, or no message, or nested too deeply to read.
    """
    try:
        found = msgspec.json.decode(payload)
    except UNREADABLE as error:
        raise Malformed(str(error)) from error
    if not isinstance(found, (dict, list) if arrays else dict):
        raise Malformed("not a JSON object")
    return found


def first_present(found: Any, getters: Sequence[Getter]) -> Scalar:
    """The scalar that the first of the getters finds one at."""
    for getter in getters:
        value = getter(found)
        if isinstance(value, (str, int, float)):
            return value
    return None


def _leads_on(wanted: Iterable[FieldTest], paths: Sequence[str]) -> bool:
    """Whether a value is asked for where another path leads on: a struct only knows of an object there."""
    valued = {each.path for each in wanted if each.path is not None and each.how not in {"has", "lacks"}}
    return any(path.startswith(f"{each}.") for each in valued for path in paths)


def _rare(rules: EventRules, fields: frozenset[str], tree: Mapping[str, Any]) -> dict[Rule, str]:
    """The rules that hold of no ordinary event, each with a path at which ordinary events have nothing.

    The struct takes nothing but null there, so that an event which has something is read slowly; whatever
    fits the struct does not fit the rule, and costs nothing.
    """
    others = [each for of in rules.ledger for each in of]
    others += [each for of, flag in rules.matches if not flag & RARE for each in of]
    common = {each.path for each in others} | fields
    found: dict[Rule, str] = {}
    for rule in rules.matches:
        paths = (each.path for each in rule[0] if each.how == "has" and each.path is not None)
        path = next((each for each in paths if each not in common and _is_end(tree, each)), None)
        if rule[1] & RARE and path is not None:
            found[rule] = path
    return found


def _is_end(tree: Mapping[str, Any], path: str) -> bool:
    """Whether no other path leads on from ``path``."""
    return not finder(path)(tree)


def _leading(paths: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Which top-level path goes to which slot: only leading paths, so that their order keeps its meaning."""
    slots: dict[str, str] = {}
    for field, names in _SLOTS.items():
        for name, path in zip(names, paths[field], strict=False):
            if "." in path or path in slots:
                break
            slots[path] = name
    return slots


def _tree(paths: Any) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for key in path.split("."):
            node = node.setdefault(key, {})
    return root


def _struct(
    tree: Mapping[str, Any], slots: Mapping[str, str], kinds: Mapping[str, Any]
) -> tuple[type[msgspec.Struct], dict[str, str]]:
    """The struct type for a tree of keys, and the attribute path of every dotted key.

    ``kinds`` says what may stand at the dotted keys that lead no further.
    """
    names: dict[str, str] = {}
    fields: list[tuple[str, Any, Any]] = []
    rename: dict[str, str] = {}
    for number, (key, below) in enumerate(tree.items()):
        attribute = slots.get(key, f"f{number}")
        rename[attribute] = key
        names[key] = attribute
        if not below:
            fields.append((attribute, kinds[key], None))
            continue
        deeper = {
            path.removeprefix(f"{key}."): kind for path, kind in kinds.items() if path.startswith(f"{key}.")
        }
        inner, inner_names = _struct(below, _NO_SLOTS, deeper)
        fields.append((attribute, inner | None, None))
        names.update({f"{key}.{path}": f"{attribute}.{name}" for path, name in inner_names.items()})
    # A slot no path leads to is named by a noncharacter; should one come, it fits no None and is read slowly.
    for unused in Event.__struct_fields__[: 0 if slots is _NO_SLOTS else None]:
        if unused not in rename:
            rename[unused] = f"\uffff{unused}"
            fields.append((unused, None, None))
    return msgspec.defstruct("Event", fields, rename=rename, gc=False), names


def _more(paths: Sequence[str], names: Mapping[str, str], slots: Sequence[str]) -> Getter | None:
    """Finds a field by the paths that its slots do not hold; None if they hold them all."""
    further = [names[path] for path in paths if names[path] not in slots]
    return _first_of(further) if further else None


def _first_of(names: Sequence[str]) -> Getter:
    """Finds the first of some attribute paths that is not None."""
    getters = tuple(_at(name) for name in names)
    if len(getters) == 1:
        return getters[0]

    def find(event: Any) -> Any:
        for getter in getters:
            value = getter(event)
            if value is not None:
                return value
        return None

    return find


def _at(name: str) -> Getter:
    """Finds what stands at an attribute path; None where an object on the way is absent."""
    first, _, others = name.partition(".")
    if not others:
        return attrgetter(first)
    below = _at(others)

    def walk(event: Any) -> Any:
        node = getattr(event, first)
        return None if node is None else below(node)

    return walk
