"""What an address says of itself."""

from __future__ import annotations

import ipaddress

SIMULATOR = "simulator"
"""Stands for our own simulator: as the target's URL it is started and loaded, as a pid it is its process."""


def is_loopback(host: str) -> bool:
    """Whether an address, or ``localhost``, is of this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
