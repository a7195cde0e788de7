"""Stubs of services that no registry has, after their public descriptions; each holds clients to the rules.

One a path; what each follows stands in ``follows`` of the protocol that ships for it. ``?for=NAME`` counts
apart, ``&errors=5`` lets each fifth turn fail as the service would say it. Answers are held for ``HELD_S``.

What a client does wrong is counted as "wrong" and ends its connection. Counts at /counts; among them the
median time from a message to the end of its answer as it was here, in microseconds.
"""

from __future__ import annotations

import asyncio
import http
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

HELD_S = 0.02
TOKEN = "a-long-lived-access-token"

COUNTS: dict[str, dict[str, int]] = {}
TOOK: dict[str, list[int]] = {}


class WrongError(Exception):
    """What a client did."""


class Talk:
    """One connection to a stub; ``name`` is what it is counted under."""

    def __init__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        parts = urlsplit(socket.request.path)
        query = parse_qs(parts.query)
        self.path = parts.path
        self.name = query.get("for", [""])[0]
        self._errors = int(query.get("errors", ["0"])[0])
        self._socket = socket
        self._answering: set[asyncio.Task[None]] = set()

    def count(self, what: str) -> int:
        counts = COUNTS.setdefault(self.name, {})
        counts[what] = counts.get(what, 0) + 1
        return counts[what]

    async def hear(self) -> Any:
        return json.loads(await self._socket.recv())

    async def say(self, message: Any) -> None:
        await self._socket.send(json.dumps(message))
        self.count("said")

    def wants(self, said: Any, **fields: Any) -> None:
        """A client says what the description asks for."""
        for key, value in fields.items():
            if said.get(key) != value:
                raise WrongError(f"{key} is {said.get(key)!r}, not {value!r}")

    def errs(self) -> bool:
        """Count one that was asked, and whether it is to be answered by an error."""
        number = self.count("asked")
        wrong = bool(self._errors) and number % self._errors == 0
        if wrong:
            self.count("failed")
        return wrong

    def answer(self, give: Callable[..., Awaitable[None]]) -> None:
        """Give an answer while others are given: well, or as an error where it is its turn."""
        began = time.perf_counter_ns()
        wrong = self.errs()

        async def later() -> None:
            with suppress(ConnectionClosed):
                await asyncio.sleep(HELD_S)
                await give(wrong=wrong)
                self.count("ended" if wrong else "answered")
                TOOK.setdefault(self.name, []).append(time.perf_counter_ns() - began)

        task = asyncio.create_task(later())
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)


async def realtime(talk: Talk) -> None:
    numbers = itertools.count(1)
    await talk.say({"type": "session.created", "session": {"id": "sess_1", "type": "realtime"}})
    session = await talk.hear()
    talk.wants(session, type="session.update")
    talk.wants(session["session"], type="realtime", output_modalities=["text"])
    await talk.say({"type": "session.updated", "session": session["session"]})
    while True:
        asked = await talk.hear()
        talk.wants(asked, type="response.create")
        talk.wants(asked["response"], conversation="none", output_modalities=["text"])
        content = asked["response"]["input"][0]["content"]
        talk.wants(content[0], type="input_text")
        number = next(numbers)

        async def give(*, wrong: bool, asked: Any = asked, number: int = number) -> None:
            # Of two errors one is of the request, and one of a response that had begun.
            if wrong and number % 2:
                error = {"type": "invalid_request_error", "code": "bad", "event_id": asked["event_id"]}
                return await talk.say({"type": "error", "event_id": "event_9", "error": error})
            response = {
                "id": f"resp_{number}",
                "metadata": asked["response"]["metadata"],
                "status": "in_progress",
            }
            named = {"response_id": response["id"], "item_id": f"item_{number}", "output_index": 0}
            await talk.say({"type": "response.created", "response": response})
            await talk.say({"type": "response.output_item.added", **named})
            for word in ("It ", "rains."):
                await talk.say({"type": "response.output_text.delta", **named, "delta": word})
            await talk.say({"type": "response.output_text.done", **named, "text": "It rains."})
            await talk.say({"type": "rate_limits.updated", "rate_limits": []})
            status = "failed" if wrong else "completed"
            return await talk.say({"type": "response.done", "response": {**response, "status": status}})

        talk.answer(give)


