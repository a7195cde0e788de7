"""A text that a template made is found again, with what stood in its gaps."""

from __future__ import annotations

import json

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


def test_several_gaps_are_not_looked_for_in_a_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_match, "LONGEST", 5)
    assert values("{x} {y}", "aaaa bbbb") is None
    assert values("{x}", "aaaa bbbb") == {"x": "aaaa bbbb"}
    assert values('{"a":"{x} {y}"}', '{"a":"aaaa bbbb"}') is None
