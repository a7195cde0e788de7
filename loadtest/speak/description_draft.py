"""A protocol drafted from a description, which says what messages there are, not in which order they come.

What follows from the description is written; what it cannot say stands in comments, for who knows the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.plan.asyncapi import ApiDescription, ApiMessage
from loadtest.plan.capture import CapturedFrame
from loadtest.plan.match import value_text
from loadtest.plan.mix import MAX_KINDS
from loadtest.secret_names import SENT_KEY
from loadtest.speak.capture_draft import TYPE_NAMES
from loadtest.speak.captured_message import CapturedMessage, Leaves, template
from loadtest.speak.draft_toml import rows_text, toml_key, toml_text

_READY = re.compile(
    r"welcome|hello|connected|ready|established|session.?(created|started)|_ack$", re.IGNORECASE
)
_ERROR = re.compile(r"error|fail|reject|denied|forbidden|unauthori[sz]ed", re.IGNORECASE)
_LAST = re.compile(r"done|complet|end(ed)?$|finish|final|answer|result|response|repl(y|ied)", re.IGNORECASE)
_CONTENT = re.compile(r"delta|chunk|token|partial|content", re.IGNORECASE)
_PING, _PONG = (re.compile(word, re.IGNORECASE) for word in (r"ping|heart.?beat$", r"pong|heart.?beat"))
_ID = re.compile(r"id|.*([_-]id|Id|ID|[_-]?(ref|nonce|seq))|correlation", re.ASCII)
_KIND = re.compile(r"[^A-Za-z0-9_-]+")

MAX_ROWS = 50

SECRET_VALUE = "CHANGE-ME"  # noqa: S105 - what stands in its place


@dataclass(frozen=True, slots=True)
class Described:
    """The draft: the text of a protocol by its name, and rows of data as TOML, or ""."""

    api: ApiDescription
    drafter: _DescriptionDrafter

    def protocol(self, name: str) -> str:
        """The protocol's text."""
        return "\n".join(self.drafter.lines(name)) + "\n"

    @property
    def data(self) -> str:
        """What stood in the examples of the message that opens a turn."""
        return rows_text(self.drafter.rows) if self.drafter.rows else ""


def described(api: ApiDescription) -> Described:
    """The draft of what a description says."""
    return Described(api, _DescriptionDrafter(api))


@dataclass(frozen=True, slots=True)
class _DescribedMessage:
    """A message with its examples decoded; ``kind`` is its type, where the examples have one."""

    name: str
    examples: tuple[CapturedMessage, ...]
    id_path: str
    kind: str | None = None

    @property
    def leaves(self) -> Leaves:
        """The scalars of the first example."""
        return self.examples[0].leaves


@dataclass(slots=True)
class _Events:
    """What the types of events are taken for."""

    ready: list[str] = field(default_factory=list)
    fail: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    end: list[str] = field(default_factory=list)
    beats: dict[str, str] = field(default_factory=dict)


