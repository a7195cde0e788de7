"""A run that is interrupted, killed, or loses a worker: what was measured is kept, and nobody is deceived."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from loadtest.keep.read import read_run
from loadtest.simulator.process import Simulator
from tests.end_to_end.conftest import Launch, launcher
from tests.end_to_end.running import LOADTEST, LOCUST, WITHIN_S, Ended, Launched, quick, wait_until

pytestmark = pytest.mark.long

LONG = ["agent-burst", *quick("300s")]
UNANSWERED = """
# Turns that nobody answers, so that an interrupt finds them in flight.
name = "unanswered"
protocol = "agent-events"

[target]
url = "URL"

[load]
connections = 4
duration = "300s"

[traffic]
every = "200ms"
timeout = "300s"
"""
LOCUSTFILE = """
from loadtest import AgentUser


class Chat(AgentUser):
    scenario = "agent-burst"
"""


@pytest.fixture(scope="module")
def silent() -> Iterator[Simulator]:
    """A server that answers no turn."""
    with Simulator.start(faults=["blackhole=1"]) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def going(tmp_path_factory: pytest.TempPathFactory, silent: Simulator) -> Iterator[dict[str, Launched]]:
    """Runs that would go on for minutes, side by side; each test ends one of them in its way."""
    folder = tmp_path_factory.mktemp("going")
    (folder / "chat.py").write_text(LOCUSTFILE)
    (folder / "unanswered.toml").write_text(UNANSWERED.replace("URL", silent.url))
    for launch in launcher(folder):
        yield {
            "alone": launch("run", *LONG),
            "two processes": launch("run", *LONG, "--processes", "2"),
            "locust": launch("-f", folder / "chat.py", "--headless", "-t", "300s", command=LOCUST),
            "unanswered": launch("run", folder / "unanswered.toml"),
            "opening": launch("run", *LONG, "--connect-rate", "1/s", "--connections", "200"),
            "twice": launch("run", *LONG),
            "killed": launch("run", *LONG),
            "killed in two": launch("run", *LONG, "--processes", "2"),
        }


def measuring(launched: Launched, seconds: int = 1) -> list[int]:
    """Wait until so many seconds are on disk; the processes it has started."""
    launched.until(lambda: launched.written_seconds() >= seconds)
    return [child.pid for child in psutil.Process(launched.process.pid).children(recursive=True)]


def workers_of(launched: Launched) -> list[psutil.Process]:
    """The processes of a run that drive a share of it."""
    found = []
    for child in psutil.Process(launched.process.pid).children():
        # A child may be gone before it is asked what it is.
        with suppress(psutil.NoSuchProcess):
            if "loadtest.run.local_worker" in child.cmdline():
                found.append(child)
    return found


def interrupted(launched: Launched, number: signal.Signals = signal.SIGINT) -> Ended:
    """Interrupt a run, if that was not done yet, and wait for its end."""
    if launched.process.poll() is None:
        measuring(launched)
        launched.signal(number)
    return launched.end(30)


def nobody_left(pids: list[int]) -> None:
    """Wait until all these processes have ended."""
    assert pids
    wait_until(lambda: not any(map(is_alive, pids)))


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def adds_up(ended: Ended) -> None:
    """The laws of the counts, and the table that they are counted from."""
    turns = ended.manifest["counts"]["turns"]
    outcomes = ("complete", "failed", "timed_out", "lost", "refused", "abandoned")
    assert turns["due"] == turns["begun"] + turns["not_attempted"]
    assert turns["begun"] == sum(turns[outcome] for outcome in outcomes)
    assert len(ended.turns) == turns["due"] > 0
    assert ended.manifest["counts"]["events"]["sent"] == turns["begun"]


def is_marked(ended: Ended) -> None:
    manifest = ended.manifest
    assert ended.code == 130, ended.screen
    assert "Traceback" not in ended.screen
    assert manifest["interrupted"] is True
    assert manifest["verdict"]["outcome"] == "interrupted"
    assert manifest["verdict"]["exit_code"] == 130
    assert "interrupted" in ended.notices
    assert "interrupted" in (ended.folder / "report.md").read_text().lower()


# ------------------------------------------------------------------ interrupted


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("alone", signal.SIGINT),
        ("two processes", signal.SIGTERM),
        ("locust", signal.SIGINT),
        ("opening", signal.SIGINT),
    ],
)
def test_an_interrupted_run_keeps_what_was_measured(
    going: dict[str, Launched], name: str, number: signal.Signals
) -> None:
    children = measuring(going[name])
    ended = interrupted(going[name], number)
    is_marked(ended)
    adds_up(ended)
    assert "worker_lost" not in ended.notices
    assert ended.manifest["metrics"]["turn.completion"]["n"] > 0
    nobody_left(children)


def test_connections_that_were_not_opened_are_not_counted(going: dict[str, Launched]) -> None:
    connections = interrupted(going["opening"]).manifest["counts"]["connections"]
    assert connections["attempted"] == connections["ready"] < 200


def test_an_interrupted_run_is_shown_as_such(going: dict[str, Launched], launch: Launch) -> None:
    again = launch("report", interrupted(going["two processes"]).folder).end()
    assert again.code == 0, again.screen
    assert "INTERRUPTED" in again.out


def test_turns_in_flight_are_abandoned_by_us(going: dict[str, Launched], silent: Simulator) -> None:
    ended = interrupted(going["unanswered"])
    is_marked(ended)
    adds_up(ended)
    turns = ended.manifest["counts"]["turns"]
    assert turns["abandoned"] == turns["begun"] > 0
    wait_until(lambda: silent.stats()["connections"]["open"] == 0)
    assert silent.stats()["messages"]["received"] == turns["begun"]
    assert silent.stats()["connections"]["closed_by_client"] == {"1000": 4}


def test_the_second_interrupt_ends_at_once(going: dict[str, Launched]) -> None:
    launched = going["twice"]
    children = measuring(launched)
    launched.signal(signal.SIGINT)
    deadline = time.monotonic() + 5
    while launched.process.poll() is None and time.monotonic() < deadline:
        launched.signal(signal.SIGINT)
        time.sleep(0.01)
    assert launched.process.poll() == 130
    assert "Traceback" not in launched.err
    (manifest,) = launched.results.glob("*/run.json")
    json.loads(manifest.read_text())
    nobody_left(children)


def test_an_interrupt_before_the_run_leaves_nothing_running(launch: Launch) -> None:
    launched = launch("run", *LONG, "--processes", "2")
    workers: set[int] = set()

    def all_started() -> bool:
        # What else it starts is short-lived: it asks the system something.
        workers.update(child.pid for child in workers_of(launched))
        return len(workers) == 2

    launched.until(all_started)
    launched.signal(signal.SIGINT)
    ended = launched.end()
    assert ended.code == 130, ended.screen
    assert "Traceback" not in ended.screen
    nobody_left([*workers])


# ------------------------------------------------------------------ killed


@pytest.mark.parametrize("name", ["killed", "killed in two"])
def test_a_killed_run_is_shown_as_cut_short(going: dict[str, Launched], launch: Launch, name: str) -> None:
    launched = going[name]
    children = measuring(launched, seconds=3)
    written = launched.written_seconds()
    os.killpg(launched.process.pid, signal.SIGKILL)
    launched.process.wait(10)
    nobody_left(children)
    (folder,) = (path for path in launched.results.iterdir() if path.is_dir())
    manifest = json.loads((folder / "run.json").read_text())
    lasted = time.time() - datetime.fromisoformat(manifest["started"]).timestamp()
    assert manifest["ended"] is None
    assert written <= launched.written_seconds() <= lasted
    again = launch("report", folder, "--format", "terminal,json", "--output", folder / "again").end()
    assert again.code == 0, again.screen
    assert "cut short" in (folder / "again" / "report.txt").read_text().lower()
    judged = json.loads((folder / "again" / "report.json").read_text())
    assert judged["verdict"]["outcome"] == "invalid"
    assert judged["verdict"]["exit_code"] == 4
    (notice,) = [notice for notice in judged["notices"] if notice["code"] == "cut_short"]
    assert notice["spoils"]
    # A hundred turns a second are due: those of the seconds on disk are all there.
    assert judged["counts"]["turns"]["complete"] >= 100 * (written - 1)
    assert judged["metrics"]["turn.completion"]["n"] == judged["counts"]["measured"]["turns"]["complete"]


def test_a_killed_run_loses_at_most_its_last_second(launch: Launch) -> None:
    """What was sent up to a second before the kill is on disk."""
    with Simulator.start() as simulator:
        launched = launch("run", *LONG, "--target", simulator.url)
        measuring(launched, seconds=2)
        sent = simulator.stats()["turns"]["begun"]
        asked = time.monotonic()
        wait_until(lambda: time.monotonic() - asked >= 1.5)
        launched.kill()
        (folder,) = (path for path in launched.results.iterdir() if path.is_dir())
        assert len(read_run(folder).turns()) >= sent


def test_a_killed_worker_makes_the_run_invalid_and_is_named(launch: Launch) -> None:
    short = ["agent-burst", *quick("3s")]
    launched = launch("run", *short, "--processes", "2")
    measuring(launched)
    workers = workers_of(launched)
    assert len(workers) == 2
    workers[1].kill()
    ended = launched.end()
    assert ended.code == 4, ended.screen
    assert ended.manifest["verdict"]["outcome"] == "invalid"
    assert str(workers[1].pid) in ended.notice("worker_lost")["numbers"]["worker"]
    assert str(workers[1].pid) in ended.out
    assert str(workers[0].pid) not in ended.out
    assert "Traceback" not in ended.screen
    assert ended.manifest["counts"]["turns"]["complete"] > 0


# ------------------------------------------------------------------ not read


@pytest.mark.parametrize("how", ["run", "both streams", "locust"])
def test_a_run_whose_reader_left_ends_with_its_verdict(how: str, tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text(LOCUSTFILE)
    commands = {
        "run": [*LOADTEST, "run", "echo-steady", *quick()],
        "both streams": [*LOADTEST, "run", "echo-steady", *quick()],
        "locust": [*LOCUST, "-f", "chat.py", "--headless", "-t", "1s"],
    }
    reader, writer = os.pipe()
    os.close(reader)
    stderr = writer if how == "both streams" else subprocess.PIPE
    ended = subprocess.run(
        commands[how], cwd=tmp_path, stdout=writer, stderr=stderr, timeout=WITHIN_S, check=False
    )
    os.close(writer)
    assert b"Traceback" not in (ended.stderr or b"")
    (manifest,) = (tmp_path / "results").glob("*/run.json")
    assert json.loads(manifest.read_text())["verdict"]["exit_code"] == ended.returncode
    assert manifest.with_name("report.html").exists()
