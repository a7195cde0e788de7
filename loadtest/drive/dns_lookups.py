"""The addresses of the target's name as they are in mid-run, for users who connect again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import gevent

from loadtest.drive.transport import Address
from loadtest.errors import TargetError
from loadtest.units import NS_PER_S

REST_NS: Final = 2 * NS_PER_S
"""The least time from the beginning of a lookup to that of the next one of this process."""

MAX_ADDRESSES: Final = 32
"""So many addresses of an answer are used; the others would not be tried within a connect timeout."""

MAX_TOLD: Final = 64
"""So many different addresses are counted by themselves in a run."""

OTHER: Final = "others"
"""As what the addresses beyond ``MAX_TOLD`` are counted."""

Find = Callable[[], tuple[Address, ...]]


class LookupOwner(Protocol):
    """The process for which a name is looked up."""

    def now(self) -> int:
        """The run's clock."""

    def count(self, name: str) -> None:
        """One more of a counter."""

    def lookup_failed(self, reason: str) -> None:
        """A name could not be looked up."""


class Lookups:
    """Looks the target's name up again, for all users of this process at once, while nobody waits for it.

    ``addresses`` are those that were found last: a lookup that fails changes nothing. ``find`` looks the name
    up and may wait, for it is called in a greenlet; None: there is no name, or nobody connects again.
    """

    __slots__ = ("_find", "_looking", "_next_ns", "_owner", "_told", "addresses")

    def __init__(self, owner: LookupOwner, first: Sequence[Address], find: Find | None) -> None:
        self.addresses = tuple(first)
        self._find = find
        self._looking = False
        self._next_ns = 0
        self._owner = owner
        self._told = {host_of(address) for address in first}

    @property
    def counts_by_address(self) -> bool:
        """Whether attempts are counted by address: there are several, or there may be."""
        return self._find is not None or len(self.addresses) > 1

    def label(self, address: Address) -> str:
        """As what an address is counted."""
        host = host_of(address)
        if host not in self._told:
            if len(self._told) >= MAX_TOLD:
                return OTHER
            self._told.add(host)
        return host

    def look_again(self) -> None:
        """A connection was lost, or no address took one: the name may lead elsewhere by now."""
        now_ns = self._owner.now()
        if self._find is None or self._looking or now_ns < self._next_ns:
            return
        self._looking = True
        self._next_ns = now_ns + REST_NS
        gevent.spawn(self._look_up, self._find)

    def _look_up(self, find: Find) -> None:
        try:
            found = find()
        except TargetError as error:
            self._owner.count("connections.lookups_failed")
            self._owner.lookup_failed(error.sentence)
        else:
            self.addresses = found[:MAX_ADDRESSES]
            self._owner.count("connections.lookups")
            for label in dict.fromkeys(map(self.label, self.addresses)):
                self._owner.count(f"connections.address_found.{label}")
        finally:
            self._looking = False


def host_of(address: Address) -> str:
    """The address without its port."""
    return address.sockaddr[0]
