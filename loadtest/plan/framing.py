"""How frames hold messages: records in a frame, or a codec by name; read from a protocol's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadtest.plan.descriptor_set import read_descriptors
from loadtest.plan.toml_reader import TomlTable, quoted

LONGEST_PREFIX = 16
"""Maximum characters of a prefix."""

PROTOBUF = "protobuf"
"""The codec whose settings are read with the protocol: they name a file, and what must be in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """Records in frames of text.

    ``split`` is one character that separates records, or ends them; ``spans``: a record goes on in the next
    frame until it comes.
    ``prefix`` stands before each record. ``batch``: a record that is an array holds several messages.
    ``binary``: a binary frame is an event of the type "binary", of which the size is kept.
    """

    split: str = ""
    spans: bool = False
    prefix: str = ""
    batch: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecChoice:
    """What translates frames: a codec that ships, one that is installed, or "module:Class"; its settings."""

    name: str
    settings: Mapping[str, object] = field(default_factory=dict)


def read_framing(table: TomlTable) -> Framing | None:
    """The table [framing]; None where it says nothing."""
    framing = Framing(
        split=table.text("split", ""),
        spans=table.flag("spans"),
        prefix=table.text("prefix", ""),
        batch=table.flag("batch"),
        binary=table.flag("binary"),
    )
    if framing.split and not (len(framing.split) == 1 and framing.split.isascii()):
        table.report(
            "split",
            f'`split` must be one ASCII character, such as "\\n", not {quoted(framing.split)}',
        )
    if len(framing.prefix) > LONGEST_PREFIX:
        table.report("prefix", f"`prefix` may have at most {LONGEST_PREFIX} characters")
    if framing.spans and not framing.split:
        table.report("spans", "`spans` works only with `split`: without `split` each frame is one message")
    table.close()
    return None if framing == Framing() else framing


def read_codec(table: TomlTable) -> CodecChoice | None:
    """The key `codec`: a name, or a table with `name` and the codec's own settings."""
    value = table.take("codec")
    if value is None:
        return None
    name = value.get("name") if isinstance(value, Mapping) else value
    if name == PROTOBUF:
        settings = value if isinstance(value, Mapping) else {"name": name}
        own = TomlTable(settings, table.source, (*table.path, "codec"))
        return CodecChoice(name=name, settings=read_descriptors(own))
    if isinstance(value, str) and value:
        return CodecChoice(name=value)
    if isinstance(value, Mapping) and isinstance(name, str) and name:
        return CodecChoice(name=name, settings={k: v for k, v in value.items() if k != "name"})
    table.report("codec", f"`codec` must be a name or a table with `name`, not {quoted(value)}")
    return None


def framing_settings(framing: Framing | None) -> dict[str, object]:
    """The table [framing] as plain data."""
    if framing is None:
        return {}
    written = {key: getattr(framing, key) for key in Framing.__slots__}
    return {key: value for key, value in written.items() if value}


def codec_settings(codec: CodecChoice | None) -> dict[str, object]:
    """The table [codec] as plain data."""
    return {} if codec is None else {"name": codec.name, **codec.settings}
