"""Protocols from TOML and from plain data, checked whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from loadtest.plan.chunks import CHUNK_NAMES
from loadtest.plan.default_prompts import QUESTIONS
from loadtest.plan.folder import PROTOCOL, check_kind
from loadtest.plan.framing import read_codec, read_framing
from loadtest.plan.identifiers import is_name, is_token
from loadtest.plan.kept_values import kept_names, step_keeps
from loadtest.plan.match import Match, conditions, kept_by, match_words
from loadtest.plan.match_file import check_keep, check_path, read_match, read_matches, read_pairs
from loadtest.plan.messages_file import read_messages
from loadtest.plan.period import parse_period
from loadtest.plan.placeholder_names import (
    ANYWHERE,
    HEARTBEAT_NUMBER,
    IN_MESSAGES,
    SECRETS,
    TURN,
    USER,
    columns,
    unknown_names,
)
from loadtest.plan.prepare import METHODS, PREPARED, HttpRequest, finish_request, read_json
from loadtest.plan.protocol import (
    FIELDS,
    KIND_RULES,
    Adopt,
    AutoReply,
    Connect,
    CountAt,
    Events,
    Leave,
    Protocol,
    ReadyStep,
    SentAt,
    TimedBeat,
    TurnKind,
    TurnShape,
)
from loadtest.plan.regex import problem_of
from loadtest.plan.shipped import find
from loadtest.plan.template import EVENT, KEPT, Template
from loadtest.plan.toml_lines import KeyPath
from loadtest.plan.toml_reader import Source, TomlTable, nearest, quoted, read_document
from loadtest.plan.unmeasured import has_uuid

EVENT_TYPES = ("first", "audio", "end", "end_all", "fail", "required", "order", "ignore", "refuse", "keep")

MAX_ENDS = 16
"""Maximum entries of `end_all`."""

KIND_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""What a kind of turn may be called: it stands in the names of metrics."""

MAX_KEPT = 64
"""Maximum names under which a protocol keeps values: each costs every connection memory."""

IN_TURN = (*IN_MESSAGES, *TURN)
"""What a message of a turn may ask for; what has no turn to belong to has no trace."""

INTERRUPT = "interrupt"

AT_TOP = {"answer": "events", "heartbeat": "connect"}
"""Lists that may also stand at the top, as in ``[[answer]]``, and the table that they belong to."""


def load_protocol(ref: str | Path, base: Path | None = None) -> Protocol:
    """The protocol in a TOML file, or the shipped one of that name; paths are relative to ``base``.

    Raises:
        ConfigError: every mistake in it, with its line.
    """
    path, name = find("protocol", str(ref), base or Path())
    document = read_document(path, name)
    check_kind(document.data, PROTOCOL, name)
    source = Source(name, document.lines, base=path.parent.absolute())
    protocol = read_protocol(TomlTable(document.data, source), path.stem, document.comment)
    source.finish()
    return protocol


def read_protocol(table: TomlTable, name: str, about: str = "") -> Protocol:
    """A protocol from its table; mistakes are reported to the table's source.

    ``name`` and ``about`` hold where the table does not say.
    """
    _check_twice(table)
    found = [len(table.source.problems)]
    connect = _read_connect(table.table("connect"), _one_or_more(table, "heartbeat"))
    found.append(len(table.source.problems))
    events = _read_events(table.table("events"), _one_or_more(table, "answer"))
    found.append(len(table.source.problems))
    turn = _read_turn(table.table("turn"))
    protocol = Protocol(
        name=_read_name(table, name),
        about=table.text("about", about),
        held_against=table.text("held_against", ""),
        follows=table.text("follows", ""),
        framing=read_framing(table.table("framing")),
        codec=read_codec(table),
        connect=connect,
        turn=turn,
        events=events,
        turns=_read_kinds(table.table("turns"), turn, events),
    )
    table.close()
    if found[1] == found[0]:
        _check_dictated(table, connect)
    # What a broken table says of its own is no ground to find fault with another.
    if found[2] == found[1]:
        _check_events(table, protocol)
        _check_streams(table, protocol)
        for name_, kind in protocol.turns.items():
            _check_kind(table, protocol, name_, kind)
    if not Template.parse(protocol.turn.id).names & {"uuid", "turn.number"}:
        sentence = "`id` must contain {uuid} or {turn.number}, so that each turn has a different id"
        table.source.report((*table.path, "turn", "id"), sentence)
    for path, sentence in _unknown_placeholders(protocol, kept=found[2] == found[0]):
        table.source.report(_written_at(table, path), sentence)
    names = {name for name in kept_names(protocol) if name.startswith(KEPT)}
    if len(names) > MAX_KEPT:
        table.source.report(
            table.path,
            f"the `keep` tables of the protocol have {len(names)} names; at most {MAX_KEPT} are allowed",
        )
    return protocol


