"""What real networks and peers do to a connection: each against a server that does just that."""

from __future__ import annotations

import base64
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Opcode

from tests.end_to_end.conftest import RunIt
from tests.end_to_end.running import Ended
from tests.raw_server import Peer, Script, framed, raw_server

pytestmark = pytest.mark.long

PROTOCOL = """
[protocol]
name = "p"
[protocol.connect]
path = "/x"
[protocol.turn]
message = '{"id":"{turn.id}","text":"hello"}'
[protocol.events]
turn = ["id"]
count = 1
"""


class Wire:
    """Runs a scenario against a script."""

    def __init__(self, run: RunIt, folder: Path) -> None:
        self._run = run
        self.folder = folder

    def run(
        self,
        script: Script,
        *,
        target: str = "",
        load: str = "connections = 1\nduration = '1s'",
        traffic: str | None = "every = '200ms'\ntimeout = '5s'",
        protocol: str = PROTOCOL,
        user: str = "",
        more: str = "",
        environment: dict[str, str] | None = None,
    ) -> Ended:
        scenario = self.folder / "wire.toml"
        with raw_server(script) as port:
            tables = [
                'name = "wire"',
                protocol,
                f"[target]\nurl = 'ws://{user}127.0.0.1:{port}/x'\n{target}",
                f"[load]\n{load}",
                "" if traffic is None else f"[traffic]\n{traffic}",
                more,
            ]
            scenario.write_text("\n".join(tables))
            return self._run("run", scenario, environment=environment)


@pytest.fixture
def wire(run: RunIt, tmp_path: Path) -> Wire:
    folder = tmp_path / "scenario"
    folder.mkdir()
    return Wire(run, folder)


def counts(ended: Ended) -> Any:
    return ended.manifest["counts"]


def words(ended: Ended) -> str:
    """The screen without its line breaks."""
    return " ".join(ended.screen.split())


# ------------------------------------------------------------------ pings


def test_a_server_that_answers_pings_late_lives(wire: Wire) -> None:
    """Pongs 600 ms late, pings every 300 ms, and replies that flow."""

    def script(peer: Peer) -> None:
        peer.agree()
        for frame in peer.frames():
            if frame.opcode is Opcode.PING:
                peer.send_later(0.6, bytes(frame.data), Opcode.PONG)
            else:
                peer.send(bytes(frame.data))

    ended = wire.run(
        script,
        load="connections = 2\nduration = '2s'",
        traffic="every = '200ms'\ntimeout = '2s'\nping = '300ms'",
    )
    assert ended.code == 0, ended.screen
    assert counts(ended)["connections"]["left"] == 2
    assert counts(ended)["connections"]["closed"] == {}
    rtt = ended.manifest["metrics"]["ping.rtt"]
    assert rtt["n"] >= 6
    assert rtt["min"] >= 600
    assert "pings_unanswered" not in ended.notices


def test_a_long_message_that_arrives_slowly_ends_no_connection(wire: Wire) -> None:
    """Nothing else can come in its middle, no pong either (RFC 6455, 5.4)."""

    def script(peer: Peer) -> None:
        peer.agree()
        for message in peer.messages():
            whole = framed(message | {"pad": "z" * 300_000})
            for at in range(0, len(whole), 20_000):
                peer.send_bytes(whole[at : at + 20_000])
                time.sleep(0.1)

    ended = wire.run(
        script,
        load="connections = 1\nduration = '3s'",
        traffic="every = '10s'\ntimeout = '10s'\nping = '200ms'\nping_timeout = '600ms'",
    )
    assert ended.code == 0, ended.screen
    assert counts(ended)["turns"]["complete"] == 1
    assert counts(ended)["connections"]["left"] == 1
    assert ended.manifest["metrics"]["ping.rtt"]["max"] > 600


def test_a_stall_that_is_shorter_than_the_timeout_stands_in_the_numbers(wire: Wire) -> None:
    """Nothing is answered from 0.5 s to 1.7 s: turns and pings tell of it, and no connection is lost."""

    def script(peer: Peer) -> None:
        peer.agree()
        begun = time.monotonic()
        for message in peer.messages():
            late = time.monotonic() - begun
            if 0.5 < late < 1.7:
                time.sleep(1.7 - late)
            peer.send(message)

    ended = wire.run(
        script,
        load="connections = 2\nduration = '2s'",
        traffic="every = '100ms'\ntimeout = '3s'\nping = '200ms'",
    )
    assert ended.code == 0, ended.screen
    turns = counts(ended)["turns"]
    assert turns["complete"] == turns["due"] == 40
    assert counts(ended)["connections"]["closed"] == {}
    assert ended.manifest["metrics"]["turn.completion"]["max"] >= 1000
    assert ended.manifest["metrics"]["ping.rtt"]["max"] >= 900


