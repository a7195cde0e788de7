from __future__ import annotations

import pytest

from loadtest.speak.refusal_body import CUT, MAX_BODY, MAX_LINE, RefusalBody


def read(data: bytes, status: int = 403, **headers: str) -> RefusalBody:
    found = RefusalBody(status, {name.replace("_", "-"): text for name, text in headers.items()})
    assert found.take(data)
    return found


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"no seats left", "no seats left"),
        (b"\n\n  no seats left\r\ncome back\n", "no seats left"),
        (b"", ""),
        (b"<html><head>\n<TITLE class='a'>403 Forbidden\n by us</TITLE>", "403 Forbidden by us"),
        (b"<!DOCTYPE html><p>nothing to say", ""),
        (b'{\n  "error": {\n    "code": 7\n  }\n}', '{ "error": { "code": 7 } }'),
        (b"[1,\n2]", "[1, 2]"),
        (b"\x1b[31mred\x07 \xff", "[31mred \ufffd"),
        (b"x" * 500, "x" * MAX_LINE + CUT),
    ],
)
def test_the_line_that_says_something(body: bytes, line: str) -> None:
    assert read(body, content_length=str(len(body))).line == line


def test_a_body_has_the_length_that_was_announced() -> None:
    body = RefusalBody(403, {"content-length": "5"})
    assert not body.take(b"no ")
    assert body.take(b"way, and more")
    assert body.body == b"no wa"


def test_of_a_long_body_the_beginning_is_enough() -> None:
    body = RefusalBody(403, {"content-length": "1000000"})
    assert not body.take(b"a" * (MAX_BODY - 1))
    assert body.take(b"a" * 10)
    assert len(body.body) == MAX_BODY
    assert read(b"a" * 9_000, connection="close").body == b"a" * MAX_BODY
    assert read(b"2000\r\n" + b"a" * 9_000, transfer_encoding="chunked").body == b"a" * MAX_BODY


def test_a_line_that_may_go_on_says_so() -> None:
    body = RefusalBody(403, {"connection": "close"})
    body.take(b"short\n" + b"x" * MAX_BODY)
    assert body.line == f"short{CUT}"


@pytest.mark.parametrize("headers", [{}, {"content-length": "many"}, {"connection": "keep-alive"}])
def test_where_nothing_is_announced_what_came_is_all(headers: dict[str, str]) -> None:
    body = RefusalBody(403, headers)
    assert body.take(b"no")
    assert body.body == b"no"


def test_until_the_end_where_the_end_is_announced() -> None:
    body = RefusalBody(403, {"connection": "Close"})
    assert not body.take(b"no")
    assert not body.take(b" way")
    assert body.line == "no way"


def test_chunks_are_put_together() -> None:
    body = RefusalBody(403, {"transfer-encoding": "chunked"})
    assert not body.take(b"3\r\nno \r\n")
    assert not body.take(b"5;a=b\r\nse")
    assert body.line == "no se"
    assert not body.take(b"ats\r\n")
    assert body.take(b"0\r\n\r\n")
    assert body.line == "no seats"


def test_what_is_no_chunk_ends_the_body() -> None:
    body = RefusalBody(403, {"transfer-encoding": "chunked"})
    assert not body.take(b"zz")
    assert body.take(b"\r\n")
    assert body.line == ""


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body(status: int) -> None:
    assert read(b"left over", status, content_length="9").line == ""


def test_what_is_compressed_is_not_told() -> None:
    assert read(b"\x1f\x8b123", content_length="5", content_encoding="gzip").line == ""
