"""Stubs after public descriptions of what no registry of ours has; each holds its clients to the rules.

/cable                  Rails Action Cable: welcome, subscription, pings, the channel sends back an id
/socket/websocket       Phoenix channels, serializer 2: a join, a heartbeat, replies by reference
/ws                     a STOMP 1.2 broker: receipts, a message back to its sender
/connection/websocket   Centrifugo's JSON protocol: several replies a frame, one a line; a ping is {}

What a client does wrong ends its connection with a code that is not 1000. Counts at /counts.
"""

from __future__ import annotations

import asyncio
import http
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

COUNTS: dict[str, int] = {}


def count(name: str) -> None:
    COUNTS[name] = COUNTS.get(name, 0) + 1


async def cable(socket: ServerConnection) -> None:
    await socket.send('{"type":"welcome"}')
    subscribed: str | None = None
    async for message in socket:
        said = json.loads(message)
        identifier = said["identifier"]
        assert "channel" in json.loads(identifier)
        if said["command"] == "subscribe":
            subscribed = identifier
            await socket.send(json.dumps({"identifier": identifier, "type": "confirm_subscription"}))
            await socket.send('{"type":"ping","message":1796012749}')
        else:
            assert (said["command"], identifier) == ("message", subscribed)
            data = json.loads(said["data"])
            assert data["action"] == "ask"
            count("asked")
            await socket.send(json.dumps({"identifier": identifier, "message": {"id": data["id"]}}))


async def phoenix(socket: ServerConnection) -> None:
    joined = ""
    async for message in socket:
        join, ref, topic, event, _ = json.loads(message)
        if event == "phx_join":
            joined = topic
        elif event == "ask":
            assert topic == joined
            count("asked")
            await socket.send(json.dumps([None, None, topic, "presence_diff", {"joins": {}, "leaves": {}}]))
        else:
            assert (topic, event) == ("phoenix", "heartbeat")
        await socket.send(json.dumps([join, ref, topic, "phx_reply", {"status": "ok", "response": {}}]))


async def centrifugo(socket: ServerConnection) -> None:
    async for frame in socket:
        assert isinstance(frame, str)
        replies: list[dict[str, Any]] = []
        for command in filter(None, frame.split("\n")):
            said = json.loads(command)
            if not said:
                count("pongs")
            elif "connect" in said:
                replies.append({"id": said["id"], "connect": {"client": "c", "ping": 25, "pong": True}})
                replies.append({})
            elif "subscribe" in said:
                assert said["subscribe"] == {"channel": "news"}
                replies.append({"id": said["id"], "subscribe": {}})
            elif "publish" in said:
                count("asked")
                replies.append({"push": {"channel": "news", "pub": {"data": said["publish"]["data"]}}})
                replies.append({"id": said["id"], "publish": {}})
            else:
                assert said["rpc"]["method"] == "ask"
                count("asked")
                replies.append({"push": {"channel": "news", "pub": {"data": 1}}})
                replies.append({"id": said["id"], "rpc": {"data": said["rpc"]["data"]}})
        if replies:
            await socket.send("\n".join(map(json.dumps, replies)))


async def stomp(socket: ServerConnection) -> None:
    subscribed = ""
    async for frame in socket:
        text = frame if isinstance(frame, str) else frame.decode()
        for each in filter(None, (part.lstrip("\n") for part in text.split("\0"))):
            head, _, body = each.partition("\n\n")
            command, *lines = head.split("\n")
            headers = dict(line.split(":", 1) for line in lines)
            if command == "CONNECT":
                await socket.send(f"CONNECTED\nversion:{headers['accept-version']}\n\n\0\n")
            elif command == "SUBSCRIBE":
                subscribed = headers["destination"]
                await socket.send(f"RECEIPT\nreceipt-id:{headers['receipt']}\n\n\0")
            else:
                assert (command, headers["destination"]) == ("SEND", subscribed)
                assert len(body.encode()) == int(headers["content-length"])
                count("asked")
                answer = f"MESSAGE\nsubscription:0\ncontent-length:{len(body.encode())}\n\n{body}\0"
                whole = f"{answer}\nRECEIPT\nreceipt-id:{headers['receipt']}\n\n\0"
                # A frame of STOMP may be spread over several of the socket's.
                await socket.send(whole[:40])
                await socket.send(whole[40:])


WIRES = {
    "/ws": stomp,
    "/cable": cable,
    "/socket/websocket": phoenix,
    "/connection/websocket": centrifugo,
}


def counts(socket: ServerConnection, request: Request) -> Response | None:
    if request.path != "/counts":
        return None
    return socket.respond(http.HTTPStatus.OK, json.dumps({"": COUNTS}))


def chosen(_socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first that is offered, if any is."""
    return offered[0] if offered else None


async def answer(socket: ServerConnection) -> None:
    assert socket.request is not None
    with suppress(ConnectionClosed):
        await WIRES[socket.request.path.partition("?")[0]](socket)


async def main() -> None:
    async with serve(answer, "127.0.0.1", 0, process_request=counts, select_subprotocol=chosen) as server:
        sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
