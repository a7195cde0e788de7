"""Bytes of a connection that make no message: each was meant as one, and came broken or in part."""

from __future__ import annotations

from loadtest.drive.context import Context
from loadtest.speak.codec.coded_frames import CodedFrameParser
from loadtest.speak.frames import FrameParser


def note_broken(context: Context, parser: FrameParser, reason: str, user: int) -> None:
    """Count why a connection was given up. A frame that is no message is received, and malformed."""
    metrics = context.recorder.metrics
    if parser.flooded:
        metrics.count("connections.flooded")
        return
    metrics.events_received += 1
    metrics.events_malformed += 1
    if parser.too_long:
        metrics.count("connections.too_long")
    elif isinstance(parser, CodedFrameParser) and parser.gave_up:
        metrics.count("connections.beyond_codec")
    else:
        metrics.count("connections.broken_frames")
    context.recorder.evidence("broken frame", reason.encode(), user)


def note_unfinished(context: Context, parser: FrameParser, user: int) -> None:
    """A message whose end never came, as the connection was lost: received, and malformed."""
    if isinstance(parser, CodedFrameParser) and parser.unfinished and not parser.gave_up:
        metrics = context.recorder.metrics
        metrics.events_received += 1
        metrics.events_malformed += 1
        told = f"the connection ended in the middle of a message, after {parser.unfinished:,} bytes"
        context.recorder.evidence("unfinished", told.encode(), user)
