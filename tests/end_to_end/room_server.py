"""A chat room: everybody gets a copy of what anybody says; of the copies for others each Nth is dropped.

It tells its own log to whoever connects to the second port: copies sent, dropped and sent twice.
"""

from __future__ import annotations

import asyncio
import json
import sys

from websockets.asyncio.server import ServerConnection, serve

DROP, TWICE = (int(word) for word in sys.argv[1:3])
ROOMS: dict[str, set[ServerConnection]] = {}
FULL, SETTLED = 50, 30
LOG = {"full": 0, "copies": 0, "dropped": 0, "twice": 0}


async def talk(socket: ServerConnection) -> None:
    assert socket.request is not None
    room = ROOMS.setdefault(socket.request.path, set())
    room.add(socket)
    await socket.send('{"type":"joined"}')
    async for message in socket:
        LOG["full"] += len(room) == FULL
        for member in [each for each in room if each is not socket]:
            if LOG["full"] < SETTLED:
                # Not everybody may know yet that it is in the room.
                await member.send(message)
                continue
            LOG["copies"] += 1
            if DROP and LOG["copies"] % DROP == 0:
                LOG["dropped"] += 1
                continue
            await member.send(message)
            if TWICE and LOG["copies"] % TWICE == 0:
                LOG["twice"] += 1
                await member.send(message)
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
