"""Protocols of services against stubs after their descriptions: counts and times are those of the stubs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.running import Ended
from tests.end_to_end.servers import HERE, Server, serving
from tests.end_to_end.service_stubs import HELD_S, TOKEN

pytestmark = pytest.mark.long


class Service(NamedTuple):
    """A protocol: the path of its stub, the events of a turn that counts, and of one that is ignored."""

    path: str
    matched: int
    ignored: int = 0
    answered: int = 0
    load: str = 'model = "closed"'
    every: str = "10ms"
    burst: int = 1


OPEN = {"load": 'model = "open"', "every": "200ms", "burst": 3}
"""Several turns in flight, where ids tell them apart."""

SERVICES = {
    "openai-realtime": Service("/v1/realtime?model=gpt-realtime", matched=6, ignored=1, **OPEN),
    "openai-responses": Service("/v1/responses?", matched=4, **OPEN),
    "gemini-live": Service(
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?", matched=4, ignored=1
    ),
    "ag-ui": Service("/ag-ui?", matched=8),
    "rtvi": Service("/ws?", matched=4, ignored=1),
    "elevenlabs-agent": Service("/v1/convai/conversation?", matched=2, ignored=1, answered=1),
    "home-assistant": Service("/api/websocket?", matched=1, ignored=1, **OPEN),
}

SCENARIO = """
name = "{name}"
protocol = "{name}"
[target]
url = "{url}"
[load]
connections = 4
duration = "1s"
{load}
[traffic]
every = "{every}"
burst = {burst}
timeout = "5s"
"""

USERS = 4


class Pair(NamedTuple):
    """A run, and what tells of the stub afterwards."""

    run: Awaited
    server: Server
    name: str

    def both(self) -> tuple[Ended, dict[str, int]]:
        ended, theirs = self.run.end(), self.server.counts(self.name)
        assert "wrong" not in theirs, theirs
        assert ended.manifest["counts"]["connections"]["ready"] == theirs["connections"] == USERS, (
            ended.screen
        )
        return ended, theirs


def begun(begin: Begin, folder: Path, server: Server, name: str, more: str = "") -> Pair:
    service = SERVICES[name]
    counted = f"{name}{more.partition('=')[0].replace('&', '-')}"
    url = server.url(f"{service.path}&for={counted}{more}".replace("?&", "?"))
    told = {"load": service.load, "every": service.every, "burst": service.burst}
    file = folder / f"{counted}.toml"
    file.write_text(SCENARIO.format(name=name, url=url, **told))
    return Pair(begin("run", file, environment={"HASS_TOKEN": TOKEN}), server, counted)


@pytest.fixture(scope="module")
def stubs() -> Iterator[Server]:
    with serving([sys.executable, HERE / "service_stubs.py"]) as server:
        yield server


@pytest.fixture(scope="module")
def runs(
    begin: Begin, stubs: Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Pair]:
    folder = tmp_path_factory.mktemp("services")
    return {
        (name, more): begun(begin, folder, stubs, name, more)
        for name in SERVICES
        for more in ("", "&errors=5")
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_count_is_the_stubs(runs: dict[tuple[str, str], Pair], name: str) -> None:
    ended, theirs = runs[name, ""].both()
    assert ended.ended_with(0), ended.screen
    counts, service = ended.manifest["counts"], SERVICES[name]
    turns, events = counts["turns"], counts["events"]
    assert turns["begun"] == turns["complete"] == theirs["asked"] == theirs["answered"] > 8
    assert events["matched"] == service.matched * turns["complete"]
    assert not events["unmatched"]
    assert events["malformed"] == events["late"] == 0
    assert events["ignored"] == service.ignored * turns["complete"]
    assert events.get("answered", 0) == service.answered * turns["complete"]
    # The stub held each answer, and measured how long: ours is no less, and more by what this machine took.
    ours, held = ended.manifest["metrics"]["turn.completion.service"], theirs["took_p50_us"] / 1000
    assert held >= HELD_S * 1000
    assert ours["min"] >= HELD_S * 1000
    assert HELD_S * 1000 <= ours["p50"] < 2 * held + 500


@pytest.mark.parametrize("name", SERVICES)
def test_errors_fail_turns_and_the_run(runs: dict[tuple[str, str], Pair], name: str) -> None:
    ended, theirs = runs[name, "&errors=5"].both()
    assert ended.ended_with(1), ended.screen
    rows = {row["name"]: row["outcome"] for row in ended.manifest["verdict"]["thresholds"]}
    assert rows["turns.complete.ratio"] == "missed"
    turns = ended.manifest["counts"]["turns"]
    assert (turns["complete"], turns["failed"]) == (theirs["answered"], theirs["failed"])
    assert theirs["failed"] == theirs["asked"] // 5 > 0
    assert not ended.manifest["counts"]["events"]["unmatched"]


def test_pings_and_tools_are_no_answers(runs: dict[tuple[str, str], Pair]) -> None:
    ended, theirs = runs["elevenlabs-agent", ""].both()
    assert ended.manifest["counts"]["events"]["heartbeat"] == theirs["pongs"] == USERS
    assert theirs["tool results"] == theirs["answered"]


FEED = """
name = "feed"
protocol = "exchange-feed"
[target]
url = "{url}"
[load]
connections = 4
duration = "1500ms"
[traffic]
every = "100ms"
turns = 1
[thresholds]
"event.age.p95" = "< 5s"
"""


@pytest.fixture(scope="module")
def feeds(begin: Begin, stubs: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    folder = tmp_path_factory.mktemp("feeds")
    found = {}
    for name, errors in (("feed", 0), ("failing", 2)):
        file = folder / f"{name}.toml"
        file.write_text(FEED.format(url=stubs.url(f"/exchange?for={name}&errors={errors}")))
        found[name] = Pair(begin("run", file), stubs, name)
    return found


def test_the_age_of_a_feed(feeds: dict[str, Pair]) -> None:
    ended, theirs = feeds["feed"].both()
    assert ended.ended_with(0), ended.screen
    turns, events = ended.manifest["counts"]["turns"], ended.manifest["counts"]["events"]
    assert turns["begun"] == turns["abandoned"] == theirs["asked"] == USERS
    # Each subscription has an answer and its trades; what was sent as a connection closed has no receiver.
    assert theirs["said"] - USERS <= events["matched"] <= theirs["said"]
    assert events["dated"] == events["matched"] - USERS
    # Each trade was held after its time was written, in whole milliseconds.
    age = ended.manifest["metrics"]["event.age"]
    assert HELD_S * 1000 <= age["min"] <= age["p50"] < 1000


def test_a_subscription_that_is_declined_fails_the_run(feeds: dict[str, Pair]) -> None:
    ended, theirs = feeds["failing"].both()
    assert ended.ended_with(1), ended.screen
    turns = ended.manifest["counts"]["turns"]
    assert (turns["failed"], turns["abandoned"]) == (theirs["failed"], USERS - theirs["failed"]) == (2, 2)


def test_a_wrong_token_is_refused_at_the_layer_auth(begin: Begin, stubs: Server, tmp_path: Path) -> None:
    file = tmp_path / "refused.toml"
    url = stubs.url("/api/websocket?for=refused")
    file.write_text(
        SCENARIO.format(name="home-assistant", url=url, load=OPEN["load"], every="100ms", burst=1)
    )
    ended = begin("run", file, environment={"HASS_TOKEN": "another"}).end()
    assert ended.code == 3, ended.screen
    assert set(ended.manifest["counts"]["connections"]["refused"]) == {"auth"}