# ------------------------------------------------------------------ credentials


def leaks(ended: Ended, *secrets: str) -> list[str]:
    """Where one of the secrets stands."""
    places = {"terminal": ended.screen.encode()}
    places |= {str(path): path.read_bytes() for path in ended.folder.rglob("*") if path.is_file()}
    assert len(places) > 8
    return [name for name, data in places.items() if any(secret.encode() in data for secret in secrets)]


def test_user_and_password_of_the_url_are_sent_and_shown_nowhere(wire: Wire) -> None:
    shown: list[str] = []

    def script(peer: Peer) -> None:
        peer.read_request()
        shown.append(peer.headers.get("authorization", ""))
        peer.agree()
        for message in peer.messages():
            # It repeats what it was told, as debugging servers do.
            peer.send(message | {"said": shown[-1], "id": "nobody's"})

    ended = wire.run(script, user="alice:s3cr3t-pw-77@", traffic="every = '500ms'\ntimeout = '300ms'")
    basic = base64.b64encode(b"alice:s3cr3t-pw-77").decode()
    assert shown == [f"Basic {basic}"]
    places = [
        ended.screen.encode(),
        *(file.read_bytes() for file in ended.folder.rglob("*") if file.is_file()),
    ]
    assert len(places) > 8
    for secret in (b"s3cr3t-pw-77", basic.encode()):
        assert not [place for place in places if secret in place]


def test_a_token_that_is_renewed_in_mid_run_is_used_and_shown_nowhere(wire: Wire) -> None:
    """The server takes each token once, and closes after it: the next connection must bring the next."""
    file = wire.folder / "tok"
    file.write_text("first-token-000001\n")
    shown: list[str] = []

    def script(peer: Peer) -> None:
        peer.read_request()
        shown.append(peer.headers["authorization"])
        if shown[-1] != f"Bearer {file.read_text().strip()}":
            peer.answer("HTTP/1.1 401 Unauthorized\n\n")
            return
        peer.agree()
        for message in peer.messages():
            peer.send(message | {"seen": shown[-1].removeprefix("Bearer ")} | {"id": "nobody's"})
            peer.send(message)
            if len(shown) == 1:
                file.write_text("second-token-000002\n")
                return

    ended = wire.run(
        script,
        target="auth = { kind = 'token', token_file = 'tok' }",
        load="connections = 1\nduration = '1s'\nreconnect = { initial_delay = '50ms' }",
    )
    assert counts(ended)["connections"]["refused"] == {}
    assert counts(ended)["connections"]["reconnected"] == 1
    assert shown == ["Bearer first-token-000001", "Bearer second-token-000002"]
    assert counts(ended)["events"]["unmatched"] > 1
    assert leaks(ended, "first-token-000001", "second-token-000002") == []


SAYS_WHO = """
[protocol]
name = "p"
[protocol.connect]
path = "/x"
ready = [
  { send = '{"type":"auth","token":"{secret.WSTOKEN}"}' },
  { wait = { type = "auth_ok" }, within = "2s" },
]
[protocol.turn]
message = '{"id":"{turn.id}","key":"{env.WSKEY}"}'
[protocol.events]
type = ["type"]
turn = ["id"]
count = 1
"""


def test_a_secret_in_a_message_is_sent_and_shown_nowhere(wire: Wire) -> None:
    heard: list[Any] = []

    def script(peer: Peer) -> None:
        for message in peer.agree().messages():
            heard.append(message)
            if message.get("type") == "auth":
                peer.send({"type": "auth_ok", "token": message["token"]})
            else:
                peer.send({"type": "answer", "id": "nobody's", "said": message["key"]})
                peer.send({"type": "answer", "id": message["id"], "said": message["key"]})

    secrets = {"WSTOKEN": 'between-us-"4711"', "WSKEY": "k-0815-k-0815"}
    ended = wire.run(script, protocol=SAYS_WHO, environment=secrets)
    assert ended.code == 0, ended.screen
    assert heard[0]["token"] == secrets["WSTOKEN"]
    assert heard[1]["key"] == secrets["WSKEY"]
    assert counts(ended)["turns"]["complete"] == 5
    assert leaks(ended, "between-us", "k-0815-k-0815") == []


