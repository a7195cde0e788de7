"""Every value of a stored ``run.json`` may be of another type: it is refused by name, or does no harm.

Each value is replaced by an odd one in every test run, and every third of these runs is used if it is taken
in; in the long ones all are.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import ConfigError
from loadtest.judge.compare import compare
from loadtest.judge.history import history
from loadtest.judge.judge_run import judge_run
from loadtest.judge.samples import side
from loadtest.judge.trend import trend
from loadtest.keep.find import StoredRun, stored_run
from loadtest.keep.read import read_manifest, read_run
from loadtest.show.build_report import build_report
from loadtest.show.comparison import document as of_comparison
from loadtest.show.render.junit import junit, junit_suite
from loadtest.show.render.markdown import markdown
from loadtest.show.render.prometheus import prometheus
from loadtest.show.run import document
from loadtest.show.runs_index import groups
from loadtest.show.short_run import short_document
from loadtest.show.trend import document as of_trend
from loadtest.show.values import as_csv
from tests.cli.stored import store

ODD: tuple[Any, ...] = (5, "x", ["x"], {"x": 5}, None, [{"x": 5}], True, 2**62, -5, [5], {"x": "y"}, "", [])
NEWEST = datetime(2026, 12, 2, tzinfo=UTC)
Place = tuple[str | int, ...]

MORE_SETTINGS: dict[str, Any] = {
    "compare": {"primary": ["turn.first_event.p95"], "smallest_effect": "0.05", "turn.completion.p99": "0.1"},
    "chaos": {
        "cut": {"share": "0.3", "at": "15s"},
        "slow_readers": {"share": "0.2", "rate": "4096B/s"},
        "leavers": {"share": "0.1"},
    },
    "conversation": [
        {
            "name": "support",
            "weight": 3,
            "steps": [
                {"turn": "ask"},
                {"think": {"uniform": ["1s", "3s"]}},
                {"repeat": 2, "steps": [{"turn": "ask"}]},
                {"branch": [{"weight": 1, "steps": [{"turn": "more"}]}]},
            ],
        }
    ],
    "prepare": [{"name": "room", "post": "/rooms"}],
    "abort": {"turns.timed_out.ratio": "> 50%", "after": "10s"},
}
"""What the shipped scenarios do not have together."""

MORE: dict[str, Any] = {
    "of_due": {
        "turn.first_event": {"unit": "ms", "n": 600, "p50": 20.0, "p95": 40.0, "unbounded": ["p99"]},
    },
    "fingerprint": {"machine": "one", "kernel": "6.1", "libraries": {"numpy": "2.4"}, "cores": 4},
    "health": {"cpu": {"mean": 0.5, "max": 1.0, "n": 6}},
    "clock": {"resolution_ns": 1, "step_ns": 0},
    "observed": [{"code": "turns_sampled", "numbers": {"turns": 300, "one_in": 8}}],
    "burst_positions": [{"position": 0, "n": 10, "p50": 3.0}],
}


def places(data: object, before: Place = ()) -> Iterator[Place]:
    """Every place in plain data."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inside:
        yield (*before, key)
        yield from places(value, (*before, key))


def replaced(data: dict[str, Any], place: Place, value: object) -> dict[str, Any]:
    """A copy with another value in one place."""
    made: dict[str, Any] = copy.deepcopy(data)
    holder: Any = made
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return made


