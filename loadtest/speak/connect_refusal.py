"""A connection that did not get ready: at which layer, and why."""

from __future__ import annotations

from loadtest.errors import Layer


class ConnectRefusal(Exception):  # noqa: N818 - a fact about the target, not an error of ours
    """The target did not let this connection get ready; ``layer`` and ``reason`` say how.

    ``retry_after`` is the header of that name, where it says when to come back. ``answer`` are head and
    beginning of the body of an HTTP answer, not redacted.
    """

    def __init__(self, layer: Layer, reason: str, *, retry_after: str = "", answer: bytes = b"") -> None:
        self.layer = layer
        self.reason = reason
        self.retry_after = retry_after
        self.answer = answer
        super().__init__(f"{layer}: {reason}")
