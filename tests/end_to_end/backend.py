"""A FastAPI application under uvicorn: an agent backend and an echo that count what they do.

Prints {"port": ...} when it listens. It knows nothing of loadtest, and imports nothing of it.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
"""What was done, by the name that clients give in the query: ``?for=NAME``."""

ANSWER = (
    ("agent_started", {}),
    ("agent_thinking", {"text": "Let me see."}),
    ("tool_executing", {"tool_name": "ledger"}),
    ("tool_completed", {"tool_name": "ledger"}),
    ("partial_result", {"text": "The sum of all invoices of July is 1,234.56 €. " * 20}),
    ("agent_completed", {"result": "1,234.56 €"}),
)


def counts_of(websocket: WebSocket) -> Counter[str]:
    return counts[websocket.query_params.get("for", "")]


async def greet(websocket: WebSocket) -> Counter[str]:
    await websocket.accept()
    mine = counts_of(websocket)
    mine["connections"] += 1
    offered = websocket.headers.get("sec-websocket-extensions", "")
    mine["offered_deflate"] += "permessage-deflate" in offered
    await websocket.send_json({"type": "connection_established", "data": {"connection_id": "c"}})
    return mine


def event(kind: str, payload: dict[str, Any]) -> str:
    return json.dumps({"type": kind, "payload": payload, "timestamp": 1})


@app.get("/counts")
async def told() -> dict[str, dict[str, int]]:
    return {name: dict(mine) for name, mine in counts.items()}


async def answer(websocket: WebSocket, mine: Counter[str], run_id: str, step: int = 0) -> None:
    """``step``: by how much the number of each event is higher than the one before; 0: no numbers."""
    for nth, (kind, payload) in enumerate(ANSWER):
        mine["events_sent"] += 1
        seq = {"seq": nth * step} if step else {}
        await websocket.send_text(event(kind, payload | {"run_id": run_id} | seq))
    mine["turns"] += 1


@app.websocket("/ws")
@app.websocket("/wild")
async def agent(websocket: WebSocket) -> None:
    mine = await greet(websocket)
    step = 10**9 if websocket.url.path == "/wild" else 0
    try:
        while True:
            asked = await websocket.receive_json()
            mine["messages_received"] += 1
            if asked["type"] == "start_agent":
                await answer(websocket, mine, asked["payload"]["run_id"], step)
    except WebSocketDisconnect as left:
        mine[f"closed_{left.code}"] += 1


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    mine = counts_of(websocket)
    mine["connections"] += 1
    try:
        while True:
            text = await websocket.receive_text()
            mine["messages_received"] += 1
            mine["events_sent"] += 1
            mine["turns"] += 1
            await websocket.send_text(text)
    except WebSocketDisconnect as left:
        mine[f"closed_{left.code}"] += 1


@app.websocket("/binary")
async def binary(websocket: WebSocket) -> None:
    """Answers in a binary format of its own where the protocol says text."""
    await greet(websocket)
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.receive_text()
            await websocket.send_bytes(b"\x86\xa4type\xad\x00\xff\xfeagent_started")


@app.websocket("/mute")
async def mute(websocket: WebSocket) -> None:
    """Accepts, and never says that it is ready."""
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.receive_text()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--cert")
    options.add_argument("--key")
    options.add_argument("--clients-of", help="only clients with a certificate of this authority")
    given = options.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        app,
        log_level="critical",
        ws="websockets-sansio",
        ssl_certfile=given.cert,
        ssl_keyfile=given.key,
        ssl_ca_certs=given.clients_of,
        ssl_cert_reqs=ssl.CERT_REQUIRED if given.clients_of else ssl.CERT_NONE,
    )
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
