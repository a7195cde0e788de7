"""A protocol drafted from a capture: what a reader of its messages would guess, to be corrected.

Every guess follows from what is there: a value of a message of ours that comes back is its id, a path with
few short values that every event has is the type, a value that only the last event of each turn has its end.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.match import PRESENCE, TESTS, TYPE, value_text
from loadtest.plan.template import PLACEHOLDER
from loadtest.secret_names import SENT_KEY
from loadtest.speak.captured_message import (
    LONE,
    SECRET,
    CapturedMessage,
    Leaves,
    Scalar,
    found_placeholder,
    secret_name,
    template,
)
from loadtest.speak.captured_wire import CapturedWire
from loadtest.speak.event_match import ABSENT, finder
from loadtest.speak.kept_secrets import HIDDEN

Condition = str | dict[str, Scalar]
"""A match of the draft: a type, or one value at one path."""

MAX_ROWS = 50
LONGEST_VALUE = 64
MAX_TYPES = 40

TYPE_NAMES = ("type", "event", "op", "method", "kind", "action", "msg_type", "cmd", "command", "t", "topic")
"""Keys under which types mostly stand, the most usual first."""

NO_TYPE_NAMES = frozenset({"text", "content", "message", "data", "delta", "name", "title", "id"})
"""Keys whose values may be few and short without being types."""

NO_PATHS = frozenset({*PRESENCE, *TESTS, TYPE})
"""Keys that mean something else in a MATCH."""

_PING = re.compile(r"ping|heart.?beat|keep.?alive|^hb$", re.IGNORECASE)
_PONG = re.compile(r"pong|heart.?beat|keep.?alive|ack|^hb$", re.IGNORECASE)
_ERROR = re.compile(r"error|fail|reject|denied|forbidden|unauthori[sz]ed", re.IGNORECASE)
_LAST = re.compile(r"done|complet|end|finish|final|stop|result", re.IGNORECASE)
_CONTENT = re.compile(r"delta|chunk|token|partial|content|text|message", re.IGNORECASE)
_USER = re.compile(r"(user|client|account|login|e?mail)([_-]?(id|name|email))?", re.IGNORECASE)
_NO_NAME = re.compile(r"[^A-Za-z0-9_]+")
_DIGITS = re.compile(r"[0-9]*")
_ID = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{8,}")
"""What may be an id, or a part of one, within a text: a long word with a digit."""

MAX_BETWEEN = 4
"""Messages in which the answer to a ping is looked for: others may come before it."""

SHORT_PONG = 64
"""Characters of an answer that may be one to a ping."""


class DraftedBeat(NamedTuple):
    """A heartbeat of the draft: what is heard, and what is said."""

    on: Condition
    send: str


@dataclass(slots=True)
class Draft:
    """What a capture tells of its protocol.

    ``ready`` are the steps until the first turn: what is waited for (a condition) or sent (a text), with the
    values to keep of the first kind. ``message`` is the template of a turn, ``rows`` what stood in its gaps,
    ``identity`` what stood where a message names its user, by column.
    ``turn_id`` is the template of their ids, where a text would not do.
    ``good_types`` are those of the events of turns that did not end with an error.
    ``count`` is how many events a turn has, where nothing else ends it. ``think_ns`` is how long the client
    waited after each turn before the next, if it always waited; ``took_ns`` how long each turn that was
    answered took, to its last event. ``notes`` are for who corrects it.
    """

    json: bool = True
    split: str = ""
    codec: str = ""
    turn_id: str = ""
    type: list[str] = field(default_factory=list)
    turn: list[str] = field(default_factory=list)
    sequence: str = ""
    sequence_start: int = 0
    ready: list[tuple[Condition | None, str, dict[str, str]]] = field(default_factory=list)
    heartbeat: list[DraftedBeat] = field(default_factory=list)
    message: str = ""
    rows: list[dict[str, str]] = field(default_factory=list)
    identity: dict[str, str] = field(default_factory=dict)
    first: list[Condition] = field(default_factory=list)
    end: list[Condition] = field(default_factory=list)
    fail: list[Condition] = field(default_factory=list)
    ignore: list[Condition] = field(default_factory=list)
    has_errors: bool = False
    good_types: frozenset[str | None] = frozenset()
    count: int | None = None
    think_ns: list[int] = field(default_factory=list)
    took_ns: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def draft(frames: Iterable[CapturedFrame], wire: CapturedWire | None = None) -> Draft:
    """What the messages of one connection, both ways and in order, tell of its protocol.

    ``wire`` says what is known of them where a codec reads them.
    """
    made = _Drafter(frames, wire or CapturedWire(())).draft()
    made.notes += _told_secrets(made)
    return made


class _Turn(NamedTuple):
    """A message of ours and the events that answer it, by their place in the capture."""

    message: CapturedMessage
    events: list[CapturedMessage]


class _Drafter:
    """Reads one capture."""

    def __init__(self, frames: Iterable[CapturedFrame], wire: CapturedWire) -> None:
        self._wire = wire
        # A message without content says nothing that a protocol could send.
        every = map(CapturedMessage, frames)
        self._messages = [each for each in every if each.inward or each.text.strip()]
        self._inward = [each for each in self._messages if each.inward]
        self._result = Draft(
            json=any(each.found is not None for each in self._inward),
            split=wire.split,
            codec=wire.codec,
            fail=list(wire.fails),
            notes=list(wire.notes),
        )
        # What the target said of itself before the first turn.
        self._early: list[CapturedMessage] = []
        # What belongs to heartbeats, by place in the capture.
        self._beats: set[int] = set()
        # Where a value came last that may be an id; a number in JSON may come back as text.
        self._last_seen: dict[str, int] = {}
        # What may be an id in a message of ours: nothing that has it is alike in two turns.
        self._our_ids = {
            found for each in self._messages if not each.inward for found in _ID.findall(each.text)
        }
        # The types of what came.
        self._kinds: set[str | None] = set()

    def draft(self) -> Draft:
        result = self._result
        result.type = list(self._wire.types) or (_type_paths(self._inward) if result.json else [])
        for each in self._messages:
            each.kind = self._kind_of(each)
        self._kinds = {each.kind for each in self._inward}
        self._last_seen = {
            value_text(value): at
            for at, each in enumerate(self._messages)
            if each.inward
            for path, value in each.leaves.items()
            if path not in result.type and _may_be_id(value)
        }
        self._find_heartbeats()
        sends = [at for at, each in enumerate(self._messages) if not each.inward and at not in self._beats]
        chosen = self._choose_messages(sends)
        if not chosen:
            result.notes.append(
                "the capture contains no message of a turn: write `message` of [turn] yourself",
            )
            return result
        id_path = self._find_id(chosen)
        self._draft_ready(chosen[0])
        self._draft_message([self._messages[at] for at in chosen], id_path)
        turns, others = self._turns(chosen, id_path)
        self._draft_end(turns)
        self._draft_think(turns)
        self._draft_first(turns)
        self._draft_sequence(turns)
        self._draft_others(turns, others)
        return result

    # ------------------------------------------------------------------ types and heartbeats

    def _kind_of(self, message: CapturedMessage) -> str | None:
        if not self._result.json:
            short = 0 < len(message.text) <= LONGEST_VALUE and HIDDEN not in message.text
            return message.text if short and not self._has_our_id(message.text) else None
        for path in self._result.type:
            value = message.leaves.get(path)
            if value is not None:
                return value_text(value)
        return None

    def _has_our_id(self, text: str) -> bool:
        """Whether a text repeats what may be an id of a message of ours."""
        return any(found in self._our_ids for found in _ID.findall(text))

    def _condition(self, message: CapturedMessage) -> Condition | None:
        """What tells a message from others: its type, or how a text begins."""
        if message.kind is not None:
            return message.kind
        if not self._result.json and message.text and not message.text.startswith(HIDDEN):
            return {"prefix": _beginning(message.text)}
        return None

    def _find_heartbeats(self) -> None:
        """An event named so, and the short message that answers it."""
        known: dict[str, DraftedBeat] = {}
        for at, event in enumerate(self._messages):
            reply_at = self._reply_to(at)
            if event.kind is not None and reply_at is not None:
                known.setdefault(event.kind, DraftedBeat(event.kind, self._answer(event, reply_at)))
                self._beats |= {at, reply_at}
        self._result.heartbeat = list(known.values())
        self._beats |= {at for at, each in enumerate(self._messages) if each.inward and each.kind in known}

    def _reply_to(self, at: int) -> int | None:
        """Where the answer to a heartbeat stands; None where the message is none, or has no answer."""
        event = self._messages[at]
        if not event.inward or event.kind is None:
            return None
        later = range(at + 1, min(at + 1 + MAX_BETWEEN, len(self._messages)))
        place = next((place for place in later if not self._messages[place].inward), None)
        if place is None or place in self._beats:
            return None
        at_once = place == at + 1 and _is_ping(event, self._messages[place])
        return place if at_once or _is_late_pong(event, self._messages[place]) else None

    def _answer(self, event: CapturedMessage, reply_at: int) -> str:
        """What was said, with what it repeats of the event as placeholders."""
        reply = self._messages[reply_at]
        values = {
            value: path
            for path, value in event.leaves.items()
            if path not in self._result.type and not isinstance(value, bool) and value not in (None, "")
            if HIDDEN not in value_text(value)
        }
        gaps = {path: f"event.{values[value]}" for path, value in reply.leaves.items() if value in values}
        return self._written(reply, gaps)

    def _written(self, message: CapturedMessage, gaps: Mapping[str, str]) -> str:
        """As ``template``; of a text that it cannot give as it was, that is noted."""
        text = template(message, gaps)
        if message.found is None and found_placeholder(message.text):
            self._result.notes.append(
                f"the text {found_placeholder(message.text)} looks like a placeholder, so the draft sends it"
                " with a space after the brace"
            )
        return text

    # ------------------------------------------------------------------ which messages are turns

    def _choose_messages(self, sends: Sequence[int]) -> list[int]:
        """The places of the messages that open turns: of one shape, and answered with their own id if any."""
        shapes: dict[object, list[int]] = {}
        for at in sends:
            shapes.setdefault(self._shape(self._messages[at]), []).append(at)
        if not shapes:
            return []

        def rank(places: list[int]) -> tuple[bool, int, int]:
            answered = [at for at in places if at + 1 < len(self._messages)]
            return bool(answered) and self._find_id(places) is not None, len(places), places[0]

        return max(shapes.values(), key=rank)

    def _shape(self, message: CapturedMessage) -> object:
        """What messages of one kind have in common."""
        if message.found is None:
            return _beginning(message.text)
        named = tuple(
            (name, value)
            for name in (*TYPE_NAMES, *self._result.type)
            if isinstance(value := message.leaves.get(name), str)
        )
        return frozenset(message.leaves), named

    def _find_id(self, places: Sequence[int]) -> str | None:
        """The path in messages of ours whose value is another each time and comes back in what follows."""
        messages = [self._messages[at] for at in places]
        for path in (*self._wire.ids, *_ids_first(messages[0].leaves)):
            values = [each.leaves.get(path) for each in messages]
            if self._is_type(path, values):
                continue
            if len(set(map(repr, values))) == len(values) and all(
                self._comes_back(value, at) for value, at in zip(values, places, strict=True)
            ):
                return path
        return None

    def _is_type(self, path: str, values: Iterable[Scalar]) -> bool:
        """Whether messages of ours say at a path what they are, though it be another each time."""
        named = path.rpartition(".")[2].lower() in TYPE_NAMES
        return path in self._result.type or (named and self._kinds.issuperset(map(value_text, values)))

    def _comes_back(self, value: Scalar, at: int) -> bool:
        """Whether an event after a message repeats a value of it that may be an id."""
        return _may_be_id(value) and self._last_seen.get(value_text(value), -1) > at

    # ------------------------------------------------------------------ ready steps and the message

    def _draft_ready(self, until: int) -> None:
        """What came and went before the first turn, heartbeats aside: of what came in a row, the last."""
        steps = self._result.ready
        waiting: CapturedMessage | None = None
        for at, each in enumerate(self._messages[:until]):
            if at in self._beats:
                continue
            if each.inward and each.leaves.get("type") in self._wire.told:
                self._early.append(each)
                continue
            if each.inward:
                waiting = each
                continue
            self._wait_for(waiting, steps)
            waiting = None
            steps.append((None, self._sent_text(each), {}))
        self._wait_for(waiting, steps)

    def _wait_for(
        self, message: CapturedMessage | None, steps: list[tuple[Condition | None, str, dict[str, str]]]
    ) -> None:
        condition = None if message is None else self._condition(message)
        if message is None:
            return
        if condition is None:
            self._result.notes.append(
                "a message before the first turn has no type, so the draft does not wait for it",
            )
            return
        steps.append((condition, "", self._kept(message)))

    def _kept(self, message: CapturedMessage) -> dict[str, str]:
        """Values of a message that ours repeat later, by a name of their own."""
        ours = {
            _known_by(path, value)
            for each in self._messages
            if not each.inward
            for path, value in each.leaves.items()
        } - {""}
        return {
            _column(path): path
            for path, value in message.leaves.items()
            if path not in self._result.type and _known_by(path, value) in ours
        }

    def _known(self) -> dict[str, str]:
        """The values that ready steps keep, by themselves, with the placeholder of each."""
        known: dict[str, str] = {}
        steps = iter(self._result.ready)
        for condition, _, kept in steps:
            heard = next((each for each in self._inward if self._condition(each) == condition), None)
            if heard is not None:
                known |= {
                    _known_by(path, heard.leaves[path]): f"ready.{name}"
                    for name, path in kept.items()
                    if path in heard.leaves
                }
        return known

    def _sent_text(self, message: CapturedMessage) -> str:
        known = self._known()
        gaps = {
            path: known[_known_by(path, value)]
            for path, value in message.leaves.items()
            if _known_by(path, value) in known
        }
        gaps |= self._users_of(message, gaps)
        secret = {
            path: secret_name(path)
            for path, value in message.leaves.items()
            if path not in gaps and _is_secret(path, [value])
        }
        return self._written(message, gaps | secret)

    def _users_of(self, message: CapturedMessage, gaps: Mapping[str, str]) -> dict[str, str]:
        """The paths at which a message names its user, each with a column of the identities."""
        named = {
            path: _column(path)
            for path, value in message.leaves.items()
            if path not in gaps and _USER.fullmatch(path.rpartition(".")[2]) and _may_be_id(value)
        }
        known = self._result.identity
        found = {}
        for path, column in named.items():
            text = value_text(message.leaves[path])
            if known.setdefault(column, text) == text:
                found[path] = f"user.{column}"
        return found

    def _draft_message(self, messages: list[CapturedMessage], id_path: str | None) -> None:
        """The first message of a turn, with gaps where others differ."""
        result = self._result
        if messages[0].found is None:
            self._draft_text(messages)
            return
        known = self._known()
        gaps: dict[str, str] = {}
        for path, value in messages[0].leaves.items():
            values = {value_text(each.leaves.get(path)) for each in messages}
            if id_path is not None and _are_same(path, id_path, messages):
                gaps[path] = "turn.id"
            elif len(values) == 1 and _known_by(path, value) in known:
                gaps[path] = known[_known_by(path, value)]
            elif _is_secret(path, [each.leaves.get(path) for each in messages]):
                gaps[path] = secret_name(path)
            elif any(HIDDEN in each for each in values):
                # In one text that all have, `template` writes the placeholder where the secret was.
                gaps |= {path: secret_name(path)} if len(values) > 1 else {}
            elif len(values) > 1 or (len(messages) == 1 and _is_prose(value)):
                gaps[path] = f"data.{_free_column(path, gaps)}"
        gaps |= self._users_of(messages[0], gaps)
        if id_path is not None and not isinstance(messages[0].leaves[id_path], str):
            # Numbers that rise, and are none of those that ready steps may have used.
            result.turn_id = "1{turn.number}"
        result.message = template(messages[0], gaps)
        columns = {path: name.removeprefix("data.") for path, name in gaps.items() if name[:5] == "data."}
        if columns:
            rows = [
                {name: self._row_text(each.leaves.get(path)) for path, name in columns.items()}
                for each in messages[:MAX_ROWS]
            ]
            result.rows = list({json.dumps(row, sort_keys=True): row for row in rows}.values())
        if id_path is None:
            result.notes.append(
                "no value of a message comes back in its answers, so the draft matches events by order"
            )

    def _row_text(self, value: Scalar) -> str:
        """A value as a row holds it."""
        text, lone = LONE.subn("\ufffd", value_text(value))
        if lone:
            self._result.notes.append(
                "a text in `data` contained half of a character; the draft has it without that half"
            )
        return text

    def _draft_text(self, messages: Sequence[CapturedMessage]) -> None:
        """Of texts, what they have in common at both ends, with one gap between; of secrets, the first."""
        texts = [each.text for each in messages]
        first = texts[0]
        if secret := next((each for each in messages if HIDDEN in each.text), None):
            self._result.message = self._written(secret, {})
            return
        if len(set(texts)) == 1 and not PLACEHOLDER.search(first):
            self._result.message = first
            return
        head = _common(texts)
        tail = _common([text[len(head) :][::-1] for text in texts])[::-1]
        if PLACEHOLDER.search(f"{head} {tail}"):
            # What looks like a placeholder is none of ours: only a value can hold it.
            head = tail = ""
        rows = [text[len(head) : len(text) - len(tail)] for text in texts[:MAX_ROWS]]
        self._result.message = f"{head}{{data.text}}{tail}"
        self._result.rows = [{"text": text} for text in dict.fromkeys(rows)]

    # ------------------------------------------------------------------ turns and what ends them

    def _turns(self, chosen: Sequence[int], id_path: str | None) -> tuple[list[_Turn], list[CapturedMessage]]:
        """The turns with their events, and the events after the first message that are of no turn."""
        turns = [_Turn(self._messages[at], []) for at in chosen]
        start = chosen[0]
        events = [
            (at, each)
            for at, each in enumerate(self._messages)
            if at > start and each.inward and at not in self._beats
        ]
        others: list[CapturedMessage] = []
        if id_path is not None:
            ids = {value_text(turn.message.leaves[id_path]): turn for turn in turns}
            by_codec = id_path in self._wire.ids
            self._result.turn = (
                [id_path]
                if by_codec
                else _turn_paths([each for _, each in events], ids.keys(), self._result.type)
            )
        for at, each in events:
            if id_path is None:
                asked = turns[bisect_left(chosen, at) - 1]
                (others if _is_heartbeat_in(asked, each) else asked.events).append(each)
                continue
            named = (each.leaves.get(path) for path in self._result.turn)
            turn = next((ids[text] for value in named if (text := value_text(value)) in ids), None)
            (others if turn is None else turn.events).append(each)
        return turns, others

    def _draft_end(self, turns: list[_Turn]) -> None:
        """What only the last event of each turn has; else how many events each turn has."""
        result = self._result
        answered = [turn for turn in turns if turn.events]
        if not answered:
            result.notes.append("no event answers a message: write `end` yourself")
            return
        if len(answered) < len(turns):
            result.notes.append(f"{len(turns) - len(answered)} of {len(turns)} messages have no answer")
        good = [turn for turn in answered if not _is_error(turn.events[-1])]
        for turn in answered:
            last = turn.events[-1]
            if _is_error(last) and last.kind is not None and last.kind not in result.fail:
                result.fail.append(last.kind)
        sizes = {len(turn.events) for turn in good}
        result.good_types = frozenset(_kinds(good))
        if not good:
            result.notes.append("every turn of the capture ends with an error: write `end` yourself")
        elif sizes != {1} or len(set(_kinds(good))) > 1 or _LAST.search(good[0].events[0].kind or ""):
            self._draft_last(good, sizes)
        else:
            result.count = 1
        errors = any(each.leaves.get("error") is not None or "error" in _keys(each) for each in self._inward)
        result.has_errors = result.json and (not errors or not good or not _keys_of(good) & {"error"})

    def _draft_think(self, turns: list[_Turn]) -> None:
        """How long turns took, and from the end of each to the next; none where a client did not wait."""
        gaps = [
            after.message.at_ns - before.events[-1].at_ns
            for before, after in pairwise(turns)
            if before.events
        ]
        if min(gaps, default=-1) >= 0:
            self._result.think_ns = gaps
        self._result.took_ns = [turn.events[-1].at_ns - turn.message.at_ns for turn in turns if turn.events]

    def _draft_last(self, turns: list[_Turn], sizes: set[int]) -> None:
        lasts = [turn.events[-1] for turn in turns]
        earlier = [each for turn in turns for each in turn.events[:-1]]
        kinds = list(dict.fromkeys(each.kind for each in lasts))
        before = {each.kind for each in earlier}
        if None not in kinds and not before & set(kinds):
            self._result.end = [kind for kind in kinds if kind is not None]
            return
        condition = _only_last(lasts, earlier, self._has_our_id)
        if condition is not None:
            self._result.end = [condition]
        elif once := _once_each(turns):
            self._result.end = [once]
            self._result.notes.append(
                f"`{once}` comes once in each turn, but it is not the last event: check whether it ends the"
                " turn"
            )
        elif len(sizes) == 1:
            self._result.count = next(iter(sizes))
        else:
            self._result.notes.append("the last event of a turn looks like the others: write `end` yourself")

    def _draft_first(self, turns: list[_Turn]) -> None:
        """Events that come several times in a turn are its content; else those that are called so."""
        kinds = [each.kind for turn in turns for each in turn.events if each.kind is not None]
        ends = {each for each in (*self._result.fail, *self._result.end) if isinstance(each, str)}
        inner = [kind for kind in dict.fromkeys(kinds) if kind not in ends]
        often = [
            kind
            for kind in inner
            if any(sum(each.kind == kind for each in turn.events) > 1 for turn in turns)
        ]
        named = [kind for kind in inner if _CONTENT.search(kind)]
        self._result.first = list((named or often)[:4])

    def _draft_sequence(self, turns: list[_Turn]) -> None:
        """A number that counts the events of each turn from the same beginning; a few may lack it."""
        longest = max(turns, key=lambda turn: len(turn.events))
        paths = dict.fromkeys(path for each in longest.events for path in each.leaves)
        for path in paths:
            numbers = [found for turn in turns if (found := _numbers_at(path, turn))]
            most = max(map(len, numbers), default=0)
            begins = {found[0] for found in numbers}
            counted = all(found == list(range(found[0], found[0] + len(found))) for found in numbers)
            # Of one turn alone, a number may count all events of the connection.
            alone = len(turns) == 1 and not begins <= {0, 1}
            if most >= 3 and most * 2 >= len(longest.events) and len(begins) == 1 and counted and not alone:
                self._result.sequence, self._result.sequence_start = path, begins.pop()
                return

    def _draft_others(self, turns: list[_Turn], others: list[CapturedMessage]) -> None:
        """Events of no turn, whose types no turn has: a broadcast, an acknowledgement."""
        ours = {each.kind for turn in turns for each in turn.events}
        kinds = dict.fromkeys(each.kind for each in (*self._early, *others) if each.kind is not None)
        self._result.ignore = [kind for kind in kinds if kind not in ours]
        self._result.notes += [
            f"`{kind}` looks like a heartbeat, but the client did not answer it, so the draft has it in"
            " `ignore`; if the target needs an answer, write a `heartbeat` in [connect]"
            for kind in kinds
            if kind not in ours and _PING.search(kind)
        ]
        if any(each.kind is None or each.kind in ours for each in others):
            self._result.notes.append("some events have no id of a turn: the report counts them as unmatched")


# ---------------------------------------------------------------- what may be a type, an id, an end


def _type_paths(messages: Sequence[CapturedMessage]) -> list[str]:
    """The path at which most events have a type; and the next, where that has none."""
    found: list[str] = []
    left = [each for each in messages if each.leaves]
    while left and len(found) < 2:
        path = _type_path(left, len(messages))
        if path is None:
            break
        found.append(path)
        left = [each for each in left if each.leaves.get(path) is None]
    return found


def _type_path(messages: Sequence[CapturedMessage], of: int) -> str | None:
    values: dict[str, list[Scalar]] = {}
    for each in messages:
        for path, value in each.leaves.items():
            values.setdefault(path, []).append(value)
    ranked = [
        (rank, -len(there), len(path.split(".")), path)
        for path, there in values.items()
        if (rank := _type_rank(path, there, len(messages))) is not None and len(there) * 2 > min(of, 4) - 2
    ]
    return min(ranked)[-1] if ranked else None


def _type_rank(path: str, values: Sequence[Scalar], of: int) -> int | None:
    """How likely types stand at a path, 0 the most; None: they do not."""
    texts = {value_text(value) for value in values}
    short = all(
        isinstance(value, str | int) and not isinstance(value, bool) and _is_word(value_text(value))
        for value in values
    )
    if not short or len(texts) > MAX_TYPES:
        return None
    key = path.rpartition(".")[2].lower()
    if key in TYPE_NAMES:
        # A number of its own in each message is one that counts.
        return None if len(texts) == len(values) > 3 else TYPE_NAMES.index(key)
    if key in NO_TYPE_NAMES:
        return None
    is_text = all(isinstance(value, str) for value in values)
    repeated = 1 < len(texts) <= max(of // 2, 2)
    return len(TYPE_NAMES) if is_text and repeated and len(values) == of and of > 2 else None


def _is_word(text: str) -> bool:
    short = 0 < len(text) <= LONGEST_VALUE and not any(map(str.isspace, text))
    return short and HIDDEN not in text and not LONE.search(text)


def _is_ping(event: CapturedMessage, reply: CapturedMessage) -> bool:
    """Whether an event is a heartbeat, and a message its answer."""
    kind = event.kind or ""
    if _PING.search(kind):
        return len(reply.text) <= SHORT_PONG or _PONG.search(reply.text[:SHORT_PONG]) is not None
    # Engine.IO says 2 and hears 3.
    return (event.text, reply.text) == ("2", "3")


def _is_late_pong(event: CapturedMessage, reply: CapturedMessage) -> bool:
    """Whether a message answers a heartbeat that others came after."""
    named = _PING.search(event.kind or "") is not None
    return named and _PONG.search(reply.text[:SHORT_PONG]) is not None


def _is_heartbeat_in(turn: _Turn, event: CapturedMessage) -> bool:
    """Whether an event is a heartbeat that came while a turn went on, and not what the turn asked for."""
    named = _PING.search(event.kind or "") is not None
    return named and not _PING.search(turn.message.text[:SHORT_PONG])


def _numbers_at(path: str, turn: _Turn) -> list[Any]:
    """What the events of a turn have at a path where they have anything; [] where that is no whole number."""
    found = [each.leaves[path] for each in turn.events if path in each.leaves]
    return found if all(type(each) is int for each in found) else []


def _known_by(path: str, value: Scalar) -> str:
    """What tells that a value comes again: itself, or the name of its key where it was taken out; else ""."""
    if value == HIDDEN:
        name = path.rpartition(".")[2]
        return "" if name.isdigit() else f"{HIDDEN} {name.lower()}"
    return value_text(value) if _may_be_id(value) else ""


def _may_be_id(value: Scalar) -> bool:
    """A number, or a word: not one that anything may have."""
    if isinstance(value, bool) or value is None:
        return False
    return isinstance(value, int) or (isinstance(value, str) and _is_word(value))


def _are_same(path: str, id_path: str, messages: Sequence[CapturedMessage]) -> bool:
    """Whether a path has the id of each message, as the one does at which it was found."""
    return all(repr(each.leaves.get(path)) == repr(each.leaves.get(id_path)) for each in messages)


def _ids_first(leaves: Leaves) -> list[str]:
    """The paths that may hold an id, those first that are called so."""

    def rank(path: str) -> tuple[bool, int]:
        key = path.rpartition(".")[2].lower()
        return not key.endswith(("id", "ref", "nonce", "seq")), len(path.split("."))

    return sorted((path for path, value in leaves.items() if _may_be_id(value)), key=rank)


def _turn_paths(events: Sequence[CapturedMessage], ids: Iterable[str], types: Container[str]) -> list[str]:
    """The paths at which events have the id of a message, the most usual first."""
    wanted = set(ids)
    found: Counter[str] = Counter()
    for each in events:
        found.update(
            path for path, value in each.leaves.items() if path not in types and value_text(value) in wanted
        )
    best = [path for path, _ in found.most_common()]
    paths: list[str] = []
    left = list(events)
    for path in best:
        others = [each for each in left if value_text(each.leaves.get(path)) not in wanted]
        if len(others) < len(left):
            paths.append(path)
            left = others
    return paths[:3]


def _is_error(message: CapturedMessage) -> bool:
    """Whether an event says that something went wrong."""
    return _ERROR.search(message.kind or "") is not None or finder("error")(message.found) not in (
        None,
        ABSENT,
        False,
        "",
    )


def sounds_wrong(payload: bytes) -> str:
    """The type of a message, where it sounds like an error; else "", also where it is no JSON object."""
    found = CapturedMessage(CapturedFrame(0, True, payload)).leaves
    kinds = (found[name] for name in TYPE_NAMES if name in found)
    return next((kind for kind in kinds if isinstance(kind, str) and _ERROR.search(kind)), "")[:LONGEST_VALUE]


def _keys(message: CapturedMessage) -> set[str]:
    return set(message.found) if isinstance(message.found, dict) else set()


def _keys_of(turns: Iterable[_Turn]) -> set[str]:
    """The keys of the events of good turns whose value is not null."""
    return {
        key for turn in turns for each in turn.events for key in _keys(each) if each.found[key] is not None
    }


def _kinds(turns: Iterable[_Turn]) -> list[str | None]:
    return [each.kind for turn in turns for each in turn.events]


def _only_last(
    lasts: Sequence[CapturedMessage], earlier: Sequence[CapturedMessage], is_of_one: Callable[[str], bool]
) -> Condition | None:
    """One value at one path that every last event has and no earlier one; what is called so comes first.

    ``is_of_one`` says of a value that it can be of one turn alone.
    """
    candidates = []
    for path, value in lasts[0].leaves.items():
        word = isinstance(value, bool) or _is_word(value_text(value))
        if value is None or path in NO_PATHS or not word or is_of_one(value_text(value)):
            continue
        everywhere = all(each.leaves.get(path) == value for each in lasts)
        if everywhere and not any(each.leaves.get(path) == value for each in earlier):
            named = _LAST.search(path) is not None or _LAST.search(value_text(value)) is not None
            candidates.append((not named, not isinstance(value, bool), len(path.split(".")), path, value))
    if not candidates:
        return None
    *_, path, value = min(candidates, key=lambda each: each[:4])
    return {path: value}


def _once_each(turns: Sequence[_Turn]) -> str | None:
    """A type that is called an end and comes once in each turn."""
    found: list[str] = []
    for kind in dict.fromkeys(_kinds(turns)):
        if kind and _LAST.search(kind):
            times = [sum(each.kind == kind for each in turn.events) for turn in turns]
            found += [kind] if set(times) == {1} else []
    return next(iter(found), None)


# ---------------------------------------------------------------- templates


def _is_secret(path: str, values: Iterable[Scalar]) -> bool:
    """Whether a key names a secret, and a message has one there."""
    named = SENT_KEY.fullmatch(path.rpartition(".")[2]) is not None
    return named and any(not isinstance(each, bool) and each not in (None, "") for each in values)


def _told_secrets(made: Draft) -> list[str]:
    """Which environment variables hold what was taken out, as a note."""
    texts = (made.message, *(text for _, text, _ in made.ready), *(beat.send for beat in made.heartbeat))
    found = dict.fromkeys(each[2] for text in texts for each in PLACEHOLDER.finditer(text))
    names = [each.removeprefix(SECRET) for each in found if each.startswith(SECRET)]
    return [
        f"the draft has {{secret.{each}}} in place of a secret: set the environment variable {each}, or keep"
        " the value that the target sends"
        for each in names
    ]


def _is_prose(value: Scalar) -> bool:
    """Whether a text is one that a person wrote."""
    return isinstance(value, str) and " " in value.strip()


def _column(path: str) -> str:
    """The last key of a path as the name of a value."""
    return _NO_NAME.sub("_", path.rpartition(".")[2]).strip("_")[:40] or "value"


def _free_column(path: str, gaps: Mapping[str, str]) -> str:
    """As ``_column``; with the key before it where the name is taken."""
    name = _column(path)
    taken = set(gaps.values())
    return name if f"data.{name}" not in taken else _NO_NAME.sub("_", path)[:80]


def _beginning(text: str) -> str:
    """How a text of its kind begins: its digits, or its first letters up to what differs."""
    digits = _DIGITS.match(text)
    if digits is not None and digits[0]:
        return digits[0][:4]
    return re.split(r"[\s\[{(:,=\"]", text, maxsplit=1)[0][:16] or text[:1]


def _common(texts: Sequence[str]) -> str:
    """The longest beginning that all have."""
    shortest, longest = min(texts), max(texts)
    size = next(
        (at for at, (one, other) in enumerate(zip(shortest, longest, strict=False)) if one != other),
        min(len(shortest), len(longest)),
    )
    return shortest[:size]
