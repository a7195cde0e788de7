"""Matches in a file: what is read, and what is told of mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.kept_values import kept_names
from loadtest.plan.protocol import CountAt
from loadtest.plan.settings import protocol_settings
from tests.plan.conftest import protocol_from_settings

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = "[events]\nmatch = 'order'\ntype = ['t']\n"

EVERYWHERE = """
[connect]
ready = [ { wait = "hello" }, { wait = { op = 10 } } ]
heartbeat = [ { on = { op = { in = [1, 2] } }, send = '{"op":11,"d":{event.d.seq}}' } ]
auth_errors = ["denied", { code = 401 }]
[turn]
message = "hi"
[events]
match = "order"
type = ["t"]
first = [ { has = "delta" } ]
end = [ "done", { type = "end", "d.ok" = true } ]
end_all = [ "reply", { status = "idle" } ]
fail = { lacks = "result" }
refuse = [ { code = { prefix = "4" } } ]
ignore = [ { type = { regex = "^sys\\\\." } } ]
required = [ { has = ["a", "b"] } ]
pairs = [ [ "begun", { t = "over" } ] ]
order = [ "begun", "*", { type = "end" } ]
answer = [ { on = { has = "method" }, send = "{event.id}" } ]
"""


def test_every_place_takes_a_type_or_a_table(folder: Folder) -> None:
    protocol = folder.protocol(EVERYWHERE)
    assert protocol.connect.ready[0].wait == "hello"
    assert protocol.connect.ready[1].wait == {"op": 10}
    assert protocol.events.fail == ({"lacks": "result"},)
    assert protocol.events.end == ("done", {"type": "end", "d.ok": True})
    assert protocol.events.pairs == (("begun", {"t": "over"}),)
    assert protocol.events.answer[0].send == "{event.id}"
    assert protocol_from_settings(protocol_settings(protocol)) == protocol


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("end = [3]", ["4: `end` must be an event type or a table"]),
        ("end = ['']", ["4: `end` must be an event type or a table"]),
        ("end = 3", ["4: `end` must be an event type or a table"]),
        ("end = [{}]", ["4: `end` is empty; write what to look for"]),
        ("end = [{ a = [1] }]", ["4: `a` cannot be a list; to allow several values, write { in = [...] }"]),
        ("end = [{ a = 1979-05-27 }]", ["4: `a` must be text, a number, true or false, not a date"]),
        ("end = [{ a = {} }]", ["4: `a` must be a value, or a table with one of in, prefix, regex"]),
        (
            "end = [{ a = { prefx = 'x' } }]",
            ["4: there is no condition `prefx`; did you mean `prefix`?"],
        ),
        ("end = [{ a = { in = [] } }]", ["4: `in` must be a list of values such as"]),
        ("end = [{ a = { in = [[1]] } }]", ["4: `in` must be a list of values such as"]),
        ("end = [{ in = 'x' }]", ["4: `in` must be a list of values such as"]),
        ("end = [{ prefix = 3 }]", ["4: `prefix` must be text, not 3"]),
        ("end = [{ a = { regex = '(' } }]", ['4: `regex`: "(" is not a regular expression']),
        ("end = [{ has = [] }]", ['4: `has` must be a path, such as "error"']),
        ("end = [{ has = 3 }]", ["4: 3 is not a path"]),
        ("end = [{ lacks = 'a..b' }]", ['4: "a..b" is not a path']),
        ("end = [{ 'a b' = 1 }]", ['4: "a b" is not a path']),
        ("end = [{ 'a.b.c.d.e.f.g.h.i' = 1 }]", ['4: the path "a.b.c.d.e.f.g.h.i" has more than 8 keys']),
        ("pairs = [[3, 'a'], ['a', {}]]", ["4: `pairs` must be an event type", "4: `pairs` is empty"]),
        ("end = ['x']\nfail = [{a = 1}, 'x']", ['5: "x" cannot be in both `end` and `fail`']),
        ("end = [{a = 1}]\nfail = [{a = 1}]", ['5: "a = 1" cannot be in both `end` and `fail`']),
        ("end_all = [" + "'x'," * 17 + "]", ["4: `end_all` may have at most 16 entries, not 17"]),
        ("answer = [{ on = 'x' }]", ["4: an answer needs both `on` and `send`"]),
        ("answer = [{ on = 'x', send = '{evnt.id}' }]", ["4: there is no placeholder {evnt.id}"]),
        ("end = [{ keep = { a = 'b' } }]", ["4: `end` names what to keep, but no event"]),
        (
            "end = [{ t = 1, keep = { 'a-b' = 'b' } }]",
            ['4: "a-b" cannot be the name of a kept value: use letters'],
        ),
        ("end = [{ t = 1, keep = { a = 'b..c' } }]", ['4: "b..c" is not a path']),
        ("end = [{ t = 1, keep = { a = 3 } }]", ["4: 3 is not a path"]),
        (
            "end = ['x', {a = 1}]\nfail = [{a = 1, keep = {b = 'b'}}]",
            ['5: "a = 1" cannot be in both `end` and `fail`'],
        ),
        (
            "keep = ['x', { has = 'y', keep = { z = 'z' } }]",
            ["4: each entry of `keep` in [events] must itself have `keep`"],
        ),
        (
            "answer = [{ on = 'x', send = 'y', keep = { 'a b' = 'c' } }]",
            ['4: "a b" cannot be the name of a kept value'],
        ),
        ("first = [{has = 'x'}]\nordered = 1", ["5: `ordered` must be true or false"]),
    ],
)
def test_mistakes(folder: Folder, text: str, sentences: list[str]) -> None:
    told = folder.protocol_mistakes(HEAD + text)
    assert [line[: len(sentence)] for line, sentence in zip(told, sentences, strict=True)] == sentences


KEPT = """
[connect]
auth_errors = ["no"]
ready = [{ wait = "hi", keep = { desk = "d" } }, { send = "{kept.desk} {ready.desk} {kept.beat}" }]
[[heartbeat]]
on = { type = "tick", keep = { beat = "n" } }
send = "{kept.beat} {last.said}"
[[answer]]
on = "ask"
send = "{event.id} {kept.asked} {kept.noted}"
keep = { asked = "id" }
[turn]
message = "{kept.desk} {kept.asked} {last.said} {kept.said}"
[events]
match = "order"
type = ["t"]
end = [{ type = "done", keep = { said = "r.id" } }]
ignore = [{ type = "news", keep = { noted = "n" } }]
keep = [{ has = "s", keep = { number = "s" } }]
"""


def test_values_are_kept_at_any_match_and_known_from_then_on(folder: Folder) -> None:
    protocol = folder.protocol(KEPT)
    assert protocol.connect.heartbeat[0].on == {"type": "tick", "keep": {"beat": "n"}}
    assert protocol.events.answer[0].keep == {"asked": "id"}
    assert protocol_from_settings(protocol_settings(protocol)) == protocol
    assert kept_names(protocol) == [
        "ready.desk", "kept.desk", "kept.beat", "kept.asked", "kept.noted", "kept.said", "kept.number",
        "last.said", "last.number",
    ]  # fmt: skip
    assert kept_names(protocol, 0) == ["kept.beat", "kept.asked"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "{kept.desk} {kept.asked}",
            "{kept.dsk}",
            "13: there is no placeholder {kept.dsk}; did you mean `kept.desk`?",
        ),
        ("{ready.desk} {kept.beat}", "{kept.said}", "4: there is no placeholder {kept.said}; did you mean"),
        (
            "{kept.beat} {last.said}",
            "{last.beat}",
            "7: there is no placeholder {last.beat}; did you mean `last.number`?",
        ),
        (
            "{event.id} {kept.asked}",
            "{kept.askd}",
            "10: there is no placeholder {kept.askd}; did you mean `kept.asked`",
        ),
        ('["no"]', '[{ type = "no", keep = { a = "b" } }]', "3: remove `keep` from `auth_errors`"),
        (
            "[events]",
            "[events]\nanswer = []",
            "8: `answer` is written both here and in [events]; remove one of them",
        ),
    ],
)
def test_mistakes_about_what_is_kept(folder: Folder, old: str, new: str, sentence: str) -> None:
    (told,) = folder.protocol_mistakes(KEPT.replace(old, new, 1))
    assert told.startswith(sentence)


BEATING = """
[connect]
ready = [{ wait = { op = 10 }, keep = { interval = "d.interval" } }]
[[heartbeat]]
every = "{kept.interval}ms"
send = '{"op":1,"d":{kept.number}}'
answer = { op = 11, keep = { number = "s" } }
within = "5s"
[[heartbeat]]
every = "30s"
send = "alive"
[turn]
message = "x"
[events]
match = "order"
"""


def test_heartbeats_by_our_clock(folder: Folder) -> None:
    protocol = folder.protocol(BEATING)
    dictated, plain = protocol.connect.timed
    assert (dictated.every, dictated.within_ns) == ("{kept.interval}ms", 5_000_000_000)
    assert dictated.answer == {"op": 11, "keep": {"number": "s"}}
    assert (plain.every, plain.answer) == ("30s", None)
    assert protocol.connect.answered == ()
    assert protocol_from_settings(protocol_settings(protocol)) == protocol
    inside = "[connect]\nheartbeat = { every = '2s', send = 'x' }\n[events]\nmatch = 'order'\n"
    assert folder.protocol(inside).connect.timed[0].every == "2s"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"30s"', '"30"', '10: `every`: "30" is not a duration (it has no unit)'),
        ('"30s"', '"10ms"', "10: `every`: the interval must be from 100 ms to 24 h, not 10 ms"),
        ('"30s"', '"2d"', "10: `every`: the interval must be from 100 ms to 24 h, not 48 h"),
        (
            "ms",
            "pt",
            '5: `every`: this is not a kept value with a unit; write for example "{kept.interval}ms"',
        ),
        (
            "{kept.interval}",
            "{kept.intervl}",
            "5: `every` uses `intervl`, but no ready step keeps it; did you mean `int",
        ),
        ("{kept.interval}", "{user.id}", "5: `every`: this is not a kept value with a unit"),
        ('send = "alive"', "", "9: a heartbeat with `every` also needs `send`, its message"),
        ('send = "alive"', 'send = "{event.id}"', "11: there is no placeholder {event.id}"),
        (
            'send = "alive"',
            'send = "alive"\nwithin = "1s"',
            "12: `within` limits the time until `answer`: add `answer`, or remove `within`",
        ),
        (
            'send = "alive"',
            'send = "x"\nanswer = {op = 2}\nwithin = "31s"',
            "13: `within` is longer",
        ),
        (
            'send = "alive"',
            'send = "alive"\non = "x"',
            "12: write either `on` (reply",
        ),
        ('send = "alive"', 'send = "alive"\nanswr = "x"', "12: unknown key `answr`; did you mean `answer`?"),
        (
            'send = "alive"',
            'send = "alive"\nanswer = "x"',
            '12: "x" is an event type; add `type` to [events]',
        ),
        ('every = "30s"', "every = 30", "10: `every` must be text, not 30"),
    ],
)
def test_mistakes_about_heartbeats(folder: Folder, old: str, new: str, sentence: str) -> None:
    (told,) = folder.protocol_mistakes(BEATING.replace(old, new, 1))
    assert told.startswith(sentence)


def test_in_connect_a_mistake_about_an_interval_has_its_line_too(folder: Folder) -> None:
    text = "[connect]\nheartbeat = [{ every = '{kept.a}s', send = 'x' }]\n[events]\nmatch = 'order'\n"
    (told,) = folder.protocol_mistakes(text)
    assert told.startswith("2: `every` uses `a`, but no ready step keeps it; nothing is known here")


ADOPTING = """
[turn]
message = "ask"
[events]
turn = ["id", "response_id"]
type = ["t"]
end = ["done"]
ordered = true
adopt = { on = { type = "created", keep = { response = "r.id" } }, id = "r.id" }
count = { path = "d.chunks", of = "chunk" }
"""


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "iso"])
def test_the_time_that_the_target_sent_an_event_at(folder: Folder, unit: str) -> None:
    protocol = folder.protocol(f'{ADOPTING}sent_at = {{ path = "meta.at", unit = "{unit}" }}\n')
    assert protocol.events.sent_at is not None
    assert (protocol.events.sent_at.path, protocol.events.sent_at.unit) == ("meta.at", unit)
    assert protocol_from_settings(protocol_settings(protocol)) == protocol


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('"at"', '`sent_at` must be a table such as { path = "PATH", unit = "ms" }, not "at"'),
        ("{}", "`sent_at` needs `path`, the path of the time"),
        ('{ path = "at" }', "`sent_at` needs `unit`, the unit of the time: s, ms, us, ns, iso"),
        ('{ path = "a t", unit = "s" }', '"a t" is not a path'),
        ('{ path = "at", unit = "h" }', "`unit`"),
        ('{ path = "at", unit = "s", zone = "UTC" }', "unknown key `zone`"),
    ],
)
def test_a_time_that_is_written_wrongly_is_told(folder: Folder, written: str, told: str) -> None:
    mistakes = folder.protocol_mistakes(f"{ADOPTING}sent_at = {written}\n")
    assert any(told in each for each in mistakes), mistakes


def test_ids_of_the_target_and_a_number_that_an_event_says(folder: Folder) -> None:
    protocol = folder.protocol(ADOPTING)
    assert protocol.events.adopt[0].id == "r.id"
    assert protocol.events.count == CountAt(path="d.chunks", of="chunk")
    assert protocol_from_settings(protocol_settings(protocol)) == protocol
    assert "last.response" in kept_names(protocol)
    plain = folder.protocol(ADOPTING.replace(', of = "chunk"', ""))
    assert plain.events.count == CountAt(path="d.chunks")
    assert protocol_from_settings(protocol_settings(plain)) == plain


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (', id = "r.id"', "", "9: `adopt` needs both `on` (a match) and `id` (a path)"),
        ('id = "r.id"', 'id = "r..id"', '9: "r..id" is not a path'),
        ('id = "r.id"', 'idd = "r", id = "r"', "9: unknown key `idd`; did you mean `id`?"),
        ("ordered = true", "match = 'order'", '9: remove `adopt` or match = "order"'),
        ('path = "d.chunks", ', "", "10: `count` needs `path`, the path of the number"),
        ('path = "d.chunks"', 'path = "a b"', '10: "a b" is not a path'),
        (', of = "chunk"', ', off = "x"', "10: unknown key `off`; did you mean `of`?"),
        ("ordered = true", "ordered = true\nadpt = 1", "9: unknown key `adpt`; did you mean `adopt`?"),
    ],
)
def test_mistakes_about_ids_and_numbers(folder: Folder, old: str, new: str, sentence: str) -> None:
    (told,) = folder.protocol_mistakes(ADOPTING.replace(old, new, 1))
    assert told.startswith(sentence)


TEXTS = """
[turn]
message = "ASK {turn.id}"
[events]
format = "text"
pattern = '(?P<type>[A-Z]+) (?P<turn>[^ ]+) (?P<sequence>[0-9]+)'
end = ["DONE"]
"""


def test_fields_of_texts_are_groups_of_a_pattern(folder: Folder) -> None:
    protocol = folder.protocol(TEXTS)
    events = protocol.events
    assert (events.match, events.type, events.turn, events.user) == ("id", ("type",), ("turn",), ())
    assert protocol_from_settings(protocol_settings(protocol)) == protocol
    by_order = folder.protocol(TEXTS.replace("(?P<turn>[^ ]+)", "x").replace("(?P<type>[A-Z]+)", "y"))
    assert (by_order.events.match, by_order.events.type) == ("order", ("type",))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"text"', '"txt"', '5: `format` cannot be "txt"; did you mean `text`?'),
        ("pattern =", "patern =", "6: unknown key `patern`; did you mean `pattern`?"),
        ("'(?P<type>", "'(?P<type", "6: `pattern`: "),
        ("(?P<type>[A-Z]+)", "(?P<type>([A-Z]+)+)", "6: `pattern`: "),
        ("'(?P<", "'' # (", "6: `pattern` must not be empty"),
        ("end =", "turn = ['id']\nend =", '7: with format = "text", remove `turn`'),
        ("(?P<turn>[^ ]+)", "x", "7: text events are matched by id: add the group"),
        ('"text"', '"json"', '6: `pattern` works only with format = "text"'),
    ],
)
def test_mistakes_about_texts(folder: Folder, old: str, new: str, sentence: str) -> None:
    text = TEXTS.replace(old, new, 1)
    if "by id" in sentence:
        text = text.replace("end =", "match = 'id'\nend =")
    assert any(line.startswith(sentence) for line in folder.protocol_mistakes(text))


def test_one_answer_may_be_a_table_and_kept_names_have_a_bound(folder: Folder) -> None:
    keep = ", ".join(f"n{number} = 'a'" for number in range(65))
    text = f"[events]\nmatch = 'order'\nanswer = {{ on = {{ has = 'a' }}, send = 'x', keep = {{ {keep} }} }}"
    (told,) = folder.protocol_mistakes(text)
    assert "the `keep` tables of the protocol have 65 names; at most 64 are allowed" in told


def test_a_table_may_name_a_type_where_no_path_does(folder: Folder) -> None:
    protocol = folder.protocol("[events]\nmatch = 'order'\norder = ['*']\nend = [{ type = 'x' }]\n")
    assert protocol.events.end == ({"type": "x"},)


def test_a_type_where_no_path_finds_one_is_a_mistake_outside_of_turns_too(folder: Folder) -> None:
    text = """
