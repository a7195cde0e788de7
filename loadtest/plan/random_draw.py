"""Random draws that are known before the run: they depend only on a seed and a purpose."""

from __future__ import annotations

import hashlib
import random

_DRAW_BITS = 53


def draw(seed: int, *about: str | int) -> float:
    """A number in [0, 1), the same for the same arguments on every machine and in any order of calls."""
    key = "\0".join(map(str, (seed, *about)))
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> (64 - _DRAW_BITS)) / (1 << _DRAW_BITS)


def chosen(seed: int, about: str, share: float, users: int) -> frozenset[int]:
    """A share of the users from 0 to ``users``: exactly that many, rounded, but at least one.

    They are chosen at random; every process gets the same ones.
    """
    chance = random.Random(f"{seed}:{about}")  # noqa: S311 - no secret
    return frozenset(chance.sample(range(users), max(1, round(share * users))))
