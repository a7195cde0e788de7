"""The watch on its own page: routes, deliveries, incidents, silences, and when it looks again."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from xml.etree import ElementTree

from loadtest.live.page import answer
from loadtest.live.silences import Silence, add_silence
from loadtest.readiness.views.telling import tell
from tests.live.test_watch import World


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
    (section,) = (each for each in tell(shown).sections if each.title == "Monitoring and alerts")
    assert "last delivery 1970-01-01 00:16:40 UTC" in section.folded
    words = [row.text(0) for row in section.tables[0].rows]
    assert words[-3:] == ["failing", "silenced", "probing"]
    assert "the watch probes again" in dict(tell(shown).facts)["next review"]


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
