"""The chaos scenarios that ship hold against the simulator, made short; and can be missed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtest.judge.measurement_window import slow_reader_users
from loadtest.keep.slowest import read_slowest
from loadtest.plan.shipped import shipped_text
from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.running import LOCUST, Ended

pytestmark = pytest.mark.long

SHORT = ["--duration", "3s", "--set", "load.warmup=1s", "--set", "load.connect_rate=1000/s"]
CUT_SOON = ["--set", "chaos.cut.at=2s"]

RUNS: dict[str, list[str]] = {
    "reconnect-storm": [*SHORT, *CUT_SOON],
    "isolation": SHORT,
    "idle-hold": [*SHORT, "--set", "traffic.ping=500ms", "--set", "thresholds.ping.rtt.p99=< 2s"],
    "slow-reader": [*SHORT, "--set", "thresholds.turn.completion.n=>= 118"],
    "leaver": [
        *SHORT,
        *("--set", "traffic.every=300ms", "--set", "thresholds.turns.abandoned=>= 5"),
        *(
            "--set",
            "thresholds.connections.reconnected=>= 5",
            "--set",
            "thresholds.turns.complete.ratio=>= 70%",
        ),
    ],
    "malformed": SHORT,
    "limit-probe": [*SHORT, "--set", "thresholds.rates.turns_per_s=<= 30/s"],
}

MISSED: dict[str, tuple[list[str], str]] = {
    "nobody comes back": (
        ["reconnect-storm", *RUNS["reconnect-storm"], "--set", "load.reconnect=false"],
        "connections.reconnected",
    ),
    "an event of another user": (
        ["isolation", *RUNS["isolation"], "--set", 'target.faults=["leak=1%"]'],
        "events.foreign",
    ),
    "peers that are dead": (
        ["idle-hold", *RUNS["idle-hold"], "--set", 'target.faults=["no-pong"]'],
        "connections.closed",
    ),
    "no limit": (
        ["limit-probe", *RUNS["limit-probe"], "--set", "target.faults=[]"],
        "connections.ready.peak",
    ),
    "a door that is shut to who comes back": (
        [
            "reconnect-storm",
            *RUNS["reconnect-storm"],
            *("--set", "load.reconnect.tries=1"),
            "--set",
            'target.faults=["refuse=503,0.4"]',
        ],
        "connections.reconnected",
    ),
}

LOCUSTFILE = """
from locust import task

from loadtest import AgentUser


class Asker(AgentUser):
    scenario = {scenario!r}

    @task
    def ask(self):
        self.turn(question="And compared with July?")
