from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from loadtest.plan.explain import explain
from loadtest.plan.scenario_file import load_scenario
from loadtest.plan.schema import settings_by_name
from loadtest.speak.codec.sent_size import sent_size

if TYPE_CHECKING:
    from loadtest.plan.scenario import Scenario
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'
EVERY = "[traffic]\nevery = '1s'\n"


def told(scenario: Scenario) -> str:
    return "\n".join(
        line for section in explain(scenario, sent_size) for line in (f"== {section.title}", *section.lines)
    )


def test_connections_that_are_never_opened_are_told(folder: Folder) -> None:
    load = "[load]\nconnections = 100\nconnect_rate = '1/m'\nduration = '2s'\n"
    never = "99 connections never open, because the run ends first; they count as not ready"
    assert never in told(folder.load(HEAD + load))
    assert never not in told(folder.load(HEAD + load.replace("1/m", "50/s")))


def test_agent_burst_is_told_from_target_to_judgement() -> None:
    sections = explain(load_scenario("agent-burst"), sent_size)
    assert [section.title for section in sections][1:] == [
        "Target", "Connections", "Until ready", "Turns", "Message", "Answer", "One turn", "Judged by",
        "The whole run",
    ]  # fmt: skip
    text = told(load_scenario("agent-burst"))
    for words in (
        "every report will say SIMULATED",
        "up to 20 concurrent, opened at 20/s",
        "the first connection opens at 0 s, the last at 950 ms",
        "wait for type = connection_established (within 10 s)",
        "open model: bursts of 5, every 1 s on each connection, at equal intervals, connections spread",
        "100/s of turns once all 20 users are connected",
        "1,200 turns fall due in the run",
        "the first bursts: user 0 at 0 s, user 1 at 50 ms",
        '"user_request":"What did we spend last week, and on what?"',
        "a turn is complete with agent_completed",
        "turn.first_event.p95 < 100ms",
    ):
        assert words in text


def test_stages_are_told_over_time() -> None:
    text = told(load_scenario("spike"))
    assert "10 at 3.75 s, 10 at 7.5 s, 100 at 11.2 s" in text
    assert "turn.first_event.p95 < 1s (in stage 2)" in text


def test_who_leaves_and_comes_back_is_told(folder: Folder) -> None:
    stages = ", ".join(f"{{ for = '1s', connections = {n} }}" for n in (2, 1, 2))
    text = told(folder.load(HEAD + f"[load]\nstages = [{stages}]"))
    assert "users connect 3 times in total, because some leave and come back" in text


def test_a_run_so_short_that_nothing_falls_due(folder: Folder) -> None:
    text = told(folder.load(HEAD + "[load]\nduration = '1ns'\n[traffic]\nevery = '1s'\narrivals = 'poisson'"))
    assert "0 turns fall due in the run" in text
    assert "the first turns: " not in text


def test_a_stage_that_is_over_at_once(folder: Folder) -> None:
    stages = (
        "[load]\nstages = [{ for = '1s', connections = 0 }, { for = '1ns', connections = 2, ramp = true }]"
    )
    text = told(folder.load(HEAD + stages + "\n" + EVERY))
    assert "up to 2 concurrent, opened as fast as possible" in text


def test_without_traffic_nothing_is_sent() -> None:
    text = told(load_scenario("connect-storm"))
    assert "none: connections stay open, and nothing is sent" in text
    assert "== Message" not in text
    assert "== Answer" not in text


def test_what_a_protocol_cannot_know_is_told() -> None:
    assert "events.lost: the protocol has no sequence number" in told(load_scenario("echo-steady"))


