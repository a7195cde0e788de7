"""Imports Locust for two thirds of what ``import locust`` costs, and hands on the names of it that we use.

Locust patches the standard library for gevent when it is imported: no socket may be opened before. Two things
make that import dear, and a run needs neither (of 0.94 CPU seconds in all):

- gevent reads the entry points of every installed distribution at each of its 25 patches (0.2 s): they are
  read once here;
- Locust imports Flask and its web page (0.2 s): they are imported when somebody names them.

Under ``locust -f`` Locust is imported already, and stays as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType
from typing import Any

_WEB = "locust.web"


class _LateModule(ModuleType):
    """Stands for ``locust.web`` until somebody asks for a name of it; ``locust.env`` has imported its own."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real_web(), name)


def _real_web() -> ModuleType:
    """``locust.web`` itself, imported the first time."""
    from importlib import import_module

    if isinstance(sys.modules.get(_WEB), _LateModule):
        del sys.modules[_WEB]
    return import_module(_WEB)


def _web_ui(*args: Any, **kwargs: Any) -> Any:
    """What ``Environment.create_web_ui`` calls: Locust's web page, imported now."""
    return _real_web().WebUI(*args, **kwargs)


@contextmanager
def _entry_points_read_once() -> Iterator[None]:
    read = metadata.entry_points
    every = read()
    metadata.entry_points = every.select
    try:
        yield
    finally:
        metadata.entry_points = read


if "locust" not in sys.modules:
    late = _LateModule(_WEB)
    late.WebUI = _web_ui  # type: ignore[attr-defined]  # a module takes any name
    sys.modules[_WEB] = late
    with _entry_points_read_once():
        import locust
    del late.WebUI  # from now on whoever names it gets Locust's own class
    locust.web = late

from locust import User
from locust.env import Environment
from locust.event import Events
from locust.exception import RPCError, RPCReceiveError, RPCSendError, StopTest, StopUser
from locust.rpc import Message, zmqrpc
from locust.user.task import LOCUST_STATE_RUNNING

__all__ = [
    "LOCUST_STATE_RUNNING",
    "Environment",
    "Events",
    "Message",
    "RPCError",
    "RPCReceiveError",
    "RPCSendError",
    "StopTest",
    "StopUser",
    "User",
    "zmqrpc",
]
