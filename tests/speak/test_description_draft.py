"""A protocol drafted from a description: valid as it is, and what it cannot know stands in comments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.asyncapi import ApiDescription, ApiMessage
from loadtest.plan.protocol import AutoReply, Protocol
from loadtest.plan.protocol_file import read_protocol
from loadtest.plan.toml_lines import parse_toml
from loadtest.plan.toml_reader import Source, TomlTable
from loadtest.speak.description_draft import Described, described


def api(
    sent: dict[str, Any], received: dict[str, Any], *, ids: dict[str, str] | None = None, **parts: Any
) -> ApiDescription:
    """A description of messages by name, each one payload or a tuple of them."""

    def messages(found: dict[str, Any]) -> tuple[ApiMessage, ...]:
        return tuple(
            ApiMessage(name, each if isinstance(each, tuple) else (each,), (ids or {}).get(name, ""))
            for name, each in found.items()
        )

    known: dict[str, Any] = {"title": "Chat\n[x]", "replies": {}, "notes": (), **parts}
    return ApiDescription(url="ws://h/", sent=messages(sent), received=messages(received), **known)


def read(draft: Described) -> Protocol:
    return read_text(draft.protocol("chat"))


def read_text(text: str) -> Protocol:
    source = Source("chat")
    protocol = read_protocol(TomlTable(parse_toml(text), source), "chat")
    assert source.problems == []
    return protocol


ASK = {"type": "ask", "request_id": "r", "text": "what is it"}
CHAT = {
    "welcome": {"type": "welcome"},
    "ping": {"type": "ping"},
    "delta": {"type": "delta", "request_id": "r", "text": "so"},
    "done": {"type": "done", "request_id": "r"},
    "failed": {"type": "request_failed", "request_id": "r"},
}


def test_types_ids_and_what_ends_a_turn_follow_from_names() -> None:
    draft = described(
        api({"pong": {"type": "pong"}, "ask": ASK, "stop it!": {"type": "stop", "request_id": "r"}}, CHAT)
    )
    protocol = read(draft)
    events = protocol.events
    assert protocol.turn.message == '{"type":"ask","request_id":"{turn.id}","text":"{data.text}"}'
    assert (events.type, events.turn) == (("type",), ("request_id",))
    assert (events.first, events.end) == (("delta",), ("done",))
    assert events.fail == ("request_failed", {"has": "error"})
    assert events.ignore == ("welcome",)
    assert events.count is None
    assert protocol.connect.heartbeat == (AutoReply(on={"type": "ping"}, send='{"type":"pong"}'),)
    assert protocol.connect.ready == ()
    assert protocol.turns["stop"].turn.message == '{"type":"stop","request_id":"{turn.id}"}'
    assert list(protocol.turns) == ["stop"]
    assert 'text = "what is it"' in draft.data
    text = draft.protocol("chat")
    assert '# ready = [ { wait = { type = "welcome" } } ]' in text
    assert "(Chat [x])" in text


def test_what_is_not_described_stands_in_comments() -> None:
    draft = described(api({"say": "hello there"}, {}, notes=("look\nhere",), title=""))
    protocol = read(draft)
    assert (protocol.turn.message, protocol.events.count, protocol.events.match) == (
        "hello there",
        1,
        "order",
    )
    text = draft.protocol("chat")
    assert "# To look at:    look here" in text
    assert "(without a title)" in text
    assert '# end = ["completed"]' in text
    assert '# ready = [ { wait = { type = "welcome" } } ]' in text
    assert draft.data == ""


def test_the_comments_are_valid_where_they_are_taken_out() -> None:
    text = described(api({"ask": {"id": "r"}}, {"a": {"id": "r"}})).protocol("chat")
    for key in ("ready", "end"):
        text = text.replace(f"# {key} = ", f"{key} = ")
    text = text.replace("count = 1 ", "# count = 1 ").replace("turn = [", 'type = ["type"]\nturn = [')
    assert read_text(text).events.end == ("completed",)


def test_the_reply_that_is_described_ends_a_turn_and_its_request_opens_it() -> None:
    received = {"one": {"op": "one"}, "two": {"op": "two"}, "bad": {"op": "error"}}
    draft = described(
        api({"news": {"op": "sub"}, "ask": {"op": "ask"}}, received, replies={"ask": ("two", "bad")})
    )
    protocol = read(draft)
    assert protocol.events.end == ("two",)
    assert protocol.turn.message == '{"op":"ask"}'
    assert list(protocol.turns) == ["sub"]


def test_the_only_type_ends_a_turn() -> None:
    assert read(described(api({"ask": {"q": 1}}, {"a": {"type": "thing"}}))).events.end == ("thing",)


def test_a_correlation_id_goes_before_names() -> None:
    draft = described(
        api(
            {"ask": {"id": "no", "meta": {"c": 7}}},
            {"a": {"meta": {"c": 7}}, "b": {"other": {"c": 7}}, "no": {"id": 1}},
            ids={"ask": "meta.c", "a": "meta.c", "b": "other.c", "no": "nowhere"},
        )
    )
    protocol = read(draft)
    assert protocol.events.turn == ("meta.c", "other.c")
    assert protocol.turn.message == '{"id":"no","meta":{"c":{turn.id}}}'


def test_an_id_that_no_answer_has_is_none() -> None:
    protocol = read(described(api({"ask": {"id": "x"}, "ask too": {"id": "y", "ref": 1}}, {"a": {"ref": 1}})))
    assert (protocol.events.turn, protocol.events.match) == ((), "order")
    assert protocol.turns["ask-too"].turn.message == '{"id":"y","ref":1}'


def test_examples_make_rows_and_secrets_are_taken_out() -> None:
    examples = ({"id": 1, "q": "one", "a": {"q": "x y"}, "token": "s3cret"}, {"id": 2, "q": "two"})
    draft = described(api({"ask": examples}, {"answer": {"id": 1}}))
    protocol = read(draft)
    assert (
        protocol.turn.message == '{"id":{turn.id},"q":"{data.q}","a":{"q":"{data.a_q}"},"token":"CHANGE-ME"}'
    )
    assert draft.data.count("q = ") == 4
    assert "s3cret" not in draft.protocol("chat") + draft.data


def test_only_pongs_and_kinds_of_one_name() -> None:
    protocol = read(described(api({"pong": {"type": "pong"}}, {"ping": {"type": "ping"}})))
    assert protocol.turn.message == '{"type":"pong"}'
    sent = {"a": {"x": 1}, "b!": {"x": 2}, "b?": {"x": 3}, "?": {"x": 4}}
    assert list(read(described(api(sent, {}))).turns) == ["b", "other"]
    lonely = read(described(api({"ask": {"type": "ask"}}, {"ping": {"type": "ping"}})))
    assert lonely.connect.heartbeat == ()


PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["ping", "{turn.id}", "a'b\"c", "\ud800"]),  # noqa: E501 - as it is written
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "id", "text", "error", "a.b", "token", "日本"]), inner, max_size=4),  # noqa: E501 - as it is written
    max_leaves=8,
)  # fmt: skip


@given(
    st.lists(st.tuples(st.text(max_size=8), PAYLOADS), min_size=1, max_size=4),
    st.lists(st.tuples(st.text(max_size=8), PAYLOADS), max_size=4),
)
def test_whatever_is_described_the_draft_can_be_read(sent: list[Any], received: list[Any]) -> None:
    draft = described(api(dict(sent), dict(received)))
    assert read(draft).turn.message is not None


@pytest.mark.parametrize("kind", ["x" * 100, "söme", "a b"])
def test_kinds_have_names_that_a_file_can_hold(kind: str) -> None:
    protocol = read(described(api({"ask": {"type": "ask"}, "more": {"type": kind}}, {})))
    assert len(protocol.turns) == 1
