"""Files that went wrong: seeded mutations of real ones, of their bytes and of what they mean."""

from __future__ import annotations

import json
import random
import re
from typing import Any

NESTED = 3000
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5,
    1e300, 2**63, 10**399, "", "x", "\x1b[2J\u202e", "9" * 5000, [], {}, [None],
    [1, "a", {}], {"": {}}, {"n": -5},
    "../../etc/passwd", "2026-99-99", "NaN", [[]], [{"code": 5}],
)  # fmt: skip
ODD_TEXTS = (
    "null", "true", "-1", "0", "1e999", "99999999999999999999", '""', "''", "[]", "{}", "[[]]", "inf", "nan",
    "[" * NESTED, "{a=" * 300, '"\\u0000"', '"{user.id}"', "2026-11-22", "1_000", "0x10", "'\x1b[2J'", "=",
    "]",
    '"' + "9" * 5000 + '"', "{}{}", '"-5s"', '"1e400s"', '"99999999h"', '"> x"',
)  # fmt: skip
_WORD = re.compile(rb"[A-Za-z0-9_.+:/-]+|\"[^\"\n]*\"")


def mutated_json(text: bytes, rng: random.Random) -> bytes:
    """One JSON document with one to three things in it replaced, left out, or nested without end."""
    if rng.random() < 0.2:
        return mutated_bytes(text, rng)
    data = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        holder, key = rng.choice(list(_places(data)))
        what = rng.random()
        if what < 0.15:
            del holder[key]
        elif what < 0.25:
            return json.dumps(data).replace(json.dumps(holder[key]), _deep(rng), 1).encode()
        elif what < 0.35 and isinstance(holder, list):
            holder.append(rng.choice(ODD_VALUES))
        else:
            holder[key] = rng.choice(ODD_VALUES)
        if not list(_places(data)):
            break
    return json.dumps(data).encode()


def mutated_lines(text: bytes, rng: random.Random) -> bytes:
    """A file of one JSON document a line, with one of them mutated, twice there or gone."""
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    what = rng.random()
    if what < 0.15:
        del lines[at]
    elif what < 0.3:
        lines.insert(at, lines[rng.randrange(len(lines))])
    else:
        lines[at] = mutated_json(lines[at], rng).replace(b"\n", b" ") + b"\n"
    return b"".join(lines)


def mutated_text(text: bytes, rng: random.Random) -> bytes:
    """A text with one to three of its words replaced by odd ones, or with other bytes."""
    if rng.random() < 0.3:
        return mutated_bytes(text, rng)
    for _ in range(rng.choice((1, 1, 2, 3))):
        found = list(_WORD.finditer(text))
        if not found:
            break
        word = rng.choice(found)
        text = text[: word.start()] + rng.choice(ODD_TEXTS).encode() + text[word.end() :]
    return text


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes that were flipped, cut out, doubled or put in."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(made) + 1)
        what = rng.randrange(5)
        if what == 0 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            del made[at : at + rng.choice((1, 4, 100, len(made)))]
        elif what == 2:
            made[at:at] = rng.choice((b"\x00", b"\xff\xfe", b"\n", b'"', b"{", b",,", b"\xed\xa0\x80"))
        elif what == 3:
            made[at:at] = made[at : at + rng.choice((1, 10, 200))]
        else:
            made[at : at + 4] = rng.randbytes(4)
    return bytes(made)


def _deep(rng: random.Random) -> str:
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
    depth = rng.choice((70, NESTED, 100_000))
    return opening * depth + "1" + closing * depth


def _places(data: Any) -> Any:
    """Every place in plain data, as what holds it and its key there."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inside:
        yield data, key
        yield from _places(value)
