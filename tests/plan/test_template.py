from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from loadtest.plan.template import LONG, Template, escaped

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.from_regex(r"[A-Za-z0-9_]{1,6}(\.[A-Za-z0-9_]{1,6})?", fullmatch=True)
ANY_TEXT = st.text(st.characters())  # lone surrogates too


def rendered(text: str, **values: object) -> str:
    return Template.parse(text).render({name.replace("__", "."): value for name, value in values.items()})


@pytest.mark.parametrize(
    "text", ["", "{", "}", "{}", "{ a }", "{a b}", "{a.b.c}", "{a-b}", "{raw:}", "{é}", "{a.}", '{"a":{}}']
)
def test_braces_that_are_no_placeholder_are_themselves(text: str) -> None:
    template = Template.parse(text)
    assert template.names == frozenset()
    assert template.render({}) == text


def test_a_brace_around_a_placeholder_is_itself() -> None:
    assert rendered("{{x}}", x="1") == "{1}"


def test_names_have_one_dot_at_most() -> None:
    assert Template.parse("{user.id} {uuid} {raw:data.x}").names == {"user.id", "uuid", "data.x"}


def test_values_inside_quotes_of_json_are_escaped() -> None:
    text = '{"q":"say {data.q}"}'
    assert json.loads(rendered(text, data__q='"hi"\n\\ {x}')) == {"q": 'say "hi"\n\\ {x}'}


@given(st.text(), st.integers(0, 2))
def test_a_long_value_is_escaped_as_a_short_one(piece: str, after: int) -> None:
    long = (piece + '"') * (LONG // (len(piece) + 1) + after)
    assert json.loads(f'"{escaped(long)}"') == long
    assert escaped(long) == escaped(piece + '"') * (len(long) // (len(piece) + 1))


def test_an_escaped_quote_does_not_end_a_string() -> None:
    assert json.loads(rendered('{"a":"\\"{x}\\\\","b":{x}}', x='"')) == {"a": '""\\', "b": '"'}


def test_a_raw_value_is_not_escaped() -> None:
    assert rendered('{"q":{raw:data.q}}', data__q='{"a":1}') == '{"q":{"a":1}}'


def test_a_text_that_is_not_json_takes_values_as_they_are() -> None:
    template = Template.parse("ask {data.q}")
    assert not template.json
    assert template.render({"data.q": 'a "b"'}) == 'ask a "b"'


@pytest.mark.parametrize("text", ["{x}", "1", "[1] {x}", '{"a":1{x}}', '{"a":-{x}}', "[" * 100_000])
def test_what_is_no_json_whatever_the_values_is_no_json(text: str) -> None:
    assert not Template.parse(text).json


@pytest.mark.parametrize("text", ['{"a":"{x}"}', '["{x}",{y}]', '"{x}"', '{"{x}":{raw:y}}', '{"a":"\\"{x}"}'])
def test_objects_arrays_and_strings_are_json(text: str) -> None:
    assert Template.parse(text).json


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (5, 5),
        ("5", 5),
        (True, True),
        ("true", True),
        ("null", None),
        ("007", "007"),
        ("a", "a"),
        ("", ""),
        ({"k": [1]}, {"k": [1]}),
    ],
)
def test_outside_quotes_a_value_is_json_of_its_own(value: object, written: object) -> None:
    assert json.loads(rendered('{"a":{x}}', x=value)) == {"a": written}


def test_inside_quotes_numbers_and_others_are_written_as_json_writes_them() -> None:
    assert rendered('["{a} {b} {c}"]', a=1, b=None, c=True) == '["1 null true"]'


def test_a_value_that_utf8_cannot_hold_is_written_with_escapes() -> None:
    assert escaped("a\ud800é") == "a\\ud800\\u00e9"
    assert escaped("é") == "é"