async def responses(talk: Talk) -> None:
    numbers = itertools.count(1)
    while True:
        asked = await talk.hear()
        talk.wants(asked, type="response.create")
        if {"stream", "background"} & asked.keys():
            raise WrongError("what belongs to HTTP alone")
        talk.wants(asked["input"][0], type="message", role="user")
        number = next(numbers)

        async def give(*, wrong: bool, asked: Any = asked, number: int = number) -> None:
            told = itertools.count(0)

            async def event(kind: str, **more: Any) -> None:
                await talk.say(
                    {"type": kind, "stream_id": asked["stream_id"], "sequence_number": next(told), **more}
                )

            if wrong and number % 2:
                error = {"code": "invalid_prompt", "message": "no"}
                return await talk.say(
                    {"type": "error", "status": 400, "stream_id": asked["stream_id"], "error": error}
                )
            response = {"id": f"resp_{number}", "status": "in_progress"}
            await event("response.created", response=response)
            await event("response.in_progress", response=response)
            await event("response.output_text.delta", item_id="msg_1", output_index=0, delta="It rains.")
            if wrong:
                return await event("response.failed", response={**response, "status": "failed"})
            return await event("response.completed", response={**response, "status": "completed"})

        talk.answer(give)


async def gemini(talk: Talk) -> None:
    setup = await talk.hear()
    if not setup["setup"]["model"].startswith("models/"):
        raise WrongError("no model")
    await talk.say({"setupComplete": {}})
    while True:
        asked = await talk.hear()
        talk.wants(asked["clientContent"], turnComplete=True)
        talk.wants(asked["clientContent"]["turns"][0], role="user")

        async def give(*, wrong: bool) -> None:
            for word in ("It ", "rains."):
                turn = {"role": "model", "parts": [{"text": word}]}
                await talk.say({"serverContent": {"modelTurn": turn}})
            await talk.say({"sessionResumptionUpdate": {}})
            if wrong:
                await talk.say({"serverContent": {"interrupted": True}})
            else:
                await talk.say({"serverContent": {"generationComplete": True}})
            usage = {"totalTokenCount": 12}
            await talk.say({"serverContent": {"turnComplete": True}, "usageMetadata": usage})

        talk.answer(give)


