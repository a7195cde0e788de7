"""Backends with sessions, made after public specifications, one a path; each holds its clients to the rules.

/phoenix          Phoenix channels, version 2: arrays, a join, a heartbeat from the client or the line is cut
/phoenix-silent   the same, which does not answer heartbeats
/gateway          a gateway that dictates how often it wants a heartbeat, and the last number in it (Discord)
/home-assistant   auth_required, auth, auth_ok; ids are numbers that rise; success is true
/realtime         an item and then a response a turn, by an id of the server's own; several in flight, some
                  failed (OpenAI Realtime)
/responses        each response continues the one before by its id, and calls a function (OpenAI Responses)
/ag-ui            runs by our id, messages and tool calls by ids of the server's own (AG-UI)
/acp              JSON-RPC sessions; updates name the session alone; the agent asks for permissions (ACP)

What a client does wrong is counted as "wrong ..." and ends its connection. The log tells of each turn, by
its id and in nanoseconds of Unix time, when its last message was received, and when its first content and its
end were sent.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

COUNTS: dict[str, int] = {}
LOG: dict[str, dict[str, list[int]]] = {}
HEARTBEAT_S = 0.3
PATIENCE_S = 4 * HEARTBEAT_S
UPLOADING_S = 0.005
THINKING_S = 0.004  # keeps a closed loop below the thousand answers a second that a connection may give


class Wrong(Exception):  # noqa: N818 - what a client did
    """The client broke a rule; the close code that the server ends with."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(what)
        self.code = code


def count(name: str) -> None:
    COUNTS[name] = COUNTS.get(name, 0) + 1


class Logged:
    """A turn whose message has been received."""

    def __init__(self, path: str, turn_id: object) -> None:
        count(f"turns {path}")
        self._log, self._id = LOG.setdefault(path, {}), str(turn_id)
        self._received_ns, self._first_ns = time.time_ns(), 0

    def first(self) -> None:
        """Its first content is sent next."""
        self._first_ns = self._first_ns or time.time_ns()

    def end(self, *, failed: bool = False) -> None:
        """Its end is sent next: whoever has that has the whole log of it."""
        at_ns = time.time_ns()
        self._log[self._id] = [self._received_ns, self._first_ns or at_ns, at_ns, int(failed)]


async def send(socket: ServerConnection, found: Any) -> None:
    await socket.send(json.dumps(found))


class Watch:
    """Ends the connection of a client that sends no heartbeat for a while."""

    def __init__(self, socket: ServerConnection, code: int) -> None:
        self.beats = 0
        self._task = asyncio.create_task(self._watch(socket, code))

    async def _watch(self, socket: ServerConnection, code: int) -> None:
        seen = -1
        while seen != self.beats:
            seen = self.beats
            await asyncio.sleep(PATIENCE_S)
        count("wrong: no heartbeat")
        await socket.close(code, "no heartbeat")

    def over(self) -> None:
        self._task.cancel()


async def phoenix(socket: ServerConnection, path: str) -> None:
    watch = Watch(socket, 1000)
    try:
        async for message in socket:
            join, ref, topic, event, _ = json.loads(message)
            if event == "heartbeat" and topic == "phoenix":
                count(f"heartbeats {path}")
                watch.beats += 1
                if path == "/phoenix-silent":
                    continue
            elif event == "ask":
                turn = Logged(path, ref)
                await send(socket, [None, None, topic, "presence_diff", {"joins": {}, "leaves": {}}])
                turn.end()
            elif event != "phx_join":
                raise Wrong(event, 1008)
            await send(socket, [join, ref, topic, "phx_reply", {"status": "ok", "response": {}}])
    finally:
        watch.over()


async def gateway(socket: ServerConnection, path: str) -> None:
    watch = Watch(socket, 4009)
    numbers = itertools.count(1)
    last: int | None = None

    async def dispatch(kind: str, **data: Any) -> None:
        nonlocal last
        last = next(numbers)
        await send(socket, {"op": 0, "t": kind, "s": last, "d": data})

    try:
        await send(socket, {"op": 10, "d": {"heartbeat_interval": int(HEARTBEAT_S * 1000)}})
        async for message in socket:
            said = json.loads(message)
            if said["op"] == 2:
                await dispatch("READY", session_id="s")
            elif said["op"] == 1:
                count(f"heartbeats {path}")
                watch.beats += 1
                # An event of ours may be on its way.
                if said["d"] is None or last is None or not last - 2 <= said["d"] <= last:
                    raise Wrong(f"the number {said['d']}, not {last}", 4007)
                await send(socket, {"op": 11})
            else:
                turn = Logged(path, said["nonce"])
                await dispatch("TYPING_START")
                turn.end()
                await dispatch("MESSAGE_CREATE", nonce=said["nonce"])
    finally:
        watch.over()


