"""A wire between two network namespaces that does to packets what networks do, where ``tc netem`` is missing.

Each end is a TUN device; a thread carries packets from one to the other: late, out of order, slowly, or not
at all. What TCP makes of that is the kernels' own doing.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import itertools
import os
import select
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.namespaces import Host, bare_hosts, missing

TUN = Path("/dev/net/tun")
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI, _CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

NAME = "wire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """What happens to packets.

    ``latency_s``: each arrives so much later. ``lose_every``: of so many packets one never arrives.
    ``hold_every``: of so many one arrives 30 ms late, after those behind it. ``bytes_per_s``: how fast they
    go. ``forget_s``: as a translator of addresses (NAT) does, a flow that was silent for so long is forgotten
    and its packets are dropped. ``cut_after``: after so many packets none arrives.
    """

    latency_s: float = 0.0
    lose_every: int = 0
    hold_every: int = 0
    bytes_per_s: int = 0
    forget_s: float = 0.0
    cut_after: int = 0


HELD_S = 0.03


def no_wire() -> str | None:
    """Why there can be no such wire here; None if there can."""
    if why := missing():
        return why
    return None if TUN.exists() else f"a wire needs {TUN}, which this machine does not have"


@contextmanager
def in_namespace(host: Host) -> Iterator[None]:
    """What this thread opens meanwhile belongs to the host."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{host.name}", os.O_RDONLY)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(own)
    finally:
        os.close(own)
        os.close(there)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def joined_hosts(packets: Packets) -> Iterator[tuple[Host, Host]]:
    """Two hosts, joined by such a wire: the client's and the target's."""
    with ExitStack() as made:
        hosts = made.enter_context(bare_hosts())
        ends = [_end_of(host) for host in hosts]
        for end in ends:
            made.callback(os.close, end)
        for host in hosts:
            host.do("ip", "address", "add", f"{host.address}/24", "dev", NAME)
            host.do("ip", "link", "set", NAME, "up")
        over = threading.Event()
        thread = threading.Thread(target=_Carrier(ends, packets).carry, args=(over,), daemon=True)
        thread.start()
        made.callback(thread.join, 5)
        made.callback(over.set)
        yield hosts


def _end_of(host: Host) -> int:
    with in_namespace(host):
        end = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", NAME.encode(), _IFF_TUN | _IFF_NO_PI))
    return end


class _Carrier:
    """Carries packets from each end to the other."""

    def __init__(self, ends: list[int], packets: Packets) -> None:
        self._ends = ends
        self._packets = packets
        self._numbers = itertools.count(1)
        # When it is due, its number, where it goes, its bytes.
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._free_s = [0.0, 0.0]
        self._heard_s: dict[frozenset[bytes], float] = {}

    def carry(self, over: threading.Event) -> None:
        while not over.is_set():
            due_s = self._waiting[0][0] - time.monotonic() if self._waiting else 0.05
            readable, _, _ = select.select(self._ends, [], [], min(max(due_s, 0.0), 0.05))
            for end in readable:
                self._take(self._ends.index(end))
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(self._waiting)
                os.write(self._ends[to], packet)

    def _take(self, came_from: int) -> None:
        packets, now_s = self._packets, time.monotonic()
        packet = os.read(self._ends[came_from], 65_536)
        if packet[0] >> 4 != 4:
            # IPv6 speaks of itself as soon as a device is there.
            return
        number = next(self._numbers)
        lost = packets.lose_every and number % packets.lose_every == 0
        if lost or (packets.cut_after and number > packets.cut_after) or self._forgotten(packet, now_s):
            return
        due_s = now_s + packets.latency_s
        if packets.hold_every and number % packets.hold_every == 0:
            due_s += HELD_S
        if packets.bytes_per_s:
            due_s = max(due_s, self._free_s[came_from]) + len(packet) / packets.bytes_per_s
            self._free_s[came_from] = due_s
        heapq.heappush(self._waiting, (due_s, number, 1 - came_from, packet))

    def _forgotten(self, packet: bytes, now_s: float) -> bool:
        """Whether its flow is not known any more; one that begins with a SYN is a new one."""
        if not self._packets.forget_s:
            return False
        head = (packet[0] & 15) * 4
        ports = packet[head : head + 4]
        flow = frozenset((packet[12:16] + ports[:2], packet[16:20] + ports[2:]))
        begins = bool(packet[head + 13] & 0x02)
        known = begins or now_s - self._heard_s.get(flow, float("-inf")) < self._packets.forget_s
        if known:
            self._heard_s[flow] = now_s
        return not known