class Room:
    """A stored run, and what reads its ``run.json``."""

    def __init__(self, results: Path) -> None:
        self.path = store(results, "bad")
        self.kept = read_run(self.path)
        self.totals, self.turns = self.kept.totals(), self.kept.turns()
        self.seconds = list(self.kept.intervals())
        whole: dict[str, Any] = json.loads((self.path / "run.json").read_text("utf-8"))
        settings = whole["scenario"]["settings"] | MORE_SETTINGS
        settings["load"] |= {
            "stages": [
                {"for": "3s", "connections": 10},
                {"for": "3s", "connections": 20, "thresholds": {"turn.first_event.p95": "< 200ms"}},
            ]
        }
        settings["traffic"] |= {"mix": {"ask": 1, "more": 2}}
        settings["protocol"]["turn"] |= {"messages": ["x", {"pause": "1s"}]}
        settings["protocol"]["turns"] = {"ask": {"end": ["a"], "messages": ["x"]}, "more": {"end": ["b"]}}
        whole["scenario"]["settings"] = settings
        part = {name: settings[name] for name in ("load", "traffic", "protocol", "chaos", "conversation")}
        self.whole = whole | MORE
        self.with_populations = copy.deepcopy(self.whole)
        self.with_populations["scenario"]["settings"]["population"] = copy.deepcopy([{"name": "one", **part}])
        self.before = [
            replaced(replaced(self.whole, ("started",), f"2026-11-1{at}T12:15:30Z"), ("id",), f"{at}")
            for at in range(8)
        ]

    def read(self, manifest: Mapping[str, Any]) -> tuple[StoredRun, dict[str, Any]] | None:
        """The run as lists and views know it; None where the reader refuses it."""
        (self.path / "run.json").write_text(json.dumps(manifest), "utf-8")
        try:
            return stored_run(self.path), read_manifest(self.path)
        except ConfigError as error:
            # The sentence names the file, or whoever reads it would not know which run is meant.
            assert str(self.path) in str(error)  # noqa: PT017 - most runs are refused
            return None

    def use(self, stored: StoredRun, manifest: dict[str, Any], *, judge: bool = False) -> None:
        """Whatever reads a manifest that was taken in."""
        groups([stored], self.path.parent)
        report = document(build_report(manifest))
        markdown([report])
        short_document(self.whole, {}, ("last run", manifest))
        compared = compare(side("one", self.before[:3]), side("other", [manifest]), None)
        markdown([of_comparison(compared)])
        if not judge:
            return
        short_document(manifest, {}, None)
        junit([junit_suite(manifest)])
        prometheus(manifest)
        as_csv(manifest)
        compare(side("one", [manifest]), side("other", self.before[:3]), None)
        for runs in ([*self.before, manifest], [manifest, *self.before]):
            past = history(runs, now=NEWEST, machine=None, last=None)
            markdown([of_trend(trend(past, (), None))])
        judge_run({**manifest, "verdict": None}, self.totals, self.turns, self.seconds)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("results"))


def use_of(room: Room, manifest: dict[str, Any], place: Place, value: object, *, judge: bool) -> bool:
    """Whether the run was taken in with another value in one place; then nothing that reads it breaks."""
    known = room.read(replaced(manifest, place, value))
    if known is not None:
        try:
            room.use(*known, judge=judge)
        except Exception as problem:
            problem.add_note(f"{'.'.join(map(str, place))} = {value!r}")
            raise
    return known is not None


def test_the_run_itself_is_taken_in_and_used(room: Room) -> None:
    for manifest in (room.whole, room.with_populations):
        known = room.read(manifest)
        assert known is not None
        room.use(*known, judge=True)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("scenario.settings.compare.primary", ["turn.nonsense.p95"]),
        ("scenario.settings.compare.primary", 5),
        ("scenario.settings.target.faults", 5),
        ("scenario.settings.conversation", [{"name": "x", "steps": 5}]),
        ("scenario.settings.conversation", [{"name": "x", "steps": [{"branch": [5]}]}]),
        ("scenario.settings.traffic.mix", ["a"]),
        ("scenario.settings.traffic.every", "soon"),
        ("scenario.settings.protocol.turn.messages", 5),
        ("scenario.settings.protocol.turns", {"ask": {"end": 5}}),
        ("scenario.settings.protocol.events.type", 5),
        ("scenario.settings.protocol.connect.ready", 5),
        ("scenario.settings.load.stages", [{"connections": 5}]),
        ("scenario.settings.load.stages", [{"for": "soon"}]),
        ("scenario.settings.load.connections", 2**62),
        ("scenario.settings.chaos.slow_readers.share", "2"),
        ("scenario.settings.chaos.slow_readers.share", "some"),
        ("of_due", {"turn.first_event": {"n": "a", "unbounded": 5}}),
        ("of_due", {"turn.first_event": {"unbounded": 5}}),
        ("verdict.exit_code", 5),
        ("counts.turns.timed_out", {"x": 5}),
        ("counts.measured.turns.lost", {"x": 5}),
    ],
)
def test_what_would_break_whoever_reads_it_is_refused_by_name(room: Room, place: str, value: object) -> None:
    (room.path / "run.json").write_text(json.dumps(replaced(room.whole, tuple(place.split(".")), value)))
    with pytest.raises(ConfigError, match=r"run\.json cannot be read: .+"):
        stored_run(room.path)


def test_each_value_may_be_of_another_type(room: Room) -> None:
    taken = 0
    for number, place in enumerate(places(room.whole)):
        value = ODD[number % len(ODD)]
        if number % 3:
            taken += room.read(replaced(room.whole, place, value)) is not None
        else:
            taken += use_of(room, room.whole, place, value, judge=False)
    assert 50 < taken < number


@pytest.mark.long
def test_each_value_of_a_run_with_populations_may_be_of_another_type(room: Room) -> None:
    manifest = room.with_populations
    for number, place in enumerate(places(manifest)):
        use_of(room, manifest, place, ODD[(number * 5 + 1) % len(ODD)], judge=number % 4 == 0)
