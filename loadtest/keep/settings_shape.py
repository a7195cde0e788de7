"""The settings of a stored run, as far as verdicts, comparisons and views read them again.

They are those of ``plan.schema``; whoever reads them relies on the shapes and on the texts checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec

from loadtest.plan.threshold import TURNED_OFF, parse_threshold, resolve
from loadtest.units import parse_duration, parse_ratio

JsonObject = dict[str, Any]
Things = list[Any] | str | None
Users = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
"""As many as nobody ever had at once: which of them read slowly is drawn again from their number."""


class _Step(msgspec.Struct):
    turn: str | None = None
    steps: list[_Step] | None = None
    branch: list[_Step] | None = None


class _Conversation(msgspec.Struct):
    steps: list[_Step] | None = None


class _Stage(msgspec.Struct, rename={"lasts": "for"}):
    lasts: str
    connections: Users | None = None
    thresholds: JsonObject | None = None


class _LoadSettings(msgspec.Struct):
    stages: list[_Stage] | None = None
    connections: Users | None = None
    seed: int | None = None


class _EventSettings(msgspec.Struct):
    """What events mean to turns, of all or of one kind."""

    turn: Things = None
    type: Things = None
    end: Things = None
    end_all: Things = None
    fail: Things = None
    refuse: Things = None
    messages: Things = None


class _Connect(msgspec.Struct):
    ready: Things = None


class _TurnSettings(msgspec.Struct):
    messages: Things = None


class _Protocol(msgspec.Struct):
    connect: _Connect | None = None
    turn: _TurnSettings | None = None
    turns: dict[str, _EventSettings] | None = None
    events: _EventSettings | None = None


class _Traffic(msgspec.Struct):
    mix: JsonObject | None = None
    every: str | None = None


class _SlowReaders(msgspec.Struct):
    share: str | float | None = None


class _Chaos(msgspec.Struct):
    slow_readers: _SlowReaders | None = None


class _TargetSettings(msgspec.Struct):
    faults: list[str] | None = None


class _Compare(msgspec.Struct):
    primary: list[str] | None = None


class _PartSettings(msgspec.Struct):
    """Of the whole run, or of one of its populations."""

    target: _TargetSettings | None = None
    protocol: _Protocol | None = None
    load: _LoadSettings | None = None
    traffic: _Traffic | None = None
    conversation: list[_Conversation] | None = None
    chaos: _Chaos | None = None


class StoredSettings(_PartSettings):
    """The settings of a run."""

    thresholds: JsonObject | None = None
    compare: _Compare | None = None
    population: list[_PartSettings] | None = None

    def check(self) -> None:
        """Read every text as whoever judges or compares the run will read it.

        Raises:
            ValueError: one cannot be read; a sentence.
        """
        for each in (self.thresholds, *(stage.thresholds for part in self._parts for stage in _stages(part))):
            _check_thresholds(each or {})
        for name in (self.compare and self.compare.primary) or ():
            _check(resolve, "compare.primary", name)
        for part in self._parts:
            for stage in _stages(part):
                _check(parse_duration, "load.stages: `for`", stage.lasts)
            if part.traffic and part.traffic.every is not None:
                _check(parse_duration, "traffic.every", part.traffic.every)
            if part.chaos and part.chaos.slow_readers and part.chaos.slow_readers.share is not None:
                _check(_share, "chaos.slow_readers.share", part.chaos.slow_readers.share)

    @property
    def _parts(self) -> Iterator[_PartSettings]:
        yield self
        yield from self.population or ()


def _stages(part: _PartSettings) -> list[_Stage]:
    return (part.load and part.load.stages) or []


def _check_thresholds(table: JsonObject) -> None:
    for name, written in table.items():
        for expression in written if isinstance(written, list) else [written]:
            if written != TURNED_OFF:
                parse_threshold(name, str(expression), None)


def _check(read: Callable[[str], object], name: str, written: object) -> None:
    try:
        read(str(written))
    except ValueError as problem:
        raise ValueError(f"scenario.settings.{name}: {problem}") from None


def _share(text: str) -> None:
    if not 0 <= parse_ratio(text) <= 1:
        raise ValueError(f'"{text}" is not a share from 0 to 100%')
