"""Two logs by two clocks are held against each other without a word on speed.

The clocks differ by some c. A message is sent before it is received, and an event is received after it was
sent: c lies above each (theirs - ours) of an event, and below each of a message. In the closed model a user
sends a burst after the ends of the one before. One time that was taken wrongly by more than a message takes
leaves no such c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Told(NamedTuple):
    """What a server says of a turn, in nanoseconds: its message received, its first event and its end sent.

    ``failed``: 1 where it answered with an error.
    """

    received_ns: int
    first_ns: int
    end_ns: int
    failed: int = 0


def by_number(log: Mapping[str, list[int]]) -> dict[int, Told]:
    """A server's log by the number of each turn: the last twelve digits of its id, or all of it."""
    return {int(turn_id[-12:], 16 if "-" in turn_id else 10): Told(*row) for turn_id, row in log.items()}


def one_clock(
    turns: npt.NDArray[np.void], log: Mapping[int, Told], slack_ns: int = 0, *, closed: bool = True
) -> None:
    """There is a difference of clocks by which both logs tell one story; ``closed``: of the closed model."""
    assert sorted(turns["seq"]) == sorted(log)
    told = [log[int(seq)] for seq in turns["seq"]]
    received, first, end, _ = (np.array(each, np.int64) for each in zip(*told, strict=True))
    came = turns["first_ns"] >= 0
    above = max(int((end - turns["done_ns"]).max()), int((first - turns["first_ns"])[came].max()))
    below = int((received - turns["sent_ns"]).min())
    assert above <= below + slack_ns, f"{above - below} ns apart"
    assert (turns["first_ns"] <= turns["done_ns"]).all()
    for user in np.unique(turns["user"]) if closed else ():
        ended_ns = 0
        for turn in np.sort(turns[turns["user"] == user], order="seq"):
            assert turn["position"] > 0 or ended_ns <= turn["sent_ns"]
            ended_ns = max(ended_ns, int(turn["done_ns"]))
