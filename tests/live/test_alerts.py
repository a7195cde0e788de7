"""Alerts over simulated time: announced, cooled down, grouped, escalated, recovered, held to the rate."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.live.alerts import (
    AlertState,
    Message,
    Observation,
    advance,
    delivered,
    due,
    failed,
    forget,
    observations,
)
from loadtest.readiness.evidence import distribution, shares
from loadtest.readiness.policy import SEVERITIES, Alerts, Route, Severity
from tests.readiness.made import assessed, policy, up

HOOK = Route("hook", "webhook", ("info", "warning", "critical"))
BOSS = Route("boss", "email", ("critical",), escalated=True)
POLICY = Alerts(routes=(HOOK,), most=100)


class Watcher:
    """Feeds one thing's severity into the state and collects what is sent, second by second."""

    def __init__(self, policy: Alerts = POLICY) -> None:
        self.policy, self.state, self.now = policy, AlertState(), 0.0
        self.got: list[tuple[float, Message]] = []

    def see(self, severity: Severity | None, for_s: float = 1.0, *names: str) -> None:
        for _ in range(int(for_s)):
            seen = [Observation(name, name, severity, "it broke") for name in names or ("api",)]
            advance(self.state, seen, self.now, self.policy)
            for message in due(self.state, self.now, self.policy):
                delivered(self.state, message, self.now)
                self.got.append((self.now, message))
            self.now += 1

    @property
    def told(self) -> list[tuple[float, str]]:
        return [(at, message.subject.split()[0]) for at, message in self.got]


def test_an_incident_is_told_once_and_so_is_its_end() -> None:
    watcher = Watcher()
    watcher.see("warning", 200)
    watcher.see(None, 10)
    assert watcher.told == [(0, "ALERT"), (200, "RECOVERED")]
    assert "the problem lasted 200 s" in watcher.got[1][1].lines[0]


def test_what_was_never_announced_does_not_recover() -> None:
    watcher = Watcher(replace(POLICY, failures=3))
    watcher.see("critical", 2)
    watcher.see(None, 1)
    assert watcher.told == []
    watcher.see("critical", 3)
    assert watcher.told == [(5, "ALERT")]


def test_flapping_is_held_back_until_the_cool_down_is_over() -> None:
    watcher = Watcher()
    for _ in range(50):
        watcher.see("critical", 1)
        watcher.see(None, 1)
    alerts = [at for at, word in watcher.told if word == "ALERT"]
    assert alerts == [0, 60]
    assert len(watcher.told) == 4


def test_what_comes_back_within_the_cool_down_and_stays_is_told_when_it_is_over() -> None:
    watcher = Watcher()
    watcher.see("critical", 5)
    watcher.see(None, 5)
    watcher.see("critical", 100)
    assert watcher.told == [(0, "ALERT"), (5, "RECOVERED"), (60, "ALERT")]


def test_getting_worse_is_told_at_once() -> None:
    watcher = Watcher()
    watcher.see("warning", 10)
    watcher.see("critical", 10)
    assert watcher.told == [(0, "ALERT"), (10, "ALERT")]
    assert [message.severity for _, message in watcher.got] == ["warning", "critical"]


def test_escalation_comes_once_and_goes_to_its_own_route() -> None:
    watcher = Watcher(replace(POLICY, routes=(HOOK, BOSS)))
    watcher.see("critical", 1000)
    assert [(at, message.route) for at, message in watcher.got] == [(0, "hook"), (300, "boss")]
    assert "still critical after 300 s" in watcher.got[1][1].lines[0]


def test_without_such_a_route_an_escalation_goes_everywhere() -> None:
    watcher = Watcher()
    watcher.see("critical", 400)
    assert watcher.told == [(0, "ALERT"), (300, "ESCALATED")]


def test_what_happens_together_shares_a_message() -> None:
    watcher = Watcher(replace(POLICY, group_s=10))
    watcher.see("critical", 5, "api", "store")
    watcher.see("warning", 10, "cache")
    assert [(at, len(message.lines)) for at, message in watcher.got] == [(10, 3)]
    assert watcher.got[0][1].subject == "ALERT critical: api and 2 more"


def test_a_route_gets_only_its_severities() -> None:
    watcher = Watcher(replace(POLICY, routes=(replace(HOOK, severities=("critical",)),)))
    watcher.see("warning", 5)
    assert watcher.got == []


