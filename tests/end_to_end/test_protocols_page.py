"""docs/protocols.md: each example is played the capture that stands beneath it, by the code of a run."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from functools import cache
from tomllib import loads
from typing import Any
from urllib.parse import unquote

import pytest

from loadtest.cli.frames import replay_exit_code
from loadtest.plan.capture import parse_capture
from loadtest.plan.match_conflicts import conflicts
from loadtest.plan.protocol import Connect, Events, Protocol, TurnShape
from loadtest.plan.protocol_file import read_protocol
from loadtest.plan.toml_lines import parse_toml
from loadtest.plan.toml_reader import Source, TomlTable
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.replay import Replay, replay
from tests.end_to_end.documents import ROOT, Block, blocks

REFUSED = " refused"
"""Marks a capture that ends before ready."""

NOT_IN_FRAMES = {"pilot": ["fail: type = nack, lacks code", "refuse: type = nack, code = E_BUSY"]}
"""What the page says was told beside the frames of an example: rules that none of them fits."""

PAGE = ROOT / "docs" / "protocols.md"


def examples(*, by_http: bool = False) -> dict[str, str]:
    """The protocols of the page by name; those whose turns go by HTTP apart, of which there is no capture."""
    shown = [block for block in blocks(PAGE) if block.language == "toml" and "protocol" in block.marks]
    chosen = [block for block in shown if ("by-http" in block.marks) is by_http]
    return {str(loads(block.text)["name"]): block.text for block in chosen}


def captures() -> dict[str, Block]:
    """What stands beneath them, by name; "NAME refused" is one that a connection ends with before ready."""
    marked = [block for block in blocks(PAGE) if block.language == "jsonl" and block.marks]
    return {" ".join(block.marks).removeprefix("capture="): block for block in marked}


def protocol_of(text: str) -> Protocol:
    source = Source("shown")
    protocol = read_protocol(TomlTable(parse_toml(text), source), "shown")
    assert source.problems == []
    return protocol


@cache
def played(name: str) -> Replay:
    protocol = protocol_of(examples()[name.removesuffix(REFUSED)])
    return replay(protocol, parse_capture(captures()[name].text, name))


def test_every_example_has_a_capture() -> None:
    shown = captures()
    assert examples().keys() == {name for name in shown if not name.endswith(REFUSED)}
    refused = {name for name in shown if name.endswith(REFUSED)}
    assert refused
    for name in refused:
        assert played(name).not_ready
        assert [rule.key for rule in played(name).unused if rule.key == "auth_errors"] == []


@pytest.mark.parametrize("name", examples())
def test_an_example_is_what_its_capture_shows(name: str) -> None:
    """Every turn ends, every frame is taken for something, every rule and every path is used."""
    found = played(name)
    assert int(replay_exit_code(found)) == 0, [frame.taken for frame in found.frames]
    assert found.unmatched() == []
    assert [frame.taken for frame in found.frames if "of no template" in frame.taken] == []
    unused = [str(rule) for rule in found.unused if rule.key != "auth_errors"]
    assert (unused, found.empty) == (NOT_IN_FRAMES.get(name, []), [])
    assert list(conflicts(protocol_of(examples()[name]))) == []


def test_every_key_of_a_protocol_stands_in_an_example() -> None:
    written: dict[str, set[str]] = {"connect": set(), "turn": set(), "events": set()}
    for text in (*examples().values(), *examples(by_http=True).values()):
        data = loads(text)
        of = {**data, "connect": {**data.get("connect", {})}, "events": {**data["events"]}}
        of["connect"] |= {key: data[key] for key in ("heartbeat",) if key in data}
        of["events"] |= {key: data[key] for key in ("answer",) if key in data}
        for table, keys in written.items():
            keys |= {*of.get(table, {})}
    asked = {"connect": Connect, "turn": TurnShape, "events": Events}
    assert {name: {each.name for each in fields(of)} - written[name] for name, of in asked.items()} == {
        "connect": set(),
        "turn": set(),
        "events": set(),
    }


def test_the_placeholders_of_the_example_are_what_the_page_says() -> None:
    compiled = CompiledProtocol(
        protocol_of(examples()["placeholders"]), message="", nonce="run", timeout_ns=1, seed=7
    )
    row = {"data.question": 'why "so" & when?'}
    values: dict[str, Any] = {"user.id": "user-0", "now.iso": "2026-01-31T12:00:00.000Z", "now.ms": "5"}
    bound = compiled.bind_message(compiled.plain, values, None)
    said = json.loads(compiled.payload(bound, "t-1", 0, row))
    assert base64.b64decode(said["image"]).decode() == row["data.question"]
    assert unquote(said["link"].partition("?q=")[2]) == row["data.question"]
    assert said["text"] == row["data.question"]
    assert 1 <= said["size"] <= 100
    assert said["mood"] in {"calm", "hurried"}
    assert said["at"] == "2026-01-31T12:00:00.000Z"
    assert said["again"] != said["id"] == "t-1"
