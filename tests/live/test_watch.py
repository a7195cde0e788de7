"""The watch itself, with probes and receivers of its own and a clock that is told the time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.live.alerts import Message
from loadtest.live.notifiers import DeliveryError
from loadtest.live.watch import Watch
from loadtest.live.watch_state import load, only_one
from loadtest.readiness.evidence import Evidence
from loadtest.readiness.policy import Policy
from tests.end_to_end.running import wait_until
from tests.readiness.made import SMALL, down, policy, up

ALERTS = """
[alerts]
rate = "100/s"
[alerts.routes.hook]
kind = "webhook"
url = "http://127.0.0.1:1/x"
[remedies.api]
command = ["no-such-program"]
after = 2
verify_after = "5s"
"""


class World:
    """A system whose components are up or down as told, and receivers that get or refuse."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.broken = folder, 1000.0, set[str]()
        self.got: list[str] = []
        self.asked: list[tuple[float, tuple[str, ...]]] = []
        self.refuses = self.dies = False
        self.slow: dict[str, float] = {}
        self.policy = policy(
            folder, SMALL.replace("[components.extra]", '[components.extra]\nevery = "15s"') + ALERTS
        )

    def watch(self) -> Watch:
        self.going: dict[str, float] = {}
        watch = Watch(
            self.policy, self.folder / "results", {}, prober=self, clock=lambda: self.now, send=self.send
        )
        watch._background.at_once_s = 20  # the clock stands still while a message is sent
        return watch

    @property
    def busy(self) -> frozenset[str]:
        return frozenset(self.going)

    def begin(self, names: Iterable[str]) -> None:
        if asked := tuple(names):
            self.asked.append((self.now, asked))
        self.going |= {name: self.now + self.slow.get(name, 0) for name in asked}

    def take(self) -> dict[str, Evidence]:
        kinds = {"api": "latency", "store": "ping", "extra": "connect"}
        done = [name for name, at in self.going.items() if at <= self.now]
        self.going = {name: at for name, at in self.going.items() if name not in done}
        return {
            name: down(at=self.now) if name in self.broken else up(kinds[name], at=self.now) for name in done
        }

    def send(self, _: Policy, message: Message) -> None:
        if self.dies:
            raise KeyboardInterrupt
        if self.refuses:
            raise DeliveryError("the route hook (webhook) failed")
        self.got.append(message.subject)

    def go(self, watch: Watch, for_s: float) -> None:
        until = self.now + for_s
        while self.now < until:
            watch.round()
            self.now += 1


