from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from loadtest.plan.explain import explain
from loadtest.plan.plain_json import is_plain
from loadtest.plan.prepare import prepare_texts, prepared_names
from loadtest.plan.scenario_file import public_settings
from loadtest.plan.secrets import missing_secrets, secrets_of
from loadtest.plan.written_secrets import plan_secrets
from loadtest.speak.codec.sent_size import sent_size

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "echo"\n[target]\nurl = "ws://host/ws"\n'
STEPS = """
[[prepare]]
name = "login"
post = "/login?api_key=hunter2hunter2"
json = { user = "{user.id}", password = "open-sesame", more = [{ token = "abcdef-123" }] }
headers = { X-Key = "header-secret", Accept = "text/plain" }
keep = { token = "access_token", where = "header:Location", sid = "cookie:sid" }
once = "user"
[[prepare]]
name = "room"
put = "https://api.host/rooms"
form = { user = "{user.id}", pin = "form-secret" }
expect = 201
keep = { room = "data.0.id" }
undo = { delete = "/rooms/{prepared.room}", headers = { Authorization = "Bearer {prepared.token}" } }
"""

BOTH_OFTEN = """name = "a"
get = "/a"
keep = { x = "y" }
[[prepare]]
name = "b"
get = "/{prepared.x}"
once = "user"
"""


def test_steps_are_read_in_their_order(folder: Folder) -> None:
    scenario = folder.load(HEAD + 'path = "/rooms/{prepared.room}"\n' + STEPS)
    login, room = scenario.prepare
    assert (login.method, login.once, login.expect, login.undo) == ("POST", "user", (), None)
    assert json.loads(login.body or "")["user"] == "{user.id}"
    assert (room.method, room.url, room.body, room.expect) == ("PUT", "https://api.host/rooms", None, (201,))
    assert room.undo is not None
    assert (room.undo.method, room.undo.url) == ("DELETE", "/rooms/{prepared.room}")
    assert prepared_names(scenario.prepare) == [
        "prepared.token", "prepared.where", "prepared.sid", "prepared.room",
    ]  # fmt: skip
    assert "Bearer {prepared.token}" in prepare_texts(scenario.prepare)


def test_steps_build_on_each_other(folder: Folder) -> None:
    scenario = folder.load(
        HEAD
        + """path = "{prepared.room}"
[[prepare]]
name = "find"
get = "/where"
keep = { where = "url" }
once = "process"
[[prepare]]
name = "room"
get = "{prepared.where}"
keep = { room = "url" }
[traffic]
every = "1s"
[thresholds]
"prepare.time[room].p95" = "< 1s"
"""
    )
    assert scenario.target.path == "{prepared.room}"
    assert [step.url for step in scenario.prepare] == ["/where", "{prepared.where}"]
    assert [each.name for each in scenario.thresholds] == ["prepare.time[room].p95"]


def test_no_secret_of_a_step_is_kept(folder: Folder) -> None:
    scenario = folder.load(HEAD + STEPS)
    told = json.dumps(public_settings(scenario))
    secrets = ["open-sesame", "abcdef-123", "header-secret", "form-secret"]
    assert [each for each in (*secrets, "hunter2hunter2") if each in told] == []
    assert "text/plain" in told
    assert set(secrets) <= set(plan_secrets(scenario))


def test_what_a_step_takes_from_the_environment_is_looked_for(folder: Folder) -> None:
    text = "[[prepare]]\nname = 'a'\npost = '/a'\njson = { password = '{env.NOT_SET_HERE}' }\n"
    (problem,) = missing_secrets(folder.load(HEAD + text), {})
    assert problem.where == "NOT_SET_HERE"


