"""``loadtest explain`` tells the plan and sends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.plan.shipped import shipped_names


@pytest.mark.parametrize("name", shipped_names("scenario"))
def test_every_scenario_that_ships_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{name}: ")
    assert "\nTarget\n  " in told


def test_options_change_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--target", "ws://chat.example:81/ws", "--connections", "7", "--duration", "3s"]
    assert main(["explain", "agent-burst", *words, "--set", "traffic.burst=2"]) == 0
    told = capsys.readouterr().out
    assert "ws://chat.example:81/ws" in told
    assert "up to 7 concurrent" in told
    assert "3 s measured" in told
    assert "bursts of 2" in told


def test_environment_variables_stand_for_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADTEST_EXPLAIN_CONNECTIONS", "9")
    settings = "traffic.burst=3\n\nthresholds.turn.first_event.p95=< 77 ms\n"
    monkeypatch.setenv("LOADTEST_EXPLAIN_SET", settings)
    assert main(["explain"]) == 0
    told = capsys.readouterr().out
    assert "up to 9 concurrent" in told
    assert "bursts of 3" in told
    assert "turn.first_event.p95 < 77 ms" in told


def test_an_option_beats_its_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADTEST_EXPLAIN_CONNECTIONS", "9")
    assert main(["explain", "--connections", "8"]) == 0
    assert "up to 8 concurrent" in capsys.readouterr().out


def test_every_mistake_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--duration", "30 parsecs", "--set", "load.conections=4", "--set", "no-equals-sign"]
    assert main(["explain", "agent-burst", *words]) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 3
    assert "did you mean `connections`?" in said.err
    assert said.out == ""


def test_a_secret_that_is_not_here_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    target = '[target]\nurl = "simulator"\nauth = { kind = "jwt", secret_env = "NO_SUCH_SECRET" }\n'
    file.write_text(f'protocol = "echo"\n{target}[traffic]\nevery = "1s"\n', "utf-8")
    assert main(["explain", str(file)]) == 0
    assert "Missing here: NO_SUCH_SECRET" in capsys.readouterr().out


def test_a_message_that_the_codec_cannot_send_is_told_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.toml").write_text(
        'name = "p"\ncodec = "mqtt"\n[turn]\nid = "{turn.number}"\nmessage = \'{"type":"pubish"}\'\n'
        '[events]\nmatch = "order"\ncount = 1\n',
        "utf-8",
    )
    one = '[[population]]\nname = "a"\nprotocol = "echo"\n[population.load]\nconnections = 1\n'
    own = one.replace('"a"', '"b"').replace('"echo"', '"p.toml"')
    head = '[target]\nurl = "ws://host/"\n[traffic]\nevery = "1s"\n'
    alone, populations = tmp_path / "s.toml", tmp_path / "t.toml"
    alone.write_text(f'protocol = "p.toml"\n{head}', "utf-8")
    populations.write_text(f'protocol = "echo"\n{head}{one}{own}', "utf-8")
    for path in (alone, populations):
        assert main(["explain", str(path)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "protocol p, turn.message: codec mqtt" in said.err
