"""Evidence of another release than the one that is judged says nothing of it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.readiness.assessment import Assessment, ComponentRow
from loadtest.readiness.policy_file import load_policy
from loadtest.readiness.prober import probe_all
from loadtest.readiness.ready import asked_by, named_release
from loadtest.readiness.status import is_of
from loadtest.readiness.verdict import assess
from loadtest.readiness.views.page_model import build_page
from tests.end_to_end.parts import health
from tests.readiness.made import NOW, down, policy, up
from tests.readiness.probes.test_probes import manifest

HTTP = '[components.api]\nprobe = "http"\nurl = "http://127.0.0.1:1/"\nrelease = "build.commit"\n'
COMMIT = "4c1d2e3f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"


@pytest.mark.parametrize(
    ("release", "said", "same"),
    [
        ("1.4.2", "1.4.2", True),
        ("1.4.2", "v1.4.2", True),
        ("1.4.2", "1.4.20", False),
        ("1.4.2", "", False),
        ("1.4.2", "registry.example:5000/web:1.4.2", True),
        ("1.4.2", "registry.example:5000/web", False),
        ("1.4.2", "web:1.4.2@sha256:aa", True),
        (COMMIT, COMMIT[:7], True),
        (COMMIT[:8], COMMIT, True),
        (COMMIT, COMMIT[:6], False),
        (COMMIT, "5c1d2e3", False),
        ("release", "release-2", False),
        # Dates and build numbers are hexadecimal digits too.
        ("20261122", "2026112202", False),
        ("2026112202", "20261122", False),
        ("20261122", "20261122", True),
        ("20261122a", "20261122a1", False),
        ("1" * 7, "1" * 40, False),
        ("1" * 64, "1" * 40, False),
        # Of two short commits neither says which commit it is.
        (COMMIT[:7], COMMIT[:12], False),
        (COMMIT[:12], COMMIT[:12].upper(), True),
        (COMMIT[:39], COMMIT[:7], False),
        # Digits alone may begin a whole commit, by SHA-1 or SHA-256.
        ("1234567", "1234567" + COMMIT[7:], True),
        (COMMIT[:7], COMMIT + "0" * 24, True),
        (COMMIT, COMMIT + "0" * 24, True),
        (COMMIT.upper(), f"web:{COMMIT[:7]}", True),
        ("4c1d2e3f5", COMMIT + "g", False),
    ],
)
def test_a_label_a_tag_and_a_commit_are_held_against_each_other(
    release: str, said: str, *, same: bool
) -> None:
    assert is_of(release, said) is same


def judged(folder: Path, release: str, *said: str, evidence: object = None) -> Assessment:
    read = replace(policy(folder, HTTP), release=release)
    found = replace(up(), release=said) if evidence is None else evidence
    return assess(read, {"api": found}, id="", at=NOW)  # type: ignore[dict-item]  # evidence


def test_evidence_of_the_release_counts_and_that_of_another_is_unknown(tmp_path: Path) -> None:
    right = judged(tmp_path, COMMIT, COMMIT[:9])
    assert (right.verdict, right.components[0].lines[-1]) == ("GO", f"of the release {COMMIT}")
    other = judged(tmp_path, COMMIT, "badc0de1")
    assert (other.verdict, other.components[0].status, other.components[0].error) == (
        "INCONCLUSIVE", "unknown", "release",
    )  # fmt: skip
    assert other.components[0].said.startswith(
        f"the evidence is of badc0de1, not of the release {COMMIT}; the evidence said: "
    )
    mixed = judged(tmp_path, COMMIT, COMMIT, "badc0de1")
    assert mixed.verdict == "INCONCLUSIVE", "one of two servers behind the address is another one"
    silent = judged(tmp_path, COMMIT)
    assert "does not name the release" in silent.components[0].said


def test_one_that_is_dead_is_down_whatever_release_it_was(tmp_path: Path) -> None:
    assert judged(tmp_path, COMMIT, evidence=down()).verdict == "NO-GO"


def test_without_a_release_or_a_place_that_tells_it_nothing_is_asked(tmp_path: Path) -> None:
    assert judged(tmp_path, "", "anything").verdict == "GO"
    read = replace(policy(tmp_path, HTTP.replace('release = "build.commit"\n', "")), release=COMMIT)
    assert assess(read, {"api": up()}, id="", at=NOW).verdict == "GO"


def test_the_page_says_what_was_judged_for_whom_and_how_long_that_counts(tmp_path: Path) -> None:
    found = replace(
        judged(tmp_path, "1.4.2", "1.4.2"), by=asked_by({"GITHUB_ACTOR": "ada", "USER": "runner"})
    )
    facts = dict(build_page(found).facts)
    assert facts["release"] == "1.4.2"
    assert "asked by ada@" in facts["assessed"]
    assert facts["next review"].startswith("by 2025-09-06 12:05:00 UTC: then the first evidence")
    read = policy(tmp_path, f'review = "24h"\n{HTTP}')
    by_policy = assess(read, {"api": up()}, id="", at=NOW)
    assert dict(build_page(by_policy).facts)["next review"] == "2025-09-07 12:00:00 UTC, by the policy"


def test_a_release_may_come_from_a_variable_or_the_command_line(tmp_path: Path) -> None:
    read = policy(tmp_path, f'release = "{{env.GIT_COMMIT}}"\n{HTTP}')
    assert named_release(read, {"GIT_COMMIT": COMMIT}).release == COMMIT
    with pytest.raises(
        ConfigError, match="GIT_COMMIT is not set, so loadtest does not know which release to judge"
    ):
        named_release(read, {})
    assert load_policy(read.path, release="2.0").release == "2.0"


def test_a_running_service_and_a_junit_file_say_which_release_they_are_of(tmp_path: Path) -> None:
    junit = f'<testsuite tests="1"><properties><property name="commit" value="{COMMIT}"/></properties>'
    (tmp_path / "junit.xml").write_text(f'{junit}<testcase name="a" time="1"/></testsuite>')
    (tmp_path / "none.xml").write_text('<testsuite tests="1"><testcase name="a" time="1"/></testsuite>')
    with health() as service:
        service.body = {"build": {"commit": COMMIT[:12]}}
        text = HTTP.replace("http://127.0.0.1:1/", service.url)
        for name in ("junit", "none"):
            text += f'[components.{name}]\nprobe = "tests"\nfiles = ["{name}.xml"]\nrelease = "commit"\n'
        read = replace(policy(tmp_path, text), release=COMMIT)
        found = probe_all(read, tmp_path, environ={})
    assert [found[name].release for name in ("api", "junit", "none")] == [(COMMIT[:12],), (COMMIT,), ("",)]
    rows = assess(read, found, id="", at=found["api"].at or 0.0).components
    assert [row.status for row in rows] == ["healthy", "healthy", "unknown"]


CHAT = '[components.chat]\nprobe = "websocket"\nscenario = "chat.toml"\nrelease = "label"\nfresh = "24h"\n'


def keep_run(results: Path, number: int, label: str | None, at: float, **change: object) -> None:
    folder = results / f"20261122T12000{number}Z-chat"
    folder.mkdir(parents=True)
    when = datetime.fromtimestamp(at, UTC).isoformat()
    run = manifest("pass") | {
        "notices": [],
        "id": folder.name,
        "label": label,
        "started": when,
        "ended": when,
    }
    run |= {"scenario": {"name": "chat"}} | change
    (folder / "run.json").write_text(json.dumps(run))


def test_a_load_run_that_is_kept_counts_by_its_label(tmp_path: Path) -> None:
    results, now = tmp_path / "results", time.time()
    read = replace(policy(tmp_path, CHAT), release="1.4.2")

    def row() -> ComponentRow:
        found = probe_all(read, results, environ={})
        return assess(read, found, id="", at=time.time()).components[0]

    assert (row().status, row().said) == ("unknown", "the results folder has no run of the scenario chat")
    keep_run(results, 1, "1.4.1", now - 60)
    assert row().said.startswith("the evidence is of 1.4.1, not of the release 1.4.2")
    keep_run(results, 2, "v1.4.2", now - 50)
    keep_run(results, 3, "1.4.3", now - 40)
    keep_run(results, 4, "1.4.2", now - 30, scenario={"name": "other"})
    keep_run(results, 5, "1.4.2", now - 20, asked_by="small: chat")
    keep_run(results, 6, "1.4.2", now - 10, ended=None)
    found = row()
    assert "of the release 1.4.2" in found.lines
    assert found.lines[0].startswith("run 20261122T120002Z-chat against")
    assert 49 < (found.age_s or 0) < 59
    read = replace(read, components=(replace(read.components[0], fresh_s=30.0),))
    assert (row().status, row().error) == ("unknown", "stale"), "and no longer than it is fresh"


def test_a_kept_run_is_of_the_target_that_is_asked_about_and_takes_no_keys_of_a_run(tmp_path: Path) -> None:
    results = tmp_path / "results"
    keep_run(results, 1, "1.4.2", time.time(), target={"url": "ws://x:80/ws"})
    for target, outcome in (("ws://user@x:80/ws/", "answered"), ("ws://y:80/ws", "unasked")):
        read = replace(policy(tmp_path, f'{CHAT}target = "{target}"\n'), release="1.4.2")
        assert probe_all(read, results, environ={})["chat"].outcome == outcome
    with pytest.raises(ConfigError, match="works only for a run that the probe makes") as caught:
        policy(tmp_path, f'{CHAT}duration = "5s"\ncount = 2\n')
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": None}, "the run has no verdict, so nobody knows whether it passed"),
        ({"verdict": {}}, "the run has no verdict"),
        ({"verdict": {"thresholds": []}}, "the run has no verdict"),
        ({"verdict": {"outcome": None, "thresholds": []}}, "the run has no verdict"),
        ({"verdict": {"outcome": "PASS", "thresholds": []}}, "the verdict of the run is 'PASS'"),
        ({"ended": "yesterday"}, "it is not known when the run 20261122T120001Z-chat ended"),
    ],
)
def test_a_kept_run_that_does_not_say_how_or_when_it_ended_is_no_evidence(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    results = tmp_path / "results"
    keep_run(results, 1, "1.4.2", time.time() - 5, **change)
    read = replace(policy(tmp_path, CHAT), release="1.4.2")
    made = assess(read, probe_all(read, results, environ={}), id="", at=time.time())
    assert (made.verdict, made.components[0].status) == ("INCONCLUSIVE", "unknown")
    assert made.components[0].said.startswith(said)
