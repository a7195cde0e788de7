"""Whose fault it was, and the exit code that says so.

    LoadtestError
    ├── ConfigError          yours: a file or an option is wrong; nothing was sent
    ├── TargetError          theirs: the target could not be reached or refused, by layer
    ├── ViewsMissingError    the disk's: reports were not written, exit code 4 (``show.views``)
    └── SimulatorError       ours: the simulator did not start, or died (``simulator.process``)

A crash of our own is any other exception; ``cli`` turns it into ``Exit.INTERNAL``.
"""

from __future__ import annotations

import enum
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


class Exit(enum.IntEnum):
    """Exit codes of every command, as README.md and docs/measuring.md list them."""

    PASS = 0
    FAIL = 1
    CONFIG = 2
    UNREACHABLE = 3
    INVALID = 4
    INTERNAL = 70
    INTERRUPTED = 130

    @property
    def word(self) -> str:
        """What it says, in a word or two."""
        return _EXIT_CODES[self][0]

    @property
    def meaning(self) -> str:
        """What it says, in a sentence."""
        return _EXIT_CODES[self][1]


_EXIT_CODES = {
    Exit.PASS: ("pass", "pass: everything asked for was measured and passed"),
    Exit.FAIL: ("fail", "fail: measured, and a threshold was missed"),
    Exit.CONFIG: ("usage", "usage or configuration is wrong; nothing was sent"),
    Exit.UNREACHABLE: (
        "unreachable",
        "the target could not be reached or refused everything: no connection was ever ready",
    ),
    Exit.INVALID: (
        "invalid",
        "invalid: measured, but not to be believed, because of the generator or the measurement",
    ),
    Exit.INTERNAL: ("our crash", "internal error of loadtest: nothing may be concluded"),
    Exit.INTERRUPTED: ("interrupted", "interrupted; what was measured is stored and marked"),
}
"""Word and sentence of each code: ``--help`` and the tables of README.md and measuring.md say it."""

END_SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__
)
"""Signals that end a command early: Ctrl-C, the wish of a supervisor, a terminal that was closed."""

PATIENCE_S = 1.0
"""A signal that comes sooner after the first is the same wish: ``timeout`` and shells send two at once."""


WORST_FIRST = (
    Exit.INTERNAL,
    Exit.INTERRUPTED,
    Exit.CONFIG,
    Exit.FAIL,
    Exit.UNREACHABLE,
    Exit.INVALID,
    Exit.PASS,
)
"""How several runs end: with the worst of them, in this order."""


def worst_of(codes: Iterable[Exit]) -> Exit:
    """The exit code of several runs: the worst; of none it is ``PASS``."""
    return min(codes, key=WORST_FIRST.index, default=Exit.PASS)


class Layer(enum.StrEnum):
    """The layer at which a target said no."""

    PREPARE = "prepare"
    RESOLVE = "resolve"
    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    UPGRADE = "upgrade"
    AUTH = "auth"
    READY = "ready"


class LoadtestError(Exception):
    """Base of every error that is told to the user as one sentence, without a traceback."""

    exit_code = Exit.INTERNAL


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in something a user wrote.

    ``where`` is ``file:line``, an option (``--set``) or an environment variable.
    """

    where: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence}" if self.where else self.sentence


class ConfigError(LoadtestError):
    """Something the user wrote is wrong; carries every mistake that was found, not only the first."""

    exit_code = Exit.CONFIG

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        found = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        self.problems: tuple[Problem, ...] = found
        super().__init__("\n".join(str(problem) for problem in found))

    @classmethod
    def of_lines(cls, text: str) -> Self:
        """What another process had to say: a mistake on each line."""
        return cls(Problem("", line) for line in text.split("\n") if line.strip())


class TargetError(LoadtestError):
    """The target could not be reached, or refused; ``layer`` says where."""

    exit_code = Exit.UNREACHABLE

    def __init__(self, layer: Layer, sentence: str) -> None:
        self.layer = layer
        self.sentence = sentence
        super().__init__(f"{layer}: {sentence}")


def install_line(packages: str, extra: str) -> str:
    """What brings a library that is not installed here: itself, or an extra of ours."""
    return f'pip install {packages} (or install loadtest with its extra "{extra}")'
