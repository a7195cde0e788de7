"""A text that a template made is found again, with what stood in its gaps."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.template import Template
from loadtest.speak import template_match
from loadtest.speak.template_match import TemplateMatch


def values(template: str, text: str) -> dict[str, str] | None:
    return TemplateMatch(Template.parse(template)).values(text)


@pytest.mark.parametrize(
    ("template", "text", "found"),
    [
        (
            '{"id":"{turn.id}","n":{turn.number}}',
            '{ "n": 7, "id": "a" }',
            {"turn.id": "a", "turn.number": "7"},
        ),
        ('{"a":["{x.y}",1,null,true]}', '{"a":["b",1,null,true]}', {"x.y": "b"}),
        ('{"a":"pre-{x}-{y}"}', '{"a":"pre-1-2"}', {"x": "1", "y": "2"}),
        ('["{x}"]', '["\\"q\\\\"]', {"x": '"q\\'}),
        ('{"a\\"b":"{x}"}', '{"a\\"b":"c"}', {"x": "c"}),
        ('{"a":"{x}","b":"{x}"}', '{"a":"1","b":"1"}', {"x": "1"}),
        ('{"a":"{x}","b":"{x}"}', '{"a":"1","b":"2"}', None),
        ('{"a":"{x}"}', '{"a":"1","b":"2"}', None),
        ('{"a":"{x}"}', "no JSON", None),
        ('{"a":[1]}', '{"a":[1,2]}', None),
        ('{"a":1}', '{"a":true}', None),
        ('{"a":"x{y}"}', '{"a":5}', None),
        ('{"a":"x{y}"}', '{"a":"z"}', None),
        ('42["ask","{x}"]', '42["ask","why"]', {"x": "why"}),
        ('{"a":"{x}","b":"{base64:x}","c":"{urlencode:x}"}', '{"a":"?","b":"Pw==","c":"%3F"}', {"x": "?"}),
        ('{"a":{json:x},"b":"{base64:x}"}', '{"a":"?","b":"IQ=="}', None),
        ('{"b":"{base64:x}"}', '{"b":"no base64"}', None),
        ("hello {x}", "bye", None),
        ("hello", "hello", {}),
        ("7", "7", {}),
    ],
)
def test_gaps_are_found(template: str, text: str, found: dict[str, str] | None) -> None:
    assert values(template, text) == found


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers())
def test_what_a_template_makes_it_finds(text: str, number: int) -> None:
    template = Template.parse('{"a":{"text":"{data.text}","n":{raw:n}},"b":[1,"x"]}')
    made = template.render({"data.text": text, "n": number})
    assert TemplateMatch(template).values(made) == {"data.text": text, "n": str(number)}
    assert json.loads(made)


@pytest.mark.parametrize("text", [" " * 3_000, " " * 3_000 + "!"])
def test_many_gaps_are_looked_for_in_linear_time(text: str) -> None:
    template = "{a.a} {b.b} {c.c} {d.d} {e.e}"
    assert values(f"{template}!", text) == values(f'["{template}!"]', json.dumps([text]))
    assert (values(f"{template}!", text) is None) is not text.endswith("!")


@given(st.lists(st.text("ab", max_size=2), min_size=1, max_size=4), st.text("ab", max_size=8))
def test_gaps_are_as_short_as_a_pattern_would_have_them(around: list[str], text: str) -> None:
    found = re.fullmatch("(.*?)".join(around), text)
    assert template_match._between(around, text) == (None if found is None else list(found.groups()))
