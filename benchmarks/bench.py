"""Our generator beside its peers: one run, one machine, one server, CPU time as the measure.

    python -m benchmarks.bench                      every case, up to 5 rounds in 25 minutes
    python -m benchmarks.bench --quick              one short round
    python -m benchmarks.bench --only burst,echo --generator loadtest --generator bare
    python -m benchmarks.bench --minutes 10         ends within 10 minutes
    python -m benchmarks.bench --install            install the peers that are not Python packages
    python -m benchmarks.bench --write              put the tables into docs/performance.md

Rounds are interleaved, so that what else the machine does meets everybody alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

import psutil

from benchmarks import measuring
from benchmarks.budget import Budget
from benchmarks.cases import BY_NAME, CASES, Case
from benchmarks.foreign import FOREIGN
from benchmarks.generator import ROOT, Generator
from benchmarks.install import install
from benchmarks.measuring import Measured, NotMeasuredError, Settings
from benchmarks.own import BARE, C_CLIENT, OURS, TOGETHER
from benchmarks.page import release
from benchmarks.server import compiled
from benchmarks.table import does_of, number, table, times

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin: python -m benchmarks.bench --write -->", "<!-- end -->"

GENERATORS = (OURS, TOGETHER, *FOREIGN, BARE, C_CLIENT)

MINUTES = 25.0
"""How long all of it may take."""

ROUNDS = 5

Found = dict[str, dict[str, list[Measured]]]


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", type=chosen, metavar="CASE[,CASE]", help=f"only these cases, of {', '.join(BY_NAME)}"
    )
    names = ", ".join(generator.name for generator in GENERATORS)
    parser.add_argument(
        "--generator", action="append", help=f"only those whose name contains this (repeatable): {names}"
    )
    parser.add_argument("--rounds", type=int, help="most rounds of each measurement (default 5)")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="when it ends (default %(default)g)")
    parser.add_argument("--quick", action="store_true", help="one round of short windows")
    parser.add_argument("--json", type=Path, help="keep every figure in this file")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--install", action="store_true", help="install Artillery and Tsung, then stop")
    return parser.parse_args(words)


def chosen(text: str) -> list[str]:
    """Names of cases, with commas between.

    Raises:
        argparse.ArgumentTypeError: there is no such case.
    """
    names = text.split(",")
    if unknown := [name for name in names if name not in BY_NAME]:
        raise argparse.ArgumentTypeError(
            f"there is no case {', '.join(unknown)}; there are {', '.join(BY_NAME)}"
        )
    return names


def settings_for(*, quick: bool) -> Settings:
    """The server on the last core, the generator on the one before; with one core nothing is pinned."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    own, servers = ([cores[-2]], [cores[-1]]) if len(cores) > 1 else ([], [])
    return Settings(own, servers, 1.0 if quick else 1.5, 2.0 if quick else 3.0)


def present(chosen: Sequence[str] | None) -> list[Generator]:
    """The generators to compare; those that are not installed are named and left out."""
    found = []
    for generator in GENERATORS:
        if chosen and not any(part.lower() in generator.name.lower() for part in chosen):
            continue
        reason = generator.missing()
        if reason is None:
            found.append(generator)
        else:
            say(f"left out: {generator.name}: {reason}")
    return found


def say(line: str) -> None:
    """Progress, beside the tables."""
    sys.stderr.write(f"{line}\n")


def todo(cases: Sequence[Case], generators: Sequence[Generator]) -> Iterator[tuple[Case, Generator, int]]:
    """Every measurement of one round."""
    for case in cases:
        chosen = [generator for generator in generators if case.name in generator.does]
        for processes in (1, 2) if case.kind == "together" else (1,):
            yield from ((case, generator, processes) for generator in chosen)


def measure(case: Case, generator: Generator, settings: Settings, processes: int) -> Measured:
    """One figure.

    Raises:
        NotMeasuredError: it could not be measured.
    """
    if case.kind == "together":
        return measuring.together(generator, case, settings, processes)
    ways = {
        "steady": measuring.steady,
        "once": measuring.once,
        "memory": measuring.memory,
        "rate": measuring.rate,
        "storm": measuring.storm,
    }
    return ways[case.kind](generator, case, settings)


def rounds(
    cases: Sequence[Case], generators: Sequence[Generator], settings: Settings, budget: Budget
) -> tuple[Found, list[str]]:
    """All figures, by case and generator; and what failed."""
    found: Found = {case.name: {} for case in cases}
    failures = []
    for number_of_round in budget.rounds():
        for case, generator, processes in todo(cases, generators):
            if budget.is_spent:
                failures.append(f"round {number_of_round} was cut short: the time was over")
                say(f"  {failures[-1]}")
                return found, failures
            began = time.perf_counter()
            try:
                one = replace(measure(case, generator, settings, processes), round=number_of_round)
            except NotMeasuredError as error:
                failures.append(f"{case.name}, {generator.name}: {error}")
                say(f"  {failures[-1]}")
                continue
            finally:
                budget.took(case.name, time.perf_counter() - began)
            found[case.name].setdefault(one.generator, []).append(one)
            line = f"{number_of_round} {case.name:9} {one.generator:26} {number(one.value):>9} {case.unit}"
            say(f"{line} ({time.perf_counter() - began:.0f} s)")
    return found, failures


