"""What every probe is given, and how its tries are timed and reported."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.readiness.evidence import GRAIN_MS, P95_SAMPLES, Evidence, Measure, distribution, shares
from loadtest.readiness.secrets import filled, filled_url
from loadtest.units import format_ms

TRY_S = 5.0
"""The maximum time of one try; what is left of the probe's time may be less."""

LONGEST_TURN_S = 0.05
"""A sample that waits for its answer for longer than this does not hold up those of other probes."""

_NAP_S = 0.0005


def _lateness() -> float:
    """Milliseconds by which this process wakes up too late just now, busy with other things as it may be."""
    begun = time.perf_counter()
    time.sleep(_NAP_S)
    return max(0.0, time.perf_counter() - begun - _NAP_S) * 1000


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a probe works with: the policy's folder, the environment, the results folder, its deadline.

    ``asking`` names the policy and the component; ``held`` closes the connections that the probe waits for.
    ``release`` is the one that is judged, "" where none is named.
    ``rest`` waits as well, and others may be probed meanwhile.
    ``one_sample`` is shared by all probes of one round; ``lateness`` measures our own, in milliseconds.
    """

    folder: Path
    environ: Mapping[str, str]
    results: Path
    deadline: float
    asking: tuple[str, str] = ("policy", "part")
    release: str = ""
    clock: Callable[[], float] = field(default=time.monotonic)
    wall: Callable[[], float] = field(default=time.time)
    held: list[Callable[[], object]] = field(default_factory=list)
    sleep: Callable[[float], None] = field(default=time.sleep)
    rest: Callable[[float], None] = field(default=time.sleep)
    one_sample: threading.Lock = field(default_factory=threading.Lock)
    lateness: Callable[[], float] = field(default=_lateness)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """A time in which no other probe takes a sample, unless that one waits for its answer for long."""
        mine = self.one_sample.acquire(timeout=LONGEST_TURN_S)
        try:
            yield
        finally:
            if mine:
                self.one_sample.release()

    def path(self, text: str) -> Path:
        """A path as the policy means it: relative to its folder."""
        return self.folder / text

    def filled(self, text: str) -> str:
        """The text with its environment variables.

        Raises:
            MissingVariableError: one is not set.
        """
        return filled(text, self.environ)

    def filled_url(self, url: str) -> str:
        """A URL with its environment variables, those of its user part percent-encoded.

        Raises:
            MissingVariableError: one is not set.
        """
        return filled_url(url, self.environ)

    def cut(self) -> None:
        """Close whatever the probe still waits for, so that nothing of it goes on after its time."""
        for end in self.held:
            with suppress(Exception):  # it may have been closed in the meantime
                end()

    def left_s(self, most: float = TRY_S) -> float:
        """Seconds that one try may take, at least a tenth."""
        return max(0.1, min(most, self.deadline - self.clock()))

    @property
    def over(self) -> bool:
        """Whether the probe's time is up."""
        return self.clock() >= self.deadline


class ProbeError(Exception):
    """The component failed; ``error`` is the class of the failure, the text says how in a sentence."""

    def __init__(self, error: str, said: str) -> None:
        super().__init__(said)
        self.error = error


class NotProbedError(ProbeError):
    """The component could not be probed, for a cause on our side."""


@dataclass(slots=True)
class Tries:
    """Samples of one duration, taken one after the other until there are enough or the time is up.

    ``late`` holds, beside each, by how many milliseconds this process itself may have been late with it.
    No try is begun that the time left could cut short: ``longest_s`` is how long the longest one took. Two
    failures in the beginning with no answer end it: a component that is down need not be probed twenty times.
    """

    name: str
    wanted: int
    context: ProbeContext
    samples: list[float | None] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    errors: list[ProbeError] = field(default_factory=list)
    longest_s: float = 0.0

    def take(self, once: Callable[[], float]) -> None:
        """Call ``once`` for each sample; it returns milliseconds."""
        while len(self.samples) < self.wanted and (not self.samples or self._time_for_another):
            with self.context.undisturbed():
                before_ms, begun = self.context.lateness(), self.context.clock()
                try:
                    self.samples.append(once())
                except NotProbedError:
                    raise
                except ProbeError as error:
                    self.samples.append(None)
                    self.errors.append(error)
                self.longest_s = max(self.longest_s, self.context.clock() - begun)
                self.late.append(max(before_ms, self.context.lateness()))
            if len(self.errors) == len(self.samples) == 2:
                return

    @property
    def _time_for_another(self) -> bool:
        left_s = self.context.deadline - self.context.clock()
        return left_s > 0 and left_s >= self.longest_s

    def evidence(
        self, what: str, lines: tuple[str, ...] = (), more: Mapping[str, Measure] | None = None
    ) -> Evidence:
        """What the samples say; ``what`` names what was probed. A failed try is above every limit.

        ``more`` are measures beside the samples.
        """
        values = [each for each in self.samples if each is not None]
        n, now, error = len(self.samples), self.context.wall(), self.errors[-1].error if self.errors else ""
        late = [ms for ms, each in zip(self.late, self.samples, strict=True) if each is not None]
        measures = {**distribution(self.name, values, n - len(values), late), **shares(len(values), n)}
        measures |= more or {}
        if not values:
            return Evidence(
                "failed", str(self.errors[-1]), now, error, measures, (what, *lines),
                samples=tuple(self.samples), late=tuple(self.late),
            )  # fmt: skip
        tried = f"{len(values)} of {n} answered"
        spread = f"{format_ms(min(values))} to {format_ms(max(values))}"
        issues = (
            (f"{n - len(values)} of {n} tries failed, the last: {self.errors[-1]}",) if self.errors else ()
        )
        if late and max(late) > GRAIN_MS:
            lines = (*lines, f"loadtest itself was late by up to {format_ms(max(late))}")
        if n < self.wanted:
            short = f"there was time for only {n} of {self.wanted} samples"
            lines = (*lines, short)
            if n < P95_SAMPLES:
                issues, error = (*issues, short), error or "timeout"
        return Evidence(
            "answered", f"{tried}, {self.name} {spread}", now, error, measures, (what, *lines), issues,
            tuple(self.samples), late=tuple(self.late),
        )  # fmt: skip