def test_steps_are_explained(folder: Folder) -> None:
    text = HEAD + 'path = "/rooms/{prepared.room}"\n[traffic]\nevery = "1s"\n' + STEPS
    sections = explain(folder.load(text), sent_size)
    (section,) = [each for each in sections if each.title == "Before a connection"]
    assert section.lines == (
        (
            "login: POST /login?api_key=[not+kept], 200 to 299 within 10 s, gives {prepared.token}, "
            "{prepared.where}, {prepared.sid}, once for each user"
        ),
        (
            "room: PUT https://api.host/rooms, 201 within 10 s, gives {prepared.room}, before each "
            "connection; undone by DELETE /rooms/{prepared.room}"
        ),
    )
    (drawn,) = [each for each in sections if each.title == "One turn"]
    assert "GET /rooms/{prepared.room}, an upgrade" in drawn.lines[4]
    assert drawn.lines[2] == "us → target   PUT https://api.host/rooms   (room, by HTTP)"


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("get = '/a'\nname = 'a b'", "cannot be the name of a step"),
        ("get = '/a'", "a step needs a `name`"),
        ("name = 'a'", "a request needs its URL under exactly one of `get`, `post`"),
        ("name = 'a'\nget = '/a'\nput = '/b'", "not under `get` and `put`"),
        ("name = 'a'\nget = 'rooms'", "must be a path that begins with /"),
        ("name = 'a'\nget = '//host/a'", "must be a path that begins with /"),
        ("name = 'a'\nget = '/a b'", "must not contain a space or a `#`"),
        ("name = 'a'\nget = 'http:///a'", "has no host"),
        ("name = 'a'\nget = 'http://[a'", "has no host"),
        ("name = 'a'\nget = 'http://a..b/'", "contains an invalid host name"),
        ("name = 'a'\npost = '/a'\njson = 1\nform = { a = 'b' }", "`form` and `json` both set the body"),
        ("name = 'a'\nget = '/a'\njson = 1", "a `get` request has no body"),
        ("name = 'a'\ndelete = '/a'\nform = { a = 'b' }", "a `delete` request has no body"),
        ("name = 'a'\nget = '/a'\nheaders = { 'a b' = 'c' }", "cannot be the name of a header"),
        (
            'name = "a"\nget = "/a"\nheaders = { a = "c\\nd" }',
            "contains characters that are not allowed in a header",
        ),
        ("name = 'a'\nget = '/a'\nexpect = 99", "must be an HTTP status from 200 to 599"),
        ("name = 'a'\nget = '/a'\nexpect = []", "must be an HTTP status from 200 to 599"),
        ("name = 'a'\nget = '/a'\nexpect = [true]", "must be an HTTP status from 200 to 599"),
        ("name = 'a'\npost = '/a'\njson = 2026-01-01", "must be a JSON value"),
        ("name = 'a'\nget = '/a'\nkeep = { 'a-b' = 'c' }", "cannot be the name of a value"),
        ("name = 'a'\nget = '/a'\nkeep = { a = 'c..d' }", "is not a place in an answer"),
        ("name = 'a'\nget = '/a'\nkeep = { a = 'header:' }", "does not name a header"),
        (
            "name = 'a'\nget = '/a'\nkeep = { " + ", ".join(f"a{n} = 'b'" for n in range(17)) + " }",
            "16 values",
        ),
        (
            "name = 'a'\nget = '/{prepared.b}'",
            "this step uses {prepared.b}, but no earlier step has it in its `keep`",
        ),
        ("name = 'a'\nget = '/{user.nobody}'", "there is no placeholder {user.nobody}"),
        (
            "name = 'a'\nget = '/{user.id}'\nonce = 'process'",
            'with once = "process" a step belongs to no user',
        ),
        (
            "name = 'a'\nget = '/a'\nundo = { delete = '/{prepared.b}' }",
            "neither this step nor an earlier step has {prepared.b} in its `keep`",
        ),
        (
            BOTH_OFTEN,
            "this step runs less often",
        ),
        ("name = 'a'\nget = '/a'\n[[prepare]]\nname = 'a'\nget = '/b'", 'two steps have the name "a"'),
        (
            "\n[[prepare]]\n".join(f"name = 'a{n}'\nget = '/a'" for n in range(17)),
            "[[prepare]] may have at most 16 steps",
        ),
        (
            "name = 'a'\nget = '/a'\n[thresholds]\n'prepare.time[b].p95' = '< 1s'",
            "no step of [[prepare]] has the name `b`; known here: a",
        ),
    ],
)
def test_mistakes_in_a_step(folder: Folder, step: str, sentence: str) -> None:
    assert sentence in "\n".join(folder.mistakes(f"{HEAD}[[prepare]]\n{step}\n"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('path = "rooms"', "must begin with / and contain no space"),
        ('path = "/{prepared.room}"', "there is no placeholder {prepared.room}"),
        ('query = { a = "{prepared.room}" }', "there is no placeholder {prepared.room}"),
        ('proxy = "https://proxy"', "must be `environment`, `none`, or a URL such as"),
        ('proxy = "http://[a"', "must be `environment`, `none`, or a URL such as"),
        ("follow_redirects = 11", "from 0 to 10"),
        ('url = "simulator"', "the simulator does not serve HTTP"),
        ("[thresholds]\n'prepare.time[b].p95' = '< 1s'", "the scenario has no [[prepare]]"),
    ],
)
def test_mistakes_around_the_steps(folder: Folder, text: str, sentence: str) -> None:
    steps = "[[prepare]]\nname = 'a'\nget = '/a'\n" if "simulator" in text else ""
    head = HEAD.replace('url = "ws://host/ws"\n', "") if "simulator" in text else HEAD
    assert sentence in "\n".join(folder.mistakes(f"{head}{text}\n{steps}"))


