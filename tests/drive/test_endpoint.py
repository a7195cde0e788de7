"""Where a target is: which path, which address, which name, and whether its certificate is checked."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import pytest

from loadtest.drive import endpoint as endpoint_module
from loadtest.drive.endpoint import (
    Endpoint,
    families_in_turn,
    full_url,
    known_addresses,
    resolve_endpoint,
    tls_context,
)
from loadtest.drive.transport import Address
from loadtest.errors import ConfigError, Layer, TargetError
from loadtest.plan.scenario import Target
from tests.end_to_end.certificates import Authority, Pair

URLS = [
    ("ws://host", "/ws", "ws://host/ws"),
    ("ws://host/", "/ws", "ws://host/ws"),
    ("ws://host:81", "/ws", "ws://host:81/ws"),
    ("wss://host/", "/a/b", "wss://host/a/b"),
    ("ws://host/own", "/ws", "ws://host/own"),
    ("ws://host/own/", "/ws", "ws://host/own/"),
    ("ws://host//", "/ws", "ws://host//"),
    ("ws://host/own?v=1", "/ws?x=2", "ws://host/own?v=1"),
    ("ws://host?v=1", "/ws", "ws://host/ws?v=1"),
    ("ws://host/?v=1", "/ws?x=2", "ws://host/ws?x=2&v=1"),
    ("ws://host", "/ws?x=2", "ws://host/ws?x=2"),
    ("ws://host", "/", "ws://host/"),
    ("ws://host", "", "ws://host/"),
    ("ws://[::1]:81", "/ws", "ws://[::1]:81/ws"),
    ("ws://user:pass@host", "/ws", "ws://user:pass@host/ws"),
]


@pytest.mark.parametrize(("url", "path", "wanted"), URLS)
def test_a_path_of_its_own_is_kept_and_any_other_is_the_protocols(url: str, path: str, wanted: str) -> None:
    assert full_url(url, path) == wanted


def found(url: str, target: Target | None = None, **known: Any) -> Endpoint:
    return resolve_endpoint(target or Target(url=url), url, known or None)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the system's name service answers; the test fills it."""
    answers: list[tuple[Any, ...]] = []

    def getaddrinfo(_host: str, _port: int, **_options: Any) -> list[tuple[Any, ...]]:
        return list(answers)

    monkeypatch.setattr(endpoint_module.gevent_socket, "getaddrinfo", getaddrinfo)
    return answers


V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))
V6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 80, 0, 0))


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("url", "address", "header"),
    [
        ("ws://127.0.0.1:81/ws", ("127.0.0.1", 81), "127.0.0.1:81"),
        ("ws://127.0.0.1/ws", ("127.0.0.1", 80), "127.0.0.1"),
        ("wss://127.0.0.1/ws", ("127.0.0.1", 443), "127.0.0.1"),
        ("ws://[::1]:81/ws", ("::1", 81, 0, 0), "[::1]:81"),
        ("ws://[::1]/ws", ("::1", 80, 0, 0), "[::1]"),
    ],
)
def test_a_numeric_host_is_not_looked_up(url: str, address: tuple[Any, ...], header: str) -> None:
    endpoint = found(url)
    assert endpoint.addresses[0].sockaddr == address
    assert endpoint.host_header == header
    assert endpoint.resolve_ns is None
    assert (endpoint.path, endpoint.url, endpoint.is_loopback) == ("/ws", url, True)


def test_a_name_is_looked_up_and_timed(names: list[tuple[Any, ...]]) -> None:
    names += [V6, V4]
    endpoint = found("ws://target.example/ws?v=1")
    assert endpoint.addresses == (Address(socket.AF_INET6, V6[4]), Address(socket.AF_INET, V4[4]))
    assert endpoint.resolve_ns is not None
    assert endpoint.resolve_ns >= 0
    assert (endpoint.server_name, endpoint.host_header) == ("target.example", "target.example")
    assert endpoint.path == "/ws?v=1"
    assert not endpoint.is_loopback


def test_localhost_is_asked_by_ipv4_first(names: list[tuple[Any, ...]]) -> None:
    names += [V6, V4]
    assert found("ws://localhost/ws").addresses[0] == Address(socket.AF_INET, V4[4])


def test_families_take_turns_and_an_address_that_is_named_twice_is_one(names: list[tuple[Any, ...]]) -> None:
    four = [Address(socket.AF_INET, (f"192.0.2.{n}", 80)) for n in range(3)]
    six = [Address(socket.AF_INET6, (f"2001:db8::{n}", 80, 0, 0)) for n in range(1, 3)]
    assert families_in_turn([*six, *four]) == [six[0], four[0], six[1], four[1], four[2]]
    names += [V4, V4]
    assert len(found("ws://target.example/ws").addresses) == 1


def test_a_name_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        endpoint_module.gevent_socket, "getaddrinfo", lambda *_args, **_options: gevent.sleep(60)
    )
    with pytest.raises(TargetError, match=r"cannot be resolved: no answer within 0\.01 s"):
        found("ws://slow.example/ws", Target(url="ws://slow.example", connect_timeout_ns=10_000_000))


