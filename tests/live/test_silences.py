"""Silences, acknowledgements, maintenance windows, reminders and the heartbeat, over simulated time."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.errors import ConfigError
from loadtest.live.alerts import AlertState, Observation, advance, delivered, due
from loadtest.live.notifiers import DeliveryError, heartbeat
from loadtest.live.silences import Silence, add_silence, read_silences, windows
from loadtest.readiness.policy import Alerts, Maintenance, Policy, Route, Severity
from tests.end_to_end.parts import free_port, health
from tests.end_to_end.running import wait_until
from tests.live.test_watch import ALERTS, World
from tests.readiness.made import SMALL, policy

HOOK = Route("hook", "webhook", ("info", "warning", "critical"))
RULES = Alerts(routes=(HOOK,), most=1000, escalate_after_s=100)


def told(
    seconds: int,
    bad: range,
    silences: tuple[Silence, ...] = (),
    rules: Alerts = RULES,
    key: str = "component api",
) -> list[tuple[float, str]]:
    state, got = AlertState(), []
    for now in range(seconds):
        severity: Severity | None = "critical" if now in bad else None
        advance(state, [Observation(key, "api down", severity, "it broke")], now, rules, silences)
        for message in due(state, now, rules):
            delivered(state, message, now)
            got.append((float(now), message.subject.split()[0]))
    return got


def silence(parts: str, since: float, until: float, kind: str = "silence") -> Silence:
    return Silence(kind, (parts,), since, until, "me")  # type: ignore[arg-type] # a word of SilenceKind


def test_nothing_is_told_in_a_silence_and_what_lasts_is_told_at_its_end() -> None:
    assert told(90, range(10, 80), (silence("api", 0, 50),)) == [(50, "ALERT"), (80, "RECOVERED")]
    assert told(90, range(10, 40), (silence("api", 0, 50),)) == []


def test_a_silence_is_of_the_components_that_it_names() -> None:
    expected = [(10, "ALERT"), (40, "RECOVERED")]
    assert told(60, range(10, 40), (silence("store", 0, 50),)) == expected
    assert told(60, range(10, 40), (silence("a*", 0, 50),)) == []
    assert told(60, range(10, 40), (silence("*", 0, 50),), key="trigger half") == []
    assert told(60, range(10, 40), (silence("h*", 0, 50),), key="trigger half") == expected


def test_the_end_of_an_incident_that_was_told_is_told_also_in_a_silence() -> None:
    assert told(90, range(10, 60), (silence("api", 20, 80),)) == [(10, "ALERT"), (60, "RECOVERED")]


def test_what_somebody_works_on_is_neither_escalated_nor_told_again() -> None:
    rules = replace(RULES, remind_s=60)
    every = [(10, "ALERT"), (70, "REMINDER"), (110, "ESCALATED"), (130, "REMINDER"), (150, "RECOVERED")]
    assert told(200, range(10, 150), rules=rules) == every
    known = silence("api", 30, 1e9, "acknowledgement")
    assert told(200, range(10, 150), (known,), rules) == [(10, "ALERT"), (150, "RECOVERED")]
    before = replace(known, since=5)
    assert told(200, range(10, 150), (before,), rules) == every, (
        "an incident that was not there was not known"
    )


def test_nothing_is_told_again_where_no_reminder_is_asked_for() -> None:
    assert "REMINDER" not in [word for _, word in told(2000, range(10, 1900))]


NIGHT = Maintenance("nightly", ("store",), starts=1000.0, lasts_s=100.0, every_s=1000.0)


@pytest.mark.parametrize(
    ("now", "open_"), [(999, False), (1000, True), (1099, True), (1100, False), (2050, True), (2100, False)]
)
def test_a_window_opens_at_its_time_again_and_again(now: float, *, open_: bool) -> None:
    assert bool(windows([NIGHT], now)) == open_
    assert bool(windows([replace(NIGHT, every_s=0.0)], now)) == (open_ and now < 2000)


def test_a_window_of_no_components_is_of_all(tmp_path: Path) -> None:
    text = '[[maintenance]]\nstarts = 2025-09-06T12:00:00Z\nlasts = "2h"\nevery = "1d"\n' + SMALL
    (window,) = policy(tmp_path, text).maintenance
    at = datetime(2025, 9, 8, 13, 0, tzinfo=UTC).timestamp()
    (open_,) = windows([window], at)
    assert (open_.parts, open_.until - at) == (("*",), 3600)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('starts = "tomorrow"', "must be a time with a time zone"),
        ('starts = "2026-01-01T00:00:00"', "must be a time with a time zone"),
        ("", "`starts` is missing"),
        ('starts = 2026-01-01T00:00:00Z\ncomponents = ["apy"]', "did you mean `api`"),
    ],
)
def test_a_window_that_is_none_is_a_mistake_of_the_policy(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f'[[maintenance]]\nlasts = "1h"\n{line}\n{SMALL}')
    assert sentence in str(caught.value)


def test_neither_an_alert_nor_a_remedy_in_maintenance(tmp_path: Path) -> None:
    made = World(tmp_path)
    window = '[[maintenance]]\ncomponents = ["*"]\nstarts = 1970-01-01T00:00:00Z\nlasts = "1100s"\n'
    window = window.replace('components = ["*"]\n', "")
    made.policy = policy(tmp_path, window + SMALL + ALERTS.replace("after = 2", "after = 1"))
    made.broken = {"api"}
    watch = made.watch()
    made.go(watch, 99)
    audit = watch.history.folder / "audit.jsonl"
    assert (made.got, audit.exists()) == ([], False)
    made.go(watch, 30)
    assert [subject.split(":")[0] for subject in made.got] == ["ALERT critical"]
    assert json.loads(audit.read_text().splitlines()[0])["step"] == "act"


def test_the_command_silences_a_watch_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = World(tmp_path)
    watch = made.watch()
    path, results = str(made.policy.path), ["--results", str(tmp_path / "results")]
    assert main(["watch", "silence", path, "api", "--for", "2h", "--by", "ada", *results]) == 0
    assert "alert silence for api until" in capsys.readouterr().out
    assert main(["watch", "acknowledge", path, "*", "--by", "ada", *results]) == 0
    kinds = [(each.kind, each.parts, each.by) for each in read_silences(watch.history.folder)]
    assert kinds == [("silence", ("api",), "ada"), ("acknowledgement", ("*",), "ada")]
    assert main(["watch", "silence", path, "apy", *results]) == 2
    assert "has no component `apy`" in capsys.readouterr().err
    watch.round()
    assert len(watch.silences) == 2


def test_silences_that_are_over_go_and_a_file_that_is_none_silences_nothing(tmp_path: Path) -> None:
    add_silence(tmp_path, silence("api", 0, 10), 0)
    assert len(add_silence(tmp_path, silence("store", 0, 30), 20)) == 1
    (tmp_path / "silences.json").write_text("{")
    with pytest.raises(ConfigError, match="remove the file"):
        read_silences(tmp_path)
    made = World(tmp_path)
    watch = made.watch()
    watch.history.folder.mkdir(parents=True, exist_ok=True)
    (watch.history.folder / "silences.json").write_text("{")
    made.broken, said = {"api"}, list[str]()
    watch.said = said.append
    made.go(watch, 3)
    assert len(made.got) == 1
    assert sum("cannot be read" in each for each in said) == 1


def beating(folder: Path, url: str) -> Policy:
    return policy(folder, SMALL + f'[alerts]\nheartbeat = "{url}"\nheartbeat_every = "30s"\n')


def test_the_heartbeat_comes_while_the_watch_does_its_work_and_holds_up_nothing(tmp_path: Path) -> None:
    made, beats, release = World(tmp_path), list[float](), threading.Event()
    made.policy = beating(tmp_path, "http://127.0.0.1:1/")
    watch = made.watch()

    def beat(_: Policy) -> None:
        beats.append(made.now - 1000)
        release.wait(20)

    watch.beat = beat
    made.go(watch, 61)
    assert beats == [0], "one that hangs is not asked again beside itself, and the rounds go on"
    assert watch.latest is not None
    assert watch.latest.at >= 1060
    release.set()
    watch._background.finish(20)
    made.go(watch, 15)
    wait_until(lambda: len(beats) == 2)


def test_a_heartbeat_asks_its_url_and_says_what_went_wrong(tmp_path: Path) -> None:
    with health() as service:
        heartbeat(beating(tmp_path, service.url))
        service.status = 500
        with pytest.raises(DeliveryError, match="500"):
            heartbeat(beating(tmp_path, service.url))
    with pytest.raises(DeliveryError, match="refused"):
        heartbeat(beating(tmp_path, f"http://127.0.0.1:{free_port()}/"))
    with pytest.raises(DeliveryError, match="must begin with http"):
        heartbeat(beating(tmp_path, "file:///etc/passwd"))
