"""The frame lane gives what ``websockets.ClientProtocol`` alone gives, however the bytes are split."""

from __future__ import annotations

import importlib.util
import itertools
import random
import sys
import time
import tracemalloc
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import ProtocolError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import WebSocketURI

from loadtest.plan.frame_limits import MAX_IDLE_FRAMES
from loadtest.speak import frames
from loadtest.speak.close_codes import NO_CLOSE_FRAME
from loadtest.speak.frames import BINARY, CLOSE, PING, TEXT, FrameParser, encode, encode_close

NOT_UTF8 = "a text message that is not UTF-8"
WIDE = 1 << 24


# ------------------------------------------------------------------ what websockets says


@dataclass
class Heard:
    """All that came of some bytes."""

    messages: list[bytes] = field(default_factory=list)
    replies: list[tuple[int, bytes]] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    closed: bool = False
    close_code: int = NO_CLOSE_FRAME
    broken: str | None = None


class Alone:
    """``ClientProtocol`` and what its own I/O layers add: messages are joined, text is decoded."""

    def __init__(self, max_size: int, extensions: list[Extension] | None = None) -> None:
        uri = WebSocketURI(False, "localhost", 80, "/", "")
        self.protocol = ClientProtocol(uri, state=OPEN, max_size=max_size)
        self.protocol.extensions = extensions or []
        self.heard = Heard()
        self.parts: list[bytes] = []
        self.text = False

    def feed(self, data: bytes) -> None:
        protocol, heard = self.protocol, self.heard
        protocol.receive_data(data)
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.PONG:
                heard.pongs.append(bytes(frame.data))
            elif frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                self.data_frame(frame)
        heard.replies += [unmasked(chunk) for chunk in protocol.data_to_send() if chunk]
        if protocol.close_rcvd is not None:
            heard.close_code = protocol.close_rcvd.code
        if protocol.parser_exc is not None:
            heard.broken = str(protocol.parser_exc)
        heard.closed = heard.broken is not None or protocol.close_rcvd is not None

    def data_frame(self, frame: Frame) -> None:
        self.parts.append(bytes(frame.data))
        if frame.opcode is not Opcode.CONT:
            self.text = frame.opcode is Opcode.TEXT
        if not frame.fin:
            return
        message = b"".join(self.parts)
        self.parts = []
        try:
            if self.text:
                message.decode()
        except UnicodeDecodeError:
            self.protocol.fail(CloseCode.INVALID_DATA, NOT_UTF8)
            self.heard.broken = NOT_UTF8
        else:
            self.heard.messages.append(message)


def unmasked(data: bytes) -> tuple[int, bytes]:
    """Opcode and payload of a whole, short client frame."""
    assert data[0] & 0xF0 == 0x80
    assert data[1] & 0x80
    size = data[1] & 0x7F
    start = 2
    if size >= 126:
        width = 2 if size == 126 else 8
        start += width
        size = int.from_bytes(data[2:start], "big")
    mask, payload = data[start : start + 4], data[start + 4 :]
    assert len(payload) == size
    return data[0] & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def heard_by(lane: FrameParser, chunks: list[bytes]) -> Heard:
    messages = [message for chunk in chunks for message in lane.receive(chunk)]
    replies = [unmasked(reply) for reply in lane.replies]
    return Heard(messages, replies, lane.pongs, lane.closed, lane.close_code, lane.broken)


# ------------------------------------------------------------------ what may come over a wire


