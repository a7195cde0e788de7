from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import pytest

from loadtest.plan import prepare, protocol, scenario
from loadtest.plan.scenario_file import public_settings, scenario_from_settings, worker_settings
from loadtest.plan.settings import HIDDEN, public_url

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "%s"\n'
SIMULATOR = HEAD % "simulator"


def test_settings_tell_the_whole_plan_with_its_defaults(folder: Folder) -> None:
    settings = folder.load(
        SIMULATOR + "[traffic]\nevery = '1500ms'\n[thresholds]\n'turns.lost' = ['< 5', '> 1']"
    ).settings
    assert settings["name"] == "mine"
    assert settings["load"] == {
        "model": "open",
        "connections": 1,
        "duration": "30s",
        "warmup": "0s",
        "seed": 1,
    }
    assert settings["thresholds"] == {"turns.lost": ["< 5", "> 1"]}
    traffic = settings["traffic"]
    assert isinstance(traffic, dict)
    assert (traffic["every"], traffic["burst"], traffic["timeout"]) == ("1500ms", 1, "10s")
    assert {"rows", "columns", "sha256"} == set(traffic["data"])
    json.dumps(settings, allow_nan=False)


def test_settings_keep_the_thresholds_of_stages_with_them(folder: Folder) -> None:
    text = "[load]\nstages = [{ for = '1s', connections = 2, thresholds = { 'connect.total.p95' = '< 1s' } }]"
    assert folder.load(SIMULATOR + text).settings["load"] == {
        "model": "open",
        "warmup": "0s",
        "seed": 1,
        "stages": [
            {"for": "1s", "connections": 2, "ramp": False, "thresholds": {"connect.total.p95": "< 1s"}},
        ],
    }


def test_the_hash_is_of_the_load_and_not_of_the_target(folder: Folder) -> None:
    one = folder.load(SIMULATOR + "headers = { A = 'b' }")
    other = folder.load(HEAD % "wss://host/ws")
    more = folder.load(SIMULATOR + "[load]\nconnections = 2")
    assert one.sha256 == other.sha256 != more.sha256
    assert len(one.sha256) == 64


def test_the_hash_is_also_of_the_rows_of_data(folder: Folder) -> None:
    text = SIMULATOR + "[traffic]\nevery = '1s'\ndata = [{ question = '%s' }]"
    assert folder.load(text % "a").sha256 != folder.load(text % "b").sha256


SECRET = "s3cr3t"
WITH_SECRETS = """protocol = "agent-events"
[target]
url = "wss://host/ws?token=s3cr3t&a=b"
cookies = { sid = "s3cr3t", plan = "{user.plan}" }
query = { access_token = "s3cr3t", client = "me" }
identities = [{ id = "a", plan = "x", password = "s3cr3t" }]
auth = { kind = "jwt", secret_env = "AGENT_SECRET" }
[target.headers]
Authorization = "Bearer s3cr3t"
X-Api-Key = "s3cr3t"
X-Auth = "Bearer {env.T}"
Origin = "https://a"
"""


def test_no_secret_is_in_what_is_kept(folder: Folder) -> None:
    scenario = folder.load(WITH_SECRETS)
    assert SECRET not in json.dumps(scenario.settings)
    assert SECRET in json.dumps(worker_settings(scenario))
    target = public_settings(scenario)["target"]
    assert isinstance(target, dict)
    assert target["url"] == "wss://host/ws?token=[not+kept]&a=b"
    assert target["headers"] == {
        "Authorization": HIDDEN, "X-Api-Key": HIDDEN, "X-Auth": "Bearer {env.T}", "Origin": "https://a",
    }  # fmt: skip
    assert target["cookies"] == {"sid": HIDDEN, "plan": "{user.plan}"}
    assert target["query"] == {"access_token": HIDDEN, "client": "me"}
    assert target["identities"]["columns"] == ["id", "plan", "password"]
    assert target["auth"]["secret_env"] == "AGENT_SECRET"


def test_a_password_in_the_url_is_not_kept(folder: Folder) -> None:
    scenario = folder.load(f'protocol = "echo"\n[target]\nurl = "wss://user:{SECRET}@host/ws"\n')
    assert SECRET not in json.dumps(scenario.settings)
    target = public_settings(scenario)["target"]
    assert isinstance(target, dict)
    assert target["url"] == f"wss://{HIDDEN}@host/ws"


@pytest.mark.parametrize("url", ["simulator", "ws://a", "wss://a:1/b?c=d&c=%20", "ws://a/?key="])
def test_a_url_without_secrets_is_told_as_it_is(url: str) -> None:
    assert public_url(url) == url


def test_a_user_without_a_password_may_be_a_token_too() -> None:
    assert public_url("wss://tok@host/ws") == f"wss://{HIDDEN}@host/ws"


