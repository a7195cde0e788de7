"""How each fault is written: ``FAULT_OPTIONS`` is the list that ``loadtest simulator --help`` prints."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from websockets.frames import EXTERNAL_CLOSE_CODES

from loadtest.simulator.distribution import read_distribution, read_time
from loadtest.simulator.events import CONTENT, KINDS
from loadtest.units import parse_ratio

ABNORMAL = 1006
"""Not a code on the wire: the connection ends without a close frame."""

_MAX_HUGE = 64 * 1024 * 1024
_SIZES = {"": 1, "B": 1, "kB": 1000, "MB": 1000**2, "KiB": 1024, "MiB": 1024**2}


class NumberAndShare(NamedTuple):
    """A fault with a number (a close code, an HTTP status, a time) that strikes a share of what it could."""

    number: int
    share: float

    @property
    def for_ns(self) -> int:
        """The number of a fault that is a time."""
        return self.number


class Hit(NamedTuple):
    """A fault that strikes events: the share of them, and which kinds (None: all)."""

    share: float
    kinds: frozenset[str] | None

    def concerns(self, kind: str) -> bool:
        """Whether an event of this kind can be struck."""
        return self.kinds is None or kind in self.kinds


class Freeze(NamedTuple):
    """Every ``every_ns`` of the server's life, the whole process freezes for ``for_ns``."""

    every_ns: int
    for_ns: int


class FaultOption(NamedTuple):
    """How one fault is written. ``read`` gets the text after ``=``, or ``default`` where that is left out."""

    field: str
    usage: str
    about: str
    read: Callable[[str], Any]
    default: str | None = None


def _flag(text: str) -> bool:
    if text:
        raise ValueError("takes no value")
    return True


def _hit(text: str) -> Hit:
    """``P``, ``P,any`` or ``P,KIND``."""
    share, comma, which = (part.strip() for part in text.partition(","))
    if not comma:
        return Hit(parse_ratio(share), CONTENT)
    if which == "any":
        return Hit(parse_ratio(share), None)
    if which not in KINDS:
        near = difflib.get_close_matches(which, KINDS, n=1)
        raise ValueError(f'there is no event "{which}"' + (f', did you mean "{near[0]}"?' if near else ""))
    return Hit(parse_ratio(share), frozenset({which}))


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text.strip()) or int(text) < 1:
        raise ValueError(f'"{text}" is not a whole number of at least 1')
    return int(text)


def _number_and_share(read: Callable[[str], int]) -> Callable[[str], NumberAndShare]:
    """``NUMBER`` or ``NUMBER,P``."""

    def parse(text: str) -> NumberAndShare:
        number, comma, share = text.partition(",")
        return NumberAndShare(read(number.strip()), parse_ratio(share) if comma else 1.0)

    return parse


def _share_and_code(text: str) -> NumberAndShare:
    """``P`` or ``P,CODE``."""
    share, comma, code = text.partition(",")
    return NumberAndShare(_close_code(code.strip()) if comma else 1011, parse_ratio(share))


def _status(text: str) -> int:
    if not re.fullmatch("[345][0-9][0-9]", text) or int(text) not in set(HTTPStatus):
        raise ValueError(f'"{text}" is not an HTTP status of a refusal, such as 403, 429 or 503')
    return int(text)


def _close_code(text: str) -> int:
    code = _count(text)
    if code != ABNORMAL and code not in EXTERNAL_CLOSE_CODES and not 3000 <= code < 5000:
        raise ValueError(
            f"{code} is not allowed in a close frame; to send it nevertheless, use invalid-close-code={code}"
        )
    return code


def _invalid_code(text: str) -> int:
    code = _count(text)
    if code > 0xFFFF or code in EXTERNAL_CLOSE_CODES or 3000 <= code < 5000:
        raise ValueError(f"{code} is a valid close code; write an invalid code, such as 401")
    return code


def _freeze(text: str) -> Freeze:
    every, comma, length = text.partition(",")
    if not comma:
        raise ValueError("two times are needed")
    freeze = Freeze(read_time(every), read_time(length))
    if not 0 < freeze.for_ns < freeze.every_ns:
        raise ValueError("FOR must be more than 0 and less than EVERY")
    return freeze


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,9}) ?([A-Za-z]*)", text.strip())
    if match is None or match[2] not in _SIZES:
        raise ValueError(f'"{text}" is not a size; write bytes, such as 65536, "64KiB" or "1MB"')
    size = int(match[1]) * _SIZES[match[2]]
    if not 1024 <= size <= _MAX_HUGE:
        raise ValueError(f'"{text}" is not between 1 KiB and 64 MiB')
    return size


_DISTRIBUTION = "5ms|uniform:1ms,9ms|exp:5ms|bimodal:2ms,50ms,0.1"