def test_what_is_kept_and_answered_is_told(folder: Folder) -> None:
    protocol = """[protocol.connect]
heartbeat = [
  { on = { op = 1 }, send = "3", keep = { beat = "d" } },
  { every = "9s", send = "alive", answer = { op = 2 } },
  { every = "{kept.a}ms", send = "here" },
]
ready = [{ wait = { op = 10, keep = { a = "b" } } }]
leave = { send = "bye", wait = { op = 9 } }
[protocol.turn]
message = "{turn.id}"
[protocol.events]
turn = ["id"]
end = [{ ok = true, keep = { r = "r.id" } }]
answer = [{ on = { has = "ask" }, send = "{event.id}" }]
[target]
url = "simulator"
"""
    text = told(folder.load(protocol + EVERY))
    assert "wait for op = 10 (within 10 s), and keep a" in text
    assert "at any time: answer op = 1 with 3, and keep beat" in text
    beat = "send alive every 9s; loadtest gives up the connection without op = 2 within 10 s,"
    assert f"{beat} or the interval if that is shorter" in text
    assert "from ready on: send here every {kept.a}ms; loadtest expects no answer" in text
    assert "`r.id` of ok = true is kept as {kept.r}" in text
    assert "requests of the target: answer has ask with {event.id}" in text
    assert "before the close: send bye, wait for op = 9" in text
    assert "before the close: send bye\n" in told(
        folder.load(protocol.replace(", wait = { op = 9 }", "") + EVERY)
    )


def test_ids_of_the_target_and_how_many_events_are_told(folder: Folder) -> None:
    protocol = """[protocol.turn]
message = "ask"
[protocol.events]
turn = ["id"]
adopt = { on = { has = "made" }, id = "made.id" }
count = { path = "d.chunks" }
sent_at = { path = "d.at", unit = "iso" }
[target]
url = "simulator"
"""
    text = told(folder.load(protocol + EVERY))
    assert "the target's own id of a turn is `made.id` of has made" in text
    assert "the age of an event is the time from its `d.at` (iso) to its arrival, by two clocks" in text
    assert "complete when its events have reached the number at `d.chunks`" in text
    some = told(folder.load(protocol.replace('chunks"', 'chunks", of = { has = "c" }') + EVERY))
    assert "when those with has c have reached the number at `d.chunks`" in some


def test_random_arrivals_and_early_ends_are_told() -> None:
    text = told(load_scenario("soak"))
    assert "at random (Poisson)" in text
    assert "from 1 min on, the run ends early if turns.timed_out.ratio > 20%" in text


def test_a_schedule_too_long_to_count_says_so(folder: Folder) -> None:
    text = told(
        folder.load(HEAD + "[load]\nduration = '10h'\n[traffic]\nrate = '1000/s'\narrivals = 'poisson'")
    )
    assert "too many turns to count in advance" in text


@pytest.mark.parametrize(
    ("traffic", "words"),
    [
        (
            "every = '2s'\nburst = 3\nturns = 9",
            (
                "closed model: each connection sends 3 turns at once and waits for the replies; then it"
                " thinks 2 s"
            ),
        ),
        (
            "turns = 9",
            (
                "closed model: each connection sends one turn at a time and waits for the replies; the target"
                " decides"
            ),
        ),
        ("turns = 9", "at most 9 per connection; the run ends when all are done"),
    ],
)
def test_the_closed_model_is_told(folder: Folder, traffic: str, words: str) -> None:
    assert words in told(folder.load(HEAD + "[load]\nmodel = 'closed'\n[traffic]\n" + traffic))


def test_who_is_asked_and_how_users_show_themselves(folder: Folder) -> None:
    text = told(
        folder.load(
            """protocol = "agent-events"
[target]
url = "wss://me:pw@host/ws?token=abc"
headers = { X-Api-Key = "abc", Origin = "https://a", X-Inside = "between us" }
identities = [{ id = "a", mail = "b" }]
insecure = true
auth = { kind = "jwt", secret_env = "S", send_as = "subprotocol" }
"""
        )
    )
    assert "wss://[not kept]@host/ws?token=[not+kept]" in text
    assert "headers: X-Api-Key = a value that is not shown" in text
    assert "headers: Origin = https://a" in text
    assert "headers: X-Inside = a value that is not shown" in text
    assert "1 identities, one per virtual user (id, mail)" in text
    assert "INSECURE" in text
    assert "target.auth.kind = jwt: loadtest makes a token for each user\n" in text
    assert "target.auth.secret_env = S: " in text
    assert "target.auth.lifetime = 15m (default): " in text
    assert "abc" not in text


