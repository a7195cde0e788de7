"""What all notices of one code have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """What all notices of a code have in common. ``spoils``: "yes", "no", or when."""

    when: str
    message: str
    remedy: str
    numbers: tuple[str, ...] = ()
    spoils: str = "no"
