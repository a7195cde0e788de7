"""``loadtest ab``: two targets, alternating, so that drift acts on both alike and cancels."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from loadtest.errors import ConfigError, Exit, Problem
from loadtest.judge.run_standing import standing
from loadtest.keep.folder import checked_name
from loadtest.keep.read import Run
from loadtest.plan.settings import public_url
from loadtest.run.options import RunOptions
from loadtest.run.prepare_run import prepare
from loadtest.run.subprocess_runs import FinishedRun, RunSequence

Which = Literal["a", "b"]

ENDING = (Exit.INTERNAL, Exit.INTERRUPTED, Exit.CONFIG, Exit.UNREACHABLE)
"""After a block with one of these exit codes no further block is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbOptions:
    """``each``: what all blocks have in common, such as their duration and warm-up."""

    a: str
    b: str
    each: RunOptions
    pairs: int


@dataclass(frozen=True, slots=True)
class AbResult:
    """Pairs of runs, a before b whichever was made first. ``ended_by``: what cut them short, if anything."""

    labels: tuple[str, str]
    pairs: tuple[tuple[Run, Run], ...]
    ended_by: Exit | None = None


def run_ab(options: AbOptions) -> AbResult:
    """Make the blocks; each is a stored run of its own.

    Raises:
        ConfigError: with every mistake for either target; nothing was sent.
    """
    labels = _labels(options.each.label)
    label_of = dict(zip(("a", "b"), labels, strict=True))
    planned = {
        which: replace(options.each, target=url, label=label_of[which])
        for which, url in (("a", options.a), ("b", options.b))
    }
    _check(planned)
    pairs: list[tuple[Run, Run]] = []
    with RunSequence() as sequence:
        for number, order in enumerate(orders(options.pairs)):
            sys.stderr.write(f"pair {number + 1} of {options.pairs}\n")
            pair = _pair(sequence, order, planned)
            if isinstance(pair, Exit):
                return AbResult(labels, tuple(pairs), pair)
            pairs.append(pair)
            if any(standing(run.manifest).kind == "down" for run in pair):
                return AbResult(labels, tuple(pairs), Exit.UNREACHABLE)
    return AbResult(labels, tuple(pairs))


def _pair(
    sequence: RunSequence, order: tuple[Which, Which], planned: Mapping[str, RunOptions]
) -> tuple[Run, Run] | Exit:
    """The runs of both targets, a first; or the exit code that ended the sequence."""
    blocks: dict[str, Run] = {}
    for which in order:
        if sequence.interrupted:
            return Exit.INTERRUPTED
        sys.stderr.write(f"    {which}: {public_url(planned[which].target or '')}\n")
        ended = sequence.run(planned[which])
        # A target that is down is a finding of the comparison: the pair is completed before the end.
        if ended.run is None or (ended.exit_code in ENDING and ended.exit_code is not Exit.UNREACHABLE):
            return _cause(ended)
        blocks[which] = ended.run
    return blocks["a"], blocks["b"]


def orders(pairs: int) -> Iterator[tuple[Which, Which]]:
    """Which block of each pair comes first: ab ba ba ab, then the same the other way round, and so on.

    With this order (Thue-Morse) linear, quadratic and cubic drift cancel over the pairs.
    """
    for number in range(pairs):
        yield ("b", "a") if number.bit_count() % 2 else ("a", "b")


def _cause(ended: FinishedRun) -> Exit:
    return ended.exit_code if ended.exit_code in ENDING else Exit.INTERNAL


def _labels(label: str | None) -> tuple[str, str]:
    stem = label or f"ab-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}"
    return checked_name(f"{stem}-a", "the label"), checked_name(f"{stem}-b", "the label")


def _check(planned: dict[str, RunOptions]) -> None:
    problems: list[Problem] = []
    for which, options in planned.items():
        try:
            if prepare(options).scenario.load.stages:
                problems.append(
                    Problem(
                        options.scenario,
                        "the scenario has stages, but a block must have one constant load",
                    )
                )
        except ConfigError as error:
            named = {"--target": f"--{which}"}
            problems += [replace(each, where=named.get(each.where, each.where)) for each in error.problems]
    if problems:
        raise ConfigError(dict.fromkeys(problems))