@contextlib.contextmanager
def no_daemons_left() -> Iterator[None]:
    """Erlang's port mapper outlives Tsung: end the one that was started meanwhile."""
    before = set(_mappers())
    try:
        yield
    finally:
        for pid in set(_mappers()) - before:
            with contextlib.suppress(psutil.Error):
                psutil.Process(pid).terminate()


def _mappers() -> list[int]:
    return [one.pid for one in psutil.process_iter(["name"]) if one.info["name"] == "epmd"]


def report(cases: Sequence[Case], generators: Sequence[Generator], found: Found, failures: list[str]) -> str:
    """The tables as Markdown."""
    lines = machine(generators)
    for case in cases:
        if not found[case.name]:
            continue
        does = does_of(case, generators)
        lines += ["", *table(case, found[case.name], does, OURS.name), *remarks(case, found[case.name])]
    if failures:
        lines += ["", "Failed:", "", *[f"- {failure.splitlines()[0]}" for failure in failures]]
    return "\n".join(lines) + "\n"


def remarks(case: Case, figures: dict[str, list[Measured]]) -> list[str]:
    """What a table alone does not say."""
    lines = []
    if case.kind == "steady":
        full = _shares(
            {name: [one.server_cpu for one in found] for name, found in figures.items()}, lambda x: x > 0.9
        )
        idle = _shares(
            {name: [one.cpu for one in found] for name, found in figures.items()}, lambda x: x < 0.8
        )
        lines += ["", f"The server was close to its own limit with: {full}."] if full else []
        lines += ["", f"Kept off its core, or waiting: {idle}."] if idle else []
    for name in sorted({of_processes(name) for name in figures}) if case.kind == "together" else ():
        one, two = (figures.get(f"{name}, {n}") for n in ("1 process", "2 processes"))
        if one and two:
            told = f"Two processes of {name} do {times(two, one):.2f} times the work of one."
            lines += ["", told + most_of_two(one, os.cpu_count() or 1)]
    return lines


def most_of_two(one: Sequence[Measured], cores: int) -> str:
    """How much more two processes can do than one on these cores, which the server uses too."""
    taken = [each.cpu + each.server_cpu for each in one if each.cpu and each.server_cpu is not None]
    if not taken:
        return ""
    most = min(2.0, cores / median(taken))
    share = f" One and its server take {median(taken):.2f} cores"
    return f"{share}, so that two on {cores} cores can do at most {most:.2f} times its work."


def of_processes(name: str) -> str:
    """The generator of a figure that is told by its processes."""
    return name.rpartition(", ")[0]


def _shares(shares: dict[str, list[float | None]], worth_saying: Callable[[float], bool]) -> str:
    """The generators whose median share of a core is worth saying."""
    measured = {name: [share for share in found if share is not None] for name, found in shares.items()}
    known = {name: median(found) for name, found in measured.items() if found}
    return ", ".join(
        f"{name} ({share:.0%} of a core)" for name, share in known.items() if worth_saying(share)
    )


def machine(generators: Sequence[Generator]) -> list[str]:
    """What was measured where."""
    versions = ", ".join(f"{one.name} {one.version()}" for one in generators)
    absent = [one.name for one in GENERATORS if one.missing() is not None]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    server = "C" if compiled() else "Python, and may be the limit (there is no C compiler)"
    day = time.strftime("%Y-%m-%d", time.gmtime())
    system = f"{platform.system()} {release(platform.release())}, Python {platform.python_version()}"
    lines = [
        f"Measured on {day}: {processor()}, {os.cpu_count()} cores, {system}; server in {server}.",
        f"Load average of the machine at the end: {load:.1f}.",
        "",
        f"Versions: {versions}.",
    ]
    return [*lines, "", f"Not installed, so not measured: {', '.join(absent)}."] if absent else lines


def processor() -> str:
    """The name of the processor."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def write(text: str) -> None:
    """Put the tables between the marks of docs/performance.md."""
    page = PAGE.read_text() if PAGE.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    head, rest = page.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    PAGE.write_text(f"{head}{BEGIN}\n{text}{END}{tail}")
    say(f"written to {PAGE.relative_to(ROOT)}")


def main(words: Sequence[str]) -> int:
    """Measure and print."""
    options = arguments(words)
    if options.install:
        return install()
    cases = [case for case in CASES if not options.only or case.name in options.only]
    generators = present(options.generator)
    budget = Budget(options.minutes * 60, options.rounds or (1 if options.quick else ROUNDS))
    with no_daemons_left():
        found, failures = rounds(cases, generators, settings_for(quick=options.quick), budget)
    text = report(cases, generators, found, failures)
    say(budget.told())
    print(text)
    if options.json is not None:
        options.json.write_text(
            json.dumps({k: {g: [asdict(m) for m in v] for g, v in d.items()} for k, d in found.items()})
        )
    if options.write:
        write(text)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
