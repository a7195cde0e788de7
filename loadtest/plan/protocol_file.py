"""Protocols from TOML and from plain data, checked whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from loadtest.plan.default_prompts import QUESTIONS
from loadtest.plan.folder import PROTOCOL, check_kind
from loadtest.plan.identifiers import is_name, is_token
from loadtest.plan.names import ANYWHERE, TURN, USER, columns, unknown_names
from loadtest.plan.protocol import Beat, Connect, Events, Match, Protocol, Step, TurnShape
from loadtest.plan.shipped import find
from loadtest.plan.template import Template
from loadtest.plan.toml_reader import Source, Table, read_document, told

DEEPEST_PATH = 8

EVENT_TYPES = ("first", "end", "fail", "required", "order", "ignore", "refuse")


def load_protocol(ref: str | Path, base: Path | None = None) -> Protocol:
    """The protocol in a TOML file, or the shipped one of that name; paths are relative to ``base``.

    Raises:
        ConfigError: every mistake in it, with its line.
    """
    path, name = find("protocol", str(ref), base or Path())
    document = read_document(path, name)
    check_kind(document.data, PROTOCOL, name)
    source = Source(name, document.lines)
    protocol = read_protocol(Table(document.data, source), path.stem, document.comment)
    source.finish()
    return protocol


def protocol_from_settings(settings: Mapping[str, object]) -> Protocol:
    """The protocol that ``protocol_settings`` made plain.

    Raises:
        ConfigError: it was not made so.
    """
    source = Source("settings")
    protocol = read_protocol(Table(settings, source), "")
    source.finish()
    return protocol


def read_protocol(table: Table, name: str, about: str = "") -> Protocol:
    """A protocol from its table; mistakes are reported to the table's source.

    ``name`` and ``about`` hold where the table does not say.
    """
    found = [len(table.source.problems)]
    connect = _read_connect(table.table("connect"))
    found.append(len(table.source.problems))
    events = _read_events(table.table("events"))
    found.append(len(table.source.problems))
    protocol = Protocol(
        name=_read_name(table, name),
        about=table.text("about", about),
        connect=connect,
        turn=_read_turn(table.table("turn")),
        events=events,
    )
    table.close()
    # What a broken table says of its own is no ground to find fault with another.
    if found[2] == found[1]:
        _check_events(table, protocol)
    if not Template.parse(protocol.turn.id).names & {"uuid", "turn.number"}:
        sentence = "`id` must hold {uuid} or {turn.number}, so that each turn has its own"
        table.source.report((*table.path, "turn", "id"), sentence)
    for path, sentence in _unknown_placeholders(protocol, kept=found[1] == found[0]):
        table.source.report((*table.path, *path), sentence)
    return protocol


def kept_names(protocol: Protocol, steps: int | None = None) -> list[str]:
    """``ready.NAME`` of everything the first ready steps keep, or all of them."""
    return [f"ready.{name}" for step in protocol.connect.ready[:steps] for name in step.keep]


def templates(protocol: Protocol) -> Iterator[tuple[tuple[str | int, ...], str, list[str]]]:
    """Every template of a protocol: its place, its text, and the names known there beside those of users."""
    for index, step in enumerate(protocol.connect.ready):
        if step.send is not None:
            yield ("connect", "ready", index, "send"), step.send, [*ANYWHERE, *kept_names(protocol, index)]
    kept = kept_names(protocol)
    for index, beat in enumerate(protocol.connect.heartbeat):
        yield ("connect", "heartbeat", index, "send"), beat.send, [*ANYWHERE, *kept]
    yield ("turn", "id"), protocol.turn.id, [*ANYWHERE, "turn.number"]
    yield ("turn", "message"), protocol.turn.message, [*ANYWHERE, *TURN, *kept]


def _unknown_placeholders(protocol: Protocol, *, kept: bool) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What a protocol can know by itself: the columns of users and data are the scenario's.

    ``kept``: what its ready steps keep is known.
    """
    for path, text, known in templates(protocol):
        groups = ["user", "data"] if path == ("turn", "message") else ["user"]
        for sentence in unknown_names(text, known, groups if kept else [*groups, "ready"]):
            yield path, sentence


def asked_columns(protocol: Protocol) -> list[str]:
    """``user.COLUMN`` and ``data.COLUMN`` of its templates that only a scenario's own rows can have."""
    texts = (text for _, text, _ in templates(protocol))
    names = {name for text in texts for name in Template.parse(text).names}
    given = {*USER, *columns("data", QUESTIONS)}
    return sorted(name for name in names - given if name.startswith(("user.", "data.")))


def _read_name(table: Table, default: str) -> str:
    name = table.text("name", default)
    if name and not is_name(name):
        table.report("name", f"`name` must be of letters, digits, `.`, `_` and `-`, not {told(name)}")
    return name


def _read_connect(table: Table) -> Connect:
    connect = Connect(
        path=table.text("path", "/"),
        subprotocols=table.texts("subprotocols"),
        ready=tuple(_read_step(step) for step in table.tables("ready")),
        heartbeat=tuple(_read_beat(beat) for beat in table.tables("heartbeat")),
        auth_errors=table.texts("auth_errors"),
    )
    if not connect.path.startswith("/") or any(c.isspace() or c == "#" for c in connect.path):
        table.report("path", f"`path` must begin with `/` and hold no space and no `#`: {told(connect.path)}")
    if Template.parse(connect.path).names:
        table.report("path", "`path` is the same for all users and has no placeholders")
    for each in connect.subprotocols:
        if not is_token(each):
            table.report("subprotocols", f"{told(each)} cannot be a subprotocol: no spaces, no separators")
    table.close({"message": "it belongs to [turn]", "type": "it belongs to [events]"})
    return connect