def test_never_more_than_the_rate_and_none_is_lost() -> None:
    watcher = Watcher(replace(POLICY, most=5, per_s=60))
    for number in range(12):
        watcher.see("critical", 1, f"part {number}")
    watcher.see(None, 200, "nobody")
    assert len(watcher.got) == 12
    times = [at for at, _ in watcher.got]
    assert all(sum(start <= at < start + 60 for at in times) <= 5 for start in range(200))


def test_what_did_not_arrive_is_tried_again_later_and_later() -> None:
    state = AlertState()
    advance(state, [Observation("api", "api", "critical", "it broke")], 0, POLICY)
    waits = []
    now = 0.0
    for _ in range(9):
        (message,) = due(state, now, POLICY)
        failed(state, message, now)
        waits.append(message.not_before - now)
        assert due(state, message.not_before - 0.1, POLICY) == []
        now = message.not_before
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize("restart_at", range(0, 130, 7))
def test_a_restart_neither_loses_nor_repeats(restart_at: int) -> None:
    def course(restart: int | None) -> list[tuple[float, str]]:
        watcher = Watcher(replace(POLICY, group_s=3, escalate_after_s=50, most=2))
        for second in range(130):
            if second == restart:
                watcher.state = msgspec.convert(
                    json.loads(json.dumps(asdict(watcher.state))), AlertState, strict=False
                )
            watcher.see("critical" if 10 <= second < 90 else None, 1, "api", "store")
        return watcher.told

    assert course(restart_at) == course(None)


@given(st.lists(st.sampled_from([None, "info", "warning", "critical"]), max_size=60))
def test_alerts_and_recoveries_alternate_and_the_rate_holds(course: list[Severity | None]) -> None:
    watcher = Watcher(replace(POLICY, most=3, per_s=10))
    for severity in course:
        watcher.see(severity, 1)
    watcher.see(None, 300)
    words = [word for _, word in watcher.told]
    assert words.count("RECOVERED") <= words.count("ALERT")
    assert not words or words[-1] == "RECOVERED"
    for least in range(3):
        times = [at for at, message in watcher.got if SEVERITIES.index(message.severity) >= least]
        alone = [at for at, message in watcher.got if SEVERITIES.index(message.severity) == least]
        assert all(sum(at - 10 < each <= at for each in times) <= 3 for at in alone)


def test_the_end_is_told_to_who_was_told_of_it_at_its_worst_and_to_nobody_else() -> None:
    critical = replace(HOOK, name="critical", severities=("critical",))
    watcher = Watcher(replace(POLICY, routes=(critical, BOSS)))
    watcher.see("critical", 5)
    watcher.see("warning", 200)
    watcher.see(None, 5)
    assert [(message.route, message.subject.split()[0]) for _, message in watcher.got] == [
        ("critical", "ALERT"), ("critical", "RECOVERED"),
    ]  # fmt: skip
    watcher.see("critical", 400)
    watcher.see(None, 5)
    assert [message.subject.split()[0] for _, message in watcher.got if message.route == "boss"] == [
        "ESCALATED", "RECOVERED",
    ]  # fmt: skip


def test_what_was_a_warning_for_long_is_not_escalated_the_moment_it_is_critical() -> None:
    watcher = Watcher()
    watcher.see("warning", 299)
    watcher.see("critical", 400)
    assert watcher.told == [(0, "ALERT"), (299, "ALERT"), (599, "ESCALATED")]


def test_a_receiver_that_refuses_is_not_tried_more_often_than_the_rate_and_holds_up_no_other() -> None:
    dead = replace(HOOK, name="dead")
    rules = replace(POLICY, routes=(dead, HOOK), most=3, per_s=60)
    state, tries, got = AlertState(), list[float](), list[float]()
    for now in map(float, range(300)):
        advance(state, [Observation(f"part {now:.0f}", "x", "critical", "it broke")] * (now < 6), now, rules)
        for message in due(state, now, rules):
            if message.route == "dead":
                tries.append(now)
                failed(state, message, now)
            else:
                got.append(now)
                delivered(state, message, now)
    assert len(got) == 6
    assert all(sum(start <= at < start + 60 for at in tries) <= 3 for start in range(300))


