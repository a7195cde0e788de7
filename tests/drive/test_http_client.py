"""Requests of users to servers that do as they should, and to those that do not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from loadtest.drive.endpoint import http_tls_context
from loadtest.drive.http_client import (
    IDLE_KEPT,
    MAX_BODY,
    HttpCall,
    HttpClient,
    HttpRequestFailed,
    NoCookies,
    origin_of,
    redirected,
    sendable,
)
from loadtest.drive.proxy import Proxy
from loadtest.plan.scenario import Target
from tests.drive.http_peer import Asked, answer, http_peer, moved, tunnel
from tests.drive.serving import serving
from tests.end_to_end.certificates import Authority, Pair

S = 1_000_000_000


_clients: list[HttpClient] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _clients:
        _clients.pop().close()


def client_of(target: Target | None = None, proxy: Proxy | None = None) -> HttpClient:
    target = target or Target(url="ws://test")
    _clients.append(
        HttpClient(lambda: http_tls_context(target), lambda origin: origin[1:], lambda _origin: proxy)
    )
    return _clients[-1]


def sent(client: HttpClient, method: str, url: str, **parts: Any) -> Any:
    within_ns, follow = parts.pop("within_ns", 30 * S), parts.pop("follow", True)
    return client.send(HttpCall(method, url, **parts), NoCookies(), within_ns=within_ns, follow=follow)


def test_an_answer_is_read_whole_and_its_connection_is_kept() -> None:
    chunks = (
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    with http_peer({"/a": answer({"x": 1}, X_One="yes"), "/b": chunks}) as peer:
        client = client_of()
        found = sent(client, "GET", f"{peer.url()}/a?q=ü")
        assert (found.status, found.body, found.headers["x-one"]) == (200, b'{"x": 1}', "yes")
        made = sent(
            client, "POST", f"{peer.url()}/b", headers={"X-Two": "2", "user-agent": "me"}, body=b"body"
        )
        assert (made.status, made.body, made.set_cookies) == (201, b"abcde", ("a=1", "b=2"))
        assert peer.connections == 1
        asked, posted = peer.asked
        assert (asked.path, asked.headers["host"]) == ("/a?q=%C3%BC", f"127.0.0.1:{peer.port}")
        assert (posted.body, posted.headers["x-two"], posted.headers["user-agent"]) == (b"body", "2", "me")
        client.close()
        assert sent(client, "DELETE", f"{peer.url()}/a").status == 200
        assert peer.connections == 2


def endless(sock: Any, beginning: bytes) -> int:
    """Send for as long as anybody listens; how much that was."""
    n = 0
    try:
        sock.sendall(beginning)
        while n < 64 * MAX_BODY:
            sock.sendall(b"x" * 65_536)
            n += 65_536
    except OSError:
        pass
    return n


HEAD = b"HTTP/1.1 200 OK\r\n"

BAD: dict[str, tuple[Callable[[Any, Asked], object] | bytes, str]] = {
    "hangs": (lambda sock, _: sock.recv(1), "no answer within 0.2 s"),
    "trickles": (
        lambda sock, _: [sock.sendall(HEAD + b"Content-Length: 9\r\n\r\nx"), sock.recv(1)],
        "no answer within 0.2 s",
    ),
    "leaves": (lambda _sock, _: None, "closed without an answer"),
    "leaves in the head": (lambda sock, _: sock.sendall(HEAD), "the answer is not valid HTTP"),
    "leaves in the body": (
        lambda sock, _: sock.sendall(HEAD + b"Content-Length: 9\r\n\r\nx"),
        "closed in the middle of the answer|not valid HTTP",
    ),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "the answer is not valid HTTP"),
    "circle": (moved("/circle"), "the server redirected more than 5 times"),
    "nowhere": (moved("gopher://a/"), "the server redirects to an address that is not an HTTP URL"),
    "no URL": (moved("http://[a/"), "the server redirects to an address that is not an HTTP URL"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_answer_is_one_sentence(kind: str) -> None:
    script, sentence = BAD[kind]
    path = "/circle" if kind == "circle" else "/"
    within_ns = S // 5 if "within" in sentence else 30 * S
    with http_peer({path: script}) as peer, pytest.raises(HttpRequestFailed, match=sentence):
        sent(client_of(), "GET", f"{peer.url()}{path}", within_ns=within_ns)


@pytest.mark.parametrize(
    ("beginning", "sentence"),
    [
        (HEAD + b"Content-Length: 1000000000\r\n\r\n", "the answer is larger than 1 MiB"),
        (HEAD + b"\r\n", "the answer is larger than 1 MiB"),
        (HEAD + b"X: ", "the head of the answer is larger than 64 KiB"),
    ],
)
def test_an_answer_without_end_is_left_early(beginning: bytes, sentence: str) -> None:
    taken: list[int] = []
    with (
        http_peer({"/": lambda sock, _: taken.append(endless(sock, beginning))}) as peer,
        pytest.raises(HttpRequestFailed, match=re.escape(sentence)),
    ):
        sent(client_of(), "GET", f"{peer.url()}/")
    # What the kernel holds beside what we have read.
    assert all(n < 32 * MAX_BODY for n in taken)


def test_nobody_there_is_told_in_the_words_of_the_system() -> None:
    with pytest.raises(HttpRequestFailed, match="Connection refused"):
        sent(client_of(), "GET", "http://127.0.0.1:9/")


def test_certificates_are_verified(pair: Pair, authority: Authority) -> None:
    with http_peer({"/": answer("secret")}, pair) as peer:
        url = peer.url("https").replace("127.0.0.1", "localhost")
        with pytest.raises(HttpRequestFailed, match="the certificate is not trusted"):
            sent(client_of(), "GET", f"{url}/")
        trusting = client_of(Target(url="wss://test", ca_file=authority.cert))
        assert sent(trusting, "GET", f"{url}/").body == b"secret"
        with pytest.raises(HttpRequestFailed, match="redirects from https to http"):
            raise_redirect(f"{url}/", "http://localhost/")
        plain = serving(lambda sock: sock.sendall(b"no TLS at all"))
        with plain as address, pytest.raises(HttpRequestFailed, match="TLS: "):
            sent(trusting, "GET", f"https://127.0.0.1:{address.sockaddr[1]}/")


def raise_redirect(url: str, where: str) -> None:
    redirected(url, where)


def test_redirects_are_followed_as_http_says() -> None:
    answers = {
        "/see": moved("/there", "303 See Other"),
        "/same": moved("/there?x=1", "307 Temporary Redirect"),
        "/there": answer("here"),
    }
    headers = {"Authorization": "Bearer abc", "Content-Type": "text/plain"}
    with http_peer(answers) as peer:
        client = client_of()
        for path in ("/see", "/same"):
            found = sent(client, "POST", f"{peer.url()}{path}", headers=headers, body=b"body")
            assert found.body == b"here"
        assert sent(client, "GET", f"{peer.url()}/see", follow=False).status == 303
        _, got, _, again, _ = peer.asked
        assert (got.method, got.body, "content-type" in got.headers) == ("GET", b"", False)
        assert got.headers["authorization"] == "Bearer abc"
        assert (again.method, again.path, again.body) == ("POST", "/there?x=1", b"body")


def test_another_host_gets_no_credential_and_no_body() -> None:
    with http_peer({"/there": answer("here")}) as other:
        away = {"/get": moved(f"{other.url()}/there"), "/post": moved(f"{other.url()}/there", "307 Away")}
        with http_peer(away) as peer:
            headers = {"Authorization": "Bearer abc", "X-Key": "abc"}
            assert sent(client_of(), "GET", f"{peer.url()}/get", headers=headers).body == b"here"
            (asked,) = other.asked
            assert "abc" not in str(asked)
            with pytest.raises(
                HttpRequestFailed,
                match=r"to another origin \(scheme, host or port\); loadtest sends no body there",
            ):
                sent(client_of(), "POST", f"{peer.url()}/post", headers=headers, body=b"password")
            assert len(other.asked) == 1


def test_a_connection_that_was_closed_while_it_waited_is_not_used() -> None:
    def once(sock: Any, _asked: Asked) -> None:
        sock.sendall(answer("once"))

    with http_peer({"/": once}) as peer:
        client = client_of()
        assert sent(client, "POST", f"{peer.url()}/", body=b"1").body == b"once"
        while not client._idle[origin_of(peer.url())]:
            gevent.sleep(0)
        gevent.sleep(0.01)
        assert sent(client, "POST", f"{peer.url()}/", body=b"2").body == b"once"
        assert [each.body for each in peer.asked] == [b"1", b"2"]


def test_what_is_lost_on_a_kept_connection_is_sent_again_unless_it_is_a_post() -> None:
    state = {"n": 0}

    def second_time_lost(sock: Any, asked: Asked) -> None:
        sock.sendall(answer("first"))
        sock.recv(65_536)
        state["n"] += 1

    with http_peer({"/": second_time_lost}) as peer:
        client = client_of()
        for method, fails in (("GET", False), ("POST", True)):
            sent(client, method, f"{peer.url()}/")
            if fails:
                with pytest.raises(HttpRequestFailed, match=r"closed without an answer|reset"):
                    sent(client, method, f"{peer.url()}/")
            else:
                assert sent(client, method, f"{peer.url()}/").body == b"first"
            client.close()


def test_so_many_connections_are_kept_and_no_more() -> None:
    gate = gevent.event.Event()

    def waits(sock: Any, _asked: Asked) -> None:
        gate.wait(10)
        sock.sendall(answer("x"))
        sock.recv(1)

    with http_peer({"/": waits}) as peer:
        client = client_of()
        going = [gevent.spawn(sent, client, "GET", f"{peer.url()}/") for _ in range(IDLE_KEPT + 3)]
        while peer.connections < IDLE_KEPT + 3:
            gevent.sleep(0.001)
        gate.set()
        gevent.joinall(going, raise_error=True)
        assert len(client._idle[origin_of(peer.url())]) == IDLE_KEPT
        client.close()


@pytest.mark.parametrize("secure", [False, True])
def test_requests_go_through_a_proxy(pair: Pair, authority: Authority, *, secure: bool) -> None:
    with http_peer({"/": answer("there")}, pair if secure else None) as peer, serving(tunnel) as address:
        proxy = Proxy("127.0.0.1", address.sockaddr[1])
        target = Target(url="ws://test", ca_file=authority.cert)
        url = peer.url("https" if secure else "http").replace("127.0.0.1", "localhost")
        assert sent(client_of(target, proxy), "GET", f"{url}/").body == b"there"


def test_a_proxy_that_says_no_is_named() -> None:
    def forbids(sock: Any) -> None:
        sock.recv(65_536)
        sock.sendall(b"HTTP/1.1 403 Filtered\r\n\r\n")

    with (
        serving(forbids) as address,
        pytest.raises(HttpRequestFailed, match="the proxy answered HTTP 403 Filtered"),
    ):
        sent(client_of(proxy=Proxy("127.0.0.1", address.sockaddr[1])), "GET", "http://a.example/")


@pytest.mark.parametrize(
    "where", ["http://a..b/", f"http://{'a' * 300}/", "http://\u2100.com/", "http://.a/"]
)
def test_a_redirect_to_what_no_resolver_takes_is_no_url(where: str) -> None:
    with pytest.raises(HttpRequestFailed, match="the server redirects to an address that is not an HTTP URL"):
        redirected("http://a.example/", where)


def test_what_cannot_be_written_or_looked_up_is_a_sentence() -> None:
    with pytest.raises(HttpRequestFailed, match="the URL is not a valid HTTP URL"):
        sent(client_of(), "GET", "http://a..b/")
    with pytest.raises(HttpRequestFailed, match="half of a character"):
        sent(client_of(), "GET", "http://127.0.0.1:9/", headers={"X-A": "a\ud800b"})
    with pytest.raises(HttpRequestFailed, match="name of the host cannot be resolved"):
        sent(client_of(proxy=Proxy("a..b", 3128)), "GET", "http://a.example/")


def test_bytes_of_the_environment_are_sent_as_they_are() -> None:
    assert sendable("/caf\udce9") == "/caf%E9"


@pytest.mark.parametrize("url", ["ftp://a", "http://", "/a", "http://a..b"])
def test_what_is_no_url_of_http(url: str) -> None:
    with pytest.raises(ValueError, match="not an HTTP URL"):
        origin_of(url)
