"""Turns of several messages, as a protocol's file has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.explain import explain
from loadtest.plan.protocol import MessageStep
from loadtest.plan.settings import protocol_settings
from loadtest.speak.codec.sent_size import sent_size
from tests.plan.conftest import protocol_from_settings

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

EVENTS = "[events]\ntype = ['type']\nturn = ['id']\nend = ['done']\n"
MESSAGES = (
    """messages = ['{"id":"{turn.id}"}', { pause = "20ms" }, { wait = "ack", within = "2s" },"""
    """ { wait = { type = "go" } }, '{"q":"{data.question}"}']\n"""
)
SCENARIO = "protocol = 'p.toml'\n[target]\nurl = 'simulator'\n[traffic]\nevery = '1s'\n"


def test_messages_are_read_in_order_and_go_through_settings(folder: Folder) -> None:
    protocol = folder.protocol(EVENTS + "[turn]\n" + MESSAGES)
    assert protocol.turn.messages == (
        MessageStep(send='{"id":"{turn.id}"}'),
        MessageStep(pause_ns=20_000_000),
        MessageStep(wait="ack", within_ns=2_000_000_000),
        MessageStep(wait={"type": "go"}),
        MessageStep(send='{"q":"{data.question}"}'),
    )
    assert protocol.turn.texts == ('{"id":"{turn.id}"}', '{"q":"{data.question}"}')
    assert protocol_from_settings(protocol_settings(protocol)) == protocol


@pytest.mark.parametrize(
    ("written", "sentences"),
    [
        ("messages = 'x'", ["6: `messages` must be a list such as"]),
        ("messages = []", ["6: `messages` must be a list such as"]),
        ("message = 'x'\nmessages = ['x']", ["7: `message` and `messages` both set what is sent"]),
        ("messages = ['x', 3]", ["6: an entry of `messages` must be a text to send or a table with"]),
        ("messages = ['x', '', 'x']", ["6: an entry of `messages` must be a text to send"]),
        ("messages = ['x', { pause = '1s' }]", ["6: the last entry of `messages` must send something"]),
        ("messages = [{ pause = '1s' }, 'x']", ["6: the first entry of `messages` must send something"]),
        (
            "messages = ['x', { pause = '1s', wait = 'a' }, 'x']",
            [
                (
                    "6: an entry of `messages` must have exactly one of `wait`, `pause`, `chunks` or"
                    " `interrupt`, not 2"
                )
            ],
        ),
        (
            "messages = ['x', { paus = '1s' }, 'x']",
            [
                "6: an entry of `messages` must have exactly one",
                "6: unknown key `paus`; did you mean `pause`?",
            ],
        ),
        (
            "messages = ['x', { send = 'x' }, 'x']",
            [
                "6: an entry of `messages` must have exactly one",
                "6: unknown key `send`; write a message as a text",
            ],
        ),
        ("messages = ['x', { pause = 'soon' }, 'x']", ["6: `pause`: "]),
        (
            "messages = ['x', { pause = '1s', within = '1s' }, 'x']",
            ["6: `within` needs `wait`"],
        ),
        ("messages = ['x', { wait = 3 }, 'x']", ["6: `wait` must be an event type or a table"]),
        (
            "messages = ['x', 'y {turn.idd}']",
            ["6: there is no placeholder {turn.idd}; did you mean `turn.id`?"],
        ),
        (f"messages = {['x'] * 257}", ["6: `messages` may have at most 256 entries, not 257"]),
    ],
)
def test_mistakes_are_told_with_their_line(folder: Folder, written: str, sentences: list[str]) -> None:
    told = folder.protocol_mistakes(EVENTS + "[turn]\n" + written)
    assert len(told) == len(sentences), told
    for line, sentence in zip(told, sentences, strict=True):
        assert line.startswith(sentence)


def test_a_wait_for_a_type_needs_to_know_where_types_stand(folder: Folder) -> None:
    (told,) = folder.protocol_mistakes(
        "[events]\nturn = ['id']\n[turn]\nmessages = ['x', { wait = 'a' }, 'x']"
    )
    assert told.startswith('4: "a" is an event type; add `type` to [events], the path of the type')


def test_one_of_the_messages_names_the_turn(folder: Folder) -> None:
    folder.write("p.toml", EVENTS + "[turn]\n" + MESSAGES)
    scenario = folder.load(SCENARIO)
    assert scenario.traffic is not None
    assert scenario.traffic.data
    folder.write("p.toml", EVENTS + "[turn]\nmessages = ['x', 'y']")
    (told,) = folder.mistakes(SCENARIO)
    assert "the message must contain {turn.id}" in told


def test_the_steps_are_explained(folder: Folder) -> None:
    folder.write("p.toml", EVENTS + "[turn]\n" + MESSAGES)
    (lines,) = (each.lines for each in explain(folder.load(SCENARIO), sent_size) if each.title == "Message")
    assert lines[1:4] == ("pause 20 ms", "wait for ack (within 2 s)", "wait for type = go")
    assert (
        lines[6]
        == "a turn counts as sent with its last message; turn.upload is the time from the first message"
        " to the last"
    )


def test_the_message_of_a_scenario_stands_for_all_of_them(folder: Folder) -> None:
    folder.write("p.toml", EVENTS + "[turn]\n" + MESSAGES)
    scenario = folder.load(SCENARIO + "message = '{turn.id}'")
    (lines,) = (each.lines for each in explain(scenario, sent_size) if each.title == "Message")
    assert lines[0].startswith("00000000-")
    assert len(lines) == 2
