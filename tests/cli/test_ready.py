"""The command line of ``loadtest ready`` and ``loadtest watch``: wrong questions, and where views go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.cli.ready import FORMATS
from loadtest.readiness.policy_file import load_policy
from loadtest.readiness.views.formats import FILES
from tests.end_to_end.parts import free_port

POLICY = """# Does it answer?
[components.answer]
probe = "command"
command = ["true"]
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return str(path)


@pytest.fixture
def results(tmp_path: Path) -> list[str]:
    return ["--results", str(tmp_path / "results")]


def test_a_go_is_printed_with_the_place_of_its_report(
    policy: str, results: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ready", policy, *results]) == 0
    shown = capsys.readouterr().out
    assert "GO  exit code 0" in shown
    report = Path(shown.rpartition("Report  ")[2].splitlines()[0])
    assert sorted(path.name for path in report.parent.iterdir()) == ["ready.html", "ready.json"]


def test_every_view_can_be_asked_for() -> None:
    assert tuple(FILES) == FORMATS


def test_quiet_is_two_lines(policy: str, results: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ready", policy, "--quiet", *results]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_an_assessment_tells_of_the_alerts_of_its_watch(
    policy: str, results: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    route = f'[alerts.routes.team]\nkind = "webhook"\nurl = "http://127.0.0.1:{free_port()}/"\n'
    Path(policy).write_text(POLICY.replace("true", "false") + route)
    assert main(["watch", policy, "--rounds", "1", "--quiet", *results]) == 1
    capsys.readouterr()
    assert main(["ready", policy, "--format", "json", *results]) == 1
    seen = json.loads(capsys.readouterr().out)["monitoring"]
    assert (seen["running"], seen["routes"][0]["waiting"]) == (False, 1)
    assert seen["incidents"][0]["title"] == "answer down"


def test_set_changes_the_policy(policy: str, results: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ready", policy, "--set", 'components.answer.command=["false"]', *results]) == 1
    assert "NO-GO" in capsys.readouterr().out


def test_a_policy_that_ships_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ready", "--show", "ready"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# May the agent backend")
    (tmp_path / "mine.toml").write_text(shown)
    assert load_policy(tmp_path / "mine.toml").name == "ready"
    assert main(["ready", "--show", "agent-burst"]) == 2
    assert "no policy `agent-burst` ships" in capsys.readouterr().err


def test_a_target_is_where_the_parts_are_asked(
    results: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    assert main(["ready", "--target", f"ws://127.0.0.1:{port}/chat", "--format", "json", *results]) == 1
    backend, websocket, _ = json.loads(capsys.readouterr().out)["components"]
    assert f"http://127.0.0.1:{port}/health" in backend["lines"][0]
    assert (backend["status"], backend["error"], websocket["error"]) == ("down", "refused", "through")


def test_one_format_on_stdout_several_in_a_folder(
    policy: str, results: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["ready", policy, "--format", "pdf", *results]) == 0
    assert capfdbinary.readouterr().out.startswith(b"%PDF-")
    output = tmp_path / "public"
    assert main(["ready", policy, "--format", "html,junit", "--output", str(output), *results]) == 0
    assert sorted(path.name for path in output.iterdir()) == ["ready.html", "ready.xml"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--format", "html,pdf"], "several formats need --output FOLDER"),
        (["--format", "hmtl"], 'did you mean "html"?'),
        (["--set", "components.answer.prob=x"], "did you mean `probe`?"),
        (["--set", "nothing"], "is not KEY=VALUE"),
        (["--target", "ws://127.0.0.1:1/ws"], "--target: the policy has no WebSocket component"),
        (["--target", "http://127.0.0.1:1/"], '--target: "http://127.0.0.1:1/" is not a ws:// or wss:// URL'),
    ],
)
def test_what_is_asked_for_wrongly_is_told_and_nothing_is_asked(
    policy: str,
    results: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentence: str,
) -> None:
    assert main(["ready", policy, *words, *results]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_policy_that_is_none_tells_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ready", "redy"]) == 2
    assert "did you mean `ready`?" in capsys.readouterr().err


def test_watch_ends_after_its_rounds(
    policy: str, results: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["watch", policy, "--rounds", "1", *results]) == 0
    assert "GO: answer healthy" in capsys.readouterr().out
    assert main(["watch", policy, "--serve", "x", *results]) == 2
    assert "--serve 8790" in capsys.readouterr().err


def test_a_last_report_that_cannot_be_read_holds_up_no_new_one(
    policy: str, results: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ready", policy, *results]) == 0
    (kept,) = Path(results[1]).glob("readiness/policy/*/ready.json")
    kept.write_text('{"schema": ')
    assert main(["ready", policy, *results]) == 0
    kept.parent.rename(kept.parent.with_name("99990101T000000Z"))
    assert main(["ready", policy, "--since", "LAST", *results]) == 2
    assert "cannot be read" in capsys.readouterr().err
