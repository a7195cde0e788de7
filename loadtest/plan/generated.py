"""Placeholders whose values are drawn: ``{random.int 1 100}``, ``{random.choice a b}``, ``{uuid4}``.

A draw depends on the run's seed (``{uuid4}``: on the run), on the message, and on which placeholder of it is
drawn; so the same seed gives the same messages, however the users are spread over processes.
"""

from __future__ import annotations

import hashlib
import re
import uuid

from loadtest.plan.random_draw import draw
from loadtest.plan.template import RANDOM, UUID4

_INT = re.compile(r"random\.int (-?[0-9]{1,18}) (-?[0-9]{1,18})")
_CHOICE = re.compile(r"random\.choice((?: [^ ]+)+)")

FORMS = "write {random.int 1 100} or {random.choice a b}"


def is_generated(name: str) -> bool:
    """Whether the value of a placeholder is drawn."""
    return name.startswith(RANDOM) or _bare(name) == UUID4


def _bare(name: str) -> str:
    """The placeholder as it is written: of several that are the same, each has a number in its name."""
    return name.partition("#")[0]


def problem_of(name: str) -> str | None:
    """What is wrong with a placeholder of random values, as a sentence; None where it can be drawn."""
    written = _bare(name)
    bounds = _INT.fullmatch(written)
    if bounds is not None and int(bounds[1]) > int(bounds[2]):
        return f"in {{{written}}} the first number is greater than the second"
    if bounds is None and _CHOICE.fullmatch(written) is None:
        return f"there is no placeholder {{{written}}}; {FORMS}"
    return None


def generated(name: str, seed: int, run_id: str, *about: str | int) -> str:
    """The value of a placeholder that ``is_generated``, in the message that ``about`` names."""
    written = _bare(name)
    if written == UUID4:
        key = "\0".join(map(str, (run_id, *about, name)))
        return str(uuid.UUID(bytes=hashlib.blake2b(key.encode(), digest_size=16).digest(), version=4))
    drawn = draw(seed, *about, name)
    bounds = _INT.fullmatch(written)
    if bounds is not None:
        least, most = int(bounds[1]), int(bounds[2])
        return str(least + int(drawn * (most - least + 1)))
    options = written.split(" ")[1:]
    return options[int(drawn * len(options))]
