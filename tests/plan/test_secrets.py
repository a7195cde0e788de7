from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loadtest.plan.scenario import Auth, Target
from loadtest.plan.secrets import (
    MAX_TOKEN_BYTES,
    given_secrets,
    message_texts,
    missing_secrets,
    read_token,
    secret_columns,
    secret_variables,
    secrets_of,
    written_secrets,
)

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'


def test_without_secrets_nothing_is_missing(folder: Folder) -> None:
    assert missing_secrets(folder.load(HEAD), {}) == []


def test_the_secret_of_a_jwt(folder: Folder) -> None:
    scenario = folder.load(HEAD + 'auth = { kind = "jwt", secret_env = "S" }')
    (problem,) = missing_secrets(scenario, {})
    assert str(problem).startswith(
        "S: this environment variable is not set; it must contain the secret that signs the tokens"
    )
    assert missing_secrets(scenario, {"S": ""}) == [problem]
    assert missing_secrets(scenario, {"S": "x"}) == []


def test_a_token_of_the_environment_and_of_a_file(folder: Folder) -> None:
    by_variable = folder.load(HEAD + 'auth = { kind = "token", token_env = "T" }')
    assert [problem.where for problem in missing_secrets(by_variable, {})] == ["T"]
    by_file = folder.load(HEAD + 'auth = { kind = "token", token_file = "t" }')
    assert [problem.where for problem in missing_secrets(by_file, {})] == [str(folder.path / "t")]
    folder.write("t", "token")
    assert missing_secrets(by_file, {}) == []
    folder.write("t", " \n")
    (problem,) = missing_secrets(by_file, {})
    assert "the file is empty" in problem.sentence


def test_every_variable_of_auth_is_looked_for_and_taken_out(folder: Folder) -> None:
    names: dict[str, Any] = {
        each.name: each.name.upper() for each in fields(Auth) if each.name.endswith("_env")
    }
    target = Target(url="ws://127.0.0.1:1/", auth=Auth(kind="jwt", **names))
    assert [name for name, _ in secret_variables(target)] == list(names.values())
    values = {name: f"word of {name}" for name in names.values()}
    assert secrets_of(target, values) == list(values.values())
    assert secrets_of(target, {}) == []
    folder.write("t", " of-file\n")
    by_file = Target(url="ws://127.0.0.1:1/", auth=Auth(kind="token", token_file=folder.path / "t"))
    assert secrets_of(by_file, {}) == ["of-file"]


def test_secrets_of_identities_are_taken_out() -> None:
    rows = ({"id": "a", "api_token": "word-1"}, {"id": "b", "api_token": ""})
    assert secrets_of(Target(url="ws://127.0.0.1:1/", identities=rows), {}) == ["word-1"]


def test_variables_named_in_headers_cookies_and_query(folder: Folder) -> None:
    scenario = folder.load(
        HEAD + 'headers = { A = "{env.A}" }\ncookies = { b = "{env.B}" }\nquery = { c = "{env.C}" }'
    )
    assert [problem.where for problem in missing_secrets(scenario, {"B": ""})] == ["A", "C"]


def test_credentials_of_identities_are_known_by_their_name_or_by_where_they_are_shown(folder: Folder) -> None:
    scenario = folder.load(
        """protocol = "echo"
[target]
url = "simulator"
identities = [{ id = "a", email = "a@b", api_token = "1", plan = "p", seat = "2", room = "3", cart = "4" }]
headers = { X-Room = "{user.room}", Authorization = "Bearer {user.seat}" }
cookies = { cart = "{user.cart}" }
query = { plan = "{user.plan}" }
"""
    )
    assert secret_columns(scenario.target) == ["api_token", "seat", "cart"]


def test_without_identities_there_are_none(folder: Folder) -> None:
    scenario = folder.load('protocol = "echo"\n[target]\nurl = "simulator"\ncookies = { a = "{user.id}" }\n')
    assert secret_columns(scenario.target) == []


