"""What a loop that waits for its replies does not see of a server that stands still.

    python -m benchmarks.omission [--write] [--duration S]

The truth server, frozen for one second in every five, is sent the same number of messages a second on the
same number of connections, twice: by ``loadtest run`` in the open model, and by a closed loop as scripts have
it, which sends, waits, and sleeps for what is left of its period. ``--write`` puts the table into
docs/measuring.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from websockets.sync.client import connect

from benchmarks.page import MEASURING, made_on, table, write_table
from benchmarks.truth import NS, of_metric, percentiles
from benchmarks.truth_run import (
    GENERATOR_CORE,
    WARMUP_S,
    Failed,
    Load,
    Measured,
    as_children_shall,
    may_come_first,
    measure,
    serving,
)

TURNS_PER_S = 500
CONNECTIONS = 10

STATISTICS = ("p50", "p99", "max")


@dataclass(frozen=True, slots=True)
class Polite:
    """What a closed loop found: how many messages it sent, and how long each answer took, in milliseconds."""

    sent: int
    statistics: Mapping[str, float]


def main() -> int:
    """Measure both, and print the table."""
    parser = argparse.ArgumentParser(description="Show what a closed loop does not see.")
    parser.add_argument("--write", action="store_true", help="put the table into docs/measuring.md")
    parser.add_argument("--duration", type=int, default=10, help="seconds of the measured part")
    options = parser.parse_args()
    load = Load("freezing", TURNS_PER_S, CONNECTIONS, duration_s=options.duration)
    with tempfile.TemporaryDirectory(prefix="loadtest-omission-") as folder:
        planned = measure(load, Path(folder))
        with serving("freezing", Path(folder, "polite.npy")) as (_, url), as_children_shall(GENERATOR_CORE):
            polite = closed_loop(url, load)
    text = report(load, planned, polite)
    print(text)
    if options.write:
        write_table("omission", text, MEASURING)
    return 0


def closed_loop(url: str, load: Load, warmup_s: int = WARMUP_S) -> Polite:
    """Send as a script does that measures every reply, and then sleeps until its next message is due.

    Each connection has its own loop, and all of them together as many messages a second as ``load`` says,
    if only the replies come at once. What was sent in the warm-up does not count.
    """
    period_s = load.connections / (load.turns_per_s or TURNS_PER_S)
    begin = threading.Barrier(load.connections)

    def loop(number: int) -> list[int]:
        with connect(url, compression=None) as peer:
            begin.wait()
            starts_s = time.perf_counter() + warmup_s
            # Begun one after the other, as independent users would be.
            time.sleep(period_s * number / load.connections)
            took_ns, turn = [], number
            while (began_s := time.perf_counter()) < starts_s + load.duration_s:
                peer.send(f'{{"id":"01234567-89ab-8cde-8f01-{turn:012x}"}}')
                peer.recv()
                elapsed_s = time.perf_counter() - began_s
                if began_s >= starts_s:
                    took_ns.append(round(elapsed_s * NS))
                turn += load.connections
                time.sleep(max(0, period_s - elapsed_s))
        return took_ns

    with ThreadPoolExecutor(load.connections) as pool:
        found = np.concatenate([np.array(took, np.int64) for took in pool.map(loop, range(load.connections))])
    return Polite(len(found), percentiles(found))


def report(load: Load, planned: Measured, polite: Polite) -> str:
    """Both rows, as Markdown."""
    turns = planned.manifest["metrics"]["turn.completion"]
    bounds: set[str] = {name.removesuffix("_exact") for name in turns.get("bounds", ())}
    due = TURNS_PER_S * load.duration_s
    none: set[str] = set()
    both: tuple[tuple[str, int, Mapping[str, float | None], set[str]], ...] = (
        ("open model, counted from the intended instant", turns["n"], of_metric(turns), bounds),
        ("closed loop that sleeps `max(0, period − elapsed)`", polite.sent, polite.statistics, none),
    )
    rows = [
        [name, f"{n:,} of {due:,}", *(_cell(found[it], bounded=it in known) for it in STATISTICS)]
        for name, n, found, known in both
    ]
    said = (
        f"{TURNS_PER_S} messages a second on {load.connections} connections for {load.duration_s} s, to a "
        "server that stands still for 1 s in every 5:"
    )
    return "\n\n".join(
        [
            made_on(planned.manifest, first=may_come_first()),
            said,
            table(["", "turns", *STATISTICS], rows),
        ]
    )


def _cell(value: float | None, *, bounded: bool) -> str:
    if value is None:
        return "n too small"
    digits = 2 if value < 10 else 0
    return f"{'≤ ' if bounded else ''}{value:,.{digits}f} ms"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"omission: {failed}")
