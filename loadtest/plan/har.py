"""The WebSockets of a HAR file, as browsers save them (``_webSocketMessages``)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadtest.errors import ConfigError, Problem
from loadtest.plan.capture import MAX_FRAMES, MAX_SECONDS, CapturedFrame
from loadtest.plan.identifiers import is_token
from loadtest.plan.plain_json import is_cut
from loadtest.units import format_count

MAX_HAR_BYTES = 256 << 20

TEXT_OPCODE, BINARY_OPCODE = 1, 2

MAX_TOLD = 10
"""Sockets that a message names."""


@dataclass(frozen=True, slots=True)
class HarSocket:
    """One WebSocket of a HAR file: where it led, what its upgrade carried, and its messages.

    ``earlier`` are the entries of the file before its own.
    """

    url: str
    headers: Mapping[str, str]
    frames: tuple[CapturedFrame, ...]
    earlier: tuple[object, ...] = ()

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """What was offered; a name that no client can offer is left out."""
        offered = self.headers.get("sec-websocket-protocol", "")
        return tuple(name for each in offered.split(",") if is_token(name := each.strip()))


def read_har(path: Path, wanted: str | None = None) -> HarSocket:
    """The one WebSocket of a file; of several, the one whose URL holds ``wanted``.

    Raises:
        ConfigError: the file cannot be read, or holds no such socket, or several.
    """
    where = str(path)
    try:
        if path.stat().st_size > MAX_HAR_BYTES:
            raise ConfigError([Problem(where, f"the file is larger than {MAX_HAR_BYTES >> 20} MiB")])
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError([Problem(where, "the file is not UTF-8 text, so it is not a HAR file")])
    except OSError as error:
        raise ConfigError([Problem(where, f"the file cannot be read: {error.strerror or error}")])
    return parse_har(text, where, wanted)


def parse_har(text: str, where: str, wanted: str | None = None) -> HarSocket:
    """As ``read_har``, of a file's text; ``where`` is what messages call it.

    Raises:
        ConfigError: as ``read_har``.
    """
    try:
        document = json.loads(text)
    except RecursionError:
        raise ConfigError([Problem(where, "the JSON in this file is nested too deeply")])
    except ValueError as error:
        cut = (
            "the file ends in the middle of its JSON; save it again from the browser"
            if is_cut(error, text)
            else f"the file is not JSON: {error}"
        )
        raise ConfigError([Problem(where, cut)])
    entries = document.get("log", {}) if isinstance(document, dict) else {}
    entries = entries.get("entries") if isinstance(entries, dict) else None
    if not isinstance(entries, list):
        raise ConfigError([Problem(where, "this is not a HAR file: it has no `log.entries`")])
    sockets = [
        replace(_socket(entry, where), earlier=tuple(entries[:at]))
        for at, entry in enumerate(entries)
        if _is_socket(entry)
    ]
    return _chosen(sockets, where, wanted, len(entries))


def _is_socket(entry: object) -> bool:
    return isinstance(entry, Mapping) and (
        isinstance(entry.get("_webSocketMessages"), list) or _url_of(entry).startswith(("ws://", "wss://"))
    )


def _url_of(entry: Mapping[str, Any]) -> str:
    request = entry.get("request")
    url = request.get("url") if isinstance(request, Mapping) else None
    text = url if isinstance(url, str) else ""
    # Browsers write either: the page's script says ws, the request is one of HTTP.
    return (
        text.replace("http", "ws", 1) if text.startswith("http") and "_webSocketMessages" in entry else text
    )


def _socket(entry: Mapping[str, Any], where: str) -> HarSocket:
    found = entry.get("_webSocketMessages")
    messages = [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    if len(messages) > MAX_FRAMES:
        raise ConfigError(
            [
                Problem(
                    where,
                    f"a WebSocket in this file has more than {MAX_FRAMES:,} messages; record a shorter"
                    " session",
                )
            ]
        )
    times = [float(each["time"]) for each in messages if _is_number(each.get("time"))]
    began = min(times, default=0.0)
    if max(times, default=0.0) - began > MAX_SECONDS:
        raise ConfigError(
            [
                Problem(
                    where,
                    "the messages of a WebSocket in this file are decades apart: one of their times is wrong",
                )
            ]
        )
    frames = tuple(frame for each in messages for frame in _frame(each, began))
    request = entry.get("request")
    headers = request.get("headers") if isinstance(request, Mapping) else None
    named = {
        str(each.get("name", "")).lower(): str(each.get("value", ""))
        for each in (headers if isinstance(headers, list) else [])
        if isinstance(each, Mapping)
    }
    # Stable: messages of one instant stay in the order of the file.
    return HarSocket(_url_of(entry), named, tuple(sorted(frames, key=lambda frame: frame.at_ns)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _frame(message: Mapping[str, Any], began: float) -> Iterator[CapturedFrame]:
    """The message; nothing where it is none of text or binary data."""
    data, opcode, way = message.get("data"), message.get("opcode"), message.get("type")
    at = message.get("time")
    if not isinstance(data, str) or str(way) not in {"send", "receive"} or not _is_number(at):
        return
    at_ns = round((float(at) - began) * 1e9) if isinstance(at, int | float) else 0
    if opcode == TEXT_OPCODE:
        yield CapturedFrame(at_ns, way == "receive", data.encode("utf-8", "surrogatepass"))
    elif opcode == BINARY_OPCODE:
        try:
            yield CapturedFrame(at_ns, way == "receive", base64.b64decode(data, validate=True), binary=True)
        except (binascii.Error, ValueError):
            return


def _chosen(sockets: list[HarSocket], where: str, wanted: str | None, entries: int) -> HarSocket:
    """The one that is meant.

    Raises:
        ConfigError: there is none, or more than one.
    """
    if not sockets:
        sentence = (
            f"the file has {format_count(entries)} requests, but no WebSocket; record again while the page"
            " opens its WebSocket"
        )
        raise ConfigError([Problem(where, sentence)])
    fitting = [each for each in sockets if wanted is None or wanted in each.url]
    spoken = [each for each in fitting if each.frames]
    if len(spoken) == 1:
        return spoken[0]
    told = ", ".join(
        f"{each.url.partition('?')[0]} ({len(each.frames)} messages)" for each in sockets[:MAX_TOLD]
    )
    if not fitting:
        raise ConfigError(
            [
                Problem(
                    where,
                    f"no WebSocket in this file has {wanted!r} in its URL; the file has {told}",
                )
            ]
        )
    if not spoken:
        sentence = (
            f"the file has WebSockets ({told}), but none of their messages; record with Chromium, which saves"
            " messages"
        )
        raise ConfigError([Problem(where, sentence)])
    raise ConfigError(
        [
            Problem(
                where,
                f"the file contains several WebSockets; choose one with --socket: {told}",
            )
        ]
    )
