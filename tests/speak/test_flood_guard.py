"""A flood of frames is the target's doing: the connection is given up before it costs us our time."""

from __future__ import annotations

from loadtest.plan.frame_limits import BOMB, MAX_CONTROL_FRAMES, MAX_EMPTY, MAX_UNPACKED
from loadtest.speak.flood_guard import SECOND_NS, FloodGuard
from loadtest.speak.frames import FrameParser
from tests.speak.test_frames import wire

AT = 5 * SECOND_NS


def test_pings_are_a_flood_from_so_many_in_a_second_on() -> None:
    flood = FloodGuard()
    assert flood.control_frames(MAX_CONTROL_FRAMES, AT) is None
    assert flood.control_frames(1, AT + SECOND_NS) is None
    assert flood.control_frames(MAX_CONTROL_FRAMES - 1, AT + SECOND_NS + 1) is None
    why = flood.control_frames(1, AT + 2 * SECOND_NS - 1)
    assert why == "a flood: more than 2,000 pings and pongs in a second"


def test_messages_without_content_are_a_flood_from_so_many_in_a_second_on() -> None:
    flood = FloodGuard()
    assert flood.empty_messages(MAX_EMPTY, AT) is None
    assert flood.empty_messages(MAX_EMPTY, AT + SECOND_NS) is None
    why = flood.empty_messages(1, AT + SECOND_NS)
    assert why == "a flood: more than 2,000 messages without content in a second"


def test_what_unpacks_to_much_more_than_its_size_is_a_bomb() -> None:
    flood = FloodGuard()
    assert flood.unpacked(MAX_UNPACKED, 10, AT) is None
    assert flood.unpacked(1, 10, AT) is not None
    assert "unpack to 100 times their size" in str(flood.unpacked(1, 10, AT))
    assert flood.unpacked(1, 10, AT + SECOND_NS) is None


def test_a_fast_stream_that_is_compressed_is_none() -> None:
    assert FloodGuard().unpacked(2 * MAX_UNPACKED, 2 * MAX_UNPACKED // BOMB + 1, AT) is None


def test_a_parser_that_refuses_says_goodbye_once_and_hears_no_more() -> None:
    parser = FrameParser(1000)
    assert not parser.unpacks
    assert parser.receive(wire(0x81, b"a")) == [b"a"]
    parser.refuse("a flood")
    assert (parser.broken, parser.closed, parser.flooded) == ("a flood", True, True)
    (close,) = parser.replies
    assert close[0] == 0x88
    parser.replies = []
    assert parser.receive(wire(0x81, b"b")) == []
    # Where the connection was ending anyway, what ended it stays.
    parser.refuse("another")
    assert (parser.broken, parser.replies) == ("a flood", [])


def test_a_parser_of_compressed_messages_says_so() -> None:
    from websockets.extensions.permessage_deflate import PerMessageDeflate

    assert FrameParser(1000, [PerMessageDeflate(True, True, 15, 15)]).unpacks
