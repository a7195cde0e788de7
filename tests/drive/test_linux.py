from __future__ import annotations

import ctypes
import errno
import platform
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from loadtest.drive import linux
from loadtest.drive.linux import ANCILLARY, TimerFd, ask_for_stamps, make_epoll, stamp_in
from loadtest.drive.poller import EDGE, READ
from loadtest.units import MIB, NS_PER_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")

MS = 1_000_000
WITHIN_S = 60.0


@pytest.fixture
def timer() -> Iterator[TimerFd]:
    made = TimerFd()
    yield made
    made.close()


def is_readable(fd: int, within_s: float = 0) -> bool:
    return bool(select.select([fd], [], [], within_s)[0])


# ------------------------------------------------------------------ the handshake


class Told:
    """A socket of which the kernel says this."""

    def __init__(self, rtt_us: int, sent_again: int, size: int = 104) -> None:
        self._info = struct.pack("=68xI28xI", rtt_us, sent_again)[:size]

    def getsockopt(self, _level: int, _option: int, _size: int) -> bytes:
        if not self._info:
            raise OSError(errno.EOPNOTSUPP, "no")
        return self._info


@pytest.mark.parametrize(
    ("told", "took_ns"),
    [
        (Told(17, 0), 17_000),
        # The first segment was lost: what the kernel measured is the second try alone.
        (Told(17, 1), None),
        (Told(0, 0), None),
        (Told(17, 0, size=40), None),
        (Told(17, 0, size=0), None),
    ],
)
def test_the_kernel_knows_how_long_a_handshake_took(told: Any, took_ns: int | None) -> None:
    assert linux.handshake_ns(told) == took_ns


# ------------------------------------------------------------------ the timer


def test_the_timer_is_never_early_and_not_much_late(timer: TimerFd) -> None:
    """Others share this machine, so that one in time is enough: a timer in milliseconds would have none."""
    for _ in range(1000):
        armed_ns = time.monotonic_ns()
        timer.arm(MS // 2)
        assert is_readable(timer.fd, WITHIN_S)
        late_ns = time.monotonic_ns() - armed_ns - MS // 2
        timer.expired(0)
        assert late_ns >= 0
        if late_ns < 0.4 * MS:
            return
    pytest.fail("it was late each time")


def test_the_timer_fires_once(timer: TimerFd) -> None:
    assert not timer.armed
    timer.arm(1)
    assert timer.armed
    assert is_readable(timer.fd, WITHIN_S)
    timer.expired(0)
    assert not timer.armed


def test_an_edge_is_told_once_and_again_after_arming(timer: TimerFd) -> None:
    with make_epoll() as epoll:
        epoll.register(timer.fd, READ | EDGE)
        for _ in range(2):
            timer.arm(1)
            assert [fd for fd, _ in epoll.poll(WITHIN_S)] == [timer.fd]
            assert epoll.poll(0) == []


def test_a_timer_armed_again_forgets_the_earlier_instant(timer: TimerFd) -> None:
    timer.arm(1)
    timer.arm(3600 * 1000 * MS)
    assert not is_readable(timer.fd, 0.005)


def test_more_than_a_second_is_split_into_seconds_and_the_rest(timer: TimerFd) -> None:
    timer.arm(3_500_000_000)
    left = linux._Timerspec()
    assert timer._libc.timerfd_gettime(timer.fd, ctypes.byref(left)) == 0
    assert (left.interval_s, left.interval_ns) == (0, 0)
    assert 3_000_000_000 < left.value_s * NS_PER_S + left.value_ns <= 3_500_000_000


def test_a_timer_that_is_gone_cannot_be_armed() -> None:
    timer = TimerFd()
    timer.close()
    with pytest.raises(OSError, match="timerfd_settime") as caught:
        timer.arm(1)
    assert caught.value.errno == errno.EBADF


def test_a_system_that_gives_no_timer_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Libc:
        def timerfd_create(self, _clock: int, _flags: int) -> int:
            ctypes.set_errno(errno.EMFILE)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc())
    with pytest.raises(OSError, match="timerfd_create") as caught:
        TimerFd()
    assert caught.value.errno == errno.EMFILE


# ------------------------------------------------------------------ stamps


def test_bytes_on_loopback_carry_the_kernels_stamp() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as ours,
    ):
        theirs, _ = listener.accept()
        with theirs:
            assert ask_for_stamps(ours)
            before_ns = time.time_ns()
            stamp = _first_stamp(theirs, ours)
            assert stamp is not None
            assert before_ns <= stamp <= time.time_ns()


def _first_stamp(theirs: socket.socket, ours: socket.socket) -> int | None:
    """The kernel switches stamping on from a work queue, a moment after the first who asks: 0.1 ms, or 20."""
    give_up = time.monotonic() + WITHIN_S
    while time.monotonic() < give_up:
        stamp = _stamp_of_a_byte(theirs, ours)
        if stamp is not None:
            return stamp
    return None


def _stamp_of_a_byte(theirs: socket.socket, ours: socket.socket) -> int | None:
    theirs.send(b"x")
    data, ancillary, _, _ = ours.recvmsg(10, ANCILLARY)
    assert data == b"x"
    return stamp_in(ancillary)


def test_a_socket_that_cannot_be_stamped_is_told() -> None:
    closed = socket.socket()
    closed.close()
    assert not ask_for_stamps(closed)


@pytest.mark.parametrize(
    ("seconds", "nanoseconds", "stamp"), [(1_700_000_000, 5, 1_700_000_000_000_000_005), (0, 0, None)]
)
def test_a_stamp_is_seconds_and_nanoseconds(seconds: int, nanoseconds: int, stamp: int | None) -> None:
    three = struct.pack("=6q", seconds, nanoseconds, 0, 0, 0, 0)
    assert stamp_in([(socket.SOL_SOCKET, linux.SO_TIMESTAMPING, three)]) == stamp


def test_bytes_without_a_stamp_have_none() -> None:
    assert stamp_in([]) is None


def test_epoll_is_the_real_one() -> None:
    epoll = make_epoll()
    epoll.close()
    assert epoll.closed


# ------------------------------------------------------------------ memory

FAULTS = """
import resource
from loadtest.drive.linux import keep_freed_memory
from loadtest.units import MIB
{}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def messages():
    return [b"x" * MIB for _ in range(8)]
messages()
before = faults()
for _ in range(20):
    messages()
print(faults() - before)
"""


def page_faults(first: str) -> int:
    """Of 160 messages of 1 MiB, 8 of them at a time, in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(first)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_memory_of_large_messages_is_used_again() -> None:
    pages = 160 * MIB // 4096
    assert page_faults("assert keep_freed_memory()") < pages / 20 < pages / 2 < page_faults("")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert not linux.keep_freed_memory()
