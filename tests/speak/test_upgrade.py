"""The opening handshake: plain answers, answers the library judges, refusals by layer, no HTTP at all."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from loadtest.errors import Layer
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.upgrade import MAX_HEAD_BYTES, MAX_REMEMBERED_HEAD, Upgrade, _known_answer

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def proof(upgrade: Upgrade) -> bytes:
    """The accept header that RFC 6455 section 4.2.2 asks of a server, with its line end."""
    key = next(
        line.partition(b": ")[2]
        for line in upgrade.request.split(b"\r\n")
        if line.startswith(b"Sec-WebSocket-Key")
    )
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n"


def plain(subprotocols: Sequence[str] = (), *, compression: bool = False) -> Upgrade:
    return Upgrade("host:1", "/ws", subprotocols=subprotocols, compression=compression)


def refused(upgrade: Upgrade, answer: bytes) -> ConnectRefusal:
    with pytest.raises(ConnectRefusal) as caught:
        upgrade.receive(answer)
    return caught.value


# ------------------------------------------------------------------ what is asked


def test_bytes_of_the_environment_are_sent_and_half_a_character_is_not() -> None:
    assert b"X-A: \xe9\r\n" in Upgrade("h", "/", [("X-A", "\udce9")]).request
    with pytest.raises(ConnectRefusal, match="half of a character") as caught:
        Upgrade("h", "/", [("X-A", "a\ud800b")])
    assert caught.value.layer is Layer.UPGRADE


def test_the_request_says_what_it_must() -> None:
    upgrade = Upgrade(
        "host:8080",
        "/ws?a=b",
        [("Origin", "https://app"), ("X-Name", "ä")],
        subprotocols=("jwt-auth", "jwt.x"),
        compression=True,
    )
    lines = upgrade.request.decode().split("\r\n")
    assert lines[0] == "GET /ws?a=b HTTP/1.1"
    assert lines[1] == "Host: host:8080"
    assert lines[-4:] == ["Origin: https://app", "X-Name: ä", "", ""]
    assert "Sec-WebSocket-Protocol: jwt-auth, jwt.x" in lines
    assert "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits" in lines


def test_each_request_has_its_own_key() -> None:
    assert len({plain().request for _ in range(20)}) == 20


@pytest.mark.parametrize("compression", [False, True])
@pytest.mark.parametrize("subprotocols", [(), ("one", "two")])
def test_a_real_server_agrees(subprotocols: tuple[str, ...], *, compression: bool) -> None:
    server = ServerProtocol(
        subprotocols=[Subprotocol("two")] if subprotocols else None,
        extensions=[ServerPerMessageDeflateFactory()] if compression else None,
    )
    upgrade = plain(subprotocols, compression=compression)
    server.receive_data(upgrade.request)
    (request,) = server.events_received()
    assert isinstance(request, Request)
    response = server.accept(request)
    response.headers["Server"] = "the target"
    server.send_response(response)
    server.send_text(b"first")
    answer = b"".join(server.data_to_send())
    assert upgrade.receive(answer)
    assert (upgrade.status, upgrade.server) == (101, "the target")
    assert upgrade.subprotocol == ("two" if subprotocols else None)
    assert [type(each) for each in upgrade.extensions] == ([PerMessageDeflate] if compression else [])
    assert answer.endswith(upgrade.rest)
    assert len(upgrade.rest) > 3


# ------------------------------------------------------------------ what is answered


def test_a_plain_answer_in_pieces() -> None:
    upgrade = plain()
    answer = SWITCHING + b"Server: s\r\n" + proof(upgrade) + b"\r\n\x81\x01a"
    opened = [upgrade.receive(answer[at : at + 1]) for at in range(len(answer) - 3)]
    assert opened == [False] * (len(opened) - 1) + [True]
    assert (upgrade.rest, upgrade.server, upgrade.status) == (b"", "s", 101)


def test_an_answer_that_is_known_must_prove_itself_anew() -> None:
    for _ in range(2):
        upgrade = plain()
        assert upgrade.receive(SWITCHING + b"Server: known\r\n" + proof(upgrade) + b"\r\n")
        assert upgrade.server == "known"
    of_another = proof(upgrade)
    with pytest.raises(ConnectRefusal, match="Sec-WebSocket-Accept"):
        plain().receive(SWITCHING + b"Server: known\r\n" + of_another + b"\r\n")


def test_a_known_answer_names_a_subprotocol_that_others_did_not_offer() -> None:
    answer = SWITCHING + b"Sec-WebSocket-Protocol: two\r\n"
    agreed = plain(("two",))
    assert agreed.receive(answer + proof(agreed) + b"\r\n")
    other = plain(("one",))
    with pytest.raises(ConnectRefusal, match="two"):
        other.receive(answer + proof(other) + b"\r\n")


@pytest.mark.parametrize("more", [b"Set-Cookie: a=1\r\n", b"X-Long: " + b"x" * MAX_REMEMBERED_HEAD + b"\r\n"])
def test_an_answer_of_one_connection_alone_is_not_remembered(more: bytes) -> None:
    _known_answer.cache_clear()
    upgrade = plain()
    assert upgrade.receive(SWITCHING + more + proof(upgrade) + b"\r\n")
    assert _known_answer.cache_info().currsize == 0


@pytest.mark.parametrize(
    "head",
    [
        SWITCHING + b"Sec-WebSocket-Accept:\r\nX-Trace: KEY\r\n",
        SWITCHING + b"Sec-WebSocket-Accept:\r\nServer: KEY\r\n",
        SWITCHING.replace(b"101", b"1KEY01") + b"Sec-WebSocket-Accept:\r\n",
        SWITCHING + b"Sec-WebSocket-AccKEYept:\r\n",
        SWITCHING + b"Sec-WebSocket-Accept: <proof>\r\nServer: KEY\r\n",
        SWITCHING + b"Sec-WebSocket-Accept: <proof>\r\n",
    ],
)
def test_the_right_proof_in_another_place_proves_nothing(head: bytes) -> None:
    upgrade = plain()
    key = proof(upgrade).partition(b": ")[2].strip()
    with pytest.raises(ConnectRefusal):
        upgrade.receive(head.replace(b"KEY", key) + b"\r\n")


def test_a_target_may_tell_our_mark_of_the_proof_beside_the_proof() -> None:
    upgrade = plain()
    assert upgrade.receive(SWITCHING + b"Server: <proof>\r\n" + proof(upgrade) + b"\r\n")
    assert upgrade.server == "<proof>"


@pytest.mark.parametrize(
    "headers",
    [
        b"Upgrade: WebSocket\r\nConnection: upgrade\r\n",
        b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nVary: a\r\nVary: b\r\n",
        b"upgrade:websocket\r\nCONNECTION:Upgrade\r\n",
    ],
)
def test_an_answer_may_be_written_in_many_ways(headers: bytes) -> None:
    upgrade = plain()
    assert upgrade.receive(b"HTTP/1.1 101 OK\r\n" + headers + proof(upgrade) + b"\r\nrest")
    assert (upgrade.rest, upgrade.subprotocol, upgrade.extensions) == (b"rest", None, ())


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (SWITCHING + b"Sec-WebSocket-Accept: bm9wZQ==\r\n", "Sec-WebSocket-Accept"),
        (SWITCHING, "Sec-WebSocket-Accept"),
        (SWITCHING + b"Sec-WebSocket-Accept: bm9wZQ==\r\nPROOF", "Sec-WebSocket-Accept"),
        (b"HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nPROOF", "Upgrade"),
        (b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nPROOF", "Connection"),
        (SWITCHING + b"PROOFSec-WebSocket-Protocol: unasked\r\n", "subprotocol"),
        (SWITCHING + b"PROOFSec-WebSocket-Extensions: permessage-deflate\r\n", "extension"),
        (SWITCHING + b"PROOFX: folded\r\n over two lines\r\n", "valid HTTP"),
        (SWITCHING + b"PROOFno colon\r\n", "valid HTTP"),
        (b"HTTP/1.1 1010 OK\r\nPROOF", "valid HTTP"),
        (b"HTTP/1.1 hello\r\n", "valid HTTP"),
    ],
)
def test_an_answer_that_does_not_agree_is_refused(head: bytes, said: str) -> None:
    upgrade = plain()
    found = refused(upgrade, head.replace(b"PROOF", proof(upgrade)) + b"\r\n")
    assert found.layer is Layer.UPGRADE
    assert said in found.reason


def test_a_subprotocol_that_was_asked_for_may_be_another_than_the_first() -> None:
    upgrade = plain(("a", "b"))
    assert upgrade.receive(SWITCHING + proof(upgrade) + b"Sec-WebSocket-Protocol: b\r\n\r\n")
    assert upgrade.subprotocol == "b"
    upgrade = plain(("a", "b"))
    found = refused(upgrade, SWITCHING + proof(upgrade) + b"Sec-WebSocket-Protocol: c\r\n\r\n")
    assert "subprotocol" in found.reason


@pytest.mark.parametrize(
    ("status", "layer", "reason"),
    [
        ("403 Forbidden", Layer.UPGRADE, "the target answered HTTP 403 Forbidden"),
        ("401 Unauthorized", Layer.AUTH, "the target answered HTTP 401 Unauthorized"),
        (
            "407 Proxy Authentication Required",
            Layer.AUTH,
            "the target answered HTTP 407 Proxy Authentication Required",
        ),
        ("200 OK", Layer.UPGRADE, "the target answered HTTP 200 OK"),
        ("502", Layer.UPGRADE, "the target answered HTTP 502"),
        ("503 ", Layer.UPGRADE, "the target answered HTTP 503"),
    ],
)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_another_status_is_a_refusal(status: str, layer: Layer, reason: str, version: str) -> None:
    upgrade = plain()
    found = refused(upgrade, f"HTTP/{version} {status}\r\nServer: nginx\r\n\r\n".encode())
    assert (found.layer, found.reason) == (layer, reason)
    assert (upgrade.status, upgrade.server) == (int(status[:3]), "nginx")


def test_the_first_line_of_a_refusals_body_is_told() -> None:
    upgrade = plain()
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 15\r\n\r\n"
    found = refused(upgrade, head + b"no seats\nleft\n\n and what follows")
    assert found.reason == "the target answered HTTP 403 Forbidden: no seats"
    assert found.answer == head + b"no seats\nleft\n\n"


def test_a_body_that_was_announced_is_waited_for() -> None:
    upgrade = plain()
    assert not upgrade.receive(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\n")
    assert upgrade.refusal is not None
    assert not upgrade.receive(b"no ")
    assert refused(upgrade, b"seats").reason.endswith("403 Forbidden: no seats")


def test_a_body_that_does_not_come_is_told_as_far_as_it_did() -> None:
    upgrade = plain()
    assert not upgrade.receive(b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\nwho are")
    found = upgrade.ended()
    assert (found.layer, found.reason) == (
        Layer.AUTH,
        "the target answered HTTP 401 Unauthorized: who are",
    )


def test_a_redirect_says_where_to() -> None:
    answer = (
        b"HTTP/1.1 302 Found\r\nLocation: https://login.example/?next=/ws\r\nSet-Cookie: a=b; Path=/\r\n\r\n"
    )
    upgrade = plain()
    found = refused(upgrade, answer)
    assert found.reason == "the target answered HTTP 302 Found, to https://login.example/?next=/ws"
    assert upgrade.location == "https://login.example/?next=/ws"
    assert upgrade.set_cookies == ["a=b; Path=/"]
    long = refused(plain(), b"HTTP/1.1 302 Found\r\nLocation: /" + b"x" * 500 + b"\r\n\r\n")
    assert long.reason.endswith("x…")


@pytest.mark.parametrize(("status", "kept"), [("429", "17"), ("503", "17"), ("403", "")])
def test_when_to_come_back_is_kept(status: str, kept: str) -> None:
    answer = f"HTTP/1.1 {status} No\r\nRetry-After: 17\r\nContent-Length: 2\r\n\r\nno"
    assert refused(plain(), answer.encode()).retry_after == kept


@pytest.mark.parametrize("pieces", [1, 7, 10_000])
def test_an_interim_answer_is_passed_over(pieces: int) -> None:
    upgrade = plain()
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + SWITCHING
    answer += proof(upgrade) + b"\r\n"
    found = [upgrade.receive(answer[at : at + pieces]) for at in range(0, len(answer), pieces)]
    assert found[-1] is True
    assert (upgrade.status, upgrade.rest) == (101, b"")


def test_interim_answers_without_end_are_refused() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 1000 + b"\r\n\r\n"
    assert "64 KiB" in refused(plain(), interim * 70).reason


@pytest.mark.parametrize(
    "more",
    [
        b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n",
        b"X-Long: " + b"x" * 50_000 + b"\r\nConnection: keep-alive, Upgrade\r\n",
        b"".join(b"X-%d: a\r\n" % number for number in range(500)) + b"X-1: again\r\n",
    ],
)
def test_all_headers_share_one_limit(more: bytes) -> None:
    """The library that is asked about unusual answers has limits of its own for lines and their number."""
    upgrade = plain()
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    head += b"" if b"Connection" in more else b"Connection: Upgrade\r\n"
    assert upgrade.receive(head + more + proof(upgrade) + b"\r\n")


def test_a_long_phrase_is_cut() -> None:
    found = refused(plain(), b"HTTP/1.1 500 " + b"x" * 5000 + b"\r\n\r\n")
    assert len(found.reason) < 150
    assert found.reason.endswith("x…")


@pytest.mark.parametrize("version", ["1.0", "9.9", "1.1.1", "2"])
def test_only_http_1_1_upgrades(version: str) -> None:
    found = refused(plain(), f"HTTP/{version} 101 Switching Protocols\r\n\r\n".encode())
    assert found.layer is Layer.UPGRADE
    assert "HTTP" in found.reason


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9\r\n", b"\x16\x03\x01", b"<html>", b"HTX"])
def test_what_is_no_http_is_told_at_once(answer: bytes) -> None:
    found = refused(plain(), answer)
    assert (found.layer, found.reason) == (
        Layer.UPGRADE,
        "the answer is not HTTP: no WebSocket server listens there",
    )


def test_a_head_without_end_is_refused() -> None:
    upgrade = plain()
    assert not upgrade.receive(b"HTTP/1.1 101 OK\r\nX: " + b"x" * (MAX_HEAD_BYTES - 100))
    assert "64 KiB" in refused(upgrade, b"x" * 200).reason


def test_what_it_means_when_the_connection_ends_first() -> None:
    upgrade = plain()
    assert upgrade.ended().reason == "closed without an answer to the upgrade"
    upgrade.receive(b"HTTP/1.1 10")
    assert upgrade.ended().reason == "closed in the middle of the answer to the upgrade"
    assert upgrade.ended().layer is Layer.UPGRADE


heads = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 ",
            b"101 ",
            b"403 ",
            b"\r\n",
            b"Upgrade: websocket\r\n",
            b"Connection: Upgrade\r\n",
            b"PROOF",
            b": ",
            b" ",
            b"\xff",
        ]
    )
    | st.binary(max_size=8),
    max_size=12,
).map(b"".join)


@given(heads, st.booleans())
@example(b"HTTP/1.1 101 \xff\r\n", False)
@example(SWITCHING + b"PROOF\xff: a\r\n", False)
@example(SWITCHING + b"PROOFSec-WebSocket-Extensions: permessage-deflate; x=\xff\r\n", True)
def test_any_answer_opens_or_is_refused(head: bytes, compression: bool) -> None:  # noqa: FBT001 - drawn
    upgrade = plain(compression=compression)
    try:
        opened = upgrade.receive(head.replace(b"PROOF", proof(upgrade)) + b"\r\n\r\n")
    except ConnectRefusal:
        return
    assert opened
    assert upgrade.status == 101
