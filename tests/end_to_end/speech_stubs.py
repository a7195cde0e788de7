"""Stubs of services that hear audio at its pace, after public descriptions; each holds clients to the rules.

/v1/listen   Deepgram: binary audio, interim and final `Results`, KeepAlive, Finalize, CloseStream
/v3/ws       AssemblyAI: binary audio, partial and final `Turn`, ForceEndpoint, Terminate
/media       a backend that Twilio Media Streams calls: `media` and `mark` back, stop

``?for=NAME`` counts apart; with ``&errors=5`` each fifth turn ends as the service would end it when it fails,
and with it the connection. ``&patience=S`` is how long Deepgram's waits for audio or a KeepAlive. An answer
is held for ``HELD_S`` after the last word of its turn.

What a client does wrong is counted as "wrong" and ends its connection. Counts at /counts, and for each turn
that was answered how long that took here, in microseconds, under "took".
"""

from __future__ import annotations

import asyncio
import base64
import http
import json
import sys
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

HELD_S = 0.06
KEY = "a-key-of-its-own"

COUNTS: dict[str, dict[str, Any]] = {}


class WrongError(Exception):
    """What a client did."""


class Call:
    """One connection to a stub; ``name`` is what it is counted under."""

    def __init__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        parts = urlsplit(socket.request.path)
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.path = parts.path
        self.key = socket.request.headers.get("Authorization", "")
        self.socket = socket
        self._counts = COUNTS.setdefault(self.query.get("for", ""), {"took": [], "heard": []})
        self._errors = int(self.query.get("errors", "0"))
        self._heard = b""

    def count(self, what: str, n: int = 1) -> int:
        self._counts[what] = self._counts.get(what, 0) + n
        return int(self._counts[what])

    async def say(self, message: Any) -> None:
        await self.socket.send(json.dumps(message))
        self.count("said")

    def hear(self, sound: bytes) -> int:
        """Sound of the turn; how many bytes it has by now."""
        self.count("chunks")
        self._heard += sound
        return len(self._heard)

    def errs(self) -> bool:
        """The last word of a turn has come: whether it is to be answered by an error."""
        self._counts["heard"] += [zlib.crc32(self._heard)]
        self._heard = b""
        number = self.count("asked")
        wrong = bool(self._errors) and number % self._errors == 0
        self.count("failed", int(wrong))
        return wrong

    async def hold(self, since_ns: int) -> None:
        """Wait until the answer to what came then is due."""
        await asyncio.sleep(max(since_ns / 1e9 + HELD_S - time.perf_counter(), 0))

    def answered(self, since_ns: int) -> None:
        """The last word of an answer goes out next."""
        self._counts["took"] += [(time.perf_counter_ns() - since_ns) // 1000]
        self.count("answered")


def text_of(message: Any) -> Any:
    if not isinstance(message, str):
        raise WrongError("a control message that is binary")
    return json.loads(message)


async def deepgram(call: Call) -> None:
    def results(words: str, **flags: bool) -> dict[str, Any]:
        heard = {"transcript": words, "confidence": 0.9, "words": []}
        flags = {"is_final": False, "speech_final": False, **flags}
        place = {"channel_index": [0, 1], "duration": 0.5, "start": 0.0}
        return {"type": "Results", **place, **flags, "channel": {"alternatives": [heard]}}

    if call.query.get("encoding") != "mulaw" or call.query.get("sample_rate") != "8000":
        raise WrongError("sound that is not said to be what it is")
    heard = 0
    while True:
        try:
            message = await asyncio.wait_for(call.socket.recv(), float(call.query.get("patience", "10")))
        except TimeoutError:
            call.count("timeouts")
            return await call.socket.close(
                1011, "Deepgram did not receive audio data or a text message (NET-0001)"
            )
        at_ns = time.perf_counter_ns()
        if isinstance(message, bytes):
            heard += 1
            call.hear(message)
            if heard % 25 == 0 and heard < 75:
                await call.say(results("it rai"))
            continue
        kind = text_of(message)["type"]
        if kind == "KeepAlive":
            call.count("keepalives")
        elif kind == "Finalize":
            heard = 0
            wrong = call.errs()
            await call.hold(at_ns)
            if wrong:
                error = {"description": "Internal", "message": "The model failed", "variant": "ModelFailed"}
                await call.say({"type": "Error", **error})
                return await call.socket.close(1011, "DATA-0000")
            call.answered(at_ns)
            await call.say(results("It rains.", is_final=True, from_finalize=True))
        elif kind == "CloseStream":
            call.count("left")
            await call.socket.send(json.dumps({"type": "Metadata", "duration": 0.0, "channels": 1}))
            return await call.socket.close(1000)
        else:
            raise WrongError(kind)


async def assemblyai(call: Call) -> None:
    if call.key != KEY:
        error = "Not authorized"
        await call.say({"type": "Error", "error_code": 1008, "error": error})
        return await call.socket.close(1008, "See Error message for details")
    if not call.query.get("speech_model") or call.query.get("encoding") != "pcm_mulaw":
        raise WrongError("no model, or no encoding")
    await call.socket.send(json.dumps({"type": "Begin", "id": "s-1", "expires_at": int(time.time()) + 600}))
    heard = turn = 0

    async def said(words: str, *, end: bool) -> None:
        found = {"turn_order": turn, "turn_is_formatted": False, "end_of_turn": end, "transcript": words}
        await call.say({"type": "Turn", **found, "end_of_turn_confidence": 0.7, "words": []})

    async for message in call.socket:
        at_ns = time.perf_counter_ns()
        if isinstance(message, bytes):
            if not 400 <= len(message) <= 8000:
                raise WrongError("audio shorter than 50 ms or longer than a second")
            heard += 1
            call.hear(message)
            if heard == 1:
                await call.say({"type": "SpeechStarted", "timestamp": 0})
            elif heard in {10, 20}:
                await said("it rai", end=False)
            continue
        kind = text_of(message)["type"]
        if kind == "ForceEndpoint":
            wrong = call.errs()
            await call.hold(at_ns)
            if wrong:
                await call.say({"type": "Error", "error_code": 3005, "error": "Server error"})
                return await call.socket.close(3005, "Server error")
            call.answered(at_ns)
            await said("it rains", end=True)
            heard, turn = 0, turn + 1
        elif kind == "Terminate":
            call.count("left")
            lasted = {"audio_duration_seconds": 1, "session_duration_seconds": 1}
            await call.socket.send(json.dumps({"type": "Termination", **lasted}))
            return await call.socket.close(1000)
        else:
            raise WrongError(kind)
    return None


UTTERANCE = 12_000
"""Bytes after which this backend hears that its caller has said all."""


async def twilio(call: Call) -> None:
    def wants(found: object, wanted: object) -> None:
        if found != wanted:
            raise WrongError(f"{found!r}, not {wanted!r}")

    connected = text_of(await call.socket.recv())
    wants(connected, {"event": "connected", "protocol": "Call", "version": "1.0.0"})
    began = text_of(await call.socket.recv())
    start, stream = began["start"], began["streamSid"]
    wants((began["event"], began["sequenceNumber"], start["streamSid"]), ("start", "1", stream))
    wants(start["mediaFormat"], {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1})
    number, chunks, before_ms, turn, marks = 1, 0, 0, 0, []
    async for message in call.socket:
        at_ns = time.perf_counter_ns()
        said = text_of(message)
        number += 1
        wants((said["sequenceNumber"], said["streamSid"]), (str(number), stream))
        if said["event"] == "stop":
            call.count("left")
            wants(said["stop"], {"accountSid": start["accountSid"], "callSid": start["callSid"]})
            return None
        if said["event"] == "mark":
            wants(said["mark"]["name"], marks.pop(0))
            call.count("marks")
            continue
        media, chunks = said["media"], chunks + 1
        wants((said["event"], media["track"]), ("media", "inbound"))
        wants((media["chunk"], media["timestamp"]), (str(chunks), str(before_ms)))
        sound = base64.b64decode(media["payload"])
        before_ms += len(sound) // 8
        if call.hear(sound) < UTTERANCE:
            continue
        wrong = call.errs()
        await call.hold(at_ns)
        await call.say({"event": "clear", "streamSid": stream})
        for _ in range(1 if wrong else 5):
            answer = {"payload": base64.b64encode(b"\xff" * 160).decode()}
            await call.say({"event": "media", "streamSid": stream, "media": answer})
        if wrong:
            return await call.socket.close(1011, "the bot failed")
        turn += 1
        marks.append(f"answer {turn}")
        call.answered(at_ns)
        await call.say({"event": "mark", "streamSid": stream, "mark": {"name": marks[-1]}})
    return None


STUBS: dict[str, Callable[[Call], Awaitable[None]]] = {
    "/v1/listen": deepgram,
    "/v3/ws": assemblyai,
    "/media": twilio,
}


async def serve_one(socket: ServerConnection) -> None:
    call = Call(socket)
    call.count("connections")
    try:
        await STUBS[call.path](call)
    except ConnectionClosed:
        call.count("left without a word")
    except (WrongError, KeyError, TypeError, ValueError, IndexError) as wrong:
        call.count("wrong")
        await socket.close(1008, f"{type(wrong).__name__}: {wrong}"[:100])


def before(socket: ServerConnection, request: Request) -> Response | None:
    if request.path == "/counts":
        return socket.respond(http.HTTPStatus.OK, json.dumps(COUNTS))
    if request.path.startswith("/v1/listen") and request.headers.get("Authorization") != f"Token {KEY}":
        return socket.respond(http.HTTPStatus.UNAUTHORIZED, "Invalid credentials.")
    return None


async def main() -> None:
    async with serve(serve_one, "127.0.0.1", 0, process_request=before) as server:
        sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
