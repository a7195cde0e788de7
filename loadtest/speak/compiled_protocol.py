"""A protocol with its templates parsed and its paths compiled; one a process, shared by all sessions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtest.plan.protocol import Match, Protocol
from loadtest.plan.template import Template, plain
from loadtest.plan.unmeasured import has_uuid
from loadtest.speak.event_rules import EventRules
from loadtest.speak.label_limit import LabelLimit
from loadtest.speak.reader import Malformed, Reader, Scalar, decode_object, first_present, value_at


@dataclass(frozen=True, slots=True)
class ReadyStep:
    """A step towards ready, its message parsed."""

    wait: Match | None
    send: Template | None
    pause_ns: int | None
    within_ns: int
    keep: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What to answer to an application heartbeat."""

    on: Match
    send: Template


class BoundMessage:
    """The message of one user, with all filled in that is the same in each turn.

    ``around`` is the text around the turn's id, where nothing else is to be filled: joining it costs 0.1 us,
    rendering 0.7.
    """

    __slots__ = ("around", "template")

    def __init__(self, template: Template, *, id_is_uuid: bool) -> None:
        self.template = template
        self.around = template.around(_IDS) if id_is_uuid else None


_IDS = frozenset({"turn.id", "uuid"})


class CompiledProtocol:
    """Everything about a protocol that a session needs while it runs.

    ``nonce`` makes turn ids unique to the run: ``{uuid}`` is drawn from it and the turn's number, so that the
    same run plan gives the same payloads however it is spread over processes. ``unix_offset_ns`` added to an
    instant of the run's clock is Unix time, for ``{now_ms}`` and ``{now_s}``. ``users`` is how many virtual
    users the whole run has (turns are numbered round them), 0 where that is not known. ``ids_name_users``:
    the id of a turn tells whose it is, also of turns of other processes. ``has_sequence``: events may carry
    sequence numbers. ``labels`` limits the names of types and keys that are counted.
    """

    __slots__ = (
        "_id_is_uuid",
        "_paths_of_type",
        "_paths_of_user",
        "_turn_id",
        "_unix_offset_ns",
        "_unkept",
        "_users",
        "_uuid",
        "_uuid_of_texts",
        "auth_errors",
        "by_order",
        "for_each_event",
        "has_sequence",
        "heartbeat",
        "ids_name_users",
        "keep_frames",
        "labels",
        "opaque",
        "reader",
        "rules",
        "sequence_start",
        "steps",
        "template",
        "timeout_ns",
    )

    def __init__(
        self,
        protocol: Protocol,
        *,
        message: str,
        nonce: str,
        timeout_ns: int,
        keep_frames: bool = True,
        unix_offset_ns: int = 0,
        users: int = 0,
    ) -> None:
        self.reader = Reader(protocol.events)
        self.rules = EventRules(protocol.events)
        reader = self.reader
        # In one look: the hot loop has as many lines before its first event as it needs for one.
        self.for_each_event = (
            reader.decode,
            reader.more_type,
            reader.more_user,
            reader.more_sequence,
            self.rules.flags,
            self.rules.default_flags,
        )
        self.labels = LabelLimit()
        self.opaque = protocol.events.format == "opaque"
        self.by_order = self.opaque or protocol.events.match == "order"
        self.auth_errors = frozenset(protocol.connect.auth_errors)
        self.steps = tuple(
            ReadyStep(step.wait, _parse(step.send), step.pause_ns, step.within_ns, step.keep)
            for step in protocol.connect.ready
        )
        self.heartbeat = tuple(
            Heartbeat(beat.on, Template.parse(beat.send)) for beat in protocol.connect.heartbeat
        )
        self.template = Template.parse(message)
        self.timeout_ns = timeout_ns
        self.keep_frames = keep_frames
        self.has_sequence = bool(protocol.events.sequence)
        self.sequence_start = protocol.events.sequence_start
        self._turn_id = Template.parse(protocol.turn.id)
        self._id_is_uuid = protocol.turn.id == "{uuid}"
        self.ids_name_users = users > 0 and has_uuid(protocol)
        self._users = users
        self._uuid = uuid_prefix(nonce)
        self._uuid_of_texts = uuid_prefix(f"{nonce} said")
        self._unix_offset_ns = unix_offset_ns
        self._unkept = {f"ready.{name}": "" for step in protocol.connect.ready for name in step.keep}
        self._paths_of_type = protocol.events.type
        self._paths_of_user = protocol.events.user

    def uuid(self, seq: int) -> str:
        """The ``{uuid}`` of turn ``seq``: in the form of RFC 9562 version 8, unique in the run."""
        return f"{self._uuid}{seq:012x}"

    def turn_id(self, seq: int, values: Mapping[str, Any], intended_ns: int) -> str:
        """The id of turn ``seq``; in it, now is the instant the turn is due."""
        if self._id_is_uuid:
            return f"{self._uuid}{seq:012x}"
        known = {**self._now(intended_ns), **values, "uuid": self.uuid(seq), "turn.number": seq}
        return self._turn_id.render(known)

    def owner_of(self, turn_id: object) -> int | None:
        """The virtual user whose turn of this run an id names; None: it does not tell."""
        if not self.ids_name_users or not isinstance(turn_id, str):
            return None
        _, found, rest = turn_id.partition(self._uuid)
        digits = rest[:12]
        if not found or not _NUMBER.fullmatch(digits):
            return None
        return int(digits, 16) % self._users

    def bind_message(self, values: Mapping[str, Any], kept: Mapping[str, str] | None) -> BoundMessage:
        """The message of one user."""
        return BoundMessage(self.template.bind({**values, **(kept or {})}), id_is_uuid=self._id_is_uuid)

    def payload(self, bound: BoundMessage, turn_id: str, seq: int, row: Mapping[str, Any]) -> bytes:
        """What opens turn ``seq`` of the user whose message is ``bound``."""
        if bound.around is not None:
            return turn_id.encode().join(bound.around)
        uuid = turn_id if self._id_is_uuid else self.uuid(seq)
        found = {"turn.id": turn_id, "turn.number": seq, "uuid": uuid}
        return bound.template.render({**row, **found} if row else found).encode()

    def render_text(
        self,
        template: Template,
        values: Mapping[str, Any],
        kept: Mapping[str, str] | None,
        *,
        user: int,
        nth: int,
        now_ns: int,
    ) -> str:
        """The ``nth`` text that this user says outside of turns: a ready step, the answer to a heartbeat.

        What no ready step has kept yet is an empty text.
        """
        known = {
            "uuid": f"{self._uuid_of_texts}{user & 0xFFFFFF:06x}{nth & 0xFFFFFF:06x}",
            **self._now(now_ns),
        }
        return template.render({**self._unkept, **known, **values, **(kept or {})})

    def _now(self, instant_ns: int) -> dict[str, str]:
        unix_ms = (instant_ns + self._unix_offset_ns) // 1_000_000
        return {"now_ms": str(unix_ms), "now_s": f"{unix_ms // 1000}.{unix_ms % 1000:03d}"}

    def object_in(self, payload: bytes) -> dict[str, Any]:
        """The JSON object in a payload; of anything else, an empty one."""
        try:
            return decode_object(payload)
        except Malformed:
            return {}

    def type_in(self, found: Mapping[str, Any]) -> Scalar:
        """The event type."""
        return first_present(found, self._paths_of_type)

    def user_in(self, found: Mapping[str, Any]) -> Scalar:
        """The user mark."""
        return first_present(found, self._paths_of_user)

    def matches(self, match: Match, found: Mapping[str, Any], kind: Scalar) -> bool:
        """Whether a message is what a step or a heartbeat waits for.

        Values are compared as text, and what is not text as JSON writes it: ``"true"``, ``"3"``. What is
        absent or null fits nothing.
        """
        for key, wanted in match.items():
            value = kind if key == "type" else value_at(found, key)
            if value is None or plain(value) != wanted:
                return False
        return True

    def values_to_keep(self, wanted: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, str]:
        """The values a ready step keeps, as ``ready.NAME``; what is absent is kept as an empty text."""
        values = {f"ready.{name}": value_at(found, path) for name, path in wanted.items()}
        return {name: "" if value is None else plain(value) for name, value in values.items()}


_NUMBER = re.compile(r"[0-9a-f]{12}")


def uuid_prefix(nonce: str) -> str:
    """The 24 leading characters of every ``{uuid}`` of a run."""
    digits = hashlib.sha256(nonce.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[12:15]}-8{digits[15:18]}-"


def _parse(text: str | None) -> Template | None:
    return None if text is None else Template.parse(text)
