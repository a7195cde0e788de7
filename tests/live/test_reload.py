"""A policy that is read again while its watch goes on: what is known stays, mistakes change nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.live.reload import Reload
from loadtest.readiness.policy import Policy
from loadtest.readiness.policy_file import load_policy
from tests.live.test_watch import World


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


class Changing:
    """A watch whose policy is a file that can be changed."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.path = self.world.policy.path
        self.text = self.path.read_text()
        self.said: list[str] = []
        self.watch = self.world.watch()
        self.watch.said = self.said.append
        self.reload = Reload(self.path, self.load, {})
        self.writes = 0

    def load(self) -> Policy:
        return load_policy(self.path)

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self.writes += 1
        # A file system may not tell two writes apart that come at the same time.
        os.utime(self.path, (2_000_000_000 + self.writes, 2_000_000_000 + self.writes))

    def go(self, for_s: float) -> None:
        self.world.go(self.watch, for_s)


@pytest.fixture
def changing(tmp_path: Path) -> Changing:
    made = Changing(tmp_path)
    made.go(3)
    return made


def test_a_policy_that_did_not_change_is_not_read_again(changing: Changing) -> None:
    assert not changing.reload.look(changing.watch)


def test_a_component_that_is_new_is_probed_at_once_and_the_others_at_their_time(changing: Changing) -> None:
    changing.write(f'{changing.text}\n[components.new]\nprobe = "tcp"\nhost = "h"\nport = 1\n')
    assert changing.reload.look(changing.watch)
    asked = len(changing.world.asked)
    changing.world.broken = {"new"}
    changing.go(3)
    assert [names for _, names in changing.world.asked[asked:]] == [("new",)]
    latest = changing.watch.latest
    assert latest is not None
    assert [row.status for row in latest.components] == ["healthy", "healthy", "healthy", "down"]
    assert "the policy was read again: 4 components" in changing.said[0]


def test_a_component_that_changed_is_probed_again_and_one_that_went_ends_its_incident(
    changing: Changing,
) -> None:
    changing.world.broken = {"extra"}
    changing.go(20)
    changing.write(changing.text.replace("127.0.0.1:1/health", "127.0.0.1:2/health"))
    assert changing.reload.look(changing.watch)
    asked = len(changing.world.asked)
    changing.go(2)
    assert changing.world.asked[asked][1] == ("api",)
    text = changing.text.replace("[components.extra]", "[components.other]").replace('["extra"]', '["other"]')
    changing.write(text)
    assert changing.reload.look(changing.watch)
    assert "component extra" not in changing.watch.state.alerts.incidents


def test_mistakes_leave_the_old_policy_and_are_told_once(changing: Changing) -> None:
    before = changing.watch.policy
    for text, said in (
        ("[components.api]\nprobe = 5\n", "`probe`"),
        (f'name = "other"\n{changing.text}', "with a new history"),
        (changing.text.replace("http://127.0.0.1:1/x", "{env.NOWHERE}"), "NOWHERE is not set"),
    ):
        changing.write(text)
        assert not changing.reload.look(changing.watch)
        assert not changing.reload.look(changing.watch)
        assert said in changing.said[-1]
    assert len(changing.said) == 3
    assert changing.watch.policy is before
    changing.path.unlink()
    assert not changing.reload.look(changing.watch), "an editor may be replacing it"


def test_sighup_reads_a_policy_again_that_looks_as_before(changing: Changing) -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    assert changing.reload.look(changing.watch)
    assert not changing.reload.look(changing.watch)


def test_a_policy_that_is_reloaded_while_a_remedy_runs_neither_ends_nor_repeats_it(tmp_path: Path) -> None:
    """The remedy itself changes the policy and sends SIGHUP, as a deployment does."""
    changing = Changing(tmp_path)
    new = changing.text.replace('verify_after = "5s"', 'verify_after = "6s"\ndry_run = false').replace(
        "[components.extra]", '[components.extra]\nowner = "team blue"', 1
    )
    (tmp_path / "new.toml").write_text(new)
    script = f"cp new.toml {changing.path.name} && kill -HUP $PPID && echo ran >> ran.txt"
    changing.write(changing.text.replace('["no-such-program"]', f'["sh", "-c", "{script}"]\ndry_run = false'))
    changing.watch.act = True
    assert changing.reload.look(changing.watch)
    changing.world.broken = {"api"}
    for _ in range(200):
        changing.go(1)
        if changing.reload.look(changing.watch):
            break
    assert (tmp_path / "ran.txt").read_text() == "ran\n"
    assert changing.watch.policy.component("extra").owner == "team blue"
    treatment = changing.watch.state.treatments["api"]
    assert (treatment.tries, treatment.acted) == (1, 1), "the try is known to the policy that came after it"
    changing.go(60)
    assert (tmp_path / "ran.txt").read_text() == "ran\n"
    audit = (changing.watch.history.folder / "audit.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in audit]
    assert steps[:2] == ["act", "did not help"]
