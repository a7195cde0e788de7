"""Hold the generator against the truth.

    python -m benchmarks.calibrate [CASE ...] [--write] [--duration S] [--keep DIR]

``loadtest run`` is run for real against ``truth_server``, which writes down when each message reached it and
when each answer left; server and generator have a core each. A case is a delay and the processor time of the
generator: steady, bimodal, freezing and streamed, at 20, 80 and 100 % (``freezing-80``); steady delays whose
answers come fragmented, compressed or 64 KiB large, at 20 and 80 %. Every turn is
matched by its number. 20 and 80 % are reached by the rate, which is searched for; 100 % by a burn at every
event (``instrumented``), begun with the measured part.

A case in which another process had one of the two cores for more than 2 % of the time proves nothing when
it misses, and is repeated. So is one that misses nothing but its processor time, with another rate: the speed
of a machine changes. The table is printed either way; ends with 1 if a case misses. ``--write`` puts
it into docs/calibration.md, and a line of it per case into docs/measuring.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.page import MEASURING, made_on, rows_of, table, write_table
from benchmarks.truth_frames import FRAMINGS
from benchmarks.truth_run import Failed, Load, may_come_first, measure
from benchmarks.truth_verdict import SATURATED, Case, Judged, judge

DELAYS = ("steady", "bimodal", "freezing", "streamed")
AIMS = (0.2, 0.8, SATURATED)
FRAMED_AIMS = (0.2, 0.8)
"""Of other framings. A large answer fills the window that is offered: where it is read late its end leaves
late, and that is in no side's stamps."""

NAMES = [f"{delay}-{aim * 100:.0f}" for delay in DELAYS for aim in AIMS]
NAMES += [f"{delay}-{aim * 100:.0f}" for delay in FRAMINGS for aim in FRAMED_AIMS]

ATTEMPTS = 4
COSTS = {"streamed": 5, "large": 3}
"""What a turn costs the generator, in turns of one small answer: for the first guess of a rate."""

BURNING = {"steady": (1000, 500, 1000), "bimodal": (1000, 500, 1000), "streamed": (200, 1000, 1000)}
BURNING |= {"freezing": (500, 2000, 2500)}
"""Turns per second, connections and microseconds of burn per event that together are a little more than one
core. After a freeze more: in the frozen second there is nothing to burn for."""

SEARCHED_ON = {"bimodal": "steady", "freezing": "steady"}
"""Whose rate is that of another delay: a server that freezes makes a load that comes and goes."""

FIRST_GUESS = {0.2: 2000, 0.8: 9000}
SEARCH_STEPS = 6
NEAR_ENOUGH = 0.04


