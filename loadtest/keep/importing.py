"""Import of runs from a folder that was copied from elsewhere; nothing in it is trusted."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import ConfigError
from loadtest.keep import folder
from loadtest.keep.manifest import RUNNING
from loadtest.keep.read import is_pruned, read_manifest, read_run

FILES = (
    folder.RUN,
    folder.HISTOGRAMS,
    folder.INTERVALS,
    folder.TOTALS,
    folder.TIMELINE,
    folder.TURNS,
    folder.SLOWEST,
    folder.LOG,
    "report.html",
    "report.md",
    "junit.xml",
    "benchmark.json",
    "benchmark-rates.json",
)
"""What the folder of a run holds beside its plots; nothing else is taken over."""

_PLOT = re.compile(r"[a-z0-9-]{1,80}\.svg")
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}")


@dataclass(frozen=True, slots=True)
class Imported:
    """A run that was found: ``path`` in the results; ``new`` unless it was there already."""

    path: Path
    new: bool
    ignored: tuple[str, ...]


def import_runs(results: Path, source: Path) -> list[Imported]:
    """Import the run in ``source``, or every run in the folders of ``source``.

    Each is copied beside, read whole, and only then gets its name; a run that is there is never written to.

    Raises:
        ConfigError: there is no run, one is damaged, holds links, or another run has its id.
    """
    folders = [source] if (source / folder.RUN).is_file() else list(_folders(source))
    if not folders:
        raise ConfigError(f'"{source}" contains no run: there is no {folder.RUN} in it or in its folders')
    return [_import(results, each) for each in folders]


def _folders(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield from sorted(each for each in source.iterdir() if (each / folder.RUN).is_file())


def _import(results: Path, source: Path) -> Imported:
    files, ignored = _listed(source)
    manifest = read_manifest(source)
    run_id = manifest.get("id")
    if not isinstance(run_id, str) or not _ID.fullmatch(run_id):
        raise ConfigError(f'"{source}" has the id {str(run_id)[:80]!r}, which is not a valid id of a run')
    if manifest["status"] == RUNNING:
        raise ConfigError(f'the run "{source}" has not ended; import it after its end')
    target = results / run_id
    if os.path.lexists(target):
        _same(source, target)
        return Imported(target, new=False, ignored=ignored)
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=results, prefix=".importing-") as scratch:
            copied = Path(scratch) / run_id
            _copy(source, copied, files)
            _check(copied)
            copied.rename(target)
    except OSError as problem:
        raise ConfigError(f'"{source}" cannot be imported: {problem.strerror or problem}') from problem
    return Imported(target, new=True, ignored=ignored)


def _listed(source: Path) -> tuple[list[str], tuple[str, ...]]:
    """The files to take over, and the names of what is left; a link or a device is refused."""
    files: list[str] = []
    ignored: list[str] = []
    if source.is_symlink():
        raise ConfigError(f'"{source}" is a link; give the path of the folder itself')
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise ConfigError(
                f'"{path}" is a link or a device; the folder of a run may contain only plain files',
            )
        if stat.S_ISREG(mode):
            (files if _belongs(name) else ignored).append(name)
    return files, tuple(ignored)


def _belongs(name: str) -> bool:
    above, _, plot = name.rpartition("/")
    return name in FILES or (above == folder.PLOTS and bool(_PLOT.fullmatch(plot)))


def _copy(source: Path, target: Path, files: list[str]) -> None:
    """Copy without following a link that took the place of a file meanwhile."""
    (target / folder.PLOTS).mkdir(parents=True)
    for name in files:
        opened = os.open(source / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(opened, "rb") as read, (target / name).open("xb") as written:
            shutil.copyfileobj(read, written, 1 << 20)
        shutil.copystat(source / name, target / name, follow_symlinks=False)
        (target / name).chmod(0o644)


def _check(copied: Path) -> None:
    """Read everything once.

    Raises:
        ConfigError: a file is damaged.
    """
    try:
        run = read_run(copied)
        if not is_pruned(run.manifest):
            run.totals()
            run.turns()
            run.slowest()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise ConfigError(f"{copied.name} cannot be imported: it is damaged ({problem})") from problem


def _same(source: Path, target: Path) -> None:
    """Raise if what is there under the same id is another run."""
    there = target / folder.RUN
    if not there.is_file() or there.read_bytes() != (source / folder.RUN).read_bytes():
        raise ConfigError(f'a different run exists at "{target}"; nothing was overwritten')
