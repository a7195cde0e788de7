"""How many bytes messages are on the wire, and in which frames: by the codec itself."""

from __future__ import annotations

from collections.abc import Iterable

from loadtest.plan.frame_limits import MAX_MESSAGE_BYTES
from loadtest.plan.protocol import Protocol
from loadtest.speak.codec.coded_frames import CodedFrameParser, UnsendableError
from loadtest.speak.codec.factory import codec_of
from loadtest.speak.frames import BINARY, TEXT
from loadtest.units import format_bytes


def sent_size(protocol: Protocol, texts: Iterable[str]) -> str:
    """The payload of the frames that messages become, in words: "421 B of binary".

    Where the codec can make no frames of these examples it is the size of the messages, and says so.

    Raises:
        ConfigError: there is no such codec, or it does not take its settings.
    """
    opcode = BINARY if protocol.turn.encoding == "binary" else TEXT
    payloads = [text.encode("utf-8", "surrogateescape") for text in texts]
    written = sum(map(len, payloads))
    codec = codec_of(protocol)
    if codec is None:
        return f"{format_bytes(written)} of {protocol.turn.encoding}"
    sent: list[tuple[int, int]] = []

    def weigh(payload: bytes | memoryview, kind: int) -> bytes:
        sent.append((len(payload), kind))
        return b""

    parser = CodedFrameParser(
        MAX_MESSAGE_BYTES, (), codec=codec.make(), name=codec.name, answer=lambda *_: None, frame=weigh
    )
    try:
        for payload in payloads:
            parser.encode(payload, opcode)
    except UnsendableError:
        return f"{format_bytes(written)} of JSON, before the codec {codec.name} encodes it"
    kinds = {kind for _, kind in sent}
    words = " and ".join(word for kind, word in ((TEXT, "text"), (BINARY, "binary")) if kind in kinds)
    return f"{format_bytes(sum(size for size, _ in sent))} of {words}"