WHOLE = """question = "Does every key reach the workers?"
[protocol]
name = "whole"
about = "every key"
[protocol.connect]
path = "/chat"
subprotocols = ["chat.v1"]
auth_errors = ["denied"]
heartbeat = [
  { on = { type = "ping" }, send = "pong" },
  { every = "9s", send = "alive", answer = "alive too", within = "8s" },
]
ready = [
  { wait = { type = "hello" }, within = "3s", keep = { desk = "data.desk" } },
  { send = "hi" },
  { pause = "1s" },
]
leave = { send = "bye", wait = { type = "over" } }
[protocol.turn]
id = "{turn.number}"
message = "{turn.id}"
encoding = "binary"
[protocol.events]
type = ["t"]
turn = ["id"]
user = ["who"]
sequence = ["n"]
sequence_start = 3
first = ["word"]
end = ["bye"]
fail = ["oops"]
required = ["word"]
pairs = [["in", "out"]]
order = ["word", "bye"]
ignore = ["ack"]
refuse = ["busy"]
[target]
url = "wss://host/ws"
headers = { A = "b" }
cookies = { c = "d", keep = true }
query = { e = "f" }
connect_to = "10.0.0.5:443"
subprotocols = ["chat.v2"]
identities = "users.csv"
ca_file = "ca.pem"
client_cert = "client.pem"
client_key = "client.key"
compression = true
path = "/rooms/{prepared.room}"
proxy = "none"
follow_redirects = 2
connect_timeout = "4s"
max_message = "1MiB"
faults = ["gap=20ms"]
source_addresses = ["127.0.0.2"]
before_connect = ["ticket"]
[target.health]
pid = 77
[[target.health.metrics]]
name = "queue"
url = "http://host/metrics"
series = "queue_depth"
labels = { queue = "ask" }
rate = true
[target.auth]
kind = "jwt"
send_as = "query"
name = "ticket"
format = "{token}"
secret_env = "SECRET"
claims = { sub = "{user.id}", level = 3 }
lifetime = "1m"
algorithm = "ES256"
key_id = "k1"
[load]
connections = 2
connect_rate = "7/s"
duration = "12s"
warmup = "2s"
seed = 9
reconnect = { first = "200ms", factor = 3, most = "5s", jitter = "40%", tries = 4 }
[traffic]
burst = 2
every = "3s"
arrivals = "poisson"
timeout = "6s"
turns = 8
message = "{turn.id} {data.topic}"
data = [{ topic = "x" }]
ping = "5s"
ping_timeout = "4s"
[chaos]
cut = { share = "30%", at = "5s", every = "4s" }
slow_readers = { share = "20%", rate = "4KiB/s" }
leavers = { share = "10%" }
malformed = { share = "5%" }
[thresholds]
"turns.lost" = "< 5"
"turns.complete.ratio" = "none"
[abort]
"turns.timed_out.ratio" = "> 50%"
after = "10s"
[compare]
primary = ["turn.completion.p99"]
smallest_effect = "6%"
"turn.completion.p99" = "10%"
[limits]
connections = 200
rate = "500/s"
duration = "1h"
[[prepare]]
name = "login"
post = "/login"
form = { user = "me", word = "{env.W}" }
once = "process"
[[prepare]]
name = "room"
put = "https://api.host/rooms"
headers = { A = "b" }
json = { user = ["{user.id}", 1] }
expect = [200, 201]
keep = { room = "data.0.id" }
within = "3s"
undo = { delete = "/rooms/{prepared.room}", within = "2s" }
[[prepare]]
name = "look"
get = "/a"
[[prepare]]
name = "change"
patch = "/a"
undo = { put = "/b", headers = { A = "b" }, json = { c = 1 } }
[[prepare]]
name = "more"
get = "/a"
undo = { post = "/b", form = { c = "d" } }
[[prepare]]
name = "most"
get = "/a"
undo = { patch = "/b" }
[[prepare]]
name = "last"
get = "/a"
undo = { get = "/b" }
[[prepare]]
name = "over"
delete = "/a"
"""

OTHERWISE = """[protocol.events]
format = "opaque"
match = "order"
ordered = true
count = 2
end_all = ["a", { has = "b" }]
answer = [{ on = { has = "method" }, send = "{event.id}", keep = { asked = "id" } }]
keep = [{ has = "n", keep = { number = "n" } }]
audience = "{user.number}"
[target]
url = "simulator"
auth = { kind = "token", send_as = "cookie", name = "t", token_env = "TOKEN" }
insecure = true
[load]
model = "closed"
stages = [{ for = "2s", connections = 3, ramp = true, thresholds = { "connect.total.p95" = "< 1s" } }]
[traffic]
message = "x"
"""

TOGETHER = """[protocol.turn]
message = "x"
[protocol.events]
format = "text"
pattern = "(?P<turn>[0-9]+)"
count = { path = "d.chunks", of = { has = "chunk" } }
adopt = [{ on = { has = "made" }, id = "made.id" }]
sent_at = { path = "at", unit = "us" }
[target]
url = "ws://host"
addresses = "rotate"
auth = { kind = "token", token_command = ["a", "b"], refresh = "9s" }
[traffic]
rate = "20/s"
phase = "together"
"""
"""What no other scenario may say beside the rest."""

