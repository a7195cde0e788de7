"""What a turn that goes by HTTP, or compressed, asks of the session and of what makes its frames."""

from __future__ import annotations

from websockets.extensions.permessage_deflate import PerMessageDeflate

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.framing import CodecChoice
from loadtest.plan.prepare import HttpRequest
from loadtest.plan.protocol import Events, Protocol, TurnShape
from loadtest.speak.codec.coded_frames import CodedFrameParser
from loadtest.speak.codec.factory import codec_of, codec_problems
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.deflater import Deflater
from loadtest.speak.frames import FrameParser, encode
from loadtest.speak.observed_session import SessionTally
from loadtest.speak.replay import replay
from loadtest.speak.session import Session

SEND = HttpRequest(post="/ask/{turn.id}", json={"n": "{random.int 1 9}", "who": "{user.id}", "q": "{data.q}"})
POSTED = Protocol(
    name="posted",
    codec=CodecChoice(name="msgpack"),
    turn=TurnShape(send=SEND),
    events=Events(type=("type",), turn=("id",), end=("done",)),
)


def test_a_request_has_the_values_of_its_user_its_row_and_its_turn() -> None:
    compiled = CompiledProtocol(POSTED, message="", nonce="run", timeout_ns=10**9, seed=3)
    session = Session(compiled, SessionTally(), 0, {"user.id": "anna"})
    session.upgraded(0)
    turn, payload = session.begin(5, 0, 0, {"data.q": "why"})
    values = session.request_values(turn, {"data.q": "why"})
    assert (values["turn.id"], values["turn.number"]) == (turn.id, 5)
    assert (values["user.id"], values["data.q"]) == ("anna", "why")
    # What is drawn is the same wherever the turn is sent from.
    assert f'"n": "{values["random.int 1 9"]}"'.encode() in payload
    assert payload.startswith(f"POST /ask/{turn.id}\n".encode())


def test_no_codec_makes_a_frame_of_it_and_no_message_of_a_capture_opens_it() -> None:
    assert codec_problems(POSTED) == []
    frames = [CapturedFrame(0, False, b"POST /ask/x"), CapturedFrame(1, True, b'{"type":"done","id":"x"}')]
    opened = replay(Protocol(name="posted", turn=TurnShape(send=SEND), events=POSTED.events), frames)
    assert not opened.turns


def test_the_payload_of_frames_is_counted_before_a_codec_reads_them() -> None:
    codec = codec_of(POSTED)
    assert codec is not None
    sizes: list[int] = []
    deflater = Deflater(PerMessageDeflate(False, False, 15, 15), lambda payload, _wire: sizes.append(payload))
    parser = CodedFrameParser(
        1_000_000,
        (),
        codec=codec.make(),
        name="msgpack",
        answer=lambda *_: None,
        frame=deflater.encode,
    )
    assert parser.encode(b'{"a":1}')[0] == 0xC2
    messages = parser.receive(b"\x82\x04\x81\xa1a\x01")
    assert messages == [b'{"a":1}']
    assert parser.payload_of(messages) == sizes[0] == 4
    plain = FrameParser(1_000)
    assert plain.payload_of(plain.receive(b"\x81\x02hi")) == 2
    assert encode(b"x")[0] == 0x81
