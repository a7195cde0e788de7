"""``loadtest ready`` against real parts: all healthy is GO, a part broken or out of reach of ours is not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.cli import main
from loadtest.keep.find import list_runs
from loadtest.readiness.assessment import from_plain
from loadtest.readiness.history import History
from loadtest.readiness.views.formats import VIEWS, view
from tests.end_to_end.parts import free_port
from tests.end_to_end.system import PASSWORD, System, row, started


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("system")) as whole:
        yield whole


def test_all_healthy_is_go(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = system.ready(capsys)
    assert {each["name"]: each["status"] for each in found["components"]} == dict.fromkeys(
        system.parts, "healthy"
    )
    assert (code, found["verdict"]) == (0, "GO")
    assert row(found, "auth")["measures"]["latency.p95"]["value"] > 0
    assert "uptime_seconds = 2373" in row(found, "auth")["lines"]
    assert row(found, "websocket")["measures"]["connections.ready.peak"]["value"] == 12
    (asked,) = list_runs(system.results)[-1:]
    assert (asked.label, asked.asked_by) == ("ready-websocket", "system: websocket")
    assert row(found, "websocket")["lines"][0].startswith(f"run {asked.id} against ")
    assert list_runs(system.results, probes=False) == []


BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("auth", {"url": f"http://127.0.0.1:{free_port()}/health"}, "refused", "refused the connection"),
    ("auth", {"url": "http://no-such-host.invalid/"}, "resolve", "cannot be resolved"),
    ("auth", {"fields": {"status": "superb"}}, "answer", 'status is "healthy", expected "superb"'),
    ("auth", {"statuses": [204]}, "status", "HTTP status 200"),
    ("files", {"url": "sqlite:///gone.db"}, "missing file", "there is no database file"),
    ("files", {"query": "select * from absent"}, "query", "no such table"),
    ("tests", {"files": ["gone.xml"]}, "missing file", "the tests did not run"),
    ("containers", {"services": ["auth", "backend", "worker"]}, "container", "worker: no container"),
    ("command", {"command": [sys.executable, "-c", "raise SystemExit(3)"]}, "exit", "ended with 3"),
    ("command", {"command": ["sleep", "30"], "timeout": "300ms"}, "timeout", "did not end within"),
    ("redis", {"url": f"redis://127.0.0.1:{free_port()}"}, "refused", "refused the connection"),
    ("database", {"url": f"postgresql://app@127.0.0.1:{free_port()}/x"}, "refused", "cannot be reached"),
    ("database", {"query": "select * from absent"}, "query", "does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "error", "said"), BROKEN)
def test_a_broken_part_is_down_and_no_go(
    system: System,
    capsys: pytest.CaptureFixture[str],
    name: str,
    change: dict[str, Any],
    error: str,
    said: str,
) -> None:
    if name not in system.parts:
        pytest.skip(f"the server of {name} is not installed here")
    code, found = system.ready(capsys, name, **{name: change})
    broken = row(found, name)
    assert (broken["status"], broken["error"], code) == ("down", error, 1)
    assert said in broken["said"]
    assert row(found, "backend")["status"] == "healthy"
    assert found["blockers"][0]["kind"] == "part"


UNKNOWN: list[tuple[str, dict[str, Any], str]] = [
    ("containers", {"file": "gone.json"}, "tool"),
    ("command", {"command": ["no-such-program"]}, "tool"),
    ("auth", {"headers": {"Authorization": "Bearer {env.NOT_SET_ANYWHERE}"}}, "credential"),
    ("redis", {"url": "redis://:wrong-pass@127.0.0.1:{port}"}, "credential"),
    ("database", {"url": "postgresql://app:wrong-pass@127.0.0.1:{port}/postgres"}, "credential"),
    ("database", {"query": "delete from pg_class"}, "policy"),
    ("websocket", {"scenario": "gone.toml"}, "policy"),
]


@pytest.mark.parametrize(("name", "change", "error"), UNKNOWN)
def test_a_part_that_cannot_be_asked_is_unknown_and_never_go(
    system: System, capsys: pytest.CaptureFixture[str], name: str, change: dict[str, Any], error: str
) -> None:
    if name not in system.parts:
        pytest.skip(f"the server of {name} is not installed here")
    port = str(system.parts[name].get("url", "")).rpartition("127.0.0.1:")[2].split("/")[0]
    changed = {
        key: value.replace("{port}", port) if isinstance(value, str) else value
        for key, value in change.items()
    }
    code, found = system.ready(capsys, name, **{name: changed})
    assert (row(found, name)["status"], row(found, name)["error"]) == ("unknown", error)
    assert (code, found["verdict"]) == (4, "INCONCLUSIVE")
    assert row(found, name)["score"] is None


def test_a_broken_backend_pulls_the_trigger_and_what_lies_behind_it_is_unknown(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    system.forget()
    port = free_port()
    changes = {
        "backend": {"url": f"http://127.0.0.1:{port}/health"},
        "websocket": {"target": f"ws://127.0.0.1:{port}/ws"},
    }
    code, found = system.ready(capsys, "websocket", **changes)
    assert (code, row(found, "backend")["status"], row(found, "websocket")["status"]) == (
        1,
        "down",
        "unknown",
    )
    assert {each["title"] for each in found["triggers"] if each["outcome"] == "TRIGGERED"} == {
        "impact", "users", *(("half",) if found["figures"]["health.overall"]["value"] < 0.5 else ()),
    }  # fmt: skip
    assert found["components"][1]["error"] == "through"


def test_a_part_that_hangs_costs_only_its_row(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    system.auth.delay_s = 30
    try:
        code, found = system.ready(capsys, "auth", "files", auth={"timeout": "500ms"})
    finally:
        system.auth.delay_s = 0
    assert (row(found, "auth")["error"], row(found, "files")["status"], code) == ("timeout", "healthy", 1)
    assert found["took_s"] < 10


def test_no_secret_is_in_any_file_or_on_the_screen(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"Authorization": "Bearer tok-73-abcdef", "X-Api": "plain-secret-55"}
    url = f"http://user:url-pass-41@127.0.0.1:{system.auth.port}/health?token=query-secret-8"
    right = {"status": "plain-secret-55"}
    _, found = system.ready(capsys, "auth", *(name for name in ("redis", "database") if name in system.parts),
                            auth={"headers": headers, "url": url, "fields": right})  # fmt: skip
    folder = system.results / "readiness" / "system" / found["id"]
    texts = [path.read_bytes() for path in folder.iterdir()]
    texts += [view(from_plain(found), form) for form in VIEWS]
    for secret in (PASSWORD, "redis-pass-9", "tok-73", "plain-secret-55", "url-pass-41", "query-secret-8"):
        assert not any(secret.encode() in text for text in texts), secret
        assert secret not in json.dumps(found)


def test_the_history_says_what_changed_the_policy_included(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    system.ready(capsys, "files")
    path = system.write("backend", "files", files={"url": "sqlite:///gone.db"})
    results = str(system.results)
    assert main(["ready", str(path), "--since", "LAST", "--results", results]) == 1
    shown = capsys.readouterr().out
    assert "verdict: GO → NO-GO" in shown
    assert 'policy components.files.url: "sqlite:///app.db" → "sqlite:///gone.db"' in shown
    assert main(["ready", str(path), "--since", "19990101T000000Z", "--results", results]) == 2
    assert "this policy has no stored assessment" in capsys.readouterr().err


def test_rollback_is_printed_verified_and_run_only_when_told(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    path = system.write("backend", backend={"url": f"http://127.0.0.1:{free_port()}/"})
    done = system.folder / "rolled-back"
    write = f"open({os.fspath(done)!r}, 'w').write('x')"
    command = json.dumps([sys.executable, "-c", write])
    check = json.dumps([sys.executable, "-c", "print('the last release is there')"])
    parts = path.read_text().partition("[[triggers]]")[0]
    path.write_text(parts + f"[rollback]\ncommand = {command}\ncheck = {check}\n")
    results = ["--results", str(system.results)]
    assert main(["ready", str(path), "--verify-rollback", *results]) == 1
    told = capsys.readouterr()
    assert "not run" in told.err
    # Where the line wraps depends on how long the path of this Python is.
    assert "the last release is there" in " ".join(told.out.split())
    assert not done.exists()
    assert main(["ready", str(path), "--rollback", *results]) == 1
    assert "no rule calls for it; to run it anyway, add --force-rollback" in capsys.readouterr().err
    assert not done.exists(), "a NO-GO without a trigger is no reason to roll back"
    path.write_text(
        path.read_text() + '[[triggers]]\nfact = "components.critical.failed"\nwhen = ">= 1"\n', "utf-8"
    )
    assert main(["ready", str(path), "--rollback", *results]) == 1
    assert done.exists()
    shown = capsys.readouterr().out
    assert shown.count("\nNO-GO  exit code 1\n") == 2, "it is assessed again after the rollback"
    assert "rolled back" in shown


@pytest.mark.parametrize(("code", "verdict", "word"), [(0, "GO", "rolled back"), (7, "NO-GO", "FAILED")])
def test_what_became_of_a_rollback_is_in_the_report_and_the_exit_code(
    system: System, capsys: pytest.CaptureFixture[str], code: int, verdict: str, word: str
) -> None:
    path = system.write("files")
    command = json.dumps([sys.executable, "-c", f"print('no such release'); raise SystemExit({code})"])
    path.write_text(path.read_text() + f"[rollback]\ncommand = {command}\n")
    assert main(["ready", str(path), "--force-rollback", "--results", str(system.results)]) == 1
    assert word in capsys.readouterr().out
    history = History.of(system.results, "system")
    after = history.find("LAST")
    assert after is not None
    assert after.rollback is not None
    assert (after.verdict, after.rollback.worked) == (verdict, code == 0)
    assert "no such release" in after.rollback.said
    assert history.find(after.rollback.after) is not None
    assert [each.kind for each in after.blockers] == ([] if code == 0 else ["rollback"])


def test_only_the_formats_that_were_asked_for_are_made_and_a_full_disk_names_no_report(
    system: System, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, results = system.write("files"), ["--results", str(tmp_path)]
    assert main(["ready", str(path), *results]) == 0
    (folder,) = (each for each in (tmp_path / "readiness" / "system").iterdir() if each.is_dir())
    assert sorted(each.name for each in folder.iterdir()) == ["ready.html", "ready.json"]
    assert str(folder / "ready.html") in "".join(capsys.readouterr().out.split())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("loadtest.readiness.history.write_whole", full)
    assert main(["ready", str(path), *results]) == 0
    shown = capsys.readouterr().out
    assert "ready.html" not in shown
    assert "No space left on device" in shown
