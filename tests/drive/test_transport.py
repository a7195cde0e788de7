"""One socket that never waits; every read with the instant its bytes arrived."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.drive.transport import READ_BYTES, Address, Timestamping, TlsTransport, Transport
from tests.drive.peers import Listener, TlsPeer, is_ready, reset
from tests.end_to_end.certificates import Authority, Pair

NOW = 12_345
STAMPED = Timestamping(time.time_ns, None, stamps=True)
UNSTAMPED = Timestamping(lambda: NOW, None, stamps=False)

Connect = Callable[..., tuple[Transport, socket.socket]]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


@pytest.fixture
def listener(stack: ExitStack) -> Listener:
    return stack.enter_context(Listener())


@pytest.fixture
def connect(stack: ExitStack, listener: Listener) -> Connect:
    """A transport that is connected, and its peer."""

    def connect_to(instants: Timestamping = STAMPED, **options: Any) -> tuple[Transport, socket.socket]:
        transport = Transport(listener.address, instants, **options)
        stack.callback(transport.close)
        peer = stack.enter_context(listener.accept())
        assert is_ready(transport.fd, write=True)
        assert transport.connected() == 0
        return transport, peer

    return connect_to


def test_the_handshake_took_what_it_took_however_late_we_look(connect: Connect) -> None:
    transport, _ = connect()
    seen_ns = 60_000_000_000
    by_kernel_ns = transport.connect_ns(seen_ns)
    assert 0 < by_kernel_ns < seen_ns / 10 if sys.platform == "linux" else by_kernel_ns == seen_ns
    assert transport.connect_ns(1) == 1


def test_without_stamps_the_handshake_took_until_it_was_seen(connect: Connect) -> None:
    transport, _ = connect(Timestamping(lambda: 0, None, stamps=False))
    assert transport.connect_ns(60_000_000_000) == 60_000_000_000


def received(transport: Transport) -> tuple[bytes, int]:
    """The next read; the bytes are on their way."""
    assert is_ready(transport.fd)
    read = transport.receive()
    assert read is not None
    return read


# ------------------------------------------------------------------ connecting


def test_a_port_where_nobody_listens_is_told_by_its_error() -> None:
    with Listener() as listener:
        address = listener.address
    transport = Transport(address, UNSTAMPED)
    assert is_ready(transport.fd, write=True)
    assert transport.connected() == errno.ECONNREFUSED
    transport.close()


def test_an_address_that_cannot_be_reached_fails_at_once() -> None:
    """A datagram's address: no connection can be made to everybody."""
    with pytest.raises(OSError, match=r".") as caught:
        Transport(Address(socket.AF_INET, ("255.255.255.255", 1)), UNSTAMPED)
    assert caught.value.errno in {errno.EACCES, errno.ENETUNREACH, errno.EINVAL}
    assert caught.value.strerror


def test_a_source_that_is_not_ours_fails_at_once(listener: Listener) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        Transport(listener.address, UNSTAMPED, "203.0.113.1")
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_connection_comes_from_the_source_that_was_asked_for(connect: Connect) -> None:
    _, peer = connect(source="127.0.0.3")
    assert peer.getpeername()[0] == "127.0.0.3"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets connect choose the port")
def test_a_source_keeps_its_ports_for_other_targets(connect: Connect) -> None:
    """Chosen by ``bind``, which does not know the target, a port would be taken for all of them."""
    transport, _ = connect(source="127.0.0.3")
    assert transport._sock.getsockopt(socket.IPPROTO_IP, 24) == 1


def test_small_messages_are_not_held_back(connect: Connect) -> None:
    transport, _ = connect()
    assert transport._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert not transport._sock.getblocking()


def test_a_slow_reader_offers_a_small_window(connect: Connect) -> None:
    transport, _ = connect(receive_buffer=4096)
    usual, _ = connect()
    size = transport._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert size < usual._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


# ------------------------------------------------------------------ reading


@pytest.mark.parametrize("instants", [STAMPED, UNSTAMPED], ids=["stamped", "unstamped"])
def test_what_has_not_arrived_is_none(connect: Connect, instants: Timestamping) -> None:
    transport, _ = connect(instants)
    assert transport.receive() is None