connect.auth_errors = ["a"]
connect.ready = [{ wait = "b" }, { pause = "1s" }, { wait = { type = "c" } }]
connect.heartbeat = [{ on = "d", send = "x" }]
events = { match = "order", answer = [{ on = "e", send = "x" }] }
"""
    told = folder.protocol_mistakes(text)
    assert [line.partition(" is an event type; add `type` to [events]")[0] for line in told] == [
        '2: "a"',
        '3: "b"',
        '4: "d"',
        '5: "e"',
    ]


def test_an_opaque_protocol_takes_exact_texts_and_prefixes(folder: Folder) -> None:
    text = "[events]\nformat = 'opaque'\nend = ['ok']\nfail = [{ prefix = 'ERR' }, { has = 'error' }]\n"
    assert folder.protocol(text).events.end == ("ok",)


def test_ordered_is_for_order_only_and_an_audience_needs_ids_that_tell(folder: Folder) -> None:
    text = "[events]\nturn = ['id']\nordered = true\naudience = '{user.room}'\n[turn]\nid = '{turn.number}'\n"
    told = folder.protocol_mistakes(text)
    assert told[0].startswith('3: `ordered` works only with match = "order" or with `adopt`')
    assert told[1].startswith("4: `audience` needs {uuid} in `id` of [turn]")
