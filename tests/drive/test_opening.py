"""Each way in which a target says no has its layer and its reason; each phase of a yes has its time."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from gevent.event import Event

from loadtest.drive.opening import Opening, said, tls_said
from loadtest.drive.poller import READ, WRITE, Poller
from loadtest.drive.transport import Address
from loadtest.errors import Layer
from loadtest.measure.clock import Clock
from loadtest.plan.scenario import Auth, Target
from loadtest.speak.session import Refused
from loadtest.speak.upgrade import Upgrade
from tests.drive.peers import Listener, reset
from tests.drive.serving import Script, request_of, serving, until_left
from tests.drive.standing_in import BOTH, MS, SECOND, START, Line, Stage, agreed, place_of, scenario_of
from tests.end_to_end.certificates import Authority, Pair

WITHIN_S = 60.0


class Visitor:
    """Whose connection is being opened: keeps what is told."""

    def __init__(self) -> None:
        self.told = Event()
        self.users: list[str | None] = []
        self.refusal: Refused | None = None
        self.limits: list[str] = []
        self.agreed: tuple[Any, Upgrade, int] | None = None

    def shown(self, user: str | None) -> None:
        self.users.append(user)

    def upgraded(self, transport: Any, upgrade: Upgrade, at_ns: int) -> None:
        assert not self.told.is_set()
        self.agreed = transport, upgrade, at_ns
        self.told.set()

    def refused(self, refusal: Refused) -> None:
        assert not self.told.is_set()
        self.refusal = refusal
        self.told.set()

    def not_opened(self, limit: str) -> None:
        assert not self.told.is_set()
        self.limits.append(limit)
        self.told.set()


def stage_at(poller: Poller, address: Address, target: Target | None = None, **place: Any) -> Stage:
    """A stage for real sockets."""
    return Stage(
        scenario_of(target=target),
        place=place_of(address, **place),
        poller=poller,
        clock=Clock(wall=True),
    )


def opened(stage: Stage, within_s: float = WITHIN_S) -> Visitor:
    """One attempt, up to its end; while it goes on, and no longer, reads wait for nothing."""
    visitor = Visitor()
    Opening(stage, visitor, {}, stage.now()).begin(0)
    assert stage.poller.opening == (not visitor.told.is_set())
    stage.poller.wake()
    assert visitor.told.wait(within_s), "the opening has not come to its end"
    assert stage.poller.opening == 0
    return visitor


def refused_by(visitor: Visitor) -> tuple[Layer, str]:
    assert visitor.refusal is not None
    return visitor.refusal.layer, visitor.refusal.reason


# ------------------------------------------------------------------ real sockets: no


def says(text: str) -> Script:
    """Answer any request with these words, and wait until the client leaves."""

    def script(sock: Any) -> None:
        request_of(sock)
        sock.sendall(text.encode())
        until_left(sock)

    return script


def leaves(sock: Any) -> None:
    request_of(sock)


def leaves_in_the_middle(sock: Any) -> None:
    request_of(sock)
    sock.sendall(b"HTTP/1.1 101 Swi")


def crashes(sock: Any) -> None:
    request_of(sock)
    reset(sock)


WRONG_ACCEPT = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: c3VyZWx5IG5vdCB0aGlzIG9uZQ==\r\n\r\n"
)

NO = [
    (says("SSH-2.0-OpenSSH_9.6\r\n\r\n"), Layer.UPGRADE, "not valid HTTP", None),
    (says("220 mail.example ESMTP\r\n"), Layer.UPGRADE, "not HTTP", None),
    (says("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"), Layer.UPGRADE, "HTTP 403 Forbidden", 403),
    (says("HTTP/1.1 401 Unauthorized\r\n\r\n"), Layer.AUTH, "HTTP 401 Unauthorized", 401),
    (says("HTTP/1.1 200 OK\r\n\r\n"), Layer.UPGRADE, "HTTP 200 OK", 200),
    (says(WRONG_ACCEPT), Layer.UPGRADE, "is not valid", 101),
    (leaves, Layer.UPGRADE, "closed without an answer", None),
    (leaves_in_the_middle, Layer.UPGRADE, "closed in the middle", None),
    (crashes, Layer.UPGRADE, os.strerror(errno.ECONNRESET), None),
]


@pytest.mark.parametrize(("script", "layer", "reason", "status"), NO)
def test_a_no_is_told_with_its_layer(
    epoll: Poller, script: Script, layer: Layer, reason: str, status: int | None
) -> None:
    with serving(script) as address:
        stage = stage_at(epoll, address)
        visitor = opened(stage)
    assert refused_by(visitor)[0] is layer
    assert reason in refused_by(visitor)[1]
    wanted = {} if status is None else {str(status): 1}
    assert stage.counts("connections.upgrade_status.") == wanted
    assert stage.counts("connections.established") == {}
    assert len(stage.recorder.metrics.tcp) == 1
    assert len(stage.recorder.metrics.upgrade) == 0
    assert epoll._ready.keys() == {epoll._timer.fd}


def test_where_nobody_listens_tcp_says_no(epoll: Poller) -> None:
    with Listener() as listener:
        address = listener.address
    stage = stage_at(epoll, address)
    assert refused_by(opened(stage)) == (Layer.TCP, os.strerror(errno.ECONNREFUSED))
    assert len(stage.recorder.metrics.tcp) == 0


@pytest.mark.parametrize(("secure", "layer"), [(False, Layer.UPGRADE), (True, Layer.TLS)])
def test_a_target_that_never_answers_is_refused_at_the_layer_it_is_silent_at(
    epoll: Poller,
    secure: bool,  # noqa: FBT001 - a case of the table
    layer: Layer,
) -> None:
    with serving(until_left) as address:
        tls = ssl.create_default_context() if secure else None
        target = Target(url="ws://test", connect_timeout_ns=30 * MS)
        visitor = opened(stage_at(epoll, address, target, tls=tls))
    assert refused_by(visitor) == (layer, "no answer within 0.03 s")


# ------------------------------------------------------------------ real sockets: TLS


def agrees(sock: Any) -> None:
    """Agree, say a word, and wait until the client leaves."""
    sock.sendall(agreed(request_of(sock), "Server: tiny", rest=b"rest"))
    until_left(sock)


@pytest.mark.parametrize(
    ("known", "name", "reason"),
    [(False, "localhost", "unable to get"), (True, "elsewhere.example", "Hostname mismatch")],
)
def test_a_certificate_that_is_not_to_be_trusted_is_a_no_of_tls(
    epoll: Poller,
    authority: Authority,
    pair: Pair,
    known: bool,  # noqa: FBT001 - a case of the table
    name: str,
    reason: str,
) -> None:
    tls = ssl.create_default_context(cafile=str(authority.cert) if known else None)
    with serving(agrees, pair) as address:
        visitor = opened(stage_at(epoll, address, tls=tls, server_name=name))
    layer, told = refused_by(visitor)
    assert layer is Layer.TLS
    assert told.startswith("the certificate is not to be trusted: ")
    assert reason in told


def test_a_target_that_speaks_no_tls_is_a_no_of_tls(epoll: Poller) -> None:
    def plain(sock: Any) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        until_left(sock)

    with serving(plain) as address:
        visitor = opened(stage_at(epoll, address, tls=ssl.create_default_context()))
    layer, told = refused_by(visitor)
    assert layer is Layer.TLS
    assert "WRONG_VERSION_NUMBER" in told or "PACKET_LENGTH" in told


def test_each_phase_of_a_yes_is_timed(epoll: Poller, authority: Authority, pair: Pair) -> None:
    tls = ssl.create_default_context(cafile=str(authority.cert))
    with serving(agrees, pair) as address:
        stage = stage_at(epoll, address, tls=tls)
        began_ns = stage.now()
        visitor = opened(stage)
        took_ns = stage.now() - began_ns
        assert visitor.agreed is not None
        transport, upgrade, at_ns = visitor.agreed
        # The transport is the opener's now.
        epoll.unregister(transport.fd)
        transport.close()
    assert (upgrade.server, upgrade.rest) == ("tiny", b"rest")
    part = stage.recorder.metrics
    phases = [part.tcp[0], part.tls[0], part.upgrade[0]]
    assert all(phase > 0 for phase in phases)
    assert sum(phases) <= took_ns
    assert began_ns < at_ns <= began_ns + took_ns
    assert stage.counts("connections.") == {"established": 1}


# ------------------------------------------------------------------ by hand


def by_hand(line: Line | OSError, target: Target | None = None) -> tuple[Stage, Visitor, Opening]:
    stage = Stage(scenario_of(target=target), lines=[line])
    visitor = Visitor()
    opening = Opening(stage, visitor, {"user.id": "anna"}, stage.now())
    opening.begin(0)
    return stage, visitor, opening


def test_a_socket_that_fails_at_once_is_a_no_of_tcp() -> None:
    stage, visitor, opening = by_hand(OSError(errno.ENETUNREACH, "Network is unreachable"))
    assert refused_by(visitor) == (Layer.TCP, "Network is unreachable")
    assert stage.hand_poller.agenda.next_ns is None
    opening.abandon()


@pytest.mark.parametrize("limit", ["EMFILE", "ENFILE", "ENOBUFS", "EADDRNOTAVAIL", "EADDRINUSE"])
def test_a_limit_of_this_machine_is_no_refusal(limit: str) -> None:
    _, visitor, _ = by_hand(OSError(getattr(errno, limit), "no more"))
    assert (visitor.limits, visitor.refusal) == ([limit], None)


def test_a_target_that_does_not_take_the_connection_in_time_is_a_no_of_tcp() -> None:
    line = Line()
    stage, visitor, _ = by_hand(line, Target(url="ws://test", connect_timeout_ns=3 * SECOND))
    assert stage.hand_poller.asked == {7: WRITE}
    stage.hand_poller.pass_until(START + 3 * SECOND - 1)
    assert not visitor.told.is_set()
    stage.hand_poller.pass_until(START + 3 * SECOND)
    assert refused_by(visitor) == (Layer.TCP, "no answer within 3 s")
    assert line.closed
    assert stage.hand_poller.asked == {}


def test_the_phases_follow_each_other_without_a_gap() -> None:
    line = Line()
    stage, visitor, _ = by_hand(line)
    poller = stage.hand_poller
    stage.hand.ns = START + 5
    poller.turn(7, WRITE)
    assert line.sent.startswith(b"GET /ws HTTP/1.1\r\nHost: test:9\r\n")
    assert poller.asked == {7: READ}
    answer = agreed(bytes(line.sent), "Server: tiny", rest=b"more")
    line.reads.append((answer[:20], START + 10))
    poller.turn(7)
    assert not visitor.told.is_set()
    line.reads.append((answer[20:], START + 17))
    poller.turn(7)
    assert visitor.agreed is not None
    assert visitor.agreed[2] == START + 17
    part = stage.recorder.metrics
    assert (part.tcp.tolist(), part.tls.tolist(), part.upgrade.tolist()) == ([5], [], [12])
    assert (part.bytes_sent, part.bytes_received) == (len(line.sent), len(answer))
    poller.pass_until(START + 60 * SECOND)
    assert not line.closed


def test_a_clock_that_goes_back_gives_no_negative_phase() -> None:
    line = Line()
    stage, _, _ = by_hand(line)
    stage.hand.ns = START - 5
    stage.hand_poller.turn(7, WRITE)
    assert stage.recorder.metrics.tcp.tolist() == [0]


def test_a_request_that_the_kernel_does_not_take_whole_goes_out_bit_by_bit() -> None:
    line = Line()
    line.room = 10
    stage, visitor, _ = by_hand(line)
    poller = stage.hand_poller
    poller.turn(7, WRITE)
    assert poller.asked == {7: BOTH}
    line.room = 10
    poller.turn(7, WRITE)
    assert poller.asked == {7: BOTH}
    line.room = None
    poller.turn(7, WRITE)
    assert poller.asked == {7: READ}
    line.reads.append((agreed(bytes(line.sent)), START))
    poller.turn(7)
    assert visitor.agreed is not None


def test_a_write_that_fails_is_a_no_of_the_upgrade() -> None:
    line = Line()
    line.error = BrokenPipeError(errno.EPIPE, "Broken pipe")
    stage, visitor, _ = by_hand(line)
    stage.hand_poller.turn(7, WRITE)
    assert refused_by(visitor) == (Layer.UPGRADE, "Broken pipe")


def test_the_credential_says_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_TEST", "s" * 32)
    line = Line()
    auth = Auth(kind="jwt", secret_env="SECRET_OF_TEST", claims={"sub": "{user.id}"})
    stage, visitor, _ = by_hand(line, Target(url="ws://test", auth=auth))
    stage.hand_poller.turn(7, WRITE)
    assert visitor.users == ["anna"]
    assert b"\r\nAuthorization: Bearer ey" in line.sent


def left(stage: Stage, opening: Opening) -> Callable[[int], None]:
    """Abandon an opening; what the poller may still have called."""
    late = stage.hand_poller._ready[7]
    opening.abandon()
    return late


def test_after_we_left_nothing_is_told() -> None:
    line = Line()
    stage, visitor, opening = by_hand(line)
    late = left(stage, opening)
    assert line.closed
    late(WRITE)
    opening.abandon()
    stage.hand_poller.pass_until(START + 60 * SECOND)
    assert not visitor.told.is_set()


def test_an_answer_before_the_question_is_waited_for() -> None:
    """Readiness without bytes means nothing."""
    line = Line()
    stage, visitor, _ = by_hand(line)
    stage.hand_poller.turn(7, WRITE)
    stage.hand_poller.turn(7, READ)
    assert not visitor.told.is_set()


def test_errors_are_told_in_the_systems_words() -> None:
    assert said(OSError(errno.EPIPE, "Broken pipe")) == "Broken pipe"
    assert said(OSError("a word")) == "a word"
    assert tls_said(failed("TLSV1_ALERT_UNKNOWN_CA")) == "the target sent the TLS alert 'unknown ca'"
    assert "no reason" in tls_said(failed(None))


def failed(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "no reason is known")
    error.reason = reason
    return error
