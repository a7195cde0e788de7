"""Commands run as users run them: real processes, ended by their process ids, judged by what they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from loadtest.keep.read import Run, read_run

BIN = Path(sys.executable).parent
LOADTEST = (str(BIN / "loadtest"),)
LOCUST = (str(BIN / "locust"),)

WITHIN_S = 120.0
"""No run of these tests takes as long, however busy the machine is; one that does hangs."""

NOT_INHERITED = ("LOADTEST_", "GITHUB_ACTIONS", "GITLAB_CI")
"""How variables begin that would change what a command does or prints."""

GENERATORS_DOING = frozenset({"generator_stood_still", "generator_saturated", "generator_starved"})
"""Notices of a generator that was not given the time it needed."""

DRAWN = {"PYTHONPATH": ""}
"""The environment of a command whose plots and page are looked at; see ``tests/undrawn``."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended. ``screen`` is all it wrote."""

    code: int
    out: str
    err: str
    results: Path

    @property
    def screen(self) -> str:
        return self.out + self.err

    @property
    def folders(self) -> list[Path]:
        found = sorted(self.results.iterdir()) if self.results.exists() else []
        return [path for path in found if path.is_dir()]

    @property
    def folder(self) -> Path:
        """The folder of its one run."""
        (folder,) = self.folders
        return folder

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "run.json").read_text("utf-8"))
        return found

    @property
    def run(self) -> Run:
        return read_run(self.folder)

    @property
    def turns(self) -> npt.NDArray[np.void]:
        return np.load(self.folder / "turns.npy")

    def notice(self, code: str) -> dict[str, Any]:
        """The one notice of this code."""
        (found,) = [notice for notice in self.manifest["notices"] if notice["code"] == code]
        return found

    def ended_with(self, code: int) -> bool:
        """Whether a run ended with a code, or with 4 since a busy machine left the generator no time."""
        return self.code in {code, 4} and (self.code == code or bool(self.notices & GENERATORS_DOING))

    def given_time(self) -> Ended:
        """This run. If its generator had no time, the run is rightly invalid: the test is skipped."""
        if self.code == 4 and self.notices & GENERATORS_DOING:
            pytest.skip("this machine left the generator no time, so that its run is invalid")
        return self

    @property
    def notices(self) -> set[str]:
        return {notice["code"] for notice in self.manifest["notices"]}


class Launched:
    """A command in a session of its own, so that its signals reach nobody else."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.results = folder / "results"
        self._paths = folder / "out", folder / "err"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        with self._paths[0].open("wb") as out, self._paths[1].open("wb") as err:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**inherited, "LOADTEST_RESULTS": str(self.results), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def err(self) -> str:
        """What it has written to stderr so far."""
        return self._paths[1].read_text("utf-8")

    def until(self, condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Wait until a condition holds while the command goes on."""
        wait_until(lambda: condition() or self.process.poll() is not None, within_s)
        assert self.process.poll() is None, f"it ended too early, with {self.process.returncode}:\n{self.err}"

    def written_seconds(self) -> int:
        """How many seconds of its run are on disk."""
        rows = list(self.results.glob("*/intervals.jsonl"))
        return rows[0].read_bytes().count(b"\n") if rows else 0

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, within_s: float = WITHIN_S) -> Ended:
        """Wait for the end."""
        try:
            code = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end within {within_s:g} s:\n{self.err}") from None
        out, err = (path.read_text("utf-8") for path in self._paths)
        return Ended(code, out, err, self.results)

    def kill(self) -> None:
        """End the whole session at once; safe to call again."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


def wait_until(condition: Callable[[], bool], within_s: float = 60.0, every_s: float = 0.01) -> None:
    """Ask until it holds; a test whose condition never does fails."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {within_s:g} s"
        time.sleep(every_s)


def quick(duration: str = "1s") -> list[str]:
    """Options that make a shipped scenario short, and its simulator answer at once; nothing else of it."""
    return ["--duration", duration, "--set", "load.warmup=0s", "--set", "target.faults=[]"]
