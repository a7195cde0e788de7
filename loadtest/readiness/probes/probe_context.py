"""What every probe is given, and how its tries are timed and told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.readiness.evidence import Evidence, distribution, shares
from loadtest.readiness.secrets import filled, filled_url
from loadtest.units import format_ms

TRY_S = 5.0
"""One sample waits this long at most, and never longer than what is left of its probe's time."""


@dataclass(frozen=True, slots=True)
class Around:
    """Where a probe stands: the policy's folder, the environment, the results folder, when it must end.

    ``asking`` names the policy and the part; ``held`` ends what the probe waits for: its connections.
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
        """End whatever the probe still waits for, so that nothing of it goes on after its time."""
        for end in self.held:
            with suppress(Exception):  # what was closed in the meantime needs no end
                end()

    def left_s(self, most: float = TRY_S) -> float:
        """Seconds that one try may take, at least a tenth."""
        return max(0.1, min(most, self.deadline - self.clock()))

    @property
    def over(self) -> bool:
        """Whether the probe's time is up."""
        return self.clock() >= self.deadline


class ProbeError(Exception):
    """The part failed; ``error`` is the class of it, the text the sentence that says how."""

    def __init__(self, error: str, said: str) -> None:
        super().__init__(said)
        self.error = error


class UnaskedError(ProbeError):
    """The part could not be asked, for a cause on our side."""


@dataclass(slots=True)
class Tries:
    """Samples of one duration, taken one after the other until there are enough or the time is up.

    Two failures in the beginning with no answer end it: a part that is down need not be asked twenty times.
    """

    name: str
    wanted: int
    around: Around
    samples: list[float | None] = field(default_factory=list)
    errors: list[ProbeError] = field(default_factory=list)

    def take(self, once: Callable[[], float]) -> None:
        """Call ``once`` for each sample; it returns milliseconds."""
        while len(self.samples) < self.wanted and not (self.samples and self.around.over):
            try:
                self.samples.append(once())
            except UnaskedError:
                raise
            except ProbeError as error:
                self.samples.append(None)
                self.errors.append(error)
            if len(self.errors) == len(self.samples) == 2:
                return

    def evidence(self, what: str, lines: tuple[str, ...] = ()) -> Evidence:
        """What the samples say; ``what`` names what was asked."""
        values = [each for each in self.samples if each is not None]
        now = self.around.wall()
        tried = f"{len(values)} of {len(self.samples)} answered"
        if not values:
            last = self.errors[-1]
            return Evidence(
                "failed", str(last), now, last.error, shares(0, len(self.samples)),
                (what, *lines), samples=tuple(self.samples),
            )  # fmt: skip
        measures = {**distribution(self.name, values), **shares(len(values), len(self.samples))}
        spread = f"{format_ms(min(values))} to {format_ms(max(values))}"
        issues = (f"{tried}; the last failure: {self.errors[-1]}",) if self.errors else ()
        if len(self.samples) < self.wanted:
            lines = (*lines, f"only {len(self.samples)} of {self.wanted} samples fitted into the time")
        return Evidence(
            "answered", f"{tried}, {self.name} {spread}", now, self.errors[-1].error if self.errors else "",
            measures, (what, *lines), issues, tuple(self.samples),
        )  # fmt: skip