def _written_at(table: TomlTable, path: KeyPath) -> KeyPath:
    """The path of what may also stand at the top, as it was written."""
    return (*table.path, *(path[1:] if path[1] in AT_TOP and table.has(str(path[1])) else path))


def _check_twice(table: TomlTable) -> None:
    """A list that is written as a table of its own is not written in the table it belongs to as well."""
    for key, of in AT_TOP.items():
        if table.has(key) and isinstance(owner := table.data.get(of), Mapping) and key in owner:
            table.report(key, f"`{key}` is written both here and in [{of}]; remove one of them")


def _one_or_more(table: TomlTable, key: str) -> list[TomlTable]:
    """A list of tables, or one table."""
    return [table.table(key)] if isinstance(table.data.get(key), Mapping) else table.tables(key)


def templates(protocol: Protocol) -> Iterator[tuple[tuple[str | int, ...], str, list[str]]]:
    """Every template of a protocol: its place, its text, and the names known there beside those of users."""
    for index, step in enumerate(protocol.connect.ready):
        if step.send is not None:
            yield ("connect", "ready", index, "send"), step.send, [*IN_MESSAGES, *kept_names(protocol, index)]
    kept = kept_names(protocol)
    for key, beats in (("heartbeat", protocol.connect.heartbeat), ("answer", protocol.events.answer)):
        for index, beat in enumerate(beats):
            of_event = [name for name in Template.parse(beat.send).names if name.startswith(EVENT)]
            known = [*IN_MESSAGES, *kept, *(of_event if isinstance(beat, AutoReply) else [HEARTBEAT_NUMBER])]
            yield (AT_TOP[key], key, index, "send"), beat.send, known
    if protocol.connect.leave is not None:
        yield ("connect", "leave", "send"), protocol.connect.leave.send, [*IN_MESSAGES, *kept]
    if protocol.events.audience:
        yield ("events", "audience"), protocol.events.audience, ["run.id"]
    yield ("turn", "id"), protocol.turn.id, [*ANYWHERE, "turn.number"]
    for path, text, names in _message_templates(("turn",), protocol.turn):
        yield path, text, [*names, *kept]
    for name, kind in protocol.turns.items():
        if kind.turn != protocol.turn:
            for path, text, names in _message_templates(("turns", name), kind.turn):
                yield path, text, [*names, *kept]


def _message_templates(
    place: tuple[str | int, ...], turn: TurnShape
) -> Iterator[tuple[tuple[str | int, ...], str, tuple[str, ...]]]:
    """The templates of one kind of turn, each with its place and the names known in it."""
    if turn.send is not None:
        yield (*place, "send"), turn.send.text, IN_TURN
        return
    yield (*place, "message"), turn.message, IN_TURN
    for index, step in enumerate(turn.messages):
        at = (*place, "messages", index)
        if step.send is not None:
            yield at, step.send, IN_TURN
        elif step.chunks is not None:
            yield (*at, "message"), step.chunks.message, (*ANYWHERE, *TURN, *CHUNK_NAMES)
        elif step.interrupt is not None:
            yield (*at, INTERRUPT, "send"), step.interrupt.send, IN_TURN[:-1]


def is_message(path: tuple[str | int, ...]) -> bool:
    """Whether the template at a place of a protocol is a message of a turn; an interruption is none."""
    within = path[1:] if path[0] == "turn" else path[2:] if path[0] == "turns" else ()
    return bool({"message", "messages", "send"}.intersection(within[:1])) and INTERRUPT not in within


