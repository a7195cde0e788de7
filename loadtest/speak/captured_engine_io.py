"""Both sides of a captured connection of Socket.IO, in the messages of the codec ``socketio``."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from loadtest.plan.capture import CapturedFrame
from loadtest.speak.codec.codec import Unreadable
from loadtest.speak.codec.json_values import compact
from loadtest.speak.codec.socketio import SocketIo

_CONTROL = ("2", "3", "5", "6")
"""Packets of Engine.IO that carry no message: ping, pong, upgrade, nothing."""


def frame_of(frame: CapturedFrame, message: Any) -> CapturedFrame:
    """A message in the place of a frame."""
    return frame._replace(payload=json.dumps(message, ensure_ascii=False).encode(), binary=False)


class CapturedEngineIo:
    """Reads the frames of one connection, in their order.

    ``whole``: nothing was said before them. Else what only answers or ends something earlier is left out.
    """

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._theirs, self._ours = SocketIo(), SocketIo()
        # Ids of acknowledgements that are waited for, by namespace and number on the wire.
        self._tags: dict[tuple[str, int], str] = {}
        self._used: set[str] = set()
        self._attachments: list[bytes] = []

    def messages(self, frame: CapturedFrame) -> Iterator[CapturedFrame]:
        """The messages that a frame ends; what cannot be read stays as it is."""
        if not frame.binary and frame.text.startswith(_CONTROL):
            return
        if frame.binary and not frame.inward:
            self._attachments.append(frame.payload)
        codec = self._theirs if frame.inward else self._ours
        try:
            found = [_plain(each) for each in codec.decode(frame.payload if frame.binary else frame.text)]
        except (ValueError, RecursionError, msgspec.MsgspecError):
            found = [None]
        for message in found:
            if message is None:
                yield frame
                continue
            said = self._theirs_of(message) if frame.inward else self._ours_of(message)
            if self._whole or not _is_rest(said):
                yield frame_of(frame, said)

    def _theirs_of(self, message: dict[str, Any]) -> dict[str, Any]:
        """What arrives, with the id that we gave what is acknowledged."""
        if message["type"] == "ack":
            message["ack"] = self._tags.pop((message["namespace"], message["id"]), None)
        return message

    def _ours_of(self, message: dict[str, Any]) -> dict[str, Any]:
        """What is sent, as the codec takes it: with an id of ours in place of a number, and with bytes."""
        namespace = message.get("namespace", "/")
        if namespace == "/":
            message.pop("namespace", None)
        if message["type"] == "ack":
            del message["ack"]
        elif message["type"] == "event" and "id" in message:
            number = message.pop("id")
            tag = self._tag(message.get("data"), namespace, number)
            message["ack"] = self._tags[namespace, number] = tag
        left = iter(self._attachments)
        self._attachments = []
        return {key: _with_bytes(value, left) for key, value in message.items()}

    def _tag(self, data: Any, namespace: str, number: int) -> str:
        """An id for what is to be acknowledged: that of its data, where it has one that is new."""
        found = data.get("id") if isinstance(data, dict) else None
        tag = found if isinstance(found, str) and found not in self._used else f"ack{namespace}{number}"
        self._used.add(tag)
        return tag


def _is_rest(message: dict[str, Any]) -> bool:
    """Whether a message belongs to one that was not seen: an answer, or an attachment."""
    return message["type"] == "binary" or message.get("ack", "") is None


def _plain(message: Any) -> dict[str, Any] | None:
    """A message of which the codec kept some JSON as it came; None where it could not be read."""
    found: dict[str, Any] | None = None if isinstance(message, Unreadable) else json.loads(compact(message))
    return found


def _with_bytes(value: Any, left: Iterator[bytes]) -> Any:
    """Data with the bytes of attachments in the places of their sizes, in their order."""
    if isinstance(value, list):
        return [_with_bytes(each, left) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"binary", "size"} and value["binary"] is True:
        found = next(left, None)
        return value if found is None else {"base64": base64.b64encode(found).decode()}
    return {key: _with_bytes(each, left) for key, each in value.items()}
