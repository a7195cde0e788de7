"""The door: refusals before the upgrade and after it, identities, limits, plain HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import USER_AGENT

from loadtest.simulator.process import Simulator

Start = Callable[..., Simulator]
Open = Callable[..., Any]
Join = Callable[..., Any]

SECRET = "a secret of at least thirty-two bytes, as HS256 wants"


def token(user: str = "user-7", secret: str = SECRET, **claims: Any) -> str:
    return jwt.encode({"sub": user} | claims, secret, algorithm="HS256")


def bearer(text: str) -> dict[str, dict[str, str]]:
    return {"additional_headers": {"Authorization": f"Bearer {text}"}}


@pytest.fixture
def guarded(start: Start, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Simulator]:
    monkeypatch.setenv("THE_SECRET", SECRET)
    return lambda *faults: start(*faults, jwt_secret_env="THE_SECRET")


def get(simulator: Simulator, path: str) -> tuple[int, str | None, str]:
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, response.getheader("Server"), body


def closed(connection: Any) -> ConnectionClosed:
    """How the connection ended, all messages read."""
    while True:
        try:
            connection.recv(60)
        except ConnectionClosed as ended:
            return ended


def test_every_answer_says_simulated(honest: Simulator, opened: Open) -> None:
    assert "(SIMULATED)" in opened(honest).response.headers["Server"]
    for path in ("/health", "/nowhere"):
        assert str(get(honest, path)[1]).startswith("loadtest-simulator/")
        assert "(SIMULATED)" in str(get(honest, path)[1])


def test_health_and_stats_are_json_over_plain_http(honest: Simulator) -> None:
    status, _, body = get(honest, "/health?verbose=1")
    health = json.loads(body)
    assert status == 200
    assert (health["status"], health["simulated"], health["faults"]) == ("ok", True, [])
    assert health["uptime_s"] > 0
    assert "faults_done" not in health
    assert json.loads(get(honest, "/stats")[2])["faults_done"] == {}


def test_an_unknown_path_is_told_what_there_is(honest: Simulator) -> None:
    status, _, body = get(honest, "/ws/chat")
    assert status == 404
    assert "/ws, /websocket, /echo, /json-id, /voice" in body


def test_plain_http_to_a_socket_is_refused_and_counted(start: Start) -> None:
    simulator = start()
    assert get(simulator, "/ws")[0] == 426
    assert get(simulator, "/nowhere")[0] == 404
    connections = simulator.stats()["connections"]
    assert (connections["attempted"], connections["established"]) == (2, 0)
    assert connections["refused"] == {"404": 1, "426": 1}


@pytest.mark.parametrize(("fault", "status"), [("refuse", 403), ("refuse=503", 503)])
def test_an_upgrade_is_refused(start: Start, opened: Open, fault: str, status: int) -> None:
    simulator = start(fault)
    for _ in range(2):
        with pytest.raises(InvalidStatus) as caught:
            opened(simulator)
        assert caught.value.response.status_code == status
    stats = simulator.stats()
    assert stats["connections"]["refused"] == {str(status): 2}
    assert stats["faults_done"]["refuse"]["struck"] == [[1], [2]]


def test_a_part_of_upgrades_is_refused_by_their_number(start: Start, opened: Open) -> None:
    simulator = start("refuse=403,0.5", seed=4)
    refused = []
    for number in range(1, 21):
        try:
            opened(simulator)
        except InvalidStatus:
            refused.append([number])
    stats = simulator.stats()
    assert stats["faults_done"]["refuse"]["struck"] == refused
    assert 3 < len(refused) < 17


@pytest.mark.parametrize(
    ("fault", "code"),
    [("close-after-accept=1008", 1008), ("close-after-accept=4001", 4001), ("close-after-accept", 1008)],
)
def test_a_connection_is_accepted_told_off_and_closed(
    start: Start, opened: Open, fault: str, code: int
) -> None:
    simulator = start(fault)
    connection = opened(simulator)
    error = json.loads(connection.recv(60))
    assert (error["type"], error["error_code"]) == ("error_message", "AUTH_ERROR")
    ended = closed(connection)
    assert ended.rcvd is not None
    assert ended.rcvd.code == code
    connections = simulator.stats()["connections"]
    assert (connections["established"], connections["ready"]) == (1, 0)
    assert connections["closed_by_server"] == {str(code): 1}


def test_an_accepted_connection_can_end_without_a_close_frame(start: Start, opened: Open) -> None:
    simulator = start("close-after-accept=1006")
    connection = opened(simulator)
    assert json.loads(connection.recv(60))["type"] == "error_message"
    assert closed(connection).rcvd is None
    assert simulator.stats()["connections"]["closed_without_frame"] == 1


def test_an_invalid_close_code_is_on_the_wire(start: Start) -> None:
    simulator = start("invalid-close-code")
    wire = raw_connection(simulator)
    assert b"AUTH_ERROR" in wire
    assert wire.endswith(b"\x88\x02" + (401).to_bytes(2, "big"))


def raw_connection(simulator: Simulator) -> bytes:
    """All bytes a client that says nothing after its upgrade gets, to the end."""
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=60)
    connection.connect()
    key = base64.b64encode(b"0123456789abcdef").decode()
    lines = [
        "GET /ws HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"User-Agent: {USER_AGENT}",
    ]
    connection.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    received = b""
    while part := connection.sock.recv(65536):
        received += part
    connection.close()
    return received


def test_an_invalid_close_code_is_seen_as_an_abnormal_end(start: Start, opened: Open) -> None:
    simulator = start("invalid-close-code=401")
    ended = closed(opened(simulator))
    assert ended.rcvd is None
    assert ended.sent is not None
    assert ended.sent.code == 1002
    assert simulator.stats()["connections"]["closed_by_server"] == {"401": 1}


def test_a_right_token_is_let_in_and_names_the_user(guarded: Start, join: Join) -> None:
    client = join(guarded(), **bearer(token()))
    assert client.ready["user_id"] == "user-7"
    assert {event["user_id"] for event in client.turn("run-1", "thread-3")} == {"user-7"}


def test_a_token_may_come_in_a_subprotocol(guarded: Start, join: Join) -> None:
    simulator = guarded()
    packed = base64.urlsafe_b64encode(token().encode()).decode().rstrip("=")
    both = join(simulator, subprotocols=["jwt-auth", f"jwt.{packed}"])
    assert (both.connection.subprotocol, both.ready["user_id"]) == ("jwt-auth", "user-7")
    alone = join(simulator, subprotocols=["chat", f"jwt.{token()}"])
    assert (alone.connection.subprotocol, alone.ready["user_id"]) == (f"jwt.{token()}", "user-7")


def test_any_subprotocol_is_agreed_to(honest: Simulator, opened: Open) -> None:
    assert opened(honest, subprotocols=["chat", "other"]).subprotocol == "chat"


def test_a_token_may_come_in_the_query_or_a_cookie(guarded: Start, join: Join) -> None:
    simulator = guarded()
    assert join(simulator, f"/ws?token={token()}").ready["user_id"] == "user-7"
    cookie = {"Cookie": f"token={token()}"}
    assert join(simulator, additional_headers=cookie).ready["user_id"] == "user-7"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (bearer(token(secret="another secret of at least thirty-two bytes")), 403),
        (bearer(token(exp=int(time.time()) - 60)), 403),
    ],
    ids=["missing", "forged", "expired"],
)
def test_a_wrong_token_is_refused_before_the_upgrade(
    guarded: Start, opened: Open, headers: dict[str, Any], status: int
) -> None:
    simulator = guarded()
    with pytest.raises(InvalidStatus) as caught:
        opened(simulator, **headers)
    assert caught.value.response.status_code == status
    assert simulator.stats()["connections"]["refused"] == {str(status): 1}


def test_a_wrong_token_can_be_told_after_the_upgrade(guarded: Start, opened: Open, join: Join) -> None:
    simulator = guarded("auth-after-accept=4001")
    assert join(simulator, **bearer(token())).ready["user_id"] == "user-7"
    connection = opened(simulator)
    assert json.loads(connection.recv(60))["error_code"] == "AUTH_ERROR"
    assert closed(connection).rcvd.code == 4001  # type: ignore[union-attr] # a close frame came


def test_one_identity_may_have_so_many_connections(guarded: Start, opened: Open, join: Join) -> None:
    simulator = guarded("max-per-identity=2")
    kept = [join(simulator, **bearer(token())) for _ in range(2)]
    third = closed(opened(simulator, **bearer(token())))
    assert third.rcvd is not None
    assert third.rcvd.code == 1011
    assert join(simulator, **bearer(token("another"))).ready["user_id"] == "another"
    kept[0].connection.close()
    assert join(simulator, **bearer(token())).ready["user_id"] == "user-7"
    stats = simulator.stats()
    assert stats["faults_done"]["max-per-identity"]["struck"] == [[3, "user-7"]]
    assert (stats["connections"]["established"], stats["connections"]["ready"]) == (5, 4)


def test_without_a_token_the_first_message_says_whose_connection_it_is(start: Start, join: Join) -> None:
    simulator = start("max-per-identity=1")
    first, second, third = (join(simulator) for _ in range(3))
    assert len(first.turn("run-1", "shared")) == 7
    assert len(first.turn("run-2", "shared")) == 7
    assert len(third.turn("run-3", "own")) == 7
    second.start("run-4", "shared")
    assert closed(second.connection).rcvd.code == 1011  # type: ignore[union-attr] # a close frame came


def test_a_cold_server_closes_until_it_has_started(start: Start, opened: Open, join: Join) -> None:
    simulator = start("cold-start=2s")
    assert simulator.health()["status"] == "starting"
    connection = opened(simulator)
    assert json.loads(connection.recv(60))["error_code"] == "STARTUP_FAILED"
    assert closed(connection).rcvd.code == 1011  # type: ignore[union-attr] # a close frame came
    while simulator.health()["status"] == "starting":
        time.sleep(0.02)
    assert len(join(simulator).turn("run-1")) == 7
    assert simulator.stats()["faults_done"]["cold-start"]["struck"] == [[1]]


def test_ready_can_come_late_and_messages_wait_for_it(start: Start, opened: Open) -> None:
    simulator = start("slow-ready=80ms")
    began = time.monotonic()
    connection = opened(simulator)
    connection.send('{"type":"start_agent","run_id":"early"}')
    assert json.loads(connection.recv(60))["type"] == "connection_established"
    assert time.monotonic() - began > 0.07
    assert json.loads(connection.recv(60))["run_id"] == "early"


def test_a_client_that_leaves_before_ready_is_forgotten(start: Start, opened: Open) -> None:
    simulator = start("slow-ready=30s")
    opened(simulator).close()
    connections = simulator.stats()["connections"]
    assert (connections["established"], connections["ready"], connections["open"]) == (1, 0, 0)


def test_messages_before_ready_can_be_lost(start: Start, join: Join) -> None:
    simulator = start("lose-before-ready=1s")
    client = join(simulator)
    client.start("too-early")
    time.sleep(1.1)
    assert {event["run_id"] for event in client.turn("later")} == {"later"}
    stats = simulator.stats()
    assert stats["faults_done"]["lose-before-ready"]["n"] == 1
    assert (stats["messages"]["received"], stats["messages"]["unread"]) == (2, 1)
    assert stats["turns"]["begun"] == 1


def test_messages_before_the_ready_message_can_be_lost(start: Start, opened: Open) -> None:
    connection = opened(start("slow-ready=1s", "lose-before-ready=0s"))
    connection.send('{"type":"start_agent","run_id":"too-early"}')
    assert json.loads(connection.recv(60))["type"] == "connection_established"
    connection.send('{"type":"start_agent","run_id":"later"}')
    assert json.loads(connection.recv(60))["run_id"] == "later"


def test_more_connections_than_allowed_are_refused(start: Start, join: Join, opened: Open) -> None:
    simulator = start(max_connections=2)
    kept = [join(simulator) for _ in range(2)]
    with pytest.raises(InvalidStatus) as caught:
        opened(simulator)
    assert caught.value.response.status_code == 503
    assert len(kept[0].turn("run-1")) == 7