@pytest.mark.parametrize("auth", ['token_env = "T"', 'token_file = "t"', 'token_command = ["a", "-b"]'])
def test_a_token_is_told_by_where_it_comes_from(folder: Folder, auth: str) -> None:
    text = told(folder.load(HEAD + f'auth = {{ kind = "token", {auth} }}'))
    assert "target.auth.kind = token: one token for all users\n" in text
    name, _, value = auth.partition(" = ")
    assert f"target.auth.{name} = " in text
    assert (
        text.partition(f"target.auth.{name} = ")[2]
        .partition(":")[0]
        .endswith(value.strip('[]"').replace('", "', ", "))
    )


def test_another_kind_of_protocol(folder: Folder) -> None:
    folder.write(
        "p.toml",
        """[connect]
ready = [
  { wait = { type = "hi" }, keep = { thread = "t" } },
  { send = "{ready.thread}" },
  { pause = "500ms" },
]
[turn]
message = "go {ready.thread} {now_ms}"
encoding = "binary"
[events]
match = "order"
type = ["type"]
count = 3
end = ["end"]
""",
    )
    text = told(folder.load("protocol = 'p.toml'\n[target]\nurl = 'simulator'\n" + EVERY))
    assert "wait for type = hi (within 10 s), and keep thread\nsend {ready.thread}\npause 500 ms" in text
    assert "go ... 0\n8 B of binary" in text
    assert "an event belongs to the oldest turn in flight: one lost answer shifts" in text
    assert "a turn is complete with end or after 3 events" in text
    assert "turns.complete.ratio >= 99% (default)\nconnections.ready.ratio >= 99% (default)" in text


def test_a_subscription_never_ends(folder: Folder) -> None:
    of_room = "audience = '{user.number}'\n"
    folder.write("p.toml", f"[turn]\nmessage = '{{turn.id}}'\n[events]\nturn = ['id']\n{of_room}")
    text = told(folder.load("protocol = 'p.toml'\n[target]\nurl = 'simulator'\n" + EVERY))
    assert "users with the same `{user.number}` get copies" in text
    assert "a turn never ends by itself (a subscription), so it counts as abandoned" in text


def test_what_goes_wrong_on_purpose_is_told(folder: Folder) -> None:
    text = told(
        folder.load(
            HEAD
            + 'faults = ["gap=20ms"]\n[load]\nreconnect = true\n'
            + EVERY
            + """[chaos]
cut = { share = "50%", at = "5s", every = "2s" }
slow_readers = { share = "20%", rate = "4KiB/s" }
leavers = { share = "10%" }
malformed = { share = "5%" }
"""
        )
    )
    for words in (
        "with the faults gap=20ms",
        "load.reconnect.factor = 2 (default): each further wait is this many times as long",
        "load.reconnect.jitter = 50% (default): each wait is shortened",
        "== Injected faults",
        "chaos.cut.share = 50%: the share of the users, rounded, who lose their connection",
        "chaos.cut.every = 2s: how often the cut is repeated",
        "chaos.slow_readers.rate = 4096B/s: how fast they read",
        "chaos.leavers.share = 10%: the share of the turns in which the user leaves",
        "chaos.malformed.share = 5%: the share of the turns before which loadtest sends a broken message",
    ):
        assert words in text, text


def test_a_single_cut_and_even_waits_are_told(folder: Folder) -> None:
    load = "[load]\nreconnect = { factor = 1, jitter = '0%', tries = 3 }\n"
    text = told(folder.load(HEAD + load + "[chaos]\ncut = { share = '50%', at = '5s' }\n"))
    assert "load.reconnect.tries = 3: the user gives up after this many failed tries" in text
    assert "chaos.cut.at = 5s: " in text
    assert "chaos.cut.every" not in text


def test_what_is_turned_off_is_said(folder: Folder) -> None:
    off = "[thresholds]\n'turns.complete.ratio' = 'none'\n"
    text = told(folder.load("protocol = 'echo'\n[target]\nurl = 'simulator'\n" + EVERY + off))
    assert "turns.complete.ratio: turned off" in text


def test_a_password_in_the_url_is_told_and_not_shown(folder: Folder) -> None:
    text = told(folder.load("protocol = 'echo'\n[target]\nurl = 'ws://alice:s3cr3tpw@a'\n" + EVERY))
    assert "Basic authorization with the user and password of the URL" in text
    assert "s3cr3tpw" not in text
    assert "alice" not in text


