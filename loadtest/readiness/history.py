"""Assessments on disk: whole ones for a time, one line of each for ever; what changed, and the trend."""

from __future__ import annotations

import json
import os
import shutil
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from loadtest.errors import ConfigError
from loadtest.judge.manifest_access import section
from loadtest.keep.atomic import write_whole
from loadtest.keep.bounded import read_whole
from loadtest.keep.folder import RUN, make_folder
from loadtest.keep.json import json_text, parsed
from loadtest.keep.manifest_reader import MOST_BYTES
from loadtest.readiness.assessment import Assessment, from_plain
from loadtest.readiness.policy import KEEP_RUNS_S, KEEP_S
from loadtest.readiness.probes.websocket import RUN_LABEL
from loadtest.readiness.views.formats import FILES, view

SUMMARIES = "summaries.jsonl"
LOOKED_BACK = 16 * 1024 * 1024
"""Bytes of summaries that are read, a week of most: a watch adds thousands a day, and they stay for ever."""
READY = FILES["json"]
MAX_ROWS = 2000
"""So many summaries are remembered, and looked at for a trend."""
LAST = "LAST"
UP_TO_RESULTS = "../../../"
"""From the folder of an assessment, ``readiness/POLICY/ID``, up to the results folder."""

KEPT = ("json", "html")
"""The views that are kept with every assessment; those that were asked for beside them."""

BAND_LEAST = 5
BAND_LAST = 20
NOISE = 3.0
SMALLEST_BAND = 0.02
"""A value is no change while it lies within three robust deviations of those before, or 0.02 of a score."""


