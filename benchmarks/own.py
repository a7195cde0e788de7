"""Our own tool, and the least that any Python could do: bare sockets."""

from __future__ import annotations

import json
import select
import sys
from dataclasses import replace

from benchmarks.generator import HERE, ROOT, Generator, Job, Told, Words, version_of
from benchmarks.server import STORM, compiled

SCENARIO_OF = {"processes": "burst", "echo-64k": "echo-large", "echo-1m": "echo-large", "storm": "connect"}
"""The scenario of a case, where it has another name."""


def _our_words(job: Job) -> Words:
    scenario = SCENARIO_OF.get(job.case.name, job.case.name)
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
    manifest = json.loads(found[-1].read_text())
    metric = "turn.completion.service"
    if job.case.kind == "storm":
        metric = "connect.tcp"
        if manifest["verdict"]["outcome"] != "pass":
            return None
    measured = manifest["metrics"].get(metric) or {}
    return Told(measured.get("p50"), measured.get("p99"))


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
        "storm": "every phase timed; a run that is not valid does not count",
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


def _told_in_json(job: Job) -> Told | None:
    """What a client of ours has printed; None: it has not."""
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
    _told_in_json,
    lambda _job: {"PYTHONPATH": str(ROOT)},
    once=True,
)


def _c_words(job: Job) -> Words:
    return [str(compiled(STORM)), str(job.server.port), str(job.connections)]


C_CLIENT = Generator(
    "a client in C",
    {"storm": "the handshake of TCP timed alone"},
    _c_words,
    lambda: None if compiled(STORM) else "there is no C compiler",
    lambda: "of benchmarks/storm.c",
    _told_in_json,
    once=True,
)
"""Sees TCP connect as soon as that is possible: it looks after each connection that it begins."""