def test_each_part_is_asked_at_its_own_interval(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.go(world.watch(), 61)
    extra = [at - 1000 for at, names in world.asked if "extra" in names]
    api = [at - 1000 for at, names in world.asked if "api" in names]
    assert (extra, api) == ([0, 15, 30, 45, 60], [0, 60])


def test_an_outage_is_told_and_its_end(tmp_path: Path) -> None:
    world = World(tmp_path)
    watch = world.watch()
    world.go(watch, 60)
    world.broken = {"api"}
    world.go(watch, 60)
    world.broken = set()
    world.go(watch, 60)
    assert [subject.split(":")[0] for subject in world.got] == ["ALERT critical", "RECOVERED critical"]


@pytest.mark.parametrize("restart_at", [0, 59, 60, 61, 119, 120, 121])
def test_a_watch_that_is_killed_and_started_again_loses_and_repeats_none(
    tmp_path: Path, restart_at: int
) -> None:
    world = World(tmp_path)
    watch = world.watch()
    for second in range(200):
        if second == restart_at:
            watch = world.watch()
        world.broken = {"api"} if 60 <= second < 120 else set()
        world.go(watch, 1)
    assert [subject.split(":")[0] for subject in world.got] == ["ALERT critical", "RECOVERED critical"]


def test_a_message_that_could_not_be_sent_is_sent_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.broken, world.refuses = {"api"}, True
    world.go(world.watch(), 3)
    assert world.got == []
    world.refuses = False
    world.go(world.watch(), 20)
    assert len(world.got) == 1


def test_a_watch_that_dies_while_it_sends_sends_it_after_a_restart_and_tells_nothing_twice(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.broken, world.dies = {"api"}, True
    with pytest.raises(KeyboardInterrupt):
        world.watch().round()
    world.dies, world.broken = False, set()
    world.go(world.watch(), 70)
    assert [subject.split(":")[0] for subject in world.got] == ["ALERT critical", "RECOVERED critical"]


def test_a_remedy_is_told_not_run_and_stands_in_the_audit_log(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.broken = {"api"}
    world.go(world.watch(), 190)
    lines = (tmp_path / "results/readiness/policy/audit.jsonl").read_text().splitlines()
    entry = json.loads(lines[0])
    assert (entry["step"], entry["dry_run"], entry["command"]) == ("act", True, "no-such-program")
    assert "dry run" in entry["said"]
    assert [json.loads(line)["step"] for line in lines[1:]] == [], "a dry run neither helps nor fails to"
    asked = [at - 1000 for at, names in world.asked if "api" in names]
    assert asked[:3] == [0, 60, 65], "the component is asked again to see whether the remedy helped"


def test_a_remedy_that_is_no_dry_run_runs_only_when_told_to(tmp_path: Path) -> None:
    world = World(tmp_path)
    done = tmp_path / "done"
    text = (SMALL + ALERTS).replace('["no-such-program"]', f'["touch", "{done}"]\ndry_run = false')
    world.policy = policy(tmp_path, text)
    world.broken = {"api"}
    world.go(world.watch(), 70)
    assert not done.exists()
    watch = world.watch()
    watch.act = True
    world.go(watch, 400)
    assert done.exists()


def test_only_one_watch_per_policy(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(ConfigError, match="another"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_a_state_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "watch.json").write_text('{"alerts": 3}')
    with pytest.raises(ConfigError, match="move the file away"):
        load(tmp_path)


def test_whole_assessments_are_kept_when_something_changes_and_summaries_always(tmp_path: Path) -> None:
    world = World(tmp_path)
    watch = world.watch()
    world.go(watch, 120)
    world.broken = {"api"}
    world.go(watch, 30)
    folder = tmp_path / "results/readiness/policy"
    assert len((folder / "summaries.jsonl").read_text().splitlines()) == len(world.asked)
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2


def test_one_that_is_slow_holds_up_no_other(tmp_path: Path) -> None:
    world = World(tmp_path)
    watch = world.watch()
    world.go(watch, 10)
    world.slow = {"store": 100}
    world.go(watch, 50)
    world.broken = {"api"}
    world.go(watch, 20)
    assert [subject.split(":")[0] for subject in world.got] == ["ALERT critical"]
    extra = [at - 1000 for at, names in world.asked if "extra" in names]
    assert extra == [0, 15, 30, 45, 60, 75]


def test_what_waits_for_its_group_and_what_lasts_is_told_between_two_askings(tmp_path: Path) -> None:
    world = World(tmp_path)
    text = SMALL + ALERTS.replace("[alerts]", '[alerts]\ngroup = "10s"\nescalate_after = "30s"')
    world.policy = policy(tmp_path, text.replace('probe = "http"', 'probe = "http"\nevery = "10m"'))
    world.broken = {"api"}
    world.go(world.watch(), 59)
    assert [subject.split()[0] for subject in world.got] == ["ALERT", "ESCALATED"]


def test_a_clock_that_is_put_back_a_day_silences_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.now = 100_000.0
    watch = world.watch()
    world.broken = {"api"}
    world.go(watch, 5)
    world.broken = set()
    world.go(watch, 60)
    world.now -= 86_400
    world.go(watch, 61)
    world.broken = {"api"}
    world.go(watch, 65)
    assert [subject.split()[0] for subject in world.got] == ["ALERT", "RECOVERED", "ALERT"]


def test_a_disk_that_is_full_ends_no_watch_and_loses_no_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    world, told = World(tmp_path), list[str]()
    watch = world.watch()
    watch.said = told.append
    world.go(watch, 10)
    for place in (
        "live.watch_state.save",
        "readiness.history.History.note",
        "readiness.history.History.keep",
    ):
        monkeypatch.setattr(f"loadtest.{place}", full)
    monkeypatch.setattr("loadtest.live.watch_state.audit", full)
    world.broken = {"api"}
    world.go(watch, 120)
    assert [subject.split()[0] for subject in world.got] == ["ALERT"]
    assert sum("No space left" in each for each in told) == 1


def test_several_parts_that_are_down_are_one_failure_in_a_row_per_round(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.broken, world.slow = {"api", "store"}, {"store": 10}
    world.policy = policy(tmp_path, SMALL.replace('through = ["api"]\n', "") + ALERTS)
    watch = world.watch()
    world.go(watch, 185)
    assert watch.latest is not None
    in_a_row = watch.latest.figures["failures.in_a_row"].value
    asked = sum("api" in names for _, names in world.asked)
    assert (in_a_row, asked) == (4, 4)


def test_a_part_that_the_policy_no_longer_has_is_closed_and_not_escalated(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.broken = {"extra", "api"}
    world.go(world.watch(), 5)
    before, _, rest = SMALL.partition("[components.extra]")
    after = rest[rest.index("[functions.chat]") :]
    text = before + after.partition("[functions.look]")[0] + rest[rest.index("[[criteria]]") :] + ALERTS
    world.policy, world.broken = policy(tmp_path, text), set()
    watch = world.watch()
    world.go(watch, 400)
    assert watch.latest is not None
    assert sorted(load(watch.history.folder).alerts.incidents) == []
    words = [subject.split(":")[0] for subject in world.got]
    assert words.count("ESCALATED critical") == 0
    kept = watch.history.find("LAST")
    assert kept is not None


def test_after_a_start_the_first_report_says_what_changed_in_the_policy(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.go(world.watch(), 5)
    world.policy = policy(tmp_path, SMALL.replace('users = "90%"', 'users = "80%"') + ALERTS)
    watch = world.watch()
    world.now += 100
    first = watch.round()
    assert first is not None
    assert 'policy functions.chat.users: "90%" → "80%"' in (first.changes or ())


def test_an_alert_is_sent_before_a_remedy_is_tried(tmp_path: Path) -> None:
    world = World(tmp_path)
    told = list[str]()
    world.policy = policy(tmp_path, (SMALL + ALERTS).replace("after = 2", "after = 1"))
    world.broken = {"api"}
    watch = world.watch()
    watch.said = told.append
    watch.round()
    assert [each.split()[0] for each in told] == ["sent", "remedy"]


def test_a_remedy_may_leave_a_server_behind(tmp_path: Path) -> None:
    world = World(tmp_path)
    mark = tmp_path / "still-there"
    script = f"(sleep 0.3; touch {mark}) >/dev/null 2>&1 &"
    text = (SMALL + ALERTS).replace('["no-such-program"]', f'["sh", "-c", "{script}"]\ndry_run = false')
    world.policy, world.broken = policy(tmp_path, text), {"api"}
    watch = world.watch()
    watch.act = True
    world.go(watch, 70)
    wait_until(mark.exists)