async def home_assistant(socket: ServerConnection, path: str) -> None:
    await send(socket, {"type": "auth_required", "ha_version": "2026.11"})
    auth = json.loads(await socket.recv())
    if auth["type"] != "auth" or not auth["access_token"].startswith("good"):
        await send(socket, {"type": "auth_invalid", "message": "Invalid password"})
        return
    await send(socket, {"type": "auth_ok", "ha_version": "2026.11"})
    last = -1
    async for message in socket:
        call = json.loads(message)
        if not isinstance(call["id"], int) or call["id"] <= last:
            raise Wrong(f"the id {call['id']} after {last}", 1008)
        last = call["id"]
        turn = Logged(path, call["id"])
        failed = call["id"] % 5 == 0
        error = {"error": {"code": "not_found", "message": "no"}} if failed else {"result": None}
        turn.end(failed=failed)
        await send(socket, {"id": call["id"], "type": "result", "success": not failed, **error})


async def realtime(socket: ServerConnection, path: str) -> None:
    """Each response answers an item that was created before, which takes 5 ms.

    Four deltas a response, which name it alone; responses in flight interleave. Each fifth fails.
    """
    later: set[asyncio.Task[None]] = set()
    items: set[str] = set()
    numbers = itertools.count(1)

    async def keep(item: dict[str, Any]) -> None:
        await asyncio.sleep(UPLOADING_S)
        items.add(item["id"])
        count(f"items {path}")
        await send(socket, {"type": "conversation.item.added", "item": item})
        await send(socket, {"type": "conversation.item.done", "item": item})

    async def answer(number: int, turn: Logged, metadata: dict[str, str]) -> None:
        name = f"resp_{id(socket)}_{number}"
        response = {"id": name, "metadata": metadata, "status": "in_progress"}
        await send(socket, {"type": "response.created", "response": response})
        for _ in range(4):
            await asyncio.sleep(0.01)
            turn.first()
            await send(socket, {"type": "response.output_text.delta", "response_id": name, "delta": "x"})
        failed = number % 5 == 0
        turn.end(failed=failed)
        status = "failed" if failed else "completed"
        await send(socket, {"type": "response.done", "response": {**response, "status": status}})

    await send(socket, {"type": "session.created", "session": {"id": "sess"}})
    async for message in socket:
        said = json.loads(message)
        if said["type"] == "session.update":
            await send(socket, {"type": "session.updated"})
            continue
        if said["type"] == "conversation.item.create":
            task = asyncio.create_task(keep(said["item"]))
        else:
            metadata, (item,) = said["response"]["metadata"], said["response"]["input"]
            if item != {"type": "item_reference", "id": metadata["turn"]} or item["id"] not in items:
                raise Wrong(f"no item {item}", 1008)
            turn = Logged(path, metadata["turn"])
            task = asyncio.create_task(answer(next(numbers), turn, metadata))
        later.add(task)
        task.add_done_callback(later.discard)


async def responses(socket: ServerConnection, path: str) -> None:
    """A response must name the one before it; each calls a function, whose result must come back."""
    last = None
    numbers = itertools.count(1)
    async for message in socket:
        said = json.loads(message)
        if said["previous_response_id"] != last:
            raise Wrong(f"{said['previous_response_id']} continued, not {last}", 1008)
        stream = said["stream_id"]
        turn = Logged(path, stream)
        await asyncio.sleep(THINKING_S)
        last = f"resp_{next(numbers)}"
        call = {"type": "function_call", "call_id": f'call "{last}"', "name": "weather"}
        await send(socket, {"type": "response.output_item.done", "item": call})
        result = json.loads(await socket.recv())
        if result["call_id"] != call["call_id"]:
            raise Wrong("another call", 1008)
        count(f"calls {path}")
        done = {"id": last, "status": "completed"}
        turn.first()
        await send(socket, {"type": "response.output_text.delta", "stream_id": stream, "delta": "x"})
        turn.end()
        await send(socket, {"type": "response.completed", "stream_id": stream, "response": done})