def test_what_is_no_longer_looked_at_is_closed() -> None:
    watcher = Watcher()
    watcher.see("critical", 5)
    forget(watcher.state, {"other"}, watcher.now)
    watcher.see(None, 1, "other")
    assert watcher.got[-1][1].subject == "RECOVERED critical: api: over after 5 s"
    assert "no longer contains this component" in watcher.got[-1][1].lines[0]
    assert watcher.state.incidents == {}


def outbox(*messages: tuple[str, Severity]) -> AlertState:
    state = AlertState()
    state.outbox = [
        Message(f"{number}", route, severity, "subject", [], float(number))
        for number, (route, severity) in enumerate(messages)
    ]
    return state


def test_the_rate_of_one_route_holds_up_no_other() -> None:
    state = outbox(*[("chat", "warning")] * 4, ("mail", "warning"))
    rules = replace(POLICY, most=2, per_s=60)
    picked = due(state, 0, rules)
    assert [message.route for message in picked] == ["chat", "chat", "mail"]
    for message in picked:
        delivered(state, message, 0)
    assert due(state, 59, rules) == []
    assert [message.route for message in due(state, 60, rules)] == ["chat", "chat"]


def test_the_most_severe_message_goes_first_and_never_waits_behind_others() -> None:
    state = outbox(("hook", "info"), ("hook", "info"), ("hook", "warning"), ("hook", "critical"))
    rules = replace(POLICY, most=2, per_s=60)
    first = due(state, 0, rules)
    assert [message.severity for message in first] == ["critical", "warning"]
    for message in first:
        failed(state, message, 0)
    late = outbox(("hook", "critical")).outbox
    state.outbox += late
    assert due(state, 1, rules) == late


def test_a_state_kept_before_the_rate_was_per_route_is_read() -> None:
    kept = {**asdict(AlertState()), "sent": [1.0], "tried": {"hook": [2.0]}}
    del kept["tries"]
    assert msgspec.convert(json.loads(json.dumps(kept)), AlertState, strict=False) == AlertState()


def test_the_alert_that_a_part_is_down_comes_with_the_failure(tmp_path: Path) -> None:
    measures = {**distribution("latency", [20.0] * 4, 16), **shares(4, 20)}
    issue = "16 of 20 tries failed, the last: HTTP status 503"
    api = replace(up(), measures=measures, issues=(issue,), error="status")
    found = assessed(policy(tmp_path), api=api, store=up("ping"), extra=up("connect"))
    state = AlertState()
    advance(state, observations(found), 0, POLICY)
    (message,) = due(state, 0, POLICY)
    assert message.subject.startswith("ALERT critical: api down")
    assert "HTTP status 503" in message.lines[0]


def test_a_route_that_fails_is_left_alone_by_all_that_is_not_more_severe() -> None:
    state = outbox(("dead", "warning"), ("dead", "info"), ("hook", "info"))
    picked = due(state, 0, POLICY)
    failed(state, picked[0], 0)
    assert [message.route for message in due(state, 1, POLICY)] == ["hook"]
    critical = outbox(("dead", "critical")).outbox
    state.outbox += critical
    assert due(state, 1, POLICY)[0] is critical[0]
    assert {message.route for message in due(state, 6, POLICY)} == {"dead", "hook"}


def test_what_is_only_degraded_or_unknown_by_now_is_not_escalated_as_still_critical() -> None:
    watcher = Watcher(replace(POLICY, escalate_after_s=60, cooldown_s=dict.fromkeys(SEVERITIES, 1e9)))
    watcher.see("critical", 30)
    watcher.see("warning", 300)
    assert [word for _, word in watcher.told] == ["ALERT"]
    watcher.see("critical", 61)
    assert [word for _, word in watcher.told] == ["ALERT", "ESCALATED"]


def test_what_has_begun_to_recover_is_not_escalated() -> None:
    watcher = Watcher(replace(POLICY, escalate_after_s=60, successes=100))
    watcher.see("critical", 59)
    watcher.see(None, 30)
    assert [word for _, word in watcher.told] == ["ALERT"]


def test_an_incident_is_told_after_failures_and_over_after_successes_in_a_row() -> None:
    watcher = Watcher(replace(POLICY, failures=3, successes=2))
    for severity in ("critical", "critical", None) * 5:
        watcher.see(severity)  # type: ignore[arg-type] # words of a severity
    assert watcher.told == []
    watcher.see("critical", 3)
    for severity in (None, "critical") * 5:
        watcher.see(severity)  # type: ignore[arg-type] # words of a severity
    assert [word for _, word in watcher.told] == ["ALERT"]
    watcher.see(None, 2)
    assert [word for _, word in watcher.told] == ["ALERT", "RECOVERED"]


