"""Services that hear audio at its pace, against stubs after descriptions: counts and times are theirs."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from math import ceil
from typing import Any, NamedTuple

import pytest

from loadtest.plan.shipped import folder
from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.running import Ended
from tests.end_to_end.servers import HERE, Server, serving
from tests.end_to_end.speech_stubs import HELD_S, KEY

pytestmark = pytest.mark.long

USERS = 8
SPOKEN = zlib.crc32((folder("protocol") / "data" / "hello.ulaw").read_bytes())


class Speech(NamedTuple):
    """A protocol: the target of its stub, the chunks of a turn, events that count, and others."""

    path: str
    chunks: int
    matched: int
    ignored: int
    headers: str = ""


SERVICES = {
    "deepgram-listen": Speech(
        "/v1/listen?encoding=mulaw&sample_rate=8000",
        75,
        3,
        0,
        f'headers = {{ Authorization = "Token {KEY}" }}',
    ),
    "assemblyai": Speech(
        "/v3/ws?speech_model=m&encoding=pcm_mulaw", 30, 3, 1, f'headers = {{ Authorization = "{KEY}" }}'
    ),
    "twilio-media": Speech("/media?", 75, 6, 1),
}

SCENARIO = """
name = "{name}"
protocol = "{name}"
[target]
url = "{url}"
{headers}
[load]
model = "closed"
connections = {users}
connect_rate = "16/s"
duration = "{duration}"
[traffic]
every = "{every}"
timeout = "3s"
{more}
"""


class Pair(NamedTuple):
    """A run, and what tells of the stub afterwards."""

    run: Awaited
    server: Server
    name: str

    def both(self) -> tuple[Ended, dict[str, Any]]:
        ended = self.run.end()
        theirs: dict[str, Any] = self.server.counts(self.name)
        assert "wrong" not in theirs, (theirs, ended.screen)
        return ended, theirs


def ended_with(ended: Ended, code: int) -> bool:
    """As ``Ended.ended_with``; a busy machine does not keep the pace either, and the run says so."""
    return ended.ended_with(code) or (ended.code == 4 and "pace_not_kept" in ended.notices)


class Stubs:
    """Runs against the stubs, which are begun once."""

    def __init__(self, begin: Begin, server: Server, place: Any) -> None:
        self._begin, self.server, self._folder = begin, server, place

    def begin(
        self, name: str, counted: str, query: str = "", headers: str | None = None, **told: Any
    ) -> Pair:
        service = SERVICES[name]
        url = self.server.url(f"{service.path}&for={counted}{query}".replace("?&", "?"))
        values = {"duration": "4s", "every": "20ms", "users": USERS, "more": "", **told}
        file = self._folder / f"{counted}.toml"
        headers = service.headers if headers is None else headers
        file.write_text(SCENARIO.format(name=name, url=url, headers=headers, **values))
        return Pair(self._begin("run", file), self.server, counted)


@pytest.fixture(scope="module")
def stubs(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stubs]:
    with serving([sys.executable, HERE / "speech_stubs.py"]) as server:
        yield Stubs(begin, server, tmp_path_factory.mktemp("speech"))


@pytest.mark.timed
@pytest.mark.parametrize("name", SERVICES)
def test_counts_are_the_stubs_to_the_unit_and_times_within_a_millisecond(stubs: Stubs, name: str) -> None:
    ended, theirs = stubs.begin(name, name).both()
    counts, service = ended.manifest["counts"], SERVICES[name]
    turns, events = counts["turns"], counts["events"]
    assert ended_with(ended, 0), ended.screen
    assert counts["connections"]["ready"] == theirs["connections"] == USERS
    assert turns["begun"] == turns["complete"] == theirs["asked"] == theirs["answered"] >= 2 * USERS
    assert theirs["chunks"] == service.chunks * turns["complete"]
    assert set(theirs["heard"]) == {SPOKEN}
    assert events["matched"] == service.matched * turns["complete"]
    assert events["ignored"] == service.ignored * turns["complete"]
    assert events["received"] == theirs["said"] == events["matched"] + events["ignored"]
    assert not events["unmatched"]
    assert events["malformed"] == events["late"] == 0
    # What the wire itself has us answer, and nothing else, is a reply: a mark is sent back.
    assert counts.get("codec", {}).get("replies", 0) == theirs.get("marks", 0)
    assert theirs.get("marks", 0) == (turns["complete"] if name == "twilio-media" else 0)
    # Each connection was closed behind its last word, which the stub answered where it has an answer.
    assert theirs["left"] == counts["connections"]["left"] == USERS
    assert "left without a word" not in theirs
    assert "left_unanswered" not in counts["connections"]
    measured = ended.manifest["metrics"]["turn.completion.service"]
    took = sorted(theirs["took"])[ceil(len(theirs["took"]) / 2) - 1] / 1000
    assert took >= HELD_S * 1000
    assert measured["min"] >= HELD_S * 1000
    near = max(1, 0.05 * took)
    # On a machine whose cores are taken, a message also waits between its stamp and the stub.
    assert abs(measured["p50"] - took) < (near if ended.code == 0 else 10 * near), (measured["p50"], took)


@pytest.fixture(scope="module")
def failing(stubs: Stubs) -> dict[str, Pair]:
    again = "[load.reconnect]\ninitial_delay = '50ms'"
    return {name: stubs.begin(name, f"{name}-failing", "&errors=5", more=again) for name in SERVICES}


@pytest.mark.parametrize("name", SERVICES)
def test_errors_are_no_answers_and_fail_the_run(failing: dict[str, Pair], name: str) -> None:
    ended, theirs = failing[name].both()
    assert ended_with(ended, 1), ended.screen
    rows = {row["name"]: row["outcome"] for row in ended.manifest["verdict"]["thresholds"]}
    assert rows["turns.complete.ratio"] == "missed"
    turns = ended.manifest["counts"]["turns"]
    assert turns["complete"] == theirs["answered"] > 0
    # Twilio has no message for a backend that fails: its connection ends, and the turn with it.
    assert (
        turns["failed" if name != "twilio-media" else "lost"] == theirs["failed"] == theirs["asked"] // 5 > 0
    )
    assert theirs["asked"] == theirs["answered"] + theirs["failed"]


def test_a_keep_alive_holds_a_connection_and_is_no_turn(stubs: Stubs) -> None:
    told = {"duration": "7s", "every": "4500ms", "users": 2}
    ended, theirs = stubs.begin("deepgram-listen", "idle", "&patience=4.3", **told).both()
    counts = ended.manifest["counts"]
    assert "timeouts" not in theirs
    assert counts["heartbeats"]["sent"] == theirs["keepalives"] >= 2
    assert counts["turns"]["complete"] == counts["turns"]["begun"] == theirs["answered"]
    assert counts["events"]["matched"] == 3 * theirs["answered"]


@pytest.mark.parametrize("name", ["deepgram-listen", "assemblyai"])
def test_a_wrong_key_is_refused(stubs: Stubs, name: str) -> None:
    """One by the status of the upgrade, the other by a close code."""
    headers = 'headers = { Authorization = "another" }'
    ended = stubs.begin(name, f"{name}-refused", headers=headers, duration="1s").run.end()
    assert ended.code == 3, ended.screen
    assert set(ended.manifest["counts"]["connections"]["refused"]) == {"auth"}
