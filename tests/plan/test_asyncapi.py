"""AsyncAPI descriptions, 2.x and 3.x: where the server is, what is said, and what is no description."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import ConfigError
from loadtest.plan import asyncapi, asyncapi_document, schema_sample
from loadtest.plan.asyncapi import ApiDescription, read_asyncapi
from loadtest.plan.asyncapi_document import ApiDocument, NoDescriptionError, parse
from loadtest.plan.schema_sample import FORMATS, SchemaSample

ASK = {
    "name": "ask",
    "payload": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "n": {"minimum": 3, "type": "integer"}},
    },
}
DONE = {"name": "done", "examples": [{"payload": {"type": "done", "id": "a"}}, {"name": "no payload"}]}

TWO: dict[str, Any] = {
    "asyncapi": "2.6.0",
    "info": {"title": "Chat"},
    "servers": {
        "live": {
            "url": "wss://{host}.example/v1",
            "protocol": "wss",
            "variables": {"host": {"default": "chat"}},
        }
    },
    "channels": {
        "/rooms/{room}": {
            "parameters": {"room": {"schema": {"enum": ["lobby", "other"]}}},
            "publish": {"message": {"$ref": "#/components/messages/ask"}},
            "subscribe": {"message": {"oneOf": [{"$ref": "#/components/messages/done"}]}},
        }
    },
    "components": {"messages": {"ask": ASK, "done": DONE}},
}

THREE: dict[str, Any] = {
    "asyncapi": "3.0.0",
    "servers": {
        "kafka": {"host": "kafka:9092", "protocol": "kafka"},
        "live": {"host": "chat.example", "pathname": "v2", "protocol": "ws", "security": [{"type": "http"}]},
        "test": {"host": "test.example", "protocol": "ws"},
    },
    "channels": {
        "chat": {
            "address": "/",
            "bindings": {"ws": {"query": {"properties": {"room": {}}}, "headers": {"properties": {}}}},
            "messages": {"ask": ASK, "done": DONE, "news": {"payload": {"const": {"type": "news"}}}},
        }
    },
    "operations": {
        "take": {
            "action": "receive",
            "channel": {"$ref": "#/channels/chat"},
            "messages": [{"$ref": "#/channels/chat/messages/ask"}],
            "reply": {"messages": [{"$ref": "#/channels/chat/messages/done"}]},
        },
        "tell": {"action": "send", "channel": {"$ref": "#/channels/chat"}},
        "elsewhere": {"action": "send", "channel": {"$ref": "#/components/channels/other"}},
    },
    "components": {"channels": {"other": {"address": "/other"}}},
}


def changed(of: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(of)), **parts}


@pytest.fixture
def described(tmp_path: Path) -> Any:
    def read(found: object, **options: Any) -> ApiDescription:
        path = tmp_path / "api.json"
        path.write_text(found if isinstance(found, str) else json.dumps(found))
        return read_asyncapi(path, **options)

    return read


@pytest.fixture
def wrong(described: Any) -> Any:
    def read(found: object, **options: Any) -> str:
        with pytest.raises(ConfigError) as told:
            described(found, **options)
        (problem,) = told.value.problems
        return problem.sentence

    return read


def test_version_2_says_what_clients_publish(described: Any) -> None:
    found = described(TWO)
    assert (found.title, found.url) == ("Chat", "wss://chat.example/v1/rooms/lobby")
    assert [(each.name, each.examples) for each in found.sent] == [("ask", ({"id": "text", "n": 3},))]
    assert [(each.name, each.examples) for each in found.received] == [
        ("done", ({"type": "done", "id": "a"},))
    ]
    assert (dict(found.replies), found.notes) == ({}, ())


def test_version_3_says_what_the_server_receives_and_replies(described: Any) -> None:
    found = described(THREE)
    assert (found.title, found.url) == ("", "ws://chat.example/v2")
    assert [each.name for each in found.sent] == ["ask"]
    assert [each.name for each in found.received] == ["done", "ask", "news"]
    assert dict(found.replies) == {"ask": ("done",)}
    assert found.notes == (
        "the description has several servers (live, test); the draft uses live",
        "the server requires credentials: write them in [target] as `auth`, `headers` or `query`",
        "the upgrade carries query: room; [target] has `query`",
    )
    assert described(THREE, server="test").url == "ws://test.example"


def test_yaml_is_as_json(described: Any) -> None:
    assert described(yaml.safe_dump(TWO)) == described(TWO)


def test_a_description_of_a_client_is_read_the_other_way_round(described: Any) -> None:
    for document in (
        TWO,
        changed(
            THREE,
            operations={
                "ask": {"action": "send", "channel": {"$ref": "#/channels/chat"}, "messages": [ASK]},
                "hear": {
                    "action": "receive",
                    "channel": {"$ref": "#/channels/chat"},
                    "messages": [DONE],
                    "reply": {"messages": [ASK]},
                },
            },
        ),
    ):
        found = described(document, describes="client")
        assert {each.name for each in found.sent} <= {"ask", "done"}
        assert found.sent[0].name == ("done" if document is TWO else "ask")


def test_channels_that_are_no_paths_share_a_socket(described: Any) -> None:
    channels = {
        "ask": {"publish": {"message": ASK}},
        "done": {"subscribe": {"message": DONE}},
        "silent": {},
    }
    found = described(changed(TWO, channels=channels))
    assert found.url == "wss://chat.example/v1"
    assert ([each.name for each in found.sent], [each.name for each in found.received]) == (["ask"], ["done"])


def test_of_several_sockets_one_is_chosen(described: Any, wrong: Any) -> None:
    one = {"publish": {"message": ASK}}
    document = changed(TWO, channels={"/a": one, "/b": one, "/only-tells": {"subscribe": {"message": DONE}}})
    assert wrong(document) == "the description has several channels; choose one with --channel: /a, /b"
    assert described(document, channel="/b").url == "wss://chat.example/v1/b"
    assert described(document, channel="/b").received == ()
    assert (
        wrong(document, channel="/c")
        == "the description has no channel /c; its channels are /a, /b, /only-tells"
    )
    assert "no message that a client sends" in wrong(document, channel="/only-tells")
    both = changed(THREE)
    both["channels"]["more"] = {"address": "/", "messages": {"more": ASK}}
    both["operations"]["more"] = {"action": "receive", "channel": {"$ref": "#/channels/more"}}
    assert [each.name for each in described(both).sent] == ["ask"]


def test_what_a_url_leaves_open_is_filled_or_named(described: Any) -> None:
    variables = {"a": {"examples": [7]}, "b": {"default": ""}, "d": {"schema": {"const": True}}}
    servers = {"live": {"url": "{a}.{b}.{c}.{d}.example", "protocol": "ws", "variables": variables}}
    found = described(changed(TWO, servers=servers))
    assert found.url.startswith("ws://7.CHANGE-ME.CHANGE-ME.True.example/rooms")
    assert [note for note in found.notes if "{c}" in note]
    by_http = {"live": {"url": "https://chat.example", "protocol": "wss"}}
    assert described(changed(TWO, servers=by_http)).url.startswith("wss://chat.example/")


def test_names_traits_and_correlation_ids(described: Any) -> None:
    traits = [{"correlationId": {"location": "$message.payload#/meta/id"}}, {"$ref": "#/components/x"}]
    messages = [
        {"messageId": "by-id", "traits": traits, "examples": [{"payload": {"meta": {"id": 1}}}]},
        {
            "title": "by title",
            "correlationId": {"location": "$message.header#/id"},
            "payload": {"type": "string"},
        },
        {"payload": {"type": "boolean"}},
        {"name": "avro", "schemaFormat": "application/vnd.apache.avro;version=1.9.0", "payload": {}},
        {
            "name": "json",
            "schemaFormat": "application/schema+json;version=draft-07",
            "payload": {"type": "number"},
        },
        {
            "name": "multi",
            "payload": {"schemaFormat": "application/vnd.aai.asyncapi;version=3.0.0", "schema": {"const": 5}},
        },
        {
            "name": "yaml",
            "payload": {"schemaFormat": "application/schema+yaml;version=draft-07", "schema": {"const": 6}},
        },
        {"name": "nothing"},
        {"name": "empty", "payload": {}},
    ]
    document = changed(TWO, channels={"c": {"publish": {"message": {"oneOf": messages}}}})
    document["components"]["x"] = {"title": "a trait"}
    found = described(document)
    assert [(each.name, each.examples, each.id_path) for each in found.sent] == [
        ("by-id", ({"meta": {"id": 1}},), "meta.id"),
        ("by title", ("text",), ""),
        ("message", (True,), ""),
        ("json", (1,), ""),
        ("multi", (5,), ""),
        ("yaml", (6,), ""),
    ]
    assert [
        note for note in found.notes if note.startswith("the description does not describe the payload of")
    ] == [f"the description does not describe the payload of {name}" for name in ("avro", "nothing", "empty")]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "this is not an AsyncAPI description: the key `asyncapi` with a version is missing"),
        ([], "this is not an AsyncAPI description: the key `asyncapi` with a version is missing"),
        ({"asyncapi": "1.2.0"}, "the description has AsyncAPI version 1.2.0; loadtest reads 2.x and 3.x"),
        ({"asyncapi": 2.0}, "the description has no servers; add a server with its address and `protocol: wss`"),  # noqa: E501 - as it is written
        (changed(TWO, servers={}), "the description has no servers; add a server with its address and `protocol: wss`"),  # noqa: E501 - as it is written
        (changed(TWO, servers={"a": {"url": "b", "protocol": "amqp"}}), "the description has no WebSocket server (ws or wss); its servers are a: amqp"),  # noqa: E501 - as it is written
        (changed(THREE, servers={"a": {"protocol": "ws"}}), "the description has no WebSocket server (ws or wss); its servers are a: ws"),  # noqa: E501 - as it is written
        (changed(TWO, channels={}), "the description has no channels, so it has no messages"),
        (changed(TWO, channels={"/": {}}), "no channel of the description has a message"),
        (changed(THREE, operations={}), "no channel of the description has a message"),
        (
            changed(TWO, channels={"/": {"subscribe": {"message": DONE}}}),
            (
                "the description has no message that a client sends; if the file describes a client, use"
                " --describes client"
            ),
        ),
        (changed(TWO, channels={"/": {"$ref": "other.yaml#/c"}}), "a `$ref` of the description is in another file, other.yaml#/c; bundle the files into one"),  # noqa: E501 - as it is written
        (changed(TWO, channels={"/": {"$ref": "#/nowhere"}}), "the target of a `$ref` in the description does not exist: #/nowhere"),  # noqa: E501 - as it is written
        (changed(TWO, channels={"/": {"$ref": "#/a"}}, a={"$ref": "#/b"}, b={"$ref": "#/a"}), "a `$ref` of the description leads back to itself: #/a"),  # noqa: E501 - as it is written
        (
            changed(TWO, components={"messages": {"ask": {"payload": {"$ref": "#/components/messages/ask/payload"}}, "done": DONE}}),  # noqa: E501 - as it is written
            "a `$ref` of the description leads back to itself: #/components/messages/ask/payload",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_one_sentence(wrong: Any, document: object, sentence: str) -> None:
    assert wrong(document) == sentence


def test_a_server_that_is_not_there(wrong: Any) -> None:
    assert wrong(TWO, server="other") == "the description has no server other; its servers are live"
    many = {f"s{n}": {"url": "x", "protocol": "mqtt"} for n in range(12)}
    assert wrong(changed(TWO, servers=many)).endswith("s9: mqtt and 2 more")


def test_files_that_are_none(wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrong(json.dumps(TWO)[:-9]) == "the file ends in the middle of its JSON; save it again"
    assert wrong("asyncapi: '2.0'\nservers: [").startswith("the file is neither JSON nor YAML: line 2: ")
    assert wrong("at: 2024-99-99") == "the file is neither JSON nor YAML: month must be in 1..12"
    assert wrong("[" * 100 + "]" * 100) == "the description is nested more than 64 levels deep"
    assert wrong("[" * 100_000) == "the description is nested more than 64 levels deep"
    assert wrong("- " * 5_000 + "a") == "the description is nested more than 64 levels deep"
    assert wrong("a: &a [*a]") == "the description is nested more than 64 levels deep"
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))
    assert wrong(laughs) == "the description has more than 200,000 values"
    assert wrong(json.dumps([0] * 200_001)) == "the description has more than 200,000 values"
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path, told in ((binary, "is not UTF-8 text"), (tmp_path / "none", "cannot be read: No such file")):
        with pytest.raises(ConfigError, match=told):
            read_asyncapi(path)
    monkeypatch.setattr(asyncapi_document, "MAX_BYTES", 3)
    with pytest.raises(ConfigError, match="is larger than 0 MiB"):
        read_asyncapi(tmp_path / "api.json")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x:\n" + "- a\n" * 1_000_000, "the description has more than 200,000 values"),
        ("x: " + "[" * 100_000, "the description is nested more than 64 levels deep"),
        ("a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)), "the description has more than 200,000 values"),  # noqa: E501 - as it is written
    ],
    ids=["flat", "deep", "merges"],
)  # fmt: skip
def test_a_bound_of_yaml_is_found_before_anything_is_made_of_it(
    wrong: Any, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    monkeypatch.setattr(yaml, "load", lambda *_, **__: pytest.fail("it was loaded"))
    assert wrong(text) == sentence


def test_a_yaml_alias_within_itself_is_too_deep(wrong: Any) -> None:
    assert wrong("x: &a [1, *a]") == "the description is nested more than 64 levels deep"


def test_yaml_without_its_library(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert 'extra "asyncapi"' in wrong("asyncapi: 2.0.0")


def test_too_many_messages(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncapi, "MAX_MESSAGES", 1)
    assert wrong(TWO) == "the description has more than 1 messages"


def test_what_only_yaml_has_becomes_text() -> None:
    found = parse("on: 1\n2: .inf\nat: 2026-01-02\nb: !!binary AAAA\nnull: null")
    assert found == {"true": 1, "2": "inf", "at": "2026-01-02", "b": "b'\\x00\\x00\\x00'", "None": None}


def test_references_escape_and_count() -> None:
    document = ApiDocument({"a/b~c d": [{"x": 1}], "z": {"$ref": "#/a~1b~0c%20d/0"}})
    assert document.at(document.root, "z", "x") == 1
    assert document.at(document.root, "z", "x", "y") is None
    assert document.table(document.root, "a/b~c d") == {}
    for ref in ("#/a~1b~0c%20d/1", "#/a~1b~0c%20d/²", "#/z/0"):
        with pytest.raises(NoDescriptionError, match="does not exist"):
            document.step(ref)
    with pytest.raises(NoDescriptionError, match="…"):
        document.step("#/" + "x" * 300)


# ------------------------------------------------------------------ examples of schemas


def sample(schema: object, **components: Any) -> Any:
    return SchemaSample(ApiDocument({"c": components})).of(schema)


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"const": 0}, 0),
        ({"default": None}, None),
        ({"example": "e"}, "e"),
        ({"examples": ["x", "y"]}, "x"),
        ({"enum": ["p"]}, "p"),
        ({"examples": [], "type": "string"}, "text"),
        ({"type": ["null", "integer"]}, 1),
        ({"type": ["null"]}, None),
        ({"type": "number", "exclusiveMinimum": 2}, 3),
        ({"type": "integer", "minimum": True}, 1),
        ({"type": "boolean"}, True),
        ({"type": "string", "format": "uuid"}, FORMATS["uuid"]),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"items": {"type": "string"}}, ["text"]),
        ({"type": "array"}, []),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({"type": "object"}, {}),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}], "properties": {"c": {"const": 3}}}, {"a": 1, "b": 2, "c": 3}),  # noqa: E501 - as it is written
        ({"allOf": [{"type": "null"}, {"type": "string"}]}, "text"),
        ({"allOf": []}, None),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "text"),
        ({"anyOf": [{"const": 2}]}, 2),
        ({"oneOf": []}, None),
        (True, None),
    ],
)  # fmt: skip
def test_an_example_is_the_plainest_value(schema: object, found: object) -> None:
    assert sample(schema) == found


def test_a_schema_may_ask_for_itself_where_that_is_no_must() -> None:
    tree = {
        "properties": {
            "name": {"type": "string"},
            "parent": {"$ref": "#/c/tree"},
            "children": {"type": "array", "items": {"$ref": "#/c/tree"}},
        }
    }
    assert sample({"$ref": "#/c/tree"}, tree=tree) == {"name": "text", "children": []}
    either = {"oneOf": [{"$ref": "#/c/either"}, {"const": 1}]}
    assert sample({"$ref": "#/c/either"}, either=either) == 1
    for must in (
        {"required": ["again"], "properties": {"again": {"$ref": "#/c/must"}}},
        {"type": "array", "minItems": 1, "items": {"$ref": "#/c/must"}},
    ):
        with pytest.raises(NoDescriptionError, match="contains itself without end: #/c/must"):
            sample({"$ref": "#/c/must"}, must=must)


def test_a_schema_that_doubles_at_each_step_is_given_up() -> None:
    steps = {f"s{n}": {"properties": {side: {"$ref": f"#/c/s{n + 1}"} for side in "lr"}} for n in range(30)}
    with pytest.raises(NoDescriptionError, match="more than 10,000 values"):
        sample({"$ref": "#/c/s0"}, **steps, s30={"type": "string"})
    chain = {f"s{n}": {"$ref": f"#/c/s{n + 1}"} for n in range(100)}
    with pytest.raises(NoDescriptionError, match="nested more than 64 levels deep"):
        sample({"$ref": "#/c/s0"}, **chain, s100={"type": "string"})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=5) | st.just("#/c/x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["$ref", "type", "items", "properties", "allOf", "oneOf", "x", "messages", "payload",
                         "publish", "message", "servers", "channels", "url", "protocol", "minItems"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(VALUES, VALUES, st.sampled_from(["2.0.0", "3.0.0"]))
def test_whatever_stands_in_a_file_is_read_or_refused(
    channels: object, servers: object, version: str
) -> None:
    document = ApiDocument(
        {
            "asyncapi": version,
            "channels": channels,
            "servers": servers,
            "operations": channels,
            "c": {"x": channels},
        }
    )
    try:
        found = asyncapi._DescriptionReader(document, "server").read(None, None)
    except NoDescriptionError:
        return
    assert found.sent


def test_the_bounds_are_as_told() -> None:
    assert (schema_sample.MAX_SAMPLE, asyncapi_document.MAX_DEPTH) == (10_000, 64)