def test_cookies_that_are_kept_are_told(folder: Folder) -> None:
    text = told(
        folder.load("protocol = 'echo'\n[target]\nurl = 'ws://a'\ncookies = { keep = true }\n" + EVERY)
    )
    assert "on later connections, each user sends the cookies that the target set" in text
    assert "cookies: keep" not in text


def test_how_users_are_spread_over_addresses_is_told(folder: Folder) -> None:
    text = told(folder.load("protocol = 'echo'\n[target]\nurl = 'ws://a'\naddresses = 'all'\n" + EVERY))
    assert "target.addresses = all: like rotate, but a connection tries only one address" in text


def test_a_setting_is_told_without_what_may_be_a_secret(folder: Folder) -> None:
    text = told(
        folder.load(
            """protocol = "echo"
[target]
url = "ws://a"
proxy = "http://me:hush-1@p:1"
auth = { kind = "jwt", secret_env = "S", claims = { sub = "me", password = "hush-2" } }
[[target.health.metrics]]
name = "depth"
url = "http://a/metrics?token=hush-3"
series = "depth"
"""
            + EVERY
        )
    )
    assert "hush" not in text
    assert "password = a value that is not shown" in text
    assert "target.health.metrics, 1: name = depth, url = http://a/metrics?token=" in text


def test_a_setting_of_one_metric_and_a_long_value_are_told(folder: Folder) -> None:
    many = ", ".join(f"{{ for = '1s', connections = {n} }}" for n in range(1, 4))
    compared = "[compare]\nprimary = ['turns.complete.ratio']\n'turn.completion.p95' = '5%'\n"
    names = [f"'{'n' * 30}{n}'" for n in range(9)]
    head = HEAD + f"before_connect = [{', '.join(names)}]\n[load]\nstages = [{many}]\n"
    text = told(folder.load(head + EVERY + compared))
    assert "compare.turn.completion.p95 = 0.05" in text
    assert "load.stages, 3: for = 1s, connections = 3" in text
    (line,) = [line for line in text.splitlines() if line.startswith("target.before_connect")]
    assert "...: names of values" in line
    assert len(line) < 400


# ---------------------------------------------------------------- every key

WHOLE = """# Why?
protocol = "agent-events"
[target]
url = "ws://127.0.0.1:1/ws"
auth = { kind = "jwt", secret_env = "S" }
[load]
connections = 3
reconnect = { factor = 3 }
[traffic]
every = "1s"
arrivals = "poisson"
[chaos]
cut = { share = "50%", at = "5s" }
slow_readers = { share = "20%", rate = "4KiB/s" }
leavers = { share = "10%" }
malformed = { share = "5%" }
[abort]
"turns.lost" = "> 5"
"""

KINDS = """[turn]
message = "{turn.id}"
[events]
turn = ["id"]
count = 1
[turns.ask]
[turns.cancel]
"""

OAUTH = (
    "target.auth={ kind = 'oauth2', token_url = 'https://a/t', client_id = 'me', "
    "secret_env = 'S', scope = 'x' }"
)

SIGNED = "target.auth={ kind = 'sigv4', region = 'eu-west-1', service = 'transcribe', profile = 'tester' }"

