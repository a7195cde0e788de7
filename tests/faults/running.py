"""Many runs at once, each looked at when it is over."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.faults.foreseeing import SEED
from tests.faults.plans import Plan, write_scenario

AT_ONCE = 3
"""Processes that run jobs: a run waits most of its time."""

LONGEST_JOB_S = 30.0


@dataclass(frozen=True)
class Job:
    """One run: a plan against a simulator with faults."""

    plan: Plan
    faults: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    target: str = "ws://127.0.0.1:{port}"
    seed: int = SEED

    @property
    def id(self) -> str:
        """A folder name, the same for the same job."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Found:
    """What one run left: its exit code, its folder, and what the simulator says that it did."""

    code: int
    folder: Path
    stats: dict[str, Any]
    screen: str

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """``run.json``."""
        read: dict[str, Any] = json.loads((self.folder / "run.json").read_text("utf-8"))
        return read

    @cached_property
    def counts(self) -> dict[str, Any]:
        """The counters of the whole run by name, dots for levels; without those that are 0."""
        told = {name: part for name, part in self.manifest["counts"].items() if name != "measured"}
        return {name: n for name, n in flattened(told) if n != 0}

    @cached_property
    def notices(self) -> dict[str, dict[str, Any]]:
        """The notices by code."""
        return {notice["code"]: notice for notice in self.manifest["notices"]}

    @cached_property
    def evidence(self) -> list[dict[str, Any]]:
        """The frame logs."""
        return [json.loads(line) for line in (self.folder / "slowest.jsonl").read_text("utf-8").splitlines()]

    def struck(self, fault: str) -> int:
        """How often the simulator says that a fault struck."""
        return int(self.stats["faults_done"].get(fault, {"n": 0})["n"])

    def struck_turns(self, fault: str) -> int:
        """In how many turns the simulator says that a fault of single events struck."""
        return len(
            {deed[0] for deed in self.stats["faults_done"].get(fault, {"struck": ()})["struck"] if deed}
        )


def flattened(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Leaves by name."""
    leaves: list[tuple[str, Any]] = []
    for name, value in tree.items():
        leaves += (
            flattened(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
        )
    return leaves


def run_all(jobs: Sequence[Job], folder: Path) -> dict[str, Found]:
    """Run every job, several at once; what was found, by the job's id."""
    scenario = write_scenario(folder)
    unique = list({job.id: job for job in jobs}.values())
    # The long ones and the short ones lie together: dealing them out one by one spreads them.
    hands = [hand for nth in range(AT_ONCE) if (hand := unique[nth::AT_ONCE])]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda hand: _drive(hand, scenario, folder / "results"), hands)
        return {row["id"]: _found(row) for rows in answers for row in rows}


def _drive(jobs: Sequence[Job], scenario: Path, results: Path) -> list[dict[str, Any]]:
    """One process that performs some of the jobs; ended by its own process group."""
    told = [
        {
            "id": job.id,
            "faults": list(job.faults),
            "sets": [*job.plan.sets, *job.sets],
            "options": dict(job.options),
            "target": job.target,
            "seed": job.seed,
            "scenario": str(scenario),
            "results": str(results),
        }
        for job in jobs
    ]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOADTEST_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.driver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**inherited, "FAULTS_SECRET": "known to the simulator alone, and long enough"},
        start_new_session=True,
    )
    try:
        out, err = process.communicate(json.dumps(told), timeout=LONGEST_JOB_S * len(told))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
    assert process.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def _found(row: dict[str, Any]) -> Found:
    return Found(row["code"], Path(row["folder"] or ""), row["stats"], row["screen"])
