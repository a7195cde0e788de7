"""What only Linux has: epoll without gevent, a timer as a descriptor, kernel arrival stamps."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from contextlib import suppress
from typing import Any

from gevent.monkey import get_original

from loadtest.units import MIB, NS_PER_S

# linux/in.h; Python has it only from 3.12 on
_IP_BIND_ADDRESS_NO_PORT = 24

# linux/prctl.h
_PR_SET_TIMERSLACK = 29

# malloc.h of glibc
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

KEPT_BLOCK = 16 * MIB
"""Bytes of a block of memory that is kept for the next one when it is freed; larger ones go back at once."""

KEPT_FREE = 64 * MIB
"""Freed bytes at the end of the heap that are kept."""

# linux/net_tstamp.h and asm-generic/socket.h
SO_TIMESTAMPING = 37
_RX_SOFTWARE = 1 << 3
_SOFTWARE = 1 << 4

ANCILLARY = socket.CMSG_SPACE(48)
"""Room for one ``struct scm_timestamping``: three timespecs of 16 bytes."""

_STAMP = struct.Struct("=qq")

_TCP_INFO = struct.Struct("=68xI28xI")
"""Of ``struct tcp_info`` (linux/tcp.h): ``tcpi_rtt`` in microseconds and ``tcpi_total_retrans``."""


def make_epoll() -> Any:
    """A real epoll object: gevent removes the name from ``select``."""
    return get_original("select", "epoll")()


def ask_for_stamps(sock: socket.socket) -> bool:
    """Have the kernel stamp arriving segments (CLOCK_REALTIME); False where it will not."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, _RX_SOFTWARE | _SOFTWARE)
    except OSError:
        return False
    return True


def handshake_ns(sock: socket.socket) -> int | None:
    """How long TCP's handshake took by the kernel, asked before anything is sent; None: it does not know.

    The first round trip that the kernel measures is the handshake. Where the first segment was lost and
    sent again it measures the last attempt alone.
    """
    try:
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        rtt_us, sent_again = _TCP_INFO.unpack(told)
    except (OSError, struct.error):
        return None
    return rtt_us * 1000 if rtt_us and not sent_again else None


def choose_port_late(sock: socket.socket) -> None:
    """Have ``connect``, not ``bind``, choose the local port.

    ``bind`` does not know the target yet, and takes a port that no socket of this address uses at all.
    """
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)


def sleep_exactly() -> None:
    """Have sleeps of this thread end on time: by default the kernel adds up to 0.05 ms, to save wake-ups."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def keep_freed_memory() -> bool:
    """Have memory of large messages used again; False where the C library is not glibc.

    By default it goes back to the system from 128 KiB on, and each message pays for its pages anew: half of
    the time of a message of 64 KiB. An idle process keeps up to ``KEPT_FREE`` for that.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, KEPT_BLOCK) and mallopt(_M_TRIM_THRESHOLD, KEPT_FREE))


def stamp_in(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The arrival of the last segment of a read, in nanoseconds of CLOCK_REALTIME."""
    if not ancillary:
        return None
    seconds, nanoseconds = _STAMP.unpack_from(ancillary[0][2])
    stamp: int = seconds * NS_PER_S + nanoseconds
    return stamp or None


class _Timerspec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class TimerFd:
    """``timerfd_create(2)`` on the monotonic clock; Python has it only from 3.13 on.

    Watch it edge-triggered: the expiry is never read, and arming it again clears it.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._spec = _Timerspec()
        self._by_reference = ctypes.byref(self._spec)
        self.fd = self._libc.timerfd_create(1, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self.armed = False

    def arm(self, after_ns: int) -> None:
        """Become readable once, ``after_ns`` from now."""
        self._spec.value_s, self._spec.value_ns = divmod(after_ns, NS_PER_S)
        if self._libc.timerfd_settime(self.fd, 0, self._by_reference, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        self.armed = True

    def expired(self, _bits: int) -> None:
        """It became readable."""
        self.armed = False

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)
