"""``/echo``, where every message comes back, and ``/json-id``, where a call gets a reply by its id."""

from __future__ import annotations

import msgspec

from loadtest.simulator.connection import Payload, ServerClose, SimulatedConnection
from loadtest.simulator.events import ECHO, Marks, broken
from loadtest.simulator.playback import Playback, TurnTalk
from loadtest.simulator.script import Act, ScriptStep, make_script


class _Call(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(b"null")
    params: msgspec.Raw = msgspec.Raw(b"null")


_decode_call = msgspec.json.Decoder(_Call).decode

_NOBODY = Marks("", "", "")


class EchoTalk(TurnTalk):
    """``/echo``: every message comes back as it was, text or binary."""

    def __init__(self, connection: SimulatedConnection) -> None:
        super().__init__(connection)
        self._messages = 0
        self._pending: dict[str, tuple[bytes, bool]] = {}

    def ready(self) -> None:
        """Nothing stands at the beginning."""

    def take(self, data: Payload, *, text: bool) -> None:
        """Send the message back."""
        if text:
            try:
                str(data, "utf-8")
            except UnicodeDecodeError:
                self.counters.malformed += 1
                self.connection.end(ServerClose(1007, "a text that is not UTF-8"))
                return
        self.reply(bytes(data), text=text)

    def reply(self, payload: bytes, *, text: bool) -> None:
        """Answer with one event, through the faults that make sense for it."""
        self.counters.begun += 1
        if not self.faults.alters_turns:
            self.counters.completed += 1
            self.send_event(payload, text=text)
            return
        self._messages += 1
        turn_id = f"{self.connection.number}-{self._messages}"
        self._pending[turn_id] = (payload, text)
        self.play(Playback(self, turn_id, _NOBODY, make_script(self.faults, turn_id, (ECHO,))))

    def send_step(self, playback: Playback, step: ScriptStep) -> None:
        """The reply, or half of it where it is to be broken; a leak has no meaning here."""
        payload, text = self._pending[playback.turn_id]
        if step.act is Act.BROKEN:
            self.send_other(broken(payload))
        elif step.act is not Act.FOREIGN:
            self.send_event(payload, text=text)

    def finish(self, playback: Playback, fault: str) -> None:
        """The reply is out, or will never be."""
        del self._pending[playback.turn_id]
        super().finish(playback, fault)


class JsonIdTalk(EchoTalk):
    """``/json-id``: ``{"id": ..., "params": ...}`` is answered by ``{"id": ..., "result": params}``."""

    def take(self, data: Payload, *, text: bool) -> None:  # noqa: ARG002 -- JSON is JSON, text or binary
        """Answer a call with its id; what is not a JSON object is answered by an error and no id."""
        try:
            call = _decode_call(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.counters.malformed += 1
            self.send_other(b'{"id":null,"error":{"code":-32700,"message":"not a JSON object"}}')
            return
        self.reply(b'{"id":%b,"result":%b}' % (bytes(call.id), bytes(call.params)), text=True)