def _unknown_placeholders(protocol: Protocol, *, kept: bool) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What a protocol can know by itself: the columns of users and data are the scenario's.

    ``kept``: what its ready steps keep is known.
    """
    for path, text, known in templates(protocol):
        groups = ["user", "data", PREPARED] if is_message(path) else ["user", PREPARED]
        groups += SECRETS if path[-1] == "send" or is_message(path) else ()
        for sentence in unknown_names(text, known, groups if kept else [*groups, "ready", "kept", "last"]):
            yield path, sentence


def asked_columns(protocol: Protocol) -> list[str]:
    """``user.COLUMN`` and ``data.COLUMN`` of its templates that only a scenario's own rows can have."""
    texts = (text for _, text, _ in templates(protocol))
    names = {name for text in texts for name in Template.parse(text).names}
    given = {*USER, *columns("data", QUESTIONS)}
    return sorted(name for name in names - given if name.startswith(("user.", "data.")))


def _read_name(table: TomlTable, default: str) -> str:
    name = table.text("name", default)
    if name and not is_name(name):
        table.report("name", f"`name` must consist of letters, digits, `.`, `_` and `-`, not {quoted(name)}")
    return name


def _read_connect(table: TomlTable, beats: list[TomlTable]) -> Connect:
    connect = Connect(
        path=table.text("path", "/"),
        subprotocols=table.texts("subprotocols"),
        ready=tuple(_read_step(step) for step in table.tables("ready")),
        heartbeat=tuple(_read_heartbeat(beat) for beat in (*beats, *_one_or_more(table, "heartbeat"))),
        auth_errors=read_matches(table, "auth_errors"),
        leave=_read_leave(table.table("leave")) if table.has("leave") else None,
    )
    if not connect.path.startswith("/") or any(c.isspace() or c == "#" for c in connect.path):
        table.report(
            "path",
            f"`path` must begin with `/` and contain neither spaces nor `#`, not {quoted(connect.path)}",
        )
    if Template.parse(connect.path).names:
        table.report("path", "`path` is the same for all users, so it cannot have placeholders")
    if any(map(kept_by, connect.auth_errors)):
        table.report("auth_errors", "remove `keep` from `auth_errors`: nothing is sent after such an error")
    for each in connect.subprotocols:
        if not is_token(each):
            table.report(
                "subprotocols",
                f"{quoted(each)} cannot be a subprotocol: spaces and separators such as `,` are not allowed",
            )
    table.close({"message": "this key belongs to [turn]", "type": "this key belongs to [events]"})
    return connect


def _read_step(table: TomlTable) -> ReadyStep:
    step = ReadyStep(
        wait=read_match(table, "wait"),
        send=table.text("send", None),
        pause_ns=table.duration("pause", None),
        within_ns=table.duration("within", 10_000_000_000, positive=True),
        keep=table.pairs("keep"),
    )
    kinds = [key for key in ("wait", "send", "pause") if table.has(key)]
    if len(kinds) != 1:
        table.source.report(
            table.path,
            f"a step must have exactly one of `wait`, `send` and `pause`, not {len(kinds)}",
        )
    for key in ("within", "keep"):
        if table.has(key) and not table.has("wait"):
            table.report(key, f"`{key}` needs `wait`")
    check_keep(table, (*table.path, "keep"), step.keep)
    table.close()
    return step


def _read_leave(table: TomlTable) -> Leave:
    leave = Leave(send=table.text("send", ""), wait=read_match(table, "wait"))
    if not leave.send:
        table.source.report(
            table.path,
            "`leave` needs `send`, the message that loadtest sends before it closes",
        )
    if leave.wait is not None and kept_by(leave.wait):
        table.report("wait", "remove `keep` from the `wait` of `leave`: nothing is sent after it")
    table.close()
    return leave


def _read_heartbeat(table: TomlTable) -> AutoReply | TimedBeat:
    return _read_timed_beat(table) if table.has("every") else _read_auto_reply(table)


def _read_timed_beat(table: TomlTable) -> TimedBeat:
    every = table.text("every", None)
    send = table.text("send", None)
    beat = TimedBeat(
        every=every or "",
        send=send or "",
        answer=read_match(table, "answer"),
        within_ns=table.duration("within", 10_000_000_000, positive=True),
    )
    if table.has("on"):
        table.take("on")
        table.report("on", "write either `on` (reply to the target) or `every` (send on a timer), not both")
    if not table.has("send"):
        table.source.report(table.path, "a heartbeat with `every` also needs `send`, its message")
    if table.has("within") and not table.has("answer"):
        table.report("within", "`within` limits the time until `answer`: add `answer`, or remove `within`")
    try:
        interval = parse_period(every) if every else None
    except ValueError as error:
        table.report("every", f"`every`: {error}")
    else:
        written_ns = interval.ns if interval is not None else None
        if written_ns is not None and table.has("within") and beat.within_ns > written_ns:
            sentence = (
                "`within` is longer than `every`; make it shorter, so that each answer is due before the next"
                " heartbeat"
            )
            table.report("within", sentence)
    table.close()
    return beat