OF_KINDS = """[protocol.turn]
message = "{turn.id}"
[protocol.events]
turn = ["id"]
count = 1
[protocol.turns.ask]
messages = ["{turn.id}", { pause = "1s" }, { wait = { go = true }, within = "2s" }, "x"]
[target]
url = "simulator"
auth = { kind = "oauth2", token_url = "https://a/t", client_id = "me", secret_env = "S", scope = "x" }
[load]
model = "closed"
[traffic]
mix = { ask = 2 }
every = "1s"
"""
BY_HTTP = """[protocol.turn]
send = { post = "/{turn.id}" }
[protocol.events]
turn = ["id"]
count = 1
[target]
url = "ws://host"
compression = { send = true }
auth = { kind = "sigv4", region = "r", service = "s", profile = "p" }
[traffic]
every = "1s"
"""
CONVERSING = (
    OF_KINDS.replace("mix = { ask = 2 }\n", "")
    + """
[[conversation]]
name = "support"
weight = 3
steps = [
  { turn = "ask" },
  { think = { lognormal = "8s", sigma = 0.6, most = "1m" } },
  { think = { uniform = ["1s", "2s"] } },
  { repeat = 2, steps = [{ turn = "ask" }] },
  { branch = [{ weight = 9, steps = [{ turn = "ask" }] }, { weight = 1, steps = [] }] },
]
"""
)


BY_FILES = (
    OTHERWISE.replace('token_env = "TOKEN"', 'token_file = "token.txt"'),
    TOGETHER.replace(
        'kind = "token", token_command = ["a", "b"], refresh = "9s"',
        'kind = "jwt", key_file = "client.key", algorithm = "EdDSA"',
    ),
)


def of_its_own(part: Any) -> Iterator[str]:
    """``Class.field`` of every field, here or below, that is not its default; without one it always is."""
    for field in fields(part):
        value = getattr(part, field.name)
        made = field.default_factory
        if value != (field.default if made is MISSING else made()):
            yield f"{type(part).__name__}.{field.name}"
        within = value.values() if isinstance(value, Mapping) else value
        for each in within if isinstance(value, Mapping | tuple) else (value,):
            if is_dataclass(each):
                yield from of_its_own(each)


CODED = """
name = "coded"
[protocol]
codec = { name = "signalr", protocol = "messagepack" }
held_against = "nothing yet"
follows = "a page"
[protocol.turn]
message = '{"type":"ping"}'
[protocol.events]
type = ["type"]
match = "order"
count = 1
[target]
url = "ws://127.0.0.1:9"
[load]
connections = 1
duration = "1s"
[traffic]
every = "1s"
"""

FRAMED = CODED.replace(
    'codec = { name = "signalr", protocol = "messagepack" }', 'framing = { split = "\\n" }'
)

SPOKEN = FRAMED.replace(
    """message = '{"type":"ping"}'""",
    """messages = [
  { chunks = "token.txt", size = 1, every = "20ms", binary = true },
  { interrupt = { after = "1s", send = "stop" } },
]""",
).replace('type = ["type"]\n', 'type = ["type"]\naudio = ["speech"]\n')

PARTED = (
    TOGETHER
    + """
[[population]]
name = "listeners"
[population.target]
addresses = "first"
[[population]]
name = "askers"
load = { connections = 3 }
"""
)


def test_every_field_of_a_plan_reaches_the_workers(folder: Folder) -> None:
    """A field that is new fails here until a plan differs in it, and it is sent."""
    for name in ("ca.pem", "client.pem", "client.key", "token.txt"):
        folder.write(name, "x")
    folder.write("users.csv", "id\na\nb\n")
    differing = set[str]()
    for text in (
        WHOLE,
        OTHERWISE,
        TOGETHER,
        OF_KINDS,
        CONVERSING,
        PARTED,
        CODED,
        FRAMED,
        SPOKEN,
        BY_HTTP,
        *BY_FILES,
    ):
        whole = folder.load(text)
        assert scenario_from_settings(json.loads(json.dumps(worker_settings(whole)))) == whole
        differing |= set(of_its_own(whole))
    parts = [
        each
        for module in (scenario, protocol, prepare)
        for each in vars(module).values()
        if inspect.isclass(each) and is_dataclass(each) and each.__module__ == module.__name__
        if each is not prepare.HttpRequest
    ]
    assert {f"{part.__name__}.{field.name}" for part in parts for field in fields(part)} - differing == set()


def test_a_threshold_of_a_kind_or_conversation_that_there_is(folder: Folder) -> None:
    kept = folder.load(OF_KINDS + '[thresholds]\n"turn.first_event[ask].p95" = "< 1s"\n')
    assert "turn.first_event[ask].p95" in {each.name for each in kept.thresholds}
    kept = folder.load(CONVERSING + '[thresholds]\n"conversations.complete[support].ratio" = ">= 90%"\n')
    assert "conversations.complete[support].ratio" in {each.name for each in kept.thresholds}


def test_a_contradiction_of_all_kinds_is_told_once(folder: Folder) -> None:
    told = folder.mistakes(OF_KINDS.replace("count = 1\n", 'type = ["type"]\nend = ["a"]\nfail = ["a"]\n'))
    assert len(told) == 1, told
