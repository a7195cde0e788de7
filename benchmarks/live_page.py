"""What the page of ``loadtest run --ui`` costs the generator: CPU per turn with it and without, in pairs.

``python -m benchmarks.live_page [--pairs N] [--seconds S] [--write]``; the page is asked once a second for
what is new, as a browser does. Each pair has its two runs one after the other, in turns the one or the other
first. ``--write`` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from benchmarks.cases import BY_NAME
from benchmarks.generator import Generator
from benchmarks.measuring import Measured, NotMeasuredError, Settings, steady
from benchmarks.own import OURS
from benchmarks.page import DOCS, table, write_table
from loadtest.run.web_server import free_port

CASE = BY_NAME["rate"]
TABLE = "live-page"
SETTLE_S = 5.0
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A run without the page and one with it, which was asked ``polls`` times."""

    without: Measured
    opened: Measured
    polls: int

    @property
    def ratio(self) -> float:
        """CPU per turn with the page, over that without."""
        return self.without.value / self.opened.value

    @property
    def more_of_a_core(self) -> float:
        """The page's share of a core at the rate of the run without it."""
        return (1 / self.opened.value - 1 / self.without.value) * (self.without.per_s or 0.0)


class Poller:
    """Asks a live page for what it does not have yet, once a second, until it is stopped."""

    def __init__(self, port: int) -> None:
        self.answers = 0
        self._at = f"http://127.0.0.1:{port}/api/live?since="
        self._known = 0
        self._stopped = threading.Event()

    def run(self) -> None:
        """Poll; before the page is there nobody answers."""
        while not self._stopped.wait(POLL_S):
            try:
                with urllib.request.urlopen(f"{self._at}{self._known}", timeout=10) as answer:
                    found = json.load(answer)
            except OSError:
                continue
            self.answers += 1
            self._known += len(found["columns"]["second"])

    def stop(self) -> None:
        """Poll no more."""
        self._stopped.set()


@contextmanager
def _polled(port: int) -> Iterator[Poller]:
    poller = Poller(port)
    thread = threading.Thread(target=poller.run, daemon=True)
    thread.start()
    try:
        yield poller
    finally:
        poller.stop()
        thread.join()


def with_page(port: int) -> Generator:
    """Our own generator, with its page."""
    return replace(OURS, words=lambda job: [*OURS.words(job), "--ui-port", str(port), "--ui-close"])


def measure(settings: Settings, *, page_first: bool, steadily: Callable[..., Measured] = steady) -> Pair:
    """One pair.

    Raises:
        NotMeasuredError: a run did no work, or its page never answered.
    """
    if not page_first:
        without = steadily(OURS, CASE, settings)
    port = free_port("127.0.0.1")
    with _polled(port) as poller:
        opened = steadily(with_page(port), CASE, settings)
    if not poller.answers:
        raise NotMeasuredError("the live page never answered")
    if page_first:
        without = steadily(OURS, CASE, settings)
    return Pair(without, opened, poller.answers)


def told(pairs: Sequence[Pair], load: tuple[float, float], seconds: float) -> str:
    """The table, with what the machine did meanwhile."""
    rows = [
        [
            str(number),
            f"{1e6 / pair.without.value:.1f}",
            f"{1e6 / pair.opened.value:.1f}",
            f"{pair.ratio:.3f}",
            f"{100 * pair.more_of_a_core:+.1f}",
        ]
        for number, pair in enumerate(pairs, 1)
    ]
    head = ["pair", "without, us a turn", "with the page, us a turn", "ratio", "the page, % of a core"]
    ratios = [pair.ratio for pair in pairs]
    more = 100 * statistics.median(pair.more_of_a_core for pair in pairs)
    per_s = pairs[0].without.per_s or 0
    said = [
        f"{len(pairs)} pairs of {seconds:g} s at {per_s:,.0f} turns/s, the page asked once a second. Ratio:",
        f"median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}; the page takes",
        f"{more:.1f} % of a core in the median. Load average of the machine: {load[0]:.1f} at the beginning,",
        f"{load[1]:.1f} at the end, on {os.cpu_count()} cores.",
    ]
    return "\n".join((table(head, rows), "", *said))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_page", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=40.0, help="measured of each run; at most 50")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    before = os.getloadavg()[0]
    cores = sorted(os.sched_getaffinity(0))
    settings = Settings(cores[-2:-1], cores[-1:], SETTLE_S, options.seconds)
    pairs = [measure(settings, page_first=bool(number % 2)) for number in range(options.pairs)]
    text = told(pairs, (before, os.getloadavg()[0]), options.seconds)
    sys.stdout.write(f"{text}\n")
    if options.write:
        write_table(TABLE, text, DOCS / "performance.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
