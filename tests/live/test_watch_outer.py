"""Parts behind others: no alert of what lies behind a part that is down, and none when that is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.test_watch import ALERTS, World
from tests.readiness.made import SMALL, policy


def world(folder: Path, store_every: str = "5m") -> World:
    made = World(folder)
    text = SMALL.replace('through = ["api"]', f'through = ["api"]\nevery = "{store_every}"')
    made.policy = policy(folder, text + ALERTS)
    return made


def about(made: World, name: str) -> list[str]:
    return [subject for subject in made.got if name in subject]


def test_the_recovery_of_an_outer_part_raises_no_alert_of_the_one_behind_it(tmp_path: Path) -> None:
    made = world(tmp_path)
    watch = made.watch()
    made.go(watch, 250)
    made.broken = {"api", "store"}
    made.go(watch, 60)  # the store is asked at 300 s
    made.broken = set()
    made.go(watch, 120)
    assert [subject.split(":")[0] for subject in about(made, "api")] == [
        "ALERT critical",
        "RECOVERED critical",
    ]
    assert about(made, "store") == []
    assert watch.latest is not None
    assert watch.latest.verdict != "NO-GO"


def test_what_could_not_be_asked_is_asked_at_once_when_the_outer_part_is_back(tmp_path: Path) -> None:
    made = world(tmp_path)
    watch = made.watch()
    made.go(watch, 250)
    made.broken = {"api", "store"}
    made.go(watch, 60)
    made.broken = set()
    made.go(watch, 80)
    asked = [at - 1000 for at, names in made.asked if "store" in names]
    assert asked == [0, 300, 361]


@pytest.mark.parametrize("first", [30, 61, 290, 299, 301])
def test_one_behind_that_is_asked_first_waits_for_the_outer_part(tmp_path: Path, first: int) -> None:
    made = world(tmp_path, "10s")
    watch = made.watch()
    made.go(watch, first)
    made.broken = {"api", "store"}
    made.go(watch, 100)
    made.broken = set()
    made.go(watch, 100)
    assert about(made, "store") == []
    assert [subject.split(":")[0] for subject in about(made, "api")] == [
        "ALERT critical",
        "RECOVERED critical",
    ]


def test_one_behind_that_broke_by_itself_is_told(tmp_path: Path) -> None:
    made = world(tmp_path, "10s")
    watch = made.watch()
    made.go(watch, 30)
    made.broken = {"store"}
    made.go(watch, 13)
    assert [subject.split(":")[0] for subject in about(made, "store")] == ["ALERT critical"]
    made.broken = {"store", "api"}
    made.go(watch, 100)
    made.broken = {"store"}
    made.go(watch, 100)
    made.broken = set()
    made.go(watch, 100)
    assert [subject.split(":")[0] for subject in about(made, "store")] == [
        "ALERT critical", "RECOVERED critical",
    ]  # fmt: skip


def test_a_restart_asks_again_what_could_not_be_asked(tmp_path: Path) -> None:
    made = world(tmp_path)
    watch = made.watch()
    made.broken = {"api", "store"}
    made.go(watch, 5)
    made.broken = set()
    watch = made.watch()
    made.go(watch, 70)
    assert about(made, "store") == []
    assert watch.latest is not None
    assert {row.name: row.status for row in watch.latest.components}["store"] == "healthy"


def test_one_that_is_down_behind_another_when_the_watch_begins_is_told_with_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.broken, world.slow = {"store"}, {"store": 2}
    watch = world.watch()
    world.go(watch, 2)
    assert watch.latest is None, "whether it is the store or what is before it is not known yet"
    world.go(watch, 3)
    assert watch.latest is not None
    assert [row.status for row in watch.latest.components] == ["healthy", "down", "healthy"]
    assert [subject.partition(" (")[0] for subject in world.got] == ["ALERT critical: store down"]