CHANGES = {
    "name": "other",
    "question": "Who?",
    "protocol": "json-id",
    "target.url": "ws://127.0.0.2:1/ws",
    "target.auth.kind": ("target.auth={ kind = 'token', token_env = 'T' }",),
    "target.auth.send_as": "query",
    "target.auth.name": "X-Token",
    "target.auth.secret_env": "OTHER",
    "target.auth.lifetime": "1m",
    "target.auth.algorithm": "RS256",
    "target.auth.key_id": "k1",
    "target.auth.key_file": ("target.auth={ kind = 'jwt', key_file = 'k', algorithm = 'EdDSA' }",),
    "target.auth.token_command": ("target.auth={ kind = 'token', token_command = ['a', 'b'] }",),
    "target.auth.refresh": ("target.auth={ kind = 'token', token_command = ['a'], refresh = '7s' }",),
    **dict.fromkeys(("target.auth.token_url", "target.auth.client_id", "target.auth.scope"), (OAUTH,)),
    **dict.fromkeys(("target.auth.region", "target.auth.service", "target.auth.profile"), (SIGNED,)),
    "target.path": "/rooms/{user.id}",
    "target.proxy": "none",
    "target.follow_redirects": "3",
    "target.auth.token_env": ("target.auth={ kind = 'token', token_env = 'T' }",),
    "target.auth.token_file": ("target.auth={ kind = 'token', token_file = 't' }",),
    "target.headers": "{ Origin = 'https://a' }",
    "target.cookies": "{ a = 'b' }",
    "target.query": "{ a = 'b' }",
    "target.identities": "[{ id = 'a' }, { id = 'b' }, { id = 'c' }]",
    "target.insecure": "true",
    "target.compression": "true",
    "target.connect_to": "10.0.0.5:443",
    "target.addresses": "rotate",
    "target.health.pid": "77",
    "target.health.container": "chat",
    "target.health.node": "http://127.0.0.1:9100/metrics",
    "target.health.endpoint": "http://127.0.0.1:9000/metrics",
    "target.faults": ("target.url=simulator", "target.faults=['no-seq']"),
    "load.model": "closed",
    "load.warmup": "1s",
    "load.seed": "7",
    "load.connect_rate": "7/s",
    "load.reconnect": "false",
    "load.reconnect.initial_delay": "200ms",
    "load.reconnect.factor": "4",
    "load.reconnect.max_delay": "7s",
    "load.reconnect.jitter": "7%",
    "load.reconnect.tries": "7",
    "load.connections": "7",
    "load.duration": "7s",
    "load.stages": "[{ for = '7s', connections = 7 }]",
    "traffic.burst": "7",
    "traffic.timeout": "7s",
    "traffic.every": "7s",
    "traffic.rate": "7/s",
    "traffic.arrivals": "constant",
    "traffic.phase": ("traffic.arrivals=constant", "traffic.phase=together"),
    "traffic.turns": "7",
    "traffic.message": "{turn.id}",
    "traffic.mix": "{ ask = 8, cancel = 1 }",
    "traffic.data": "[{ question = 'a' }]",
    "chaos.cut.share": "7%",
    "chaos.cut.at": "7s",
    "chaos.cut.every": "7s",
    "chaos.slow_readers.share": "7%",
    "chaos.slow_readers.rate": "7KiB/s",
    "chaos.leavers.share": "7%",
    "chaos.malformed.share": "7%",
    "thresholds": ("thresholds.turns.lost=< 7",),
    "abort.after": "7s",
    "target.auth.format": "x {token}",
    "target.auth.claims": "{ sub = 'me' }",
    "target.ca_file": "ca.pem",
    "target.client_cert": "cert.pem",
    "target.client_key": ("target.client_cert=cert.pem", "target.client_key=key.pem"),
    "target.before_connect": "['room']",
    "target.connect_timeout": "7s",
    "target.max_message": "7KiB",
    "target.source_addresses": "['127.0.0.2']",
    "target.subprotocols": "['chat']",
    "traffic.ping": "7s",
    "traffic.ping_timeout": ("traffic.ping=7s", "traffic.ping_timeout=3s"),
    "compare.primary": "['turns.complete.ratio']",
    "compare.smallest_effect": "7%",
    "limits.connections": "7",
    "limits.rate": "7/s",
    "limits.duration": "7h",
}
"""By the name of a key another value, or the whole change where it takes more than this key."""


def test_every_key_is_among_the_changes() -> None:
    names = {name for name, key in settings_by_name().items() if key.type.keys is None or key.type.choices}
    assert names | {"load.stages"} == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_key_changes_is_explained(folder: Folder, name: str) -> None:
    change = CHANGES[name]
    text = WHOLE
    if name == "load.stages":
        text = WHOLE.replace("connections = 3\n", "")
    if name == "traffic.mix":
        folder.write("kinds.toml", KINDS)
        text = WHOLE.replace('"agent-events"', '"kinds.toml"').replace("slow_readers = {", "# {")
    elif name == "traffic.rate":
        text = WHOLE.replace('every = "1s"\n', "")
    elif name == "load.model":
        text = WHOLE.replace('arrivals = "poisson"\n', "")
    for file in ("ca.pem", "cert.pem", "key.pem"):
        folder.write(file, "pem")
    sets = (f"{name}={change}",) if isinstance(change, str) else change
    before = WHOLE if name == "traffic.rate" else text
    assert told(folder.load(text, sets=sets)) != told(folder.load(before))


