"""``{trace.parent}``: the W3C trace context under which a target may hang what it does for a turn.

Trace and span follow from the run and from what is traced, so that who exports spans after the fact finds the
same ids as who sent the message, in whichever process.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

TRACE_PARENT = "trace.parent"
"""The placeholder."""


class TraceIds(NamedTuple):
    """The ids of a span of ours, neither of them 0."""

    trace: int
    span: int


def trace_ids(run_id: str, what: str) -> TraceIds:
    """Ids of a turn (by its id) or of a user (``of_user``) in a run."""
    digest = blake2b(f"{run_id}\n{what}".encode("utf-8", "surrogatepass"), digest_size=24).digest()
    # The standard forbids ids that are 0.
    return TraceIds(int.from_bytes(digest[:16]) | 1, int.from_bytes(digest[16:]) | 1)


def of_user(number: object) -> str:
    """What stands for all connections of one virtual user."""
    return f"user {number}"


def trace_parent(run_id: str, what: str) -> str:
    """The value of a ``traceparent`` header (W3C Trace Context, version 00), sampled."""
    ids = trace_ids(run_id, what)
    return f"00-{ids.trace:032x}-{ids.span:016x}-01"
