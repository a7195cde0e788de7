"""What is kept, for how long, what changed, and what is noise."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.readiness.assessment import Assessment
from loadtest.readiness.history import History, changes, failures_before, summary, trend
from loadtest.readiness.policy import Policy
from tests.readiness.made import NOW, SMALL, assessed, down, policy, up


@pytest.fixture
def small(tmp_path: Path) -> Policy:
    return policy(tmp_path)


def whole(read: Policy, at: float = NOW, **found: object) -> Assessment:
    parts = {"api": up(at=at), "store": up("ping", at=at), "extra": up("connect", at=at)}
    return assessed(read, at=at, **{**parts, **found})  # type: ignore[arg-type]  # evidence by name


def kept(history: History, found: Assessment) -> Assessment:
    named = replace(found, id=history.new_folder(found.at).name)
    history.keep(named, ("json",))
    return named


def test_what_was_kept_can_be_read_again(small: Policy, tmp_path: Path) -> None:
    history = History.of(tmp_path, small.name)
    assert history.find("LAST") is None
    first, second = kept(history, whole(small)), kept(history, whole(small, NOW, api=down()))
    assert second.id == f"{first.id}-2"
    assert history.find("last") == second
    assert history.find(first.id) == first
    with pytest.raises(ConfigError, match=r"this policy has no stored assessment `nope`; the last is"):
        history.find("nope")


def test_whole_ones_go_after_seven_days_and_summaries_stay(small: Policy, tmp_path: Path) -> None:
    history = History.of(tmp_path, small.name)
    first = kept(history, whole(small))
    os.utime(history.folder / first.id, (NOW, NOW))
    second = kept(history, whole(small, NOW + 8 * 86_400))
    os.utime(history.folder / second.id, (NOW + 8 * 86_400,) * 2)
    history.prune(NOW + 8 * 86_400)
    assert [path.name for path in history.folder.iterdir() if path.is_dir()] == [second.id]
    assert [row["id"] for row in history.summaries()] == [first.id, second.id]


def test_a_line_that_was_cut_off_is_passed_over(small: Policy, tmp_path: Path) -> None:
    history = History.of(tmp_path, small.name)
    kept(history, whole(small))
    with (history.folder / "summaries.jsonl").open("a") as file:
        file.write('{"id": "x", "at')
    assert len(history.summaries()) == 1
    kept(history, whole(small))
    assert len(history.summaries()) == 2, "the next line is not lost with it"


def test_of_a_long_history_its_end_is_read(small: Policy, tmp_path: Path) -> None:
    history = History.of(tmp_path, small.name)
    for at in range(20):
        history.note(replace(whole(small), id=f"number {at}"))
    assert [row["id"] for row in history.summaries(last=2000)][-2:] == ["number 18", "number 19"]
    assert 0 < len(history.summaries(last=2000)) < 20


def test_the_tenth_of_a_second_comes_after_the_ninth(small: Policy, tmp_path: Path) -> None:
    history = History.of(tmp_path, small.name)
    ids = [kept(history, whole(small)).id for _ in range(11)]
    last = history.find("LAST")
    assert last is not None
    assert last.id == ids[-1] == f"{ids[0]}-11"


def test_failures_in_a_row_are_counted_over_the_history(small: Policy, tmp_path: Path) -> None:
    rows = [summary(assessed(small, before, api=down())) for before in range(3)]
    assert failures_before(rows) == 3
    assert failures_before([*rows, summary(whole(small))]) == 0
    assert failures_before([]) == 0


def test_what_changed_is_told_the_policy_included(small: Policy, tmp_path: Path) -> None:
    before = whole(small)
    other = policy(
        tmp_path,
        SMALL.replace('users = "90%"', 'users = "80%"')
        .replace("[components.extra]", "[components.more]")
        .replace('["extra"]', '["more"]'),
    )
    now = assessed(other, api=down(), store=up("ping"), more=up("connect"))
    told = changes(before, now)
    for part in (
        "verdict: GO → NO-GO",
        "overall health: 100 % → 57.1 %",
        "api: healthy → down (refused the connection)",
        "more: new, healthy",
        "extra: no longer in the policy",
        "fast: met → missed",
        'policy functions.chat.users: "90%" → "80%"',
    ):
        assert part in told, part
    assert changes(before, before) == ("nothing changed",)


def test_a_secret_that_changed_is_told_without_its_value(tmp_path: Path) -> None:
    first, second = (
        whole(policy(tmp_path, SMALL.replace("redis://127.0.0.1:1", f"redis://:{word}@127.0.0.1:1")))
        for word in ("first-pass", "other-pass")
    )
    assert changes(first, second)[-1] == "policy: the only difference is a value that reports do not show"


def rows(*healths: float | None) -> list[dict[str, object]]:
    return [{"health": health, "components": {}} for health in healths]


NOISY = [0.90, 0.92, 0.91, 0.89, 0.90, 0.93]


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (NOISY, 0.91, "0.91 is within its noise band 0.91 ± 0.04 (n=6)"),
        (NOISY, 0.80, "0.80 is below its noise band"),
        (NOISY, 1.00, "1.00 is above its noise band"),
        ([1.0] * 6, 0.99, "within"),
        ([1.0] * 4, 0.2, "not enough history (n=4 of at least 5)"),
        ([1.0, None, 1.0, None, 1.0], 0.2, "not enough history (n=3 of at least 5)"),
        (NOISY, None, "unknown now"),
    ],
)
def test_a_trend_has_a_noise_band(before: list[float | None], now: float | None, said: str) -> None:
    (told,) = trend(rows(*before), {"health": now, "components": {}})
    assert said in told


def test_a_part_is_told_when_it_leaves_its_band(small: Policy) -> None:
    earlier = [summary(whole(small)) for _ in range(6)]
    told = trend(earlier, summary(whole(small, NOW, api=down())))
    assert [sentence.split(":")[0] for sentence in told] == ["overall health", "api"]


def test_load_runs_of_a_policy_are_kept_as_long_as_it_says(tmp_path: Path) -> None:
    results = tmp_path / "results"
    day = 86_400.0

    def run(name: str, asked_by: str | None, age_s: float) -> Path:
        folder = results / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"asked_by": asked_by}))
        os.utime(folder / "run.json", (NOW - age_s, NOW - age_s))
        return folder

    ours = run("20250901T120000Z-ready-chat", "policy: chat", 2 * day)
    young = run("20250906T110000Z-ready-chat", "policy: chat", 3600)
    others = [
        run("20250901T120000Z-ready-chat-2", "other: chat", 2 * day),
        run("20250901T120000Z-ready-steady", None, 2 * day),
        run("20250901T120000Z", "policy: chat", 2 * day),
    ]
    (results / "20250901T120000Z-ready-half").mkdir()
    text = SMALL.replace("[components.api]", 'keep_runs = "2h"\n[components.api]', 1)
    read = policy(tmp_path, text)
    history = History.of(results, "policy", read.keep_s, read.keep_runs_s)
    history.folder.mkdir(parents=True)
    history.prune(NOW)
    assert not ours.exists()
    assert young.exists()
    assert all(each.exists() for each in others)
