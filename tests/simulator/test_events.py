from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.simulator import events
from loadtest.simulator.events import KINDS, Marks

ids = st.text() | st.integers(-(2**63), 2**63 - 1)


@given(st.sampled_from(sorted(KINDS - {"echo"})), ids, ids, ids, st.integers(0, 10**6))
def test_an_event_says_whose_it_is_and_its_number(
    kind: str, run: str | int, user: str | int, thread: str | int, seq: int
) -> None:
    event = json.loads(events.render(kind, Marks(run, user, thread), seq, 1757122980.25))
    assert (event["type"], event["run_id"], event["user_id"], event["thread_id"]) == (kind, run, user, thread)
    assert (event["seq"], event["timestamp"]) == (seq, 1757122980.25)
    assert event["payload"]


def test_without_a_number_there_is_no_field_for_it() -> None:
    assert "seq" not in json.loads(events.render("agent_started", Marks("r", "u", "t"), None, 1.0))


def test_a_turn_streams_its_partial_results_before_its_end() -> None:
    assert events.turn_events(0)[-2:] == ("tool_completed", "agent_completed")
    assert events.turn_events(3).count("partial_result") == 3


@given(st.integers(1024, 10_000))
def test_a_huge_event_is_exactly_as_long_as_asked(size: int) -> None:
    event = events.render("partial_result", Marks("r", "u", "t"), 4, 1.0)
    padded = events.pad(event, size)
    assert len(padded) == size
    assert json.loads(padded)["payload"] == json.loads(event)["payload"]


def test_what_is_long_already_stays_as_it_is() -> None:
    assert events.pad(b'{"a":1}', 10) == b'{"a":1}'


@given(st.text(alphabet="é漢x", min_size=1))
def test_half_an_event_is_no_json_and_still_text(run: str) -> None:
    half = events.broken(events.render("partial_result", Marks(run, "u", "t"), 4, 1.0))
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        json.loads(half.decode())


def test_an_error_belongs_to_a_turn_or_to_the_connection() -> None:
    assert json.loads(events.error("RATE_LIMITED", "slow down", 1.0, "run-1"))["run_id"] == "run-1"
    assert "run_id" not in json.loads(events.error("AUTH_ERROR", "no", 1.0))