async def ag_ui(socket: ServerConnection, path: str) -> None:
    """Each event carries the time that it was made at; the last one waits 30 ms before it goes out."""
    numbers = itertools.count(1)

    def made(kind: str, **event: str) -> dict[str, Any]:
        return {"type": kind, **event, "timestamp": time.time_ns() / 1e6}

    async for message in socket:
        run = json.loads(message)["runId"]
        turn = Logged(path, run)
        text, tool = f"msg-{next(numbers)}", f"call-{next(numbers)}"
        await send(socket, made("RUN_STARTED", runId=run))
        await send(socket, made("TOOL_CALL_START", toolCallId=tool, toolCallName="search"))
        await send(socket, made("TOOL_CALL_END", toolCallId=tool))
        await send(socket, made("TEXT_MESSAGE_START", messageId=text, role="assistant"))
        for word in ("It ", "rains."):
            turn.first()
            await send(socket, made("TEXT_MESSAGE_CONTENT", messageId=text, delta=word))
        await send(socket, made("TEXT_MESSAGE_END", messageId=text))
        finished = made("RUN_FINISHED", runId=run)
        await asyncio.sleep(0.03)
        turn.end()
        await send(socket, finished)


async def acp(socket: ServerConnection, path: str) -> None:
    """One prompt at a time; updates carry the session's id; a permission must be granted."""
    session = f"sess-{id(socket)}"
    asked = itertools.count(1000)
    async for message in socket:
        call = json.loads(message)
        method = call.get("method")
        if method == "initialize":
            await reply(socket, call, {"protocolVersion": 1})
        elif method == "session/new":
            await reply(socket, call, {"sessionId": session})
        elif method == "session/prompt" and call["params"]["sessionId"] == session:
            turn = Logged(path, call["id"])
            await asyncio.sleep(THINKING_S)
            for _ in range(3):
                turn.first()
                update = {"sessionId": session, "update": {"sessionUpdate": "agent_message_chunk"}}
                await send(socket, {"jsonrpc": "2.0", "method": "session/update", "params": update})
            request = {"sessionId": session, "options": [{"optionId": "allow", "kind": "allow_once"}]}
            ask = {"jsonrpc": "2.0", "id": next(asked), "method": "session/request_permission"}
            await send(socket, {**ask, "params": request})
            granted = json.loads(await socket.recv())
            if granted.get("id") != ask["id"] or granted["result"]["outcome"]["optionId"] != "allow":
                raise Wrong(f"no permission: {granted}", 1008)
            count(f"permissions {path}")
            turn.end()
            await reply(socket, call, {"stopReason": "end_turn"})
        else:
            raise Wrong(f"{method}", 1008)


async def reply(socket: ServerConnection, call: Any, result: Any) -> None:
    await send(socket, {"jsonrpc": "2.0", "id": call["id"], "result": result})


STUBS: dict[str, Callable[[ServerConnection, str], Awaitable[None]]] = {
    "/phoenix": phoenix,
    "/phoenix-silent": phoenix,
    "/gateway": gateway,
    "/home-assistant": home_assistant,
    "/realtime": realtime,
    "/responses": responses,
    "/acp": acp,
    "/ag-ui": ag_ui,
}


async def talk(socket: ServerConnection) -> None:
    assert socket.request is not None
    path = socket.request.path.partition("?")[0]
    count(f"connections {path}")
    try:
        await STUBS[path](socket, path)
    except ConnectionClosed:
        pass
    except Wrong as wrong:
        count(f"wrong: {wrong}")
        await socket.close(wrong.code, str(wrong)[:100])


async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The counts and the log, to whoever asks: one line of JSON."""
    writer.write(json.dumps({"counts": COUNTS, "log": LOG}).encode())
    await writer.drain()
    writer.close()


async def main() -> None:
    async with serve(talk, "127.0.0.1", 0) as server:
        told = await asyncio.start_server(tell, "127.0.0.1", 0)
        ports = [one.sockets[0].getsockname()[1] for one in (server, told)]
        sys.stdout.write(json.dumps({"port": ports[0], "told": ports[1]}) + "\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