@pytest.mark.parametrize(
    ("auth", "sentence"),
    [
        ("kind = 'jwt', key_file = 'k'", "write algorithm ="),
        ("kind = 'jwt', secret_env = 'A', refresh = '1s'", "remove `refresh`"),
        ("kind = 'token', token_env = 'A', refresh = '1s'", "`refresh` needs `token_command`"),
        ("kind = 'token', token_env = 'A', algorithm = 'RS256'", "remove `algorithm`"),
        ("kind = 'oauth2', secret_env = 'A'", 'kind = "oauth2" needs `token_url`'),
        ("kind = 'oauth2', token_url = 'https://a', client_id = 'b'", 'kind = "oauth2" needs `secret_env`'),
        (
            "kind = 'oauth2', token_url = 'ftp://a', client_id = 'b', secret_env = 'C'",
            "`token_url` must begin with https:// or http://",
        ),
    ],
)
def test_mistakes_in_a_credential_that_is_fetched(folder: Folder, auth: str, sentence: str) -> None:
    assert sentence in "\n".join(folder.mistakes(f"{HEAD}auth = {{ {auth} }}\n"))


def test_the_key_of_a_credential_is_looked_for_and_taken_out(folder: Folder) -> None:
    scenario = folder.load(HEAD + "auth = { kind = 'jwt', key_file = 'k.pem', algorithm = 'ES256' }\n")
    (problem,) = missing_secrets(scenario, {})
    assert "reads the key" in str(problem)
    folder.write("k.pem", "a key\n")
    assert missing_secrets(scenario, {}) == []
    assert secrets_of(scenario.target, {}) == ["a key"]


@pytest.mark.parametrize(
    ("proxy", "told"),
    [("none", "target.proxy = none"), ("http://me:word-of-mine@proxy:3128", "@proxy:3128")],
)
def test_a_proxy_is_explained_without_its_password(folder: Folder, proxy: str, told: str) -> None:
    scenario = folder.load(f'{HEAD}proxy = "{proxy}"\n')
    lines = str([each.lines for each in explain(scenario, sent_size)])
    assert told in lines
    assert "word-of-mine" not in lines + json.dumps(public_settings(scenario))
    assert ("word-of-mine" in secrets_of(scenario.target, {})) == ("word" in proxy)


def test_what_json_can_hold() -> None:
    assert is_plain({"a": [1, 2.5, True, "b", {}]})
    assert not is_plain([float("inf")])
    assert not is_plain(None)
