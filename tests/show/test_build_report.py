from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample import SampleRun

from loadtest.show.build_report import build_report, instant_text, load_text, measured_text, standing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SECTIONS = (
    "scenario",
    "target",
    "load",
    "metrics",
    "counts",
    "rates",
    "verdict",
    "notices",
    "generator",
    "fingerprint",
)


def test_every_sample_can_be_told(run: SampleRun) -> None:
    report = build_report(run.manifest)
    assert report.judgement.word
    assert report.simulated is bool(run.manifest.get("target", {}).get("simulated"))


@given(st.fixed_dictionaries({}, optional=dict.fromkeys((*SECTIONS, "unmeasured", "burst_positions"), JSON)))
def test_a_manifest_of_any_shape_is_told_and_not_crashed_on(manifest: dict[str, Any]) -> None:
    build_report(manifest)


def test_several_addresses_are_told_with_those_that_failed() -> None:
    target = {"address": "[::1]:80", "addresses": ["[::1]:80", "127.0.0.1:80", "127.0.0.2:80"], "tls": {}}
    connections = {"address_failed": {"::1": 4}, "address_connected": {"127.0.0.1": 4}}
    manifest = {"target": target, "counts": {"connections": connections}}
    facts = {fact.name: fact.value for fact in build_report(manifest).facts}
    assert facts["address"] == "3 addresses, 1 failed: [::1]:80, 127.0.0.1:80, 127.0.0.2:80"
    one = {fact.name: fact.value for fact in build_report({"target": {"address": "127.0.0.1:80"}}).facts}
    assert one["address"] == "127.0.0.1:80"


def test_addresses_that_were_found_in_mid_run_are_told() -> None:
    counts = {"connections": {"address_found": {"127.0.0.1": 1, "127.0.0.2": 1}}}
    for target, told in (
        ({"address": "127.0.0.1:80"}, "127.0.0.1:80; during the run also 127.0.0.2"),
        (
            {"address": "[::1]:80", "addresses": ["[::1]:80", "127.0.0.1:80"]},
            "2 addresses: [::1]:80, 127.0.0.1:80; during the run also 127.0.0.2",
        ),
    ):
        facts = {fact.name: fact.value for fact in build_report({"target": target, "counts": counts}).facts}
        assert facts["address"] == told


def test_a_run_without_a_verdict_has_none() -> None:
    judged = build_report({}).judgement
    assert (judged.word, judged.exit_code) == ("NO VERDICT", None)


def test_the_verdict_says_word_code_and_reason() -> None:
    judged = build_report(
        {"verdict": {"outcome": "unreachable", "exit_code": 3, "reason": "Nobody there."}}
    ).judgement
    assert (judged.word, judged.exit_code, judged.why) == ("UNREACHABLE", 3, "Nobody there.")


@pytest.mark.parametrize(
    ("manifest", "begins"),
    [
        ({"ended": "2026-11-22T12:16:07Z"}, ""),
        ({"ended": None, "status": "running"}, "Still running"),
        ({"ended": None, "status": "cut short"}, "Cut short"),
        ({"ended": "2026-11-22T12:16:07Z", "interrupted": True}, "Interrupted"),
    ],
)
def test_a_run_that_is_not_whole_says_so(manifest: dict[str, Any], begins: str) -> None:
    assert standing(manifest).startswith(begins)
    assert bool(standing(manifest)) is bool(begins)


def test_a_part_of_a_run_says_which() -> None:
    assert (
        standing({"ended": "x", "part": {"from_s": 30.0, "to_s": 90.0}})
        == "A part of the run: 30 s to 1 min 30 s."
    )


def test_the_plan_in_words() -> None:
    planned = {"connections": 1, "connect_rate": None, "burst": 1, "duration_s": 30.0, "warmup_s": 5.0}
    told = load_text({"load": {"model": "closed", "planned": planned}})
    assert told == "closed model, 1 connection, 30 s measured, 5 s warm-up before"


def test_instants_lose_their_letters_only_where_they_are_utc() -> None:
    assert instant_text("2026-11-22T12:15:30.123Z") == "2026-11-22 12:15:30 UTC"
    assert instant_text("2026-11-22T12:15:30+01:00") == "2026-11-22T12:15:30+01:00"


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("ms", 1.5, "1.5 ms"),
        ("per_s", 20.5, "20.5/s"),
        ("ratio", 0.993, "99.3 %"),
        ("count", 50.0, "50"),
        ("?", 2, "2"),
    ],
)
def test_measured_values_in_their_unit(unit: str, value: float, text: str) -> None:
    assert measured_text(unit, value) == text


def test_a_threshold_of_a_stage_counts_stages_from_one() -> None:
    row = {
        "name": "turns.lost",
        "expression": "== 0",
        "measured": 0,
        "n": 9,
        "outcome": "held",
        "unit": "count",
        "stage": 1,
    }
    (told,) = build_report({"verdict": {"thresholds": [row]}}).thresholds
    assert (told.name, told.measured, told.n, told.outcome) == ("turns.lost (stage 2)", "0", "9", "held")


def test_notices_and_fingerprint_are_flattened() -> None:
    notice = {
        "code": "c",
        "message": "m",
        "remedy": "r",
        "numbers": {"share": 0.12345, "on": True},
        "spoils": True,
    }
    report = build_report(
        {"notices": [notice], "fingerprint": {"git": None, "limits": {"soft": 1024}, "flag": False}}
    )
    assert report.notices[0].numbers == "share 0.1235, on yes"
    assert [(fact.name, fact.value) for fact in report.fingerprint] == [
        ("limits", "soft 1,024"),
        ("flag", "no"),
    ]


def test_the_targets_own_health_is_told_with_what_lacks(run: SampleRun) -> None:
    health = {
        "cpu": {"unit": "cores", "n": 9, "mean": 0.5, "p95": None, "max": 1.25},
        "memory": {"unit": "bytes", "n": 9, "mean": 2**20, "p95": 2**20, "max": 2**21},
        "open_files": {"unit": "number", "n": 0, "reason": "process 7 is gone"},
    }
    target = {**run.manifest.get("target", {}), "health": {"sampled_on": "here"}}
    told = build_report({**run.manifest, "health": health, "target": target}).health
    assert {fact.name: fact.value for fact in told} == {
        "cpu": "mean 0.5 cores, max 1.25 cores (n = 9)",
        "memory": "mean 1.0 MiB, p95 1.0 MiB, max 2.0 MiB (n = 9)",
        "open files": "not measured: process 7 is gone",
        "sampled": "once a second from here, which led the run",
    }
    assert build_report(run.manifest).health == ()
