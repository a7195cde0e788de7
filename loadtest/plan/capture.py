r"""A capture: the messages of one connection, both ways, as JSON lines that anyone can write.

    {"at": 0.0, "dir": "in", "text": "{\"type\":\"welcome\"}"}
    {"at": 0.012, "dir": "out", "text": "{\"type\":\"ask\",\"id\":\"7\"}"}
    {"at": 0.2, "dir": "in", "json": {"type": "started", "id": "7"}}
    {"at": 0.25, "dir": "in", "base64": "AAEC"}

``at`` is in seconds from any beginning, ``dir`` is as the client sees it. A text that is JSON may stand as
such in ``json``, which is easier to write by hand; a binary message stands in ``base64``.
Other keys are not read; an empty line is nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from loadtest.errors import ConfigError, Problem
from loadtest.plan import toml_reader

MAX_FRAMES = 100_000
MAX_BYTES = 64 << 20
MAX_PROBLEMS = 20
MAX_SECONDS = 1e9

DIRECTIONS = ("in", "out")


class CapturedFrame(NamedTuple):
    """One frame, or the message made of it; ``at_ns`` from the beginning of the capture.

    ``line`` is where it stands, 0: nowhere.
    """

    at_ns: int
    inward: bool
    payload: bytes
    binary: bool = False
    line: int = 0

    @property
    def text(self) -> str:
        """The payload as text; what is no text is replaced."""
        return self.payload.decode("utf-8", "replace")


def read_capture(path: Path) -> tuple[CapturedFrame, ...]:
    """The frames of a file, in its order.

    Raises:
        ConfigError: it cannot be read, or lines in it are wrong: each with its number.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(
                [
                    Problem(
                        str(path),
                        f"the capture is larger than {MAX_BYTES >> 20} MiB; remove turns from it",
                    )
                ]
            )
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(
            [
                Problem(
                    str(path),
                    "the capture is not UTF-8 text; write binary messages as `base64`",
                )
            ]
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError([Problem(str(path), f"the capture cannot be read: {reason}")])
    return parse_capture(text, str(path))


def parse_capture(text: str, name: str) -> tuple[CapturedFrame, ...]:
    """The frames of a capture's text; ``name`` is what messages call it.

    Raises:
        ConfigError: as ``read_capture``.
    """
    problems: list[Problem] = []
    frames: list[CapturedFrame] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            frames.append(_frame(line, number))
        except ValueError as error:
            problems.append(Problem(f"{name}:{number}", str(error)))
        if len(problems) >= MAX_PROBLEMS or len(frames) > MAX_FRAMES:
            break
    if len(frames) > MAX_FRAMES:
        problems.append(
            Problem(
                name,
                f"the capture has more than {MAX_FRAMES:,} frames; remove turns from it",
            )
        )
    problems += _backwards(frames, name)
    if not frames and not problems:
        problems.append(Problem(name, "the capture has no frames"))
    if problems:
        raise ConfigError(problems)
    return tuple(frames)


def quoted(value: object) -> str:
    """A value of JSON as a message shows it."""
    return "null" if value is None else toml_reader.quoted(value)


def _frame(line: str, number: int) -> CapturedFrame:
    """One line.

    Raises:
        ValueError: a sentence that says what is wrong.
    """
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(
            'this line is not JSON; write {"at": SECONDS, "dir": "in" or "out", "text": ...}',
        ) from None
    if not isinstance(data, dict):
        raise ValueError(f"a line must be an object, not {quoted(data)}")  # noqa: TRY004 - all are told as one kind
    at, way = data.get("at"), data.get("dir")
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= MAX_SECONDS:
        raise ValueError(
            f"`at` must be a number of seconds from 0 on, not {quoted(at)}"
            if "at" in data
            else "this line needs `at`, the time in seconds"
        )
    if way not in DIRECTIONS:
        raise ValueError(
            f'`dir` must be "in" or "out", not {quoted(way)}'
            if "dir" in data
            else 'this line needs `dir`: "in" or "out"'
        )
    payload, binary = _payload(data)
    return CapturedFrame(round(at * 1e9), way == "in", payload, binary, number)


def _payload(data: dict[str, Any]) -> tuple[bytes, bool]:
    """The payload of a line, and whether it was a binary message."""
    keys = [key for key in ("text", "json", "base64") if key in data]
    if len(keys) != 1:
        raise ValueError("a line needs exactly one of `text`, `json` and `base64`")
    key, value = keys[0], data[keys[0]]
    if key == "json":
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"), False
    if not isinstance(value, str):
        raise ValueError(f"`{key}` must be text, not {quoted(value)}")  # noqa: TRY004 - as above
    if key == "text":
        return value.encode("utf-8", "surrogatepass"), False
    try:
        return base64.b64decode(value, validate=True), True
    except (binascii.Error, ValueError):
        raise ValueError("`base64` is not valid base64") from None


def _backwards(frames: list[CapturedFrame], name: str) -> Iterator[Problem]:
    """The first frame that comes before the one above it."""
    for before, after in pairwise(frames):
        if after.at_ns < before.at_ns:
            sentence = "`at` is earlier than in the line above; sort the lines by time"
            yield Problem(f"{name}:{after.line}", sentence)
            return


def capture_text(frames: Iterable[CapturedFrame]) -> str:
    """Frames as the text that ``parse_capture`` reads."""
    return "".join(f"{json.dumps(_line(frame), ensure_ascii=False)}\n" for frame in frames)


def _line(frame: CapturedFrame) -> dict[str, object]:
    line: dict[str, object] = {"at": frame.at_ns / 1e9, "dir": DIRECTIONS[not frame.inward]}
    text = None
    if not frame.binary:
        try:
            text = frame.payload.decode()
        except UnicodeDecodeError:
            text = None
    if text is None:
        return {**line, "base64": base64.b64encode(frame.payload).decode()}
    return {**line, "text": text}