def _check_dictated(table: TomlTable, connect: Connect) -> None:
    """What dictates an interval is kept by a ready step: heartbeats begin when the connection is ready."""
    kept = [name for step in connect.ready for name in step_keeps(step)]
    for index, beat in enumerate(connect.heartbeat):
        name = parse_period(beat.every).name if isinstance(beat, TimedBeat) else ""
        if name and name not in kept:
            sentence = f"`every` uses `{name}`, but no ready step keeps it; {nearest(name, kept)}"
            table.source.report(_written_at(table, ("connect", "heartbeat", index, "every")), sentence)


def _read_auto_reply(table: TomlTable, what: str = "a heartbeat") -> AutoReply:
    match = read_match(table, "on")
    send = table.text("send", None)
    keep = table.pairs("keep")
    check_keep(table, (*table.path, "keep"), keep)
    if not table.has("on") or not table.has("send"):
        table.source.report(table.path, f"{what} needs both `on` and `send`")
    table.close()
    return AutoReply(on=match or {}, send=send or "", keep=keep)


def _read_turn(table: TomlTable) -> TurnShape:
    turn = TurnShape(
        id=table.text("id", "{uuid}"),
        message=table.text("message", ""),
        messages=read_messages(table),
        send=_read_send(table),
        encoding=table.choice("encoding", {"text": "text", "binary": "binary"}, "text"),
    )
    if turn.send is not None and turn.encoding != "text":
        table.report("encoding", "remove `encoding`: `send` is an HTTP request, which has no frames")
    table.close(dict.fromkeys(("end", "first", "fail", "count"), "this key belongs to [events]"))
    return turn


def _read_send(table: TomlTable) -> HttpRequest | None:
    """The request by which a turn's message goes; None where not written, or wrong, which is reported."""
    if not table.has("send"):
        return None
    if not isinstance(table.data.get("send"), Mapping):
        form = '{ post = "/path", json = { ... } }'
        table.report("send", f"`send` must be a request such as {form}, not {quoted(table.take('send'))}")
        return None
    for key in ("message", "messages"):
        if table.has(key):
            table.report(key, f"`send` and `{key}` both set what is sent; remove one of them")
    own = table.table("send")
    request = finish_request(
        own,
        HttpRequest(
            **{method: own.text(method, "") for method in METHODS},
            headers=own.pairs("headers"),
            json=read_json(own, "json", None) if own.has("json") else None,
            form=own.pairs("form"),
        ),
    )
    own.close(
        {
            "within": "set the time limit of a turn as `timeout` in [traffic]",
            "expect": "200 to 299 is success",
        }
    )
    return request


def _read_kinds(table: TomlTable, turn: TurnShape, events: Events) -> dict[str, TurnKind]:
    """The kinds of turn, by name; what one does not say it has of ``turn`` and ``events``."""
    kinds = {}
    for name in table.data:
        if not KIND_NAME.fullmatch(name):
            table.report(
                name, f"{quoted(name)} cannot be the name of a kind of turn: use letters, digits, `_` and `-`"
            )
        kinds[name] = _read_kind(table.table(name), turn, events)
    return kinds


def _read_kind(table: TomlTable, turn: TurnShape, events: Events) -> TurnKind:
    message, messages, send = table.text("message", ""), read_messages(table), _read_send(table)
    written: dict[str, Any] = {
        key: read_pairs(table, key) if key == "pairs" else read_matches(table, key)
        for key in KIND_RULES
        if key != "count"
    }
    own = {key: found for key, found in written.items() if table.has(key)}
    count = table.integer("count", events.count, least=1)
    table.close(
        {
            **dict.fromkeys(
                ("id", "encoding"),
                "this key is the same for all kinds of turn; write it in [turn]",
            ),
            **dict.fromkeys(
                ("type", "turn", "user", "sequence", "ignore", "answer", "match", "format"),
                "this key is the same for all kinds of turn; write it in [events]",
            ),
        }
    )
    said = message or messages or send is not None
    shape = replace(turn, message=message, messages=messages, send=send) if said else turn
    return TurnKind(turn=shape, events=replace(events, count=count, **own))