def test_stamps_lie_between_the_send_and_the_read_and_never_go_back(connect: Connect) -> None:
    transport, peer = connect()
    stamps = []
    for number in range(20):
        before_ns = time.time_ns()
        peer.send(b"x" * (number + 1))
        data, at_ns = received(transport)
        assert len(data) == number + 1
        assert before_ns <= at_ns <= time.time_ns()
        stamps.append(at_ns)
    assert stamps == sorted(stamps)


def test_a_stamp_is_of_the_arrival_and_not_of_the_read(connect: Connect) -> None:
    transport, peer = connect()
    for _ in range(50):
        peer.send(b"x")
        assert is_ready(transport.fd)
        seen_ns = time.time_ns()
        while time.time_ns() < seen_ns + 1_000_000:
            pass
        read = transport.receive()
        if read is not None and read[1] <= seen_ns:
            return
    pytest.fail("no stamp was older than its read")


def test_a_stamp_is_as_coarse_as_the_clock(connect: Connect) -> None:
    step_ns = 10_000_000_000
    transport, peer = connect(Timestamping(lambda: 0, lambda at_ns: at_ns // step_ns * step_ns, stamps=True))
    peer.send(b"x")
    data, at_ns = received(transport)
    assert data == b"x"
    assert at_ns % step_ns == 0


def test_without_stamps_the_read_is_the_instant(connect: Connect) -> None:
    transport, peer = connect(UNSTAMPED)
    peer.send(b"abc")
    assert received(transport) == (b"abc", NOW)


def test_a_read_that_carries_no_stamp_has_the_clocks_instant(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.drive.transport.linux.ask_for_stamps", lambda _sock: False)
    transport, peer = connect(
        Timestamping(lambda: NOW, lambda _at: pytest.fail("not the kernel's"), stamps=True)
    )
    peer.send(b"abc")
    assert received(transport) == (b"abc", NOW)


def test_a_read_takes_no_more_than_its_share(connect: Connect) -> None:
    transport, peer = connect()
    peer.sendall(b"x" * (READ_BYTES + 10))
    found = b""
    while len(found) < READ_BYTES + 10:
        data, _ = received(transport)
        assert 0 < len(data) <= READ_BYTES
        found += data


def test_a_peer_that_closes_its_side_is_no_bytes(connect: Connect) -> None:
    transport, peer = connect()
    peer.send(b"last")
    peer.shutdown(socket.SHUT_WR)
    assert received(transport)[0] == b"last"
    assert received(transport)[0] == b""


@pytest.mark.parametrize("instants", [STAMPED, UNSTAMPED], ids=["stamped", "unstamped"])
def test_a_reset_is_an_error(connect: Connect, instants: Timestamping) -> None:
    transport, peer = connect(instants)
    reset(peer)
    assert is_ready(transport.fd)
    with pytest.raises(ConnectionResetError):
        transport.receive()


# ------------------------------------------------------------------ writing


def narrow(transport: Transport) -> None:
    """Let the kernel take as few bytes as it can."""
    transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)


def drained(transport: Transport, peer: socket.socket, n: int) -> bytes:
    """The ``n`` bytes that the peer gets while the transport writes on."""
    found = bytearray()
    whole = not transport.unsent
    while len(found) < n:
        readable, writable, _ = select.select([peer], [] if whole else [transport.fd], [], 5)
        assert readable or writable, f"stuck after {len(found)} of {n} bytes"
        if writable:
            whole = transport.send(b"")
        if readable:
            found += peer.recv(100_000)
    assert whole
    return bytes(found)


def test_what_the_kernel_does_not_take_waits(connect: Connect) -> None:
    transport, peer = connect()
    narrow(transport)
    first, second = b"a" * 300_000, b"b" * 200_000
    assert transport.send(b"small")
    assert not transport.send(first)
    assert 0 < len(transport.unsent) < len(first)
    assert not transport.send(second)
    assert drained(transport, peer, 500_005) == b"small" + first + second


def test_a_full_kernel_takes_nothing_and_nothing_is_lost(connect: Connect) -> None:
    transport, _ = connect()
    narrow(transport)
    while transport.send(b"x" * 10_000):
        pass
    unsent = bytes(transport.unsent)
    while select.select([], [transport.fd], [], 0)[1]:
        transport.send(b"")
        unsent = bytes(transport.unsent)
    assert not transport.send(b"")
    assert transport.unsent == unsent
    assert not transport.send(b"!")
    assert transport.unsent == unsent + b"!"


@settings(max_examples=15)
@given(st.lists(st.binary(min_size=1, max_size=60_000), max_size=12))
def test_whatever_is_sent_arrives_in_order(chunks: list[bytes]) -> None:
    with Listener() as listener:
        transport = Transport(listener.address, UNSTAMPED)
        with listener.accept() as peer:
            narrow(transport)
            for chunk in chunks:
                transport.send(chunk)
            whole = b"".join(chunks)
            assert drained(transport, peer, len(whole)) == whole
        transport.close()


def test_a_write_to_a_peer_that_is_gone_is_an_error(connect: Connect) -> None:
    transport, peer = connect()
    reset(peer)
    assert is_ready(transport.fd)
    with pytest.raises(OSError, match=r"Connection reset|Broken pipe"):
        transport.send(b"x")


def test_a_connection_that_is_cut_is_a_reset(connect: Connect) -> None:
    transport, peer = connect()
    transport.reset_on_close()
    transport.close()
    with pytest.raises(ConnectionResetError):
        peer.recv(1)


def test_a_connection_that_is_closed_is_an_end(connect: Connect) -> None:
    transport, peer = connect()
    transport.close()
    assert peer.recv(1) == b""


# ------------------------------------------------------------------ TLS


@pytest.fixture
def trusted(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.cert))


@pytest.fixture
def secured(stack: ExitStack, listener: Listener, pair: Pair) -> Callable[..., tuple[TlsTransport, TlsPeer]]:
    """A transport with TLS and its peer; the handshake has not begun."""

    def connect_to(context: ssl.SSLContext, name: str = "localhost") -> tuple[TlsTransport, TlsPeer]:
        transport = TlsTransport(listener.address, STAMPED, context=context, server_name=name)
        stack.callback(transport.close)
        return transport, TlsPeer(stack.enter_context(listener.accept()), pair)

    return connect_to


@pytest.fixture
def speaking(
    secured: Callable[..., tuple[TlsTransport, TlsPeer]], trusted: ssl.SSLContext
) -> tuple[TlsTransport, TlsPeer]:
    """A transport whose handshake is done, and its peer."""
    transport, peer = secured(trusted)
    shake(transport, peer)
    return transport, peer


def shake(transport: TlsTransport, peer: TlsPeer) -> None:
    done = transport.handshake()
    for _ in range(10):
        peer.shake()
        if done and peer.shaken:
            return
        if not done:
            assert is_ready(transport.fd)
            done = transport.handshake()
    raise AssertionError("the handshake goes on and on")


def heard(transport: TlsTransport) -> tuple[bytes, int]:
    """The next data: reads until there is some, or the end."""
    while True:
        assert is_ready(transport.fd)
        read = transport.receive()
        if read is not None:
            return read


def test_what_is_said_under_tls_arrives(speaking: tuple[TlsTransport, TlsPeer]) -> None:
    transport, peer = speaking
    assert transport.send(b"hello")
    assert peer.read(5) == b"hello"
    before_ns = time.time_ns()
    peer.write(b"good evening")
    data, at_ns = heard(transport)
    assert data == b"good evening"
    assert before_ns <= at_ns <= time.time_ns()
    assert transport.receive() is None


def test_a_record_that_comes_in_pieces_is_told_when_it_is_whole(
    speaking: tuple[TlsTransport, TlsPeer],
) -> None:
    transport, peer = speaking
    heard_before = transport.receive()
    assert heard_before is None
    record = peer.encrypted(b"slowly")
    for byte in record[:-1]:
        peer.sock.send(bytes([byte]))
        assert is_ready(transport.fd)
        assert transport.receive() is None
    peer.sock.send(record[-1:])
    assert heard(transport)[0] == b"slowly"


def test_several_records_of_one_read_are_one(speaking: tuple[TlsTransport, TlsPeer]) -> None:
    transport, peer = speaking
    transport.receive()
    peer.sock.send(peer.encrypted(b"one ") + peer.encrypted(b"two ") + peer.encrypted(b"three"))
    assert heard(transport)[0] == b"one two three"


def test_a_lot_under_tls_arrives_both_ways(speaking: tuple[TlsTransport, TlsPeer]) -> None:
    transport, peer = speaking
    narrow(transport)
    said = bytes(range(256)) * 2000
    assert not transport.send(said[:300_000])
    transport.send(said[300_000:])
    found = bytearray()
    while len(found) < len(said):
        select.select([peer.sock], [transport.fd] if transport.unsent else [], [], 5)
        if transport.unsent:
            transport.send(b"")
        found += peer.read()
    assert bytes(found) == said
    peer.write(said[:50_000])
    answer = b""
    while len(answer) < 50_000:
        answer += heard(transport)[0]
    assert answer == said[:50_000]


def test_a_peer_that_says_it_closes_is_no_bytes(speaking: tuple[TlsTransport, TlsPeer]) -> None:
    transport, peer = speaking
    peer.sock.send(peer.farewell())
    assert heard(transport)[0] == b""


def test_last_words_and_the_end_in_one_read_are_both_told(speaking: tuple[TlsTransport, TlsPeer]) -> None:
    """The socket stays open: a peer may wait for our farewell before it closes."""
    transport, peer = speaking
    transport.receive()
    peer.sock.send(peer.encrypted(b"last words") + peer.farewell())
    assert heard(transport)[0] == b"last words"
    assert heard(transport)[0] == b""


def test_a_peer_that_closes_without_a_word_is_no_bytes(speaking: tuple[TlsTransport, TlsPeer]) -> None:
    transport, peer = speaking
    peer.sock.shutdown(socket.SHUT_WR)
    assert heard(transport)[0] == b""


def test_an_end_in_the_middle_of_a_record_is_no_bytes(speaking: tuple[TlsTransport, TlsPeer]) -> None:
    transport, peer = speaking
    peer.sock.send(peer.encrypted(b"never whole")[:-3])
    peer.sock.shutdown(socket.SHUT_WR)
    assert heard(transport)[0] == b""


def test_a_broken_record_is_an_error(speaking: tuple[TlsTransport, TlsPeer]) -> None:
    transport, peer = speaking
    record = bytearray(peer.encrypted(b"broken"))
    record[-1] ^= 1
    peer.sock.send(bytes(record))
    with pytest.raises(OSError, match=r"(?i)bad record|decryption failed"):
        heard(transport)


def test_a_reset_under_tls_is_an_error(speaking: tuple[TlsTransport, TlsPeer]) -> None:
    transport, peer = speaking
    reset(peer.sock)
    with pytest.raises(ConnectionResetError):
        heard(transport)


@pytest.mark.parametrize(
    ("known", "name", "why"),
    [(False, "localhost", "unable to get"), (True, "elsewhere.example", "Hostname mismatch")],
)
def test_a_certificate_that_is_not_to_be_trusted(
    secured: Callable[..., tuple[TlsTransport, TlsPeer]],
    trusted: ssl.SSLContext,
    known: bool,  # noqa: FBT001 - a case of the table
    name: str,
    why: str,
) -> None:
    """It is refused, and the peer is told so."""
    transport, peer = secured(trusted if known else ssl.create_default_context(), name)
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        shake(transport, peer)
    with pytest.raises(ssl.SSLError, match="ALERT"):
        peer.shake()


def test_a_peer_that_speaks_no_tls_is_an_error(
    secured: Callable[..., tuple[TlsTransport, TlsPeer]], trusted: ssl.SSLContext
) -> None:
    transport, peer = secured(trusted)
    assert not transport.handshake()
    peer.sock.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert is_ready(transport.fd)
    with pytest.raises(ssl.SSLError, match=r"(?i)wrong version|packet length"):
        transport.handshake()


def test_a_peer_that_leaves_in_the_handshake_is_an_error(
    secured: Callable[..., tuple[TlsTransport, TlsPeer]], trusted: ssl.SSLContext
) -> None:
    transport, peer = secured(trusted)
    assert not transport.handshake()
    assert struct.unpack("!B", peer.sock.recv(1)) == (22,)
    peer.sock.shutdown(socket.SHUT_WR)
    assert is_ready(transport.fd)
    with pytest.raises(ssl.SSLEOFError):
        transport.handshake()


def test_a_handshake_waits_for_its_peer(
    secured: Callable[..., tuple[TlsTransport, TlsPeer]], trusted: ssl.SSLContext
) -> None:
    transport, _ = secured(trusted)
    assert [transport.handshake() for _ in range(3)] == [False] * 3
