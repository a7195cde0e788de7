"""The simulator's faults as data, and whether one is injected.

A fault is written ``NAME`` or ``NAME=VALUE`` (``fault_options``). Whether one that strikes a share strikes a
thing is a pure function of the seed, the fault's name and the thing (a connection's number, a turn's id, an
event's number), so that ``drop=0.05`` with a seed drops a known set whatever the interleaving. ``freeze``,
``cold-start``, ``lose-before-ready``, ``rate-limit`` and ``max-per-identity`` strike by the clock or by the
order of arrival instead.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from loadtest.errors import ConfigError, Problem
from loadtest.plan.random_draw import draw
from loadtest.simulator.distribution import Distribution
from loadtest.simulator.fault_options import FAULT_OPTIONS, Freeze, Hit, NumberAndShare

__all__ = ["FAULT_OPTIONS", "Faults", "parse_faults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Every fault as data; the defaults are a server without faults. Times are nanoseconds."""

    seed: int = 1
    refuse: NumberAndShare | None = None
    close_after_accept: NumberAndShare | None = None
    invalid_close_code: NumberAndShare | None = None
    auth_after_accept: int | None = None
    ack_only: bool = False
    drop: Hit | None = None
    duplicate: Hit | None = None
    leak: Hit | None = None
    malformed: Hit | None = None
    reorder: float = 0.0
    delay: Distribution | None = None
    gap: Distribution | None = None
    freeze: Freeze | None = None
    batch_ns: int | None = None
    slow_ready_ns: int | None = None
    lose_before_ready_ns: int | None = None
    max_per_identity: int | None = None
    cold_start_ns: int | None = None
    cut: NumberAndShare | None = None
    blackhole: float = 0.0
    huge_bytes: int | None = None
    no_pong: bool = False
    unpaired: float = 0.0
    stall: NumberAndShare | None = None
    rate_limit: int | None = None
    no_seq: bool = False
    stream_ns: int | None = None

    def chance(self, name: str, *about: str | int) -> float:
        """The draw of this fault for this thing, in [0, 1)."""
        return draw(self.seed, name, *about)

    def strikes(self, name: str, share: float, *about: str | int) -> bool:
        """Whether the fault ``name``, which strikes ``share`` of all, strikes this one."""
        return share > 0 and (share >= 1 or self.chance(name, *about) < share)

    @property
    def alters_turns(self) -> bool:
        """Whether the events of a turn may be changed, left out or timed one by one.

        ``freeze`` is none of these: it makes turns late by stopping the whole process.
        """
        shares = (self.reorder, self.blackhole, self.unpaired)
        others = (self.drop, self.duplicate, self.leak, self.malformed, self.delay, self.gap)
        more = (self.batch_ns, self.cut, self.huge_bytes, self.stall, self.stream_ns)
        return any(shares) or any(fault is not None for fault in (*others, *more))


def parse_faults(given: Iterable[str], seed: int = 1) -> Faults:
    """The faults written as ``NAME`` or ``NAME=VALUE``.

    Raises:
        ConfigError: with every mistake, each with the nearest right word or the right form.
    """
    fields: dict[str, Any] = {}
    problems = []
    for text in given:
        try:
            field, value = _parse(text.strip())
        except ValueError as error:
            problems.append(Problem("--fault", str(error)))
            continue
        if field in fields:
            problems.append(Problem("--fault", f'"{text}": this fault is given twice; give it once'))
        fields[field] = value
    if problems:
        raise ConfigError(problems)
    return Faults(seed=seed, **fields)


def _parse(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    form = FAULT_OPTIONS.get(name)
    if form is None:
        near = difflib.get_close_matches(name, FAULT_OPTIONS, n=1, cutoff=0.5)
        advice = (
            f'did you mean "{FAULT_OPTIONS[near[0]].usage}"?'
            if near
            else f"the faults are {', '.join(FAULT_OPTIONS)}"
        )
        raise ValueError(f'there is no fault "{name}"; {advice}')
    if not equals and form.default is None:
        raise ValueError(f'"{name}" needs a value; write "{form.usage}"')
    try:
        return form.field, form.read(value if equals else str(form.default))
    except ValueError as error:
        raise ValueError(f'"{text}": {error} (the form is "{form.usage}")') from None