class _DescriptionDrafter:
    """Reads one description; ``rows`` are what stood in the gaps of the turn's message."""

    def __init__(self, api: ApiDescription) -> None:
        self._api = api
        received = [_decoded(each, inward=True) for each in api.received]
        self._type = _type_path(received)
        self._received = [_typed(each, self._type) for each in received]
        sent = [_decoded(each, inward=False) for each in api.sent]
        own = self._type or _type_path(sent)
        self._sent = [_typed(each, own) for each in sent]
        self._events = self._sorted()
        openers = [each for each in self._sent if not self._is_pong(each)] or self._sent
        # What is answered, by the description, comes first.
        self._openers = sorted(openers, key=lambda each: each.name not in api.replies)
        self._turn_paths = self._paths_of_id(self._id_path(self._openers[0]))
        self.rows: list[dict[str, str]] = []
        self._message = self._template(self._openers[0], with_data=True)

    # ------------------------------------------------------------------ what is what

    def _is_pong(self, message: _DescribedMessage) -> bool:
        return bool(self._events.beats) and _PONG.search(message.kind or message.name) is not None

    def _sorted(self) -> _Events:
        """The types of events by what their names say."""
        found = _Events()
        rest: list[str] = []
        for each in self._received:
            if each.kind is None:
                continue
            pong = self._pong_to(each.kind)
            if pong:
                found.beats[each.kind] = pong
            elif _ERROR.search(each.kind):
                found.fail.append(each.kind)
            elif _READY.search(each.kind):
                found.ready.append(each.kind)
            else:
                rest.append(each.kind)
        found.end = self._ends(rest)
        found.first = [each for each in rest if each not in found.end and _CONTENT.search(each)]
        return found

    def _pong_to(self, kind: str) -> str:
        """What is said to a heartbeat of the server's; "" where the type is none."""
        if not _PING.search(kind):
            return ""
        pongs = [each for each in self._sent if _PONG.search(each.kind or each.name)]
        return template(pongs[0].examples[0], {}) if pongs else ""

    def _ends(self, kinds: list[str]) -> list[str]:
        """The types that end a turn: the replies that are described, those called so, or the only one."""
        answers = {name for names in self._api.replies.values() for name in names}
        replies = [each.kind for each in self._received if each.name in answers and each.kind in kinds]
        named = [each for each in kinds if _LAST.search(each)]
        return [each for each in replies if each is not None] or named or (kinds if len(kinds) == 1 else [])

    def _id_path(self, message: _DescribedMessage) -> str:
        """The path of the id by which answers are known; "" where none is found."""
        paths = [message.id_path, *filter(_may_be_id, message.leaves)]
        return next((path for path in paths if path in message.leaves and self._paths_of_id(path)), "")

    def _paths_of_id(self, path: str) -> list[str]:
        """Where events have what stands at a path of a message: where they say so, or under the same key."""
        if not path:
            return []
        key = path.rpartition(".")[2]
        described = [each.id_path for each in self._received if each.id_path in each.leaves]
        found = described or [
            each for message in self._received for each in message.leaves if each.rpartition(".")[2] == key
        ]
        return list(dict.fromkeys(found))[:3]

    def _template(self, message: _DescribedMessage, *, with_data: bool) -> str:
        """The text of a message, with its id, and with what differs between examples, as placeholders."""
        path = self._id_path(message) if self._turn_paths else ""
        gaps = {path: "turn.id"} if path else {}
        shown = message.examples[0]
        secret = [path for path in shown.leaves if SENT_KEY.fullmatch(path.rpartition(".")[2])]
        instead = dict.fromkeys((path for path in secret if path not in gaps), SECRET_VALUE)
        if with_data:
            columns = _columns(message, {*gaps, *instead})
            gaps |= {path: f"data.{column}" for path, column in columns.items()}
            rows = [
                {column: value_text(each.leaves.get(path)) for path, column in columns.items()}
                for each in message.examples[:MAX_ROWS]
                if columns
            ]
            self.rows = list({json.dumps(row, sort_keys=True): row for row in rows}.values())
        return template(shown, gaps, instead)

    # ------------------------------------------------------------------ as TOML

    def lines(self, name: str) -> Iterator[str]:
        """The protocol, line by line."""
        title = " ".join(self._api.title.split()) or "without a title"
        yield f"# The protocol of {name}, drafted from a description ({title}). It contains the"
        yield "# messages, but not their order: read each comment, and correct what is wrong."
        yield "#"
        yield f"# Check it:      loadtest protocols check {name}.protocol.toml"
        yield f"# Try it:        loadtest try {name}.toml"
        for note in self._api.notes:
            yield f"# To look at:    {' '.join(note.split())}"
        yield f"name = {toml_text(name)}"
        yield from self._connect_lines()
        yield ""
        yield "[turn]"
        yield f"message = {toml_text(self._message)}    # {_plain(self._openers[0].name)}"
        yield from self._event_lines()
        yield from self._kind_lines()

    def _connect_lines(self) -> Iterator[str]:
        yield ""
        yield "[connect]"
        if self._events.ready:
            yield "# If one of these comes first, wait for it, and remove it from `ignore`:"
            yield f"# ready = [ {{ wait = {{ type = {toml_text(self._events.ready[0])} }} }} ]"
        else:
            yield "# If the server greets first, wait for that before anything is sent:"
            yield '# ready = [ { wait = { type = "welcome" } } ]'
        if self._events.beats:
            yield "heartbeat = ["
            for kind, text in self._events.beats.items():
                yield f"  {{ on = {{ type = {toml_text(kind)} }}, send = {toml_text(text)} }},"
            yield "]"

    def _event_lines(self) -> Iterator[str]:
        events = self._events
        yield ""
        yield "[events]"
        if self._type:
            yield f"type = [{toml_text(self._type)}]"
        if self._turn_paths:
            yield f"turn = [{', '.join(map(toml_text, self._turn_paths))}]"
        else:
            yield '# The answers have no id of their message. If they do, write: turn = ["id"]'
            yield 'match = "order"'
        if events.first:
            yield f"first = {_listed(events.first)}"
        if events.end:
            yield "# By their names, or because there are no others, these events end a turn:"
            yield f"end = {_listed(events.end)}"
        else:
            yield "# The description does not say what ends a turn. If an event does, write its type instead:"
            yield '# end = ["completed"]'
            yield "count = 1                  # the first answer"
        fails = ", ".join([*map(toml_text, events.fail), '{ has = "error" }'])
        yield f"fail = [{fails}]"
        if events.ready:
            yield f"ignore = {_listed(events.ready)}"
        if known := [each.kind for each in self._received if each.kind is not None]:
            yield f"# All types that are described: {_plain(', '.join(known))}"

    def _kind_lines(self) -> Iterator[str]:
        """What else a client may send, each as a kind of turn."""
        used: set[str] = set()
        # A mix has no more kinds than this.
        for each in self._openers[1:MAX_KINDS]:
            name = _KIND.sub("-", each.kind or each.name).strip("-")[:32] or "other"
            if name in used:
                continue
            if not used:
                yield ""
                yield "# Other messages of a client; `mix` of [traffic] says how often each is sent."
            used.add(name)
            yield f"[turns.{toml_key(name)}]"
            yield f"message = {toml_text(self._template(each, with_data=False))}"