def _check_kind(table: TomlTable, protocol: Protocol, name: str, kind: TurnKind) -> None:
    """What the rules of a kind of turn ask of each other, and of those that all kinds share."""
    own = table.table("turns").table(name)
    matches: dict[str, tuple[Match, ...]] = {key: getattr(kind.events, key) for key in EVENT_TYPES}
    matches["pairs"] = tuple(each for pair in kind.events.pairs for each in pair)
    for key, both in _contradictions(matches):
        written = [each for each in (key, *KIND_RULES) if own.has(each) and f"`{each}`" in both]
        if written:
            own.report(written[0], both)
    if len(kind.events.end_all) > MAX_ENDS and own.has("end_all"):
        own.report(
            "end_all",
            f"`end_all` may have at most {MAX_ENDS} entries, not {len(kind.events.end_all)}",
        )
    if protocol.events.type or protocol.events.format == "opaque":
        return
    for key, found in matches.items():
        if own.has(key) and any(isinstance(each, str) and each != "*" for each in found):
            own.report(
                key,
                f"`{key}` names event types; add `type` to [events], the path of the type in an event",
            )


def _read_events(table: TomlTable, answers: list[TomlTable]) -> Events:
    paths = {key: table.texts(key) for key in FIELDS}
    format_ = table.choice("format", {"json": "json", "opaque": "opaque", "text": "text"}, "json")
    pattern = _read_pattern(table, format_)
    if format_ == "text":
        paths = _fields_of(pattern)
    for key, each in ((key, path) for key, found in paths.items() for path in found):
        check_path(table, (*table.path, key), each)
    matches = {key: read_matches(table, key) for key in EVENT_TYPES}
    by_order = format_ == "opaque" or (format_ == "text" and not paths["turn"])
    events = Events(
        format=cast("Literal['json', 'opaque', 'text']", format_),
        pattern=pattern,
        match=table.choice("match", {"id": "id", "order": "order"}, "order" if by_order else "id"),
        ordered=table.flag("ordered"),
        pairs=read_pairs(table, "pairs"),
        answer=tuple(
            _read_auto_reply(each, "an answer") for each in (*answers, *_one_or_more(table, "answer"))
        ),
        count=_read_count(table),
        adopt=tuple(_read_adopt(each) for each in _one_or_more(table, "adopt")),
        sequence_start=table.integer("sequence_start", 0),
        sent_at=_read_sent_at(table),
        audience=table.text("audience", ""),
        type=paths["type"],
        turn=paths["turn"],
        user=paths["user"],
        sequence=paths["sequence"],
        **matches,
    )
    table.close(
        {
            "message": "this key belongs to [turn]",
            "id": "this key belongs to [turn]; in [events] write `turn`",
        }
    )
    return events


def _read_pattern(table: TomlTable, format_: str) -> str:
    """The pattern of texts, whose named groups are the fields of an event."""
    pattern = table.text("pattern", "")
    if format_ != "text":
        if table.has("pattern"):
            table.report("pattern", '`pattern` works only with format = "text"')
        return ""
    for key in FIELDS:
        if table.has(key):
            table.report(
                key,
                f'with format = "text", remove `{key}` and write it as a group of `pattern`: (?P<{key}>...)',
            )
    problem = problem_of(pattern) if pattern else None
    if problem is not None:
        table.report("pattern", f"`pattern`: {quoted(pattern)} {problem}")
        return ""
    if not pattern and not table.has("pattern"):
        table.report("format", 'format = "text" needs `pattern`, such as "(?P<type>[A-Z]+) (?P<turn>[0-9]+)"')
    return pattern


def _fields_of(pattern: str) -> dict[str, tuple[str, ...]]:
    """Where the fields of a text stand: each in the group of its name; every text has a type."""
    groups = {"type", *re.compile(pattern).groupindex}
    return {key: (key,) if key in groups else () for key in FIELDS}


def _read_adopt(table: TomlTable) -> Adopt:
    on = read_match(table, "on")
    path = table.text("id", None)
    if not table.has("on") or not table.has("id"):
        table.source.report(table.path, "`adopt` needs both `on` (a match) and `id` (a path)")
    if path is not None:
        check_path(table, (*table.path, "id"), path)
    table.close()
    return Adopt(on=on or {}, id=path or "")


TIME_UNITS = {unit: unit for unit in ("s", "ms", "us", "ns", "iso")}


