"""What a codec costs: an event from the bytes of a read to the message, beside the library alone.

    python -m benchmarks.codecs            the table, in CPU time; best of seven interleaved rounds
    python -m benchmarks.codecs --write    and put it into docs/performance.md

An event of about 130 bytes, 100 a read, each in a frame. Plain JSON is the frame parser without a codec. The
library alone reads the same frames in the same rounds, so that what else the machine does meets both alike.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import cast

import cbor2
import msgpack
from engineio.packet import Packet as EnginePacket
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from socketio.packet import Packet as SocketPacket

from benchmarks.page import DOCS, table, write_table
from loadtest.plan.descriptor_set import descriptors_of
from loadtest.plan.framing import CodecChoice, Framing
from loadtest.plan.protocol import Protocol
from loadtest.speak.codec.codec import Frame
from loadtest.speak.codec.coded_frames import CodedFrameParser
from loadtest.speak.codec.factory import codec_of
from loadtest.speak.codec.json_values import compact
from loadtest.speak.frames import FrameParser
from tests.descriptors import descriptor_set, field, written

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
TABLE = "codecs"


def _descriptors() -> bytes:
    """The event as Protocol Buffers have it."""
    file = FileDescriptorProto(name="bench.proto", package="bench", syntax="proto3")
    fields = [
        field("type", 1, "text"),
        field("run_id", 2, "text"),
        field("seq", 3, "int64"),
        field("text", 4, "text"),
    ]
    file.message_type.add(name="Event", field=fields)
    return descriptor_set(file, imports=False)


DESCRIPTORS = written(_descriptors())
PROTO_EVENT = GetMessageClass(descriptors_of(DESCRIPTORS["base64"]).pool.FindMessageTypeByName("bench.Event"))


def _packet(head: int, body: bytes) -> bytes:
    return bytes((head, len(body) & 0x7F | 0x80, len(body) >> 7)) + body


def _hub(content: bytes) -> bytes:
    return bytes((len(content) & 0x7F | 0x80, len(content) >> 7)) + content


FRAMES: dict[str, tuple[Protocol, Frame, Frame]] = {
    "[framing] split": (Protocol(name="", framing=Framing(split="\n")), "", TEXT + "\n"),
    "socketio": (Protocol(name="", codec=CodecChoice(name="socketio")), "", f'42["event",{TEXT}]'),
    "msgpack": (Protocol(name="", codec=CodecChoice(name="msgpack")), "", msgpack.packb(EVENT)),
    "cbor": (Protocol(name="", codec=CodecChoice(name="cbor")), "", cbor2.dumps(EVENT)),
    "protobuf": (
        Protocol(
            name="",
            codec=CodecChoice(
                name="protobuf",
                settings={"descriptors": DESCRIPTORS, "send": "bench.Event", "receive": "bench.Event"},
            ),
        ),
        "",
        PROTO_EVENT(**EVENT).SerializeToString(),
    ),
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
    "twilio": (
        Protocol(name="", codec=CodecChoice(name="twilio")),
        "",
        compact({"event": "media", "streamSid": f"MZ{0:032x}", "media": {"payload": "/w==" * 20}}),
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
    "cbor": ("cbor2", lambda frame: cbor2.loads(cast("bytes", frame))),
    "protobuf": ("protobuf", lambda frame: MessageToDict(PROTO_EVENT.FromString(frame))),
    "signalr": ("json", lambda frame: json.loads(frame[:-1])),
    "signalr, MessagePack": ("msgpack", lambda frame: msgpack.unpackb(frame[2:])),
    "twilio": ("json", json.loads),
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


def told(found: dict[str, float], load: tuple[float, float]) -> str:
    """The table, and how busy the machine was."""
    head = [
        "from a read to a message",
        "us an event",
        "events per CPU-second",
        "the library alone, payloads only",
        "times the library",
    ]
    rows = []
    for name, cost in found.items():
        if name.endswith(" alone"):
            continue
        library = LIBRARIES.get(name, ("", None))[0]
        alone = found.get(f"{name}: {library} alone")
        beside = ["–", "–"] if alone is None else [f"{library}: {alone:.2f} us", f"{cost / alone:.1f}"]
        rows.append([name, f"{cost:.2f}", f"{1e6 / cost:,.0f}", *beside])
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"{table(head, rows)}\n\nTaken on {today}, best of {ROUNDS} interleaved rounds in one process, on"
        f" {os.cpu_count()} cores; the load was {load[0]:.1f} before and {load[1]:.1f} after."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codecs", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args(arguments)
    before = os.getloadavg()[0]
    found = measured()
    text = told(found, (before, os.getloadavg()[0]))
    sys.stdout.write(f"{text}\n")
    if options.write:
        write_table(TABLE, text, DOCS / "performance.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
