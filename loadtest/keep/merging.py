"""Runs of several hosts of one test as one run: histograms and counters are added, which is exact."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.errors import ConfigError, LoadtestError
from loadtest.keep.manifest import COMPLETE
from loadtest.keep.merged_manifest import merged_manifest
from loadtest.keep.read import Run, is_pruned
from loadtest.keep.run_identity import RunIdentity, identities
from loadtest.keep.turns import levels_of, sampling
from loadtest.keep.write import RunFolder
from loadtest.keep.writer_process import this_process
from loadtest.measure.interval import Interval, merge

SAMPLED = "turns_sampled"

WORKERS = "workers"

ALIKE = "no event carried a user mark, and without {uuid} several hosts have the same turn ids"


def merge_runs(results: Path, runs: Sequence[Run], label: str | None = None) -> Run:
    """A new run in ``results`` that is the sum of these, not judged yet.

    Seconds are counted from each host's own start, so that warm-up lies on warm-up. By how much the starts
    differ, by the hosts' own clocks, stands in the run as a notice. Numbers of turns and users stay each
    host's own. ``fingerprint.parts`` lists the runs with theirs.

    Raises:
        ConfigError: they are not whole runs of one scenario against one target at one time.
    """
    try:
        return _merged(results, sorted(runs, key=_started), label)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
        raise ConfigError(f"the runs cannot be merged: one of them is damaged ({problem})") from problem


def _merged(results: Path, runs: Sequence[Run], label: str | None) -> Run:
    _check(runs)
    offsets = _offsets(runs)
    manifest = _manifest(runs, offsets, label)
    started = datetime.fromisoformat(manifest["started"])
    made = RunFolder.create(results, manifest["scenario"]["name"], label, started)
    manifest["id"] = made.id
    try:
        _fill(made, manifest, runs)
    except BaseException:
        # Half a sum would pass for a run.
        with suppress(LoadtestError, OSError):
            made.close()
        shutil.rmtree(made.path)
        raise
    return Run(made.path, manifest)


def _fill(made: RunFolder, manifest: dict[str, Any], runs: Sequence[Run]) -> None:
    """Write everything, ``run.json`` last."""
    level = max(_level(run) for run in runs)
    for interval in _seconds(runs, level):
        made.interval(interval)
    made.log.write_text("".join(f"merged from {run.id}\n" for run in runs), "utf-8")
    level = max([level, *(_level_of(fact) for fact in made.close())])
    manifest["observed"] += sampling(sum(_turns_seen(run) for run in runs), level)
    made.manifest(manifest)


def _check(runs: Sequence[Run]) -> None:
    """Raise unless these can be one run."""
    if len({run.path.resolve() for run in runs}) < max(2, len(runs)):
        raise ConfigError("give at least two different runs to merge")
    _check_each_once(runs)
    for run in runs:
        if run.status != COMPLETE or is_pruned(run.manifest):
            raise ConfigError(
                f"the run {run.id} is {'pruned' if is_pruned(run.manifest) else run.status}; only complete"
                " runs can be merged"
            )
        if failure := run.manifest.get("failure"):
            raise ConfigError(f"the run {run.id} failed, so it cannot be merged: {failure.get('sentence')}")
        if run.manifest.get("populations"):
            raise ConfigError(f"the run {run.id} cannot be merged, because it has populations")
    first, *others = runs
    for other in others:
        for what, one, two in _told(first, other):
            if one != two:
                raise ConfigError(
                    f"the runs {first.id} and {other.id} differ in their {what} ({one} and {two}); only runs"
                    " of the same test can be merged"
                )
    for run, offset in zip(runs, _offsets(runs), strict=True):
        if offset >= (first.manifest.get("duration_s") or 0):
            raise ConfigError(
                f"the run {run.id} began {offset:.1f} s after {first.id}, which had ended by then; "
                "only simultaneous runs can be merged"
            )


def _check_each_once(runs: Sequence[Run]) -> None:
    """Raise where a run stands in two of these: itself, a copy of it, or as a part of a sum."""
    named: dict[RunIdentity, Run] = {}
    for run in runs:
        of_run = identities(run.manifest)
        for one, other in itertools.product(of_run, named):
            if one.is_same(other):
                where = f"{named[other].path} and {run.path}"
                raise ConfigError(
                    f"the run {one.id} would count twice, because {where} both contain it; give each run once"
                )
        named |= dict.fromkeys(of_run, run)


def _told(one: Run, other: Run) -> Iterator[tuple[str, Any, Any]]:
    yield "scenario", one.manifest["scenario"].get("sha256"), other.manifest["scenario"].get("sha256")
    targets = one.manifest["target"], other.manifest["target"]
    simulated = [bool(each.get("simulated")) for each in targets]
    kinds = ["simulated" if each else "not simulated" for each in simulated]
    yield "kind of target", kinds[0], kinds[1]
    if not simulated[0]:  # the simulator listens on another port each time
        yield "target", targets[0].get("url"), targets[1].get("url")


def _offsets(runs: Sequence[Run]) -> list[float]:
    """Seconds from the earliest start to each, by the hosts' own clocks."""
    first = min(map(_started, runs), default=0.0)
    return [_started(run) - first for run in runs]


