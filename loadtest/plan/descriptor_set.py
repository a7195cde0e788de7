"""Compiled descriptors of Protocol Buffers: what ``protoc --descriptor_set_out`` writes, read and checked.

What a protocol says of its messages is held against it at reading. The content of the file goes with the
settings, so that workers need no file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from loadtest.errors import ConfigError, install_line
from loadtest.plan.toml_reader import TomlTable, nearest, quoted, read_bytes
from loadtest.units import MIB

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

MAX_BYTES: Final = 4 * MIB
"""The largest descriptor set: all of one API with its imports has some 100 KiB."""

MADE_BY: Final = "make one with `protoc --include_imports --descriptor_set_out=api.pb api.proto`"

MISSING: Final = (
    "the codec `protobuf` needs the library protobuf, which is not installed here; run: "
    + install_line("protobuf", "protobuf")
)

MESSAGES: Final = ("send", "receive")
"""The keys that name a message: what is sent, and what is received."""


def read_descriptors(table: TomlTable) -> dict[str, object]:
    """The settings of the codec ``protobuf``: its file with the content, and the messages in it.

    What is wrong is reported to the table's source, each with its line.
    """
    table.take("name")
    file = _file(table)
    names = None if file is None else _names(table, file)
    settings: dict[str, object] = {} if file is None else {"descriptors": file}
    for key in MESSAGES:
        name = table.text(key, "")
        settings[key] = name
        if not table.has(key):
            what = "sent" if key == "send" else "received"
            table.report(
                "name",
                f'`{key}` is missing; write the message type that is {what}, such as "chat.v1.Message"',
            )
        elif name and names is not None and name not in names:
            table.report(key, f"`{key}`: {file} has no message type `{name}`; {nearest(name, names)}")
    if table.flag("defaults"):
        settings["defaults"] = True
    table.close()
    return settings


class DescriptorFile(dict[str, str]):
    """The name of a descriptor set as it was written, and its content in base64."""

    def __str__(self) -> str:
        return self["file"]


def _file(table: TomlTable) -> DescriptorFile | None:
    """What ``descriptors`` names, read; or what was read before, in the settings that workers get."""
    written = table.take("descriptors")
    if written is None:
        table.report("name", f"`descriptors` is missing: the path of a compiled descriptor set; {MADE_BY}")
        return None
    if isinstance(written, Mapping) and all(isinstance(written.get(key), str) for key in ("file", "base64")):
        return DescriptorFile(file=written["file"], base64=written["base64"])
    if not isinstance(written, str) or not written:
        table.report("descriptors", f"`descriptors` must be the path of a file, not {quoted(written)}")
        return None
    try:
        content = read_bytes(table.source.base / written, written, MAX_BYTES)
    except ConfigError as error:
        for problem in error.problems:
            table.report("descriptors", f"`descriptors`: {problem.where}: {problem.sentence}; {MADE_BY}")
        return None
    return DescriptorFile(file=written, base64=base64.b64encode(content).decode())


def _names(table: TomlTable, file: DescriptorFile) -> list[str] | None:
    """The messages of a file; None where it cannot be read, which is reported."""
    try:
        return descriptors_of(file["base64"]).messages
    except ModuleNotFoundError:
        table.report("name", MISSING)
    except ValueError as error:
        table.report("descriptors", f"`descriptors`: {file}: {error}")
    return None


class Descriptors:
    """The types of a descriptor set: ``pool`` finds them, ``messages`` are the full names, sorted."""

    def __init__(self, pool: DescriptorPool, messages: list[str]) -> None:
        self.pool = pool
        self.messages = messages


@lru_cache(maxsize=8)
def descriptors_of(content: str) -> Descriptors:
    """The types of a descriptor set in base64.

    Raises:
        ValueError: it is none, or lacks what it imports; says what to do.
        ModuleNotFoundError: the library protobuf is not installed.
    """
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import DecodeError

    try:
        found = FileDescriptorSet.FromString(base64.b64decode(content, validate=True))
    except (DecodeError, binascii.Error, ValueError):
        raise ValueError(f"this is not a compiled descriptor set; {MADE_BY}") from None
    messages = sorted(_messages(found.file))
    if not messages:
        raise ValueError(f"the file contains no message types, so it may not be a descriptor set; {MADE_BY}")
    missing = {name for file in found.file for name in file.dependency} - {file.name for file in found.file}
    if missing:
        raise ValueError(f"the file imports `{min(missing)}`, but does not contain it; {MADE_BY}")
    pool = DescriptorPool()
    try:
        for file in found.file:
            pool.AddSerializedFile(file.SerializeToString())
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the types in the file contradict each other ({' '.join(str(error).split())[:200]}); {MADE_BY}",
        )
    return Descriptors(pool, messages)


def _messages(files: Iterable[Any]) -> Iterator[str]:
    """The full names of all messages, those within others as well; not what maps are made of."""
    for file in files:
        yield from _within(f"{file.package}." if file.package else "", file.message_type)


def _within(prefix: str, types: Iterable[Any]) -> Iterator[str]:
    for each in types:
        if not each.options.map_entry:
            yield prefix + each.name
            yield from _within(f"{prefix}{each.name}.", each.nested_type)


def public_descriptors(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings of a codec without the content of a descriptor set: its name, size and hash instead."""
    import hashlib

    public = dict(settings)
    if isinstance(file := settings.get("descriptors"), DescriptorFile):
        content = base64.b64decode(file["base64"])
        digest = hashlib.sha256(content).hexdigest()
        public["descriptors"] = {"file": file["file"], "bytes": len(content), "sha256": digest}
    return public
