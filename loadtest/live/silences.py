"""Who has said that an alert need not be sent: silences, acknowledgements, maintenance windows.

Pure, but for reading and writing the file that `loadtest watch silence` and the watch share.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import msgspec

from loadtest.errors import ConfigError
from loadtest.keep.atomic import write_whole
from loadtest.keep.json import json_text
from loadtest.readiness.policy import Maintenance

SILENCES = "silences.json"

SilenceKind = Literal["silence", "acknowledgement"]


@dataclass(frozen=True, slots=True)
class Silence:
    """Between ``since`` and ``until`` nothing is told of the components that one of ``parts`` matches.

    An acknowledgement only ends escalations and reminders of incidents that were there ``since`` then.
    """

    kind: SilenceKind
    parts: tuple[str, ...]
    since: float
    until: float
    by: str = ""
    why: str = ""

    def matches(self, key: str) -> bool:
        """Whether it speaks of "component NAME"; a trigger is silenced only together with every component."""
        kind, _, name = key.partition(" ")
        names = self.parts if kind == "component" else [each for each in self.parts if each == "*"]
        return any(fnmatchcase(name, each) for each in names)


def silenced(key: str, silences: Iterable[Silence], now: float) -> bool:
    """Whether nothing is to be told of it now."""
    return any(
        each.kind == "silence" and each.since <= now < each.until and each.matches(key) for each in silences
    )


def acknowledged(key: str, since: float, silences: Iterable[Silence], now: float) -> bool:
    """Whether somebody has said that they know of the incident that began at ``since``."""
    return any(
        each.kind == "acknowledgement" and since <= each.since and now < each.until and each.matches(key)
        for each in silences
    )


def windows(maintenance: Iterable[Maintenance], now: float) -> list[Silence]:
    """The maintenance windows of a policy that are open now."""
    found = []
    for each in maintenance:
        late = now - each.starts
        late = late % each.every_s if each.every_s and late >= 0 else late
        if 0 <= late < each.lasts_s:
            since = now - late
            parts = each.components or ("*",)
            found.append(Silence("silence", parts, since, since + each.lasts_s, "the policy", each.title))
    return found


def read_silences(folder: Path) -> list[Silence]:
    """What is written in the file of a policy; empty where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    path = folder / SILENCES
    try:
        return msgspec.convert(json.loads(path.read_text("utf-8")), list[Silence], strict=False)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ConfigError(f"the alert silences in {path} cannot be read ({error}); remove the file") from None


def add_silence(folder: Path, silence: Silence, now: float) -> Sequence[Silence]:
    """Write one more silence; those that are over go. Returns all that are left.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    kept = [*(each for each in read_silences(folder) if each.until > now), silence]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / SILENCES, json_text([asdict(each) for each in kept]))
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"the {silence.kind} cannot be stored in {folder}: {why}") from None
    return kept
