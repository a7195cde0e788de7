"""Where the status page listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.cli.watch import _address
from loadtest.errors import ConfigError


@pytest.mark.parametrize(
    ("where", "address"),
    [
        ("8790", ("127.0.0.1", 8790)),
        (":8790", ("127.0.0.1", 8790)),
        ("[::1]:1", ("::1", 1)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
    ],
)
def test_without_a_host_it_is_this_machine_alone(where: str, address: tuple[str, int]) -> None:
    assert _address(where) == address


@pytest.mark.parametrize("where", ["x", "1:99999", ":", ""])
def test_what_is_no_port_is_told(where: str) -> None:
    with pytest.raises(ConfigError, match="is not a port"):
        _address(where)


@pytest.mark.parametrize("time", ["91d", "9999999d", "9999999999d"])
def test_a_silence_for_ever_is_refused_before_it_is_written(
    time: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["watch", "silence", "ready", "*", "--for", time, "--results", str(tmp_path)]) == 2
    assert "--for: is more than 90 days" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["silence", "acknowledge"])
def test_variables_of_its_commands_have_no_space(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"LOADTEST_WATCH_{command.upper()}_BY", "ada")
    assert main(["watch", command, "ready", "*", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("by ada\n")
    assert main(["watch", command, "--help"]) == 0
    assert f"LOADTEST_WATCH_{command.upper()}_BY" in capsys.readouterr().out