def wire(
    head: int, payload: bytes, *, form: int = 0, masked: bool = False, declared: int | None = None
) -> bytes:
    """A server's frame; ``form`` 126 or 127 writes the length wider than it need be."""
    size = len(payload) if declared is None else declared
    mask_bit = 0x80 if masked else 0
    if form == 127 or size >= 65536:
        length = bytes([mask_bit | 127]) + (size & (2**64 - 1)).to_bytes(8, "big")
    elif form == 126 or size >= 126:
        length = bytes([mask_bit | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([mask_bit | size])
    return bytes([head]) + length + (b"\1\2\3\4" if masked else b"") + payload


SIZES = [0, 1, 2, 124, 125, 126, 127, 200, 300, 1000]
LIMITS = [10, 124, 125, 126, 150, 300, 65_535, 1 << 20]

payloads = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=10).map(str.encode),
    st.builds(
        lambda size, fill: (fill * size)[:size],
        st.sampled_from(SIZES),
        st.sampled_from([b"a", "ä€".encode()]),
    ),
)
heads = st.sampled_from([0x81, 0x82])
whole_messages = st.builds(wire, heads, payloads, form=st.sampled_from([0, 126, 127]))
controls = st.builds(wire, st.sampled_from([0x89, 0x8A]), st.binary(max_size=5))
close_codes = st.one_of(
    st.sampled_from([1000, 1001, 1005, 1006, 1008, 1011, 4001, 401]), st.integers(0, 65535)
)
closes = st.one_of(
    st.builds(
        lambda code, why: wire(0x88, code.to_bytes(2, "big") + why), close_codes, st.binary(max_size=4)
    ),
    st.builds(wire, st.just(0x88), st.binary(max_size=1)),
)
oddities = st.one_of(
    st.builds(
        wire,
        st.integers(0, 255),
        payloads,
        form=st.sampled_from([0, 126, 127]),
        masked=st.booleans(),
        declared=st.none()
        | st.sampled_from([0, 3, 126, 65536, 1 << 20, (1 << 20) + 1, 2**62, 2**63, 2**64 - 1]),
    ),
    st.binary(max_size=12),
)


@st.composite
def fragmented(draw: st.DrawFn) -> bytes:
    """One message in pieces, cut anywhere, also inside a character; control frames between them."""
    payload = draw(payloads)
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), min_size=1, max_size=4)))
    pieces = [payload[start:stop] for start, stop in itertools.pairwise([0, *cuts, len(payload)])]
    opcode = draw(st.sampled_from([TEXT, BINARY]))
    data = b""
    for index, piece in enumerate(pieces):
        last = index == len(pieces) - 1
        data += wire((0x80 if last else 0) | (opcode if index == 0 else 0), piece)
        if draw(st.booleans()) and not last:
            data += draw(controls)
    return data


pieces_of_talk = st.one_of(whole_messages, whole_messages, fragmented(), controls)
talks = st.builds(
    lambda talk, odd, rest: [*talk, *odd, *rest],
    st.lists(pieces_of_talk, max_size=8),
    st.lists(closes | oddities, max_size=2),
    st.lists(pieces_of_talk, max_size=2),
)


def split(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


# ------------------------------------------------------------------ the law


@settings(max_examples=2 * settings().max_examples)
@given(talks, st.lists(st.integers(0, 10_000), max_size=8), st.sampled_from(LIMITS))
@example([wire(0x81, b"a"), wire(0x81, b"\xff"), wire(0x89, b"p")], [], 1000)
@example([wire(0x01, b"a" * 80), wire(0x00, b"", declared=60)], [], 100)
@example([wire(0x83, b"", declared=100)], [], 1000)
def test_the_lane_hears_what_websockets_alone_hears(talk: list[bytes], places: list[int], limit: int) -> None:
    data = b"".join(talk)
    alone = Alone(limit)
    for at in range(len(data)):
        alone.feed(data[at : at + 1])
    assert heard_by(FrameParser(limit), split(data, places)) == alone.heard


@given(talks, st.sampled_from(LIMITS))
def test_everything_comes_with_the_same_byte(talk: list[bytes], limit: int) -> None:
    alone, lane = Alone(limit), FrameParser(limit)
    messages: list[bytes] = []
    for byte in b"".join(talk)[:400]:
        alone.feed(bytes([byte]))
        messages += lane.receive(bytes([byte]))
        assert messages == alone.heard.messages
        assert (lane.closed, lane.broken, lane.close_code) == (
            alone.heard.closed,
            alone.heard.broken,
            alone.heard.close_code,
        )


@given(talks, st.lists(st.integers(0, 10_000), max_size=8), st.sampled_from(LIMITS))
@example([wire(0x81, b"a"), wire(0x81, b"b"), wire(0x89, b"p")], [], 1000)
@example([wire(0x81, b"a"), wire(0x81, b"b" * 90)], [50], 1000)
@example([wire(0x81, b"a"), wire(0x89, b"p"), wire(0x81, b"b")], [6], 1000)
@example([wire(0x81, b"a"), wire(0x88, b"")], [], 1000)
def test_together_are_those_that_the_last_byte_completes(
    talk: list[bytes], places: list[int], limit: int
) -> None:
    """The stamp of a read is that of its last byte: of no message behind which something else came."""
    lane, before_last = FrameParser(limit), FrameParser(limit)
    for chunk in split(b"".join(talk), places):
        messages = lane.receive(chunk)
        early = before_last.receive(chunk[:-1])
        late = before_last.receive(chunk[-1:])
        assert early + late == messages
        if messages and not lane.closed:
            assert lane.together == len(late)
        if messages and lane.closed:
            assert lane.together <= len(late)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5), st.sampled_from(LIMITS))
