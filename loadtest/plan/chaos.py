"""Faults injected at the client, decided before the run: a function of the seed and of the user or turn."""

from __future__ import annotations

import enum
import math

from loadtest.plan.http_date import http_date
from loadtest.plan.random_draw import chosen, draw
from loadtest.plan.scenario import Chaos, Reconnect
from loadtest.units import NS_PER_S

SLOW = "slow"
"""The purpose under which ``slow_users`` are drawn."""

LONG = 10_000
"""Characters in a broken message that is too long."""


class Broken(enum.Enum):
    """How a message is broken."""

    TRUNCATED = "truncated"
    WRONG_TYPE = "wrong_type"
    EMPTY = "empty"
    LONG = "long"


def cut_users(chaos: Chaos, seed: int, users: int, nth: int) -> frozenset[int]:
    """The users whose connections the ``nth`` cut (from 0) drops."""
    return frozenset() if chaos.cut is None else chosen(seed, f"cut:{nth}", chaos.cut.share, users)


def slow_users(chaos: Chaos, seed: int, users: int) -> frozenset[int]:
    """The users who read slowly, for the whole run."""
    slow = chaos.slow_readers
    return frozenset() if slow is None else chosen(seed, SLOW, slow.share, users)


def is_left(chaos: Chaos, seed: int, seq: int) -> bool:
    """Whether the user leaves during the turn ``seq``."""
    return chaos.leavers > 0 and draw(seed, "leaver", seq) < chaos.leavers


def broken_before(chaos: Chaos, seed: int, seq: int) -> Broken | None:
    """The kind of broken message that is sent before the turn ``seq``; None if none is."""
    if not chaos.malformed or draw(seed, "malformed", seq) >= chaos.malformed:
        return None
    kinds = list(Broken)
    return kinds[int(draw(seed, "broken", seq) * len(kinds))]


def broken_message(kind: Broken, message: str) -> str:
    """A broken version of ``message``, a valid one such as the protocol's own, placeholders included."""
    if kind is Broken.TRUNCATED:
        return message[: len(message) // 2]
    if kind is Broken.WRONG_TYPE:
        return '["not", "an", "object"]'
    return "" if kind is Broken.EMPTY else f'{{"text":"{"x" * LONG}"}}'


def wait_ns(reconnect: Reconnect, attempt: int, drawn: float) -> int:
    """The delay before the ``attempt``-th try (from 1): the initial one, then ``factor`` times as long each.

    Never longer than ``max_delay_ns``; ``drawn``, from [0, 1), shortens it by up to the part ``jitter``.
    """
    # Compared as logarithms first: a power of many tries is more than a float can hold.
    growth = (attempt - 1) * math.log(reconnect.factor)
    if growth >= math.log(reconnect.max_delay_ns / reconnect.initial_delay_ns):
        longest_ns = float(reconnect.max_delay_ns)
    else:
        longest_ns = reconnect.initial_delay_ns * reconnect.factor ** (attempt - 1)
    return round(longest_ns * (1 - reconnect.jitter * drawn))


MAX_RETRY_AFTER_NS = 86_400_000_000_000
"""A day; what asks for more is a mistake, or as good as never."""


def retry_after_ns(header: str, now_s: float) -> int:
    """How long a ``Retry-After`` header says to wait (RFC 9110, 10.2.3): seconds, or a date.

    ``now_s`` is Unix time. What is neither, or lies in the past, asks for nothing.
    """
    if header.isascii() and header.isdigit():
        return min(int(header[:12]) * NS_PER_S, MAX_RETRY_AFTER_NS)
    at_s = http_date(header)
    return 0 if at_s is None else min(max(round((at_s - now_s) * NS_PER_S), 0), MAX_RETRY_AFTER_NS)
