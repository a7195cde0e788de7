"""The source addresses of this machine; each has local ports of its own."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from gevent.monkey import get_original

from loadtest.errors import ConfigError, Problem
from loadtest.plan.source_addresses import source_addresses

_RawSocket: type[socket.socket] = get_original("socket", "socket")

KEY = "[target] source_addresses"


def family_of(written: Sequence[str]) -> int:
    """The address family in which these reach a target; 0: any."""
    if not written:
        return 0
    return socket.AF_INET6 if any(":" in text for text in written) else socket.AF_INET


def own_sources(written: Sequence[str]) -> tuple[str, ...]:
    """The configured addresses that this machine can send from; none if none are configured.

    Raises:
        ConfigError: it has none of them; names the command that adds one.
    """
    found = tuple(address for address in source_addresses(written) if _can_send_from(address))
    if written and not found:
        raise ConfigError([_absent(written)])
    return found


def check_sources(written: Sequence[str]) -> tuple[str, ...]:
    """As ``own_sources``, for the only machine of a run: it must have an address of each entry.

    Raises:
        ConfigError: with every entry of which it has no address.
    """
    problems = [_absent([text]) for text in written if not _has_any(text)]
    if problems:
        raise ConfigError(problems)
    return own_sources(written)


def _has_any(text: str) -> bool:
    return any(_can_send_from(address) for address in source_addresses([text]))


def _absent(written: Sequence[str]) -> Problem:
    first = source_addresses(written)[0]
    length = 128 if ":" in first else 32
    return Problem(
        KEY,
        f"this machine has none of the addresses {', '.join(written)}; add one with: ip address add"
        f" {first}/{length} dev INTERFACE (as root)",
    )


def _can_send_from(address: str) -> bool:
    """Whether a socket can be bound to the address."""
    family = family_of([address])
    with _RawSocket(family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True
