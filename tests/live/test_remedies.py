"""Remedies over simulated time: when they are tried, how often, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from loadtest.live.remedies import Treatment, treat
from loadtest.readiness.policy import Remedy
from tests.readiness.made import assessed, down, policy, up

REMEDY = Remedy(
    "api", ("restart",), tries=3, cooldown_s=300, after=2, verify_after_s=10, dry_run=False,
    successes=3, recovered_after_s=30,
)  # fmt: skip


def course(
    folder: Path, healthy: Callable[[float], bool], until: float, remedy: Remedy = REMEDY
) -> list[tuple[float, str]]:
    """Asked every 10 s; ``healthy`` says when."""
    read, told, treatments, now = policy(folder), [], dict[str, Treatment](), 0.0
    while now <= until:
        evidence = up(at=now) if healthy(now) else down(at=now)
        found = assessed(read, at=now, api=evidence, store=up("ping", at=now), extra=up("connect", at=now))
        told += [(now, step) for _, step in treat(treatments, (remedy,), found, now)]
        now += 10
    return told


def test_it_acts_after_so_many_failures_and_says_that_it_helped_once_it_lasts(tmp_path: Path) -> None:
    assert course(tmp_path, lambda now: now >= 20, 90) == [(10, "act"), (50, "helped")]


def test_it_waits_out_its_cool_down_and_gives_up_after_its_tries(tmp_path: Path) -> None:
    told = course(tmp_path, lambda _: False, 2000)
    assert [step for _, step in told if step == "act"] == ["act"] * 3
    assert [at for at, step in told if step == "act"] == [10, 310, 610]
    assert [at for at, step in told if step == "did not help"] == [20, 320, 620]
    assert told.count((told[-1][0], "given up")) == 1
    assert told[-1][1] == "given up"


def test_one_failure_is_not_enough(tmp_path: Path) -> None:
    assert course(tmp_path, lambda now: now >= 10, 100) == []


def test_a_recovery_begins_a_new_count(tmp_path: Path) -> None:
    once = replace(REMEDY, tries=1)
    assert [step for _, step in course(tmp_path, lambda now: now >= 30, 60, once)] == [
        "act",
        "did not help",
        "given up",
        "helped",
    ]


def test_flapping_clears_neither_the_cool_down_nor_the_tries(tmp_path: Path) -> None:
    told = course(tmp_path, lambda now: now % 30 == 0, 3600)
    assert [at for at, step in told if step == "act"] == [20, 320, 620]
    assert [step for _, step in told if step == "helped"] == []


def test_healthy_answers_must_also_last(tmp_path: Path) -> None:
    long = replace(REMEDY, recovered_after_s=300)
    told = course(tmp_path, lambda now: now % 100 >= 30, 2000, long)
    assert [step for _, step in told].count("act") == 3
    assert "helped" not in [step for _, step in told]


def test_of_a_dry_run_nobody_says_that_it_helped_or_did_not(tmp_path: Path) -> None:
    dry = replace(REMEDY, dry_run=True)
    assert [step for _, step in course(tmp_path, lambda now: now >= 30, 90, dry)] == [
        "act",
        "recovered by itself",
    ]
