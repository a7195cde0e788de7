"""``loadtest import har``: a browser's file made a scenario, a protocol and a capture."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from loadtest.cli import main
from loadtest.cli.draft_secrets import prepare_text
from loadtest.cli.record import print_next_step
from loadtest.plan.capture import read_capture
from loadtest.plan.har_login import HarLogin
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.scenario_file import load_scenario
from loadtest.run.recording_proxy import RecordedConnection


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


def test_names_of_parameters_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "wss://chat.example/ws?room=7&%1b%5B2J_token=a-token-in-the-url"
    har = tmp_path / "session.har"
    har.write_text(har_of(url, 3))
    main(["import", "har", str(har), "--folder", str(tmp_path), "--name", "chat"])
    print_next_step(RecordedConnection(None, url=url), tmp_path / "chat.jsonl")
    said = "".join(capsys.readouterr())
    assert said.count("secrets left out of the URL: \\x1b[2J_token; ") == 2
    assert "--query '\\x1b[2J_token'" in said
    assert "\x1b" not in said


def test_a_file_of_a_browser_becomes_files_that_can_be_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    har = tmp_path / "session.har"
    har.write_text(har_of("wss://chat.example/ws?room=7&token=a-token-in-the-url", 3))
    assert main(["import", "har", str(har), "--folder", str(tmp_path), "--name", "chat"]) == 0
    said = capsys.readouterr().out
    assert (
        'secrets left out of the URL: token; [target] has to give them: query = { token = "{env.MY_TOKEN}" }'
        in said
    )
    assert "the browser sent the header Origin; " in said
    assert "the browser sent the header Cookie; " in said
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
    assert "the path of the URL may contain a token; replace CHANGE-ME in the draft by the token" in said
    assert load_scenario(tmp_path / "chat.toml").target.url == "wss://chat.example/ws/CHANGE-ME"
    written = said + "".join(each.read_text() for each in tmp_path.glob("chat*"))
    for secret in ("of-the-header", "of-the-key", in_path, "of-a-member", "of-stomp"):
        assert secret not in written


def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    har = tmp_path / "session.har"
    har.write_text(har_of("wss://chat.example/ws", 1)[:-20])
    assert main(["import", "har", str(har)]) == 2
    assert (
        capsys.readouterr().err
        == f"{har}: the file ends in the middle of its JSON; save it again from the browser\n"
    )


def test_a_recording_is_of_a_server(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["record", "--to", "https://chat.example", "--save", str(tmp_path / "f.jsonl")]) == 2
    assert "must begin with ws:// or wss://" in capsys.readouterr().err
    (tmp_path / "f.jsonl").touch()
    assert main(["record", "--to", "ws://localhost:9", "--save", str(tmp_path / "f.jsonl")]) == 2


@pytest.mark.parametrize(
    ("was", "becomes", "sentence"),
    [
        ("wss://chat.example/ws", "wss://[::1/x", "the URL of the WebSocket in this file is wrong"),
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


LOGIN: dict[str, Any] = {
    "request": {
        "method": "POST",
        "url": "https://chat.example/login",
        "postData": {"text": '{"user":"ada","pass-word":"open-sesame"}', "mimeType": "application/json"},
    },
    "response": {"content": {"text": '{"data":{"access":"a-token-in-the-url"}}'}},
}


def test_a_login_that_gave_the_token_is_drafted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = json.loads(har_of("wss://chat.example/ws?room=7&token=a-token-in-the-url", 2))
    session["log"]["entries"].insert(0, LOGIN)
    (tmp_path / "s.har").write_text(json.dumps(session))
    assert main(["import", "har", str(tmp_path / "s.har"), "--folder", str(tmp_path), "--name", "chat"]) == 0
    said = capsys.readouterr().out
    assert (
        'secrets left out of the URL: token; [target] has to give them: query = { token = "{prepared.token}"'
        " }" in said
    )
    assert "the answer to POST /login contained token: the draft has this request in [[prepare]]" in said
    scenario = load_scenario(tmp_path / "chat.toml")
    (step,) = scenario.prepare
    assert (step.method, step.url, step.keep) == ("POST", "/login", {"token": "data.access"})
    assert step.json == {"user": "{env.MY_USER}", "pass-word": "{env.MY_PASS_WORD}"}
    assert scenario.target.query == {"token": "{prepared.token}"}
    written = "".join(path.read_text() for path in tmp_path.glob("chat*")) + said
    assert "open-sesame" not in written
    assert "a-token-in-the-url" not in written


def test_a_login_that_no_step_can_ask_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = json.loads(har_of("wss://chat.example/ws?token=a-token-in-the-url", 2))
    login = {**LOGIN, "request": {**LOGIN["request"], "method": "OPTIONS"}}
    session["log"]["entries"].insert(0, login)
    (tmp_path / "s.har").write_text(json.dumps(session))
    assert main(["import", "har", str(tmp_path / "s.har"), "--folder", str(tmp_path), "--name", "chat"]) == 0
    said = capsys.readouterr().out
    assert "the answer to OPTIONS /login contained token: a step of [[prepare]] can send this request" in said
    assert load_scenario(tmp_path / "chat.toml").target.query == {"token": "{env.MY_TOKEN}"}


def test_steps_as_toml() -> None:
    keep = {"token": "a"}
    found = [
        HarLogin("GET", "/in", "/in", "", (), keep),
        HarLogin("POST", "/b", "/b", "other", (), {"é": "x"}),
        HarLogin("POST", "/c", "/c", "form", ("user",), keep),
    ]
    steps = tomllib.loads(prepare_text(found))["prepare"]
    assert [each["name"] for each in steps] == ["login", "login-2", "login-3"]
    assert steps[1] == {"name": "login-2", "post": "/b", "keep": {"value": "x"}}
    assert steps[2]["form"] == {"user": "{env.MY_USER}"}


def test_a_recording_says_what_it_left_out_and_the_draft_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = tmp_path / "f.jsonl"
    frames.write_text(
        '{"at":0,"dir":"out","json":{"id":"q1"}}\n{"at":0.2,"dir":"in","json":{"id":"q1","x":1}}\n'
    )
    url = "ws://host/chat?room=1&token=zq81kx-secret"
    print_next_step(RecordedConnection(frames, 2, url=url, credentials=("Cookie",)), frames)
    said = capsys.readouterr().out
    assert (
        'secrets left out of the URL: token; [target] has to give them: query = { token = "{env.MY_TOKEN}" }'
        in said
    )
    assert "[[prepare]]" in said
    assert "the client sent the header Cookie; " in said
    assert "zq81kx" not in said
    (command,) = re.findall("next: loadtest (.*)", said)
    assert command.endswith("--query token")
    assert main([*shlex.split(command), "--folder", str(tmp_path)]) == 0
    assert 'query = { token = "{env.MY_TOKEN}" }' in capsys.readouterr().out
    scenario = load_scenario(tmp_path / "host.toml")
    assert scenario.target.query == {"token": "{env.MY_TOKEN}"}
    assert "< 400ms" in [each.expression for each in scenario.thresholds]


def test_a_session_begun_elsewhere_is_no_secret_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = tmp_path / "f.jsonl"
    frames.write_text('{"at":0,"dir":"out","text":"2probe"}\n')
    long = "0123456789abcdef0123456789abcdef"
    print_next_step(RecordedConnection(frames, 1, url=f"ws://host/{long}/?sid=abc"), frames)
    said = capsys.readouterr().out
    assert "left out" not in said
    assert "replace CHANGE-ME in the draft by the token" in said
    frames.write_text("")
    print_next_step(RecordedConnection(frames, 0, url="ws://host/"), frames)
    assert capsys.readouterr().out == f"next: loadtest init ws://host/ --capture {frames}\n"