def test_any_bytes_end_as_websockets_ends_them(data: bytes, places: list[int], limit: int) -> None:
    alone = Alone(limit)
    for at in range(len(data)):
        alone.feed(data[at : at + 1])
    assert heard_by(FrameParser(limit), split(data, places)) == alone.heard


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("head", [0x81, 0x82])
def test_every_form_of_length(head: int, size: int) -> None:
    payload = b"x" * size
    data = wire(head, payload) * 2
    for cut in (1, 2, 3, 4, 9, 10, len(data) // 2, len(data) - 1):
        assert heard_by(FrameParser(WIDE), split(data, [cut])).messages == [payload, payload]


# ------------------------------------------------------------------ single promises


def test_whole_messages_are_told_from_one_read() -> None:
    lane = FrameParser(WIDE)
    assert lane.receive(wire(0x81, "zwölf".encode()) + wire(0x82, b"\xff\0")) == ["zwölf".encode(), b"\xff\0"]
    assert (lane.replies, lane.pongs, lane.closed, lane.broken) == ([], [], False, None)


@pytest.mark.parametrize("text", [b"a reply", "Gr\u00fc\u00dfe".encode(), b""])
def test_a_short_message_that_is_a_read_of_its_own(text: bytes) -> None:
    lane = FrameParser(1000)
    assert lane.receive(bytes((0x81, len(text))) + text) == [text]
    # In the middle of a fragmented message it breaks the rules.
    lane.receive(bytes((0x01, 1)) + b"a")
    assert lane.receive(bytes((0x81, len(text))) + text) == []
    assert lane.broken is not None


def test_nothing_in_nothing_out() -> None:
    lane = FrameParser(WIDE)
    assert lane.receive(b"") == []
    assert lane.receive(wire(0x81, b"a")[:1]) == []
    assert lane.receive(b"") == []
    assert lane.receive(wire(0x81, b"a")[1:]) == [b"a"]


def test_a_ping_is_answered_and_a_pong_is_told() -> None:
    lane = FrameParser(WIDE)
    assert lane.receive(wire(0x89, b"are you") + wire(0x81, b"hi") + wire(0x8A, b"there")) == [b"hi"]
    assert [unmasked(reply) for reply in lane.replies] == [(0xA, b"are you")]
    assert lane.pongs == [b"there"]
    assert not lane.closed


def test_pings_and_pongs_need_no_library_also_between_fragments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "ClientProtocol", None)
    lane = FrameParser(WIDE)
    longest = b"p" * 125
    read = wire(0x01, b"a") + wire(0x8A, b"") + wire(0x89, longest) + wire(0x80, b"b") + wire(0x81, b"c")
    assert lane.receive(read) == [b"ab", b"c"]
    assert lane.pongs == [b""]
    assert [unmasked(reply) for reply in lane.replies] == [(0xA, longest)]


def test_after_a_control_frame_the_fast_way_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = FrameParser(WIDE)
    lane.receive(wire(0x89, b"") + wire(0x01, b"a") + wire(0x80, b"b"))
    monkeypatch.setattr(frames, "ClientProtocol", None)
    assert lane.receive(wire(0x81, b"c")) == [b"c"]


