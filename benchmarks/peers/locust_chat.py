"""Locust with a WebSocket library, as its users write it: one class per case, JSON parsed by ``json``.

``BENCH_LIBRARY`` says which: websocket-client, or websockets.sync.

BENCH_LIBRARY=websocket-client locust -f locust_chat.py CASE --headless -u 50 -r 50 --host ws://127.0.0.1:PORT
"""

from __future__ import annotations

import importlib
import json
import os
import random
import time
from typing import ClassVar
from uuid import uuid4

from locust import User, constant, constant_throughput, task

LIBRARIES = {
    "websocket-client": ("websocket", "create_connection"),
    "websockets.sync": ("websockets.sync.client", "connect"),
}
_module, _name = LIBRARIES[os.environ["BENCH_LIBRARY"]]
connect = getattr(importlib.import_module(_module), _name)

LIMITS: dict[str, object] = {"max_size": 2**24} if _name == "connect" else {}

SECRET = "a secret that only this benchmark knows"
ECHO_TEXT = "a message of one hundred bytes or so, as people type"


class Chat(User):
    """One connection per user."""

    abstract = True
    path = "/echo"
    options: ClassVar[dict[str, object]] = LIMITS | ({"compression": None} if _name == "connect" else {})
    wait_time = constant(0)

    def on_start(self) -> None:
        self.socket = connect(f"{self.host}{self.path}", **self.options)

    def turn(self, text: str) -> None:
        """Send one message, await its whole answer, tell Locust how long it took."""
        turn = str(uuid4())
        began = time.perf_counter()
        size = 0
        self.socket.send(json.dumps({"id": turn, "text": text}))
        while True:
            payload = self.socket.recv()
            size += len(payload)
            event = json.loads(payload)
            if event.get("turn", event.get("id")) != turn:
                raise RuntimeError("an event of another turn")
            if event.get("type") != "token":
                break
        self.environment.events.request.fire(
            request_type="WS",
            name="turn",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=size,
            exception=None,
        )


class Echo(Chat):
    """Closed loop: the next message when the reply has come."""

    @task
    def ask(self) -> None:
        self.turn(ECHO_TEXT)


class Burst(Chat):
    """Closed loop: 100 events an answer."""

    path = "/burst"

    @task
    def ask(self) -> None:
        self.turn("go")


class Fragments(Burst):
    """As burst, each event in three frames."""

    path = "/fragments"


class Deflate(Burst):
    """As burst, each event compressed."""

    path = "/deflate"
    options: ClassVar[dict[str, object]] = LIMITS


class Echo64k(Chat):
    """As echo, 64 KiB a message."""

    @task
    def ask(self) -> None:
        self.turn("x" * 65_536)


class Echo1m(Chat):
    """As echo, 1 MiB a message."""

    @task
    def ask(self) -> None:
        self.turn("x" * 1_048_576)


class Rate(Chat):
    """40 messages a second and user: 2,000 over 50 users."""

    wait_time = constant_throughput(40)

    def on_start(self) -> None:
        super().on_start()
        # Locust starts all users of a second at once: without this, all 50 would always send together.
        time.sleep(random.uniform(0, 1 / 40))

    @task
    def ask(self) -> None:
        self.turn(ECHO_TEXT)


class Connect(User):
    """A connection opened and closed again, over and over."""

    wait_time = constant(0)

    @task
    def visit(self) -> None:
        began = time.perf_counter()
        socket = connect(f"{self.host}/hold")
        self.environment.events.request.fire(
            request_type="WS",
            name="connect",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=0,
            exception=None,
        )
        socket.close()


class Tokens(User):
    """A connection with a token of its own, opened and closed again, over and over."""

    wait_time = constant(0)

    @task
    def visit(self) -> None:
        import jwt

        began = time.perf_counter()
        now = int(time.time())
        claims = {"sub": str(uuid4()), "iat": now, "exp": now + 3600}
        headers = {"Authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}
        named = "additional_headers" if _name == "connect" else "header"
        socket = connect(f"{self.host}/hold", **{named: headers})
        self.environment.events.request.fire(
            request_type="WS",
            name="connect",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=0,
            exception=None,
        )
        socket.close()


class Hold(Chat):
    """A connection that is held."""

    path = "/hold"
    wait_time = constant(3600)

    @task
    def idle(self) -> None:
        """Nothing to do."""
