"""``loadtest run`` and ``worker`` hand over what was typed, or what the environment says."""

from __future__ import annotations

import pytest

from loadtest.cli import main
from loadtest.run import RunOptions


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RunOptions]:
    """What ``loadtest.run`` is asked for; every run ends with 4."""
    seen: list[RunOptions] = []

    def execute(options: RunOptions) -> int:
        seen.append(options)
        return 4

    monkeypatch.setattr("loadtest.run.execute", execute)
    monkeypatch.delenv("LOADTEST_RESULTS", raising=False)
    return seen


def test_nothing_typed_is_the_default_run(asked: list[RunOptions]) -> None:
    main(["run"])
    assert asked == [RunOptions(results="results")]


def test_the_verdict_is_the_exit_code(asked: list[RunOptions]) -> None:
    assert main(["run"]) == 4
    assert len(asked) == 1


def test_every_option_arrives(asked: list[RunOptions]) -> None:
    typed = (
        "run mine.toml --target ws://h/ws --label v1.4.0 --duration 30s --connections 7 --connect-rate 25/s "
        "--set a.b=1 --processes 2 --workers 3 --bind 127.0.0.1:5557 --repeat 4 "
        "--results kept --ui --ui-port 8123 --ui-close --verbose --quiet --json --insecure"
    )
    main([*typed.split(), "--set", "thresholds.turn.first_event.p95=< 1us"])
    assert asked == [
        RunOptions(
            scenario="mine.toml",
            target="ws://h/ws",
            label="v1.4.0",
            duration="30s",
            connections=7,
            connect_rate="25/s",
            sets=("a.b=1", "thresholds.turn.first_event.p95=< 1us"),
            processes=2,
            workers=3,
            bind="127.0.0.1:5557",
            repeat=4,
            results="kept",
            ui=True,
            ui_port=8123,
            ui_close=True,
            verbose=True,
            quiet=True,
            json=True,
            insecure=True,
        )
    ]


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("TARGET", "ws://h/ws", "target", "ws://h/ws"),
        ("LABEL", "v1.4.0", "label", "v1.4.0"),
        ("DURATION", "30s", "duration", "30s"),
        ("CONNECTIONS", "7", "connections", 7),
        ("CONNECT_RATE", "25/s", "connect_rate", "25/s"),
        ("SET", "a.b=1\nc.d=x y\n", "sets", ("a.b=1", "c.d=x y")),
        ("PROCESSES", "2", "processes", 2),
        ("WORKERS", "3", "workers", 3),
        ("BIND", "127.0.0.1:5557", "bind", "127.0.0.1:5557"),
        ("REPEAT", "4", "repeat", 4),
        ("RESULTS", "kept", "results", "kept"),
        ("UI", "1", "ui", True),
        ("UI_PORT", "8123", "ui_port", 8123),
        ("UI_CLOSE", "1", "ui_close", True),
        ("VERBOSE", "1", "verbose", True),
        ("QUIET", "true", "quiet", True),
        ("JSON", "1", "json", True),
        ("INSECURE", "yes", "insecure", True),
    ],
)
def test_every_option_has_its_variable(
    variable: str,
    text: str,
    field: str,
    value: object,
    asked: list[RunOptions],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"LOADTEST_RUN_{variable}", text)
    main(["run"])
    assert getattr(asked[0], field) == value


def test_the_variable_of_run_comes_before_that_of_all(
    asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADTEST_RESULTS", "of-all")
    main(["run"])
    monkeypatch.setenv("LOADTEST_RUN_RESULTS", "of-run")
    main(["run"])
    assert [options.results for options in asked] == ["of-all", "of-run"]


@pytest.mark.parametrize(
    "typed", [["--connections", "0"], ["--connections", "many"], ["--processes", "0"], ["--repeat", "-1"]]
)
def test_a_number_that_cannot_be_is_told(
    typed: list[str], asked: list[RunOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *typed]) == 2
    assert f"'{typed[0]}'" in capsys.readouterr().err
    assert asked == []


def test_a_wrong_variable_is_named(
    asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOADTEST_RUN_CONNECTIONS", "many")
    assert main(["run"]) == 2
    assert "LOADTEST_RUN_CONNECTIONS" in capsys.readouterr().err
    assert asked == []


def test_a_worker_is_told_its_master(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[tuple[str | None, ...]] = []
    monkeypatch.setattr("loadtest.run.work", lambda *words: joined.append(words))
    assert main(["worker", "--master", "10.0.0.1:5557"]) == 0
    assert main(["worker", "--master", "10.0.0.1:5557", "--key-env", "KEY"]) == 0
    assert joined == [("10.0.0.1:5557", None), ("10.0.0.1:5557", "KEY")]


def test_a_worker_without_a_master_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker"]) == 2
    assert "'--master'" in capsys.readouterr().err