def _read_sent_at(table: TomlTable) -> SentAt | None:
    """Where an event has the time it was sent at; None where not written, or wrong, which is reported."""
    if not table.has("sent_at"):
        return None
    if not isinstance(table.data.get("sent_at"), Mapping):
        written = quoted(table.take("sent_at"))
        table.report(
            "sent_at",
            f'`sent_at` must be a table such as {{ path = "PATH", unit = "ms" }}, not {written}',
        )
        return None
    stamped = table.table("sent_at")
    path, unit = stamped.text("path", None), stamped.choice("unit", TIME_UNITS, None)
    for key in ("path", "unit"):
        if not stamped.has(key):
            units = ", ".join(TIME_UNITS)
            what = "the path of the time" if key == "path" else f"the unit of the time: {units}"
            stamped.source.report(stamped.path, f"`sent_at` needs `{key}`, {what}")
    if path is not None:
        check_path(stamped, (*stamped.path, "path"), path)
    stamped.close()
    if path is None or unit is None:
        return None
    return SentAt(path=path, unit=cast("Literal['s', 'ms', 'us', 'ns', 'iso']", unit))


def _read_count(table: TomlTable) -> int | CountAt | None:
    """A number, or where an event says the number."""
    if not isinstance(table.data.get("count"), Mapping):
        return table.integer("count", None, least=1)
    counted = table.table("count")
    path = counted.text("path", None)
    if not counted.has("path"):
        counted.source.report(
            counted.path,
            '`count` needs `path`, the path of the number in an event, such as "d.chunks"',
        )
    if path is not None:
        check_path(counted, (*counted.path, "path"), path)
    of = read_match(counted, "of")
    counted.close()
    return CountAt(path=path or "", of=of)


def _check_events(table: TomlTable, protocol: Protocol) -> None:
    """What the keys of [events] ask of each other."""
    events = protocol.events

    def report(key: str, sentence: str) -> None:
        table.source.report((*table.path, "events", key), sentence)

    matches: dict[str, tuple[Match, ...]] = {key: getattr(events, key) for key in EVENT_TYPES}
    matches["pairs"] = tuple(each for pair in events.pairs for each in pair)
    for key, both in _contradictions(matches):
        report(key, both)
    if not all(map(kept_by, events.keep)):
        report("keep", "each entry of `keep` in [events] must itself have `keep`, a table of names and paths")
    if len(events.end_all) > MAX_ENDS:
        report("end_all", f"`end_all` may have at most {MAX_ENDS} entries, not {len(events.end_all)}")
    _check_order(events, report)
    _check_framing(table, protocol)
    if events.audience and not has_uuid(protocol):
        report("audience", "`audience` needs {uuid} in `id` of [turn], which shows the sender of a turn")
    if events.format != "opaque":
        _check_types(table, protocol, matches)
        if events.match == "id" and not events.turn and events.format == "text":
            report("match", "text events are matched by id: add the group (?P<turn>...) to `pattern`")
        elif events.match == "id" and not events.turn:
            report(
                "turn",
                'events are matched by id: write the path of the id as `turn`, or use match = "order"',
            )
        return
    for key in FIELDS:
        if getattr(events, key):
            report(key, f'remove `{key}`: loadtest does not read payloads with format = "opaque"')
    if events.match == "id":
        report("match", 'with format = "opaque" loadtest cannot read ids; use match = "order"')


def _check_streams(table: TomlTable, protocol: Protocol) -> None:
    """What an interruption and chunks ask of the rest of the protocol."""
    shapes: list[tuple[KeyPath, TurnShape, Events]] = [(("turn",), protocol.turn, protocol.events)]
    shapes += [
        (("turns", name), kind.turn, kind.events)
        for name, kind in protocol.turns.items()
        if kind.turn != protocol.turn
    ]
    for place, turn, events in shapes:
        for index, step in enumerate(turn.messages):
            at = (*table.path, *place, "messages", index)
            if step.interrupt is not None and not events.audio:
                missing = "name the audio events as `audio` in [events]"
                table.source.report(at, f"`interrupt` needs to know the first audio of an answer: {missing}")
            if step.chunks is not None and not step.chunks.message and protocol.codec is not None:
                table.source.report(
                    at,
                    "with a `codec`, send the chunks in a `message`: the codec makes the frames",
                )


