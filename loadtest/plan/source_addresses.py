"""Where connections come from: the addresses of [target] ``source_addresses``, and networks of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from loadtest.plan.toml_reader import TomlTable, quoted

MAX_SOURCES = 256
"""No machine has more addresses; a larger network is a typing mistake."""


def source_addresses(written: Sequence[str]) -> tuple[str, ...]:
    """Every address, once, in the order of writing; a network stands for all its hosts.

    Raises:
        ValueError: one is neither an address nor a network, or has too many hosts; says which.
    """
    found = dict.fromkeys(address for text in written for address in _meant(text))
    if len(found) > MAX_SOURCES:
        raise ValueError(f"has {len(found)} addresses; the maximum is {MAX_SOURCES}")
    if len({":" in address for address in found}) > 1:
        raise ValueError("contains both IPv4 and IPv6 addresses; write only the kind that reaches the target")
    return tuple(found)


def read_sources(table: TomlTable, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses as written; mistakes are reported."""
    written = table.texts(key)
    try:
        source_addresses(written)
    except ValueError as error:
        table.report(key, f"`{key}` {error}")
        return default
    return written


def _meant(text: str) -> list[str]:
    try:
        if "/" not in text:
            return [_usable(str(ipaddress.ip_address(text)))]
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f'must contain addresses and networks such as "10.0.0.7" or "10.0.0.0/28", not {quoted(text)}'
        )
    if network.num_addresses > MAX_SOURCES:
        raise ValueError(
            f"has {network.num_addresses} addresses in {quoted(text)}; the maximum is {MAX_SOURCES}"
        )
    return [str(host) for host in network.hosts()]


def _usable(address: str) -> str:
    """The address, if a connection can come from it.

    Raises:
        ValueError: it is the unspecified address or a multicast group.
    """
    parsed = ipaddress.ip_address(address)
    if parsed.is_unspecified or parsed.is_multicast:
        raise ValueError(address)
    return address
