"""A protocol drafted from a capture: valid as it is written, and every turn of the capture ends by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.protocol_file import read_protocol
from loadtest.plan.scaffold import ERROR_TYPES
from loadtest.plan.template import Template
from loadtest.plan.toml_lines import parse_toml
from loadtest.plan.toml_reader import Source, TomlTable
from loadtest.speak.capture_draft import Draft, draft, sounds_wrong
from loadtest.speak.draft_toml import condition_text, event_lines, protocol_text, rows_text, toml_text
from loadtest.speak.kept_secrets import HIDDEN
from loadtest.speak.replay import Replay, replay

Frame = tuple[str, Any]


def frames(*found: Frame) -> list[CapturedFrame]:
    """ "<" to us, ">" from us; what is no text is JSON. One a second."""
    return [
        CapturedFrame(
            at * 10**9,
            way == "<",
            (data if isinstance(data, str) else json.dumps(data)).encode("utf-8", "surrogatepass"),
            line=at + 1,
        )
        for at, (way, data) in enumerate(found)
    ]


def drafted(*found: Frame) -> tuple[Draft, Replay]:
    """The draft, and what its protocol makes of the same capture."""
    captured = frames(*found)
    made = draft(captured)
    source = Source("drafted")
    protocol = read_protocol(TomlTable(parse_toml(protocol_text(made, "drafted")), source), "drafted")
    assert source.problems == []
    return made, replay(protocol, captured)


def ends(played: Replay) -> bool:
    return bool(played.turns) and not played.unending and not played.not_ready


def turns(n: int, of: Callable[[int], Iterable[Frame]]) -> list[Frame]:
    return [frame for number in range(n) for frame in of(number)]


def chat(number: int) -> list[Frame]:
    turn = f"q-{number}"
    return [
        (
            ">",
            {"type": "ask", "id": turn, "session": "s-1", "text": f"why number {number}", "api_key": "sk-12"},
        ),
        ("<", {"type": "started", "id": turn, "n": 0}),
        ("<", {"type": "delta", "id": turn, "n": 1}),
        ("<", {"type": "ping", "stamp": 5}),
        (">", {"type": "pong", "stamp": 5}),
        ("<", {"type": "delta", "id": turn, "n": 2}),
        ("<", {"type": "done", "id": turn, "n": 3}),
        ("<", {"type": "news", "about": "all"}),
    ]


def test_a_chat_with_everything() -> None:
    before: list[Frame] = [
        ("<", {"type": "welcome", "session": "s-1"}),
        ("<", {"type": "settings"}),
        (">", {"type": "join", "session": "s-1", "token": "secret"}),
        ("<", {"type": "joined", "session": "s-1"}),
    ]
    made, played = drafted(*before, *turns(3, chat))
    assert ends(played)
    assert made.type == ["type"]
    assert made.turn == ["id"]
    assert (made.sequence, made.sequence_start) == ("n", 0)
    assert [step[0] for step in made.ready] == ["settings", None, "joined"]
    assert made.ready[2][2] == {"session": "session"}
    assert made.ready[1][1] == '{"type":"join","session":"s-1","token":"{secret.TARGET_TOKEN}"}'
    assert [tuple(beat) for beat in made.heartbeat] == [("ping", '{"type":"pong","stamp":{event.stamp}}')]
    assert made.message == (
        '{"type":"ask","id":"{turn.id}","session":"{ready.session}","text":"{data.text}",'
        '"api_key":"{secret.TARGET_API_KEY}"}'
    )
    assert made.rows == [{"text": f"why number {n}"} for n in range(3)]
    assert made.notes[-2:] == [
        f"the draft has {{secret.{name}}} in place of a secret: set the environment variable {name},"
        " or keep the value that the target sends"
        for name in ("TARGET_API_KEY", "TARGET_TOKEN")
    ]
    assert (made.first, made.end, made.ignore) == (["delta"], ["done"], ["news"])
    assert not any("unmatched" in frame.taken for frame in played.frames)
    assert "sk-12" not in protocol_text(made, "x") + rows_text(made.rows)


def test_what_was_taken_out_is_no_value_that_comes_back() -> None:
    gone = "[redacted]"
    made, played = drafted(
        ("<", {"type": "ready", "session": gone, "ticket": gone}),
        (">", {"type": "login", "pin": gone, "as": gone, "head": f"Bearer {gone}", "note": "", "jwt": None}),
        ("<", {"type": "in", "jwt": gone}),
        ("<", {"type": "ping", "of": gone}),
        (">", {"type": "pong", "of": gone}),
        (">", {"type": "ask", "id": "q-1", "who": gone, "user": gone, "q": f"token={gone} b", "v": "b c"}),
        ("<", {"type": "done", "id": "q-1", "who": gone}),
        (">", {"type": "ask", "id": "q-2", "who": gone, "user": gone, "q": f"token={gone} b", "v": gone}),
        ("<", {"type": "done", "id": "q-2", "who": gone}),
    )
    assert ends(played)
    assert [step[2] for step in made.ready] == [{}, {}, {}]
    assert made.ready[1][1] == (
        '{"type":"login","pin":"{secret.TARGET_PIN}","as":"{secret.TARGET_AS}",'
        '"head":"Bearer {secret.TARGET_HEAD}","note":"","jwt":null}'
    )
    assert made.heartbeat[0].send == '{"type":"pong","of":"{secret.TARGET_OF}"}'
    assert made.message == (
        '{"type":"ask","id":"{turn.id}","who":"{secret.TARGET_WHO}","user":"{secret.TARGET_USER}",'
        '"q":"token={secret.TARGET_Q} b","v":"{secret.TARGET_V}"}'
    )
    assert (made.rows, made.identity) == ([], {})
    assert gone not in protocol_text(made, "x")


def test_what_was_taken_out_of_texts_is_no_data() -> None:
    made, _ = drafted(
        ("<", "[redacted]"),
        ("<", "token=[redacted]"),
        (">", "say one"),
        ("<", "ok"),
        (">", "say two password=[redacted]"),
        ("<", "ok"),
    )
    assert made.message == "say two password={secret.TARGET_SECRET}"
    assert made.rows == []
    assert "[redacted]" not in protocol_text(made, "x")


@pytest.mark.parametrize("key", ["type", "op"])
def test_a_type_is_no_id_of_a_turn(key: str) -> None:
    made, played = drafted(
        ("<", {"type": "event", "n": "a"}),
        (">", {key: "event", "say": "hello"}),
        ("<", {"type": "event", "n": "b", "of": "event"}),
        ("<", {"type": "end", "of": "event"}),
    )
    assert ends(played)
    assert made.turn == []
    assert "{turn.id}" not in made.message


def test_an_id_that_is_a_type_elsewhere_stands_where_it_is_one() -> None:
    made, played = drafted(
        ("<", {"type": "1", "id": "0"}),
        (">", {"type": "ask", "id": "1"}),
        ("<", {"type": "1", "id": "1"}),
        ("<", {"type": "end", "id": "1"}),
    )
    assert ends(played)
    assert made.turn == ["id"]
    assert made.message == '{"type":"ask","id":"{turn.id}"}'


def test_the_end_is_a_value_that_only_the_last_event_has() -> None:
    made, played = drafted(
        *turns(
            2,
            lambda n: [
                (">", {"id": n + 100, "text": "why is that"}),
                ("<", {"id": n + 100, "text": "a", "done": False}),
                ("<", {"id": n + 100, "text": "b", "done": True}),
            ],
        )
    )
    assert ends(played)
    assert made.end == [{"done": True}]
    assert made.message == '{"id":{turn.id},"text":"why is that"}'


def test_one_answer_a_message_is_an_end_by_count() -> None:
    made, played = drafted(*turns(2, lambda n: [(">", {"id": f"a{n}"}), ("<", {"id": f"a{n}", "ok": 1})]))
    assert ends(played)
    assert made.count == 1
    errors = '["error", "failed", "unauthorized", "forbidden", "denied"]'
    assert event_lines(made)["fail"] == f'[{{ has = "error" }}, {{ type = {{ in = {errors} }} }}]'
    made = Draft(json=True, has_errors=True, good_types=frozenset({"denied", "error"}))
    assert event_lines(made)["fail"].endswith('in = ["failed", "unauthorized", "forbidden"] } }]')
    made.good_types = frozenset(ERROR_TYPES)
    assert event_lines(made)["fail"] == '[{ has = "error" }]'


def test_without_an_id_that_comes_back_events_are_matched_in_order() -> None:
    made, played = drafted(
        *turns(
            2,
            lambda n: [
                (">", {"type": "ask", "question": f"why {n} times"}),
                ("<", {"type": "delta"}),
                ("<", {"type": "delta"}),
                ("<", {"type": "answer", "n": n}),
            ],
        )
    )
    assert ends(played)
    assert made.turn == []
    assert made.end == ["answer"]
    assert made.first == ["delta"]
    assert event_lines(made)["match"] == '"order"'
    assert any("matches events by order" in note for note in made.notes)


def test_an_array_with_a_reference() -> None:
    made, played = drafted(
        *turns(
            3,
            lambda n: [
                (">", ["1", f"r{n}", "room:1", "ask", {"q": "why so late"}]),
                ("<", ["1", f"r{n}", "room:1", "phx_reply", {"status": "ok"}]),
            ],
        )
    )
    assert ends(played)
    assert made.turn == ["1"]
    assert '"{turn.id}"' in made.message


def test_an_error_fails_its_turn() -> None:
    made, played = drafted(
        (">", {"type": "ask", "id": "x1"}),
        ("<", {"type": "done", "id": "x1"}),
        (">", {"type": "ask", "id": "x2"}),
        ("<", {"type": "request_failed", "id": "x2"}),
    )
    assert ends(played)
    assert made.fail == ["request_failed"]
    assert made.end == ["done"]


def test_only_errors_give_no_end() -> None:
    made, _ = drafted((">", {"id": "x1"}), ("<", {"id": "x1", "error": {"code": -1}}))
    assert made.end == []
    assert made.count is None
    assert any("ends with an error" in note for note in made.notes)


@pytest.mark.parametrize("good", [{"answer": 1}, {"answer": 1, "error": None}])
def test_an_error_key_that_good_events_leave_empty_is_an_error(good: dict[str, object]) -> None:
    made, _ = drafted(
        (">", {"id": "x1"}),
        ("<", {"id": "x1", **good}),
        (">", {"id": "x2"}),
        ("<", {"id": "x2", "error": {"code": -1}}),
    )
    assert made.has_errors


def test_an_error_key_that_good_events_fill_is_no_error() -> None:
    made, _ = drafted(
        (">", {"id": "x1"}),
        ("<", {"id": "x1", "answer": 1, "error": False}),
        (">", {"id": "x2"}),
        ("<", {"id": "x2", "answer": 2, "error": False}),
    )
    assert not made.has_errors


def test_an_end_that_does_not_come_last() -> None:
    made, _ = drafted(
        *turns(
            2,
            lambda n: [
                (">", {"type": "ask", "id": f"x{n}"}),
                ("<", {"type": "finished", "id": f"x{n}"}),
                *[("<", {"type": "note", "id": f"x{n}"})] * (n + 1),
                ("<", {"type": "note", "id": f"x{n}"}),
            ],
        )
    )
    assert made.end == ["finished"]
    assert any("comes once in each turn" in note for note in made.notes)


def test_events_that_nothing_tells_apart_are_counted() -> None:
    same = [("<", {"type": "note", "id": "x0"}), ("<", {"type": "note", "id": "x0"})]
    made, played = drafted((">", {"type": "ask", "id": "x0"}), *same)
    assert made.count == 2
    assert ends(played)


def test_an_event_that_is_called_an_end_and_comes_twice_is_none() -> None:
    made, _ = drafted(
        *turns(
            2,
            lambda n: [
                (">", {"type": "ask", "id": f"x{n}", "flag": n > 0}),
                *[("<", {"type": "result", "id": f"x{n}"})] * 2,
                *[("<", {"type": "note", "id": f"x{n}"})] * (n + 1),
                ("<", {"type": "result", "id": f"x{n}"}),
            ],
        )
    )
    assert made.end == []


def test_where_nothing_tells_the_end_it_says_so() -> None:
    made, played = drafted(
        *turns(
            2,
            lambda n: [
                (">", {"type": "ask", "id": f"x{n}"}),
                *[("<", {"type": "note", "id": f"x{n}"})] * (n + 2),
            ],
        )
    )
    assert (made.end, made.count) == ([], None)
    assert any("write `end`" in note for note in made.notes)
    assert played.unending


def test_a_message_without_an_answer_is_told() -> None:
    made, played = drafted(
        (">", {"type": "ask", "id": "x1"}),
        ("<", {"type": "done", "id": "x1"}),
        (">", {"type": "ask", "id": "x1"}),
    )
    assert any("1 of 2 messages have no answer" in note for note in made.notes)
    assert len(played.unending) == 1
    made, _ = drafted((">", {"type": "ask"}))
    assert any("no event answers" in note for note in made.notes)


def test_events_of_a_turn_that_is_not_ours_are_told() -> None:
    made, _ = drafted(
        (">", {"type": "ask", "id": "x1"}),
        ("<", {"type": "done", "id": "x9"}),
        ("<", {"type": "done", "id": "x1"}),
    )
    assert any("have no id of a turn" in note for note in made.notes)


def test_two_envelopes_have_two_paths() -> None:
    made, played = drafted(
        *turns(
            2,
            lambda n: [
                (">", {"type": "ask", "id": f"x{n}", "data": {"id": 5}}),
                ("<", {"type": "started", "id": f"x{n}"}),
                ("<", {"event": "note", "data": {"id": f"x{n}"}}),
                ("<", {"event": "closed", "data": {"id": f"x{n}"}}),
            ],
        )
    )
    assert sorted(made.type) == ["event", "type"]
    assert sorted(made.turn) == ["data.id", "id"]
    assert ends(played)


def test_a_type_that_is_called_nothing_usual() -> None:
    made, played = drafted(
        *turns(
            3,
            lambda n: [
                (">", {"number": n, "text": "why is that"}),
                ("<", {"is": "part", "of": {"x": 1.5}}),
                ("<", {"is": "rest", "of": {"x": n + 0.25}}),
            ],
        )
    )
    assert made.type == ["is"]
    assert ends(played)


def test_numbers_that_count_are_no_types() -> None:
    made, _ = drafted(
        (">", "go now"), *[("<", {"t": n, "said": "a b"}) for n in range(5)], ("<", {"t": 9, "said": None})
    )
    assert made.type == []


def test_text_with_a_prefix() -> None:
    made, played = drafted(
        ("<", '0{"sid":"x"}'),
        (">", "40"),
        ("<", '40{"sid":"y"}'),
        *turns(
            2,
            lambda n: [
                ("<", "2"),
                (">", "3"),
                (">", f'421["ask",{{"q":"why {n}"}}]'),
                ("<", "431[1]"),
            ],
        ),
    )
    assert not made.json
    assert made.ready[0][0] == '0{"sid":"x"}'
    assert [tuple(beat) for beat in made.heartbeat] == [("2", "3")]
    assert made.message == '421["ask",{"q":"why {data.text}"}]'
    assert made.rows == [{"text": "0"}, {"text": "1"}]
    assert ends(played)


def test_text_that_is_long_begins_alike() -> None:
    long = "hello " * 20
    made, played = drafted(("<", long), (">", "ask"), ("<", "answer"))
    assert made.ready == [({"prefix": "hello"}, "", {})]
    assert ends(played)


def test_a_message_before_the_first_turn_without_a_type() -> None:
    made, _ = drafted(("<", {"a": [1]}), (">", {"id": "x1"}), ("<", {"id": "x1"}))
    assert made.ready == []
    assert any("has no type" in note for note in made.notes)
    made, _ = drafted(("<", ""), (">", "ask"), ("<", "answer"))
    assert any("has no type" in note for note in made.notes)


def test_a_capture_in_which_nothing_was_sent() -> None:
    made = draft(frames(("<", {"type": "news"})))
    assert made.message == ""
    assert made.notes


def test_values_of_one_name_have_their_own_columns() -> None:
    made, played = drafted(
        *turns(
            2,
            lambda n: [
                (">", {"a": {"v": f"x y{n}"}, "b": {"v": f"z y{n}"}, "c": {"v": 1.5 * n}}),
                ("<", {"ok": True}),
            ],
        )
    )
    assert made.message == '{"a":{"v":"{data.v}"},"b":{"v":"{data.b_v}"},"c":{"v":{data.c_v}}}'
    assert ends(played)


def test_what_is_no_key_of_a_path_is_left_alone() -> None:
    deep: Any = {"x": 1}
    for _ in range(8):
        deep = {"in": deep}
    made, played = drafted((">", {"a.b": "x", "": "y", "deep": deep}), ("<", {"ok": True}))
    assert json.loads(made.message) == {"a.b": "x", "": "y", "deep": deep}
    assert ends(played)


def test_a_sequence_needs_a_few_events() -> None:
    made, _ = drafted(
        *turns(
            2,
            lambda n: [
                (">", {"type": "ask", "id": f"x{n}"}),
                *[
                    ("<", {"type": kind, "id": f"x{n}", "seq": at + 1, "k": at, "flag": True})
                    for at, kind in enumerate("abc")
                ],
            ],
        )
    )
    assert (made.sequence, made.sequence_start) == ("seq", 1)
    assert event_lines(made)["sequence_start"] == "1"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", '"plain"'),
        ('a"b', "'a\"b'"),
        ("a'\"b", '"a\'\\"b"'),
        ('a\n"', '"a\\n\\""'),
        ("\x7f", '"\\u007f"'),
    ],
)
def test_texts_are_written_as_toml(text: str, written: str) -> None:
    assert toml_text(text) == written
    assert parse_toml(f"x = {written}") == {"x": text}


def test_conditions_are_written_as_toml() -> None:
    assert condition_text({"a.b": True, "c": "x", "d": 1}) == '{ "a.b" = true, c = "x", d = 1 }'


WORDS = st.sampled_from(
    ["a", "type", "id", "done", "ping", "error", "why not", "1", "", "{a}", "\ud800", "user"]
)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


def test_heartbeats_without_ready_steps() -> None:
    made, played = drafted(
        (">", {"id": "x1"}), ("<", {"type": "ping"}), (">", {"type": "pong"}), ("<", {"id": "x1"})
    )
    assert made.ready == []
    assert ends(played)


@given(st.lists(st.tuples(st.sampled_from("<>"), VALUES), min_size=1, max_size=12))
@example([(">", ""), (">", None)])
@example([("<", "x"), (">", "{a}"), ("<", "{a}")])
@example([(">", "{a}"), ("<", {"error": {}, "\ud800": {}})])
def test_any_capture_makes_a_draft_that_can_be_read(found: list[Frame]) -> None:
    made = draft(frames(*found))
    if made.message:
        drafted(*found)


def test_a_path_that_names_no_further_event_is_left_out() -> None:
    made, played = drafted(
        *turns(
            3,
            lambda number: [
                (">", {"type": "ask", "id": f"q-{number}-abcdef"}),
                ("<", {"type": "part", "id": f"q-{number}-abcdef", "again": {"id": f"q-{number}-abcdef"}}),
                ("<", {"type": "done", "id": f"q-{number}-abcdef", "again": {"id": f"q-{number}-abcdef"}}),
            ],
        )
    )
    assert len(made.turn) == 1
    assert ends(played)


def test_a_value_that_the_first_message_of_a_kind_lacks_is_not_known_by_it() -> None:
    """Two messages fit one ready step; what ours repeat stands in the second alone."""
    made, _ = drafted(
        ("<", {"type": "hello"}),
        ("<", {"type": "hello", "session": "s-1234567890"}),
        (">", {"type": "ask", "id": "q-0-abcdef", "session": "s-1234567890"}),
        ("<", {"type": "done", "id": "q-0-abcdef"}),
        (">", {"type": "ask", "id": "q-1-abcdef", "session": "s-1234567890"}),
        ("<", {"type": "done", "id": "q-1-abcdef"}),
    )
    assert made.ready


def written(made: Draft, turn_id: str, **values: str) -> str:
    """The message of a turn as a run sends it, of the first row."""
    users = {f"user.{name}": text for name, text in made.identity.items()}
    data = {f"data.{name}": text for name, text in (made.rows or [{}])[0].items()}
    return Template.parse(made.message).render({"turn.id": turn_id, **users, **data, **values})


@pytest.mark.parametrize("text", ["use {data.question} or {x}", "half \ud83d of one", "{event.a.b}", "{{a}}"])
def test_text_of_a_capture_is_sent_as_it_was(text: str) -> None:
    """What looks like a placeholder, or is half of a character, is neither filled nor refused."""
    found = [
        (">", {"type": "login", "text": text}),
        ("<", {"type": "welcome"}),
        *turns(
            2,
            lambda number: [
                (">", {"type": "ask", "id": f"q-{number}-abcdef", "same": text, text: 1}),
                ("<", {"type": "done", "id": f"q-{number}-abcdef"}),
            ],
        ),
    ]
    made, played = drafted(*found)
    assert ends(played)
    assert json.loads(written(made, "q-0-abcdef")) == found[2][1]
    assert json.loads(Template.parse(made.ready[0][1]).render({})) == found[0][1]
    assert protocol_text(made, "x").encode()


def test_half_of_a_character_in_a_row_is_told() -> None:
    made, played = drafted(
        *turns(
            2,
            lambda number: [
                (">", {"id": f"q-{number}-abcdef", "q": f"\ud83d {number}"}),
                ("<", {"id": f"q-{number}-abcdef"}),
            ],
        )
    )
    assert made.rows == [{"q": "\ufffd 0"}, {"q": "\ufffd 1"}]
    assert any("half of a character" in note for note in made.notes)
    assert ends(played)


def test_a_text_that_looks_like_a_placeholder_is_a_value() -> None:
    made, played = drafted((">", "ask {x}"), ("<", "done"), (">", "ask {x}"), ("<", "done"))
    assert (made.message, made.rows) == ("{data.text}", [{"text": "ask {x}"}])
    assert ends(played)
    steps, _ = drafted(("<", "hello"), (">", "login {user.x}"), (">", "ask a"), ("<", "done"), (">", "ask b"))
    assert steps.ready[1][1] == "login { user.x}"
    assert any("{user.x}" in note for note in steps.notes)


def test_whoever_logs_in_is_a_row_of_the_identities() -> None:
    made, played = drafted(
        (">", {"type": "login", "user": "alice", "token": "t", "device": {"account": "a-7"}}),
        ("<", {"type": "welcome"}),
        *turns(
            2,
            lambda number: [
                (">", {"type": "ask", "id": f"q-{number}-abcdef", "user": "alice"}),
                ("<", {"type": "done", "id": f"q-{number}-abcdef", "user": "alice"}),
            ],
        ),
    )
    assert made.identity == {"user": "alice", "account": "a-7"}
    assert '"user":"{user.user}"' in made.ready[0][1]
    assert '"account":"{user.account}"' in made.ready[0][1]
    assert '"user":"{user.user}"' in made.message
    assert ends(played)


def test_two_users_under_one_name_are_not_one_column() -> None:
    made, _ = drafted(
        (">", {"type": "login", "user": "alice", "as": {"user": "bob"}}),
        ("<", {"type": "welcome"}),
        (">", {"type": "ask", "id": "q-0-abcdef"}),
        ("<", {"type": "done", "id": "q-0-abcdef"}),
    )
    assert made.identity == {"user": "alice"}
    assert '"as":{"user":"bob"}' in made.ready[0][1]


def test_a_heartbeat_is_known_though_its_answer_comes_later() -> None:
    made, played = drafted(
        (">", {"type": "ask", "id": "q-0-abcdef"}),
        ("<", {"type": "part", "id": "q-0-abcdef"}),
        ("<", {"type": "ping"}),
        ("<", {"type": "part", "id": "q-0-abcdef"}),
        (">", {"type": "pong"}),
        ("<", {"type": "done", "id": "q-0-abcdef"}),
    )
    assert [(beat.on, beat.send) for beat in made.heartbeat] == [("ping", '{"type":"pong"}')]
    assert made.ignore == []
    assert ends(played)


@pytest.mark.parametrize("ids", [True, False])
def test_a_heartbeat_that_nothing_answers_is_told(*, ids: bool) -> None:
    turn = {"id": "q-0-abcdef"} if ids else {}
    made, played = drafted(
        (">", {"type": "ask", **turn}),
        ("<", {"type": "ping"}),
        ("<", {"type": "part", **turn}),
        ("<", {"type": "done", **turn}),
        (">", {"type": "ask", "id": "q-1-abcdef"} if ids else {"type": "ask"}),
        ("<", {"type": "done", "id": "q-1-abcdef"} if ids else {"type": "done"}),
    )
    assert made.ignore == ["ping"]
    assert made.end == ["done"]
    assert any("looks like a heartbeat" in note for note in made.notes)
    assert ends(played)


def test_a_ping_that_is_asked_for_is_an_answer() -> None:
    made, played = drafted((">", {"type": "ping"}), ("<", {"type": "ping-ok"}))
    assert made.ignore == []
    assert made.count == 1
    assert ends(played)


def test_an_end_may_lack_the_number() -> None:
    part = {"type": "part", "id": "q-0-abcdef"}
    found = [
        (">", {"type": "ask", "id": "q-0-abcdef"}),
        *(("<", {**part, "n": number, "all": number + 7}) for number in range(3)),
        ("<", {"type": "done", "id": "q-0-abcdef"}),
    ]
    made, played = drafted(*found)
    assert (made.sequence, made.sequence_start) == ("n", 0)
    assert ends(played)
    # Of one turn alone a number that begins anywhere may count the events of the whole connection.
    made, _ = drafted(*((way, {key: each[key] for key in each if key != "n"}) for way, each in found))
    assert made.sequence == ""


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b'{"type":"unauthorized","message":"please log in"}', "unauthorized"),
        (b'{"event":"login_failed"}', "login_failed"),
        (b'{"type":"done","text":"no error"}', ""),
        (b'{"type":4}', ""),
        (b"error", ""),
    ],
)
def test_an_answer_whose_type_sounds_like_an_error(payload: bytes, kind: str) -> None:
    assert sounds_wrong(payload) == kind


def test_ids_that_are_numbers_stay_numbers() -> None:
    made, played = drafted(
        *turns(3, lambda n: [(">", {"id": n + 5, "q": f"why number {n}"}), ("<", {"id": n + 5, "result": 1})])
    )
    assert ends(played)
    assert made.message == '{"id":{turn.id},"q":"{data.q}"}'
    assert made.turn_id == "1{turn.number}"
    assert 'id = "1{turn.number}"' in protocol_text(made, "x")


def test_an_id_that_stands_twice_in_a_message_is_one() -> None:
    made, played = drafted(
        *turns(
            3,
            lambda n: [
                (">", {"id": f"q-{n}", "client": {"ref": f"q-{n}"}, "word": f"w{n}"}),
                ("<", {"id": f"q-{n}", "word": f"w{n}"}),
            ],
        )
    )
    assert ends(played)
    assert made.message == '{"id":"{turn.id}","client":{"ref":"{turn.id}"},"word":"{data.word}"}'


def test_time_to_think_is_from_the_end_of_a_turn_to_the_next() -> None:
    made, _ = drafted(*turns(3, lambda n: [(">", {"id": f"q{n}"}), ("<", {"id": f"q{n}"})]))
    assert made.think_ns == [10**9, 10**9]


def test_a_client_that_does_not_wait_does_not_think() -> None:
    def ask(n: int) -> Frame:
        return ">", {"id": f"q{n}"}

    def answer(n: int) -> Frame:
        return "<", {"id": f"q{n}"}

    made, _ = drafted(ask(0), answer(0), ask(1), ask(2), answer(1), answer(2))
    assert made.think_ns == []
    assert drafted(ask(0), answer(0))[0].think_ns == []


def test_how_long_each_turn_took_that_was_answered() -> None:
    made, _ = drafted(*turns(2, lambda n: [(">", {"id": f"q{n}"}), ("<", {"id": f"q{n}"})]))
    assert made.took_ns == [10**9, 10**9]


def test_what_was_taken_out_comes_again_only_under_the_name_of_its_key() -> None:
    made, played = drafted(
        ("<", {"type": "welcome", "session": HIDDEN, "parts": [HIDDEN]}),
        *turns(
            3,
            lambda n: [
                (">", {"type": "ask", "id": f"q{n}", "session": HIDDEN, "pin": HIDDEN, "parts": [HIDDEN]}),
                ("<", {"type": "done", "id": f"q{n}"}),
            ],
        ),
    )
    assert ends(played)
    assert '"session":"{ready.session}"' in made.message
    assert '"pin":"{secret.TARGET_PIN}"' in made.message
    assert "{ready" not in made.message.replace("{ready.session}", "")


TURN = "dd0b4a58-0f7e-4d6b-9a1b-2f3c4d5e6f70"


@pytest.mark.parametrize(
    "answers",
    [
        [f"answer {TURN}"],
        ["MSG 12", f"answer {TURN}"],
        [{"id": TURN, "a": 1}, {"id": TURN, "last.id": TURN, "done": f"x-{TURN}"}],
        [{"a": 1}, {"done": TURN}],
    ],
)
def test_nothing_that_is_proposed_holds_the_id_of_a_turn(answers: list[Any]) -> None:
    made, _ = drafted(
        (">", f"PUB {TURN}" if isinstance(answers[0], str) else {"id": TURN}),
        *(("<", each) for each in answers),
    )
    assert TURN[:8] not in " ".join(event_lines(made).values())
