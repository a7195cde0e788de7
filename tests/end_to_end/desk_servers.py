"""Stubs of two servers that are not ours, after their public descriptions: ``nats`` and ``jupyter``.

``python desk_servers.py WHICH FAIL``: FAIL of ten requests are answered by an error. It prints {"port": ...},
and tells at /counts what it counted itself.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from collections import Counter
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

HELD_S = 0.02
KERNEL = "kernel-1"

counts: Counter[str] = Counter()
everybody: set[ServerConnection] = set()
fails = int(sys.argv[2])


def outcome() -> str:
    """How the next request ends; it is counted."""
    counts["asked"] += 1
    word = "error" if counts["asked"] * 7 % 10 < fails else "ok"
    counts[word] += 1
    return word


async def nats(socket: ServerConnection) -> None:
    """A broker of lines, which is the service too; what it sends is cut where it likes."""
    await socket.send(b'INFO {"server_id":"stub","headers":true}\r\n')
    data = b""
    async for frame in socket:
        data += frame if isinstance(frame, bytes) else frame.encode()
        while b"\r\n" in data:
            line, _, rest = data.partition(b"\r\n")
            words = line.split()
            if words[:1] == [b"PUB"]:
                size = int(words[-1])
                if len(rest) < size + 2:
                    break
                payload, data = rest[:size], rest[size + 2 :]
                asyncio.get_running_loop().call_later(HELD_S, answer, socket, words[2], payload)
                continue
            data = rest
            counts[words[0].decode()] += 1
            if words[0] == b"PING":
                await socket.send(b"PONG\r\n")
    counts["unread"] += len(data)


def answer(socket: ServerConnection, inbox: bytes, payload: bytes) -> None:
    """The reply to one request, in two frames that end in the midst of lines."""
    if outcome() == "ok":
        body = b"answer " + payload
        said = b"MSG %b 1 %d\r\n%b\r\n" % (inbox, len(body), body)
    else:
        head = b"NATS/1.0\r\nNats-Service-Error: asked to fail\r\nNats-Service-Error-Code: 500\r\n\r\n"
        said = b"HMSG %b 1 %d %d\r\n%b%b\r\n" % (inbox, len(head), len(head) + len(payload), head, payload)
    middle = len(said) - 9
    asyncio.gather(socket.send(said[:middle]), socket.send(said[middle:]))


def packed(kind: str, parent: dict[str, Any], content: dict[str, Any], channel: str) -> bytes:
    """A frame of wire protocol v1: how many offsets, the offsets, and what stands at them."""
    header = {"msg_id": f"s-{counts['frames']}", "msg_type": kind, "date": "2026-11-30T12:00:00Z"}
    counts["frames"] += 1
    parts = [channel.encode(), *(json.dumps(each).encode() for each in (header, parent, {}, content))]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets) + b"".join(parts)


async def jupyter(socket: ServerConnection) -> None:
    """One kernel, whose iopub channel is heard by all, while a reply goes to who asked."""
    assert socket.request is not None
    assert socket.request.path == f"/api/kernels/{KERNEL}/channels"
    everybody.add(socket)
    try:
        async for frame in socket:
            assert isinstance(frame, bytes)
            (number,) = struct.unpack_from("<Q", frame)
            offsets = struct.unpack_from(f"<{number}Q", frame, 8)
            header = json.loads(frame[offsets[1] : offsets[2]])
            if header["msg_type"] == "kernel_info_request":
                await socket.send(packed("kernel_info_reply", header, {"status": "ok"}, "shell"))
                continue
            word = outcome()
            await heard(header, "execute_input", {"code": "ask()"})
            await asyncio.sleep(HELD_S)
            if word == "ok":
                await heard(header, "stream", {"name": "stdout", "text": "answer"})
            await socket.send(packed("execute_reply", header, {"status": word}, "shell"))
            await heard(header, "status", {"execution_state": "idle"})
    finally:
        everybody.discard(socket)


async def heard(parent: dict[str, Any], kind: str, content: dict[str, Any]) -> None:
    """What everybody hears."""
    for each in list(everybody):
        await each.send(packed(kind, parent, content, "iopub"))


def beside(socket: ServerConnection, request: Request) -> Response | None:
    """What is asked by HTTP."""
    if request.path == "/counts":
        return socket.respond(HTTPStatus.OK, json.dumps({"": counts}))
    if request.path == "/api/kernels":
        return socket.respond(HTTPStatus.OK, json.dumps([{"id": KERNEL}]))
    return None


async def main() -> None:
    offered: Any = ["v1.kernel.websocket.jupyter.org"] if sys.argv[1] == "jupyter" else None
    handler = {"nats": nats, "jupyter": jupyter}[sys.argv[1]]
    async with serve(
        handler, "127.0.0.1", 0, process_request=beside, subprotocols=offered, compression=None
    ) as server:
        sys.stdout.write(json.dumps({"port": next(iter(server.sockets)).getsockname()[1]}) + "\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
