"""``loadtest`` with a hand on it: a burn per event, or a second clock beside the kernel's.

    python -m benchmarks.instrumented [--burn-us N [--burn-after S]] [--own-clock FILE] run SCENARIO ...

``--burn-us`` keeps the processor busy for that long at every event, after it was taken in: a generator that
is too slow for its load; ``--burn-after`` begins so many seconds after the first event. ``--own-clock``
writes down when this process got round to each turn's last event (an array of ``OWN``): what it would have
measured without kernel stamps. Neither is in the product.
"""

from __future__ import annotations

import argparse
import sys
import time
from array import array
from pathlib import Path

import numpy as np

from loadtest.cli import main as loadtest
from loadtest.measure.recorder import Recorder
from loadtest.speak.session import Session
from loadtest.speak.turn import Turn

OWN = np.dtype([("seq", "<i8"), ("service_ns", "<i8")])
"""A turn, and its service time by the clock of the process."""


def burn(microseconds: int, after_s: float) -> None:
    """Spend so much of the processor at every event, from ``after_s`` after the first one on."""
    take_in = Session.receive
    from_ns: int | None = None

    def receive(self: Session, payloads: list[bytes], at_ns: int, together: int = 1) -> None:
        nonlocal from_ns
        take_in(self, payloads, at_ns, together)
        now_ns = time.perf_counter_ns()
        if from_ns is None:
            from_ns = now_ns + int(after_s * 1e9)
        if now_ns < from_ns:
            return
        until_ns = now_ns + microseconds * 1_000 * len(payloads)
        while time.perf_counter_ns() < until_ns:
            pass

    Session.receive = receive  # type: ignore[method-assign]  # the point of this module


def keep_own_clock() -> array[int]:
    """Note when the process got round to the last event of each turn; returns what is being filled."""
    take_in, enter = Session.receive, Recorder.ended
    rows = array("q")
    handled_ns = 0

    def receive(self: Session, payloads: list[bytes], at_ns: int, together: int = 1) -> None:
        nonlocal handled_ns
        handled_ns = time.time_ns()
        take_in(self, payloads, at_ns, together)

    def ended(self: Recorder, turn: Turn) -> None:
        enter(self, turn)
        rows.extend((turn.seq, handled_ns - turn.sent_ns))

    Session.receive = receive  # type: ignore[method-assign]  # the point of this module
    Recorder.ended = ended  # type: ignore[method-assign]  # the point of this module
    return rows


def main() -> int:
    """Run ``loadtest`` so changed; its exit code is ours."""
    parser = argparse.ArgumentParser(description="loadtest, with a burn per event or a second clock")
    parser.add_argument("--burn-us", type=int, default=0)
    parser.add_argument("--burn-after", type=float, default=0.0)
    parser.add_argument("--own-clock", type=Path)
    options, words = parser.parse_known_args()
    if options.burn_us:
        burn(options.burn_us, options.burn_after)
    rows = keep_own_clock() if options.own_clock is not None else None
    code = loadtest(words)
    if rows is not None:
        np.save(options.own_clock, np.frombuffer(rows, np.int64).view(OWN))
    return code


if __name__ == "__main__":
    sys.exit(main())
