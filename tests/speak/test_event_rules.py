"""What the types of events mean for their turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.protocol import Events
from loadtest.speak.event_rules import ALL_SHIFT, COUNT, END, FAIL, FIRST, REFUSE, EventRules, Fits


def test_a_type_may_mean_several_things() -> None:
    rules = EventRules(Events(first=("one",), end=("one", "two"), ignore=("ack",)))
    assert rules.flags["one"] == FIRST | END
    assert rules.flags["two"] == END
    assert rules.default_flags == 0


def test_without_a_list_of_first_content_any_event_is_first() -> None:
    rules = EventRules(Events(end=("done",), count=2))
    assert rules.default_flags == FIRST | COUNT
    assert rules.flags["done"] == FIRST | COUNT | END


def test_an_error_is_never_the_first_content() -> None:
    rules = EventRules(Events(fail=("error",), refuse=("busy",)))
    assert rules.flags == {"error": FAIL, "busy": REFUSE}


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        (Events(), False),
        (Events(end=("x",)), False),
        (Events(required=("x",)), True),
        (Events(pairs=(("a", "b"),)), True),
        (Events(order=("x",)), True),
    ],
)
def test_types_are_kept_only_where_a_rule_asks_for_them(events: Events, *, kept: bool) -> None:
    assert EventRules(events).keep_types is kept


@pytest.mark.parametrize(
    ("types", "alone"),
    [
        ("", 0),
        ("ab", 0),
        ("aabb", 0),
        ("a", 1),
        ("b", 1),
        ("ba", 2),
        ("abb", 1),
        ("aab", 1),
        ("xaybz", 0),
        ("acbd", 0),
        ("acb", 1),
    ],
)
def test_an_event_of_a_pair_that_stands_alone(types: str, alone: int) -> None:
    assert EventRules(Events(pairs=(("a", "b"), ("c", "d")))).count_unpaired(list(types)) == alone


def test_required_types() -> None:
    rules = EventRules(Events(required=("a", "b")))
    assert rules.count_missing(["b", "x", "b"]) == 1
    assert rules.count_missing(["b", "a"]) == 0


@pytest.mark.parametrize(
    ("order", "types", "fits"),
    [
        ("", "anything", True),
        ("a*z", "az", True),
        ("a*z", "abcz", True),
        ("a*z", "azaz", True),
        ("a*z", "za", False),
        ("a*z", "abc", False),
        ("ab", "abc", False),
        ("ab", "a", False),
        ("*", "", True),
        ("a**", "a", True),
        ("*b*", "aabaa", True),
        ("*ab", "aab", True),
    ],
)
def test_an_order_pattern(order: str, types: str, *, fits: bool) -> None:
    assert EventRules(Events(order=tuple(order))).in_order(list(types)) is fits


def glob(pattern: str, types: str) -> bool:
    """The meaning of a pattern, said without any cleverness."""
    if not pattern:
        return not types
    if pattern[0] == "*":
        return any(glob(pattern[1:], types[skip:]) for skip in range(len(types) + 1))
    return bool(types) and types[0] == pattern[0] and glob(pattern[1:], types[1:])


@given(st.text("ab*", min_size=1, max_size=6), st.text("abc", max_size=8))
def test_order_is_globbing_over_words(pattern: str, types: str) -> None:
    assert EventRules(Events(order=tuple(pattern))).in_order(list(types)) == glob(pattern, types)


# ------------------------------------------------------------------ more than types

DONE = {"type": "done", "ok": True}


def words(rules: EventRules, *events: dict[str, object]) -> list[object]:
    return [rules.decider()(event, str(event["type"]))[1] for event in events]


def test_required_pairs_and_order_may_ask_for_fields() -> None:
    rules = EventRules(
        Events(
            type=("type",),
            required=("hello", DONE),
            pairs=(({"has": "open"}, {"has": "close"}),),
            order=("hello", "*", DONE),
        )
    )
    hello, done, bad = ({"type": "hello"}, {"type": "done", "ok": True}, {"type": "done", "ok": False})
    assert rules.count_missing(words(rules, hello, done)) == 0
    assert rules.count_missing(words(rules, hello, bad)) == 1
    assert rules.in_order(words(rules, hello, bad, done))
    assert not rules.in_order(words(rules, hello, bad))
    opened = {"type": "x", "open": 1}
    assert rules.count_unpaired(words(rules, opened, {"type": "x", "close": 1})) == 0
    assert rules.count_unpaired(words(rules, opened, opened)) == 2
    assert [rules.type_of(word) for word in words(rules, hello, done)] == ["hello", "done"]


def test_a_word_is_equal_to_each_thing_that_it_fits() -> None:
    word = Fits(["hello", 0])
    assert word == "hello"
    assert word == Fits([0, "hello"])
    assert word != "other"
    assert word != Fits(["hello"])
    assert len({word, Fits(["hello", 0])}) == 1


def test_a_word_without_a_type() -> None:
    rules = EventRules(Events(required=({"has": "a"},)))
    _, word = rules.decider()({"a": 1}, None)
    assert rules.type_of(word) is None
    assert rules.count_missing([word]) == 0
    assert EventRules(Events()).type_of(None) is None


def test_an_error_by_its_fields_is_never_the_first_content() -> None:
    rules = EventRules(Events(type=("type",), first=("done",), end=("done",), fail=({"ok": False},)))
    assert rules.decider()({"ok": False}, "done")[0] == END | FAIL
    assert rules.decider()({"ok": True}, "done")[0] == FIRST | END


def test_each_entry_of_end_all_is_a_flag_of_its_own() -> None:
    rules = EventRules(Events(type=("type",), end_all=("reply", {"state": "idle"})))
    decide = rules.decider()
    assert decide({"state": "idle"}, "reply")[0] >> ALL_SHIFT == rules.all_ends == 3
    assert decide({}, "reply")[0] >> ALL_SHIFT == 1