@pytest.mark.parametrize(
    ("payload", "code", "broken"),
    [
        (b"\x03\xe8bye", 1000, None),
        (b"\x0f\xa1", 4001, None),
        (b"", 1005, None),
        (b"\x01\x91", NO_CLOSE_FRAME, "invalid status code"),
        (b"\x03", NO_CLOSE_FRAME, "close frame too short"),
    ],
)
def test_a_close_frame(payload: bytes, code: int, broken: str | None) -> None:
    """A server that closes with 401 has sent no close frame that counts: 1006, as RFC 6455 has it."""
    lane = FrameParser(WIDE)
    assert lane.receive(wire(0x81, b"last") + wire(0x88, payload) + wire(0x81, b"too late")) == [b"last"]
    assert (lane.closed, lane.close_code, lane.broken) == (True, code, broken)
    assert lane.close_reason == payload[2:].decode() * (broken is None)
    assert [opcode for opcode, _ in map(unmasked, lane.replies)] == [CLOSE]
    assert lane.receive(wire(0x81, b"too late") + b"\x81") == []


def test_who_leaves_says_so_once() -> None:
    lane = FrameParser(WIDE)
    assert unmasked(lane.close(1000, "done")) == (CLOSE, b"\x03\xe8done")
    assert lane.receive(wire(0x81, b"on its way") + wire(0x89, b"p") + wire(0x88, b"\x03\xe8")) == [
        b"on its way"
    ]
    assert [unmasked(reply) for reply in lane.replies] == [(0xA, b"p")]
    assert (lane.closed, lane.close_code, lane.broken) == (True, 1000, None)


def test_who_leaves_does_not_complain_either() -> None:
    lane = FrameParser(WIDE)
    lane.close(1000)
    lane.receive(wire(0x83, b""))
    assert (lane.closed, lane.broken, lane.replies) == (True, "invalid opcode", [])


def test_what_follows_a_close_frame_in_pieces_is_nothing() -> None:
    lane = FrameParser(WIDE)
    assert lane.receive(wire(0x88, b"") + b"\x81") == []
    assert lane.receive(b"\x01a") == []
    assert lane.receive(wire(0x88, b"") + b"\x81\x05a") == []


def test_text_that_is_not_utf8_ends_the_connection_with_1007() -> None:
    lane = FrameParser(WIDE)
    assert lane.receive(wire(0x81, b"\xed\xa0\x80") + wire(0x81, b"a")) == []
    assert (lane.closed, lane.close_code, lane.broken) == (True, NO_CLOSE_FRAME, NOT_UTF8)
    assert [unmasked(reply) for reply in lane.replies] == [(CLOSE, b"\x03\xef" + NOT_UTF8.encode())]


def test_a_character_may_be_cut_by_fragments() -> None:
    euro = "€".encode()
    assert FrameParser(WIDE).receive(wire(0x01, euro[:1]) + wire(0x80, euro[1:])) == [euro]


# ------------------------------------------------------------------ limits


@pytest.mark.parametrize("declared", [101, 2**31, 2**62, 2**63, 2**64 - 1])
def test_a_frame_that_declares_too_much_is_refused_by_its_header(declared: int) -> None:
    lane = FrameParser(100)
    assert lane.receive(wire(0x82, b"", form=127, declared=declared)) == []
    assert lane.closed
    assert "exceed" in (lane.broken or "")
    assert unmasked(lane.replies[0])[1][:2] == (1009).to_bytes(2, "big")


@pytest.mark.parametrize("limit", [1, 50, 124, 125, 126, 1000, 65_534, 65_535, 65_536])
def test_the_limit_is_kept_exactly(limit: int) -> None:
    lane = FrameParser(limit)
    assert lane.receive(wire(0x82, b"x" * limit) * 2) == [b"x" * limit] * 2
    assert lane.receive(wire(0x82, b"x" * (limit + 1))) == []
    assert lane.broken is not None