def test_what_to_connect_to_may_be_said_apart_from_the_name() -> None:
    endpoint = found("wss://target.example/ws", Target(url="wss://x", connect_to=("127.0.0.1", 81)))
    assert endpoint.addresses == (Address(socket.AF_INET, ("127.0.0.1", 81)),)
    assert (endpoint.host_header, endpoint.server_name) == ("target.example", "target.example")
    assert endpoint.resolve_ns is None


def test_a_path_is_sent_in_percent_signs() -> None:
    endpoint = found("ws://127.0.0.1/café/%C3%A9?q=ü&v=1")
    assert endpoint.path == "/caf%C3%A9/%C3%A9?q=%C3%BC&v=1"


def test_a_host_is_named_as_name_servers_know_it(names: list[tuple[Any, ...]]) -> None:
    names += [V4]
    assert found("ws://bücher.example:81/ws").host_header == "xn--bcher-kva.example:81"


def test_a_path_is_never_empty() -> None:
    assert found("ws://127.0.0.1").path == "/"


def test_a_link_local_address_may_name_its_interface() -> None:
    endpoint = Endpoint("", (Address(socket.AF_INET6, ("fe80::1%eth0", 80, 0, 2)),), "", "/", "", None, None)
    assert not endpoint.is_loopback


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UnicodeError("label too long")]
)
def test_a_name_that_leads_nowhere_is_the_targets(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(endpoint_module.gevent_socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(TargetError) as caught:
        found("ws://nowhere.example/ws")
    assert caught.value.layer is Layer.RESOLVE
    said = caught.value.sentence
    assert said.startswith("the name 'nowhere.example' cannot be resolved: ")
    assert said.endswith(("not known", "too long"))


def test_a_target_is_looked_up_in_the_family_of_the_sources() -> None:
    sources = Target(url="ws://localhost", source_addresses=("::1",))
    with pytest.raises(
        TargetError, match=r"cannot be resolved to an IPv6 address, the family of \[target\] source_addresses"
    ):
        found("ws://127.0.0.1:9/ws", sources)
    other = Target(url="ws://localhost", source_addresses=("127.0.0.1",))
    assert found("ws://localhost:9/ws", other).addresses[0].family == socket.AF_INET


def test_a_worker_is_told_where_the_target_is(names: list[tuple[Any, ...]]) -> None:
    endpoint = found(
        "ws://target.example/ws",
        addresses=[[int(socket.AF_INET), ["192.0.2.7", 80]], [10, ["2001:db8::1", 80, 0, 0]]],
        resolve_ns=5,
    )
    assert endpoint.addresses[0] == Address(socket.AF_INET, ("192.0.2.7", 80))
    assert endpoint.shown_addresses == ["192.0.2.7:80", "[2001:db8::1]:80"]
    assert known_addresses(endpoint)[0] == [int(socket.AF_INET), ["192.0.2.7", 80]]
    assert endpoint.resolve_ns == 5


# ------------------------------------------------------------------ TLS


def test_a_plain_target_has_no_tls() -> None:
    assert found("ws://127.0.0.1/ws").tls is None


def test_certificates_are_verified_unless_it_is_said_otherwise() -> None:
    tls = found("wss://127.0.0.1/ws").tls
    assert tls is not None
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname


def test_insecure_checks_nothing() -> None:
    tls = tls_context(Target(url="wss://test", insecure=True))
    assert tls.verify_mode is ssl.CERT_NONE
    assert not tls.check_hostname


def test_an_authority_of_ones_own_is_believed(authority: Authority) -> None:
    tls = tls_context(Target(url="wss://test", ca_file=authority.cert))
    assert any(("commonName", "authority") in part for cert in tls.get_ca_certs() for part in cert["subject"])


def known_to_the_server(authority: Authority, pair: Pair, client: ssl.SSLContext) -> Any:
    """The certificate by which a server that wants one knows the client, after a handshake in memory."""
    wants = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    wants.load_cert_chain(pair.cert, pair.key)
    wants.load_verify_locations(authority.cert)
    wants.verify_mode = ssl.CERT_REQUIRED
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    theirs = wants.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs) * 3:
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return theirs.getpeercert()


def test_a_client_may_have_a_certificate(authority: Authority, pair: Pair) -> None:
    own = authority.pair("client")
    target = Target(url="wss://test", ca_file=authority.cert, client_cert=own.cert, client_key=own.key)
    known = known_to_the_server(authority, pair, tls_context(target))
    assert known["subject"] == ((("commonName", "client"),),)
    with pytest.raises(ssl.SSLError, match=r"(?i)did not return a certificate"):
        known_to_the_server(authority, pair, tls_context(Target(url="wss://test", ca_file=authority.cert)))


@pytest.mark.parametrize("key", ["ca_file", "client_cert"])
@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, key: str, content: bytes | None) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_bytes(content)
    parts: Any = {key: path}
    with pytest.raises(ConfigError, match="a certificate or key file cannot be used"):
        tls_context(Target(url="wss://test", **parts))


def test_a_key_of_another_certificate_is_told(authority: Authority, pair: Pair) -> None:
    other = authority.pair("other")
    with pytest.raises(ConfigError, match="cannot be used"):
        tls_context(Target(url="wss://test", client_cert=pair.cert, client_key=other.key))


def test_a_name_that_no_resolver_takes_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module.gevent_socket, "getaddrinfo", None)
    with pytest.raises(TargetError, match="contains an invalid host name"):
        found("ws://a..b/ws")
