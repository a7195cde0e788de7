"""A watch of one hour of simulated time: twenty incidents in the first half, a quiet second half."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadtest.live.alerts import Message
from loadtest.live.silences import Silence, add_silence
from loadtest.live.watch import Watch
from loadtest.readiness.evidence import Evidence
from loadtest.readiness.policy import Policy
from tests.readiness.made import down, policy, up

pytestmark = pytest.mark.long

FLAPPING = tuple(f"flap{number}" for number in range(10))
BEGIN, HOUR = 1_757_160_000.0, 3600

POLICY = """every = "30s"
[components.core]
probe = "http"
url = "http://127.0.0.1:1/"
failures = 1
successes = 1
levels = { "latency.p95" = { warn = "> 500ms" } }
[components.api]
probe = "http"
url = "http://127.0.0.1:1/"
levels = { "latency.p95" = { warn = "> 500ms" } }
[components.store]
probe = "redis"
url = "redis://127.0.0.1:1"
through = ["api"]
every = "20s"
failures = 1
levels = { "ping.p95" = { warn = "> 500ms" } }
[components.deep]
probe = "tcp"
host = "h"
port = 1
through = ["store"]
every = "5m"
failures = 1
successes = 1
[components.queue]
probe = "tcp"
host = "h"
port = 1
priority = "important"
[components.mail]
probe = "tcp"
host = "h"
port = 1
priority = "optional"
[alerts]
failures = 2
successes = 2
group = "5s"
escalate_after = "20m"
[alerts.routes.team]
kind = "webhook"
url = "http://127.0.0.1:1/x"
[alerts.routes.pager]
kind = "webhook"
url = "http://127.0.0.1:1/y"
severities = ["critical"]
""" + "".join(
    f'[components.{name}]\nprobe = "tcp"\nhost = "h"\nport = 1\npriority = "important"\nevery = "10s"\n'
    for name in FLAPPING
)

MEASURES = {"core": "latency", "api": "latency", "store": "ping"}
LATE_S = 8.0
"""How much later an end may be told: for the group, and for the question whether it is what is before it."""


@dataclass(frozen=True)
class Trouble:
    part: str
    begin: int
    end: int
    kind: str = "down"
    interval: int = 30

    def at(self, second: float) -> bool:
        """Whether it is to be seen: flapping ones are well at every fourth look."""
        if not self.begin <= second < self.end:
            return False
        return self.kind != "flaps" or int(second) // 10 % 4 != 3


INCIDENTS = (
    Trouble("core", 100, 200),
    Trouble("api", 310, 425),
    Trouble("store", 500, 590, interval=20),
    *(Trouble(name, 600, 900, "flaps", 10) for name in FLAPPING[5:]),
    Trouble("core", 700, 760),
    Trouble("queue", 650, 800),
    Trouble("mail", 700, 820),
    Trouble("api", 950, 1100, "slow"),
    Trouble("core", 950, 1050, "slow"),
    Trouble("store", 1150, 1250, "slow", 20),
    Trouble("queue", 1000, 1200),
    Trouble("deep", 1190, 1600, interval=300),
    Trouble("api", 1310, 1405),
    Trouble("mail", 1320, 1500),
    Trouble("core", 1450, 1550),
    Trouble("queue", 1400, 1560, "silenced"),
)
HIDDEN = (
    Trouble("store", 310, 425),
    Trouble("deep", 310, 425),
    Trouble("deep", 500, 590),
    Trouble("store", 1310, 1405),
)
"""What cannot answer either, because it lies behind something that is down."""

BLIPS = (
    Trouble("api", 2100, 2130),
    Trouble("queue", 2400, 2430),
    Trouble("api", 2700, 2730, "slow"),
    Trouble("flap0", 3000, 3010),
)
"""One look each in the quiet half, of components that are told after two: no incidents."""

KILLED = (333, 410, 705, 1310)
"""A new watch goes on from the disk; the one before was told nothing."""


class Hour:
    """The system, the clock and the receivers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.dies = folder, BEGIN, False
        self.policy = policy(folder, POLICY)
        self.waiting: set[str] = set()
        self.got: list[tuple[float, Message]] = []
        self.blips = set[str]()

    @property
    def second(self) -> float:
        return self.now - BEGIN

    @property
    def busy(self) -> frozenset[str]:
        return frozenset(self.waiting)

    def begin(self, names: Iterable[str]) -> None:
        self.waiting |= set(names)

    def take(self) -> dict[str, Evidence]:
        taken, self.waiting = self.waiting, set()
        return {name: self.look(name) for name in taken}

    def look(self, name: str) -> Evidence:
        kinds = {
            each.kind for each in (*INCIDENTS, *HIDDEN, *BLIPS) if each.part == name and each.at(self.second)
        }
        self.blips |= {each.part for each in BLIPS if each.part == name and each.at(self.second)}
        if name in FLAPPING[:5] and 600 <= self.second < 900 and int(self.second) // 10 % 2:
            kinds.add("down")
        if "slow" in kinds:
            return up(MEASURES[name], 700.0, at=self.now)
        return down(at=self.now) if kinds else up(MEASURES.get(name, "connect"), at=self.now)

    def send(self, _: Policy, message: Message) -> None:
        self.got.append((self.second, message))
        if self.dies and self.second > 1450:
            self.dies = False
            raise KeyboardInterrupt  # it has arrived, and nobody knows

    def watch(self) -> Watch:
        self.waiting = set()
        watch = Watch(
            self.policy, self.folder / "results", {}, prober=self, clock=lambda: self.now, send=self.send
        )
        watch._background.at_once_s = 20  # the clock stands still while a message is sent
        return watch

    def run(self) -> None:
        watch, killed = self.watch(), list(KILLED)
        self.dies = True
        add_silence(
            watch.history.folder,
            Silence("silence", ("queue",), BEGIN + 1350, BEGIN + 1700, "ada", "a new disk"), BEGIN,
        )  # fmt: skip
        while self.second < HOUR:
            try:
                watch.round()
            except KeyboardInterrupt:
                watch = self.watch()
                continue
            if killed and self.second >= killed[0]:
                del killed[0]
                watch = self.watch()
            self.now += 1.0 if self.waiting else max(1.0, min(5.0, watch.pause_s()))


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    made = Hour(tmp_path_factory.mktemp("hour"))
    with pytest.MonkeyPatch.context() as patch:
        # Nothing here loses its power: a thousand waits for a disk tell nothing.
        patch.setattr(os, "fsync", lambda _: None)
        made.run()
    return made


