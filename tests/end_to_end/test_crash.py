"""A mistake of ours ends with 70 and one sentence; what was kept is kept, and nothing hangs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Awaited, Begin, Launch
from tests.end_to_end.running import LOCUST, Ended, quick

pytestmark = pytest.mark.long

BROKEN = '''
"""The command, with one thing broken, and only after the run has begun to measure."""

import sys
{patch}
from loadtest.cli import main

sys.exit(main())
'''

RECEIVE = """
from loadtest.speak.session import Session

whole, seen = Session.receive, [0]

def receive(self, payloads, at_ns, *more):
    seen[0] += 1
    if seen[0] == 60:
        raise RuntimeError("made to fail")
    return whole(self, payloads, at_ns, *more)

Session.receive = receive
"""

JUDGE = """
import loadtest.run.run_recorder as recording

def judge_run(*_):
    raise RuntimeError("made to fail")

recording.judge_run = judge_run
"""

SHOW = """
import loadtest.run.reporting as showing

def show_run(*_, **__):
    raise RuntimeError("made to fail")

showing.show_run = show_run
"""

WORKER = """
from loadtest.run import locust_runner

real = locust_runner.subprocess.Popen

def start(command, **options):
    if "loadtest.run.local_worker" in command:
        command = [sys.executable, {child!r}, *command[3:]]
    return real(command, **options)

locust_runner.subprocess.Popen = start
"""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder for each broken command: of its script, and of the details of its crash."""
    root = tmp_path_factory.mktemp("broken")
    return lambda name: root / name


@pytest.fixture(scope="module")
def crashes(begin: Begin, places: Callable[[str], Path]) -> dict[str, Awaited]:
    def broken(name: str, patch: str, *words: str) -> Awaited:
        places(name).mkdir()
        script = places(name) / "broken.py"
        script.write_text(BROKEN.format(patch=patch))
        command = (sys.executable, str(script))
        return begin("run", "agent-burst", *words, command=command, environment={"TMPDIR": str(places(name))})

    locustfile, child = places("chat.py"), places("child.py")
    chat = "from loadtest import AgentUser\nclass Chat(AgentUser):\n    scenario = 'agent-burst'\n"
    locustfile.write_text(RECEIVE + chat)
    child.write_text(f"import sys\n{RECEIVE}\nfrom loadtest.run.local_worker import main\nsys.exit(main())\n")
    return {
        "conversation": broken("conversation", RECEIVE, *quick("90s")),
        "judge": broken("judge", JUDGE, *quick()),
        "show": broken("show", SHOW, *quick()),
        "worker": broken("worker", WORKER.format(child=str(child)), *quick("90s"), "--processes", "2"),
        "locust": begin("-f", locustfile, "--headless", "-t", "90s", command=LOCUST),
    }


def is_internal(ended: Ended, folder: Path) -> None:
    assert ended.code == 70, ended.screen
    assert "Traceback" not in ended.screen
    assert "internal error" in ended.err
    assert "this is a bug in loadtest" in ended.err
    (details,) = folder.glob("loadtest-crash-*.txt")
    assert str(details) in ended.err
    assert "made to fail" in details.read_text()
    assert ended.folder.is_dir()


def test_a_crash_of_the_conversation(crashes: dict[str, Awaited], places: Callable[[str], Path]) -> None:
    ended = crashes["conversation"].end()
    is_internal(ended, places("conversation"))
    manifest = ended.manifest
    assert manifest["verdict"]["outcome"] == "error"
    assert manifest["verdict"]["exit_code"] == 70
    assert manifest["ended"] is not None
    assert manifest["duration_s"] < 80
    assert len(ended.turns) > 0


@pytest.mark.parametrize("name", ["judge", "show"])
def test_a_crash_after_the_run(
    crashes: dict[str, Awaited], places: Callable[[str], Path], launch: Launch, name: str
) -> None:
    ended = crashes[name].end()
    is_internal(ended, places(name))
    again = launch("report", ended.folder, "--format", "json").end()
    assert again.code == 0, again.screen
    assert json.loads(again.out)["counts"]["turns"]["complete"] == 100


@pytest.mark.parametrize("name", ["locust", "worker"])
def test_a_crash_elsewhere(crashes: dict[str, Awaited], name: str) -> None:
    """Under plain Locust, and in a worker process."""
    ended = crashes[name].end()
    assert ended.code == 70, ended.screen
    assert "Traceback" not in ended.screen
    assert ended.manifest["verdict"]["exit_code"] == 70
    assert ended.manifest["duration_s"] < 80
