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


FACTS = {
    "cpu": "made",
    "cores_usable": 4,
    "cores_logical": 8,
    "cores_quota": None,
    "memory_bytes": 16_600_000_000,
    "system": "Linux",
    "kernel": "6.8.0-45-generic",
    "architecture": "x86_64",
    "container_image": None,
}
ID = "0123456789abcdef0123456789abcdef"


def machine_with(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], *, host: str = "a", **environment: str
) -> tuple[str, str]:
    """The machine as told by these files of the system and no others."""
    for name in (module.MACHINE, *module.CONTAINER_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "_text_of", lambda path: files.get(path, ""))
    monkeypatch.setattr(module, "CONTAINER_FILES", ())
    monkeypatch.setattr(module.platform, "node", lambda: host)
    return module._machine(FACTS)


def test_a_machine_id_is_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/etc/machine-id": f"{ID}\n"}
    machine, made_from = machine_with(monkeypatch, files)
    assert (machine, made_from) == (module._digest(ID), "machine-id")
    assert machine == machine_with(monkeypatch, files, host="b")[0]


@pytest.mark.parametrize("told", ["", "uninitialized\n", f"{'0' * 32}\n"])
def test_without_a_usable_machine_id_the_facts_are_the_machine(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """A host name is a new one in each container, and must never enter."""
    found = {machine_with(monkeypatch, {"/etc/machine-id": told}, host=f"host{at}") for at in range(30)}
    assert len(found) == 1
    assert found.pop()[1] == "facts"


@pytest.mark.parametrize(
    ("files", "environment"),
    [
        ({"/proc/1/cgroup": "12:cpu:/kubepods/burstable/pod1"}, {}),
        ({}, {"container": "podman"}),
        ({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}),
    ],
)
def test_in_a_container_the_machine_id_is_the_images(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], environment: dict[str, str]
) -> None:
    found = machine_with(monkeypatch, {"/etc/machine-id": ID, **files}, **environment)
    assert found[1] == "facts"


def test_a_file_that_only_containers_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine_with(monkeypatch, {"/etc/machine-id": ID})
    (tmp_path / "here").touch()
    monkeypatch.setattr(module, "CONTAINER_FILES", (str(tmp_path / "here"),))
    assert module._machine(FACTS)[1] == "facts"


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "other"},
        {"cores_usable": 2},
        {"cores_quota": 1.5},
        {"memory_bytes": 8 << 30},
        {"architecture": "aarch64"},
        {"kernel": "6.11.0"},
        {"container_image": "made:2"},
    ],
)
def test_other_facts_are_another_machine(monkeypatch: pytest.MonkeyPatch, change: dict[str, object]) -> None:
    same = machine_with(monkeypatch, {})
    assert module._machine({**FACTS, "kernel": "6.8.0-50", "memory_bytes": 16_610_000_000}) == same
    assert module._machine({**FACTS, **change}) != same


@pytest.mark.parametrize(
    ("given", "kept"), [("rack-7.b_2", "rack-7.b_2"), (" a b/c\n", "a-b-c"), ("x" * 99, "x" * 64)]
)
def test_a_name_that_is_given_is_the_machine(monkeypatch: pytest.MonkeyPatch, given: str, kept: str) -> None:
    assert machine_with(monkeypatch, {"/etc/machine-id": ID}, LOADTEST_MACHINE=given) == (kept, "name")


@pytest.mark.parametrize(
    ("told", "cores"), [("150000 100000\n", 1.5), ("max 100000\n", None), ("", None), ("7", None)]
)
def test_the_share_of_the_processors_that_a_container_may_take(
    monkeypatch: pytest.MonkeyPatch, told: str, cores: float | None
) -> None:
    monkeypatch.setattr(module, "_text_of", lambda _: told)
    assert module._cores_quota() == cores


def test_a_file_that_may_not_be_read_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> str:
        raise PermissionError

    (tmp_path / "there").write_text("x", "ascii")
    assert module._text_of(str(tmp_path / "there")) == "x"
    assert module._text_of(str(tmp_path / "gone")) == ""
    monkeypatch.setattr(module.Path, "read_text", refuse)
    assert module._text_of(str(tmp_path / "there")) == ""