def test_what_the_scenario_writes_itself_is_known() -> None:
    target = Target(
        url="wss://bob:pass%20word@h/ws?token=of-the-url&room=public-room",
        headers={"X-Access": "of-a-header", "Origin": "https://app.example", "X-Env": "{env.TOKEN}"},
        cookies={"sid": "of-a-cookie", "theme": "dark"},
        query={"sig": "of-the-query", "lang": "german"},
    )
    assert written_secrets(target) == [
        "pass%20word", "pass word", "of-the-url", "of-a-cookie", "of-the-query", "of-a-header",
    ]  # fmt: skip


def test_what_is_no_text_is_told_before_the_run(folder: Folder) -> None:
    shown = folder.load(HEAD + 'headers = { A = "{env.A}" }')
    minted = folder.load(HEAD + 'auth = { kind = "jwt", secret_env = "A" }')
    for scenario in (shown, minted):
        (problem,) = missing_secrets(scenario, {"A": "abc\udcff"})
        assert str(problem) == "A: the value of this environment variable is not UTF-8 text"
    (folder.path / "t").write_bytes(b"\xff\xfe")
    of_a_file = folder.load(HEAD + 'auth = { kind = "token", token_file = "t" }')
    (problem,) = missing_secrets(of_a_file, {})
    assert problem.where == str(folder.path / "t")
    assert "UTF-8" in problem.sentence


IN_MESSAGES = """name = "mine"
[protocol]
connect = { ready = [{ send = '{"token":"{secret.FIRST}"}' }, { wait = { type = "ok" } }] }
turn = { message = '{"id":"{turn.id}","key":"{env.SECOND}"}' }
events = { type = ["type"], turn = ["id"], count = 1 }
[target]
url = "ws://127.0.0.1:1/"
[traffic]
every = "1s"
"""


def test_variables_named_in_messages_are_secrets(folder: Folder) -> None:
    scenario = folder.load(IN_MESSAGES)
    texts = message_texts(scenario)
    assert secret_variables(scenario.target, texts) == [("FIRST", ""), ("SECOND", "")]
    assert secrets_of(scenario.target, {"FIRST": "word-1", "SECOND": "word-2"}, texts) == ["word-1", "word-2"]
    told = [str(problem) for problem in missing_secrets(scenario, {"FIRST": "word-1"})]
    where = "`message` of [turn] in the protocol"
    assert told == [f"SECOND: {where} uses {{env.SECOND}}, but this environment variable is not set"]
    (first, _) = map(str, missing_secrets(scenario, {}))
    where = "ready step 1 of the protocol"
    assert first == f"FIRST: {where} uses {{secret.FIRST}}, but this environment variable is not set"


def test_a_scenarios_own_message_may_name_a_variable(folder: Folder) -> None:
    own = IN_MESSAGES + 'message = \'{"id":"{turn.id}","key":"{secret.THIRD}"}\'\n'
    scenario = folder.load(own)
    assert ("THIRD", "") in secret_variables(scenario.target, message_texts(scenario))
    (problem,) = missing_secrets(scenario, {"FIRST": "word-1", "SECOND": "word-2"})
    assert problem.sentence.startswith("the message of [traffic] uses {secret.THIRD}")


def test_an_id_names_no_variable(folder: Folder) -> None:
    wrong = IN_MESSAGES.replace("turn = {", "turn = { id = '{uuid}-{env.A}',")
    assert any("there is no placeholder {env.A}" in mistake for mistake in folder.mistakes(wrong))


def test_a_token_file_that_is_too_large_is_told(folder: Folder) -> None:
    (folder.path / "t").write_text("x" * (MAX_TOKEN_BYTES + 1))
    plan = folder.load(HEAD + 'auth = { kind = "token", token_file = "t" }')
    (problem,) = missing_secrets(plan, {})
    assert str(problem).endswith("cannot be read from this file: the file is larger than 64 KiB")


def test_what_is_no_regular_file_is_read_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t")
    with pytest.raises(OSError, match="the file is not a regular file"):
        read_token(tmp_path / "t")


def test_what_own_code_gives_is_a_secret_by_its_name_or_by_where_it_is_shown() -> None:
    target = Target(url="ws://x", before_connect=("ticket", "room", "shown"), cookies={"a": "{user.shown}"})
    assert given_secrets(target) == ["ticket", "shown"]
