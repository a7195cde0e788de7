"""What a plan itself writes that may be a secret: data, subprotocols, members of messages."""

from __future__ import annotations

from dataclasses import replace

from loadtest.plan.overrides import Overrides
from loadtest.plan.scenario import Scenario
from loadtest.plan.scenario_file import load_scenario
from loadtest.plan.written_secrets import all_secrets, plan_secrets, shown_subprotocols, shown_template


def scenario(*sets: str) -> Scenario:
    return load_scenario("agent-burst", Overrides(sets=sets))


def test_columns_of_data_count_by_their_names() -> None:
    rows = '[{question="who?", password="hush-1", api_key="hush-2", pass="hush-3"}, {question="why?",'
    found = plan_secrets(scenario(f'traffic.data={rows} password="hush-4", api_key="abc", pass="hush-1"}}]'))
    assert sorted(found) == ["hush-1", "hush-2", "hush-3", "hush-4"]


def test_members_of_messages_count_by_their_keys() -> None:
    message = '{"id":"{turn.id}","auth":[{"password":"hush-1"},{"pass":"{data.question}"}],"q":"a question"}'
    assert plan_secrets(scenario(f"traffic.message={message}")) == ["hush-1"]
    assert plan_secrets(scenario("traffic.message=password hush-1 {turn.id}")) == []


def test_subprotocols_of_scenario_and_protocol_count_by_their_look() -> None:
    assert plan_secrets(scenario('target.subprotocols=["chat", "jwt.hush-hush"]')) == ["hush-hush"]
    found = scenario()
    connect = replace(found.protocol.connect, subprotocols=("bearer", "hush-1"))
    assert plan_secrets(replace(found, protocol=replace(found.protocol, connect=connect))) == ["hush-1"]


def test_a_plan_without_traffic_has_none() -> None:
    assert plan_secrets(replace(scenario(), traffic=None)) == []


def test_values_of_any_shape_and_in_header_lines_count() -> None:
    message = (
        '{"id":"{turn.id}","password":{"v":"hush-1","w":[482913,true,null]},"auth":{"kind":"basic-1"},'
        '"sid":"hush-2","accessToken":"hush-3","token":{"text":"a question"},'
        '"inner":"{\\"pin\\":\\"hush-4\\"}"}'
    )
    found = plan_secrets(scenario(f"traffic.message={message}"))
    assert sorted(found) == ["482913", "a question", "hush-1", "hush-2", "hush-3", "hush-4"]
    lines = "SEND {turn.id}\npasscode:hush-1\ntoken:{secret.T}\nroom:lobby-1\n\n"
    assert shown_template(lines) == lines.replace("hush-1", "[redacted]")
    assert shown_template('40{"token":"hush-1","n":{event.n}}') == '40{"token":"[redacted]","n":{event.n}}'
    assert shown_template("{turn.id} passcode=hush-1 [not JSON") == "{turn.id} passcode=[redacted] [not JSON"


def test_a_template_that_is_json_in_its_gaps_alone_is_looked_into() -> None:
    message = '{"id":"{turn.id}","n":{turn.number},"password":"hush-1","secret":"{data.question}"}'
    assert plan_secrets(scenario(f"traffic.message={message}")) == ["hush-1"]


def test_all_secrets_are_those_from_outside_and_those_written() -> None:
    message = '{"id":"{turn.id}","badge":"{secret.BADGE}","password":"hush-1"}'
    found = all_secrets(scenario(f"traffic.message={message}"), {"BADGE": "hush-2"})
    assert sorted(found) == ["hush-1", "hush-2"]


def test_a_template_is_shown_without_what_it_writes_itself() -> None:
    shown = shown_template('{"password":"hush\\"-1","token":"{secret.T}","n":{event.n},"pin":"1"}')
    assert shown == '{"password":"[redacted]","token":"{secret.T}","n":{event.n},"pin":"1"}'


def test_subprotocols_are_shown_without_their_tokens() -> None:
    assert shown_subprotocols(["chat", "jwt.hush-hush"]) == "chat, jwt.[redacted]"
    assert shown_subprotocols(["chat", "jwt."]) == "chat, jwt."
