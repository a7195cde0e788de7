"""What ``protocols check`` says of matches that never decide anything, and nothing of those that do."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.plan.match_conflicts import DECIDE_BEFORE, conflicts
from loadtest.plan.named_matches import LISTS, named_matches
from loadtest.plan.protocol import (
    AutoReply,
    Connect,
    CountAt,
    Events,
    MessageStep,
    Protocol,
    ReadyStep,
    TimedBeat,
    TurnKind,
    TurnShape,
)
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.shipped import shipped_names

PLAIN: dict[str, Any] = {"type": ("type",), "turn": ("id",), "end": ("done",)}


def told(
    connect: Connect | None = None, turns: dict[str, TurnKind] | None = None, **events: Any
) -> list[str]:
    protocol = Protocol(
        name="test",
        connect=connect or Connect(),
        turn=TurnShape(messages=events.pop("messages", ())),
        events=Events(**{**PLAIN, **events}),
        turns=turns or {},
    )
    return list(conflicts(protocol))


@pytest.mark.parametrize("name", shipped_names("protocol"))
def test_nothing_is_said_of_those_that_ship(name: str) -> None:
    assert list(conflicts(load_protocol(name))) == []


def test_a_match_that_can_never_be_true_is_named() -> None:
    assert told(fail=({"has": "error", "lacks": "error"},)) == [
        (
            "`fail: has error, lacks error` never matches an event: it requires `error` to be both present"
            " and absent"
        )
    ]


NEVER = "has no effect:"
BEFORE = " is checked first and matches every such event"
DONE_OK = {"type": "done", "ok": True}


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (
            {"end": (DONE_OK,), "fail": ("done",)},
            f"`end: type = done, ok = true` {NEVER} `fail: done`{BEFORE}",
        ),
        (
            {"end": ("done",), "ignore": ({"prefix": "d"},)},
            f"`end: done` {NEVER} `ignore: type begins with d`{BEFORE}",
        ),
        (
            {"first": ("part", DONE_OK), "refuse": ({"has": "ok"},)},
            f"`first: type = done, ok = true` {NEVER} `refuse: has ok`{BEFORE}",
        ),
        (
            {
                "answer": (
                    AutoReply(on={"has": "id"}, send=""),
                    AutoReply(on={"has": ["id", "method"]}, send=""),
                )
            },
            f"`answer: has id and method` {NEVER} `answer: has id`{BEFORE}",
        ),
        (
            {"count": CountAt(path="n", of="chunk"), "ignore": ("chunk",)},
            f"`count: chunk` {NEVER} `ignore: chunk`{BEFORE}",
        ),
        (
            {"pairs": (("on", "off"),), "ignore": ("off",)},
            f"`pairs: off` {NEVER} `ignore: off`{BEFORE}",
        ),
        (
            {"messages": (MessageStep(send="x"), MessageStep(wait="no")), "fail": ("no",)},
            f"`wait: no` {NEVER} `fail: no`{BEFORE}",
        ),
    ],
)
def test_a_match_that_another_decides_before_is_named(events: dict[str, Any], sentence: str) -> None:
    assert told(**events) == [sentence]


def test_what_decides_first_depends_on_where_it_stands() -> None:
    """An end that may also be a failure, an error that ends a turn: both are as they should be."""
    assert told(end=("done",), fail=({"has": "error"}, {"type": "done", "ok": False})) == []
    assert told(end=("done",), first=("done",)) == []
    assert told(keep=({"type": "done", "keep": {"x": "x"}},)) == []
    assert (
        told(answer=(AutoReply(on={"has": ["a", "b"]}, send=""), AutoReply(on={"has": "a"}, send=""))) == []
    )


def test_heartbeats_and_refused_credentials_go_before_all() -> None:
    connect = Connect(
        ready=(ReadyStep(wait={"type": "error", "code": 401}), ReadyStep(send="x")),
        heartbeat=(
            AutoReply(on="ping", send=""),
            TimedBeat(every="1s", send="", answer="pong"),
            TimedBeat(every="1s", send=""),
        ),
        auth_errors=("error",),
    )
    assert told(connect, end=("pong",), fail=("ping",)) == [
        f"`ready: type = error, code = 401` {NEVER} `auth_errors: error`{BEFORE}",
        f"`fail: ping` {NEVER} `heartbeat: ping`{BEFORE}",
        f"`end: pong` {NEVER} `heartbeat.answer: pong`{BEFORE}",
    ]


def test_rules_of_one_kind_of_turn_do_not_touch_another() -> None:
    def kind(**events: Any) -> TurnKind:
        return TurnKind(turn=TurnShape(message="x"), events=Events(**{**PLAIN, **events}))

    turns = {"ask": kind(), "cancel": kind(end=("failed",), fail=("done",))}
    assert told(turns=turns) == []
    turns["cancel"] = kind(end=(DONE_OK,), fail=("done",))
    assert told(turns=turns) == [
        f"`end[cancel]: type = done, ok = true` {NEVER} `fail[cancel]: done`{BEFORE}",
    ]


def test_a_text_has_only_the_groups_of_its_pattern() -> None:
    fields: dict[str, Any] = {"format": "text", "pattern": "(?P<type>[A-Z]+) (?P<turn>.+)", "turn": ("turn",)}
    assert told(**fields, fail=({"type": "DONE", "text": "x"}, {"lacks": "text"}, {"turn": "x"})) == [
        "`fail: type = DONE, text = x` never matches an event: `pattern` has no group named `text`"
    ]


def test_every_list_of_matches_has_its_place() -> None:
    protocol = Protocol(
        name="x",
        events=Events(**{**PLAIN, **{key: ("x", "*") if key == "order" else ("x",) for key in LISTS}}),
    )
    assert [str(each) for each in named_matches(protocol)] == [f"{key}: x" for key in LISTS]
    assert {*LISTS} - {"keep"} <= DECIDE_BEFORE.keys()


def test_a_refusal_that_a_failure_swallows_is_told_with_what_to_write() -> None:
    busy = {"type": "nack", "code": "E_BUSY"}
    (sentence,) = told(fail=("nack",), refuse=(busy,))
    assert sentence.startswith("`refuse: type = nack, code = E_BUSY` has no effect")
    regex = "^(?!(E_BUSY)$)"
    assert f'exclude these events there with `code = {{ regex = "{regex}" }}`' in sentence
    assert 'a second `fail` with `lacks = "code"`' in sentence
    rest = ({"type": "nack", "code": {"regex": regex}}, {"type": "nack", "lacks": "code"})
    assert told(fail=rest, refuse=(busy,)) == []
    (sentence,) = told(fail=("nack",), refuse=("nack",))
    assert sentence.endswith(BEFORE)