def _started(run: Run) -> float:
    return datetime.fromisoformat(str(run.manifest["started"])).timestamp()


def _seconds(runs: Sequence[Run], level: int) -> Iterator[Interval]:
    """Every second as all hosts together saw it; turns and frames go with the first."""
    turns = np.concatenate([_sampled(run.turns(), level) for run in runs])
    frames = [frame for run in runs for frame in run.slowest()]
    parts = heapq.merge(*(run.intervals() for run in runs), key=lambda interval: interval.second)
    for _, group in itertools.groupby(parts, key=lambda interval: interval.second):
        merged = merge(list(group))
        if len(turns) or frames:
            merged.turns, merged.frames = turns, frames
            turns, frames = turns[:0], []
        yield merged


def _sampled(turns: npt.NDArray[np.void], level: int) -> npt.NDArray[np.void]:
    """The rows that the sampling rule of that level keeps."""
    return turns[levels_of(turns["seq"]) >= level] if level else turns


def _level(run: Run) -> int:
    return max((_level_of(fact) for fact in run.manifest.get("observed") or ()), default=0)


def _level_of(fact: Any) -> int:
    """The k of a sampling of one in 2**k; 0 of any other fact."""
    return int(fact["numbers"]["one_in"]).bit_length() - 1 if fact.get("code") == SAMPLED else 0


def _turns_seen(run: Run) -> int:
    known = [fact["numbers"]["turns"] for fact in run.manifest.get("observed") or () if _level_of(fact)]
    return int(known[0]) if known else len(run.turns())


def _manifest(runs: Sequence[Run], offsets: Sequence[float], label: str | None) -> dict[str, Any]:
    """What the parts say together (``merged_manifest``), and what the sum says of itself."""
    manifests = [run.manifest for run in runs]
    found = merged_manifest(manifests)
    found["unless_marked"] = _unless_marked(found)
    return {
        **found,
        "label": label,
        "interrupted": False,
        "status": COMPLETE,
        "process": this_process(),
        "metrics": {},
        "counts": {},
        "rates": {},
        "notices": [],
        "observed": [*_observed(runs), *_spoilt(runs), _stated(offsets)],
        "merged": [{"run": run.id, "offset_s": offset} for run, offset in zip(runs, offsets, strict=True)],
        "fingerprint": _fingerprint(runs, offsets),
        "verdict": None,
    }


def _unless_marked(manifest: dict[str, Any]) -> dict[str, str]:
    """What only marks of users tell over several hosts, which number their users and turns alike."""
    reasons = dict(manifest.get("unless_marked") or {})
    protocol = manifest["scenario"].get("settings", {}).get("protocol") or {}
    told_apart = "{uuid}" in str((protocol.get("turn") or {}).get("id", "{uuid}"))
    if not told_apart and not reasons and "foreign" not in manifest.get("unmeasured", {}):
        reasons["foreign"] = ALIKE
    return reasons


def _observed(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The facts that the hosts noted, each once; the workers of all as one, and sampling is reported anew."""
    facts: list[dict[str, Any]] = []
    workers: dict[str, Any] = {}
    for run in runs:
        for fact in run.manifest.get("observed") or ():
            if fact["code"] == WORKERS:
                workers |= {f"{name} of {run.id}": each for name, each in fact["numbers"].items()}
            elif fact not in facts and fact["code"] != SAMPLED:
                facts.append(fact)
    return [*facts, {"code": WORKERS, "numbers": workers}] if workers else facts


def _spoilt(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """What spoils one host's run spoils the sum: a host that measured well only thins it out."""
    for run in runs:
        for notice in run.manifest.get("notices") or ():
            if notice.get("spoils"):
                yield {
                    "code": "host_invalid",
                    "message": f"the run {run.id} alone was invalid: {notice['message']}",
                    "remedy": str(notice["remedy"]),
                    "numbers": {},
                    "spoils": True,
                }


def _stated(offsets: Sequence[float]) -> dict[str, Any]:
    return {
        "code": "hosts_merged",
        "message": "Several runs were merged. The seconds of each run count from its own start.",
        "remedy": (
            "Start the hosts together, or use a master with --workers. Synchronise the clocks of the hosts."
        ),
        "numbers": {"runs": len(offsets), "starts_apart_s": round(max(offsets), 6)},
    }


def _fingerprint(runs: Sequence[Run], offsets: Sequence[float]) -> dict[str, Any]:
    """What all hosts share, a machine that stands for all of them, and the parts with theirs."""
    prints = [dict(run.manifest.get("fingerprint") or {}) for run in runs]
    shared = {
        name: value for name, value in prints[0].items() if all(each.get(name) == value for each in prints)
    }
    machines = ",".join(sorted(str(each.get("machine")) for each in prints))
    parts = [
        {
            "run": run.id,
            "offset_s": offset,
            "started": run.manifest["started"],
            "process": run.manifest.get("process"),
            "fingerprint": each,
        }
        for run, offset, each in zip(runs, offsets, prints, strict=True)
    ]
    return {**shared, "machine": hashlib.sha256(machines.encode()).hexdigest()[:12], "parts": parts}
