from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.conftest import RunIt
from tests.end_to_end.running import quick
from tests.run.conftest import InProcess


def test_every_repeat_leaves_a_folder_and_is_listed(run: RunIt) -> None:
    ended = run("run", *quick(), "--target", "ws://127.0.0.1:1/ws", "--repeat", "2", "--quiet")
    assert ended.code == 3, ended.screen
    assert len(ended.folders) == 2
    assert "exit codes: 3, 3; the command ends with the worst: 3" in ended.out
    assert "run 2 of 2" in ended.err


def test_repeats_stand_beside_each_other_at_the_end(run: RunIt) -> None:
    ended = run("run", *quick(), "--target", "ws://127.0.0.1:1/ws", "--repeat", "2")
    table = ended.out[ended.out.rindex("run 1") :].splitlines()
    assert table[0].split() == ["run", "1", "run", "2"]
    assert table[1].split() == ["verdict", "UNREACHABLE", "UNREACHABLE"]
    assert ended.out.endswith("\nexit codes: 3, 3; the command ends with the worst: 3\n")


def test_a_mistake_ends_before_the_first_run(run: RunIt) -> None:
    ended = run("run", "agent-burst", "--set", "load.conections=3", "--repeat", "3")
    assert ended.code == 2
    assert "run 1 of 3" not in ended.err or ended.err.count("run ") == 1
    assert ended.folders == []


def test_quiet_says_the_verdict_and_where_the_rest_is(run: RunIt) -> None:
    ended = run("run", "agent-burst", *quick(), "--target", "ws://127.0.0.1:1/ws", "--quiet")
    assert len(ended.out.splitlines()) == 2, ended.out
    verdict, place = ended.out.splitlines()
    assert verdict.startswith("UNREACHABLE")
    assert place == f"results/{ended.folder.name}"
    assert ended.err == ""


NOBODY = ("--target", "ws://127.0.0.1:1/ws")


def test_a_short_screen_is_printed_with_the_verdict_first_and_last(run: RunIt) -> None:
    ended = run("run", "agent-burst", *quick(), *NOBODY)
    lines = ended.out.splitlines()
    assert len(lines) <= 20
    assert lines[0].startswith("UNREACHABLE")
    assert lines[-2] == f"  Report  results/{ended.folder.name}/report.html"
    assert lines[-1].startswith("UNREACHABLE, exit code 3: ")


def test_verbose_prints_the_whole_report(run: RunIt) -> None:
    ended = run("run", "agent-burst", *quick(), *NOBODY, "--verbose")
    assert "\n  ! refused_connections\n" in ended.out
    assert ended.out.startswith("agent-burst\n")


def test_json_prints_run_json_and_a_ci_service_gets_its_own_lines_on_stderr(run: RunIt) -> None:
    ended = run("run", "agent-burst", *quick(), *NOBODY, "--json", environment={"GITHUB_ACTIONS": "true"})
    assert ended.code == 3
    assert json.loads(ended.out) == ended.manifest
    assert ended.manifest["verdict"]["outcome"] == "unreachable"
    assert (ended.folder / "report.html").exists()
    assert "::error title=loadtest agent-burst::connections.ready.peak was 0 (n=20), not > 10\n" in ended.err


def test_a_target_elsewhere_is_named_with_its_address_before_the_first_byte(python: InProcess) -> None:
    script = """
        import sys
        from loadtest.drive import endpoint
        endpoint.Endpoint.is_loopback = property(lambda self: False)
        from loadtest.cli import main
        sys.exit(main(sys.argv[1:]))
    """
    ended = python(script, "run", "agent-burst", *quick(), "--target", "ws://localhost:1/ws", "--quiet")
    assert ended.code == 3, ended.screen
    assert "sending to ws://localhost:1/ws at 127.0.0.1:1" in ended.err


def test_a_typing_mistake_is_told_before_locust_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(
        'name = "wrong"\nprotocol = "echo"\n[target]\nurl = "simulator"\n[load]\nconections = 3\n'
    )
    code = (
        "import sys\nfrom loadtest.errors import ConfigError\nfrom loadtest.run import RunOptions,"
        f" execute\ntry:\n    execute(RunOptions(scenario={str(path)!r}))\nexcept ConfigError as error:\n   "
        f" print(error.problems[0].sentence)\nprint(sorted({{'locust', 'gevent'}} & set(sys.modules)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    sentence, modules = ended.stdout.splitlines()
    assert "conections" in sentence
    assert modules == "[]"