def test_the_limit_holds_for_the_sum_of_fragments() -> None:
    lane = FrameParser(200)
    assert lane.receive(wire(0x02, b"x" * 150) + wire(0x00, b"x" * 50) + wire(0x80, b"")) == [b"x" * 200]
    lane.receive(wire(0x02, b"x" * 150))
    lane.receive(wire(0x80, b"", declared=51))
    assert "exceed" in (lane.broken or "")


@pytest.mark.timed
def test_a_message_in_many_small_reads_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        data = wire(0x82, b"x" * size)
        lane = FrameParser(WIDE)
        started = time.process_time()
        heard = [message for at in range(0, len(data), 64) for message in lane.receive(data[at : at + 64])]
        took = time.process_time() - started
        assert heard == [b"x" * size]
        return took

    # Quadratic would be a factor of 100, and minutes.
    assert seconds(3_000_000) < 40 * seconds(300_000) + 0.1


def test_fragments_without_end_are_not_collected() -> None:
    lane = FrameParser(1000)
    lane.receive(wire(0x02, b""))
    flood = wire(0x00, b"") * 1000
    lane.receive(flood)
    tracemalloc.start()
    for _ in range(20):
        lane.receive(flood)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20_000
    assert lane.receive(wire(0x80, b"end")) == [b"end"]


# ------------------------------------------------------------------ compression


def deflated(texts: list[bytes], *, takeover: bool) -> tuple[list[bytes], PerMessageDeflate]:
    """Frames of a compressing server, and the client's side of the extension."""
    server = ServerProtocol(state=OPEN)
    server.extensions = [PerMessageDeflate(not takeover, not takeover, 15, 15)]
    chunks = []
    for text in texts:
        server.send_text(text)
        chunks += server.data_to_send()
    return chunks, PerMessageDeflate(not takeover, not takeover, 15, 15)


@given(
    texts=st.lists(st.text(max_size=300).map(str.encode), max_size=6),
    places=st.lists(st.integers(0, 10_000), max_size=8),
    takeover=st.booleans(),
)
def test_compressed_messages(texts: list[bytes], places: list[int], *, takeover: bool) -> None:
    chunks, extension = deflated(texts, takeover=takeover)
    lane = FrameParser(WIDE, [extension])
    assert heard_by(lane, split(b"".join(chunks), places)) == Heard(texts)


@st.composite
def compressing_talks(draw: st.DrawFn) -> tuple[bytes, bool]:
    """What a compressing server may write: whole or in fragments, compressed or not, sometimes broken."""
    takeover = draw(st.booleans())
    server = PerMessageDeflate(not takeover, not takeover, 15, 15)
    data = b""
    for said in draw(st.lists(payloads | st.sampled_from([b"x" * 5000, b"\xff"]), max_size=6)):
        head = draw(st.sampled_from([0x81, 0x82, 0xC1, 0xC2, 0xC1, 0xC2, 0x41, 0x01]))
        packed = bytes(server.encode(Frame(Opcode(head & 0x0F), said)).data) if head & 0x40 else said
        payload = packed[1:] + b"\xfe" if draw(st.integers(0, 9)) == 0 else packed
        if head & 0x80:
            data += wire(head, payload)
        else:
            cut = draw(st.integers(0, len(payload)))
            between = draw(st.sampled_from([b"", wire(0x89, b"p"), wire(0xC1, b"a"), wire(0x81, b"a")]))
            data += wire(head, payload[:cut]) + between + wire(0x80, payload[cut:])
    return data, takeover


@settings(max_examples=2 * settings().max_examples)
@given(compressing_talks(), st.lists(st.integers(0, 10_000), max_size=4), st.sampled_from([*LIMITS, 4999]))
def test_with_compression_the_lane_hears_what_websockets_alone_hears(
    talk: tuple[bytes, bool], places: list[int], limit: int
) -> None:
    data, takeover = talk
    extensions = [PerMessageDeflate(not takeover, not takeover, 15, 15) for _ in range(2)]
    alone = Alone(limit, [extensions[0]])
    for at in range(len(data)):
        alone.feed(data[at : at + 1])
    assert heard_by(FrameParser(limit, [extensions[1]]), split(data, places)) == alone.heard


