"""HTTP probes with bodies, and redirects: followed only where the policy says so."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.readiness.assessment import ComponentRow
from loadtest.readiness.prober import probe_all
from loadtest.readiness.verdict import assess
from tests.readiness.made import policy

Seen = tuple[str, str, dict[str, str], bytes]


class Web:
    """Redirects by its path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.leads: dict[str, tuple[int, str]] = {}
        outer = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append(
                    (self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                )
                status, location = outer.leads.get(self.path, (200, ""))
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_PUT = do_GET  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join(5)


def row(folder: Path, web: Web, text: str, path: str = "/a") -> ComponentRow:
    read = policy(
        folder,
        f'[components.w]\nprobe = "http"\nsamples = 1\nurl = "http://127.0.0.1:{web.port}{path}"\n{text}\n',
    )
    found = probe_all(read, folder, environ={"WHO": "ada"})
    return assess(read, found, id="", at=found["w"].at or 0.0).components[0]


def test_a_body_is_sent_with_its_variables_and_a_type(tmp_path: Path, web: Web) -> None:
    row(tmp_path, web, """method = "POST"\nbody = '{"user": "{env.WHO}"}'""")
    row(tmp_path, web, 'method = "PUT"\nbody = "plain"\nheaders = { Content-Type = "text/x" }')
    row(tmp_path, web, 'method = "POST"\nbody = "words"')
    assert [(verb, headers["content-type"], body) for verb, _, headers, body in web.seen] == [
        ("POST", "application/json", b'{"user": "ada"}'), ("PUT", "text/x", b"plain"),
        ("POST", "text/plain; charset=utf-8", b"words"),
    ]  # fmt: skip


def test_a_redirect_is_an_answer_unless_it_may_be_followed(tmp_path: Path, web: Web) -> None:
    web.leads = {"/a": (302, "/b"), "/b": (307, f"http://127.0.0.1:{web.port}/c")}
    assert row(tmp_path, web, "").status == "down"
    assert row(tmp_path, web, "statuses = [302]").status == "healthy"
    assert row(tmp_path, web, "redirects = 2").status == "healthy"
    short = row(tmp_path, web, "redirects = 1")
    assert (short.status, short.said) == ("down", "the server redirects more than 1 times")


def test_a_post_that_is_redirected_is_sent_again_only_where_http_says_so(tmp_path: Path, web: Web) -> None:
    web.leads = {"/a": (303, "/b"), "/c": (308, "/d")}
    for path in ("/a", "/c"):
        row(tmp_path, web, 'method = "POST"\nbody = "x"\nredirects = 1', path)
    assert [(verb, path, body) for verb, path, _, body in web.seen] == [
        ("POST", "/a", b"x"), ("GET", "/b", b""), ("POST", "/c", b"x"), ("POST", "/d", b"x"),
    ]  # fmt: skip


def test_headers_do_not_follow_to_another_host(tmp_path: Path, web: Web) -> None:
    web.leads = {"/a": (302, f"http://localhost:{web.port}/b")}
    row(tmp_path, web, 'redirects = 1\nheaders = { Authorization = "Bearer hush" }')
    assert [headers.get("authorization") for _, _, headers, _ in web.seen] == ["Bearer hush", None]


def test_a_redirect_that_leads_nowhere_is_a_wrong_answer(tmp_path: Path, web: Web) -> None:
    web.leads = {"/a": (302, "file:///etc/passwd")}
    found = row(tmp_path, web, "redirects = 3")
    assert (found.status, found.error) == ("down", "answer")
