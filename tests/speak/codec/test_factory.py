"""Codecs by name, by "module:Class", by entry point; each mistake in their use is told before a run."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.framing import CodecChoice, Framing
from loadtest.plan.protocol import Connect, Events, Protocol, ReadyStep, TurnShape
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.scenario import Traffic
from loadtest.plan.shipped import shipped_names
from loadtest.speak.codec import factory
from loadtest.speak.codec.factory import codec_of, codec_problems, unsendable_messages
from loadtest.speak.codec.framing_codec import FramingCodec
from loadtest.speak.codec.signalr import SignalR
from tests.descriptors import descriptor_set, desk, written
from tests.drive.standing_in import scenario_of
from tests.speak.codec import strangers

HINT = "add the folder of its module to PYTHONPATH"
HERE = "tests.speak.codec.strangers"


def protocol(codec: str | None = None, settings: dict[str, Any] | None = None, **fields: Any) -> Protocol:
    choice = None if codec is None else CodecChoice(name=codec, settings=settings or {})
    return Protocol(name="mine", codec=choice, **fields)


def test_a_message_is_a_frame_where_nothing_is_said() -> None:
    assert codec_of(protocol()) is None
    assert codec_problems(protocol()) == []


def test_framing_is_a_codec_that_takes_any_message() -> None:
    framed = protocol(framing=Framing(split="\n"), turn=TurnShape(message="no json"))
    named = codec_of(framed)
    assert named is not None
    assert isinstance(named.make(), FramingCodec)
    assert named.make() is not named.make()
    assert codec_problems(framed) == []


SETTINGS: dict[str, dict[str, Any]] = {
    "protobuf": {
        "descriptors": written(descriptor_set(desk())),
        "send": "desk.v1.Ask",
        "receive": "desk.v1.Event",
    }
}


@pytest.mark.parametrize("name", sorted(factory.SHIPPED))
def test_what_ships_can_be_made(name: str) -> None:
    one = protocol(name, SETTINGS.get(name))
    named = codec_of(one)
    assert named is not None
    assert (named.name, named.make().held, named.ships) == (name, 0, True)
    assert codec_problems(one) == []


@pytest.mark.parametrize(("name", "library"), factory.LIBRARIES.items())
def test_a_library_that_is_missing_is_told_with_what_installs_it(
    name: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, factory.SHIPPED[name].partition(":")[0], None)
    (problem,) = codec_problems(protocol(name, SETTINGS.get(name)))
    assert problem.sentence.endswith(
        f'; run: pip install {library} (or install loadtest with its extra "{name}")'
    )


def test_settings_are_the_codecs_own() -> None:
    named = codec_of(protocol("signalr", {"protocol": "messagepack"}))
    assert named is not None
    assert isinstance(made := named.make(), SignalR)
    assert made.encode({"type": "ping"}) == b"\x02\x91\x06"


def test_one_of_anybodys_by_module_and_class_or_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    named = codec_of(protocol(f"{HERE}:Plain"))
    assert named is not None
    assert isinstance(named.make(), strangers.Plain)
    assert not named.ships
    point = EntryPoint(name="plain", value=f"{HERE}:Plain", group=factory.ENTRY_POINTS)
    monkeypatch.setattr(factory, "entry_points", lambda *, group: [point] if group == point.group else [])
    named = codec_of(protocol("plain"))
    assert named is not None
    assert isinstance(named.make(), strangers.Plain)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("socketoi", '`socketoi` is neither a codec nor "module:Class"; did you mean `socketio`?'),
        (
            "no.such.module:Class",
            f"the codec `no.such.module:Class` cannot be imported: No module named 'no'; {HINT}",
        ),
        (f"{HERE}:Nothing", f"the module `{HERE}` has no `Nothing`; write 'module:Class'"),
        (f"{HERE}:NUMBER", f"`{HERE}:NUMBER` is not a class; write 'module:Class'"),
        (
            f"{HERE}:Careless",
            f"the codec `{HERE}:Careless` has no method `decode`; a codec needs `decode` and `encode`",
        ),
        (
            f"{HERE}:Costly",
            f"the codec `{HERE}:Costly` cannot be created: no licence; correct its settings or its class",
        ),
    ],
)
def test_a_codec_that_is_none_is_told_before_anything_is_sent(name: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        codec_of(protocol(name))
    assert [problem.sentence for problem in caught.value.problems] == [sentence]
    assert [problem.sentence for problem in codec_problems(protocol(name))] == [sentence]


def test_settings_that_it_does_not_take_are_told() -> None:
    (problem,) = codec_problems(protocol("mqtt", {"version": 5}))
    assert problem.where == "protocol mine, codec"
    assert "`mqtt` cannot be created: " in problem.sentence


def test_every_message_that_no_frame_can_be_made_of_is_told_with_its_place() -> None:
    wrong = protocol(
        "socketio",
        connect=Connect(ready=(ReadyStep(send='{"type":"conect"}'), ReadyStep(wait="x"))),
        turn=TurnShape(message='{"type":"event","event":"{data.question}","data":{data.question}}'),
        events=Events(audience="{run.id}"),
    )
    found = codec_problems(wrong, "no json")
    assert [problem.where for problem in found] == ["protocol mine, connect.ready.0.send", "traffic.message"]
    assert found[0].sentence.startswith("codec socketio: `conect` cannot be sent")


@pytest.mark.parametrize("name", shipped_names("protocol"))
def test_no_protocol_that_ships_has_a_mistake(name: str) -> None:
    assert codec_problems(load_protocol(name)) == []


def test_the_messages_of_all_populations_are_tried_and_each_mistake_is_told_once() -> None:
    wrong = TurnShape(message='{"type":"pubish"}')
    mine, alike = (
        scenario_of(codec=CodecChoice(name="mqtt"), message=wrong.message, events=Events(type=("type",)))
        for _ in range(2)
    )
    without = replace(mine, traffic=None, protocol=protocol())
    several: Any = SimpleNamespace(parts=(without, mine, alike))
    (problem,) = unsendable_messages(several)
    assert problem.where == "protocol test, turn.message"
    said = replace(mine, traffic=replace(mine.traffic or Traffic(), message="no json"))
    assert [each.where for each in unsendable_messages(said)] == [problem.where, "traffic.message"]