"""


@pytest.fixture(scope="module")
def runs(begin: Begin) -> dict[str, Awaited]:
    started = {name: begin("run", name, *words, "--verbose") for name, words in RUNS.items()}
    started["two processes"] = begin(
        "run", "reconnect-storm", *RUNS["reconnect-storm"], "--processes", "2", "--verbose"
    )
    return started


@pytest.fixture(scope="module")
def missed(begin: Begin) -> dict[str, Awaited]:
    return {name: begin("run", *words) for name, (words, _) in MISSED.items()}


@pytest.fixture(scope="module")
def tasks(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Awaited:
    """Users of a locustfile whose connections are cut."""
    folder = tmp_path_factory.mktemp("tasks")
    text = shipped_text("scenario", "reconnect-storm").replace('at = "5s"', 'at = "1s"')
    text = text.replace('warmup = "2s"', 'warmup = "0s"').replace("connections = 40", "connections = 10")
    text = text.replace('"connections.reconnected" = "== 20"', '"connections.reconnected" = "== 5"')
    text = text.replace('">= 98%"', '">= 90%"')
    (folder / "storm.toml").write_text(text)
    (folder / "asker.py").write_text(LOCUSTFILE.format(scenario=str(folder / "storm.toml")))
    return begin("-f", folder / "asker.py", "--headless", "-t", "2s", command=LOCUST)


def counts(ended: Ended, group: str) -> dict[str, int]:
    found: dict[str, int] = ended.manifest["counts"].get(group, {})
    return found


@pytest.mark.parametrize("name", RUNS)
def test_a_shipped_scenario_holds_and_says_what_was_done_on_purpose(
    runs: dict[str, Awaited], name: str
) -> None:
    ended = runs[name].end()
    assert ended.code == 0, ended.screen
    assert {row["outcome"] for row in ended.manifest["verdict"]["thresholds"]} == {"held"}
    # What we do on purpose is no fault of the target's, and none of ours.
    assert not ended.notices & {
        "delivery_faults", "unexpected_closes", "load_not_reached_by_generator", "ledger_does_not_add_up",
        "pings_unanswered", "foreign_events",
    }, ended.screen  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", MISSED)
def test_it_can_be_missed(missed: dict[str, Awaited], name: str) -> None:
    ended = missed[name].end()
    assert ended.code == 1, ended.screen
    outcomes = {row["name"]: row["outcome"] for row in ended.manifest["verdict"]["thresholds"]}
    assert outcomes[MISSED[name][1]] == "missed"


@pytest.mark.parametrize("name", ["reconnect-storm", "two processes"])
def test_exactly_half_are_cut_and_all_come_back(runs: dict[str, Awaited], name: str) -> None:
    ended = runs[name].end()
    assert ended.code == 0, ended.screen
    connections = counts(ended, "connections")
    told = {key: connections[key] for key in ("attempted", "ready", "cut", "reconnected", "left", "peak")}
    assert told == {"attempted": 60, "ready": 60, "cut": 20, "reconnected": 20, "left": 40, "peak": 40}
    assert connections["closed"] == connections["refused"] == {}
    assert ended.manifest["metrics"]["reconnect.time"]["n"] == 20
    assert ended.manifest["rates"]["connections_per_s"]["n"] == 40
    turns = counts(ended, "turns")
    assert turns["complete"] + turns["lost"] == turns["due"]
    assert "cut by us, as planned 20" in " ".join(ended.screen.split())


def test_two_processes_cut_the_same_users(runs: dict[str, Awaited]) -> None:
    """Who lost a turn is among the same twenty."""
    ended = runs["two processes"].end()
    assert ended.manifest["generator"]["processes"] == 2
    late = {name: _late_users(runs[name].end()) for name in ("reconnect-storm", "two processes")}
    assert len(set().union(*late.values())) <= 20


def _late_users(ended: Ended) -> set[int]:
    lost = ended.turns["outcome"] == 3
    return set(ended.turns["user"][lost].tolist())


@pytest.mark.long
def test_who_is_dead_is_told_apart_from_who_was_closed(missed: dict[str, Awaited]) -> None:
    connections = counts(missed["peers that are dead"].end(), "connections")
    assert connections["ended_by_us"] == {"silent": 200}
    assert connections["closed"] == {"1006": 200}


def test_slow_readers_are_counted_and_their_times_left_out(runs: dict[str, Awaited]) -> None:
    ended = runs["slow-reader"].end()
    slow = slow_reader_users(ended.manifest)
    assert len(slow) == 10
    turns = ended.turns[ended.turns["phase"] == 1]
    others = ~np.isin(turns["user"], list(slow))
    assert ended.manifest["metrics"]["turn.completion"]["n"] == np.count_nonzero(others) == 120
    assert counts(ended, "turns")["due"] == len(ended.turns)
    theirs = ended.manifest["slow_readers"]["metrics"]
    assert theirs["send.lateness"]["n"] == np.count_nonzero(~others & (turns["sent_ns"] >= 0)) > 0
    assert b"Tag=slow:turn." in (ended.folder / "intervals.hlog").read_bytes()
    assert b"Tag=turn.completion," in (ended.folder / "intervals.hlog").read_bytes()


def test_broken_messages_and_leavers_are_counted(runs: dict[str, Awaited]) -> None:
    chaos = counts(runs["malformed"].end(), "chaos")
    kinds = ("truncated", "wrong_type", "empty", "long")
    assert chaos["malformed.sent"] == sum(chaos[f"malformed.sent.{kind}"] for kind in kinds) > 20
    ended = runs["leaver"].end()
    # Whose last answer is late may leave with a second turn in flight.
    assert counts(ended, "turns")["abandoned"] >= counts(ended, "chaos")["leavers.left"] >= 5


@pytest.mark.long
def test_foreign_events_end_the_run_and_their_frames_are_kept(missed: dict[str, Awaited]) -> None:
    ended = missed["an event of another user"].end()
    assert "aborted" in ended.notices
    assert counts(ended, "turns")["due"] < ended.manifest["load"]["planned"]["turns_due"]
    kinds = [entry["kind"] for entry in read_slowest(ended.folder / "slowest.jsonl")]
    assert "foreign" in kinds


def test_tasks_go_on_after_a_cut(tasks: Awaited) -> None:
    ended = tasks.end()
    assert ended.code == 0, ended.screen
    assert "Traceback" not in ended.screen
    connections = counts(ended, "connections")
    assert (connections["cut"], connections["reconnected"]) == (5, 5)
    users = ended.turns["user"][ended.turns["sent_ns"] > 1_500_000_000]
    assert set(users.tolist()) == set(range(10)), "everybody asks on, those who were cut as well"


ECHO = """
# Is a credential that the target sends back kept?
name = "echoed"
protocol = "echo"

[target]
url = "simulator"
identities = "users.csv"
headers = { Authorization = "Bearer {user.seat}" }

[load]
connections = 2
duration = "1s"

[traffic]
every = "200ms"
message = '{"id":"{turn.id}","user":"{user.id}","note":"it is {user.seat}, {user.api_token}."}'

[chaos]
cut = { share = "50%", at = "500ms" }
"""
SECRETS = ["seat-0123456789abcdef", "seat-fedcba9876543210", "api+key/one==", "api+key/two=="]


def test_a_credential_that_the_target_sends_back_is_not_kept(begin: Begin, tmp_path: Path) -> None:
    """The frames of the slowest turns are evidence, and show everything else."""
    (tmp_path / "echoed.toml").write_text(ECHO)
    rows = [f"{user},{SECRETS[user]},{SECRETS[user + 2]}" for user in range(2)]
    (tmp_path / "users.csv").write_text("\n".join(["id,seat,api_token", *rows]))
    ended = begin("run", tmp_path / "echoed.toml").end()
    assert ended.code == 0, ended.screen
    evidence = (ended.folder / "slowest.jsonl").read_text("utf-8")
    assert "it is [redacted], [redacted]" in evidence
    for path in [path for path in ended.folder.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        assert not [secret for secret in SECRETS if secret.encode() in content], path
    assert not [secret for secret in SECRETS if secret in ended.screen]
