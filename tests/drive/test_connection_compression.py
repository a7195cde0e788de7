"""Compression of what a connection sends: as negotiated, counted, and told where it was not."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from loadtest.plan.framing import CodecChoice
from loadtest.plan.scenario import Target
from loadtest.speak.codec.coded_frames import UnsendableError
from tests.drive.spoken import Spoken
from tests.speak.talk import said

AGREED = "Sec-WebSocket-Extensions: permessage-deflate"


def spoken(*headers: str, send: bool = True, **scenario: Any) -> Spoken:
    """A connection on which compression was offered."""
    found = Spoken(
        is_open=False, target=Target(url="ws://test", compression=True, compress_sent=send), **scenario
    )
    found.open(*headers)
    return found


def heard(of: Spoken, bits: int = 15) -> list[bytes]:
    """What a server hears of what was written after the upgrade."""
    server = ServerProtocol(state=OPEN)
    server.extensions = [PerMessageDeflate(False, False, bits, 15)]
    server.receive_data(bytes(of.line.sent[of._upgrade_bytes :]))
    assert server.parser_exc is None
    return [bytes(each.data) for each in server.events_received() if isinstance(each, Frame)]


def test_turns_are_compressed_where_both_agree() -> None:
    talk = spoken(AGREED)
    talk.begin()
    talk.begin(1)
    talk.connection.send("a text of one's own, of one's own")
    talk.poller.turn()
    messages = heard(talk)
    assert len(messages) == 3
    assert messages[2] == b"a text of one's own, of one's own"
    written = talk.line.sent[talk._upgrade_bytes :]
    assert written[0] & 0x40
    assert talk.counts("compression.") == {
        "negotiated": 1,
        "sent_payload": sum(map(len, messages)),
        "sent_wire": len(written),
    }


def test_a_window_that_the_target_wants_is_kept() -> None:
    talk = spoken(f"{AGREED}; client_max_window_bits=9; client_no_context_takeover")
    talk.begin()
    talk.poller.turn()
    assert len(heard(talk, bits=9)) == 1


@pytest.mark.parametrize("send", [True, False])
def test_a_target_that_does_not_agree_gets_plain_frames_and_is_told(*, send: bool) -> None:
    talk = spoken(send=send)
    talk.begin()
    talk.poller.turn()
    assert len(talk.texts) == 1
    assert talk.counts("compression.") == {"not_negotiated": 1}


def test_without_send_nothing_of_ours_is_compressed_but_what_comes_is_counted() -> None:
    talk = spoken(AGREED, send=False)
    talk.begin()
    talk.poller.turn()
    assert len(talk.texts) == 1
    _, extension = ServerPerMessageDeflateFactory().process_request_params([], [])
    payload = said("ack")
    frame = Frame(Opcode.TEXT, payload).serialize(mask=False, extensions=[extension])
    talk.arrive(frame)
    assert talk.counts("compression.") == {
        "negotiated": 1,
        "received_payload": len(payload),
        "received_wire": len(frame),
    }


def test_the_frames_of_a_codec_are_compressed_and_one_that_cannot_be_made_breaks_nothing() -> None:
    talk = spoken(AGREED, codec=CodecChoice(name="msgpack"))
    connection = talk.connection
    connection.send('{"type":"one","text":"aaaaaaaaaaaaaaaaaaaa"}')
    with pytest.raises(UnsendableError):
        connection.send("no JSON")
    connection.send('{"type":"one","text":"aaaaaaaaaaaaaaaaaaaa"}')
    talk.poller.turn()
    messages = heard(talk)
    assert len(messages) == 2
    assert messages[0] == messages[1]
    assert talk.counts("compression.")["sent_payload"] == 2 * len(messages[0])
    before = talk.counts("compression.").get("received_payload", 0)
    _, extension = ServerPerMessageDeflateFactory().process_request_params([], [])
    talk.arrive(Frame(Opcode.BINARY, messages[0]).serialize(mask=False, extensions=[extension]))
    # What the frame held, not the JSON that the codec makes of it.
    assert talk.counts("compression.")["received_payload"] - before == len(messages[0])
