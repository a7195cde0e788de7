"""A conversation on its way to ready: the steps that the protocol asks for before messages count."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from loadtest.errors import Layer
from loadtest.plan.template import Template
from loadtest.speak.grammar import Grammar
from loadtest.speak.record import Record
from loadtest.speak.turn import FAIL, NEVER


class State(enum.Enum):
    """Where a conversation stands."""

    READYING = enum.auto()
    OPEN = enum.auto()
    CLOSED = enum.auto()


OPEN: Final = State.OPEN
CLOSED: Final = State.CLOSED
"""For the hot loop, as ``COMPLETE`` of ``speak.turn``."""


CAME_TOLD = 3
"""Kinds of messages that are told of a conversation that did not get ready."""


class Refused(Exception):  # noqa: N818 - a fact about the target, not an error of ours
    """The target did not let this connection get ready; ``layer`` and ``reason`` say how."""

    def __init__(self, layer: Layer, reason: str) -> None:
        self.layer = layer
        self.reason = reason
        super().__init__(f"{layer}: {reason}")


class Opening:
    """What a ``Session`` does before it is open, and what it says outside of turns."""

    __slots__ = (
        "_came",
        "_said",
        "_saw_error",
        "_step",
        "_step_ends_ns",
        "grammar",
        "kept",
        "mark",
        "number",
        "outbox",
        "record",
        "state",
        "values",
        "wakes_ns",
    )

    def __init__(self, grammar: Grammar, record: Record, number: int, values: Mapping[str, Any]) -> None:
        self.grammar = grammar
        self.record = record
        self.number = number
        self.values = values
        self.mark: Any = None
        self.state = State.READYING
        self.outbox: list[str] | None = None
        self.kept: dict[str, str] | None = None
        self.wakes_ns = NEVER
        self._came: dict[str, None] | None = None
        self._said = 0
        self._step = 0
        self._step_ends_ns = NEVER
        self._saw_error = ""

    def upgraded(self, now_ns: int) -> None:
        """The upgrade is done; the ready steps begin."""
        self._advance(now_ns)

    def say(self, text: str) -> None:
        """Put a message that belongs to no turn into the outbox."""
        if self.outbox is None:
            self.outbox = []
        self.outbox.append(text)

    def _say(self, template: Template, now_ns: int) -> None:
        said = self.grammar.said(
            template, self.values, self.kept, user=self.number, nth=self._said, now_ns=now_ns
        )
        self.say(said)
        self._said += 1

    def _next_wake(self) -> int:
        """The next instant at which there is something to do, or ``NEVER``."""
        return self._step_ends_ns

    def _advance(self, now_ns: int) -> None:
        """Take every ready step that needs no message from the target."""
        steps = self.grammar.steps
        while self._step < len(steps):
            step = steps[self._step]
            if step.wait is not None:
                self._sleep_until(now_ns + step.within_ns)
                return
            if step.pause_ns is not None and self._step_ends_ns == NEVER:
                self._sleep_until(now_ns + step.pause_ns)
                return
            if step.send is not None:
                self._say(step.send, now_ns)
            self._step_ends_ns = NEVER
            self._step += 1
        self.state = State.OPEN
        self.wakes_ns = self._next_wake()

    def _sleep_until(self, instant_ns: int) -> None:
        self._step_ends_ns = instant_ns
        self.wakes_ns = self._next_wake()

    def _tick_ready(self, now_ns: int) -> None:
        """A pause is over, or a wait was too long."""
        if self._step_ends_ns == NEVER or now_ns < self._step_ends_ns:
            return
        step = self.grammar.steps[self._step]
        if step.wait is not None:
            within = f"within {step.within_ns / 1e9:g} s"
            self._refuse(Layer.READY, f"no message with {_in_words(step.wait)} {within}; {self._what_came()}")
        self._advance(now_ns)

    def awaited(self) -> str:
        """What a conversation that is not open yet waits for, and what came instead."""
        step, steps = self.grammar.steps[self._step], len(self.grammar.steps)
        what = "for a pause to end" if step.wait is None else f"for a message with {_in_words(step.wait)}"
        return f"waited {what} (ready step {self._step + 1} of {steps}); {self._what_came()}"

    def _what_came(self) -> str:
        came = list(self._came or ())
        return f"came instead: {', '.join(came[:CAME_TOLD])}" if came else "nothing came"

    def _note(self, found: Mapping[str, Any], kind: Any) -> None:
        """Remember what a message was that did not fit the step."""
        sights = self.grammar.sights
        if kind is not None:
            told = f"`{sights.name(kind)}`"
        elif found:
            told = f"a message without a type, with the keys {sights.keys(found)}"
        else:
            told = "a message that is no JSON object"
        self._came = self._came or {}
        if len(self._came) < CAME_TOLD:
            self._came[told] = None

    def _receive_early(self, payload: bytes, now_ns: int) -> None:
        """A message that arrived before ready."""
        grammar = self.grammar
        found = grammar.object_in(payload)
        kind = grammar.type_in(found)
        if kind in grammar.auth_errors:
            self._refuse(Layer.AUTH, f"the target answered {kind}")
        if grammar.rules.kinds.get(kind, 0) & FAIL:
            self._saw_error = str(kind)
        if self._beat(found, kind, now_ns):
            return
        step = grammar.steps[self._step]
        if step.wait is None or not grammar.fits(step.wait, found, kind):
            self.record.part.count("events.before_ready")
            self._note(found, kind)
            return
        if self.mark is None:
            self.mark = grammar.user_in(found)
        if step.keep:
            self.kept = {**(self.kept or {}), **grammar.kept_from(step.keep, found)}
        self._step_ends_ns = NEVER
        self._step += 1
        self._advance(now_ns)

    def _refuse(self, layer: Layer, reason: str) -> NoReturn:
        """The conversation is over before it began, so that its end is not told as a second refusal."""
        self.state = State.CLOSED
        self._step_ends_ns = NEVER
        self.wakes_ns = NEVER
        raise Refused(layer, reason)

    def _beat(self, found: Mapping[str, Any], kind: Any, now_ns: int) -> bool:
        """Answer an application heartbeat; True if it was one."""
        for beat in self.grammar.heartbeat:
            if self.grammar.fits(beat.on, found, kind):
                self.record.part.events_heartbeat += 1
                self._say(beat.send, now_ns)
                return True
        return False


def _in_words(match: Mapping[str, str]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in match.items())
