"""What is observed beside counters is kept, and never without bound."""

from __future__ import annotations

from typing import Any

from loadtest.drive.observations import LOOKED_AT, REASONS, Observations, add_facts
from loadtest.errors import Layer
from loadtest.measure.reasons import SHOWN
from loadtest.speak.connect_refusal import ConnectRefusal


def test_a_few_reasons_of_refusals_are_told_as_they_are() -> None:
    seen = Observations()
    for number in [*range(SHOWN), 3]:
        seen.saw_refusal(ConnectRefusal(Layer.TCP, f"reason {number}"))
    reasons = seen.facts["refusals"]
    assert len(reasons) == SHOWN
    assert next(iter(reasons.items())) == ("tcp: reason 3", 2)


def test_reasons_with_ids_do_not_crowd_out_the_frequent_one() -> None:
    seen = Observations()
    for number in range(300):
        seen.saw_close(1011, f"session {number} expired")
    for _ in range(500):
        seen.saw_close(1012, "restarting")
    assert seen.facts["closes"] == {"code 1012: restarting": 500, "code 1011: session {n} expired": 300}


def test_each_kind_of_reason_has_a_name_of_its_own() -> None:
    seen = Observations()
    seen.saw_close(1011, "boom")
    seen.saw_still_opening("tcp: no answer yet")
    assert seen.facts == {"closes": {"code 1011: boom": 1}, "still_opening": {"tcp: no answer yet": 1}}
    assert seen.facts.keys() < REASONS


def test_what_a_target_says_of_itself_is_kept_once() -> None:
    seen = Observations()
    seen.saw_server("a", None)
    seen.saw_server("b", "c")
    assert seen.facts == {"server": {"server": "a", "subprotocol": None}}


def test_answers_that_all_sound_like_errors_are_a_fact_until_a_good_one_comes() -> None:
    seen = Observations()
    for _ in range(2):
        seen.saw_answer("unauthorized")
    assert seen.facts == {"answers_sound_wrong": {"answers": 2, "type": "unauthorized"}}
    seen.saw_answer("")
    assert seen.facts == {}
    assert not seen.looks_at_answers
    seen = Observations()
    for _ in range(LOOKED_AT):
        assert seen.looks_at_answers
        seen.saw_answer("denied")
    assert not seen.looks_at_answers


def test_what_processes_saw_differently_is_told_of_all_of_them() -> None:
    known: dict[str, Any] = {}
    for server, step, hosts, answers in (("nginx", -40.0, "a.test", 3), ("envoy", 9.0, "b.test, a.test", 4)):
        facts = {
            "server": {"server": server, "subprotocol": None},
            "clock_stepped": {"by_ms": step, "worker": answers},
            "other_hosts": {"hosts": hosts},
            "answers_sound_wrong": {"answers": answers, "type": "error"},
            "cpu_not_read": {"system": "plan9"},
        }
        add_facts(known, facts)
    assert known == {
        "server": {"server": "nginx, envoy", "subprotocol": None},
        "clock_stepped": {"by_ms": -40.0, "worker": 3},
        "other_hosts": {"hosts": "a.test, b.test"},
        "answers_sound_wrong": {"answers": 7, "type": "error"},
        "cpu_not_read": {"system": "plan9"},
    }
