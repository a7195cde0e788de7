"""The watch on its own page: routes, deliveries, incidents, silences, and when it looks again."""

from __future__ import annotations

import fcntl
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest.live.monitoring import monitoring_on_disk
from loadtest.live.silences import Silence, add_silence
from loadtest.live.status_page import answer
from loadtest.live.watch_state import is_running, only_one
from loadtest.readiness.views.page_model import build_page
from loadtest.readiness.views.prometheus import prometheus
from tests.live.test_watch import ALERTS, World
from tests.readiness.made import SMALL, assessed, policy, up


def test_the_page_tells_routes_incidents_silences_and_the_next_look(tmp_path: Path) -> None:
    world = World(tmp_path)
    watch = world.watch()
    assert watch.shown() is None
    add_silence(watch.history.folder, Silence("silence", ("extra",), 1000, 2000, "ada", "a new disk"), 1000)
    world.broken = {"api", "extra"}
    world.go(watch, 3)
    world.refuses, world.broken = True, {"extra"}
    world.go(watch, 60)
    shown = watch.shown()
    assert shown is not None
    seen = shown.monitoring
    assert seen is not None
    (route,) = seen.routes
    assert (route.name, route.last, route.waiting) == ("hook", 1000.0, 1)
    assert route.trouble == "the route hook (webhook) failed"
    first = seen.incidents[0]
    assert (first.title, first.told) == ("extra down", "silenced")
    assert seen.silences == ("extra silenced by ada until 1970-01-01 00:33:20 UTC: a new disk",)
    assert seen.next_at > world.now - 1
    for line in (
        'incidents_open{policy="policy",severity="warning"} 1',
        'route_messages_waiting{policy="policy",route="hook"} 1',
        'route_delivered_timestamp_seconds{policy="policy",route="hook"} 1000',
        'route_failing{policy="policy",route="hook"} 1',
    ):
        assert f"loadtest_ready_{line}\n" in prometheus(shown)
    (section,) = (each for each in build_page(shown).sections if each.title == "Monitoring and alerts")
    assert "last delivery 1970-01-01 00:16:40 UTC" in section.folded
    words = [row.text(0) for row in section.tables[0].rows]
    assert words[-3:] == ["failing", "silenced", "probing"]
    assert "the watch probes again" in dict(build_page(shown).facts)["next review"]


def test_the_page_has_badges_and_one_where_nothing_is_folded(tmp_path: Path) -> None:
    world = World(tmp_path)
    watch = world.watch()
    world.go(watch, 130)
    shown = watch.shown()
    for path, word in (("/badge.svg", "GO"), ("/badge/api.svg", "healthy, up 100 %")):
        status, kind, body = answer(path, shown)
        assert (status, kind) == (HTTPStatus.OK, "image/svg+xml")
        assert word in ElementTree.fromstring(body).attrib["aria-label"]
    assert answer("/badge/gone.svg", shown)[0] == HTTPStatus.NOT_FOUND
    folded, opened = (answer(path, shown)[2] for path in ("/", "/details"))
    assert b"refresh" in folded
    assert b"<details>" in folded
    assert b'href="/details"' in folded
    assert b"refresh" not in opened
    assert b"<details open>" in opened
    assert b"health and components over time" in folded


def test_an_assessment_beside_a_watch_tells_what_that_one_left_and_whether_it_runs(tmp_path: Path) -> None:
    world = World(tmp_path)
    watch = world.watch()
    world.broken = {"api"}
    world.go(watch, 3)
    folder = watch.history.folder
    found = monitoring_on_disk(world.policy, folder, world.now)
    assert found is not None
    assert (found.running, found.routes[0].last, found.incidents[0].title) == (False, 1000.0, "api down")
    beside = replace(assessed(world.policy, api=up()), monitoring=found)
    (section,) = (each for each in build_page(beside).sections if each.title == "Monitoring and alerts")
    assert section.folded.endswith("; no watch runs")
    assert section.tables[0].rows[-1].text(1) == "no watch of this policy runs"
    assert "the watch probes" not in dict(build_page(beside).facts)["next review"]
    with only_one(folder):
        running = monitoring_on_disk(world.policy, folder, world.now)
    assert running is not None
    assert running.running
    assert (
        "the watch probes again" in dict(build_page(replace(beside, monitoring=running)).facts)["next review"]
    )


def test_without_routes_and_without_a_watch_nothing_is_told_of_one(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    assert monitoring_on_disk(policy(tmp_path), folder, 0.0) is None
    found = monitoring_on_disk(policy(tmp_path, SMALL + ALERTS), folder, 0.0)
    assert found is not None
    assert (found.running, found.routes[0].last, found.incidents) == (False, None, ())
    folder.mkdir()
    (folder / "watch.json").write_text("{")
    assert monitoring_on_disk(policy(tmp_path, SMALL + ALERTS), folder, 0.0) == found


def test_whoever_asks_whether_a_watch_runs_keeps_none_from_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_running(tmp_path)
    with only_one(tmp_path):
        assert is_running(tmp_path)
    with (tmp_path / "watch.lock").open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_running(tmp_path)
        monkeypatch.setattr("time.sleep", lambda _: fcntl.flock(asking, fcntl.LOCK_UN))
        with only_one(tmp_path):
            assert is_running(tmp_path)
