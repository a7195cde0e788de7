"""What a codec costs: an event from the bytes of a read to the message, beside the library alone.

    python -m benchmarks.codecs            the table, in CPU time; best of seven interleaved rounds

An event of about 130 bytes, 100 a read, each in a frame. Plain JSON is the frame parser without a codec.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import msgpack
from engineio.packet import Packet as EnginePacket
from socketio.packet import Packet as SocketPacket

from loadtest.plan.framing import CodecChoice, Framing
from loadtest.plan.protocol import Protocol
from loadtest.speak.codec.codec import Frame
from loadtest.speak.codec.coded_frames import CodedFrameParser
from loadtest.speak.codec.factory import codec_of
from loadtest.speak.codec.json_values import compact
from loadtest.speak.frames import FrameParser

EVENT = {
    "type": "partial_result",
    "run_id": "0b5f3c1a-5a1e-4d0b-8000-00000000002a",
    "seq": 7,
    "text": "word " * 8,
}
TEXT = compact(EVENT)
READ = 100
ROUNDS = 7
READS = 60
MAX_SIZE = 1 << 20


def _packet(head: int, body: bytes) -> bytes:
    return bytes((head, len(body) & 0x7F | 0x80, len(body) >> 7)) + body


def _hub(content: bytes) -> bytes:
    return bytes((len(content) & 0x7F | 0x80, len(content) >> 7)) + content


FRAMES: dict[str, tuple[Protocol, Frame, Frame]] = {
    "[framing] split": (Protocol(name="", framing=Framing(split="\n")), "", TEXT + "\n"),
    "socketio": (Protocol(name="", codec=CodecChoice(name="socketio")), "", f'42["event",{TEXT}]'),
    "msgpack": (Protocol(name="", codec=CodecChoice(name="msgpack")), "", msgpack.packb(EVENT)),
    "signalr": (
        Protocol(name="", codec=CodecChoice(name="signalr")),
        "{}\x1e",
        f'{{"type":2,"invocationId":"7","item":{TEXT}}}\x1e',
    ),
    "signalr, MessagePack": (
        Protocol(name="", codec=CodecChoice(name="signalr", settings={"protocol": "messagepack"})),
        "{}\x1e",
        _hub(msgpack.packb([2, {}, "7", EVENT])),
    ),
    "mqtt": (
        Protocol(name="", codec=CodecChoice(name="mqtt")),
        "",
        _packet(0x30, b"\0\x03a/b" + TEXT.encode()),
    ),
    "stomp": (
        Protocol(name="", codec=CodecChoice(name="stomp")),
        "",
        f"MESSAGE\nsubscription:0\ndestination:/topic/a\nmessage-id:7\n\n{TEXT}\0",
    ),
}
"""What is spoken, what comes first, and the frame of an event."""

LIBRARIES: dict[str, tuple[str, Callable[[Frame], object]]] = {
    "[framing] split": ("json", json.loads),
    "socketio": (
        "python-socketio",
        lambda frame: SocketPacket(encoded_packet=EnginePacket(encoded_packet=frame).data),
    ),
    "msgpack": ("msgpack", msgpack.unpackb),
}
"""What reads the same frames in Python: the library alone, frames of the socket not included."""


def _wire(frame: Frame) -> bytes:
    """A frame as a server sends it."""
    content = frame.encode() if isinstance(frame, str) else frame
    head = 0x81 if isinstance(frame, str) else 0x82
    size = bytes((len(content),)) if len(content) < 126 else b"\x7e" + len(content).to_bytes(2, "big")
    return bytes((head,)) + size + content


def _parser(protocol: Protocol, first: Frame) -> FrameParser:
    named = codec_of(protocol)
    assert named is not None
    parser = CodedFrameParser(MAX_SIZE, (), codec=named.make(), name=named.name, answer=lambda *_: None)
    parser.receive(_wire(first) if first else b"")
    return parser


def _reading(parser: FrameParser, frame: Frame) -> Callable[[], int]:
    read = _wire(frame) * READ
    assert len(parser.receive(read)) == READ
    return lambda: sum(len(parser.receive(read)) for _ in range(READS))


def _calling(decode: Callable[[Frame], object], frame: Frame) -> Callable[[], int]:
    return lambda: sum(decode(frame) is not None for _ in range(READS * READ))


def measured() -> dict[str, float]:
    """Microseconds of CPU time an event takes, by what reads it."""
    work = {"plain JSON": _reading(FrameParser(MAX_SIZE), TEXT)}
    for name, (protocol, first, frame) in FRAMES.items():
        work[name] = _reading(_parser(protocol, first), frame)
        if name in LIBRARIES:
            library, decode = LIBRARIES[name]
            work[f"{name}: {library} alone"] = _calling(decode, frame)
    best = dict.fromkeys(work, float("inf"))
    for _ in range(ROUNDS):
        for name, does in work.items():
            begun = time.process_time()
            events = does()
            best[name] = min(best[name], 1e6 * (time.process_time() - begun) / events)
    return best


def main() -> None:
    found = measured()
    print("| from a read to a message | us an event | events per CPU-second | the library alone |")
    print("|---|--:|--:|---|")
    for name, cost in found.items():
        if " alone" in name:
            continue
        alone = next((other for other in found if other.startswith(f"{name}: ")), None)
        told = (
            "–"
            if alone is None
            else f"{alone.partition(': ')[2].removesuffix(' alone')}: {found[alone]:.2f} us"
        )
        print(f"| {name} | {cost:.2f} | {1e6 / cost:,.0f} | {told} |")


if __name__ == "__main__":
    main()
