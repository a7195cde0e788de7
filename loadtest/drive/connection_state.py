"""How far a connection has come."""

from __future__ import annotations

import enum


class ConnectionState(enum.IntEnum):
    """How far a connection has come. Its session says whether turns can be sent yet."""

    NEW = 0
    CONNECTING = 1
    UPGRADED = 2
    CLOSING = 3
    CLOSED = 4
