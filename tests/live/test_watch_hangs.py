"""What hangs holds up neither probes nor the pager: a receiver, a remedy, a component at the beginning."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.live.alerts import Message
from loadtest.live.watch import Watch
from loadtest.readiness.policy import Policy
from tests.end_to_end.running import wait_until
from tests.live.test_watch import ALERTS, World
from tests.readiness.made import SMALL, policy

ROUTES = """
[alerts]
rate = "100/s"
[alerts.routes.team]
kind = "webhook"
url = "http://127.0.0.1:1/x"
[alerts.routes.pager]
kind = "webhook"
url = "http://127.0.0.1:1/y"
severities = ["critical"]
"""


class Hanging(World):
    """A world in which the route of the team never answers, until it is let."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.policy = policy(folder, SMALL + ROUTES)
        self.let, self.sent = threading.Event(), list[tuple[str, str, str]]()

    def send(self, _: Policy, message: Message) -> None:
        if message.route == "team":
            self.let.wait(20)
        self.sent.append((message.route, message.id, message.subject))

    def settle(self, watch: Watch) -> None:
        self.let.set()

        def idle() -> bool:
            watch.round()
            return not watch._background.busy and not watch.state.alerts.outbox

        wait_until(idle)

    def subjects(self, route: str) -> list[str]:
        return [subject.partition(":")[0] for to, _, subject in self.sent if to == route]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Hanging]:
    made = Hanging(tmp_path)
    yield made
    made.let.set()


def impatient(world: World) -> Watch:
    watch = world.watch()
    watch._background.at_once_s = 0.05
    return watch


def test_a_receiver_that_hangs_delays_neither_the_pager_nor_the_probes(world: Hanging) -> None:
    watch = impatient(world)
    world.broken = {"extra"}
    world.go(watch, 20)
    assert watch._background.busy == {"route team"}
    world.broken = {"extra", "api"}
    world.go(watch, 61)
    wait_until(lambda: world.subjects("pager") == ["ALERT critical"])
    assert watch.latest is not None
    assert watch.latest.at >= 1060
    assert world.subjects("team") == []
    world.settle(watch)
    assert world.subjects("team") == ["ALERT warning", "ALERT critical"], "each once, in their order"


def test_a_message_on_its_way_stays_as_it_is_also_when_the_watch_is_killed(world: Hanging) -> None:
    watch = impatient(world)
    world.broken = {"api"}
    world.go(watch, 2)
    (on_its_way,) = (each for each in watch.state.alerts.outbox if each.route == "team")
    world.broken = set()
    killed = impatient(world)
    world.go(killed, 60)
    again = [each for each in killed.state.alerts.outbox if each.route == "team"]
    assert again[0].id == on_its_way.id
    assert again[0].lines == on_its_way.lines, "it may have arrived: what came later is a message of its own"
    world.settle(killed)
    wait_until(lambda: len(world.sent) >= 5)
    ids = {number for route, number, _ in world.sent if route == "team"}
    assert (world.subjects("team").count("ALERT critical"), len(ids)) == (2, 2)


def test_an_error_that_nobody_foresaw_ends_no_watch(world: Hanging) -> None:
    def send(*_: object) -> None:
        raise RuntimeError("a mistake")

    watch, said = world.watch(), list[str]()
    watch.send, watch.said = send, said.append
    world.broken = {"api"}
    world.go(watch, 10)
    assert watch.state.alerts.trouble == dict.fromkeys(("team", "pager"), "RuntimeError: a mistake")
    assert "a message was not delivered; the watch will try again: RuntimeError: a mistake" in said


def test_a_watch_that_ends_by_itself_waits_for_what_is_on_its_way(world: Hanging) -> None:
    watch = impatient(world)
    world.broken = {"api"}
    world.go(watch, 1)
    world.let.set()
    watch.finish()
    assert world.subjects("team") == ["ALERT critical"]
    assert watch.state.alerts.outbox == []


def test_a_remedy_that_takes_long_holds_up_nothing_and_is_judged_once_it_is_over(tmp_path: Path) -> None:
    world = World(tmp_path)
    script = "while [ ! -e go ]; do sleep 0.02; done"
    text = (SMALL + ALERTS).replace('["no-such-program"]', f'["sh", "-c", "{script}"]\ndry_run = false')
    world.policy = policy(tmp_path, text)
    watch = impatient(world)
    watch.act = True
    world.broken = {"api"}
    world.go(watch, 200)
    assert "remedy api" in watch._background.busy
    asked = [at - 1000 for at, names in world.asked if "extra" in names]
    assert asked == [0, 60, 120, 180]
    audit = tmp_path / "results/readiness/policy/audit.jsonl"
    assert not audit.exists(), "whether it helps is not known while it runs"
    (tmp_path / "go").touch()
    watch.finish()
    world.go(watch, 10)
    entries = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [each["step"] for each in entries] == ["act", "did not help"]
    assert entries[0]["said"] == "sh ended with 0"
    assert entries[1]["at"] - entries[0]["at"] == pytest.approx(5, abs=1)


def test_one_that_is_slow_when_the_watch_begins_does_not_silence_the_others(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.slow, world.broken = {"store": 600}, {"api"}
    watch = world.watch()
    world.go(watch, 29)
    assert watch.latest is None
    world.go(watch, 3)
    assert [subject.partition(" and ")[0] for subject in world.got] == ["ALERT critical: api down"]
    assert watch.latest is not None
    assert watch.latest.components[1].said == "it was not probed"
    world.slow, world.broken = {}, set()
    world.go(watch, 600)
    assert [subject.split()[0] for subject in world.got] == ["ALERT", "RECOVERED"]


def test_rounds_are_of_all_components_however_slow_one_is(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.slow = {"store": 100}
    watch = world.watch()
    watch.first_s = float("inf")
    world.go(watch, 99)
    assert watch.latest is None
    world.go(watch, 3)
    assert watch.latest is not None
    assert [row.status for row in watch.latest.components] == ["healthy"] * 3
