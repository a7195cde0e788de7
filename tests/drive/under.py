"""Locust's side of a distributed run, without a network: what was sent is kept, what arrives a test tells."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from locust.event import Events
from locust.stats import RequestStats


class FakeRunner:
    """Takes the place of a master's or a worker's runner; it knows the workers named."""

    def __init__(self, *workers: str) -> None:
        self.custom_messages: dict[str, tuple[Callable[..., Any], bool]] = {}
        self.clients = SimpleNamespace(ready=[SimpleNamespace(id=name) for name in workers])
        self.user_count = 0
        self.sent: list[tuple[str, Any, str | None]] = []

    def register_message(
        self,
        message: str,
        listener: Callable[..., Any],
        concurrent: bool = False,  # noqa: FBT001, FBT002 - as Locust has it
    ) -> None:
        assert message not in self.custom_messages, "Locust takes one listener"
        self.custom_messages[message] = listener, concurrent

    def send_message(self, message: str, data: Any = None, client_id: str | None = None) -> None:
        self.sent.append((message, data, client_id))

    def tell(self, message: str, data: Any, worker: str = "") -> None:
        """A message has arrived."""
        listener, _ = self.custom_messages[message]
        listener(environment=None, msg=SimpleNamespace(node_id=worker, data=data))

    def taken(self, message: str) -> list[tuple[Any, str | None]]:
        """What was sent under this name since it was asked last, and to whom."""
        found = [(data, worker) for name, data, worker in self.sent if name == message]
        self.sent = [entry for entry in self.sent if entry[0] != message]
        return found


def environment_of(runner: FakeRunner, *user_classes: type) -> Any:
    return SimpleNamespace(
        runner=runner, events=Events(), stats=RequestStats(), user_classes=list(user_classes)
    )