def test_a_variable_of_a_message_that_is_not_set_is_told_before_anything_is_sent(wire: Wire) -> None:
    ended = wire.run(Peer.echo, protocol=SAYS_WHO, environment={"WSTOKEN": "x" * 8})
    assert ended.code == 2
    told = "WSKEY: `message` of [turn] in the protocol uses {env.WSKEY}, but this environment variable is not"
    assert told in ended.err


def test_a_header_of_the_handshake_is_refused_with_the_key_that_is_meant(wire: Wire) -> None:
    ended = wire.run(Peer.echo, target="headers = { Sec-WebSocket-Protocol = 'graphql-transport-ws' }")
    assert ended.code == 2
    assert "write the subprotocols to offer in `subprotocols`" in ended.err


# ------------------------------------------------------------------ answers to the upgrade


def test_a_cookie_of_the_upgrade_comes_back_with_its_user_and_is_shown_nowhere(wire: Wire) -> None:
    """The server repeats it: in an event, a reason, and as its own name."""
    seen: list[str] = []
    cookies = [f"sticky-value-00{number}" for number in range(3)]

    def script(peer: Peer) -> None:
        peer.read_request()
        seen.append(peer.headers.get("cookie", ""))
        cookie = cookies[min(peer.number, 2)]
        peer.agree(f"Set-Cookie: node={cookie}; Path=/; HttpOnly", f"Server: tiny ({cookie})")
        for message in peer.messages():
            peer.send(message | {"id": "nobody's", "from": cookie, "and": seen[-1]})
            peer.send(message)
            if peer.number == 0:
                peer.send((1012).to_bytes(2, "big") + f"{cookie} restarts".encode(), Opcode.CLOSE)
                return

    ended = wire.run(
        script, target="cookies.keep = true", load="connections = 1\nduration = '1s'\nreconnect = true"
    )
    assert counts(ended)["connections"]["reconnected"] == 1
    assert seen == ["", f"node={cookies[0]}"]
    assert counts(ended)["events"]["unmatched"] > 1
    assert ended.manifest["closes"] == {"code 1012: [redacted] restarts": 1}
    assert leaks(ended, *cookies) == []


def test_a_refusal_is_told_with_the_servers_own_words(wire: Wire) -> None:
    body = "no seats left for token=abc-123-abc-123"
    ended = wire.run(
        lambda peer: peer.answer(f"HTTP/1.1 403 Forbidden\nContent-Length: {len(body)}\n\n{body}")
    )
    assert ended.code == 3
    (reason,) = ended.manifest["refusals"]
    assert reason.startswith("upgrade: the target answered HTTP 403 Forbidden: no seats left for ")
    assert "no seats left" in words(ended)


def test_a_redirect_is_told_with_its_place(wire: Wire) -> None:
    answer = (
        "HTTP/1.1 302 Found\nLocation: https://login.example/start?token=abc-123-abc\nContent-Length: 0\n\n"
    )
    ended = wire.run(lambda peer: peer.answer(answer))
    assert ended.code == 3
    assert "to https://login.example/start" in words(ended)
    assert leaks(ended, "abc-123-abc") == []


def test_a_server_that_asks_for_time_is_given_it(wire: Wire) -> None:
    came: list[float] = []

    def script(peer: Peer) -> None:
        came.append(time.monotonic())
        if peer.number == 0:
            peer.answer("HTTP/1.1 503 Busy\nRetry-After: 1\nContent-Length: 0\n\n")
            return
        peer.agree().echo()

    ended = wire.run(
        script, load="connections = 1\nduration = '2s'\nreconnect = { initial_delay = '50ms', tries = 5 }"
    )
    assert len(came) == 2
    assert came[1] - came[0] >= 0.95
    assert counts(ended)["connections"]["told_to_wait"] == 1
    assert counts(ended)["connections"]["upgrade_status"] == {"503": 1}