async def ag_ui(talk: Talk) -> None:
    numbers = itertools.count(1)
    while True:
        asked = await talk.hear()
        if {"threadId", "runId", "state", "messages", "tools", "context", "forwardedProps"} - asked.keys():
            raise WrongError("no whole RunAgentInput")
        number = next(numbers)

        async def give(*, wrong: bool, asked: Any = asked, number: int = number) -> None:
            run = {"threadId": asked["threadId"], "runId": asked["runId"]}

            async def event(kind: str, **more: Any) -> None:
                await talk.say({"type": kind, **more, "timestamp": time.time_ns() // 1_000_000})

            await event("RUN_STARTED", **run)
            if wrong:
                return await event("RUN_ERROR", message="no", code="tool", runId=asked["runId"])
            tool, text = f"call-{number}", f"msg-{number}"
            await event("TOOL_CALL_START", toolCallId=tool, toolCallName="search")
            await event("TOOL_CALL_ARGS", toolCallId=tool, delta="{}")
            await event("TOOL_CALL_END", toolCallId=tool)
            await event("TEXT_MESSAGE_START", messageId=text, role="assistant")
            await event("TEXT_MESSAGE_CONTENT", messageId=text, delta="It rains.")
            await event("TEXT_MESSAGE_END", messageId=text)
            return await event("RUN_FINISHED", **run)

        talk.answer(give)


async def rtvi(talk: Talk) -> None:
    async def say(kind: str, **more: Any) -> None:
        await talk.say({"label": "rtvi-ai", "type": kind, **more})

    ready = await talk.hear()
    talk.wants(ready, label="rtvi-ai", type="client-ready")
    talk.wants(ready["data"], version="2.3.0")
    await say("bot-ready", id=ready["id"], data={"version": "2.3.0", "about": {"library": "stub"}})
    while True:
        asked = await talk.hear()
        talk.wants(asked, label="rtvi-ai", type="send-text")
        talk.wants(asked["data"]["options"], run_immediately=True)

        async def give(*, wrong: bool, asked: Any = asked) -> None:
            if wrong:
                return await say("error-response", id=asked["id"], data={"error": "no"})
            await say("bot-llm-started")
            for word in ("It ", "rains."):
                await say("bot-llm-text", data={"text": word})
            await say("bot-llm-stopped")
            # What is spoken comes to its end later.
            return await say("bot-output", data={"text": "It rains.", "spoken": False})

        talk.answer(give)


async def elevenlabs(talk: Talk) -> None:
    told = itertools.count(1)
    begun = await talk.hear()
    talk.wants(begun, type="conversation_initiation_client_data")
    talk.wants(begun["conversation_config_override"]["conversation"], text_only=True)
    metadata = {"conversation_id": "conv_1", "agent_output_audio_format": "pcm_16000"}
    kind = "conversation_initiation_metadata"
    await talk.say({"type": kind, f"{kind}_event": metadata})
    pinged = 0
    await talk.say({"type": "ping", "ping_event": {"event_id": pinged, "ping_ms": None}})
    while True:
        asked = await talk.hear()
        if asked["type"] == "pong":
            talk.wants(asked, event_id=pinged)
            talk.count("pongs")
            continue
        if asked["type"] == "client_tool_result":
            talk.wants(asked, tool_call_id='call "1"', is_error=True)
            talk.count("tool results")
            continue
        talk.wants(asked, type="user_message")

        async def give(*, wrong: bool) -> None:
            number = next(told)
            if wrong:
                return await talk.say({"type": "error", "error_event": {"code": 1008, "message": "no"}})
            call = {"tool_name": "weather", "tool_call_id": 'call "1"', "parameters": {}}
            await talk.say({"type": "client_tool_call", "client_tool_call": call})
            part = {"text": "It rains.", "type": "delta", "event_id": number}
            await talk.say({"type": "agent_chat_response_part", "text_response_part": part})
            await talk.say({"type": "vad_score", "vad_score_event": {"vad_score": 0.1}})
            response = {"agent_response": "It rains.", "event_id": number}
            return await talk.say({"type": "agent_response", "agent_response_event": response})

        talk.answer(give)


async def home_assistant(talk: Talk) -> None:
    await talk.say({"type": "auth_required", "ha_version": "2026.11.0"})
    login = await talk.hear()
    talk.wants(login, type="auth")
    if login["access_token"] != TOKEN:
        await talk.say({"type": "auth_invalid", "message": "Invalid access token or password"})
        return
    await talk.say({"type": "auth_ok", "ha_version": "2026.11.0"})
    last = 0
    while True:
        asked = await talk.hear()
        talk.wants(asked, type="get_states")
        if type(asked["id"]) is not int or asked["id"] <= last:
            raise WrongError(f"the id {asked['id']!r} after {last}")
        last = asked["id"]

        async def give(*, wrong: bool, asked: Any = asked) -> None:
            await talk.say({"id": 1, "type": "event", "event": {"event_type": "state_changed"}})
            if wrong:
                error = {"code": "unauthorized", "message": "no"}
                return await talk.say({"id": asked["id"], "type": "result", "success": False, "error": error})
            state = [{"entity_id": "light.kitchen", "state": "on"}]
            return await talk.say({"id": asked["id"], "type": "result", "success": True, "result": state})

        talk.answer(give)


async def exchange(talk: Talk) -> None:
    asked = await talk.hear()
    talk.wants(asked, method="SUBSCRIBE", params=["btcusdt@trade"])
    if type(asked["id"]) is not int:
        raise WrongError("an id that is no number")
    if talk.errs():
        return await talk.say({"error": {"code": 2, "msg": "Invalid request"}, "id": asked["id"]})
    await talk.say({"result": None, "id": asked["id"]})
    for number in itertools.count(1):
        trade = {"e": "trade", "E": time.time_ns() // 1_000_000, "s": "BTCUSDT", "t": number}
        # It is this old when it goes out.
        await asyncio.sleep(HELD_S)
        await talk.say({**trade, "p": "0.001", "q": "100"})
        talk.count("trades")
    return None


SERVICES: dict[str, Callable[[Talk], Awaitable[None]]] = {
    "/v1/realtime": realtime,
    "/v1/responses": responses,
    "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent": gemini,
    "/ag-ui": ag_ui,
    "/ws": rtvi,
    "/v1/convai/conversation": elevenlabs,
    "/api/websocket": home_assistant,
    "/exchange": exchange,
}


async def serve_one(socket: ServerConnection) -> None:
    talk = Talk(socket)
    talk.count("connections")
    try:
        await SERVICES[talk.path](talk)
    except ConnectionClosed:
        pass
    except (WrongError, KeyError, TypeError, ValueError) as wrong:
        talk.count("wrong")
        await socket.close(1008, f"{type(wrong).__name__}: {wrong}"[:100])


def counts(socket: ServerConnection, request: Request) -> Response | None:
    if request.path != "/counts":
        return None
    for name, took in TOOK.items():
        COUNTS[name]["took_p50_us"] = sorted(took)[len(took) // 2] // 1000
    return socket.respond(http.HTTPStatus.OK, json.dumps(COUNTS))


async def main() -> None:
    async with serve(serve_one, "127.0.0.1", 0, process_request=counts) as server:
        sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
