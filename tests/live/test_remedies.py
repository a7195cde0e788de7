"""Remedies over simulated time: when they are tried, how often, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from loadtest.live.remedies import Treatment, treat
from loadtest.readiness.policy import Remedy
from tests.readiness.made import assessed, down, policy, up

REMEDY = Remedy("api", ("restart",), tries=3, cooldown_s=300, after=2, verify_after_s=10)


def course(
    folder: Path, healthy_from: float, until: float, remedy: Remedy = REMEDY
) -> list[tuple[float, str]]:
    """Asked every 10 s; down until ``healthy_from``."""
    read, told, treatments, now = policy(folder), [], dict[str, Treatment](), 0.0
    while now <= until:
        evidence = up(at=now) if now >= healthy_from else down(at=now)
        found = assessed(read, at=now, api=evidence, store=up("ping", at=now), extra=up("connect", at=now))
        told += [(now, step) for _, step in treat(treatments, (remedy,), found, now)]
        now += 10
    return told


def test_it_acts_after_so_many_failures_and_says_that_it_helped(tmp_path: Path) -> None:
    assert course(tmp_path, healthy_from=20, until=60) == [(10, "act"), (20, "helped")]


def test_it_waits_out_its_cool_down_and_gives_up_after_its_tries(tmp_path: Path) -> None:
    told = course(tmp_path, healthy_from=1e9, until=2000)
    assert [step for _, step in told if step == "act"] == ["act"] * 3
    assert [at for at, step in told if step == "act"] == [10, 310, 610]
    assert [at for at, step in told if step == "did not help"] == [20, 320, 620]
    assert told.count((told[-1][0], "given up")) == 1
    assert told[-1][1] == "given up"


def test_one_failure_is_not_enough(tmp_path: Path) -> None:
    assert course(tmp_path, healthy_from=10, until=100) == []


def test_a_recovery_begins_a_new_count(tmp_path: Path) -> None:
    once = replace(REMEDY, tries=1)
    assert [step for _, step in course(tmp_path, 30, 60, once)] == [
        "act",
        "did not help",
        "given up",
        "helped",
    ]
