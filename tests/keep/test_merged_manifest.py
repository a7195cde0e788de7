"""How each key of ``run.json`` is merged where several hosts' runs become one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import tests.unpatched  # noqa: F401 - before whatever imports Locust
from loadtest.judge.judge_run import judge_run
from loadtest.keep.manifest import first_manifest
from loadtest.keep.manifest_reader import _Shape
from loadtest.keep.merged_manifest import COMPUTED, KEYS, LEFT_OUT, OF_THE_SUM, merged_manifest
from loadtest.keep.merging import merge_runs
from loadtest.plan.scenario_file import load_scenario
from loadtest.run.run_recorder import KINDS_OF_REASONS
from tests.judge.made import good_totals
from tests.judge.made import manifest as made_up
from tests.keep.samples import STARTED
from tests.keep.test_merging import HOST, host

ROOT = Path(__file__).resolve().parent.parent.parent

WRITTEN = re.compile(r'manifest\["([a-z_]+)"\](?:\["[a-z_]+"\])* (?:\||\+)?= ')
"""Where a key of ``run.json`` is written."""


def every_key() -> set[str]:
    """Every key that ``run.json`` may have: at its beginning, by a run, judged, as it is read."""
    sources = [*(ROOT / "loadtest" / "run").glob("*.py"), *(ROOT / "loadtest" / "keep").glob("*.py")]
    written = {name for each in sources for name in WRITTEN.findall(each.read_text("utf-8"))}
    made = [json.loads(each.read_text("utf-8")) for each in (ROOT / "tests" / "golden").glob("*.run.json")]
    judged = judge_run(made_up(), good_totals())
    return {
        *written,
        *(key for each in made for key in each),
        *judged,
        *first_manifest(load_scenario("agent-burst"), run_id="x", label=None, started=STARTED),
        *_Shape.__struct_fields__,
        *(kind for kind, _ in KINDS_OF_REASONS),
        "tasks",
        "populations",
    }


SLOW = {"resolution_ns": 1_000_000, "step_ns": None, "kernel_stamps": False}
FAST = {"resolution_ns": 1, "step_ns": 4_000_000, "kernel_stamps": True}

REASONS = ("refusals", "closes", "still_opening", "lookups_failed", "not_undone", "error_answers")

MERGED: dict[str, tuple[Any, Any, Any]] = {
    "schema": ("loadtest.run/1", "loadtest.run/1", "loadtest.run/1"),
    "scenario": (
        {
            "name": "a",
            "question": "",
            "path": "/x/a.toml",
            "sha256": "0",
            "settings": {"target": {"url": "a", "n": 1}},
        },
        {
            "name": "a",
            "question": "",
            "path": "/y/a.toml",
            "sha256": "0",
            "settings": {"target": {"url": "b", "n": 1}},
        },
        {"name": "a", "question": "", "path": None, "sha256": "0", "settings": {"target": {"n": 1}}},
    ),
    "started": ("2026-11-22T12:00:00Z", "2026-11-22T12:00:01Z", "2026-11-22T12:00:00Z"),
    "ended": ("2026-11-22T12:00:09Z", "2026-11-22T12:00:08Z", "2026-11-22T12:00:09Z"),
    "duration_s": (9.0, 10.0, 10.0),
    "target": (
        {
            "url": "ws://a",
            "address": "10.0.0.1:80",
            "tls": {"verified": True},
            "server": "nginx",
            "subprotocol": "x",
            "simulated": False,
            "proxy": None,
            "health": {"sampled": ["cpu"], "sampled_on": "one", "reasons": {"cpu": "no pid"}},
        },
        {
            "url": "ws://a",
            "address": "10.0.0.2:80",
            "tls": {"verified": False},
            "server": "envoy",
            "subprotocol": None,
            "simulated": False,
            "proxy": {"url": "http://p", "variable": "HTTPS_PROXY"},
            "health": {"sampled": ["memory"], "sampled_on": "two", "reasons": {}},
        },
        {
            "url": "ws://a",
            "address": "10.0.0.1:80",
            "addresses": ["10.0.0.1:80", "10.0.0.2:80"],
            "tls": {"verified": False},
            "server": "nginx, envoy",
            "subprotocol": None,
            "simulated": False,
            "proxy": {"url": "http://p", "variable": "HTTPS_PROXY"},
            "health": {"sampled": ["cpu", "memory"], "sampled_on": "one, two", "reasons": {"cpu": "no pid"}},
        },
    ),
    "load": (
        {
            "model": "open",
            "achieved": {"connections": 3},
            "planned": {
                "connections": 4,
                "connect_rate": 2.0,
                "turns_due": 8,
                "turns_per_s": None,
                "burst": 5,
            },
        },
        {
            "model": "open",
            "achieved": {},
            "planned": {
                "connections": 5,
                "connect_rate": 2.0,
                "turns_due": 9,
                "never_due": 2,
                "by_tasks": True,
                "burst": 5,
            },
        },
        {
            "model": "open",
            "achieved": {},
            "planned": {
                "connections": 9,
                "connect_rate": 4.0,
                "turns_due": 17,
                "turns_per_s": None,
                "never_due": 2,
                "by_tasks": True,
                "burst": 5,
            },
        },
    ),
    "generator": (
        {"processes": 2, "limits": {"open_files_soft": 1024, "local_ports": 100}, "cpu": {"mean": 0.1}},
        {"limits": {"open_files_soft": 256}, "cpu": {"mean": 0.1}},
        {"processes": 3, "limits": {"open_files_soft": 256, "local_ports": 100}},
    ),
    "clock": (FAST, SLOW, {"resolution_ns": 1_000_000, "step_ns": 4_000_000, "kernel_stamps": False}),
    "unmeasured": (
        {"lost": "no number"},
        {"lost": "none", "foreign": "no mark"},
        {"lost": "no number", "foreign": "no mark"},
    ),
    "unless_marked": ({}, {"foreign": "no mark"}, {"foreign": "no mark"}),
    **dict.fromkeys(
        REASONS,
        ({"often": 3, "once": 1}, {"other": 9, "often": 4}, {"other": 9, "often": 7, "once": 1}),
    ),
    "tasks": (
        {"raised": {"KeyError": 1}, "failed": {}},
        {"raised": {"KeyError": 2}, "failed": {"no price": 1}},
        {"raised": {"KeyError": 3}, "failed": {"no price": 1}},
    ),
    "asked_by": ("watch", "ci", "watch, ci"),
}
"""By key what two parts say, and what their sum says."""


def test_of_every_key_it_is_said_how_it_merges() -> None:
    assert every_key() - KEYS.keys() - COMPUTED - OF_THE_SUM - LEFT_OUT == set()
    assert MERGED.keys() == KEYS.keys()
    assert not KEYS.keys() & (COMPUTED | OF_THE_SUM | LEFT_OUT)


@pytest.mark.parametrize("key", MERGED)
def test_a_key_is_merged(key: str) -> None:
    one, other, whole = MERGED[key]
    common = {"target": {}, "load": {"planned": {}}}
    found = merged_manifest([{**common, key: one}, {**common, key: other}])
    assert found[key] == whole
    if key in REASONS:
        assert list(found[key]) == list(whole), "the most frequent first"


@pytest.mark.parametrize("key", sorted(KEYS.keys() - {"schema", "scenario", "target", "load", "started"}))
def test_a_key_that_one_part_has_alone_is_not_lost(key: str) -> None:
    one, *_ = MERGED[key]
    parts: list[dict[str, Any]] = [{"target": {}, "load": {"planned": {}}} for _ in range(2)]
    parts[1][key] = one
    # What the generator's CPU was is of a part, and is not summed.
    lasting = {name: each for name, each in one.items() if name != "cpu"} if key == "generator" else one
    assert merged_manifest(parts)[key] == lasting


def test_what_nobody_knows_yet_stays_where_all_agree() -> None:
    parts = [{"target": {}, "load": {"planned": {}}, "new": 1, "other": each} for each in (1, 2)]
    found = merged_manifest(parts)
    assert (found["new"], "other" in found) == (1, False)
    assert "counts" not in merged_manifest([{**parts[0], "counts": {}}])


def test_a_target_without_tls_and_simulators_on_ports_of_their_own() -> None:
    parts = [
        {"load": {"planned": {}}, "target": {"address": f"127.0.0.1:{n}", "tls": False, "simulated": True}}
        for n in (1, 2)
    ]
    assert merged_manifest(parts)["target"] == {"address": "127.0.0.1:1", "tls": False, "simulated": True}


def test_the_coarsest_clock_of_all_hosts_bounds_the_times_of_their_sum(tmp_path: Path) -> None:
    made = merge_runs(tmp_path, [host(tmp_path / "a", clock=FAST), host(tmp_path / "b", clock=SLOW)])
    assert made.manifest["clock"]["resolution_ns"] == 1_000_000
    judged = judge_run(made.manifest, made.totals(), made.turns())
    assert "clock_step_injected" in {each["code"] for each in judged["notices"]}


def test_workers_of_all_hosts_are_kept_apart(tmp_path: Path) -> None:
    facts = [{"code": "workers", "numbers": {"worker 0": {"round_trip_ms": trip}}} for trip in (1.0, 7.0)]
    runs = [host(tmp_path / name, observed=[fact]) for name, fact in zip("ab", facts, strict=True)]
    (workers,) = [
        each for each in merge_runs(tmp_path, runs).manifest["observed"] if each["code"] == "workers"
    ]
    assert workers["numbers"] == {
        f"worker 0 of {run.id}": fact["numbers"]["worker 0"] for run, fact in zip(runs, facts, strict=True)
    }


def test_turn_ids_that_hosts_number_alike_tell_no_user_apart(tmp_path: Path) -> None:
    def settings(turn_id: str) -> dict[str, Any]:
        return {**HOST["scenario"], "settings": {"protocol": {"turn": {"id": turn_id}}}}

    def merged(name: str, **more: Any) -> dict[str, Any]:
        runs = [host(tmp_path / f"{name}{each}", **more) for each in "ab"]
        found: dict[str, Any] = merge_runs(tmp_path / name, runs).manifest["unless_marked"]
        return found

    assert "several hosts" in merged("n", scenario=settings("{user.number}-{turn.number}"))["foreign"]
    assert merged("u", scenario=settings("{uuid}")) == {}
    assert merged("d", scenario=settings("{turn.number}"), unmeasured={"foreign": "no path"}) == {}
    said = merged("m", scenario=settings("{turn.number}"), unless_marked={"foreign": "no mark"})
    assert said == {"foreign": "no mark"}


def test_a_run_whose_clients_did_what_a_first_part_did_not_tells_it(tmp_path: Path) -> None:
    """The kind of mistake: what only a later part has must be in the sum."""
    later = {
        "closes": {"code 1011: full": 2},
        "still_opening": {"tcp: 10.0.0.1": 1},
        "lookups_failed": {"no name": 4},
    }
    runs = [host(tmp_path / "a"), host(tmp_path / "b", **later)]
    made = merge_runs(tmp_path, runs).manifest
    assert {key: made[key] for key in later} == later
