"""Turns on ``/ws``: whole without faults, and with each fault exactly what the script for its seed says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from loadtest.simulator.events import turn_events
from loadtest.simulator.faults import parse_faults
from loadtest.simulator.process import Simulator
from loadtest.simulator.script import Act, make_script

Start = Callable[..., Simulator]
Join = Callable[..., Any]

KINDS = turn_events(2)
RUNS = [f"run-{n}" for n in range(40)]


def test_a_turn_is_streamed_whole_in_order_and_numbered(honest: Simulator, join: Join) -> None:
    found = join(honest).turn("run-1", "thread-9")
    assert [event["type"] for event in found] == list(KINDS)
    assert [event["seq"] for event in found] == list(range(7))
    assert {(event["run_id"], event["user_id"], event["thread_id"]) for event in found} == {
        ("run-1", "thread-9", "thread-9")
    }
    assert all(abs(event["timestamp"] - time.time()) < 60 for event in found)


def test_the_ready_message_says_simulated(honest: Simulator, join: Join) -> None:
    ready = join(honest).ready
    assert ready["type"] == "connection_established"
    assert ready["simulated"] is True
    assert ready["connection_id"].startswith("connection-")
    assert ready["user_id"] is None
    assert abs(ready["server_time"] - time.time()) < 60


def test_every_connection_and_turn_counts_for_itself(honest: Simulator, join: Join) -> None:
    clients = [join(honest) for _ in range(5)]
    for n, client in enumerate(clients):
        for turn in range(3):
            client.start(f"run-{n}-{turn}", f"thread-{n}")
    for n, client in enumerate(clients):
        found = client.rest()
        assert [(event["run_id"], event["seq"]) for event in found] == [
            (f"run-{n}-{turn}", seq) for turn in range(3) for seq in range(7)
        ]


@pytest.mark.parametrize(
    ("message", "run", "thread", "user"),
    [
        ('{"type":"start_agent","run_id":"flat","thread_id":"t"}', "flat", "t", "t"),
        ('{"type":"start_agent","payload":{"run_id":7,"thread_id":8,"user_id":"ann"}}', 7, 8, "ann"),
        (b'{"type":"start_agent","payload":{"run_id":"in bytes"}}', "in bytes", None, None),
        ('{"type":"start_agent","payload":{"run_id":"q\\"\\u00e9"}}', 'q"é', None, None),
    ],
)
def test_marks_are_read_where_backends_take_them(
    honest: Simulator, join: Join, message: str | bytes, run: object, thread: object, user: object
) -> None:
    client = join(honest)
    client.connection.send(message)
    found = client.until(lambda event: event["type"] == "agent_completed")
    assert {event["run_id"] for event in found} == {run}
    assert {event["thread_id"] for event in found} == {thread or found[0]["thread_id"]}
    assert {event["user_id"] for event in found} == {user or found[0]["thread_id"]}


def test_a_connection_keeps_its_user_when_the_thread_changes(honest: Simulator, join: Join) -> None:
    client = join(honest)
    users = {event["user_id"] for thread in ("a", "b") for event in client.turn(f"run-{thread}", thread)}
    assert users == {"a"}


def test_a_turn_without_an_id_gets_one(honest: Simulator, join: Join) -> None:
    client = join(honest)
    ids = set()
    for _ in range(2):
        client.connection.send('{"type":"start_agent"}')
        ids.add(client.until(lambda event: event["type"] == "agent_completed")[0]["run_id"])
    assert len(ids) == 2


@pytest.mark.parametrize(
    "text", ["not json", "[1]", '{"type":5}', '{"type":"start_agent","payload":7}', b"\xff\xfe"]
)
def test_what_cannot_be_read_is_told_and_the_connection_lives(
    honest: Simulator, join: Join, text: str | bytes
) -> None:
    client = join(honest)
    client.connection.send(text)
    assert client.event()["error_code"] == "FORMAT_ERROR"
    assert len(client.turn("run-1")) == 7


def test_pings_are_answered_and_other_types_acknowledged(honest: Simulator, join: Join) -> None:
    client = join(honest)
    assert client.ask('{"type":"ping"}')["type"] == "pong"
    assert client.ask('{"type":"user_message","payload":{"content":"hi"}}')["received_type"] == "user_message"
    client.connection.send('{"type":"pong"}')
    assert client.rest() == []


def test_heartbeats_come_when_asked_for(start: Start, join: Join) -> None:
    simulator = start(heartbeat_ns=20_000_000)
    client = join(simulator)
    for _ in range(3):
        assert client.event()["type"] == "ping"
        client.connection.send('{"type":"pong"}')
    client.ask('{"type":"marker"}')
    beats = simulator.stats()["heartbeats"]
    assert beats["answered"] == 3
    assert beats["sent"] >= 3


def test_the_number_of_partial_results_can_be_chosen(start: Start, join: Join) -> None:
    found = join(start(partials=5)).turn("run-1")
    assert [event["type"] for event in found].count("partial_result") == 5
    assert len(found) == 10


def seen(event: dict[str, Any], simulator_faults: Any) -> tuple[Any, ...]:
    """What a received message is, in the words of a script."""
    if "broken" in event:
        return (Act.BROKEN,)
    if event["user_id"] != "thread-1":
        return (Act.FOREIGN, event["type"])
    huge = simulator_faults.huge_bytes is not None and "filler" in event
    return (Act.HUGE if huge else Act.EVENT, event["type"], event["seq"])


def expected(faults: Any, run: str) -> list[tuple[Any, ...]]:
    """What the script for this turn lets a client see."""
    return [
        (step.act,)
        if step.act is Act.BROKEN
        else (step.act, step.kind)
        if step.act is Act.FOREIGN
        else (step.act, step.kind, step.seq)
        for step in make_script(faults, run, KINDS)
        if step.act not in {Act.MARK, Act.CLOSE}
    ]


@pytest.mark.parametrize(
    "fault",
    [
        "drop=0.05",
        "drop=0.3,any",
        "duplicate=0.2",
        "reorder=0.2",
        "leak=0.1",
        "malformed=0.2",
        "unpaired=0.3",
        "blackhole=0.2",
        "huge=3KiB",
        "stall=1ms,0.5",
        "batch=2ms",
    ],
)
def test_a_fault_strikes_the_known_set_and_nothing_else(start: Start, join: Join, fault: str) -> None:
    simulator, faults = start(fault, seed=7), parse_faults([fault], 7)
    client = join(simulator)
    for run in RUNS:
        client.start(run)
        due = expected(faults, run)
        assert [seen(client.event(), faults) for _ in due] == due
    assert client.rest() == []
    name = fault.partition("=")[0]
    injections = [
        [run, step.seq, step.kind] for run in RUNS for step in make_script(faults, run, KINDS) if step.fault
    ]
    stats = simulator.stats()
    assert injections
    assert stats["faults_done"] == {name: {"n": len(injections), "struck": injections, "unlisted": 0}}
    unanswered = len(injections) if name == "blackhole" else 0
    assert stats["turns"] == turns(begun=40, completed=40 - unanswered, unanswered=unanswered)


def turns(**counts: int) -> dict[str, int]:
    return (
        dict.fromkeys(("begun", "completed", "failed", "unanswered", "cut", "left", "in_flight"), 0) | counts
    )


def test_seeds_differ(start: Start, join: Join) -> None:
    kinds = []
    for seed in (1, 2):
        client = join(start("drop=0.5", seed=seed))
        kinds.append([event["seq"] for run in RUNS[:10] for event in client.turn(run)])
    assert kinds[0] != kinds[1]


def test_a_huge_event_has_the_size_that_was_asked_for(start: Start, join: Join) -> None:
    client = join(start("huge=100kB"))
    client.start("run-1")
    sizes = [len(client.connection.recv(60)) for _ in KINDS]
    assert [size for size in sizes if size > 1000] == [100_000, 100_000]


def test_a_leak_is_a_real_event_of_another_user(start: Start, join: Join) -> None:
    simulator = start("leak=1,agent_completed")
    other, client = join(simulator), join(simulator)
    other.turn("run-other", "thread-other")
    foreign = [event for event in client.turn("run-1") if event["user_id"] != "thread-1"]
    assert [(event["run_id"], event["user_id"]) for event in foreign] == [("run-other", "thread-other")]


def test_numbers_can_be_left_out(start: Start, join: Join) -> None:
    client = join(start("no-seq"))
    found = client.turn("run-1")
    assert [event["type"] for event in found] == list(KINDS)
    assert not any("seq" in event for event in found)
    assert not any("seq" in event for event in join(start("no-seq", "delay=1ms")).turn("run-1"))


def test_an_acknowledgement_can_be_all_there_is(start: Start, join: Join) -> None:
    simulator = start("ack-only")
    client = join(simulator)
    client.start("run-1")
    assert client.event() | {"timestamp": 0} == {
        "type": "ack",
        "received_type": "start_agent",
        "timestamp": 0,
    }
    assert client.rest() == []
    stats = simulator.stats()
    assert stats["turns"] == turns()
    assert stats["faults_done"]["ack-only"]["n"] == 1


def test_turns_over_the_rate_are_refused_one_by_one(start: Start, join: Join) -> None:
    simulator = start("rate-limit=3")
    client = join(simulator)
    for run in RUNS:
        client.start(run)
    found = client.rest()
    refused = [event["run_id"] for event in found if event["type"] == "error_message"]
    whole = [event["run_id"] for event in found if event["type"] == "agent_completed"]
    assert {event["error_code"] for event in found if event["type"] == "error_message"} == {"RATE_LIMITED"}
    assert sorted(refused + whole) == sorted(RUNS)
    assert whole[:3] == RUNS[:3]
    assert len(whole) in {3, 6}, "two seconds at most saw these turns"
    stats = simulator.stats()
    assert stats["turns"] == turns(begun=40, completed=len(whole), failed=len(refused))
    assert [about[0] for about in stats["faults_done"]["rate-limit"]["struck"]] == refused


def test_too_many_turns_at_once_are_refused(start: Start, join: Join) -> None:
    client = join(start("delay=30s", max_turns=2))
    for run in RUNS[:3]:
        client.start(run)
    assert [event["error_code"] for event in client.rest()] == ["OVERLOADED"]


def test_a_cut_turn_closes_its_connection(start: Start, join: Join) -> None:
    simulator = start("cut=0.3", seed=3)
    faults = parse_faults(["cut=0.3"], 3)
    first = next(n for n, run in enumerate(RUNS) if faults.strikes("cut", 0.3, run))
    client = join(simulator)
    for run in RUNS[: first + 1]:
        client.start(run)
    found, ended = client.to_the_end()
    assert "1011" in str(ended)
    assert len(found) == first * 7 + 3
    stats = simulator.stats()
    assert stats["turns"] == turns(begun=first + 1, completed=first, cut=1)
    assert stats["connections"]["closed_by_server"] == {"1011": 1}
    assert stats["faults_done"]["cut"]["struck"] == [[RUNS[first], 0, ""]]


def times_of_a_turn(client: Any, run: str) -> list[float]:
    """Milliseconds from sending to each event."""
    sent = time.monotonic()
    client.start(run)
    found = []
    while True:
        event = client.event()
        found.append((time.monotonic() - sent) * 1000)
        if event["type"] == "agent_completed":
            return found


def test_delay_and_gap_are_as_long_as_asked(start: Start, join: Join) -> None:
    client = join(start("delay=30ms", "gap=5ms"))
    due = [30 + 5 * n for n in range(7)]
    assert all(late - at > -1 for at, late in zip(due, times_of_a_turn(client, "run-1"), strict=True))


def test_delays_are_drawn_for_each_turn(start: Start, join: Join) -> None:
    client = join(start("delay=bimodal:0ms,1s,0.5", seed=5))
    faults = parse_faults(["delay=bimodal:0ms,1s,0.5"], 5)
    slow = {run for run in RUNS[:8] if make_script(faults, run, KINDS)[0].at_ns > 0}
    for run in RUNS[:8]:
        client.start(run)
    first = list(dict.fromkeys(client.event()["run_id"] for _ in range(8 * 7)))
    assert 0 < len(slow) < 8
    assert set(first[-len(slow) :]) == slow, "all others were answered before them"


def test_turns_under_way_do_not_wait_for_each_other(start: Start, join: Join) -> None:
    client = join(start("delay=1s"))
    sent = time.monotonic()
    for run in RUNS[:10]:
        client.start(run)
    assert len([client.event() for _ in range(70)]) == 70
    assert time.monotonic() - sent < 9, "one after the other would take 10 s"


def test_a_stall_is_a_silence_in_mid_turn(start: Start, join: Join) -> None:
    at = times_of_a_turn(join(start("stall=1s")), "run-1")
    gaps = [after - before for before, after in pairwise(at)]
    assert gaps.index(max(gaps)) == 2
    assert max(gaps) > 950


def test_a_batch_comes_at_once_at_the_end_of_the_turns_time(start: Start, join: Join) -> None:
    at = times_of_a_turn(join(start("batch", "gap=100ms")), "run-1")
    assert at[0] > 599
    assert at[-1] - at[0] < 500


def test_a_client_that_leaves_is_not_waited_for(start: Start, join: Join) -> None:
    simulator = start("delay=20s")
    client = join(simulator)
    client.start("run-1")
    client.rest()
    client.connection.close()
    stats = simulator.stats()
    assert stats["turns"] == turns(begun=1, left=1)
    assert stats["connections"]["closed_by_client"] == {"1000": 1}


def test_a_frozen_server_answers_after_it_thaws(start: Start, join: Join) -> None:
    simulator = start("freeze=400ms,200ms")
    client = join(simulator)
    began = time.monotonic()
    worst = 0.0
    while time.monotonic() - began < 0.9:
        worst = max(worst, times_of_a_turn(client, "run")[0])
    assert worst > 150
    assert simulator.stats()["faults_done"]["freeze"]["n"] >= 1


def test_the_counters_say_what_was_done_to_the_unit(start: Start, join: Join) -> None:
    simulator = start()
    client = join(simulator)
    sent_bytes = 0
    for run in RUNS:
        client.turn(run)
        body = {"user_request": "?", "thread_id": "thread-1", "run_id": run}
        sent_bytes += len(json.dumps({"type": "start_agent", "payload": body}))
    client.connection.ping().wait(60)
    health = simulator.health()
    assert health["simulated"] is True
    assert health["turns"] == turns(begun=40, completed=40)
    assert health["events"] == {"sent": 280}
    assert health["messages"] == {"received": 40, "sent": 280, "unread": 0, "malformed": 0}
    assert health["pings"] == {"received": 1, "answered": 1}
    assert health["bytes"]["received"] == sent_bytes
    assert health["connections"] | {"closed_by_client": {}} == {
        "attempted": 1,
        "established": 1,
        "ready": 1,
        "open": 1,
        "peak": 1,
        "refused": {},
        "closed_by_client": {},
        "closed_by_server": {},
        "closed_without_frame": 0,
        "slow_readers": 0,
    }
