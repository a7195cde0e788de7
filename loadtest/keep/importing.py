"""Import of runs from a folder that was copied from elsewhere; nothing in it is trusted."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from loadtest.errors import ConfigError
from loadtest.keep import folder
from loadtest.keep.manifest import RUNNING
from loadtest.keep.read import is_pruned, read_manifest, read_run
from loadtest.plan.printable_text import visible
from loadtest.units import format_bytes

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

MAX_BYTES = 8 << 30
"""What one import may write, in one file or in many: a day of a run may have an intervals.hlog of 3 GB.

Files of a few hundred bytes in an archive may claim to be terabytes.
"""

_PLOT = re.compile(r"[a-z0-9-]{1,80}\.svg")
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}")


@dataclass(frozen=True, slots=True)
class _Found:
    """A run that may be imported. ``sizes``: bytes of each file to take over; ``ignored``: other files."""

    source: Path
    target: Path
    sizes: Mapping[str, int]
    ignored: tuple[str, ...]


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
        ConfigError: there is no run, one is damaged, too large, holds links, or another run has its id.
    """
    folders = [source] if (source / folder.RUN).is_file() else list(_folders(source))
    if not folders:
        raise ConfigError(f'"{source}" contains no run: there is no {folder.RUN} in it or in its folders')
    found = [_look(results, each) for each in folders]
    _limit(found)
    return [_import(results, each) for each in found]


def _folders(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield from sorted(each for each in source.iterdir() if (each / folder.RUN).is_file())


def _look(results: Path, source: Path) -> _Found:
    """What is to be taken of a run, before anything is written."""
    sizes, ignored = _listed(source)
    manifest = read_manifest(source)
    run_id = manifest.get("id")
    if not isinstance(run_id, str) or not _ID.fullmatch(run_id):
        raise ConfigError(f'"{source}" has the id {str(run_id)[:80]!r}, which is not a valid id of a run')
    if manifest["status"] == RUNNING:
        raise ConfigError(f'the run "{source}" has not ended; import it after its end')
    return _Found(source, results / run_id, sizes, ignored)


def _limit(found: Iterable[_Found]) -> None:
    """Refuse what would fill the disk."""
    total = sum(sum(each.sizes.values()) for each in found if not os.path.lexists(each.target))
    if total > MAX_BYTES:
        most = format_bytes(MAX_BYTES)
        raise ConfigError(
            f"the runs to import have {format_bytes(total)}, and one import may write {most}, so none was"
            " imported; import fewer at a time"
        )


def _import(results: Path, found: _Found) -> Imported:
    source, target = found.source, found.target
    if os.path.lexists(target):
        _same(source, target)
        return Imported(target, new=False, ignored=found.ignored)
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=results, prefix=".importing-") as scratch:
            copied = Path(scratch) / target.name
            _copy(source, copied, found.sizes)
            _check(copied)
            copied.rename(target)
    except OSError as problem:
        raise ConfigError(f'"{source}" cannot be imported: {problem.strerror or problem}') from problem
    return Imported(target, new=True, ignored=found.ignored)


def _listed(source: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """The files to take over with their sizes, and the names of what is left.

    A link or a device is refused, and a file that is too large: what it says as a whole, for a copy of
    a sparse file is as large as that.
    """
    sizes: dict[str, int] = {}
    ignored: list[str] = []
    if source.is_symlink():
        raise ConfigError(f'"{source}" is a link; give the path of the folder itself')
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        about = path.lstat()
        mode = about.st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            sentence = "is a link or a device; the folder of a run may contain only plain files"
            raise ConfigError(f'"{visible(str(path))}" {sentence}')
        if stat.S_ISDIR(mode):
            continue
        if not _belongs(name):
            ignored.append(name)
            continue
        if about.st_size > MAX_BYTES:
            sentence = f"is larger than {format_bytes(MAX_BYTES)}, so the run was not imported"
            raise ConfigError(f'"{visible(str(path))}" {sentence}')
        sizes[name] = about.st_size
    return sizes, tuple(ignored)


def _belongs(name: str) -> bool:
    above, _, plot = name.rpartition("/")
    return name in FILES or (above == folder.PLOTS and bool(_PLOT.fullmatch(plot)))


def _copy(source: Path, target: Path, sizes: Mapping[str, int]) -> None:
    """Copy without following a link that took the place of a file meanwhile, and no more than there was."""
    (target / folder.PLOTS).mkdir(parents=True)
    for name, size in sizes.items():
        opened = os.open(source / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(opened, "rb") as read, (target / name).open("xb") as written:
            _copy_bytes(read, written, size)
            if read.read(1):
                raise ConfigError(f'"{source / name}" has grown during the import, so it was not imported')
        shutil.copystat(source / name, target / name, follow_symlinks=False)
        (target / name).chmod(0o644)


def _copy_bytes(read: IO[bytes], written: IO[bytes], size: int) -> None:
    """Copy up to ``size`` bytes."""
    while chunk := read.read(min(size, 1 << 20)):
        size -= written.write(chunk)


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