def _listed(kinds: Sequence[str]) -> str:
    return f"[{', '.join(map(toml_text, kinds))}]"


def _plain(text: str) -> str:
    """A text that cannot end its comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _decoded(message: ApiMessage, *, inward: bool) -> _DescribedMessage:
    examples = tuple(
        CapturedMessage(CapturedFrame(0, inward, _payload(each).encode("utf-8", "surrogatepass")))
        for each in message.examples
    )
    return _DescribedMessage(message.name, examples, message.id_path)


def _payload(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _typed(message: _DescribedMessage, path: str) -> _DescribedMessage:
    value = message.leaves.get(path)
    kind = value_text(value) if isinstance(value, str) and value else None
    return _DescribedMessage(message.name, message.examples, message.id_path, kind)


def _type_path(messages: Sequence[_DescribedMessage]) -> str:
    """The path at which messages have their type: called so, in most of them, and each another one."""

    def values(path: str) -> list[object]:
        return [each.leaves[path] for each in messages if isinstance(each.leaves.get(path), str)]

    for name in TYPE_NAMES:
        there = values(name)
        if there and len(there) * 2 >= len(messages) and len({*map(str, there)}) == len(there):
            return name
    return ""


def _may_be_id(path: str) -> bool:
    return _ID.fullmatch(path.rpartition(".")[2]) is not None


def _columns(message: _DescribedMessage, taken: Container[str]) -> dict[str, str]:
    """The paths whose values differ between examples, or that are text of a person; each with its column."""
    columns: dict[str, str] = {}
    for path, value in message.leaves.items():
        values = {value_text(each.leaves.get(path)) for each in message.examples}
        prose = isinstance(value, str) and " " in value.strip()
        if path in taken or not (len(values) > 1 or prose):
            continue
        name = re.sub(r"[^A-Za-z0-9_]+", "_", path.rpartition(".")[2]).strip("_")[:40] or "value"
        columns[path] = name if name not in columns.values() else re.sub(r"[^A-Za-z0-9_]+", "_", path)[:80]
    return columns