def test_fragments_and_compressed_messages_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "ClientProtocol", None)
    lane = FrameParser(WIDE)
    assert lane.receive(wire(0x01, b"a") + wire(0x00, b"b") + wire(0x80, b"c")) == [b"abc"]
    chunks, extension = deflated([b"compressed", b"compressed again"], takeover=True)
    lane = FrameParser(WIDE, [extension])
    data = chunks[0] + wire(0x81, b"plain") + chunks[1] + wire(0x02, b"d") + wire(0x80, b"")
    assert lane.receive(data) == [b"compressed", b"plain", b"compressed again", b"d"]


def test_context_is_taken_over() -> None:
    """The second of two like messages is shorter, and can only be read by one who kept the first."""
    text = random.Random(1).randbytes(200).hex().encode()
    chunks, extension = deflated([text, text], takeover=True)
    assert len(chunks[1]) < len(chunks[0]) / 4
    assert FrameParser(WIDE, [extension]).receive(b"".join(chunks)) == [text, text]


@pytest.mark.parametrize("takeover", [True, False])
def test_a_compressed_message_may_not_unpack_beyond_the_limit(*, takeover: bool) -> None:
    chunks, extension = deflated([b"x" * 100_000], takeover=takeover)
    assert len(chunks[0]) < 1000
    lane = FrameParser(99_999, [extension])
    assert lane.receive(chunks[0]) == []
    assert lane.broken is not None
    chunks, extension = deflated([b"x" * 99_999], takeover=takeover)
    assert FrameParser(99_999, [extension]).receive(chunks[0]) == [b"x" * 99_999]


@pytest.mark.parametrize("beyond", [-1, 0, 1])
@pytest.mark.parametrize("size", [125, 126, 300, 2_043, 2_044, 5_000])
def test_a_compressed_message_of_about_the_limit_is_read_as_by_websockets_alone(
    size: int, beyond: int
) -> None:
    for seed in range(5):
        text = bytes(random.Random(seed).choices(b"ab", k=size))
        chunks, extension = deflated([text, b"next"], takeover=True)
        alone = Alone(size - beyond, [deflated([], takeover=True)[1]])
        alone.feed(b"".join(chunks))
        assert heard_by(FrameParser(size - beyond, [extension]), [b"".join(chunks)]) == alone.heard


# ------------------------------------------------------------------ what we write


@given(st.binary(max_size=300) | st.sampled_from([125, 126, 65_535, 65_536]).map(lambda n: b"\xab" * n))
def test_an_encoded_frame_is_read_by_a_server(payload: bytes) -> None:
    for opcode in (TEXT, BINARY):
        data = encode(payload, opcode)
        server = ServerProtocol(state=OPEN, max_size=None)
        server.receive_data(data)
        (frame,) = server.events_received()
        assert isinstance(frame, Frame)
        assert (frame.opcode, bytes(frame.data), frame.fin) == (opcode, payload, True)
        assert len(data) == len(frame.serialize(mask=True))


def test_a_ping_is_encoded_like_anything_else() -> None:
    assert unmasked(encode(b"12345678", PING)) == (PING, b"12345678")


def test_no_two_masks_are_alike() -> None:
    """RFC 6455 section 5.3: a new, unpredictable key for each frame; also over the end of a block of keys."""
    masks = {encode(b"")[2:6] for _ in range(3000)}
    assert len(masks) > 2990


def test_without_the_compiled_part_masks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)
    spec = importlib.util.spec_from_file_location("frames_in_python", frames.__file__)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    assert plain.apply_mask is not frames.apply_mask
    assert unmasked(plain.encode(b"the same")) == (TEXT, b"the same")


def test_a_close_frame_carries_code_and_reason() -> None:
    assert unmasked(encode_close(1000)) == (CLOSE, b"\x03\xe8")
    assert unmasked(encode_close(4001, "go")) == (CLOSE, b"\x0f\xa1go")


