"""A file that a turn sends in pieces at a steady pace, as a microphone gives its sound."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, unquote

from loadtest.errors import ConfigError
from loadtest.plan.template import Template
from loadtest.plan.toml_reader import TomlTable, quoted, read_bytes
from loadtest.units import MIB, exact_duration, format_bytes, format_count, format_duration, parse_bytes

MAX_FILE_BYTES = 16 * MIB
"""Four minutes of 16-bit stereo sound at 16,000 Hz: every process holds the whole file."""

MAX_CHUNKS = 65_536
"""Chunks of one file: 21 minutes, at one every 20 ms."""

MIN_EVERY_NS = 1_000_000
"""Event loops cannot keep a quicker pace for many connections."""

MAX_LASTS_NS = 1_800_000_000_000
"""Half an hour: a run waits for the turns that it has begun."""

CHUNK_CONTENT = "chunk.base64"

CHUNK_NAMES = (CHUNK_CONTENT, "chunk.number", "chunk.time_ms")
"""In the message of a chunk: its bytes, its place from 0, and how far into the file it is at this pace."""

_DATA_URL = re.compile(r"data:[^;,]*(?:;name=([^;,]*))?;base64,(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """A file in chunks of ``size`` bytes, of which the last may be shorter, one ``every_ns``.

    ``message`` is the template that carries a chunk; empty: each is a binary frame of its own.
    """

    name: str
    data: bytes
    size: int
    every_ns: int
    message: str = ""

    @property
    def count(self) -> int:
        """How many chunks the file has."""
        return -(-len(self.data) // self.size)

    @property
    def lasts_ns(self) -> int:
        """From the first chunk to the last."""
        return (self.count - 1) * self.every_ns

    def pieces(self) -> tuple[memoryview, ...]:
        """The chunks in their order, not copied."""
        whole = memoryview(self.data)
        return tuple(whole[at : at + self.size] for at in range(0, len(whole), self.size))

    @property
    def summary(self) -> str:
        """The file and its pace in words."""
        n, every = self.count, format_duration(self.every_ns)
        pace = f"one every {every} for {format_duration(n * self.every_ns)}" if n > 1 else "at once"
        what = "chunks" if n > 1 else "chunk"
        return f"{format_count(n)} {what} of {format_bytes(self.size)} of {self.name}, {pace}"


def read_chunks(table: TomlTable) -> Chunks | None:
    """The step ``{ chunks = FILE, ... }`` of a turn; None where it is wrong, which is reported."""
    before = len(table.source.problems)
    found = _read_content(table)
    size = _read_size(table)
    every_ns = table.duration("every", None, positive=True)
    if every_ns is not None and every_ns < MIN_EVERY_NS:
        table.report("every", "`every` must be at least 1ms")
    message = _read_message(table)
    for key, example in (("size", "size = 640"), ("every", 'every = "20ms"')):
        if not table.has(key):
            table.report("chunks", f"`chunks` needs `{key}`, such as {example}")
    if found is None or size is None or every_ns is None or len(table.source.problems) > before:
        return None
    chunks = Chunks(name=found[0], data=found[1], size=size, every_ns=every_ns, message=message)
    if chunks.count > MAX_CHUNKS:
        n = format_count(chunks.count)
        table.report(
            "size",
            f"with this size the file has {n} chunks; the maximum is {format_count(MAX_CHUNKS)}",
        )
        return None
    if chunks.lasts_ns > MAX_LASTS_NS:
        lasts, most = format_duration(chunks.lasts_ns), format_duration(MAX_LASTS_NS)
        table.report("every", f"at this pace the file takes {lasts} to send; the maximum is {most}")
        return None
    return chunks


def _read_content(table: TomlTable) -> tuple[str, bytes] | None:
    """Name and bytes of the file, or of a ``data:`` URL; None where there are none, which is reported."""
    written = table.text("chunks", None)
    if written is None:
        return None
    try:
        name, data = _of_data_url(written) or (written, _of_file(table.source.base, written))
    except (ConfigError, ValueError) as error:
        problems = error.problems if isinstance(error, ConfigError) else ()
        why = problems[0].sentence if problems else str(error)
        table.report("chunks", f"`chunks`, {quoted(written)}: {why}")
        return None
    if not data:
        table.report("chunks", f"`chunks`, {quoted(name)}: the file is empty")
        return None
    return name, data


def _of_file(base: Path, written: str) -> bytes:
    """The bytes of a file in the folder ``base``, or in a folder of it.

    Raises:
        ConfigError: it is missing, too large, or cannot be read.
        ValueError: it lies elsewhere, or is no file.
    """
    path = base / written
    try:
        inside, there = path.resolve().is_relative_to(base.resolve()), path.exists()
        is_file = path.is_file()
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    if not inside:
        raise ValueError(
            "the file is outside the folder of the protocol or scenario; copy it into that folder",
        )
    if there and not is_file:
        raise ValueError("this is not a file; write the path of the file to send")
    return read_bytes(path, written, MAX_FILE_BYTES, "send a shorter recording")


def _of_data_url(written: str) -> tuple[str, bytes] | None:
    """Name and bytes in a URL of RFC 2397; None of anything else.

    Raises:
        ValueError: it is no base64, or too much of it.
    """
    match = _DATA_URL.fullmatch(written)
    if match is None:
        return None
    try:
        data = base64.b64decode(match[2], validate=True)
    except binascii.Error:
        raise ValueError("the text after `base64,` is not valid base64") from None
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"the data is larger than {MAX_FILE_BYTES // MIB} MiB; send a shorter recording")
    return unquote(match[1] or "data"), data


def _read_size(table: TomlTable) -> int | None:
    """Bytes of a chunk, as a number or as text with a unit."""
    written = table.data.get("size")
    if not isinstance(written, str):
        return table.integer("size", None, least=1)
    table.take("size")
    try:
        size = parse_bytes(written)
    except ValueError as error:
        table.report("size", f"`size`: {error}")
        return None
    if not size:
        table.report("size", "`size` must be more than 0")
    return size or None


def _read_message(table: TomlTable) -> str:
    """The template of a chunk; empty for binary frames."""
    message, binary = table.text("message", ""), table.flag("binary")
    if bool(message) == binary:
        forms = "either a `message` that contains {chunk.base64}, or binary = true"
        table.report("chunks", f"`chunks` needs {forms}")
    elif message and CHUNK_CONTENT not in Template.parse(message).names:
        table.report(
            "message", "the `message` of `chunks` must contain {chunk.base64}, the place of the chunk"
        )
    return message


def chunk_settings(chunks: Chunks) -> dict[str, object]:
    """The step as plain data that holds the whole file, for a worker that has none."""
    content = base64.b64encode(chunks.data).decode()
    url = f"data:application/octet-stream;name={quote(chunks.name, safe='')};base64,{content}"
    carried: dict[str, object] = {"message": chunks.message} if chunks.message else {"binary": True}
    return {"chunks": url, "size": chunks.size, "every": exact_duration(chunks.every_ns), **carried}


def public_step(step: object) -> object:
    """A step of plain data without the bytes of its file: their number and their hash in their place."""
    found = _of_data_url(str(step.get("chunks", ""))) if isinstance(step, Mapping) else None
    if found is None or not isinstance(step, Mapping):
        return step
    name, data = found
    return {**step, "chunks": name, "bytes": len(data), "sha256": sha256(data).hexdigest()}