@given(JSON)
def test_braces_in_any_json_survive_byte_for_byte(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assume("{raw:" not in text)
    template = Template.parse(text)
    assert template.render({name: f"{{{name}}}" for name in template.names}) == text


@given(st.text('{}ab.:"\\[], 1'))
def test_braces_in_any_text_survive_byte_for_byte(text: str) -> None:
    template = Template.parse(text)
    assume(not template.json)
    assert template.render({name: f"{{{name}}}" for name in template.names}) == text


@given(NAMES, ANY_TEXT | st.integers() | st.booleans() | st.none() | JSON)
def test_whatever_the_value_json_stays_json(name: str, value: object) -> None:
    text = f'{{"quoted":"a {{{name}}} b","bare":{{{name}}},"{{{name}}}":[]}}'
    found = json.loads(Template.parse(text).render({name: value}))
    if isinstance(value, str):
        assert found["quoted"] == f"a {value} b"
        assert (
            found["bare"] == value
            or str(found["bare"]).lower() in {value.lower(), "none"}
            or float(value) == found["bare"]
        )


@given(st.lists(NAMES, min_size=1, max_size=5), st.data())
def test_binding_first_and_rendering_later_is_rendering_at_once(
    names: list[str], data: st.DataObject
) -> None:
    text = '{"a":"' + "-".join(f"{{{name}}}" for name in names) + '","b":{' + names[0] + "}}"
    values: dict[str, object] = {name: data.draw(st.text()) for name in names}
    early = {name: value for name, value in values.items() if data.draw(st.booleans())}
    template = Template.parse(text)
    bound = template.bind(early)
    assert bound.names == template.names - early.keys()
    assert bound.render(values) == template.render(values)


def test_bound_text_is_one_part_where_all_is_known() -> None:
    assert Template.parse("a{x}b{y}c").bind({"x": 1, "y": 2}).parts == ("a1b2c",)


@pytest.mark.parametrize(
    ("text", "around"),
    [
        ('{"id":"{turn.id}","u":"{uuid}"}', (b'{"id":"', b'","u":"', b'"}')),
        ("{turn.id}", (b"", b"")),
        ('{"id":{turn.id}}', None),
        ('{"id":"{turn.id}","q":"{data.q}"}', None),
        ("hello", None),
    ],
)
def test_the_text_around_gaps_that_all_take_the_same(text: str, around: tuple[bytes, ...] | None) -> None:
    assert Template.parse(text).around({"turn.id", "uuid"}) == around


def test_a_missing_value_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        Template.parse("{x}").render({})


# ------------------------------------------------------------------ JSON in a text that is none

SOCKET_IO = '42["ask",{"q":"{data.q}","n":{data.n}}]'


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (SOCKET_IO, '42["ask",{"q":"say \\"hi\\"","n":say "hi"}]'),
        ('{"q":"{data.q}"}\x1e', '{"q":"say \\"hi\\""}\x1e'),
        ('{"a":"{data.q}"}{"b":["{data.q}"]}', '{"a":"say \\"hi\\""}{"b":["say \\"hi\\""]}'),
        ("SEND\n\n{data.q}\0", 'SEND\n\nsay "hi"\0'),
        ('say "{data.q}" [{data.n}]', 'say "say "hi"" [say "hi"]'),
        (
            'it\'s 6" {"q":"{raw:data.q}"} or {"q":"{data.q}"}',
            'it\'s 6" {"q":"say "hi""} or {"q":"say \\"hi\\""}',
        ),
        ('{broken ["{data.q}"', '{broken ["say "hi""'),
        ('x {"a\\"{data.q}":1}', 'x {"a\\"say \\"hi\\"":1}'),
    ],
)
def test_values_are_escaped_inside_quotes_of_json_that_a_text_holds(text: str, written: str) -> None:
    template = Template.parse(text)
    assert not template.json
    assert template.render({"data.q": 'say "hi"', "data.n": 'say "hi"'}) == written
    assert template.bind({"data.q": 'say "hi"'}).render({"data.n": 'say "hi"'}) == written


def test_a_template_tells_whether_it_holds_json() -> None:
    assert Template.parse(SOCKET_IO).embedded
    assert not Template.parse('{"q":"{data.q}"}').embedded
    assert not Template.parse("[{user.id}] {data.q}").embedded


def test_json_is_looked_for_at_so_many_brackets_only() -> None:
    assert not Template.parse("[" * 100_000 + '{"q":"{data.q}"}').embedded


@given(ANY_TEXT)
def test_whatever_the_value_json_behind_a_prefix_stays_json(value: str) -> None:
    text = Template.parse(SOCKET_IO).render({"data.q": value, "data.n": 1})
    assert json.loads(text.removeprefix("42")) == ["ask", {"q": value, "n": 1}]


# ------------------------------------------------------------------ values of an event, and bytes


def test_a_path_into_an_event_is_one_placeholder() -> None:
    assert Template.parse("{event.a.b-c.0} {event} {event.}").names == {"event.a.b-c.0", "event"}


def test_a_received_value_keeps_its_kind() -> None:
    assert rendered('{"a":{event.x},"b":"{event.x}"}', event__x="5") == '{"a":"5","b":"5"}'
    assert rendered('{"a":{event.x},"b":"{event.x}"}', event__x=None) == '{"a":null,"b":""}'
    assert rendered("pong {event.x}!", event__x=None) == "pong !"


def test_bytes_go_through_a_text_as_they_are() -> None:
    value = bytes(range(256))
    assert rendered("a{x}", x=value).encode("utf-8", "surrogateescape") == b"a" + value


def test_bytes_that_are_text_may_stand_in_json_and_others_may_not() -> None:
    assert rendered('{"a":"{x}","b":{x}}', x="é".encode()) == '{"a":"é","b":"é"}'
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        rendered('{"a":"{x}"}', x=b"\xff")


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ('{"a":{json:x}}', 'say "hi"', '{"a":"say \\"hi\\""}'),
        ('{"a":{json:x}}', "5", '{"a":"5"}'),
        ('{"a":{json:x}}', 5, '{"a":5}'),
        ('{"a":{json:x}}', None, '{"a":null}'),
        ('{"a":"{json:x}"}', "b", '{"a":"\\"b\\""}'),
        ("say {json:x}", 'a"b', 'say "a\\"b"'),
        ('{"a":{base64:x}}', "1234", '{"a":"MTIzNA=="}'),
        ('{"a":"{base64:x}"}', b"\xff\x00", '{"a":"/wA="}'),
        ("{base64:x}", None, ""),
        ("{base64:x}", bytearray(b"a"), "YQ=="),
        ('{"a":{urlencode:x}}', "ä&1/2", '{"a":"%C3%A4%261%2F2"}'),
        ("q={urlencode:x}", 'a "b"', "q=a%20%22b%22"),
        ('42["a",{"q":"{urlencode:x}"}]', "a b", '42["a",{"q":"a%20b"}]'),
        ('42["a",{"q":{json:x}}]', "a", '42["a",{"q":"a"}]'),
        ("{hex:x}", "a", "{hex:x}"),
    ],
)
def test_a_value_may_be_coded(text: str, value: object, written: str) -> None:
    assert Template.parse(text).render({"x": value}) == written


def test_a_received_value_may_be_coded() -> None:
    text = Template.parse('{"a":{json:event.x},"b":"{base64:kept.y}","c":"{urlencode:last.z}"}')
    filled = text.render({"event.x": "5", "kept.y": "a", "last.z": None})
    assert json.loads(filled) == {"a": "5", "b": "YQ==", "c": ""}


def test_a_coded_id_is_not_filled_in_as_it_is() -> None:
    assert Template.parse('{"id":"{base64:turn.id}"}').around({"turn.id"}) is None
