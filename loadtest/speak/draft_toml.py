"""A drafted protocol as TOML, and as the few lines that a reader would add to a protocol of his own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from loadtest.plan.scaffold import ERROR_TYPES
from loadtest.speak.capture_draft import Condition, Draft


def toml_text(text: str) -> str:
    """A text as TOML: in single quotes where that needs no escape."""
    plain = "'" not in text and text.isprintable()
    if plain and '"' in text:
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(key: str) -> str:
    """A key as TOML."""
    bare = key.replace("_", "").replace("-", "")
    return key if bare.isalnum() and bare.isascii() else toml_text(key)


def condition_text(condition: Condition) -> str:
    """A condition as a MATCH of a protocol."""
    if isinstance(condition, str):
        return toml_text(condition)
    fields = (f"{toml_key(path)} = {_value(value)}" for path, value in condition.items())
    return f"{{ {', '.join(fields)} }}"


def _value(value: object) -> str:
    return toml_text(value) if isinstance(value, str) else json.dumps(value)


def _list(conditions: Sequence[Condition]) -> str:
    return f"[{', '.join(map(condition_text, conditions))}]"


def protocol_text(draft: Draft, name: str) -> str:
    """The whole protocol, valid as it is where the capture had a message."""
    return "\n".join([*_head(draft, name), *_connect(draft), *_turn(draft), *_events(draft)]) + "\n"


def _head(draft: Draft, name: str) -> Iterator[str]:
    yield f"# The protocol of {name}, drafted from a capture. Every line is a guess: correct it."
    yield "#"
    yield f"# Check it:      loadtest protocols check {name}.protocol.toml --capture FRAMES.jsonl"
    yield f"# Try it:        loadtest try {name}.toml"
    for note in draft.notes:
        yield f"# To look at:    {note}"
    yield f"name = {toml_text(name)}"
    if draft.codec:
        yield f"codec = {toml_text(draft.codec)}"
    if draft.split:
        yield ""
        yield "[framing]                # several records in a frame"
        yield f"split = {toml_text(draft.split)}"


def _connect(draft: Draft) -> Iterator[str]:
    if not (draft.ready or draft.heartbeat):
        return
    yield ""
    yield "[connect]"
    if draft.ready:
        yield "ready = [                  # what came and went before the first turn"
        for condition, text, kept in draft.ready:
            if condition is None:
                yield f"  {{ send = {toml_text(text)} }},"
                continue
            keep = ", ".join(f"{key} = {toml_text(path)}" for key, path in kept.items())
            on = on_text(condition, typed=bool(draft.type) or not draft.json)
            yield f"  {{ wait = {on}{f', keep = {{ {keep} }}' if keep else ''} }},"
        yield "]"
    if draft.heartbeat:
        yield "heartbeat = ["
        for beat in draft.heartbeat:
            yield f"  {{ on = {condition_text(beat.on)}, send = {toml_text(beat.send)} }},"
        yield "]"


def on_text(condition: Condition, *, typed: bool) -> str:
    """A condition where one MATCH is wanted, written as a table."""
    if isinstance(condition, str) and typed:
        return f"{{ type = {toml_text(condition)} }}"
    return condition_text(condition)


def _turn(draft: Draft) -> Iterator[str]:
    yield ""
    yield "[turn]"
    if draft.turn_id:
        yield f"id = {toml_text(draft.turn_id)}"
    yield f"message = {toml_text(draft.message)}"


def _events(draft: Draft) -> Iterator[str]:
    yield ""
    yield "[events]"
    if not draft.json:
        yield 'format = "opaque"           # no message that came is a JSON object'
    for key, value in event_lines(draft).items():
        yield f"{key} = {value}"


def event_lines(draft: Draft) -> dict[str, str]:
    """The keys of [events] that a draft gives, with their values as TOML."""
    lines: dict[str, str] = {}
    if draft.type:
        lines["type"] = _list(list(draft.type))
    if draft.turn:
        lines["turn"] = _list(list(draft.turn))
    elif draft.json:
        lines["match"] = '"order"'
    if draft.sequence:
        lines["sequence"] = _list([draft.sequence])
        if draft.sequence_start:
            lines["sequence_start"] = str(draft.sequence_start)
    if draft.first:
        lines["first"] = _list(draft.first)
    if draft.end:
        lines["end"] = _list(draft.end)
    if draft.count is not None:
        lines["count"] = str(draft.count)
    fails = _fails(draft)
    if fails:
        lines["fail"] = f"[{', '.join(fails)}]"
    if draft.ignore:
        lines["ignore"] = _list(draft.ignore)
    return lines


def _fails(draft: Draft) -> list[str]:
    """What a turn fails by: what the capture has of it, and what errors mostly look like."""
    fails = [condition_text(each) for each in draft.fail]
    if draft.has_errors:
        fails.append('{ has = "error" }')
        if unseen := [each for each in ERROR_TYPES if each not in draft.good_types]:
            fails.append(f"{{ type = {{ in = {_list(unseen)} }} }}")
    return fails


def rows_text(rows: Sequence[dict[str, str]]) -> str:
    """Rows of data as TOML: what stood in the messages of the capture."""
    lines = (
        f"  {{ {', '.join(f'{toml_key(key)} = {toml_text(value)}' for key, value in row.items())} }},\n"
        for row in rows
    )
    return f"[\n{''.join(lines)}]"
