"""What is compressed by us is what ``websockets`` reads, whatever the two sides agreed to."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from loadtest.speak.deflater import Deflater, negotiated
from loadtest.speak.frames import BINARY, CLOSE, DEFLATE_TAIL, PING, RSV1, TEXT, encode


class Both:
    """A compressor of ours and a server of ``websockets`` that agreed with it."""

    def __init__(self, *, takeover: bool = True, bits: int = 15) -> None:
        self.counted: list[tuple[int, int]] = []
        agreed = PerMessageDeflate(not takeover, not takeover, 15, bits)
        self.deflater = Deflater(agreed, lambda *sizes: self.counted.append(sizes))
        self.server = ServerProtocol(state=OPEN, max_size=None)
        self.server.extensions = [PerMessageDeflate(not takeover, not takeover, bits, 15)]

    def heard(self, frame: bytes) -> list[tuple[Opcode, bytes]]:
        self.server.receive_data(frame)
        assert self.server.parser_exc is None
        return [(each.opcode, bytes(each.data)) for each in self.server.events_received()]


def unmasked(frame: bytes) -> bytes:
    """The payload of a short frame."""
    mask, packed = frame[2:6], frame[6:]
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(packed))


@given(
    messages=st.lists(st.tuples(st.binary(max_size=400), st.sampled_from([TEXT, BINARY])), max_size=6),
    takeover=st.booleans(),
    bits=st.integers(9, 15),
)
def test_a_server_hears_every_message(
    messages: list[tuple[bytes, int]], bits: int, *, takeover: bool
) -> None:
    both = Both(takeover=takeover, bits=bits)
    for payload, opcode in messages:
        frame = both.deflater.encode(payload, opcode)
        assert both.heard(frame) == [(Opcode(opcode), payload)]
        assert bool(frame[0] & RSV1) is bool(payload)
    compressed = [payload for payload, _ in messages if payload]
    assert [size for size, _ in both.counted] == [len(each) for each in compressed]


def test_the_frames_are_counted_with_their_heads() -> None:
    both = Both()
    frame = both.deflater.encode(b"said again and again " * 50)
    assert both.counted == [(1_050, len(frame))]
    assert len(frame) < 100


def test_what_is_no_message_is_not_compressed() -> None:
    both = Both()
    for opcode in (PING, CLOSE):
        assert both.deflater.encode(b"\x03\xe8", opcode)[0] == 0x80 | opcode
    assert both.deflater.encode(b"")[:2] == encode(b"")[:2]
    assert both.counted == []


def test_contexts_are_taken_over_unless_the_target_says_no() -> None:
    text = bytes(range(256))
    kept, forgotten = Both(), Both(takeover=False)
    sizes = [[len(both.deflater.encode(text)) for _ in range(2)] for both in (kept, forgotten)]
    assert sizes[0][1] < sizes[0][0] // 4
    assert sizes[1][0] == sizes[1][1]


@pytest.mark.parametrize("bits", [9, 12, 15])
def test_no_message_refers_further_back_than_the_window(bits: int) -> None:
    """What a window of that size cannot reach is not repeated from it: zlib of that size alone reads all."""
    both = Both(bits=bits)
    block = bytes(zlib.crc32(str(n).encode()) & 0xFF for n in range(100))
    gap = bytes(zlib.crc32(f"gap {n}".encode()) & 0xFF for n in range(20_000))
    decoder = zlib.decompressobj(wbits=-bits)
    for payload in (block, gap, block):
        both.heard(both.deflater.encode(payload))
        assert both.server.parser_exc is None
    alone = Both(bits=bits)
    packed = unmasked(alone.deflater.encode(block))
    assert decoder.decompress(packed + DEFLATE_TAIL) == block


def test_what_was_agreed_is_found() -> None:
    agreed = PerMessageDeflate(False, False, 15, 15)
    assert negotiated([agreed]) is agreed
    assert negotiated([]) is None
