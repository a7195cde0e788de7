"""``loadtest init`` writes files that are valid as they are, and overwrites nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.plan.scenario_file import load_scenario


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_written_can_be_run_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "ws://chat.example:81/ws"]) == 0
    said = capsys.readouterr().out
    (scenario, protocol) = sorted(folder.glob("*.toml"), key=lambda path: len(path.name))
    assert f"wrote {scenario.name}\n" in said
    assert f"wrote {protocol.name}\n" in said
    assert f"next: loadtest try {scenario.name}\n" in said
    assert load_scenario(scenario).target.url == "ws://chat.example:81/ws"


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "ws://localhost:8765"]) == 0
    mine = folder / "localhost.toml"
    mine.write_text("# changed\n")
    assert main(["init", "ws://localhost:8765"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert mine.read_text() == "# changed\n"


def test_not_even_half_is_written_where_one_file_is_there(folder: Path) -> None:
    (folder / "localhost.protocol.toml").touch()
    assert main(["init", "ws://localhost:8765"]) == 2
    assert [path.name for path in folder.iterdir()] == ["localhost.protocol.toml"]


def test_a_dangling_link_is_not_written_through(folder: Path) -> None:
    (folder / "localhost.toml").symlink_to(folder / "elsewhere.toml")
    assert main(["init", "ws://localhost:8765"]) == 2
    assert not (folder / "elsewhere.toml").exists()


def test_another_folder_is_made(folder: Path) -> None:
    assert main(["init", "ws://localhost:8765", "--folder", "load/here"]) == 0
    assert load_scenario(folder / "load/here/localhost.toml").name == "localhost"


def test_a_folder_that_cannot_be_made_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "taken").touch()
    assert main(["init", "ws://localhost:8765", "--folder", "taken/here"]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://localhost", "localhost:8765", "simulator", ""])
def test_what_is_no_websocket_server_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", url]) == 2
    assert capsys.readouterr().err.startswith("URL: ")


def test_who_logs_in_in_a_capture_is_a_row_of_the_scenario(folder: Path) -> None:
    said = [
        ("out", '{"type":"login","user":"alice","note":"@DATA@ {x} \\ud800"}'),
        ("in", '{"type":"welcome"}'),
        ("out", '{"type":"ask","id":"q-12345678","text":"what now {x} \\ud800 @NAME@"}'),
        ("in", '{"type":"done","id":"q-12345678"}'),
    ]
    lines = [json.dumps({"at": at, "dir": way, "text": text}) for at, (way, text) in enumerate(said)]
    (folder / "frames.jsonl").write_text("\n".join(lines))
    assert main(["init", "ws://localhost:8765", "--capture", "frames.jsonl"]) == 0
    scenario = load_scenario(folder / "localhost.toml")
    assert scenario.target.identities == ({"user": "alice"},)
    assert scenario.traffic is not None
    assert scenario.traffic.data == ({"text": "what now {x} \ufffd @NAME@"},)
    assert main(["protocols", "check", "localhost.protocol.toml", "--capture", "frames.jsonl"]) == 0


def test_a_draft_offers_the_subprotocols_that_the_client_offered(folder: Path) -> None:
    frames = folder / "frames.jsonl"
    frames.write_text(
        '{"at": 0, "dir": "out", "json": {"id": "q-1", "text": "why is that"}}\n'
        '{"at": 1, "dir": "in", "json": {"id": "q-1", "text": "so"}}\n'
    )
    offered = ["--subprotocol", "chat.v1", "--subprotocol", "chat.v2"]
    assert main(["init", "ws://localhost:8765", "--capture", "frames.jsonl", *offered]) == 0
    assert load_scenario(folder / "localhost.toml").target.subprotocols == ("chat.v1", "chat.v2")


def test_subprotocols_without_a_capture_are_told_where_they_belong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["init", "ws://localhost:8765", "--subprotocol", "chat.v1"]) == 2
    assert "works only with --capture" in capsys.readouterr().err