def _read_step(table: Table) -> Step:
    step = Step(
        wait=_read_match(table, "wait"),
        send=table.text("send", None),
        pause_ns=table.duration("pause", None),
        within_ns=table.duration("within", 10_000_000_000, positive=True),
        keep=table.pairs("keep"),
    )
    kinds = [key for key in ("wait", "send", "pause") if table.has(key)]
    if len(kinds) != 1:
        table.source.report(table.path, f"a step has one of `wait`, `send` and `pause`, not {len(kinds)}")
    for key in ("within", "keep"):
        if table.has(key) and not table.has("wait"):
            table.report(key, f"`{key}` goes with `wait` only")
    for name, path in step.keep.items():
        if not name.replace("_", "").isalnum() or not name.isascii():
            table.report("keep", f"{told(name)} cannot be kept: a name has letters, digits and `_` only")
        _check_path(table, "keep", path)
    table.close()
    return step


def _read_beat(table: Table) -> Beat:
    match = _read_match(table, "on")
    send = table.text("send", None)
    if not table.has("on") or not table.has("send"):
        table.source.report(table.path, "a heartbeat needs both `on` and `send`")
    table.close()
    return Beat(on=match or {}, send=send or "")


def _read_match(table: Table, key: str) -> Match | None:
    """What a message must carry; None where nothing usable was written."""
    match = table.pairs(key)
    if not match and table.data.get(key) == {}:
        table.report(key, f'`{key}` must say what to look for, such as {{ type = "ready" }}')
    for path in match:
        _check_path(table, key, path)
    return match or None


def _read_turn(table: Table) -> TurnShape:
    turn = TurnShape(
        id=table.text("id", "{uuid}"),
        message=table.text("message", ""),
        encoding=table.choice("encoding", {"text": "text", "binary": "binary"}, "text"),
    )
    table.close(dict.fromkeys(("end", "first", "fail", "count"), "it belongs to [events]"))
    return turn


def _read_events(table: Table) -> Events:
    paths = {key: table.texts(key) for key in ("type", "turn", "user", "sequence")}
    for key, each in ((key, path) for key, found in paths.items() for path in found):
        _check_path(table, key, each)
    types = {key: table.texts(key) for key in EVENT_TYPES}
    opaque = table.data.get("format") == "opaque"
    events = Events(
        format=table.choice("format", {"json": "json", "opaque": "opaque"}, "json"),
        match=table.choice("match", {"id": "id", "order": "order"}, "order" if opaque else "id"),
        pairs=_read_pairs(table),
        count=table.integer("count", None, least=1),
        sequence_start=table.integer("sequence_start", 0),
        **paths,
        **types,
    )
    table.close({"message": "it belongs to [turn]", "id": "it belongs to [turn]; events have `turn`"})
    return events


def _read_pairs(table: Table) -> tuple[tuple[str, str], ...]:
    value = table.take("pairs")
    if value is None:
        return ()
    pairs = value if isinstance(value, list) else [value]
    found = []
    for index, pair in enumerate(pairs):
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(each, str) and each for each in pair):
            found.append((pair[0], pair[1]))
        else:
            path = (*table.path, "pairs", index)
            table.source.report(path, f'`pairs` must hold pairs such as ["begun", "done"], not {told(pair)}')
    return tuple(found)


def _check_path(table: Table, key: str, path: str) -> None:
    """A path is dotted keys, as in "data.run_id"."""
    parts = path.split(".")
    if not all(parts) or any(c.isspace() for c in path):
        table.report(key, f'{told(path)} is not a path; write keys and dots, such as "data.run_id"')
    elif len(parts) > DEEPEST_PATH:
        table.report(key, f"{told(path)} is deeper than {DEEPEST_PATH} keys")


def _check_events(table: Table, protocol: Protocol) -> None:
    """What the keys of [events] ask of each other."""
    events = protocol.events

    def report(key: str, sentence: str) -> None:
        table.source.report((*table.path, "events", key), sentence)

    typed = [key for key in (*EVENT_TYPES, "pairs") if getattr(events, key)]
    if events.format == "opaque":
        paths = [key for key in ("type", "turn", "user", "sequence") if getattr(events, key)]
        for key in [*paths, *typed]:
            report(key, f'`{key}` cannot be found in payloads of format "opaque"')
        if events.match == "id":
            report("match", 'payloads of format "opaque" carry no id; use match = "order"')
        return
    if typed and not events.type:
        report(typed[0], f"`{typed[0]}` names event types, but no `type` says where they stand")
    if events.match == "id" and not events.turn:
        report("turn", 'events are matched by id: `turn` must say where it stands; or use match = "order"')
    for first, second in (("end", "fail"), ("end", "ignore"), ("fail", "ignore"), ("required", "ignore")):
        for both in sorted(set(getattr(events, first)) & set(getattr(events, second))):
            report(second, f"{told(both)} cannot be in both `{first}` and `{second}`")