def test_a_component_may_have_thresholds_of_its_own() -> None:
    watcher = Watcher(replace(POLICY, failures=1, each={"slow": (3, 1)}))
    watcher.see("critical", 2, "api", "slow")
    assert [message.subject for _, message in watcher.got] == ["ALERT critical: api"]


def test_an_incident_that_was_over_before_it_could_be_sent_is_told_as_over() -> None:
    watcher = Watcher(replace(POLICY, group_s=30))
    watcher.see("critical", 5)
    watcher.see(None, 40)
    ((_, message),) = watcher.got
    assert message.subject == "RECOVERED critical: api: over after 5 s"
    assert [line.split()[0] for line in message.lines] == ["ALERT", "RECOVERED"]


def test_a_message_tells_what_is_still_wrong_before_what_is_over() -> None:
    watcher = Watcher(replace(POLICY, group_s=30))
    watcher.see("critical", 5, "api", "store")
    for _ in range(40):
        seen = [Observation("api", "api", None, ""), Observation("store", "store", "critical", "it broke")]
        advance(watcher.state, seen, watcher.now, watcher.policy)
        watcher.now += 1
    (message,) = watcher.state.outbox
    assert message.subject == "ALERT critical: store and 1 more"


def test_every_line_carries_its_time() -> None:
    watcher = Watcher()
    watcher.now = 1_757_160_000.0
    watcher.see("critical", 5)
    assert "2025-09-06 12:00:00 UTC" in watcher.got[0][1].lines[0]


def test_no_older_message_of_an_incident_arrives_after_a_newer_one() -> None:
    watcher = Watcher(replace(POLICY, most=1, per_s=60))
    watcher.see("critical", 1, "first")
    for _ in range(50):  # the rate is used up: what is told now waits
        watcher.see("warning", 1, "first", "api")
        watcher.see(None, 1, "api")
    watcher.see(None, 200, "first", "api")
    lines = [line for _, message in watcher.got for line in message.lines if " api" in line]
    times = [line.rpartition("(")[2] for line in lines]
    assert len(lines) >= 2
    assert times == sorted(times)
    assert lines[-1].startswith("RECOVERED")


def test_what_waits_to_be_tried_again_is_tried_before_what_is_new() -> None:
    state, rules = AlertState(), POLICY
    advance(state, [Observation("api", "api", "critical", "it broke")], 0, rules)
    (old,) = due(state, 0, rules)
    for _ in range(2):
        failed(state, old, 0)
    assert old.not_before > 5
    advance(state, [Observation("api", "api", None, "")], 5, rules)
    assert [message.subject.split()[0] for message in due(state, 5, rules)] == ["ALERT", "RECOVERED"]
    failed(state, old, 5)
    first, *_ = due(state, 400, rules)
    assert first.subject.startswith("RECOVERED"), "one that is refused for ever holds up none"


def test_what_lies_behind_something_that_is_down_is_neither_told_nor_over() -> None:
    watcher = Watcher(replace(POLICY, escalate_after_s=30))
    hidden = Observation("api", "api unknown", None, "cannot be told", inhibited=True)
    for _ in range(100):
        advance(watcher.state, [hidden], watcher.now, watcher.policy)
        watcher.now += 1
    assert watcher.state.incidents == {}
    watcher.see("critical", 5)
    for _ in range(100):
        advance(watcher.state, [hidden], watcher.now, watcher.policy)
        watcher.now += 1
    assert [message.subject.split()[0] for message in watcher.state.outbox] == []
    watcher.see(None)
    assert [word for _, word in watcher.told] == ["ALERT", "RECOVERED"]


def test_a_trigger_that_is_unknown_is_neither_told_nor_over(tmp_path: Path) -> None:
    unknown = assessed(policy(tmp_path), api=up(), store=up("ping"))
    seen = {each.key: each for each in observations(replace(unknown, triggers=tuple(
        replace(each, outcome="unknown") for each in unknown.triggers
    )))}  # fmt: skip
    assert seen["trigger half"].inhibited