def lines(hour: Hour, route: str) -> list[tuple[float, str]]:
    """What arrived on a route, a message that came twice once: its id is the same."""
    once = {message.id: (at, message) for at, message in reversed(hour.got) if message.route == route}
    return sorted((at, line) for at, message in once.values() for line in message.lines)


def told(hour: Hour, route: str, word: str, trouble: Trouble) -> list[float]:
    """When it was told of the incident."""
    begin, end = (trouble.begin, trouble.end) if word == "ALERT" else (trouble.end, HOUR)
    later = [each.begin for each in INCIDENTS if each.part == trouble.part and each.begin > trouble.begin]
    end = min([*later, HOUR]) if word != "ALERT" else end + 2 * trouble.interval
    return [
        at
        for at, line in lines(hour, route)
        if line.startswith(f"{word} ")
        and line.split(": ")[1].split()[0] == trouble.part
        and begin <= at < end
    ]


def test_there_are_twenty_incidents() -> None:
    assert len(INCIDENTS) == 20


@pytest.mark.parametrize("trouble", INCIDENTS, ids=lambda each: f"{each.part}-{each.begin}")
def test_every_incident_is_told_once_on_its_routes_within_two_intervals_and_its_end_once(
    hour: Hour, trouble: Trouble
) -> None:
    critical = trouble.part in {"core", "api", "store", "deep"} and trouble.kind == "down"
    for route in ("team", "pager"):
        wanted = 0 if trouble.kind == "silenced" or (route == "pager" and not critical) else 1
        begun, over = told(hour, route, "ALERT", trouble), told(hour, route, "RECOVERED", trouble)
        assert (len(begun), len(over)) == (wanted, wanted), (route, begun, over)
        if wanted:
            assert begun[0] - trouble.begin <= 2 * trouble.interval
            assert over[0] - trouble.end <= 2 * trouble.interval + LATE_S


def test_nothing_else_is_told(hour: Hour) -> None:
    alerts = [line for _, line in lines(hour, "team") if not line.startswith("RECOVERED")]
    assert len(alerts) == 19, "\n".join(alerts)


def test_the_quiet_half_has_no_alarm_though_single_looks_fail(hour: Hour) -> None:
    assert hour.blips == {each.part for each in BLIPS}
    late = [line for at, line in lines(hour, "team") if at > HOUR / 2 + 300]
    assert late == []
    assert [line for at, line in lines(hour, "team") if at > HOUR / 2 and line.startswith("ALERT")] == []


def test_the_pager_hears_within_one_interval_while_ten_parts_flap(hour: Hour) -> None:
    begun = told(hour, "pager", "ALERT", Trouble("core", 700, 760))
    assert begun[0] - 700 <= 30


def test_a_message_that_arrived_twice_has_the_same_id(hour: Hour) -> None:
    ids = [message.id for _, message in hour.got]
    assert len(ids) - len(set(ids)) == 1
