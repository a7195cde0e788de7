"""A backend with a login, a ticket for each connection and a path for each user; and one that is just asked.

It counts what it was asked, and answers `GET /counts` with it; `GET /secrets` has all that it ever gave. Its
argument says for how many milliseconds the path of a user holds its answers; how long that was is counted.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import sys
import time
from collections import Counter
from typing import Any

import uvicorn
from fastapi import FastAPI, Header, HTTPException, Request, Response, WebSocket, WebSocketDisconnect

app = FastAPI()
counts: Counter[str] = Counter()
tokens: dict[str, str] = {}
rooms: dict[str, str] = {}
tickets: dict[str, str] = {}
given: list[str] = []
HELD_S = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.0
held: list[float] = []


@app.post("/login")
async def login(request: Request, response: Response) -> dict[str, Any]:
    found = await request.json()
    if found.get("password") != "open sesame":
        raise HTTPException(401, "wrong password")
    counts["logins"] += 1
    token = secrets.token_urlsafe(24)
    tokens[token] = str(found["user"])
    sid = secrets.token_urlsafe(12)
    given.extend([token, sid])
    response.set_cookie("sid", sid, path="/")
    return {"access_token": token, "expires_in": 3600}


def user_of(authorization: str) -> str:
    user = tokens.get(authorization.removeprefix("Bearer "))
    if user is None:
        raise HTTPException(401, "no such token")
    return user


@app.post("/rooms", status_code=201)
async def make_room(authorization: str = Header()) -> dict[str, Any]:
    user = user_of(authorization)
    counts["rooms"] += 1
    room = f"room-{user}-{counts['rooms']}"
    ticket = secrets.token_urlsafe(24)
    rooms[room] = user
    tickets[ticket] = room
    given.append(ticket)
    return {"data": {"room": room, "tickets": [{"ticket": ticket}]}}


@app.delete("/rooms/{room}", status_code=204)
async def drop_room(room: str, authorization: str = Header()) -> None:
    user_of(authorization)
    if rooms.pop(room, None) is None:
        raise HTTPException(404)
    counts["rooms_dropped"] += 1


@app.get("/counts")
async def told() -> dict[str, Any]:
    p50_us = round(1e6 * sorted(held)[len(held) // 2]) if held else 0
    return {"": {**counts, "rooms_left": len(rooms), "held_p50_us": p50_us}}


@app.get("/secrets")
async def all_given() -> list[str]:
    return given


@app.websocket("/ask")
async def answer(talk: WebSocket) -> None:
    await talk.accept()
    await talk.send_json({"type": "welcome", "session": "s-1"})
    try:
        while True:
            asked = await talk.receive_json()
            counts["asked"] += 1
            for n in range(3):
                await talk.send_json({"type": "delta", "id": asked["id"], "text": f"word {n}"})
            await talk.send_json({"type": "done", "id": asked["id"]})
            counts["answered"] += 1
    except WebSocketDisconnect:
        counts["closed"] += 1


@app.websocket("/rooms/{room}/ws")
async def talk(connection: WebSocket, room: str, ticket: str = "") -> None:
    if tickets.pop(ticket, None) != room or "sid" not in connection.cookies:
        counts["refused"] += 1
        await connection.close(1008)
        return
    await connection.accept()
    counts["connections"] += 1
    try:
        while True:
            message = await connection.receive_text()
            began = time.monotonic()
            counts["messages"] += 1
            if HELD_S:
                await asyncio.sleep(HELD_S)
                held.append(time.monotonic() - began)
            await connection.send_text(message)
    except WebSocketDisconnect:
        counts["closed"] += 1


def main() -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    sys.stdout.write(json.dumps({"port": listening.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listening])


if __name__ == "__main__":
    main()
