"""No secret that a scenario or a protocol writes is told by `explain` or `protocols check`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from loadtest.plan.explain import explain
from loadtest.plan.protocol_summary import understood
from loadtest.plan.scenario_file import public_settings
from loadtest.plan.settings import HIDDEN, public_command
from loadtest.plan.text_secrets import settings_secrets
from loadtest.plan.written_secrets import plan_secrets
from loadtest.speak.codec.sent_size import sent_size

if TYPE_CHECKING:
    from loadtest.plan.scenario import Scenario
    from tests.plan.conftest import Folder

PROTOCOL = r"""
name = "p"
about = "see https://u:SECRETp01@h/?token=SECRETp02"
[connect]
path = "/x?token=SECRETp03&key=SECRETp04&room=open"
subprotocols = ["chat", "base64.bearer.SECRETp05"]
auth_errors = [{type = "refused", access_token = "SECRETp06"}]
ready = [
  {send = '{"op":"login","password":"SECRETp07","u":"{user.id}"}'},
  {wait = {type = "welcome", token = "SECRETp08"}},
  {send = '{"op":"again","password":"SECRETp33-{user.id}"}'},
]
heartbeat = [
  {every = "5s", send = '{"op":"hb","access_token":"SECRETp09"}', answer = {token = "SECRETp10"}},
  {on = {type = "ping", token = "SECRETp11"}, send = '{"op":"pong","token":"SECRETp12"}'},
]
leave = {send = "bye\u001b[2J token=SECRETp13", wait = {type = "x", token = "SECRETp14"}}
[turn]
message = '{"id":"{turn.id}","x":[{"client_secret":"SECRETp15"}],"u":"wss://x:SECRETp16@h/?access_token=SECRETp17"}'
[events]
type = ["type"]
turn = ["id"]
first = [{type = "delta", token = "SECRETp18"}]
end = [{type = "done", token = {prefix = "SECRETp19"}}]
end_all = [{type = "a", token = "SECRETp20"}, {type = "b", token = {in = ["SECRETp21", "SECRETp22"]}}]
fail = [{token = "SECRETp23"}, {type = "f", keep = {token = "data.password"}}]
refuse = [{token = "SECRETp24"}]
required = [{type = "r", token = "SECRETp25"}]
ignore = [{type = "i", token = "SECRETp26"}]
audio = [{type = "audio", token = {regex = "SECRETp27.*"}}]
pairs = [[{type = "s", token = "SECRETp28"}, {type = "t", token = "SECRETp29"}]]
order = [{type = "o", token = "SECRETp30"}, {type = "q", token = "SECRETp31"}]
answer = [{on = {type = "z", token = "SECRETp34"}, send = '{"z":1,"jwt":"SECRETp35"}'}]
[turns.ask]
message = '{"id":"{turn.id}","api_key":"SECRETp32"}'
[turns.wait]
message = '{"id":"{turn.id}"}'
fail = [{token = "SECRETp36"}, {token = 73311337}]
"""

SCENARIO = r"""
question = "Does https://u:SECRETs01@h/?token=SECRETs02 hold?"
name = "s"
protocol = "p.toml"
[target]
url = "ws://127.0.0.1:9/ws?token=SECRETs04&sig=SECRETs05"
path = "/rooms/open?ticket=SECRETs06&token=SECRETs07"
headers = {X-Auth-Token = "Bearer SECRETs08-{user.id}", X-Foo = "SECRETs09", X-Env = "{env.PW}"}
cookies = {sid = "SECRETs10", two = "SECRETs11-{user.id}"}
query = {token = "SECRETs12", access_token = "pre-SECRETs13-{user.id}", room = "r1"}
proxy = "http://u:SECRETs14@127.0.0.1:3128"
subprotocols = ["base64.bearer.SECRETs15"]
AUTH
[target.health]
endpoint = "http://h:SECRETs19@127.0.0.1:9/metrics?token=SECRETs20"
[[target.health.metrics]]
name = "queue"
url = "http://q:SECRETs21@127.0.0.1:9/metrics?api_key=SECRETs22"
query = 'sum(x{token="SECRETs23",zone="east"})'
[[target.health.metrics]]
name = "rows"
url = "http://127.0.0.1:9/metrics"
series = "qd"
labels = {token = "SECRETs24"}
[[prepare]]
name = "login"
post = "http://pp:SECRETs25@127.0.0.1:9/login?token=SECRETs26"
form = {user = "u", password = "SECRETs27", client_secret = "SECRETs28-{user.id}"}
headers = {Authorization = "Basic SECRETs29"}
keep = {token = "access_token"}
undo = {delete = "/logout?token=SECRETs30", headers = {Authorization = "Bearer SECRETs31"}}
[[prepare]]
name = "two"
post = "/x/{prepared.token}?password=SECRETs32"
json = {password = "SECRETs33", nested = {token = "SECRETs34", list = [{secret = "SECRETs35"}]}}
[load]
connections = 2
duration = "1s"
[traffic]
every = "500ms"
timeout = "1s"
mix = {ask = 1, wait = 1}
"""


COMMAND = """
[target.auth]
kind = "token"
token_command = ["vault", "read", "--token=SECRETs16", "-v", "-p", "SECRETs17", "-pSECRETs18"]
"""

OTHER_AUTH = {
    "jwt": """
