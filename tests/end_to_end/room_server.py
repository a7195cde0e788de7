"""A chat room: everybody gets a copy of what anybody says; of the copies for others each Nth is dropped.

It tells its own log to whoever connects to the second port: copies sent, dropped and sent twice; of each
message, by its id and in nanoseconds of Unix time, when it was received and when it was sent back; of each
copy how long after its message had come it was sent. Half of the members have to wait for 10 ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

DROP, TWICE = (int(word) for word in sys.argv[1:3])
ROOMS: dict[str, set[ServerConnection]] = {}
FULL, SETTLED = 50, 30
WAITS_S = 0.01
LOG: dict[str, Any] = {"full": 0, "copies": 0, "dropped": 0, "twice": 0, "turns": {}, "waited_ns": []}


async def copy(member: ServerConnection, message: str, received_ns: int) -> None:
    """Send a copy, or drop it, or send it twice."""
    # Not everybody may know yet that it is in the room.
    settled = LOG["full"] >= SETTLED
    LOG["copies"] += settled
    if settled and DROP and LOG["copies"] % DROP == 0:
        LOG["dropped"] += 1
        return
    LOG["waited_ns"].append(time.time_ns() - received_ns)
    # Another may be counted while this one is sent.
    twice = settled and TWICE and LOG["copies"] % TWICE == 0
    await member.send(message)
    if twice:
        LOG["twice"] += 1
        await member.send(message)


async def talk(socket: ServerConnection) -> None:
    assert socket.request is not None
    room = ROOMS.setdefault(socket.request.path, set())
    room.add(socket)
    await socket.send('{"type":"joined"}')
    async for message in socket:
        received_ns = time.time_ns()
        LOG["full"] += len(room) == FULL
        members = [each for each in room if each is not socket]
        for place, member in enumerate(members):
            if place == len(members) // 2:
                await asyncio.sleep(WAITS_S)
            await copy(member, str(message), received_ns)
        end_ns = time.time_ns()
        LOG["turns"][json.loads(message)["id"]] = [received_ns, end_ns, end_ns]
        await socket.send(message)
    room.discard(socket)


async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(json.dumps(LOG).encode())
    await writer.drain()
    writer.close()


async def main() -> None:
    log = await asyncio.start_server(tell, "127.0.0.1", 0)
    async with serve(talk, "127.0.0.1", 0) as server:
        ports = [one.sockets[0].getsockname()[1] for one in (server, log)]
        sys.stdout.write(json.dumps({"port": ports[0], "log": ports[1]}) + "\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
