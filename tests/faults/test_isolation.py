"""An event that reaches the wrong user, and events that come all at the end."""

from __future__ import annotations

import json

import pytest

from tests.faults.conftest import Look
from tests.faults.plans import FOREIGN_ALLOWED, STEADY, UNHURRIED
from tests.faults.running import Job

LEAKING = Job(STEADY, ("leak=0.1",), sets=("load.duration=20s",))
ALLOWED = Job(FOREIGN_ALLOWED, ("leak=0.1",), sets=("load.duration=2s",))
TOO_MANY = Job(STEADY, ("leak=0.1",), sets=('thresholds.events.foreign="<= 1"',))
BATCHED = Job(UNHURRIED, ("batch=600ms",))
STREAMED = Job(STEADY, ("delay=20ms", "gap=20ms"))


@pytest.mark.jobs(LEAKING)
def test_an_event_of_another_user_fails_the_run_at_once(look: Look) -> None:
    found = look(LEAKING)
    assert found.code == 1
    assert found.manifest["verdict"]["outcome"] == "fail"
    assert "events of other users arrived" in found.manifest["verdict"]["reason"]
    assert found.manifest["duration_s"] < 10
    assert found.counts["events.foreign"] == found.struck("leak") > 0
    assert {"aborted", "foreign_events"} <= set(found.notices)
    assert not any(notice["spoils"] for notice in found.notices.values())


@pytest.mark.jobs(LEAKING)
def test_the_frames_of_a_foreign_event_are_kept(look: Look) -> None:
    rows = [row for row in look(LEAKING).evidence if row["kind"] == "foreign"]
    assert rows
    for row in rows:
        ((_, payload),) = row["frames"]
        event = json.loads(payload)
        assert event["user_id"] != event["thread_id"].replace("thread", "nobody")
        assert not str(event["user_id"]).endswith(f"-thread-{row['user']}")


@pytest.mark.jobs(ALLOWED, TOO_MANY)
def test_a_threshold_says_how_many_are_allowed(look: Look) -> None:
    found = look(ALLOWED)
    assert found.code == 0
    assert "aborted" not in found.notices
    assert found.counts["turns.due"] == 2 * FOREIGN_ALLOWED.due
    assert found.counts["events.foreign"] == found.struck("leak") > 1
    missed = look(TOO_MANY)
    assert missed.code == 1
    assert "aborted" not in missed.notices
    assert missed.counts["turns.due"] == STEADY.due


@pytest.mark.jobs(BATCHED, STREAMED)
def test_a_batch_is_told_from_a_stream_with_evidence(look: Look) -> None:
    told = look(BATCHED).notices["batched_not_streamed"]["numbers"]
    assert told["turns"] == UNHURRIED.due
    assert told["first_event_share"] > 0.99
    assert told["spread_share"] < 0.01
    assert told["service_ms"] >= 600
    streamed = look(STREAMED)
    assert "batched_not_streamed" not in streamed.notices
    metrics = streamed.manifest["metrics"]
    assert metrics["turn.first_event.service"]["p50"] < metrics["turn.completion.service"]["p50"] / 2
    assert metrics["event.gap"]["n"] > STEADY.due
