from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import ConfigError
from loadtest.plan import har
from loadtest.plan.har import parse_har, read_har


def message(way: str, data: str, at: float, opcode: int = 1) -> dict[str, Any]:
    return {"type": way, "time": at, "opcode": opcode, "data": data}


def socket(url: str, *messages: Any, **request: Any) -> dict[str, Any]:
    return {"request": {"url": url, "headers": [], **request}, "_webSocketMessages": list(messages)}


def file_of(*entries: Any) -> str:
    return json.dumps({"log": {"entries": list(entries)}})


PAGE = {"request": {"url": "https://chat.example/", "headers": []}}


def test_the_messages_of_a_socket_in_the_order_of_their_time() -> None:
    entry = socket(
        "wss://chat.example/ws?token=abc",
        message("receive", '{"type":"answer"}', 1700000000.5),
        message("send", '{"type":"ask"}', 1700000000.25),
        message("send", base64.b64encode(b"\x00\x01").decode(), 1700000001, 2),
        message("receive", "!not base64", 1700000002, 2),
        message("receive", "", 1700000002, 9),
        {"type": "send", "opcode": 1, "data": 7, "time": 1},
        {"type": "other", "opcode": 1, "data": "x", "time": 1700000000.25},
        {"type": "send", "opcode": 1, "data": "no time", "time": None},
        "no message",
        {"type": ["send"], "opcode": 1, "data": "x", "time": 1700000000.25},
        headers=[{"name": "Sec-WebSocket-Protocol", "value": "chat.v1, , [no token, chat.v2"}, "none"],
    )
    entry["_webSocketMessages"].pop(5)
    found = parse_har(file_of(PAGE, entry, "none"), "a.har")
    assert found.url == "wss://chat.example/ws?token=abc"
    assert found.subprotocols == ("chat.v1", "chat.v2")
    assert [(frame.at_ns, frame.inward, frame.payload, frame.binary) for frame in found.frames] == [
        (0, False, b'{"type":"ask"}', False),
        (250_000_000, True, b'{"type":"answer"}', False),
        (750_000_000, False, b"\x00\x01", True),
    ]


def test_a_url_of_http_is_that_of_a_socket() -> None:
    found = parse_har(file_of(socket("https://chat.example/ws", message("send", "a", 1))), "a.har")
    assert found.url == "wss://chat.example/ws"
    entry = {"request": None, "_webSocketMessages": [message("send", "a", 1)]}
    assert parse_har(file_of(entry), "a.har").url == ""
    entry = {"request": {"url": "ws://a", "headers": None}, "_webSocketMessages": [message("send", "a", 1)]}
    assert parse_har(file_of(entry), "a.har").headers == {}


ONE = socket("wss://a.example/one?key=hidden", message("send", "a", 1))
TWO = socket("wss://a.example/two", message("send", "b", 1))
SILENT = {"request": {"url": "wss://a.example/silent", "headers": []}}


def test_of_several_sockets_the_one_that_spoke_or_that_is_named() -> None:
    assert parse_har(file_of(ONE, SILENT), "a.har").url.startswith("wss://a.example/one")
    assert parse_har(file_of(ONE, TWO), "a.har", "/two").url == "wss://a.example/two"


@pytest.mark.parametrize(
    ("text", "wanted", "sentence"),
    [
        (file_of(PAGE), None, "the file has 1 requests, but no WebSocket"),
        (
            file_of(socket("ws://a", message("send", "a", 0), message("send", "b", 1.7e9))),
            None,
            "are decades apart: one of their times is wrong",
        ),
        (
            file_of(SILENT),
            None,
            "the file has WebSockets (wss://a.example/silent (0 messages)), but none of their messages",
        ),
        (
            file_of(ONE, TWO),
            None,
            "several WebSockets; choose one with --socket: wss://a.example/one (1 mess",
        ),
        (
            file_of(ONE),
            "/three",
            "no WebSocket in this file has '/three' in its URL; the file has wss://a.example/one",
        ),
        (file_of(ONE)[:-9], None, "the file ends in the middle of its JSON; save it again from the browser"),
        (file_of(ONE)[:60], None, "the file ends in the middle of its JSON; save it again from the browser"),
        ("{'a'}", None, "is not JSON"),
        ("[" * 200_000, None, "is nested too deeply"),
        ("[]", None, "is not a HAR file"),
        ('{"log": []}', None, "is not a HAR file"),
        ('{"log": {"entries": {}}}', None, "is not a HAR file"),
    ],
)
def test_a_file_without_the_socket_is_one_sentence(text: str, wanted: str | None, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)) as caught:
        parse_har(text, "a.har", wanted)
    assert len(caught.value.problems) == 1
    assert "hidden" not in str(caught.value)


def test_a_socket_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(har, "MAX_FRAMES", 1)
    with pytest.raises(ConfigError, match="more than 1 messages"):
        parse_har(file_of(socket("ws://a", *[message("send", "a", 1)] * 2)), "a.har")


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.har"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_har(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_har(path)
    path.write_text("\ufeff" + file_of(ONE), "utf-8")
    assert read_har(path).frames
    monkeypatch.setattr(har, "MAX_HAR_BYTES", 10)
    with pytest.raises(ConfigError, match="is larger than"):
        read_har(path)
