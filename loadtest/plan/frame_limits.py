"""How large the messages and frames of a target may be, and how many of those that say nothing it may send.

A connection that breaks a limit is given up. ``speak.frames`` enforces the limits of one message and of one
read, ``speak.flood_guard`` those of one second.
"""

from __future__ import annotations

from typing import Final

from loadtest.units import MIB

MAX_MESSAGE_BYTES: Final = 16 * MIB
"""The largest message that is taken, where a scenario says nothing else."""

DEFLATE_RATIO: Final = 1_032
"""The most bytes that one byte of deflate becomes (zlib's technical details)."""

BOMB: Final = 100
"""Times its size on the wire that a message unpacks to, if it is a bomb; text of events has about 10."""

MAX_SURPLUS: Final = 16 * MIB
"""Bytes beyond that, and beyond one message of the largest size, that one read may unpack to."""

MAX_IDLE_FRAMES: Final = 1_000
"""Frames of less than 16 bytes that complete no message, in one read: pings, empty fragments.

A read has room for 32,000, and all others would wait 0.13 s; who has something to say sends one or two.
"""

MAX_CONTROL_FRAMES: Final = 2_000
"""Pings and pongs of a connection in a second; who keeps a connection alive sends a few a minute."""

MAX_EMPTY: Final = 2_000
"""Messages without content of a connection in a second, as they come in reads full of messages."""

MAX_UNPACKED: Final = 64 * MIB
"""Bytes that the compressed messages of a connection may unpack to in a second, if they are a bomb."""
