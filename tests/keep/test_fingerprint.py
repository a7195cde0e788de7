from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import pytest

from loadtest import __version__
from loadtest.keep import fingerprint as module
from loadtest.keep.fingerprint import fingerprint
from loadtest.keep.redact import REDACTED, Redactor


def test_it_tells_the_machine_the_versions_and_the_limits(tmp_path: Path) -> None:
    found = fingerprint("abc", ["run", "--label", "x"], cwd=tmp_path)
    assert json.loads(json.dumps(found)) == found
    assert (found["loadtest"], found["scenario_sha256"]) == (__version__, "abc")
    assert found["arguments"] == ["run", "--label", "x"]
    assert found["memory_bytes"] > 0
    assert found["cores_logical"] >= 1
    assert found["libraries"]["numpy"]
    assert found["git"] is None


def test_it_tells_no_secret_and_no_host(tmp_path: Path) -> None:
    arguments = ["run", "--set", "target.query.token=zq81", "hush-hush"]
    found = fingerprint("abc", arguments, cwd=tmp_path, redactor=Redactor(["hush-hush"]))
    assert found["arguments"] == ["run", "--set", f"target.query.token={REDACTED}", REDACTED]
    assert platform.node() not in json.dumps(found)


def test_the_repository_it_was_run_in(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "--quiet", "-m", "a")
    commit = git("rev-parse", "HEAD")
    assert fingerprint("", [], cwd=tmp_path)["git"] == {"commit": commit, "dirty": False}
    (tmp_path / "a").write_text("2")
    assert fingerprint("", [], cwd=tmp_path)["git"] == {"commit": commit, "dirty": True}


def test_what_a_platform_does_not_tell_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module.sys, "platform", "win32")
    monkeypatch.setattr(module.platform, "processor", lambda: "")
    monkeypatch.setattr(module.Path, "is_file", lambda _: False)
    monkeypatch.setattr(module, "LIBRARIES", ("no-such-library",))
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(OSError("no git")))
    found = fingerprint("abc", [], cwd=tmp_path)
    assert found["limits"] == {"open_files": None, "local_ports": None}
    assert (found["cpu"], found["cores_usable"], found["git"]) == (None, None, None)
    assert found["libraries"] == {"no-such-library": None}
    assert found["machine"]