FAULT_OPTIONS: dict[str, FaultOption] = {
    "refuse": FaultOption(
        "refuse",
        "refuse[=STATUS[,P]]",
        "answer the upgrade with HTTP STATUS (403)",
        _number_and_share(_status),
        "403",
    ),
    "close-after-accept": FaultOption(
        "close_after_accept",
        "close-after-accept[=CODE[,P]]",
        "answer 101, send an error frame, close with CODE; 1006: without a close frame",
        _number_and_share(_close_code),
        "1008",
    ),
    "invalid-close-code": FaultOption(
        "invalid_close_code",
        "invalid-close-code[=CODE[,P]]",
        "answer 101, send an error frame, close with a code that RFC 6455 forbids (401)",
        _number_and_share(_invalid_code),
        "401",
    ),
    "auth-after-accept": FaultOption(
        "auth_after_accept",
        "auth-after-accept[=CODE]",
        "reject a wrong credential with 101, an error frame and close CODE (1008), not with HTTP",
        _close_code,
        "1008",
    ),
    "ack-only": FaultOption("ack_only", "ack-only", "acknowledge every message, run no turn", _flag, ""),
    "drop": FaultOption(
        "drop", "drop=P[,any|KIND]", "drop a share of the events (of thinking and partial results)", _hit
    ),
    "duplicate": FaultOption("duplicate", "duplicate=P[,any|KIND]", "send a share of the events twice", _hit),
    "reorder": FaultOption(
        "reorder", "reorder=P", "swap a share of the events with the next one", parse_ratio
    ),
    "leak": FaultOption(
        "leak", "leak=P[,any|KIND]", "send another user's event before a share of the events", _hit
    ),
    "malformed": FaultOption(
        "malformed",
        "malformed=P[,any|KIND]",
        "before a share of the events, send a copy that is cut in the middle of its JSON",
        _hit,
    ),
    "delay": FaultOption(
        "delay", f"delay={_DISTRIBUTION}", "time before the first event of a turn", read_distribution
    ),
    "gap": FaultOption("gap", f"gap={_DISTRIBUTION}", "time between two events of a turn", read_distribution),
    "freeze": FaultOption(
        "freeze", "freeze=EVERY,FOR", "freeze the whole process for FOR once in EVERY (5s,1s)", _freeze
    ),
    "batch": FaultOption(
        "batch_ns",
        "batch[=T]",
        "send all events of a turn at once, after delay, gap and stall, or after T (50ms)",
        read_time,
        "50ms",
    ),
    "slow-ready": FaultOption(
        "slow_ready_ns", "slow-ready=T", "send connection_established T after the upgrade", read_time
    ),
    "lose-before-ready": FaultOption(
        "lose_before_ready_ns",
        "lose-before-ready[=T]",
        "silently lose messages that arrive before connection_established or within T (500ms) after it",
        read_time,
        "500ms",
    ),
    "max-per-identity": FaultOption(
        "max_per_identity",
        "max-per-identity=N",
        "close the next connection of one identity with 1011",
        _count,
    ),
    "cold-start": FaultOption(
        "cold_start_ns",
        "cold-start=T",
        "for T after the start: answer 101, send an error frame, close with 1011",
        read_time,
    ),
    "cut": FaultOption(
        "cut",
        "cut=P[,CODE]",
        "close with CODE (1011) in the middle of a share of turns",
        _share_and_code,
    ),
    "blackhole": FaultOption(
        "blackhole", "blackhole=P", "never answer a share of turns, and stay open", parse_ratio
    ),
    "huge": FaultOption(
        "huge_bytes", "huge=BYTES", "make every partial result BYTES long (64KiB, 1MB)", _bytes
    ),
    "no-pong": FaultOption(
        "no_pong", "no-pong", "answer no ping, neither the frame nor the message", _flag, ""
    ),
    "unpaired": FaultOption(
        "unpaired", "unpaired=P", "never complete the tool call in a share of turns", parse_ratio
    ),
    "stall": FaultOption(
        "stall", "stall=T[,P]", "fall silent for T in the middle of a turn", _number_and_share(read_time)
    ),
    "rate-limit": FaultOption(
        "rate_limit",
        "rate-limit=N",
        "answer turns beyond N in one second with error_message RATE_LIMITED",
        _count,
    ),
    "stream": FaultOption(
        "stream_ns",
        "stream[=T]",
        "not a fault: answer like an agent (thinking, a tool call, streamed words) in about T (1s) per turn",
        read_time,
        "1s",
    ),
    "no-seq": FaultOption("no_seq", "no-seq", "do not number the events", _flag, ""),
}
"""Every fault by name, in the order of help."""
