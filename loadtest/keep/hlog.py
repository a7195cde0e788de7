"""HdrHistogram's log format 1.3: one tagged, base64-coded histogram per line.

Times are seconds after the base time, which is the run's start; ``Interval_Max`` is in milliseconds,
the unit HdrHistogram's tools expect beside histograms of nanoseconds.
Format: https://github.com/HdrHistogram/HdrHistogram, ``HistogramLogWriter``.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from loadtest.measure.histogram import Histogram

LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'

_TAG = re.compile(r"[A-Za-z0-9._:\[\]/-]+")


class HistogramLine(NamedTuple):
    """One histogram of a log; ``payload`` is its base64 text."""

    tag: str
    start_s: float
    payload: bytes


def head(started: datetime, comment: str = "") -> bytes:
    """The lines that a log begins with, ``comment`` first after the version."""
    since_epoch = f"{started.timestamp():.3f} (seconds since epoch)"
    lines = [
        "#[Histogram log format version 1.3]",
        f"#{comment}" if comment else "",
        f"#[StartTime: {since_epoch}, {started.astimezone(UTC).isoformat(timespec='milliseconds')}]",
        f"#[BaseTime: {since_epoch}]",
        LEGEND,
    ]
    return "".join(f"{line}\n" for line in lines if line).encode()


def line(tag: str, histogram: Histogram, start_s: float, length_s: float = 1.0) -> bytes:
    """One line, with its end.

    Raises:
        ValueError: the tag holds characters that would break the line, or the histogram is empty.
    """
    if not _TAG.fullmatch(tag):
        raise ValueError(f'the tag "{tag}" contains characters that a histogram log does not allow')
    if histogram.max_ns is None:
        raise ValueError(f'the histogram "{tag}" is empty and cannot be logged')
    payload = binascii.b2a_base64(histogram.encode(), newline=False)
    fields = f"Tag={tag},{start_s:.3f},{length_s:.3f},{histogram.max_ns / 1e6:.6f},"
    return fields.encode() + payload + b"\n"


def read_lines(source: Iterable[bytes]) -> Iterator[HistogramLine]:
    """The histograms of a log, undecoded, up to its end or to a line that was cut.

    Raises:
        ValueError: a whole line is neither a comment, nor a legend, nor a histogram.
    """
    for number, text in enumerate(source, 1):
        if not text.endswith(b"\n"):
            return
        if not text.startswith((b"#", b'"')):
            yield _parsed(text, number)


def _parsed(text: bytes, number: int) -> HistogramLine:
    fields = text.rstrip(b"\r\n").rsplit(b",", 4)
    if len(fields) != 5 or not fields[0].startswith(b"Tag="):
        raise ValueError(f"line {number} is not a tagged histogram")
    try:
        return HistogramLine(fields[0][4:].decode("ascii"), float(fields[1]), fields[4])
    except ValueError:
        raise ValueError(f"line {number} is not a tagged histogram") from None


def raw(payload: bytes) -> bytes:
    """The encoding in a line's payload.

    Raises:
        ValueError: it is not base64.
    """
    return binascii.a2b_base64(payload, strict_mode=True)