SOCKET_IO = """
[protocol]
name = "socket-io"
[protocol.turn]
message = '42["ask",{"q":"{data.question}"}]'
[protocol.events]
format = "opaque"
ordered = true
end_all = [{ prefix = "43" }, "done"]
fail = [{ has = "error" }]
[target]
url = "ws://host/"
compression = true
"""


def test_text_in_order_is_told_with_what_is_escaped_and_compressed(folder: Folder) -> None:
    text = told(folder.load(SOCKET_IO + EVERY))
    assert (
        "the message is not JSON, but contains JSON: loadtest JSON-escapes the values inside its quotes"
        in text
    )
    assert "a turn is complete when all of type begins with 43 and done have come" in text
    assert "a turn fails with has error" in text
    assert "target.compression = true: loadtest offers permessage-deflate" in text
    text = told(folder.load(SOCKET_IO.replace("compression = true", "compression = { send = true }") + EVERY))
    assert "target.compression = send = true\n" in text
    assert "times are not measured while several turns are in flight" not in text
    unsure = told(folder.load((SOCKET_IO + EVERY).replace("ordered = true", "")))
    assert "times are not measured while several turns are in flight" in unsure


def test_a_message_is_told_without_secrets_and_with_its_size(folder: Folder) -> None:
    message = '{"thread_id":"{turn.id}","a":"{data.password}","b":"{user.token}","password":"hush-hush-1"}'
    rows = 'data = [ { password = "hush-hush-2" } ]\n'
    users = 'identities = [ { token = "hush-hush-3" } ]\n'
    text = HEAD + users + "[load]\nconnections = 1\n" + EVERY + rows + f"message = '{message}'\n"
    shown = told(folder.load(text))
    assert '"a":"...","b":"...","password":"[redacted]"}' in shown
    assert "hush" not in shown
    plain = told(folder.load(text.replace("hush-hush-2", "hush-hush-2" + "x" * 100)))
    sizes = [int(size) for each in (shown, plain) for size in re.findall(r"(\d+) B of text", each)]
    assert sizes[1] - sizes[0] == 100


@pytest.mark.parametrize(
    ("target", "drawn"),
    [
        ('url = "ws://host/chat?room=1"', "GET /chat,"),
        ('url = "ws://host/"', "GET /ws,"),
        ('url = "ws://host"', "GET /ws,"),
        ('url = "ws://host/chat"\npath = "/rooms/{user.id}"', "GET /rooms/{user.id},"),
    ],
)
def test_the_drawing_has_the_path_that_is_asked_for(folder: Folder, target: str, drawn: str) -> None:
    login = (
        '[[prepare]]\nname = "login"\npost = "/login?key=open-sesame"\nexpect = [200, 201]\n'
        'keep = { token = "t" }\n'
        '[[prepare]]\nname = "visit"\nget = "/visit"\n'
    )
    sections = explain(folder.load(HEAD.replace('url = "simulator"', target) + EVERY + login), sent_size)
    (lines,) = [each.lines for each in sections if each.title == "One turn"]
    asked, got, visited, there, upgrade, *_ = lines
    assert asked.startswith("us → target   POST /login")
    assert asked.endswith("(login, by HTTP)")
    assert "open-sesame" not in asked
    assert got == "us ← target   200 or 201   (gives {prepared.token})"
    assert visited == "us → target   GET /visit   (visit, by HTTP)"
    assert there == "us ← target   200 to 299"
    assert upgrade.startswith(f"us → target   {drawn}")


def test_what_framing_adds_is_shown_and_counted(folder: Folder) -> None:
    folder.write(
        "lines.toml",
        'name = "lines"\n[framing]\nsplit = "\\n"\n'
        '[connect]\nready = [{ send = "HELLO\\r" }, { wait = { regex = "^\\r?$" } }]\n'
        '[turn]\nid = "{turn.number}"\nmessage = "ASK {turn.id}"\n[events]\nmatch = "order"\ncount = 1\n'
        'type = ["type"]\n',
    )
    text = told(folder.load('protocol = "lines.toml"\n[target]\nurl = "ws://host/"\n' + EVERY))
    assert r"send HELLO\r" in text
    assert r"type fits ^\r?$" in text
    assert "ASK 0\\n\n6 B of text: the message of user 0" in text
