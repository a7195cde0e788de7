"""``loadtest import har``: a browser's file made a scenario, a protocol and a capture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.cli import main
from loadtest.plan.capture import read_capture
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.scenario_file import load_scenario


def har_of(url: str, turns: int) -> str:
    """A session: the server greets, then answers each question in two events."""
    messages: list[dict[str, Any]] = []

    def say(way: str, at: float, event: dict[str, Any]) -> None:
        messages.append({"type": way, "time": 1.7e9 + at, "opcode": 1, "data": json.dumps(event)})

    say("receive", 0.0, {"type": "welcome", "access_token": "a-token-of-the-server"})
    for n in range(turns):
        say("send", n + 0.5, {"type": "ask", "id": f"q{n}", "text": f"question {n}"})
        say("receive", n + 0.6, {"type": "delta", "id": f"q{n}", "text": "so"})
        say("receive", n + 0.7, {"type": "done", "id": f"q{n}"})
    headers = [
        {"name": "Origin", "value": "https://chat.example"},
        {"name": "Cookie", "value": "sid=a-cookie-value"},
        {"name": "Sec-WebSocket-Protocol", "value": "chat.v2"},
    ]
    request = {"url": url, "headers": headers}
    return json.dumps({"log": {"entries": [{"request": request, "_webSocketMessages": messages}]}})


def test_a_file_of_a_browser_becomes_files_that_can_be_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    har = tmp_path / "session.har"
    har.write_text(har_of("wss://chat.example/ws?room=7&token=a-token-in-the-url", 3))
    assert main(["import", "har", str(har), "--folder", str(tmp_path), "--name", "chat"]) == 0
    said = capsys.readouterr().out
    assert "left out of the URL: token;" in said
    assert "the browser sent Origin; " in said
    assert "the browser sent Cookie; " in said
    scenario = load_scenario(tmp_path / "chat.toml")
    assert scenario.target.url == "wss://chat.example/ws?room=7"
    assert scenario.target.subprotocols == ("chat.v2",)
    protocol = load_protocol(tmp_path / "chat.protocol.toml")
    assert protocol.events.turn == ("id",)
    assert protocol.events.end == ("done",)
    assert len(read_capture(tmp_path / "chat.jsonl")) == 10
    written = "".join(
        (tmp_path / name).read_text() for name in ("chat.toml", "chat.protocol.toml", "chat.jsonl")
    )
    for secret in ("a-token-of-the-server", "a-cookie-value", "a-token-in-the-url"):
        assert secret not in written + said
    # The draft is proved by what it was drafted from.
    checked = [
        "protocols",
        "check",
        str(tmp_path / "chat.protocol.toml"),
        "--capture",
        str(tmp_path / "chat.jsonl"),
    ]
    assert main(checked) == 0
    assert main(["import", "har", str(har), "--folder", str(tmp_path), "--name", "chat"]) == 2


def test_what_a_browser_showed_at_the_upgrade_stands_in_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_path = "0123456789abcdef0123456789abcdef"
    session = json.loads(har_of(f"wss://chat.example/ws/{in_path}", 2))
    entry = session["log"]["entries"][0]
    entry["request"]["headers"] += [
        {"name": "Authorization", "value": "Bearer of-the-header"},
        {"name": "X-Api-Key", "value": "of-the-key"},
    ]
    for each in entry["_webSocketMessages"]:
        event = json.loads(each["data"])
        event |= {"a": "of-the-header", "b": "of-the-key", "c": in_path, "accessToken": "of-a-member"}
        each["data"] = json.dumps(event | {"headers": {"passcode": "of-stomp"}})
    har = tmp_path / "session.har"
    har.write_text(json.dumps(session))
    assert main(["import", "har", str(har), "--folder", str(tmp_path), "--name", "chat"]) == 0
    said = capsys.readouterr().out
    assert "the URL's path may hold a token; CHANGE-ME stands in its place" in said
    assert load_scenario(tmp_path / "chat.toml").target.url == "wss://chat.example/ws/CHANGE-ME"
    written = said + "".join(each.read_text() for each in tmp_path.glob("chat*"))
    for secret in ("of-the-header", "of-the-key", in_path, "of-a-member", "of-stomp"):
        assert secret not in written


def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    har = tmp_path / "session.har"
    har.write_text(har_of("wss://chat.example/ws", 1)[:-20])
    assert main(["import", "har", str(har)]) == 2
    assert capsys.readouterr().err == f"{har}: ends in the middle: it was not saved whole\n"


def test_a_recording_is_of_a_server(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["record", "--to", "https://chat.example", "--save", str(tmp_path / "f.jsonl")]) == 2
    assert "must begin with ws:// or wss://" in capsys.readouterr().err
    (tmp_path / "f.jsonl").touch()
    assert main(["record", "--to", "ws://localhost:9", "--save", str(tmp_path / "f.jsonl")]) == 2


@pytest.mark.parametrize(
    ("was", "becomes", "sentence"),
    [
        ("wss://chat.example/ws", "wss://[::1/x", "URL is none"),
        ("wss://chat.example/ws", "wss://chat.example/ws?a=\\ud800", "half of a character"),
    ],
)
def test_a_file_that_no_scenario_can_be_written_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], was: str, becomes: str, sentence: str
) -> None:
    har = tmp_path / "session.har"
    har.write_text(har_of("wss://chat.example/ws", 1).replace(was, becomes))
    assert main(["import", "har", str(har), "--folder", str(tmp_path / "new")]) == 2
    said = capsys.readouterr().err
    assert "session.har" in said
    assert sentence in said
    assert not (tmp_path / "new").exists()


def test_a_description_becomes_files_that_can_be_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    description = tmp_path / "api.yaml"
    description.write_text(
        """
asyncapi: 2.6.0
info: { title: Chat }
servers: { live: { url: "wss://chat.example/ws", protocol: wss } }
channels:
  /:
    publish: { message: { examples: [{ payload: { type: ask, id: 1, text: "why is it" } }] } }
    subscribe: { message: { examples: [{ payload: { type: answer, id: 1 } }] } }
"""
    )
    words = ["import", "asyncapi", str(description), "--folder", str(tmp_path), "--name", "chat"]
    assert main(words) == 0
    assert "next: loadtest protocols check" in capsys.readouterr().out
    scenario = load_scenario(tmp_path / "chat.toml")
    assert scenario.target.url == "wss://chat.example/ws"
    assert scenario.traffic is not None
    assert scenario.traffic.data == ({"text": "why is it"},)
    assert load_protocol(tmp_path / "chat.protocol.toml").events.end == ("answer",)
    assert main(["protocols", "check", str(tmp_path / "chat.protocol.toml")]) == 0
    assert main([*words, "--describes", "client"]) == 2
    assert "chat.toml" in capsys.readouterr().err
