from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import ConfigError
from loadtest.simulator.distribution import Distribution
from loadtest.simulator.events import CONTENT
from loadtest.simulator.fault_options import Freeze, Hit, NumberAndShare
from loadtest.simulator.faults import FAULT_OPTIONS, Faults, parse_faults

MS = 1_000_000

CONTRACT = (
    "refuse close-after-accept invalid-close-code ack-only drop duplicate reorder leak delay freeze batch "
    "slow-ready lose-before-ready max-per-identity cold-start cut blackhole malformed huge no-pong unpaired "
    "stall rate-limit no-seq"
)
"""Names that may be added to, never changed."""


def test_without_faults_nothing_strikes() -> None:
    faults = parse_faults([], 3)
    assert faults == Faults(seed=3)
    assert not faults.alters_turns


def test_every_promised_fault_exists() -> None:
    assert set(CONTRACT.split()) <= set(FAULT_OPTIONS)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("refuse", "refuse", NumberAndShare(403, 1.0)),
        ("refuse=429,25%", "refuse", NumberAndShare(429, 0.25)),
        ("close-after-accept=4001", "close_after_accept", NumberAndShare(4001, 1.0)),
        ("close-after-accept=1006,0.5", "close_after_accept", NumberAndShare(1006, 0.5)),
        ("invalid-close-code", "invalid_close_code", NumberAndShare(401, 1.0)),
        ("auth-after-accept", "auth_after_accept", 1008),
        ("ack-only", "ack_only", True),
        ("drop=0.05", "drop", Hit(0.05, CONTENT)),
        ("drop=5%,any", "drop", Hit(0.05, None)),
        ("duplicate=1,agent_completed", "duplicate", Hit(1.0, frozenset({"agent_completed"}))),
        ("leak=0.1", "leak", Hit(0.1, CONTENT)),
        ("malformed=0.1", "malformed", Hit(0.1, CONTENT)),
        ("reorder=0.1", "reorder", 0.1),
        ("delay=5ms", "delay", Distribution("constant", 5 * MS)),
        ("gap=exp:5ms", "gap", Distribution("exp", 5 * MS)),
        ("freeze=5s,1s", "freeze", Freeze(5000 * MS, 1000 * MS)),
        ("batch", "batch_ns", 50 * MS),
        ("batch=80ms", "batch_ns", 80 * MS),
        ("slow-ready=200ms", "slow_ready_ns", 200 * MS),
        ("lose-before-ready", "lose_before_ready_ns", 500 * MS),
        ("max-per-identity=5", "max_per_identity", 5),
        ("cold-start=1s", "cold_start_ns", 1000 * MS),
        ("cut=0.1", "cut", NumberAndShare(1011, 0.1)),
        ("cut=0.1,1006", "cut", NumberAndShare(1006, 0.1)),
        ("blackhole=0.1", "blackhole", 0.1),
        ("huge=64KiB", "huge_bytes", 65_536),
        ("huge=1MB", "huge_bytes", 1_000_000),
        ("no-pong", "no_pong", True),
        ("unpaired=0.1", "unpaired", 0.1),
        ("stall=2s,0.5", "stall", NumberAndShare(2000 * MS, 0.5)),
        ("rate-limit=100", "rate_limit", 100),
        ("no-seq", "no_seq", True),
        ("stream", "stream_ns", 1000 * MS),
        ("stream=300ms", "stream_ns", 300 * MS),
    ],
)
def test_a_fault_is_read(text: str, field: str, value: Any) -> None:
    assert parse_faults([text]) == Faults(**{field: value})


