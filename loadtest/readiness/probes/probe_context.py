"""What every probe is given, and how its tries are timed and reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.readiness.evidence import P95_SAMPLES, Evidence, distribution, shares
from loadtest.readiness.secrets import filled, filled_url
from loadtest.units import format_ms

TRY_S = 5.0
"""The maximum time of one try; what is left of the probe's time may be less."""


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a probe works with: the policy's folder, the environment, the results folder, its deadline.

    ``asking`` names the policy and the component; ``held`` closes the connections that the probe waits for.
    """

    folder: Path
    environ: Mapping[str, str]
    results: Path
    deadline: float
    asking: tuple[str, str] = ("policy", "part")
    clock: Callable[[], float] = field(default=time.monotonic)
    wall: Callable[[], float] = field(default=time.time)
    held: list[Callable[[], object]] = field(default_factory=list)

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

    No try is begun that the time left could cut short: ``longest_s`` is how long the longest one took. Two
    failures in the beginning with no answer end it: a component that is down need not be probed twenty times.
    """

    name: str
    wanted: int
    context: ProbeContext
    samples: list[float | None] = field(default_factory=list)
    errors: list[ProbeError] = field(default_factory=list)
    longest_s: float = 0.0

    def take(self, once: Callable[[], float]) -> None:
        """Call ``once`` for each sample; it returns milliseconds."""
        while len(self.samples) < self.wanted and (not self.samples or self._time_for_another):
            begun = self.context.clock()
            try:
                self.samples.append(once())
            except NotProbedError:
                raise
            except ProbeError as error:
                self.samples.append(None)
                self.errors.append(error)
            self.longest_s = max(self.longest_s, self.context.clock() - begun)
            if len(self.errors) == len(self.samples) == 2:
                return

    @property
    def _time_for_another(self) -> bool:
        left_s = self.context.deadline - self.context.clock()
        return left_s > 0 and left_s >= self.longest_s

    def evidence(self, what: str, lines: tuple[str, ...] = ()) -> Evidence:
        """What the samples say; ``what`` names what was probed. A failed try is above every limit."""
        values = [each for each in self.samples if each is not None]
        n, now, error = len(self.samples), self.context.wall(), self.errors[-1].error if self.errors else ""
        measures = {**distribution(self.name, values, n - len(values)), **shares(len(values), n)}
        if not values:
            return Evidence(
                "failed", str(self.errors[-1]), now, error, measures, (what, *lines),
                samples=tuple(self.samples),
            )  # fmt: skip
        tried = f"{len(values)} of {n} answered"
        spread = f"{format_ms(min(values))} to {format_ms(max(values))}"
        issues = (
            (f"{n - len(values)} of {n} tries failed, the last: {self.errors[-1]}",) if self.errors else ()
        )
        if n < self.wanted:
            short = f"only {n} of {self.wanted} samples fitted into the time"
            lines = (*lines, short)
            if n < P95_SAMPLES:
                issues, error = (*issues, short), error or "timeout"
        return Evidence(
            "answered", f"{tried}, {self.name} {spread}", now, error, measures, (what, *lines), issues,
            tuple(self.samples),
        )  # fmt: skip
