"""Our own tool, and the least that any Python could do: bare sockets."""

from __future__ import annotations

import json
import select
import sys
from dataclasses import replace

from benchmarks.generator import HERE, ROOT, Generator, Job, Told, Words, version_of


def _our_words(job: Job) -> Words:
    scenario = {"processes": "burst", "echo-64k": "echo-large", "echo-1m": "echo-large"}.get(
        job.case.name, job.case.name
    )
    words = [sys.executable, "-m", "loadtest", "run", str(HERE / "scenarios" / f"{scenario}.toml")]
    words += ["--target", job.server.url(), "--results", str(job.folder), "--quiet"]
    words += ["--connections", str(job.connections), "--duration", f"{job.seconds:g}s"]
    if job.case.message_bytes:
        texts = job.folder / "texts.csv"
        texts.write_text(f"text\n{'x' * job.case.message_bytes}\n")
        words += ["--set", f"traffic.data={texts}"]
    return [*words, "--processes", str(job.processes)] if job.processes > 1 else words


def _our_told(job: Job) -> Told | None:
    found = sorted(job.folder.glob("*/run.json"))
    if not found:
        return None
    metrics = json.loads(found[-1].read_text())["metrics"]
    service = metrics.get("turn.completion.service") or {}
    return Told(service.get("p50"), service.get("p99"))


OURS = Generator(
    "loadtest",
    {
        "echo": "matched by id; ledger, kernel stamps, histograms, turn table",
        "burst": "every event parsed, matched, numbered; ledger, kernel stamps, histograms, turn table",
        "fragments": "as burst",
        "deflate": "as burst",
        "echo-64k": "as echo",
        "echo-1m": "as echo",
        "tokens": "every phase timed, each token signed when its connection is opened",
        "connect": "every phase timed",
        "hold": "pings timed",
        "rate": "as echo; each message at its planned instant",
        "processes": "as burst",
    },
    _our_words,
    lambda: None,
    version_of("loadtest-ws"),
    _our_told,
    lambda _job: {"PYTHONPATH": str(ROOT), "BENCH_SECRET": "a secret that only this benchmark knows"},
    once=True,
)


TOGETHER = replace(
    OURS,
    name="loadtest, all at once",
    does={"rate": "as echo; all connections at the same planned instants, 40 a second"},
    words=lambda job: [*_our_words(job), "--set", "traffic.phase=together"],
)
"""Peers whose users were started together, and wait whole milliseconds, send in bunches too."""


def _bare_words(job: Job) -> Words:
    words = [sys.executable, "-m", "benchmarks.bare", job.case.name, str(job.server.port)]
    return [*words, "--connections", str(job.connections), "--seconds", f"{job.seconds:g}"]


def _bare_told(job: Job) -> Told | None:
    text = (job.folder / "output.txt").read_text().strip()
    if not text.startswith("{"):
        return None
    found = json.loads(text)
    return Told(found["p50_ms"], found["p99_ms"])


BARE = Generator(
    "bare sockets (the limit)",
    {
        "echo": "frames sliced; not parsed, not matched",
        "burst": "frames sliced; not parsed, not matched",
        "connect": "nothing timed",
        "hold": "nothing",
        "rate": "frames sliced, timed by its own clock",
    },
    _bare_words,
    lambda: None if hasattr(select, "epoll") else "this system has no epoll",
    lambda: f"Python {sys.version.split()[0]}",
    _bare_told,
    lambda _job: {"PYTHONPATH": str(ROOT)},
    once=True,
)
