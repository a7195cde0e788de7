"""`send` of a turn: a request by HTTP in the place of a message."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.explain import explain
from loadtest.plan.overrides import Overrides
from loadtest.plan.prepare import HttpRequest
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.protocol_summary import understood
from loadtest.plan.scenario_file import (
    load_scenario,
    public_settings,
    scenario_from_settings,
    worker_settings,
)
from loadtest.plan.settings import HIDDEN, public_protocol
from loadtest.plan.written_secrets import plan_secrets
from loadtest.speak.codec.sent_size import sent_size
from tests.plan.conftest import Folder

PROTOCOL = """
name = "posted"
[turn]
[turn.send]
post = "/ask"
headers = { X-Api-Key = "a-written-key-7" }
json = { id = "{turn.id}", text = "{data.question}" }
[events]
type = ["type"]
turn = ["id"]
end = ["done"]
[turns.stop]
send = { delete = "/turns/{turn.id}" }
[turns.form]
send = { post = "/form", form = { id = "{turn.id}" } }
[turns.nothing]
send = { put = "/{turn.id}", json = {} }
[turns.say]
message = '{"id":"{turn.id}"}'
"""

SCENARIO = """
name = "posted"
protocol = "posted.protocol.toml"
[target]
url = "ws://host/ws"
[load]
connections = 1
duration = "1s"
[traffic]
every = "1s"
"""


def written(folder: Folder, scenario: str = SCENARIO, protocol: str = PROTOCOL) -> str:
    folder.write("posted.protocol.toml", protocol)
    folder.write("posted.toml", scenario)
    return str(folder.path / "posted.toml")


def test_a_turn_and_its_kinds_may_go_by_http(folder: Folder) -> None:
    path = written(folder)
    protocol = load_protocol(folder.path / "posted.protocol.toml")
    send = protocol.turn.send
    assert send is not None
    assert (send.method, send.url) == ("POST", "/ask")
    assert send.text == (
        "POST /ask\nX-Api-Key: a-written-key-7\n\n"
        + json.dumps({"id": "{turn.id}", "text": "{data.question}"})
    )
    assert protocol.turn.texts == (send.text,)
    kinds = {name: kind.turn.send for name, kind in protocol.turns.items()}
    assert kinds["say"] is None
    assert kinds["stop"] == HttpRequest(delete="/turns/{turn.id}")
    assert kinds["form"].text == "POST /form\n\nid={turn.id}"
    scenario = load_scenario(path)
    assert dict(scenario.sent_turns) == {"": protocol.turn}
    # The built-in questions are taken, for the body asks for one.
    assert scenario.traffic is not None
    assert scenario.traffic.data
    mixed = load_scenario(path, Overrides(sets=("traffic.mix={ stop = 1, say = 1 }",)))
    assert list(mixed.sent_turns) == ["say", "stop"]


def test_workers_get_all_of_it_and_files_no_secret(folder: Folder) -> None:
    scenario = load_scenario(written(folder))
    again = scenario_from_settings(worker_settings(scenario))
    assert again.protocol == scenario.protocol
    public = json.dumps(public_settings(scenario))
    assert "a-written-key-7" not in public
    assert HIDDEN in public
    assert "a-written-key-7" in plan_secrets(scenario)
    assert public_protocol({"turn": {"message": "m"}, "turns": {"a": {}}}) == {
        "turn": {"message": "m"},
        "turns": {"a": {}},
    }
    assert public_protocol({"name": "n"}) == {"name": "n"}


def test_it_is_explained_and_understood(folder: Folder) -> None:
    scenario = load_scenario(written(folder))
    told = "\n".join(line for part in explain(scenario, sent_size) for line in part.lines)
    assert "POST /ask" in told
    assert "in an HTTP request, not over the WebSocket" in told
    rows = dict(understood(scenario.protocol))
    assert rows["message"].startswith("by HTTP: POST /ask")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('send = "/ask"', "`send` must be a request such as"),
        ("send = { json = {} }", "a request needs its URL under exactly one of"),
        ('send = { post = "/a", get = "/b" }', "not under `get` and `post`"),
        ('send = { post = "ask" }', "`post` must be a path that begins with /"),
        ('send = { get = "/{turn.id}", json = {} }', "a `get` request has no body"),
        ('send = { post = "/{turn.id}", within = "1s" }', "set the time limit of a turn as `timeout` in"),
        ('send = { post = "/{turn.id}" }\nmessage = "m"', "`send` and `message` both set what is sent"),
        ('send = { post = "/{turn.id}" }\nmessages = ["m"]', "`send` and `messages` both set what is sent"),
        ('send = { post = "/{turn.id}" }\nencoding = "binary"', "remove `encoding`"),
        ('send = { post = "/{turn.nothing}" }', "there is no placeholder {turn.nothing}"),
        ('send = { post = "/ask" }', "the message must contain {turn.id}"),
    ],
)
def test_what_is_wrong_is_told(folder: Folder, line: str, sentence: str) -> None:
    protocol = f'name = "posted"\n[turn]\n{line}\n[events]\nturn = ["id"]\ncount = 1\n'
    with pytest.raises(ConfigError) as told:
        load_scenario(written(folder, protocol=protocol))
    assert sentence in str(told.value)


def test_a_message_of_the_scenario_cannot_stand_beside_it(folder: Folder) -> None:
    scenario = SCENARIO + 'message = \'{"id":"{turn.id}"}\'\n'
    with pytest.raises(ConfigError, match="sends its turns by HTTP, not over the WebSocket"):
        load_scenario(written(folder, scenario))


def test_such_turns_are_not_broken_on_purpose(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="the turns are sent by HTTP"):
        load_scenario(written(folder, SCENARIO + '[chaos]\nmalformed = { share = "5%" }\n'))


def test_no_turn_is_no_request(folder: Folder) -> None:
    scenario = load_scenario(written(folder))
    turn = replace(scenario.protocol.turn, send=None, message="m")
    assert turn.texts == ("m",)