def _check_framing(table: TomlTable, protocol: Protocol) -> None:
    """What `codec` and [framing] ask of the rest of the protocol."""
    framing, events = protocol.framing, protocol.events
    if protocol.codec is not None:
        if framing is not None:
            table.report("framing", "remove [framing] or `codec`: a codec splits its frames itself")
        if events.format != "json":
            _report_at(table, "events", "format", "remove `format`: with a codec every message is JSON")
        if protocol.turn.encoding != "text":
            _report_at(table, "turn", "encoding", "remove `encoding`: a codec makes its own frames")
    elif framing is not None and events.format != "json":
        for key in ("prefix", "batch", "binary"):
            if getattr(framing, key):
                _report_at(table, "framing", key, f'`{key}` works only with format = "json"')
    if framing is not None and framing.binary and "type" not in events.type:
        _report_at(
            table,
            "framing",
            "binary",
            '`binary` needs the path "type" in `type` of [events]: a binary frame becomes an event of the'
            ' type "binary"',
        )


def _report_at(table: TomlTable, *place: str) -> None:
    """Report a sentence, the last of ``place``, at the key before it."""
    *path, sentence = place
    table.source.report((*table.path, *path), sentence)


def _check_order(events: Events, report: Callable[[str, str], None]) -> None:
    """What is said of order, and of ids, goes with how events are matched."""
    if events.ordered and events.match == "id" and not events.adopt:
        report("ordered", '`ordered` works only with match = "order" or with `adopt`')
    if events.adopt and events.match == "order":
        report("adopt", 'remove `adopt` or match = "order": `adopt` works only if events are matched by id')


def _check_types(table: TomlTable, protocol: Protocol, matches: Mapping[str, tuple[Match, ...]]) -> None:
    """Where event types are named, the protocol says where they stand."""
    if protocol.events.type:
        return
    named = [
        key for key, found in matches.items() if any(isinstance(each, str) and each != "*" for each in found)
    ]
    if named:
        sentence = f"`{named[0]}` names event types; add `type` to [events], the path of the type in an event"
        table.source.report((*table.path, "events", named[0]), sentence)
    for path, match in _matches_outside(protocol):
        if isinstance(match, str):
            sentence = (
                f"{quoted(match)} is an event type; add `type` to [events], the path of the type in an event"
            )
            table.source.report(_written_at(table, path), sentence)


def _matches_outside(protocol: Protocol) -> Iterator[tuple[tuple[str | int, ...], Match]]:
    """The matches that are of no event of a turn, each with its place."""
    connect, events = protocol.connect, protocol.events
    for index, step in enumerate(connect.ready):
        if step.wait is not None:
            yield ("connect", "ready", index, "wait"), step.wait
    for index, match in enumerate(connect.auth_errors):
        yield ("connect", "auth_errors", index), match
    for index, heartbeat in enumerate(connect.heartbeat):
        if isinstance(heartbeat, AutoReply):
            yield ("connect", "heartbeat", index, "on"), heartbeat.on
        elif heartbeat.answer is not None:
            yield ("connect", "heartbeat", index, "answer"), heartbeat.answer
    if connect.leave is not None and connect.leave.wait is not None:
        yield ("connect", "leave", "wait"), connect.leave.wait
    for index, beat in enumerate(events.answer):
        yield ("events", "answer", index, "on"), beat.on
    yield from _waits(("turn",), protocol.turn)
    for name, kind in protocol.turns.items():
        yield from _waits(("turns", name), kind.turn)


def _waits(place: tuple[str | int, ...], turn: TurnShape) -> Iterator[tuple[tuple[str | int, ...], Match]]:
    """What a turn of several messages waits for."""
    for index, message in enumerate(turn.messages):
        if message.wait is not None:
            yield (*place, "messages", index, "wait"), message.wait


_EXCLUSIVE = (("end", "fail"), ("end", "ignore"), ("fail", "ignore"), ("required", "ignore"))


def _contradictions(matches: Mapping[str, tuple[Match, ...]]) -> Iterator[tuple[str, str]]:
    """Matches that stand in two lists that exclude each other: the key, and a sentence."""
    for first, second in _EXCLUSIVE:
        asked = [conditions(each) for each in matches[first]]
        both = [each for each in matches[second] if conditions(each) in asked]
        for words in sorted(match_words(each) for each in both):
            yield second, f"{quoted(words)} cannot be in both `{first}` and `{second}`"