[target.auth]
kind = "jwt"
secret_env = "PW"
claims = {password = "SECRETs36", nested = {client_secret = "SECRETs37", xs = [{token = "SECRETs38"}]}}
""",
    "oauth2": """
[target.auth]
kind = "oauth2"
secret_env = "PW"
client_id = "us"
token_url = "https://cl:SECRETs39@127.0.0.1:9/token?client_secret=SECRETs40"
""",
    "url": "",
}


def loaded(folder: Folder, auth: str = COMMAND) -> Scenario:
    folder.write("p.toml", PROTOCOL)
    return folder.load(SCENARIO.replace("AUTH", auth))


def told(scenario: Scenario) -> str:
    return "\n".join(line for each in explain(scenario, sent_size) for line in (each.title, *each.lines))


def markers(text: str) -> list[str]:
    return sorted(set(re.findall(r"SECRET\w?\w?\w?", text)))


def test_explain_tells_no_secret_and_what_is_none(folder: Folder) -> None:
    text = told(loaded(folder))
    assert markers(text) == []
    assert "\x1b" not in text
    assert "73311337" not in text
    for shown in (
        "/rooms/open?ticket=", "room = r1", "X-Env = {env.PW}", '"u":"{user.id}"', "type = welcome, token = ",
        'zone="east"', "gives {prepared.token}", "token_command = vault, ", "--token=", "-v, -p, ",
        "base64.bearer.", "before the close: send bye",
    ):  # fmt: skip
        assert shown in text


@pytest.mark.parametrize("kind", OTHER_AUTH)
def test_no_way_to_get_a_token_tells_one(folder: Folder, kind: str) -> None:
    assert markers(told(loaded(folder, OTHER_AUTH[kind]))) == []


def test_each_population_is_told_without_its_own_secrets(folder: Folder) -> None:
    folder.write("p.toml", PROTOCOL)
    part = '[[population]]\nname = "one"\nload = {connections = 1}\n'
    parts = f'{part}[population.target]\npath = "/y?token=SECRETs41"\n'
    assert markers(told(folder.load(SCENARIO.replace("AUTH", COMMAND) + parts))) == []


def test_protocols_check_tells_no_secret_and_what_is_none(folder: Folder) -> None:
    text = "\n".join(f"{topic}: {sentence}" for topic, sentence in understood(loaded(folder).protocol))
    assert markers(text) == []
    for shown in ("&room=open", "chat, base64.bearer.", "type = done, token begins with ", "data.password"):
        assert shown in text


def test_a_run_takes_the_same_secrets_out_of_its_files(folder: Folder) -> None:
    scenario = loaded(folder)
    assert "SECRETs17" not in json.dumps(public_settings(scenario))
    assert {"SECRETp23", "SECRETp04", "SECRETs07", "SECRETs23"} <= {*plan_secrets(scenario)}


def test_a_secret_that_a_line_cuts_leaves_no_beginning(folder: Folder) -> None:
    ready = f'{{send = "{"x" * 83} token=SECRETp01-and-more"}}, {{wait = "a"}}'
    beat = f'{{every = "5s", send = "{"short... " * 11}token=SECRETp02-and-more"}}'
    events = '[events]\nend = ["z"]\nturn = ["id"]\ntype = ["type"]\n'
    protocol = folder.protocol(
        f'name = "p"\n[connect]\nready = [{ready}]\nheartbeat = [{beat}]\n'
        f'[turn]\nmessage = "{{turn.id}} password=SECRETp03"\n{events}'
    )
    text = "\n".join(sentence for _, sentence in understood(protocol))
    assert markers(text) == []
    assert "SECR" not in text
    assert "short..." in text


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"about": "token: how many?"}, []),
        ({"send": "token: how many?"}, ["how many?"]),
        ({"url": "ws://service@h/"}, []),
        ({"url": "ws://a1b2c3d4e5f6g7h8i9j0k@h/"}, ["a1b2c3d4e5f6g7h8i9j0k", ""]),
        ({"url": "ws://u:pass12@h/"}, ["u:pass12", "pass12"]),
        ({"turns": {"token": {"message": "asks"}}, "keep": {"token": "data.jwt"}}, []),
        ({"token": {"keep": {"password": "data.word"}, "in": ["first1", 2]}}, ["first1", "2"]),
        ({"token": True, "wait": None}, []),
        ({"data": [{"password": "of-a-row"}]}, []),
        ({"query": 'x{token!="abcdef", zone="east"}'}, ["abcdef"]),
        ({"subprotocols": ["bearer", "abcdef"]}, ["abcdef"]),
    ],
)
def test_a_place_decides_what_is_a_secret(settings: dict[str, object], found: list[str]) -> None:
    assert sorted(settings_secrets(settings)) == sorted(found)


@pytest.mark.parametrize(
    ("words", "public"),
    [
        (("vault",), ["vault"]),
        (
            ("vault", "-v", "--raw", "-field=x", "--token=y"),
            ["vault", "-v", "--raw", f"-field={HIDDEN}", f"--token={HIDDEN}"],
        ),
        (("vault", "read", "-pword", "--SECRET1", "a=b"), ["vault", *[HIDDEN] * 4]),
    ],
)
def test_of_a_command_only_names_of_options_are_public(words: tuple[str, ...], public: list[str]) -> None:
    assert public_command(words) == public