def test_early_hints_and_many_headers_are_no_obstacle(wire: Wire) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    many = [f"X-{number}: {'x' * 100}" for number in range(300)]
    ended = wire.run(lambda peer: peer.agree(*many, "X-Long: " + "x" * 20_000, before=hints).echo())
    assert ended.code == 0, ended.screen
    assert counts(ended)["turns"]["complete"] == 5


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"\xc1\x05hello", "broken"), (b"\x82\x7f" + (2**30).to_bytes(8, "big"), "too_long")],
)
def test_a_broken_frame_and_one_that_is_too_long_are_told_apart(wire: Wire, data: bytes, why: str) -> None:
    def script(peer: Peer) -> None:
        for _ in peer.agree().messages():
            peer.send_bytes(data)

    ended = wire.run(script)
    assert counts(ended)["connections"]["ended_by_us"] == {why: 1}
    (reason,) = ended.manifest["closes"]
    told = {"broken": "reserved bits must be 0", "too_long": "exceeds limit of 16777216 bytes"}[why]
    assert reason.startswith("code 1006: given up by us: ")
    assert told in reason
    # The screen may cut a long line.
    assert reason.removeprefix("code 1006: ")[:30] in words(ended)


# ------------------------------------------------------------------ subscriptions

SUBSCRIBES = """
[protocol]
name = "p"
[protocol.connect]
path = "/x"
[protocol.turn]
message = '{"type":"subscribe"}'
[protocol.events]
match = "order"
type = ["type"]
"""


def feed(peer: Peer) -> None:
    """Prices every 20 ms until the client leaves."""

    def send() -> None:
        with suppress(OSError):
            while True:
                peer.send({"type": "price"})
                time.sleep(0.02)

    threading.Thread(target=send, daemon=True).start()
    for _ in peer.messages():
        """What it says is of no interest."""


def subscribed(peer: Peer) -> None:
    """A feed, once it is asked for."""
    next(peer.agree().messages())
    feed(peer)


@pytest.mark.parametrize("warmup", ["0s", "1s"])
def test_a_subscription_goes_on_until_the_run_is_over(wire: Wire, warmup: str) -> None:
    ended = wire.run(
        subscribed,
        protocol=SUBSCRIBES,
        load=f"connections = 3\nduration = '2s'\nwarmup = '{warmup}'",
        traffic="every = '10s'\nphase = 'together'\nturns = 1\ntimeout = '500ms'",
        more='[thresholds]\n"rates.events_received_per_s" = "> 60"\n"event.gap.p50" = "> 15ms"',
    )
    assert ended.code == 0, ended.screen
    turns, events = counts(ended)["turns"], counts(ended)["events"]
    assert turns["abandoned"] == turns["begun"] == 3
    assert not turns["timed_out"]
    assert not events["unmatched"]
    assert events["matched"] == events["received"] > 180
    rate = ended.manifest["rates"]["events_received_per_s"]
    assert rate["value"] < 160
    assert rate["over_s"] == 2
    assert ended.manifest["duration_s"] < 6


def test_a_subscription_that_brings_nothing_is_a_failure(wire: Wire) -> None:
    ended = wire.run(
        lambda peer: list(peer.agree().messages()),
        protocol=SUBSCRIBES,
        traffic="every = '10s'\nphase = 'together'\nturns = 1\ntimeout = '500ms'",
    )
    assert ended.code == 1
    assert "got no event" in words(ended)


def test_a_client_that_only_listens_has_a_rate_and_gaps(wire: Wire) -> None:
    ended = wire.run(
        lambda peer: feed(peer.agree()),
        load="connections = 3\nduration = '2s'",
        traffic="turns = 0",
        more='[thresholds]\n"rates.events_received_per_s" = "> 60"\n"event.gap.p50" = "> 15ms"',
    )
    assert ended.code == 0, ended.screen
    events = counts(ended)["events"]
    assert events["pushed"] == events["received"] > 180
    assert events["unmatched"] == 0
    assert "delivery_faults" not in ended.notices
    rate = ended.manifest["rates"]["events_received_per_s"]
    assert 60 < rate["value"] < 160
    assert (rate["bound"], rate["over_s"]) == ("target", 2)


def test_a_target_that_says_nothing_to_a_listener_has_no_rate(wire: Wire) -> None:
    ended = wire.run(
        lambda peer: list(peer.agree().messages()),
        traffic=None,
        more='[thresholds]\n"rates.events_received_per_s" = "> 60"',
    )
    assert ended.code == 4
