"""Records in frames: several to a frame, or one over several; prefixes, batches, binary frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from typing_extensions import override

from loadtest.plan.framing import Framing
from loadtest.speak.codec.codec import Codec, Frame, Unreadable
from loadtest.speak.codec.unfinished import Unfinished

_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode


class FramingCodec(Codec):
    """The codec of a protocol with [framing]: what a frame holds is cut, and stays what it is."""

    takes_text = True

    def __init__(self, framing: Framing) -> None:
        super().__init__()
        self._framing = framing
        self._split = framing.split.encode()
        self._prefix = framing.prefix.encode()
        self._rest = Unfinished()

    @override
    def decode(self, frame: Frame) -> Iterator[Any]:
        if isinstance(frame, bytes) and self._framing.binary:
            yield {"type": "binary", "size": len(frame)}
            return
        for record in self._records(frame if isinstance(frame, bytes) else frame.encode()):
            if not record.startswith(self._prefix):
                yield Unreadable(f"a record does not begin with the prefix {self._framing.prefix!r}")
                continue
            yield from self._messages(record[len(self._prefix) :])

    def _records(self, data: bytes) -> list[bytes]:
        """The records that a frame ends; what separates nothing from nothing is a sign of life."""
        if not self._split:
            return [data]
        if self._framing.spans:
            whole = self._split in data
            *records, rest = self._rest.joined(data).split(self._split) if whole else (data,)
            self._rest.keep(rest)
            self.held = self._rest.held
        else:
            records = data.split(self._split)
        return [record for record in records if record]

    def _messages(self, record: bytes) -> Iterator[bytes | Unreadable]:
        if not self._framing.batch or record.lstrip()[:1] != b"[":
            yield record
            return
        try:
            batch = _batch(record)
        except (ValueError, RecursionError) as error:
            yield Unreadable(f"an array of messages: {error}")
        else:
            yield from map(bytes, batch)

    @override
    def encode(self, message: str) -> str:
        return f"{self._framing.prefix}{message}{self._framing.split}"
