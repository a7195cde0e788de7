"""A backend with a login, a ticket for each connection and a path for each user: `python -m ... PORT`.

It counts what it was asked, and answers `GET /counts` with it.
"""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from typing import Any

import uvicorn
from fastapi import FastAPI, Header, HTTPException, Request, Response, WebSocket, WebSocketDisconnect

app = FastAPI()
counts: Counter[str] = Counter()
tokens: dict[str, str] = {}
rooms: dict[str, str] = {}
tickets: dict[str, str] = {}


@app.post("/login")
async def login(request: Request, response: Response) -> dict[str, Any]:
    found = await request.json()
    if found.get("password") != "open sesame":
        raise HTTPException(401, "wrong password")
    counts["logins"] += 1
    token = secrets.token_urlsafe(24)
    tokens[token] = str(found["user"])
    response.set_cookie("sid", f"sid-{token[:12]}", path="/")
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
    return {"data": {"room": room, "tickets": [{"ticket": ticket}]}}


@app.delete("/rooms/{room}", status_code=204)
async def drop_room(room: str, authorization: str = Header()) -> None:
    user_of(authorization)
    if rooms.pop(room, None) is None:
        raise HTTPException(404)
    counts["rooms_dropped"] += 1


@app.get("/counts")
async def told() -> dict[str, Any]:
    return {**counts, "rooms_left": len(rooms)}


@app.websocket("/rooms/{room}/ws")
async def talk(socket: WebSocket, room: str, ticket: str = "") -> None:
    if tickets.pop(ticket, None) != room or "sid" not in socket.cookies:
        counts["refused"] += 1
        await socket.close(1008)
        return
    await socket.accept()
    counts["connections"] += 1
    try:
        while True:
            message = await socket.receive_text()
            counts["messages"] += 1
            await socket.send_text(message)
    except WebSocketDisconnect:
        counts["closed"] += 1


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