@given(st.text(max_size=80))
@example("a" + "€" * 40)
def test_a_long_reason_is_cut_between_characters(reason: str) -> None:
    server = ServerProtocol(state=OPEN)
    server.receive_data(encode_close(1000, reason * 3))
    assert server.parser_exc is None or isinstance(server.parser_exc, EOFError)
    assert not isinstance(server.parser_exc, ProtocolError)
    assert server.close_rcvd is not None
    assert (reason * 3).startswith(server.close_rcvd.reason)
    assert len(server.close_rcvd.reason.encode()) > 119 or server.close_rcvd.reason == reason * 3


# ------------------------------------------------------------------ a peer with nothing to say

PING_FRAME = b"\x89\x00"
EMPTY_FRAGMENT = b"\x00\x00"


@pytest.mark.parametrize(
    "said",
    [PING_FRAME * (MAX_IDLE_FRAMES + 1), b"\x01\x00" + EMPTY_FRAGMENT * MAX_IDLE_FRAMES],
    ids=["pings", "empty fragments"],
)
def test_a_read_full_of_frames_that_say_nothing_ends_the_connection(said: bytes) -> None:
    lane = FrameParser(WIDE)
    assert lane.receive(said + b"\x81\x05never") == []
    assert (lane.closed, lane.flooded) == (True, True)
    assert lane.broken == "more than 1,000 frames without content in one read"
    opcode, payload = unmasked(lane.replies[-1])
    assert (opcode, payload[:2]) == (CLOSE, (1008).to_bytes(2, "big"))


def test_as_many_of_them_as_there_may_be_end_nothing_however_many_reads_there_are() -> None:
    lane = FrameParser(WIDE)
    for _ in range(3):
        assert lane.receive(PING_FRAME * MAX_IDLE_FRAMES + b"\x81\x05heard") == [b"heard"]
    assert not lane.closed
    assert len(lane.replies) == 3 * MAX_IDLE_FRAMES


def test_what_has_something_to_say_may_be_in_as_many_fragments_as_it_likes() -> None:
    lane = FrameParser(WIDE)
    part = b"\x00\x10" + b"x" * 16
    assert lane.receive(b"\x01\x00" + part * (2 * MAX_IDLE_FRAMES)) == []
    assert lane.receive(b"\x80\x00") == [b"x" * 32 * MAX_IDLE_FRAMES]


BOMB = "a flood: messages that unpack to more than 100 times their size"


@pytest.mark.parametrize("in_fragments", [False, True])
def test_a_read_whose_messages_unpack_to_too_much_ends_the_connection_before_all_are_unpacked(
    in_fragments: bool,  # noqa: FBT001 - as pytest gives it
) -> None:
    (chunk, *_), extension = deflated([b"x" * 1_000_000], takeover=False)
    if in_fragments:
        # The last fragment is empty: now the library reads all of the message.
        chunk = bytes([chunk[0] & 0x7F]) + chunk[1:] + b"\x80\x00"
    lane = FrameParser(1_000_000, [extension])
    heard = lane.receive(chunk * 40)
    assert 17 <= len(heard) <= 20
    assert (lane.broken, lane.closed, lane.flooded) == (BOMB, True, True)
    assert unmasked(lane.replies[-1]) == (CLOSE, (1008).to_bytes(2, "big") + BOMB.encode())
    assert lane.receive(chunk) == []


def test_of_as_many_in_several_reads_a_parser_without_a_clock_says_nothing() -> None:
    (chunk, *_), extension = deflated([b"x" * 1_000_000], takeover=False)
    lane = FrameParser(1_000_000, [extension])
    assert sum(len(lane.receive(chunk * 5)) for _ in range(8)) == 40
    assert not lane.closed


def test_what_comes_after_the_close_is_nothing_whatever_comes() -> None:
    lane = FrameParser(WIDE)
    lane.receive(wire(0x88, b""))
    for _ in range(MAX_IDLE_FRAMES + 2):
        assert lane.receive(b"\x00") == []
    assert (lane.closed, lane.broken, lane.flooded) == (True, None, False)