def test_every_fault_of_the_list_is_read_above() -> None:
    marks = test_a_fault_is_read.pytestmark[0].args[1]
    assert {text.partition("=")[0] for text, *_ in marks} == set(FAULT_OPTIONS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dorp=0.1", 'did you mean "drop=P'),
        ("zzzzzz", "the faults are refuse, close-after-accept"),
        ("drop", '"drop" needs a value; write "drop=P'),
        ("drop=2", "more than 100%"),
        ("drop=0.1,agent_startd", 'did you mean "agent_started"'),
        ("drop=0.1,qqq", 'there is no event "qqq"'),
        ("delay=5", "it has no unit"),
        ("freeze=1s", "two times are needed"),
        ("freeze=1s,2s", "less than EVERY"),
        ("ack-only=yes", "takes no value"),
        ("refuse=200", "not an HTTP status of a refusal"),
        ("refuse=499", "not an HTTP status of a refusal"),
        ("close-after-accept=401", "invalid-close-code=401"),
        ("close-after-accept=", "not a whole number"),
        ("invalid-close-code=1008", "is a valid close code"),
        ("invalid-close-code=70000", "is a valid close code"),
        ("max-per-identity=0", "whole number of at least 1"),
        ("huge=10", "not between 1 KiB and 64 MiB"),
        ("huge=10 potatoes", "not a size"),
        ("cold-start=2h", "longer than an hour"),
        ("", "there is no fault"),
    ],
)
def test_a_mistake_is_told_with_the_way_out(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match="--fault") as caught:
        parse_faults([text])
    assert told in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_faults(["drop=2", "no-seq", "dorp=1", "no-seq"])
    assert len(caught.value.problems) == 3


@given(st.lists(st.text() | st.sampled_from([form.usage for form in FAULT_OPTIONS.values()]), max_size=3))
def test_any_text_is_a_fault_or_a_mistake_of_the_user(texts: list[str]) -> None:
    with suppress(ConfigError):
        assert isinstance(parse_faults(texts), Faults)


@given(
    st.sampled_from(sorted(FAULT_OPTIONS)), st.text(alphabet="0123456789.,:%msuexpbiodalnfrKMB", max_size=20)
)
def test_any_value_is_read_or_a_mistake_of_the_user(name: str, value: str) -> None:
    with suppress(ConfigError):
        assert isinstance(parse_faults([f"{name}={value}"]), Faults)


@given(st.integers(), st.floats(0, 1), st.text())
def test_a_strike_depends_on_nothing_but_its_arguments(seed: int, share: float, turn: str) -> None:
    first = Faults(seed=seed).strikes("drop", share, turn, 3)
    assert Faults(seed=seed).strikes("drop", share, turn, 3) is first
    assert not Faults(seed=seed).strikes("drop", 0.0, turn, 3)
    assert Faults(seed=seed).strikes("drop", 1.0, turn, 3)


def test_a_share_strikes_its_part() -> None:
    struck = sum(Faults(seed=1).strikes("drop", 0.05, f"run-{n}", 4) for n in range(10_000))
    assert 430 <= struck <= 570


def test_every_altering_fault_is_known_to_alter() -> None:
    honest = {
        "refuse",
        "close-after-accept=1008",
        "no-pong",
        "no-seq",
        "freeze=5s,1s",
        "ack-only",
        "rate-limit=5",
    }
    altering = {
        "drop=0.1",
        "duplicate=0.1",
        "reorder=0.1",
        "leak=0.1",
        "malformed=0.1",
        "delay=1ms",
        "gap=1ms",
        "stream=1ms",
    }
    altering |= {"batch", "cut=0.1", "blackhole=0.1", "huge=1KiB", "unpaired=0.1", "stall=1s"}
    assert {text for text in honest | altering if parse_faults([text]).alters_turns} == altering


def test_draws_are_known_so_that_they_are_the_same_everywhere() -> None:
    faults = parse_faults([], seed=1)
    drawn = [round(faults.chance("drop", "run-7", seq), 6) for seq in range(3)]
    assert drawn == [0.519908, 0.177613, 0.941357]


def test_seed_name_and_thing_all_matter() -> None:
    one, two = (parse_faults([], seed=seed) for seed in (1, 2))
    assert (
        len(
            {
                one.chance("drop", "a"),
                two.chance("drop", "a"),
                one.chance("leak", "a"),
                one.chance("drop", "b"),
            }
        )
        == 4
    )
