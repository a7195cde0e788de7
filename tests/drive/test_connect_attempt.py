"""Each way in which a target says no has its layer and its reason; each phase of a yes has its time."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from gevent.event import Event

from loadtest.drive.connect_attempt import ConnectAttempt, tls_reason
from loadtest.drive.connect_race import os_reason
from loadtest.drive.poller import READ, WRITE, Poller
from loadtest.drive.transport import Address
from loadtest.errors import Layer
from loadtest.measure.clock import Clock
from loadtest.plan.scenario import Auth, Target
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.upgrade import Upgrade
from tests.drive.peers import Listener, reset
from tests.drive.serving import Script, request_of, serving, until_left
from tests.drive.standing_in import (
    BOTH,
    MS,
    SECOND,
    START,
    FakeContext,
    Line,
    agreed,
    endpoint_of,
    scenario_of,
)
from tests.end_to_end.certificates import Authority, Pair

WITHIN_S = 60.0


class Visitor:
    """Whose connection is being opened: keeps what is told."""

    def __init__(self) -> None:
        self.told = Event()
        self.users: list[str | None] = []
        self.refusal: ConnectRefusal | None = None
        self.limits: list[str] = []
        self.secrets: list[str] = []
        self.servers: list[str] = []
        self.agreed: tuple[Any, Upgrade, int] | None = None

    def identified(self, user: str | None) -> None:
        self.users.append(user)

    def entrusted(self, secrets: Iterable[str]) -> None:
        self.secrets += secrets

    def answered(self, upgrade: Upgrade) -> None:
        self.servers.append(upgrade.server)

    def upgraded(self, transport: Any, upgrade: Upgrade, at_ns: int) -> None:
        assert not self.told.is_set()
        self.agreed = transport, upgrade, at_ns
        self.told.set()

    def refused(self, refusal: ConnectRefusal) -> None:
        assert not self.told.is_set()
        self.refusal = refusal
        self.told.set()

    def not_opened(self, limit: str) -> None:
        assert not self.told.is_set()
        self.limits.append(limit)
        self.told.set()


def context_at(
    poller: Poller, address: Address, target: Target | None = None, **endpoint: Any
) -> FakeContext:
    """A context for real sockets."""
    return FakeContext(
        scenario_of(target=target),
        endpoint=endpoint_of(address, **endpoint),
        poller=poller,
        clock=Clock(wall=True),
    )


def opened(context: FakeContext, within_s: float = WITHIN_S) -> Visitor:
    """One attempt, up to its end; while it goes on, and no longer, reads wait for nothing."""
    visitor = Visitor()
    ConnectAttempt(context, visitor, {}, context.now()).begin(0)
    assert context.poller.connecting == (not visitor.told.is_set())
    context.poller.wake()
    assert visitor.told.wait(within_s), "the attempt has not come to its end"
    assert context.poller.connecting == 0
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
        context = context_at(epoll, address)
        visitor = opened(context)
    assert refused_by(visitor)[0] is layer
    assert reason in refused_by(visitor)[1]
    wanted = {} if status is None else {str(status): 1}
    assert context.counts("connections.upgrade_status.") == wanted
    assert context.counts("connections.established") == {}
    assert len(context.recorder.metrics.tcp) == 1
    assert len(context.recorder.metrics.upgrade) == 0
    assert epoll._ready.keys() == {epoll._timer.fd}


def test_where_nobody_listens_tcp_says_no(epoll: Poller) -> None:
    with Listener() as listener:
        address = listener.address
    context = context_at(epoll, address)
    assert refused_by(opened(context)) == (Layer.TCP, os.strerror(errno.ECONNREFUSED))
    assert len(context.recorder.metrics.tcp) == 0


@pytest.mark.parametrize(("secure", "layer"), [(False, Layer.UPGRADE), (True, Layer.TLS)])
def test_a_target_that_never_answers_is_refused_at_the_layer_it_is_silent_at(
    epoll: Poller,
    secure: bool,  # noqa: FBT001 - a case of the table
    layer: Layer,
) -> None:
    with serving(until_left) as address:
        tls = ssl.create_default_context() if secure else None
        target = Target(url="ws://test", connect_timeout_ns=30 * MS)
        visitor = opened(context_at(epoll, address, target, tls=tls))
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
        visitor = opened(context_at(epoll, address, tls=tls, server_name=name))
    layer, told = refused_by(visitor)
    assert layer is Layer.TLS
    assert told.startswith("the certificate is not trusted: ")
    assert reason in told


def test_a_target_that_speaks_no_tls_is_a_no_of_tls(epoll: Poller) -> None:
    def plain(sock: Any) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        until_left(sock)

    with serving(plain) as address:
        visitor = opened(context_at(epoll, address, tls=ssl.create_default_context()))
    layer, told = refused_by(visitor)
    assert layer is Layer.TLS
    assert "WRONG_VERSION_NUMBER" in told or "PACKET_LENGTH" in told


def test_each_phase_of_a_yes_is_timed(epoll: Poller, authority: Authority, pair: Pair) -> None:
    tls = ssl.create_default_context(cafile=str(authority.cert))
    with serving(agrees, pair) as address:
        context = context_at(epoll, address, tls=tls)
        began_ns = context.now()
        visitor = opened(context)
        took_ns = context.now() - began_ns
        assert visitor.agreed is not None
        transport, upgrade, at_ns = visitor.agreed
        # The transport is the opener's now.
        epoll.unregister(transport.fd)
        transport.close()
    assert (upgrade.server, upgrade.rest) == ("tiny", b"rest")
    part = context.recorder.metrics
    phases = [part.tcp[0], part.tls[0], part.upgrade[0]]
    assert all(phase > 0 for phase in phases)
    assert sum(phases) <= took_ns
    assert began_ns < at_ns <= began_ns + took_ns
    assert context.counts("connections.") == {"established": 1}


# ------------------------------------------------------------------ by hand


def by_hand(
    line: Line | OSError, target: Target | None = None
) -> tuple[FakeContext, Visitor, ConnectAttempt]:
    context = FakeContext(scenario_of(target=target), lines=[line])
    visitor = Visitor()
    attempt = ConnectAttempt(context, visitor, {"user.id": "anna"}, context.now())
    attempt.begin(0)
    return context, visitor, attempt


def test_a_socket_that_fails_at_once_is_a_no_of_tcp() -> None:
    context, visitor, attempt = by_hand(OSError(errno.ENETUNREACH, "Network is unreachable"))
    assert refused_by(visitor) == (Layer.TCP, "Network is unreachable")
    assert context.hand_poller.timers.next_ns is None
    attempt.abandon()


@pytest.mark.parametrize("limit", ["EMFILE", "ENFILE", "ENOBUFS", "EADDRNOTAVAIL", "EADDRINUSE"])
def test_a_limit_of_this_machine_is_no_refusal(limit: str) -> None:
    _, visitor, _ = by_hand(OSError(getattr(errno, limit), "no more"))
    assert (visitor.limits, visitor.refusal) == ([limit], None)


def test_a_target_that_does_not_take_the_connection_in_time_is_a_no_of_tcp() -> None:
    line = Line()
    context, visitor, _ = by_hand(line, Target(url="ws://test", connect_timeout_ns=3 * SECOND))
    assert context.hand_poller.asked == {7: WRITE}
    context.hand_poller.pass_until(START + 3 * SECOND - 1)
    assert not visitor.told.is_set()
    context.hand_poller.pass_until(START + 3 * SECOND)
    assert refused_by(visitor) == (Layer.TCP, "no answer within 3 s")
    assert line.closed
    assert context.hand_poller.asked == {}


def test_the_phases_follow_each_other_without_a_gap() -> None:
    line = Line()
    context, visitor, _ = by_hand(line)
    poller = context.hand_poller
    context.hand.ns = START + 5
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
    part = context.recorder.metrics
    assert (part.tcp.tolist(), part.tls.tolist(), part.upgrade.tolist()) == ([5], [], [12])
    assert (part.bytes_sent, part.bytes_received) == (len(line.sent), len(answer))
    poller.pass_until(START + 60 * SECOND)
    assert not line.closed


def test_a_clock_that_goes_back_gives_no_negative_phase() -> None:
    line = Line()
    context, _, _ = by_hand(line)
    context.hand.ns = START - 5
    context.hand_poller.turn(7, WRITE)
    assert context.recorder.metrics.tcp.tolist() == [0]


def test_a_request_that_the_kernel_does_not_take_whole_goes_out_bit_by_bit() -> None:
    line = Line()
    line.room = 10
    context, visitor, _ = by_hand(line)
    poller = context.hand_poller
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
    context, visitor, _ = by_hand(line)
    context.hand_poller.turn(7, WRITE)
    assert refused_by(visitor) == (Layer.UPGRADE, "Broken pipe")


def test_the_credential_says_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_TEST", "s" * 32)
    line = Line()
    auth = Auth(kind="jwt", secret_env="SECRET_OF_TEST", claims={"sub": "{user.id}"})
    context, visitor, _ = by_hand(line, Target(url="ws://test", auth=auth))
    context.hand_poller.turn(7, WRITE)
    assert visitor.users == ["anna"]
    assert b"\r\nAuthorization: Bearer ey" in line.sent


def left(context: FakeContext, attempt: ConnectAttempt) -> Callable[[int], None]:
    """Abandon an attempt; what the poller may still have called."""
    late = context.hand_poller._ready[7]
    attempt.abandon()
    return late


def test_a_body_that_does_not_come_is_waited_for_a_second() -> None:
    line = Line()
    context, visitor, _ = by_hand(line)
    poller = context.hand_poller
    poller.turn(7, WRITE)
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 90\r\n\r\n"
    line.reads.append((head + b"no seats\n", START))
    poller.turn(7)
    line.reads.append((b"and", START))
    poller.turn(7)
    poller.pass_until(START + SECOND - 1)
    assert visitor.refusal is None
    poller.pass_until(START + SECOND)
    assert refused_by(visitor) == (Layer.UPGRADE, "the target answered HTTP 403 Forbidden: no seats")
    assert visitor.refusal is not None
    assert visitor.refusal.answer == head + b"no seats\nand"
    assert context.counts("connections.upgrade_status.") == {"403": 1}
    assert line.closed
    poller.pass_until(START + 60 * SECOND)


def test_a_body_that_comes_later_is_told_at_once() -> None:
    line = Line()
    context, visitor, _ = by_hand(line)
    poller = context.hand_poller
    poller.turn(7, WRITE)
    for data in (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\n", b"no seats"):
        assert visitor.refusal is None
        line.reads.append((data, START))
        poller.turn(7)
    assert refused_by(visitor)[1].endswith(": no seats")
    poller.pass_until(START + 60 * SECOND)


def test_an_answer_that_ends_with_its_connection_is_told_whole() -> None:
    line = Line()
    context, visitor, _ = by_hand(line)
    context.hand_poller.turn(7, WRITE)
    for data in (b"HTTP/1.1 401 No\r\nConnection: close\r\n\r\nwho are you?", b""):
        line.reads.append((data, START))
        context.hand_poller.turn(7)
    assert refused_by(visitor) == (Layer.AUTH, "the target answered HTTP 401 No: who are you?")
    assert context.counts("connections.upgrade_status.") == {"401": 1}


@pytest.mark.parametrize("keep", [False, True])
def test_cookies_of_any_answer_are_kept_for_their_user_where_that_is_asked_for(*, keep: bool) -> None:
    lines = [Line(), Line(), Line()]
    target = Target(url="ws://test", cookies={"lang": "en", "sid": "old"}, keep_cookies=keep)
    context = FakeContext(scenario_of(target=target), lines=lines)
    answers = (
        b"HTTP/1.1 401 No\r\nSet-Cookie: sid=abc; Path=/\r\n\r\n",
        b"HTTP/1.1 503 No\r\nSet-Cookie: node=7\r\n\r\n",
        b"HTTP/1.1 503 No\r\n\r\n",
    )
    sent = []
    for user, line, answer in zip((1, 1, 1), lines, answers, strict=True):
        ConnectAttempt(context, Visitor(), {}, context.now()).begin(user)
        context.hand_poller.turn(7, WRITE)
        line.reads.append((answer, START))
        context.hand_poller.turn(7)
        sent.append(next(each for each in bytes(line.sent).split(b"\r\n") if each.startswith(b"Cookie: ")))
    same = b"Cookie: lang=en; sid=old"
    kept = [same, b"Cookie: lang=en; sid=abc", b"Cookie: lang=en; sid=abc; node=7"]
    assert [bytes(each) for each in sent] == (kept if keep else [same] * 3)
    assert context.cookies_of(2, "ws://test/ws") == {}


def test_after_we_left_nothing_is_told() -> None:
    line = Line()
    context, visitor, attempt = by_hand(line)
    late = left(context, attempt)
    assert line.closed
    late(WRITE)
    attempt.abandon()
    context.hand_poller.pass_until(START + 60 * SECOND)
    assert not visitor.told.is_set()


def test_an_answer_before_the_question_is_waited_for() -> None:
    """Readiness without bytes means nothing."""
    line = Line()
    context, visitor, _ = by_hand(line)
    context.hand_poller.turn(7, WRITE)
    context.hand_poller.turn(7, READ)
    assert not visitor.told.is_set()


def test_errors_are_told_in_the_systems_words() -> None:
    assert os_reason(OSError(errno.EPIPE, "Broken pipe")) == "Broken pipe"
    assert os_reason(OSError("a word")) == "a word"
    assert tls_reason(failed("TLSV1_ALERT_UNKNOWN_CA")) == "the target sent the TLS alert 'unknown ca'"
    assert "no reason" in tls_reason(failed(None))


def failed(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "no reason is known")
    error.reason = reason
    return error
