"""What kernel arrival stamps are worth, on an echo at a saturated generator.

    python -m benchmarks.stamps [--write] [--connections N] [--duration S]

The same turns of one run, three times: as the truth server wrote them down, as the generator measured them
by the kernel's stamps, and as its own clock would have had them when it got round to each answer.
``--write`` puts the table into docs/calibration.md and docs/measuring.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.page import MEASURING, made_on, table, write_table
from benchmarks.truth import Array, Table, matched, percentiles
from benchmarks.truth_run import Failed, Load, Measured, may_come_first, measure


def main() -> int:
    """Measure once, and print the table."""
    parser = argparse.ArgumentParser(description="Show what kernel arrival stamps are worth.")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--duration", type=int, default=10, help="seconds of the measured part")
    options = parser.parse_args()
    load = Load("echo", None, options.connections, duration_s=options.duration, own_clock=True)
    with tempfile.TemporaryDirectory(prefix="loadtest-stamps-") as folder:
        text = report(load, measure(load, Path(folder)))
    print(text)
    if options.write:
        write_table("stamps", text)
        write_table("stamps", text, MEASURING)
    return 0


def report(load: Load, measured: Measured) -> str:
    """The three views of one run, as Markdown."""
    turns = matched(measured.turns, measured.answers)
    kept = (turns["phase"] == 1) & (turns["outcome"] == 0)
    mine = turns[kept]
    true = measured.answers.departed_ns[kept][:, -1] - measured.answers.arrived_ns[kept]
    views: dict[str, Array] = {
        "the server: departure − arrival": true,
        "kernel stamps: `turn.completion.service`": mine["done_ns"] - mine["sent_ns"],
        "the clock of the process": own_service(measured, mine),
    }
    rows = [[name, *(f"{ms * 1000:,.0f}" for ms in percentiles(ns).values())] for name, ns in views.items()]
    per_s = len(mine) / load.duration_s
    said = (
        f"{load.connections} connections, each sending its next message when the last was answered: "
        f"{per_s:,.0f} turns/s, n = {len(mine):,}, {measured.cpu:.0%} of a core. Service time in µs:"
    )
    return "\n\n".join(
        [
            made_on(measured.manifest, first=may_come_first()),
            said,
            table(["clock", "p50", "p99", "p99.9", "max"], rows),
        ]
    )


def own_service(measured: Measured, turns: Table) -> Array:
    """Service times of the same turns by the clock of the process.

    Raises:
        Failed: it did not write them down.
    """
    own = measured.own
    if own is None:
        raise Failed("the generator did not keep its own clock")
    own = own[np.isin(own["seq"], turns["seq"])]
    found: Array = np.sort(own, order="seq")["service_ns"]
    return found


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"stamps: {failed}")
