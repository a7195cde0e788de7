"""The messages of a file that turns send in chunks: made once a process, shared by all its users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loadtest.plan.chunks import CHUNK_NAMES, Chunks
from loadtest.plan.template import Template, base64_text

Payload = bytes | memoryview
"""A message; a view goes out in a binary frame."""

IDS = frozenset({"turn.id", "uuid"})


class ChunkStream:
    """The messages of the chunks of one file, ``count`` of them, one every ``every_ns``.

    What a message has of its chunk is coded and escaped when the first turn sends it, and never again. Where
    no more than the id of a turn is missing then, it is joined into it; ``template`` None: chunks are
    binary frames, of which none is ever copied before it is one.
    """

    __slots__ = ("_around", "_bound", "_id_is_uuid", "_pieces", "count", "every_ns", "template")

    def __init__(self, chunks: Chunks, *, id_is_uuid: bool) -> None:
        self.count = chunks.count
        self.every_ns = chunks.every_ns
        self.template = Template.parse(chunks.message) if chunks.message else None
        self._pieces = chunks.pieces()
        self._id_is_uuid = id_is_uuid
        # By chunk: the text around the gaps that all take the id of the turn; nothing where it has others.
        self._around: dict[int, tuple[bytes, ...]] = {}
        self._bound: dict[int, Template] = {}

    @property
    def asked(self) -> frozenset[str]:
        """The names that its messages ask for, but for those of the chunk."""
        return frozenset() if self.template is None else self.template.names.difference(CHUNK_NAMES)

    def payload(self, place: int, turn_id: str, values: Callable[[], Mapping[str, Any]]) -> Payload:
        """The message of the chunk at ``place``, of a turn; ``values`` are asked for where it needs them."""
        if self.template is None:
            return self._pieces[place]
        around = self._around.get(place)
        if around is None:
            around = self._around[place] = self._bind(place, self.template)
        if around:
            return turn_id.encode().join(around)
        return self._bound[place].render(values()).encode("utf-8", "surrogateescape")

    def _bind(self, place: int, template: Template) -> tuple[bytes, ...]:
        """What a message is around the id of its turn; nothing where that is not all it asks for."""
        at_ms = place * self.every_ns // 1_000_000
        piece = bytes(self._pieces[place])
        known = (base64_text(piece), str(place), str(at_ms))
        bound = template.bind(dict(zip(CHUNK_NAMES, known, strict=True)))
        if not bound.slots:
            return (bound.render({}).encode("utf-8", "surrogateescape"),)
        around = bound.around(IDS) if self._id_is_uuid else None
        if around is None:
            self._bound[place] = bound
        return around or ()