@dataclass(slots=True)
class History:
    """Where the assessments of one policy lie: ``results/readiness/POLICY/``.

    Whole assessments, and the load runs made for them, are kept for ``keep_s`` and ``keep_runs_s``. What was
    read of the summaries is remembered, so that a watch reads every line once.
    """

    folder: Path
    keep_s: float = KEEP_S
    keep_runs_s: float = KEEP_RUNS_S
    _known: list[dict[str, Any]] = field(default_factory=list, repr=False)
    _read_to: int = 0

    @classmethod
    def of(
        cls, results: Path, policy: str, keep_s: float = KEEP_S, keep_runs_s: float = KEEP_RUNS_S
    ) -> History:
        """The history of a policy in a results folder."""
        return cls(results / "readiness" / policy, keep_s, keep_runs_s)

    def new_folder(self, at: float) -> Path:
        """A new folder for an assessment made at that Unix time.

        Raises:
            ConfigError: no folder can be made there.
        """
        return make_folder(self.folder, datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ"))

    def keep(self, found: Assessment, formats: Sequence[str] = KEPT) -> Path:
        """Write an assessment into its folder and its line into the summaries; old whole ones go."""
        folder = self.folder / found.id
        for form in dict.fromkeys((*KEPT, *formats)):
            write_whole(folder / FILES[form], view(found, form, UP_TO_RESULTS))
        self.note(found)
        self.prune(found.at)
        return folder

    def note(self, found: Assessment) -> None:
        """Add an assessment's line to the summaries."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / SUMMARIES).open("ab+") as file:
            # After a crash the last line may be cut off: this one must not become a part of it.
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            begin = b"" if file.read(1) in {b"", b"\n"} else b"\n"
            file.write(begin + json_text(summary(found)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def summaries(self, last: int = LOOKED_BACK) -> list[dict[str, Any]]:
        """One row per assessment, oldest first, as many as stand in the ``last`` bytes of all that are kept.

        A line that was cut off is passed over. All are returned once, then the last ones and what is new.
        """
        path = self.folder / SUMMARIES
        if not path.is_file():
            return []
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            if end < self._read_to:  # another file
                self._known, self._read_to = [], 0
            begin = file.seek(max(self._read_to, end - last))
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read_to = begin + len(whole) + len(newline)
        self._known += _rows(whole.decode("utf-8", "replace").splitlines())
        rows = list(self._known)
        del self._known[:-MAX_ROWS]
        return rows

    def prune(self, now: float) -> None:
        """Remove what is older than it is kept: whole assessments, empty folders, runs of the policy."""
        for path in self.folder.iterdir():
            if path.is_dir() and now - path.stat().st_mtime > self.keep_s:
                shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.parent.parent.glob(f"*-{RUN_LABEL}*"):
            with suppress(OSError):
                old = now - (path / "run.json").stat().st_mtime > self.keep_runs_s
                if old and _asked_by(path).startswith(f"{self.folder.name}: "):
                    shutil.rmtree(path, ignore_errors=True)

    def _whole(self) -> list[Path]:
        whole = (path for path in self.folder.iterdir() if (path / READY).is_file())
        return sorted(whole, key=lambda path: (path.name[:16], len(path.name), path.name))

    def find(self, ref: str) -> Assessment | None:
        """The assessment of that id, or the last; None where there is no last yet.

        Raises:
            ConfigError: there is none of that id, or it cannot be read.
        """
        whole = self._whole() if self.folder.is_dir() else []
        if ref.upper() == LAST:
            return _read(whole[-1]) if whole else None
        for path in whole:
            if path.name == ref:
                return _read(path)
        known = f"; the last is {whole[-1].name}" if whole else "; none is stored yet"
        raise ConfigError(
            f"this policy has no stored assessment `{ref}`{known} (loadtest deletes assessments that are"
            " older than `keep`)"
        )


def _asked_by(path: Path) -> str:
    """The policy and the component that a run was made for; empty for a run that a user started."""
    try:
        found = parsed(read_whole(path / RUN, MOST_BYTES))
    except (OSError, ValueError):
        return ""
    return str(found.get("asked_by") or "") if isinstance(found, dict) else ""


def _read(path: Path) -> Assessment:
    try:
        return from_plain(parsed((path / READY).read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the assessment {path.name} cannot be read: {error}") from None


def _rows(lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            row = parsed(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("at"), int | float):
            yield row


def summary(found: Assessment) -> dict[str, Any]:
    """What is kept of an assessment for ever.

    ``failures_in_a_row`` is what the next one goes on from: where nothing is known, what it was before.
    """
    in_a_row = found.figures["failures.in_a_row"]
    return {
        "id": found.id,
        "at": found.at,
        "verdict": found.verdict,
        "policy_sha256": found.policy_sha256,
        "health": found.figures["health.overall"].value,
        "coverage": found.figures["health.coverage"].value,
        "confidence": found.confidence.value,
        "failures_in_a_row": in_a_row.value or max(0, int(in_a_row.high or 0) - 1),
        "components": {row.name: {"status": row.status, "score": row.score} for row in found.components},
    }


def failures_before(rows: Sequence[Mapping[str, Any]]) -> int:
    """How many assessments in a row, up to the last kept, had a critical component down."""
    before = rows[-1].get("failures_in_a_row") if rows else 0
    return int(before) if isinstance(before, int | float) else 0


def trend(rows: Sequence[Mapping[str, Any]], now: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence on the health and on each component out of its noise band; ``now`` is the newest summary."""
    said = [_trend("overall health", (row.get("health") for row in reversed(rows)), now.get("health"))]
    for name, part in now["components"].items():
        before = (section(row, "components", name).get("score") for row in reversed(rows))
        sentence = _trend(name, before, part["score"])
        if "noise band" in sentence and "within" not in sentence:
            said.append(sentence)
    return tuple(said)


def _trend(name: str, before: Iterable[Any], value: float | None) -> str:
    """``before`` are the values of earlier assessments, the newest first."""
    known = list(islice((each for each in before if isinstance(each, int | float)), BAND_LAST))
    if value is None:
        return f"{name}: unknown now, so there is no trend"
    if len(known) < BAND_LEAST:
        return f"{name}: not enough history (n={len(known)} of at least {BAND_LEAST})"
    middle = statistics.median(known)
    deviation = 1.4826 * statistics.median(abs(each - middle) for each in known)
    band = max(NOISE * deviation, SMALLEST_BAND)
    word = "within its" if abs(value - middle) <= band else "above its" if value > middle else "below its"
    return f"{name}: {value:.2f} is {word} noise band {middle:.2f} ± {band:.2f} (n={len(known)})"


def changes(before: Assessment, now: Assessment) -> tuple[str, ...]:
    """What is different from an earlier assessment, the policy included."""
    return tuple(_changes(before, now)) or ("nothing changed",)


def _changes(before: Assessment, now: Assessment) -> Iterator[str]:
    if before.verdict != now.verdict:
        yield f"verdict: {before.verdict} → {now.verdict}"
    old, new = before.figures["health.overall"], now.figures["health.overall"]
    if old.text != new.text:
        yield f"overall health: {old.text} → {new.text}"
    rows = {row.name: row for row in before.components}
    for row in now.components:
        was = rows.pop(row.name, None)
        if was is None:
            yield f"{row.title}: new, {row.status}"
        elif was.status != row.status:
            yield f"{row.title}: {was.status} → {row.status} ({row.why})"
    for name in rows:
        yield f"{name}: no longer in the policy"
    for kind in ("criteria", "gates", "triggers"):
        outcomes = {each.title: each.outcome for each in getattr(before, kind)}
        for each in getattr(now, kind):
            if outcomes.get(each.title, each.outcome) != each.outcome:
                yield f"{each.title}: {outcomes[each.title]} → {each.outcome}"
    yield from policy_changes(before, now)


def policy_changes(before: Assessment, now: Assessment) -> Iterator[str]:
    """Every key of the policy that differs; a secret's value is never told."""
    if before.policy_sha256 == now.policy_sha256:
        return
    yield f"policy: {before.policy_sha256[:12]} → {now.policy_sha256[:12]}"
    old, new = _flat(before.settings), _flat(now.settings)
    named = False
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            named = True
            yield f"policy {key}: {old.get(key, 'not there')} → {new.get(key, 'not there')}"
    if not named:
        yield "policy: the only difference is a value that reports do not show"


def _flat(value: object, path: str = "") -> dict[str, str]:
    if isinstance(value, Mapping):
        return {
            key: text for name, each in value.items() for key, text in _flat(each, f"{path}.{name}").items()
        }
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        return {
            key: text
            for index, each in enumerate(value)
            for key, text in _flat(each, f"{path}[{index}]").items()
        }
    return {path.lstrip("."): json.dumps(value, default=str)}