def main() -> int:
    """Measure the cases that were asked for, or all."""
    parser = argparse.ArgumentParser(description="Hold the generator against the truth.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {' '.join(NAMES)}; all by default")
    parser.add_argument("--write", action="store_true", help="put the tables into the docs")
    parser.add_argument("--duration", type=int, default=10, help="seconds of the measured part")
    parser.add_argument("--keep", type=Path, help="keep the results of every run in this folder")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(NAMES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    calibration = Calibration(options.duration, options.keep)
    judged = [calibration.measure(name) for name in options.cases or NAMES]
    text = report(judged)
    print(text)
    if options.write:
        write_table("calibration", text)
        write_table("calibration-in-short", in_short(text), MEASURING)
    return 1 if any(row.missed for row in judged) else 0


class Calibration:
    """Measures case after case; what it has found of rates it keeps."""

    def __init__(self, duration_s: int, keep: Path | None) -> None:
        self._duration_s = duration_s
        self._keep = keep
        self._rates: dict[tuple[str, float], int] = {}

    def measure(self, name: str) -> Judged:
        """Measure a case, again where it was disturbed or the load was not what the case is about."""
        delay, _, percent = name.partition("-")
        case = self._case(delay, int(percent) / 100)
        for attempt in range(1, ATTEMPTS + 1):
            judged = self._attempt(case, f"{name}-{attempt}")
            word = "held" if not judged.missed else "; ".join(judged.missed)
            print(f"{name}, attempt {attempt}: {word} (waited {judged.waited:.1%})", file=sys.stderr)
            if judged.may_aim_again:
                case = replace(case, load=replace(case.load, turns_per_s=_nearer(case, judged.cpu)))
            elif not (judged.missed and judged.disturbed):
                break
        return judged

    def _attempt(self, case: Case, name: str) -> Judged:
        with self._folder(name) as folder:
            return judge(case, measure(case.load, folder))

    @contextmanager
    def _folder(self, name: str) -> Iterator[Path]:
        if self._keep is not None:
            kept = self._keep / name
            kept.mkdir(parents=True)
            yield kept
            return
        with tempfile.TemporaryDirectory(prefix="loadtest-calibrate-") as folder:
            yield Path(folder)

    def _case(self, delay: str, aim: float) -> Case:
        if aim == SATURATED:
            return Case(Load(delay, *BURNING[delay], duration_s=self._duration_s), aim)
        searched_on = SEARCHED_ON.get(delay, delay)
        rate = self._rates.get((searched_on, aim)) or self._search(searched_on, aim)
        return Case(Load(delay, rate, duration_s=self._duration_s), aim)

    def _search(self, delay: str, aim: float) -> int:
        """The rate at which the generator uses so much of its core, by short runs."""
        rate = FIRST_GUESS[aim] // COSTS.get(delay, 1)
        for step in range(SEARCH_STEPS):
            case = Case(Load(delay, rate, duration_s=3), aim)
            tried = self._attempt(case, f"search-{delay}-{aim * 100:.0f}-{step}")
            cpu = tried.cpu
            print(f"{rate} turns/s: {cpu:.0%} CPU (waited {tried.waited:.1%})", file=sys.stderr)
            if abs(cpu - aim) < NEAR_ENOUGH:
                break
            # A core that is nearly full waits for itself: the kernel keeps a part of it for other processes.
            if tried.disturbed and cpu < aim:
                continue
            rate = _nearer(case, cpu)
        self._rates[delay, aim] = rate
        return rate


def _nearer(case: Case, cpu: float) -> int:
    """A rate that comes nearer to the aim of a case, which took ``cpu`` of a core."""
    # Not by more than half: processor time does not grow evenly with the rate.
    return max(round(case.turns_per_s * min(max(case.aim / cpu, 0.67), 1.5) / 100) * 100, 100)


# ---------------------------------------------------------------------- the tables


def report(judged: list[Judged]) -> str:
    """Everything that was found, as Markdown."""
    parts = [made_on(judged[0].manifest, first=may_come_first())]
    turns = [row for row in judged if row.case.load.delay != "streamed"]
    streams = [row for row in judged if row.case.load.delay == "streamed"]
    if turns:
        parts += [f"Service time in ms, {WHOLE}: measured (true). {BOUND}", _service(turns)]
        parts += [
            f"Response time in ms, `turn.completion`: measured (implied by schedule and server). {BOUND}",
            _response(turns),
        ]
    if streams:
        parts += [
            f"Five events 2 ms apart, in ms: measured (true). {BOUND[:-1]}; of a gap: not known.",
            _streams(streams),
        ]
    missed = [f"- {row.case.name}: {sentence}" for row in judged for sentence in row.missed]
    parts += ["Missed:\n\n" + "\n".join(missed)] if missed else ["No case misses."]
    return "\n\n".join(parts)


def in_short(text: str) -> str:
    """Of a report, the machine and a line per case: service time of whole turns, and the verdict."""
    lines = [
        [cells[name] for name in (*HEADS[:3], *STATISTICS, "verdict")]
        for cells in rows_of(text)
        if cells.get("metric", WHOLE) == WHOLE and "verdict" in cells
    ]
    said = f"Service time in ms, {WHOLE}: measured (true). {BOUND}"
    return "\n\n".join([text.partition("\n")[0], said, table([*HEADS[:3], *STATISTICS, "verdict"], lines)])


def _heads(row: Judged) -> list[str]:
    load = row.case.load
    burn = f" + {load.burn_us} µs burn" if load.burn_us else ""
    return [f"{load.delay}{burn}", f"{row.cpu:.0%}", f"{row.case.turns_per_s:,}", f"{row.n:,}"]


HEADS = ["delay", "generator CPU", "turns/s", "n"]
STATISTICS = ["p50", "p99", "p99.9", "max"]
WHOLE = "`turn.completion.service`"


def _cells(row: Judged, metric: str) -> list[str]:
    if metric not in row.compared:
        return ["–"] * len(STATISTICS)
    mine, true = row.compared[metric]
    marks = {name: " †" if (metric, name) in row.bounds else "" for name in true}
    return [f"{_ms(mine[name])} ({_ms(true[name])}){marks[name]}" for name in true]


BOUND = "† an upper bound, as the run itself says."


def _ms(value: float | None) -> str:
    if value is None:
        return "n too small"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _word(row: Judged) -> str:
    return "held" if not row.missed else ("disturbed" if row.disturbed else "**missed**")


def _service(rows: list[Judged]) -> str:
    lines = []
    for row in rows:
        error = [_ms(row.per_turn[name]) if row.per_turn else "–" for name in ("p50", "p99_9", "max")]
        cells = _cells(row, "turn.completion.service")
        lines.append([*_heads(row), *cells, " / ".join(error), f"{row.waited:.1%}", _word(row)])
    head = [*HEADS, *STATISTICS, "error of a turn: p50 / p99.9 / max", "disturbed", "verdict"]
    return table(head, lines)


def _response(rows: list[Judged]) -> str:
    return table(
        [*HEADS[:2], *STATISTICS],
        [[*_heads(row)[:2], *_cells(row, "turn.completion")] for row in rows],
    )


def _streams(rows: list[Judged]) -> str:
    lines = []
    for row in rows:
        for metric in ("turn.first_event.service", "event.gap", "turn.completion.service"):
            cells = _cells(row, metric)
            lines.append([*_heads(row)[:3], f"`{metric}`", *cells, f"{row.coalesced:.1%}", _word(row)])
    return table([*HEADS[:3], "metric", *STATISTICS, "coalesced", "verdict"], lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"calibrate: {failed}")
