"""Conversations: several turns of one user, with time to think, branches and repeats, as data.

What a user says and how long it thinks is drawn before it happens, from the seed, the user and the number of
the conversation alone: the same for any number of processes.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from statistics import NormalDist
from typing import Literal, NamedTuple

from loadtest.plan.random_draw import draw

MAX_TURNS = 1_000
"""Maximum turns of a conversation, by its longest way: its turns have so many numbers."""

Draw = Callable[[], float]
"""The next random number in [0, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Think:
    """How long a user thinks: always ``low_ns``, evenly up to ``high_ns``, or log-normally about ``low_ns``.

    ``sigma`` is the standard deviation of the logarithm; no log-normal time is longer than ``high_ns``.
    """

    way: Literal["constant", "uniform", "lognormal"] = "constant"
    low_ns: int
    high_ns: int = 0
    sigma: float = 0.0

    def drawn_ns(self, drawn: Draw) -> int:
        """The time of one occasion."""
        if self.way == "constant":
            return self.low_ns
        if self.way == "uniform":
            return self.low_ns + int(drawn() * (self.high_ns - self.low_ns))
        # Where a draw of 0 stands for minus infinity, the smallest above it is taken.
        deviation = NormalDist().inv_cdf(max(drawn(), 2.0**-53))
        return min(int(self.low_ns * math.exp(self.sigma * deviation)), self.high_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One of several ways on."""

    weight: int
    steps: tuple[ConversationStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationStep:
    """One step: a turn of a kind, time to think, one of several branches, or steps to repeat.

    Exactly one of ``turn``, ``think``, ``branches`` and ``repeat`` is set; ``steps`` are those to repeat.
    """

    turn: str = ""
    think: Think | None = None
    branches: tuple[Branch, ...] = ()
    repeat: int = 0
    steps: tuple[ConversationStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What a user says from beginning to end. ``weight``: how often, among all conversations."""

    name: str
    weight: int = 1
    steps: tuple[ConversationStep, ...]


class PlannedTurn(NamedTuple):
    """A turn of a conversation: its kind, and how long the user thinks before it."""

    think_ns: int
    kind: str


class PlannedConversation(NamedTuple):
    """One conversation as it will go if every turn is complete; ``rest_ns`` is time to think at its end."""

    name: str
    turns: tuple[PlannedTurn, ...]
    rest_ns: int


def kinds_in(steps: Sequence[ConversationStep]) -> Iterator[str]:
    """The kinds of turn that steps name, in their order; some of them more than once."""
    for step in steps:
        if step.turn:
            yield step.turn
        for below in (step.steps, *(branch.steps for branch in step.branches)):
            yield from kinds_in(below)


def most_turns(steps: Sequence[ConversationStep]) -> int:
    """How many turns the longest way through the steps has."""
    return sum(
        bool(step.turn)
        + step.repeat * most_turns(step.steps)
        + max((most_turns(branch.steps) for branch in step.branches), default=0)
        for step in steps
    )


def fewest_turns(steps: Sequence[ConversationStep]) -> int:
    """How many turns the shortest way through the steps has."""
    return sum(
        bool(step.turn)
        + step.repeat * fewest_turns(step.steps)
        + min((fewest_turns(branch.steps) for branch in step.branches), default=0)
        for step in steps
    )


class ConversationPlan:
    """The conversations of every user of a run."""

    __slots__ = ("_bounds", "_conversations", "_seed", "most_turns")

    def __init__(self, conversations: Sequence[Conversation], seed: int) -> None:
        self._conversations = sorted(conversations, key=lambda each: each.name)
        self._bounds = list(accumulate(each.weight for each in self._conversations))
        self._seed = seed
        self.most_turns = max(most_turns(each.steps) for each in conversations)

    def conversation(self, user: int, nth: int) -> PlannedConversation:
        """The ``nth`` conversation of a user, from 0."""
        numbers = count()

        def drawn() -> float:
            return draw(self._seed, "conversation", user, nth, next(numbers))

        chosen = self._conversations[_chosen(self._bounds, drawn)]
        turns: list[PlannedTurn] = []
        think_ns = 0
        for each in _walk(chosen.steps, drawn):
            if isinstance(each, str):
                turns.append(PlannedTurn(think_ns, each))
                think_ns = 0
            else:
                think_ns += each
        return PlannedConversation(chosen.name, tuple(turns), think_ns)

    def seq(self, user: int, users: int, nth: int, place: int) -> int:
        """The number of the turn at a place of that conversation, unique in a run of ``users``."""
        return user + users * (nth * self.most_turns + place)


def _walk(steps: Sequence[ConversationStep], drawn: Draw) -> Iterator[str | int]:
    """Kinds of turn, and nanoseconds of thinking, on the way that is drawn."""
    for step in steps:
        if step.turn:
            yield step.turn
        elif step.think is not None:
            yield step.think.drawn_ns(drawn)
        elif step.branches:
            bounds = list(accumulate(branch.weight for branch in step.branches))
            yield from _walk(step.branches[_chosen(bounds, drawn)].steps, drawn)
        for _ in range(step.repeat):
            yield from _walk(step.steps, drawn)


def _chosen(bounds: Sequence[int], drawn: Draw) -> int:
    return bisect(bounds, drawn() * bounds[-1])
