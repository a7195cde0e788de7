"""What is told of a session that did not get ready: the kinds of messages that came instead."""

from __future__ import annotations

from loadtest.speak.compiled_protocol import CompiledProtocol, Heard

MAX_EARLY_KINDS = 3
"""Kinds of messages that are told."""

Kinds = dict[str, None]
"""In the order of coming."""


def what_came(kinds: Kinds | None) -> str:
    """The end of a sentence about what was awaited."""
    return f"came instead: {', '.join(kinds)}" if kinds else "nothing came"


def with_kind_of(heard: Heard, protocol: CompiledProtocol, kinds: Kinds | None) -> Kinds:
    """The kinds, with that of a message that did not fit the step."""
    labels = protocol.labels
    if heard.kind is not None and not protocol.opaque:
        told = f"`{labels.type_label(heard.kind)}`"
    elif heard.found and isinstance(heard.found, dict):
        told = f"a message without a type, with the keys {labels.keys_label(heard.found)}"
    else:
        told = "a message that is not a JSON object"
    kinds = kinds or {}
    return kinds if len(kinds) >= MAX_EARLY_KINDS else {**kinds, told: None}
