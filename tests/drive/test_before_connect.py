"""What users do before they connect, driven whole: steps by HTTP, proxies, redirects, tokens that expire."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from loadtest.drive import prepare_requests
from loadtest.drive.connection import Connection
from loadtest.drive.endpoint import resolve_endpoint
from loadtest.drive.shard import Shard
from loadtest.drive.trial import try_turn
from loadtest.plan.scenario_file import load_scenario
from tests.drive.alone import Driven, drive
from tests.drive.http_peer import Asked, HttpPeer, answer, http_peer, moved, tunnel
from tests.drive.serving import request_of, serving, until_left
from tests.end_to_end.certificates import Authority, Pair

HOLD = '\n[traffic]\nturns = 0\n[load]\nduration = "60s"\nconnections = 2\n'
TOLD: list[str] = []
"""The secrets that the last run told of."""
ONE_USER = HOLD.replace("connections = 2", "connections = 1")


def until_ready(shard: Shard) -> None:
    """End the run when every user is ready; where all are refused it ends by itself."""
    while shard.context.recorder.ready < len(shard.context.assignment.users) and not shard.done.is_set():
        gevent.sleep(0.002)
    shard.stop()


def driven(folder: Path, peer: HttpPeer, text: str, *, secure: bool = False, **more: Any) -> Driven:
    """A scenario whose target is the peer; ``text`` follows its ``url``."""
    scheme, host = ("wss", "localhost") if secure else ("ws", "127.0.0.1")
    url = f"{scheme}://{host}:{peer.port}"
    path = folder / "mine.toml"
    path.write_text(f'name = "mine"\nprotocol = "echo"\n[target]\nurl = "{url}"\n{text}')
    secrets: list[str] = []

    def before(shard: Shard) -> None:
        shard.context.on_secrets = secrets.extend

    found = drive(load_scenario(path), url, before=before, **{"meanwhile": until_ready, **more})
    TOLD[:] = secrets
    return found


def reasons(found: Driven, kind: str = "refusals") -> dict[str, int]:
    return found.shard.observed.get(kind, {})


STEPS = """
path = "/rooms/{prepared.room}?v=1"
query = { ticket = "{prepared.ticket}" }
headers = { X-Token = "{prepared.token}" }
[[prepare]]
name = "login"
post = "/login"
form = { who = "load & test" }
keep = { token = "access.0.token" }
once = "process"
undo = { post = "/logout", form = { token = "{prepared.token}" } }
[[prepare]]
name = "room"
put = "/users/{user.id}"
json = { name = "{user.id}", token = "{prepared.token}" }
expect = [201]
keep = { room = "room", sid = "cookie:sid" }
once = "user"
undo = { delete = "/rooms/{prepared.room}" }
[[prepare]]
name = "ticket"
get = "/ticket"
headers = { Authorization = "Bearer {prepared.token}" }
keep = { ticket = "header:X-Ticket" }
"""


def backend() -> dict[str, Any]:
    numbers: Counter[str] = Counter()

    def numbered(name: str, make: Any) -> Any:
        def one(sock: Any, asked: Asked) -> None:
            numbers[name] += 1
            sock.sendall(make(numbers[name], asked))

        return one

    def room(_n: int, asked: Asked) -> bytes:
        user = asked.path.rpartition("-")[2]
        return answer({"room": f"a/{user}"}, "201 Created", Set_Cookie=f"sid=cookie-of-{user}; Path=/")

    return {
        "/login": numbered("login", lambda n, _: answer({"access": [{"token": f"token-{n}-abcdef"}]})),
        "/logout": answer(),
        "/users/user-0": numbered("room", room),
        "/users/user-1": numbered("room", room),
        "/ticket": numbered("ticket", lambda n, _: answer(X_Ticket=f"ticket-{n}")),
        "/rooms/a%2F0": answer(status="204 No Content"),
        "/rooms/a%2F1": answer(status="404 Not Found"),
    }


def test_steps_are_done_as_often_as_they_say_and_taken_back(tmp_path: Path) -> None:
    with http_peer(backend()) as peer:
        lost = Event()

        def lose_one(shard: Shard) -> None:
            while shard.context.recorder.ready < 2:
                gevent.sleep(0.005)
            first: Connection = shard.virtual_users[0].connection
            first._lost(1006)
            shard.context.poller.wake()
            while shard.virtual_users[0].connection is first or shard.context.recorder.ready < 2:
                gevent.sleep(0.005)
            lost.set()
            shard.stop()

        hold = HOLD.replace("[load]", "[load]\nreconnect = { initial_delay = '1ms' }")
        found = driven(tmp_path, peer, STEPS + hold, meanwhile=lose_one)
    assert lost.is_set()
    asked = Counter(f"{each.method} {each.path.partition('?')[0]}" for each in peer.asked)
    assert asked == {
        "POST /login": 1,
        "PUT /users/user-0": 1,
        "PUT /users/user-1": 1,
        # Once more for the connection that was lost: a ticket is good for one.
        "GET /ticket": 3,
        "GET /rooms/a%2F0": 2,
        "GET /rooms/a%2F1": 1,
        "DELETE /rooms/a%2F0": 1,
        "DELETE /rooms/a%2F1": 1,
        "POST /logout": 1,
    }
    assert peer.asked[0].body == b"who=load+%26+test"
    assert peer.asked[-1].body == b"token=token-1-abcdef"
    upgrades = [each for each in peer.asked if "upgrade" in each.headers]
    assert len({each.path for each in upgrades}) == 3
    assert all("?v=1&ticket=ticket-" in each.path for each in upgrades)
    assert {each.headers["x-token"] for each in upgrades} == {"token-1-abcdef"}
    assert Counter(each.headers["cookie"] for each in upgrades) == {
        "sid=cookie-of-0": 2, "sid=cookie-of-1": 1,
    }  # fmt: skip
    # Each step is timed, by its name and in all.
    assert {tag: found.n(f"prepare.time{tag}") for tag in ("", "[login]", "[room]", "[ticket]")} == {
        "": 6, "[login]": 1, "[room]": 2, "[ticket]": 3,
    }  # fmt: skip
    assert found.counts("connections.refused") == {}
    assert found.counts("connections.not_undone") == {}
    # What came is known to whoever writes files.
    assert {"token-1-abcdef", "ticket-1", "cookie-of-0", "cookie-of-1"} <= set(TOLD)


ONE_STEP = '[[prepare]]\nname = "one"\nget = "/one"\nwithin = "9s"\n'
BRIEF_STEP = ONE_STEP.replace("9s", "100ms")

HANGS = lambda sock, _asked: sock.recv(1)  # noqa: E731 - one line in a table


def floods(sock: Any, _asked: Asked) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    for _ in range(1_000):
        sock.sendall(b"x" * 65_536)


@pytest.mark.parametrize(
    ("script", "step", "reason"),
    [
        (answer("no luck", "500 Oops"), "", "the target answered HTTP 500: no luck"),
        (answer(), "expect = [201, 202]", "the target answered HTTP 200, not 201 or 202"),
        (HANGS, "", "no answer within 0.1 s"),
        (moved("/one"), "", "the server redirected more than 5 times"),
        (floods, "", "the answer is larger than 1 MiB"),
        (answer("no JSON"), 'keep = { a = "b" }', "the answer is not JSON, but `keep` needs a value from it"),
        (
            answer("[" * 200_000),
            'keep = { a = "b" }',
            "the answer is not JSON, but `keep` needs a value from it",
        ),
        (answer({"b": 1}), 'keep = { a = "b.c" }', "the answer has no `b.c`, but `keep` needs it for a"),
        (answer({"b": [1]}), 'keep = { a = "b.1" }', "the answer has no `b.1`, but `keep` needs it for a"),
        (answer({"b": [1]}), 'keep = { a = "b.²" }', "the answer has no `b.²`, but `keep` needs it for a"),
        (answer({"b": {}}), 'keep = { a = "b" }', "`b` of the answer must be text or a number"),
        (
            answer({"b": "x" * 20_000}),
            'keep = { a = "b" }',
            "`b` of the answer has more than 16,384 characters",
        ),
        (answer({"b": "x\r\nEvil: y"}), 'keep = { a = "b" }', "`b` of the answer contains a line break"),
        (answer({"b": "x\ud800y"}), 'keep = { a = "b" }', "`b` of the answer contains half of a character"),
        (
            answer(),
            'keep = { a = "header:X-A" }',
            "the answer has no `header:X-A`, but `keep` needs it for a",
        ),
        (
            answer(),
            'headers = { A = "{user.bad}" }',
            "the request was not sent: the header A would contain a control character",
        ),
        (
            answer({"b": "gopher://a"}),
            'keep = { a = "b" }',
            "the value of `path` is not a WebSocket URL",
        ),
        (answer({"b": "ws://a..b/x"}), 'keep = { a = "b" }', "the value of `path` is not a WebSocket URL"),
        (moved("http://a..b/"), "", "the server redirects to an address that is not an HTTP URL"),
        (answer({"b": "rooms"}), 'keep = { a = "b" }', "the value of `path` must be a path or a URL"),
        (answer({"b": "ws://nobody.invalid/"}), 'keep = { a = "b" }', "resolve: the name 'nobody.invalid'"),
    ],
)
def test_a_step_that_fails_refuses_the_connection(
    tmp_path: Path, script: Any, step: str, reason: str
) -> None:
    text = 'identities = [{ bad = "x\\ny" }, { bad = "x\\ny" }]\n' if "user.bad" in step else ""
    text += 'path = "{prepared.a}"\n' if "`path`" in reason or "nobody" in reason else ""
    with http_peer({"/one": script}) as peer:
        found = driven(tmp_path, peer, text + (BRIEF_STEP if script is HANGS else ONE_STEP) + step + HOLD)
        assert [each for each in peer.asked if "upgrade" in each.headers] == []
    layer = "resolve" if "resolve" in reason else "prepare"
    assert found.counts("connections.") == {"attempted": 2, "due": 2, f"refused.{layer}": 2}
    ((told, n),) = reasons(found).items()
    assert n == 2
    assert reason in told
    assert told.startswith("resolve: " if layer == "resolve" else "prepare: ")


def test_the_values_of_a_refusal_are_not_told(tmp_path: Path) -> None:
    answers = {"/one": answer({"ticket": "ticket-12345"}), "/two": answer("ticket-12345 is old", "403 No")}
    second = '[[prepare]]\nname = "two"\nget = "/two"\n'
    with http_peer(answers) as peer:
        found = driven(tmp_path, peer, ONE_STEP + 'keep = { ticket = "ticket" }\n' + second + HOLD)
    assert reasons(found) == {"prepare: two: the target answered HTTP 403: [redacted] is old": 2}


def test_who_waits_for_a_step_of_the_run_shares_how_it_ended(tmp_path: Path) -> None:
    with http_peer({"/one": HANGS}) as peer:
        found = driven(tmp_path, peer, BRIEF_STEP + 'once = "process"\n' + HOLD)
        assert len(peer.asked) == 1
    assert reasons(found) == {"prepare: one: no answer within 0.1 s": 2}


def test_what_cannot_be_taken_back_is_counted(tmp_path: Path) -> None:
    step = ONE_STEP + 'undo = { delete = "/gone", within = "100ms" }\n'
    with http_peer({"/one": answer(), "/gone": answer(status="500 No")}) as peer:
        found = driven(tmp_path, peer, step + HOLD)
    assert found.counts("connections.not_undone") == {"": 2}
    assert reasons(found, "not_undone") == {"one: HTTP 500": 2}
    with http_peer({"/one": answer(), "/gone": HANGS}) as peer:
        found = driven(tmp_path, peer, step + HOLD)
    assert reasons(found, "not_undone") == {"one: no answer within 0.1 s": 2}


def test_a_user_who_leaves_while_a_step_goes_on_takes_it_back(tmp_path: Path) -> None:
    """The run is over before the answer comes; what the answer made must not stay."""

    def slow(sock: Any, _asked: Asked) -> None:
        gevent.sleep(0.4)
        sock.sendall(answer({"id": "7"}))

    step = '[[prepare]]\nname = "one"\npost = "/one"\nkeep = { id = "id" }\n'
    step += 'undo = { delete = "/{prepared.id}" }\n'
    with http_peer({"/one": slow, "/7": answer()}) as peer:

        def stop(shard: Shard) -> None:
            while not peer.asked:
                gevent.sleep(0.005)
            shard.stop()

        driven(tmp_path, peer, step + HOLD, meanwhile=stop)
        assert peer.paths("DELETE") == ["/7", "/7"]


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("token", "abc", False),
        ("token", "abcd", True),
        ("room", "lobby-1", False),
        ("room", "lobby-17", True),
        ("room", "completed", False),
    ],
)
def test_which_values_are_taken_out_of_outputs(name: str, value: str, *, secret: bool) -> None:
    assert prepare_requests.may_be_secret(name, value) is secret


# ---------------------------------------------------------------- where connections go


def test_a_negotiated_url_may_lead_to_another_host(tmp_path: Path) -> None:
    with http_peer({}) as other, http_peer({"/one": answer({"url": f"{other.url('ws')}/there?a=b"})}) as peer:
        text = 'path = "{prepared.url}"\n' + ONE_STEP + 'keep = { url = "url" }\n'
        found = driven(tmp_path, peer, text + HOLD)
        assert other.paths() == ["/there?a=b", "/there?a=b"]
        assert other.asked[0].headers["host"] == f"127.0.0.1:{other.port}"
        assert found.shard.observed["other_hosts"] == {"hosts": f"127.0.0.1:{other.port}"}
    assert found.counts("connections.")["ready"] == 2


def test_redirects_of_an_upgrade_are_followed_without_credentials(tmp_path: Path) -> None:
    secret = (
        'headers = { Authorization = "Bearer hidden", Origin = "http://a" }\ncookies = { sid = "hidden" }\n'
    )
    with http_peer({}) as other:
        hops = {"ws:/echo": moved("/next", "308 There"), "ws:/next": moved(f"{other.url()}/end", "307 There")}
        with http_peer(hops) as peer:
            found = driven(tmp_path, peer, secret + "follow_redirects = 2\n" + HOLD)
            assert sorted(each.path for each in peer.asked) == ["/echo", "/echo", "/next", "/next"]
            assert all("hidden" in str(each.headers) for each in peer.asked)
        assert other.paths() == ["/end", "/end"]
        assert "hidden" not in str(other.asked)
        assert {each.headers["origin"] for each in other.asked} == {"http://a"}
    counts = found.counts("connections.")
    assert (counts["ready"], counts["redirected"]) == (2, 4)


@pytest.mark.parametrize(
    ("where", "most", "reason"),
    [
        ("/echo", 3, "HTTP 302 Found, to /echo, after 3 redirects (the limit, follow_redirects)"),
        ("/echo", 0, "HTTP 302 Found, to /echo"),
        ("gopher://a", 3, "the server redirects to an address that is not an HTTP URL"),
        ("http://nobody.invalid/", 3, "the name 'nobody.invalid' cannot be resolved"),
        ("http://127.0.0.1:9/", 3, "Connection refused"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_a_refusal(
    tmp_path: Path, where: str, most: int, reason: str
) -> None:
    with http_peer({"ws:/echo": moved(where)}) as peer:
        found = driven(tmp_path, peer, f"follow_redirects = {most}\n" + HOLD)
    assert found.counts("connections.")["attempted"] == 2
    ((told, n),) = reasons(found).items()
    assert n == 2
    assert reason in told


# ---------------------------------------------------------------- proxies


@pytest.mark.parametrize("secure", [False, True])
def test_connections_go_through_a_proxy(
    tmp_path: Path, pair: Pair, authority: Authority, *, secure: bool
) -> None:
    with http_peer({"/one": answer()}, pair if secure else None) as peer, serving(tunnel) as address:
        text = f'proxy = "http://me:pass@127.0.0.1:{address.sockaddr[1]}"\nca_file = "{authority.cert}"\n'
        found = driven(tmp_path, peer, text + ONE_STEP + HOLD, secure=secure)
        assert (reasons(found), found.counts("connections.")["ready"]) == ({}, 2)
        assert (found.n("connect.proxy"), found.n("connect.tls")) == (2, 2 if secure else 0)
        assert len(peer.asked) == 4


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"HTTP/1.1 407 Who are you\r\n\r\n", "the proxy answered HTTP 407 Who are you"),
        (b"SSH-2.0\r\n", "the answer of the proxy is not HTTP"),
        (b"", "the proxy closed the connection without connecting to the target"),
        (b"HTTP/1.1 2xx\r\n\r\n", "the answer of the proxy is not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "the proxy sent unexpected data after its answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "the head of the proxy's answer is larger than 64 KiB"),
    ],
)
def test_a_proxy_that_does_not_connect_is_a_layer_of_its_own(
    tmp_path: Path, said: bytes, reason: str
) -> None:
    def script(sock: Any) -> None:
        request_of(sock)
        sock.sendall(said)
        if said:
            until_left(sock)

    with http_peer({}) as peer, serving(script) as address:
        found = driven(tmp_path, peer, f'proxy = "http://127.0.0.1:{address.sockaddr[1]}"\n' + HOLD)
    assert found.counts("connections.refused") == {".proxy": 2}
    ((told, _),) = reasons(found).items()
    assert reason in told


# ---------------------------------------------------------------- tokens


def test_a_token_is_printed_by_a_command_and_asked_for_again(tmp_path: Path) -> None:
    counter = tmp_path / "n"
    program = (
        "import pathlib, sys; p = pathlib.Path(sys.argv[1]); "
        "n = int(p.read_text()) + 1 if p.exists() else 1; p.write_text(str(n)); print(f'printed-{n}')"
    )
    command = [sys.executable, "-c", program, str(counter)]
    auth = f"auth = {{ kind = 'token', token_command = {command!r}, refresh = '1ms' }}\n"
    with http_peer({}) as peer:
        driven(tmp_path, peer, auth + HOLD)
    sent = sorted(each.headers["authorization"] for each in peer.asked)
    assert sent in (
        ["Bearer printed-1", "Bearer printed-2"],
        ["Bearer printed-2"] * 2,
        ["Bearer printed-1"] * 2,
    )
    assert "printed-1" in TOLD


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/no/such/program"], "token_command cannot be run: No such file or directory"),
        (
            [sys.executable, "-c", "import sys; print('x'); sys.exit(3)"],
            "token_command ended with exit code 3",
        ),
        ([sys.executable, "-c", "print('x' * 70000)"], "token_command printed more than 64 KiB"),
        ([sys.executable, "-c", "pass"], "the token of token_command cannot be sent in a header"),
        ([sys.executable, "-c", "print('a\\nb')"], "the token of token_command cannot be sent in a header"),
    ],
)
def test_a_command_that_gives_no_token(tmp_path: Path, command: list[str], reason: str) -> None:
    auth = f"auth = {{ kind = 'token', token_command = {command!r} }}\n"
    with http_peer({}) as peer:
        found = driven(tmp_path, peer, auth + ONE_USER)
        assert peer.asked == []
    assert reasons(found) == {f"auth: {reason}": 1}


def oauth2(peer: HttpPeer) -> str:
    return (
        f"auth = {{ kind = 'oauth2', token_url = '{peer.url()}/token', client_id = 'me', "
        "secret_env = 'OAUTH_TEST_SECRET', scope = 'ask' }\n"
    )


def test_a_token_of_oauth2_is_renewed_before_it_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "OAUTH_TEST_SECRET", "client secret")
    n = iter(range(1, 9))

    def token(sock: Any, _asked: Asked) -> None:
        # The first is as good as expired when it comes.
        number = next(n)
        lasts = {"expires_in": 0.000001} if number == 1 else {"expires_in": 3600} if number == 2 else {}
        sock.sendall(answer({"access_token": f"token-{number}", "token_type": "Bearer", **lasts}))

    with http_peer({"/token": token}) as peer:
        text = oauth2(peer) + HOLD.replace("connections = 2", 'connections = 3\nconnect_rate = "50/s"')
        driven(tmp_path, peer, text)
    asked = [each for each in peer.asked if each.path == "/token"]
    assert (
        asked[0].body == b"grant_type=client_credentials&client_id=me&client_secret=client+secret&scope=ask"
    )
    assert len(asked) == 2
    sent = [each.headers["authorization"] for each in peer.asked if "upgrade" in each.headers]
    assert sent == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer({"error": "invalid_client"}, "401 No"), "token_url answered HTTP 401: invalid_client"),
        (answer("<html>", "502 Bad"), "token_url answered HTTP 502"),
        (moved("/elsewhere"), "token_url answered HTTP 302"),
        (answer({"token": 1}), "token_url answered without an `access_token`"),
        (answer({"access_token": "a\nb"}), "the token of token_url cannot be sent in a header"),
        (answer({"access_token": "a\ud800b"}), "the token of token_url cannot be sent in a header"),
        (b"nonsense\r\n\r\n", "token_url: the answer is not valid HTTP"),
    ],
)
def test_an_endpoint_that_gives_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, reason: str
) -> None:
    monkeypatch.setitem(os.environ, "OAUTH_TEST_SECRET", "client secret")
    with http_peer({"/token": said}) as peer:
        found = driven(tmp_path, peer, oauth2(peer) + ONE_USER)
    assert reasons(found) == {f"auth: {reason}": 1}


def test_a_trial_prepares_too_and_says_what_was_not_sent(tmp_path: Path) -> None:
    step = ONE_STEP + 'keep = { id = "id" }\nundo = { delete = "/{prepared.id}" }\n'
    for said, refused in ((answer({"id": "one-two-3"}), False), (answer("closed", "503 No"), True)):
        with http_peer({"/one": said, "/one-two-3": answer()}) as peer:
            path = tmp_path / "mine.toml"
            head = f'name = "mine"\nprotocol = "echo"\n[target]\nurl = "{peer.url("ws")}"\n'
            path.write_text(
                head + 'path = "/a/{prepared.id}"\n' + step + '[traffic]\ntimeout = "200ms"\nevery = "1s"\n'
            )
            scenario, secrets = load_scenario(path), list[str]()
            endpoint = resolve_endpoint(scenario.target, peer.url("ws") + "/a")
            trial = try_turn(scenario, endpoint, secrets.extend)
            if refused:
                assert (trial.request, trial.frames) == ("", [])
                assert "one: the target answered HTTP 503: closed" in str(trial.refusal)
            else:
                assert peer.paths() == ["/one", "/a/one-two-3", "/one-two-3"]
                assert secrets == ["one-two-3"]
                assert trial.refusal is None
