"""The fault matrix as a page, and as a check of one's own.

    python -m tests.faults.matrix            print the page
    python -m tests.faults.matrix --write    write it to docs/faults.md, and in short into docs/measuring.md
    python -m tests.faults.matrix --run      run all of it and say what is not as the page says

The page is made of the same rows that the tests hold real runs against.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.page import MEASURING, write_table
from tests.faults import verdicts
from tests.faults.foreseeing import SEED, foreseen
from tests.faults.holding import changes_of, differences, evaluated, kept_of, notices_of, verdict_of
from tests.faults.network import network_table
from tests.faults.plans import BURST, INFORMATIONAL, NOISE, NUMBERED, PER_TURN, PLANS, THRESHOLDS, Plan
from tests.faults.rows import (
    AT_LEAST,
    AT_MOST,
    CONNECTING,
    EVENTS,
    NO_NUMBERS,
    ROWS,
    TIMES,
    TURNS,
    UNKNOWN,
    Changes,
    Row,
)
from tests.faults.running import Job, run_all

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"

NO_SEQ = "no-seq"

HEAD = """\
# What each fault is seen by

Our own simulator can be told to have faults (`loadtest simulator --help` lists them). Each of them is run
for real, and the run is held against the same run without it: the counters below must differ by exactly as
much as is said here, and everything else (every other counter, notice, threshold and kind of kept frame) must
be as it was. The simulator itself counts what it strikes; of most faults that is known from the seed before
a byte is sent.

This page is written by `python -m tests.faults.matrix --write`, from the data that the tests use.
`python -m tests.faults.matrix --run` runs the matrix and tells every difference.

## How to read it

- *struck*: how often the simulator says that the fault struck; the number is that of seed {seed}, where it
  does not depend on when things happen. *struck turns*: in how many turns. *each* are the turns due on one
  connection, *due* all of the run; *per turn* are the {per_turn} events of an honest turn; *unread* are
  messages that the simulator had in hand and did not look at any more. All other names are counters of
  `run.json`, under `counts`.
- *null*: the counter is not known, stands as null in `run.json`, and has its reason in `unmeasured`.
- *without numbers*: the same run, with events that carry no sequence numbers (`no-seq`), held against such
  a run without the fault. There lost events, duplicates and order are null and thresholds on them not
  measured, so that even a run without faults ends with 4. *the same* means: but for that.
- Every run is judged by {thresholds}; the exit code follows.

The runs, each with bursts of {burst} turns:

{plans}

Notices that every run has: {informational}.
Notices that may come and go with any run, since they speak of this machine: {noise}.
"""

NETWORK_HEAD = """
## Networks that fail

What happens between a client and a server: two users, a turn each every 200 ms for 2 s, the timeout of a turn
1 s. It is made by a TCP proxy, by a name service of the tests, or by a *wire*: two network namespaces, with a
program between them that loses, delays and reorders packets (`tests/end_to_end/packet_wire.py`). The kernels'
own TCP does the rest. `tc netem` would do the same in the kernel, where a kernel has it; the wire needs root
and `/dev/net/tun`, and is left out where they are missing.
`tests/end_to_end/test_network_faults.py` runs each row.

"""

VERDICTS = """
## What every shipped scenario says

Every scenario that ships, shortened, under every fault at half of its strength and at all of it, with verdict
and exit code. For that the timeout of a turn is 1 s and pings come every 400 ms, so that 3 s stand for longer
than any timeout. "–" is a run in which the fault found nothing to strike, by the simulator's own count: a run
without a fault; an empty cell is one whose load the simulator cannot make. `python -m tests.faults.verdicts
--write` runs them, a minute each on two idle cores; only the reasons below the table are written by hand.

"""

GROUPS = (
    ("Getting ready", CONNECTING),
    ("Turns", TURNS),
    ("Single events", EVENTS),
    ("Time", TIMES),
    ("Numbers", (NO_NUMBERS,)),
)

COLUMNS = (
    "fault",
    "what the simulator does",
    "run",
    "struck",
    "seen by",
    "what is missing therefore",
    "exit",
    "without numbers",
)

IN_SHORT = ("fault", "what the simulator does", "what rises", "notice", "exit")


def page() -> str:
    """``docs/faults.md``."""
    head = HEAD.format(
        seed=SEED,
        per_turn=PER_TURN,
        burst=BURST,
        thresholds=", ".join(f"`{name} {expression}`" for name, expression in THRESHOLDS.items()),
        plans="\n".join(f"- *{plan.name}*: {plan.about}; {plan.due} turns due" for plan in PLANS),
        informational=_listed(INFORMATIONAL),
        noise=_listed(NOISE),
    )
    groups = "".join(f"\n## {title}\n\n{table(rows)}" for title, rows in GROUPS)
    return head + groups + NETWORK_HEAD + network_table() + VERDICTS + verdicts.page()


def _listed(reasons: dict[str, str]) -> str:
    return "; ".join(f"`{code}` ({why})" for code, why in reasons.items())


def table(rows: Iterable[Row]) -> str:
    """Rows as a Markdown table."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(cells(row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def in_short() -> str:
    """What rises with each fault, and which notice tells of it: the table of ``docs/measuring.md``."""
    lines = [IN_SHORT, ("---",) * len(IN_SHORT), *(short_cells(row) for row in ROWS)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def short_cells(row: Row) -> tuple[str, ...]:
    """One line of the short table."""
    less = falling(row, numbered=True)
    rising = [change for change in changes_of(row, numbered=True) if change not in less]
    counters = [f"`{name}`" for name, by, _ in rising if by != UNKNOWN]
    unknown = " ".join(f"`{name}`" for name, by, _ in rising if by == UNKNOWN)
    return (
        f"`{' '.join(row.faults)}`",
        row.about.replace("|", "\\|"),
        "; ".join(
            part for part in (" ".join(counters), unknown and f"null: {unknown}", *bounds_of(row)) if part
        ),
        " ".join(f"`{code}`" for code in notices_of(row, numbered=True)),
        str(exit_code(row, numbered=True)),
    )


def bounds_of(row: Row) -> Iterator[str]:
    """What statistics must be at least, or at most."""
    for metric, statistic, relation, limit in row.bounds:
        yield f"`{metric}` {statistic.removesuffix('_exact')} {relation} {limit:g} ms"


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table."""
    known = foreseen(row)
    return (
        f"`{' '.join(row.faults)}`",
        row.about.replace("|", "\\|"),
        row.plan.name,
        "–" if known is None else f"{len(known):,}",
        "<br>".join(seen_by(row, numbered=True)) or "nothing",
        "<br>".join(told(falling(row, numbered=True))),
        str(exit_code(row, numbered=True)),
        _without_numbers(row),
    )


def seen_by(row: Row, *, numbered: bool) -> Iterator[str]:
    """A line for everything that must be seen of a fault."""
    less = falling(row, numbered=numbered)
    yield from told(tuple(change for change in changes_of(row, numbered=numbered) if change not in less))
    yield from bounds_of(row)
    for kind, by in kept_of(row, numbered=numbered).items():
        yield f"frames of kind `{kind}` are kept: {in_words(by).removeprefix('+')}, or the first of them"
    if row.refusal:
        yield f'refused as "{row.refusal} …"'
    for code, why in notices_of(row, numbered=numbered).items():
        yield f"notice `{code}`: {why}"


def falling(row: Row, *, numbered: bool) -> Changes:
    """What there is less of with the fault."""
    return tuple(
        change for change in changes_of(row, numbered=numbered) if change.by.startswith(("-", AT_MOST))
    )


def told(changes: Changes) -> Iterator[str]:
    """The counters that change by the same, for the same reason, in one line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for counter, by, why in changes:
        lines.setdefault((by, why), []).append(f"`{counter}`")
    for (by, why), counters in lines.items():
        yield f"{' '.join(counters)} {in_words(by)}: {why}"


def in_words(by: str) -> str:
    """Arithmetic as people read it."""
    bound = {AT_LEAST: "at least ", AT_MOST: "at most "}.get(by[:3], "")
    plain = by.removeprefix(AT_LEAST).removeprefix(AT_MOST)
    if plain in {UNKNOWN, "0"}:
        return f"{bound}as without" if bound else plain
    sign = "−" if plain.startswith("-") else "+"
    # A product needs no brackets around it.
    plain = plain.removeprefix("-")
    while (bare := re.sub(r"\(([^()+-]*)\)", r"\1", plain)) != plain:
        plain = bare
    for code, word in (
        ("per_turn", "per turn"),
        ("sim_unread", "unread"),
        ("sim_pings", "pings that came"),
        ("struck_turns", "struck turns"),
    ):
        plain = plain.replace(code, word)
    return f"{bound}{sign}{plain}".replace(" - ", " − ").replace(" * ", " × ")


def _without_numbers(row: Row) -> str:
    if row is NO_NUMBERS:
        return ""
    code = f"exit {exit_code(row, numbered=False)}"
    if row.unnumbered is None:
        return f"the same, {code}"
    lines = [*seen_by(row, numbered=False), *told(falling(row, numbered=False))]
    return "<br>".join([*(lines or ["nothing"]), code])


def exit_code(row: Row, *, numbered: bool) -> int:
    """The exit code that follows from the row, whatever the number struck."""
    known = {
        "struck": len(foreseen(row) or [0]),
        "connections": row.plan.connections,
        "each": row.plan.each,
        "due": row.plan.due,
        "per_turn": PER_TURN,
        "sim_unread": 0,
        "sim_pings": row.plan.connections,
    }
    counts: dict[str, Any] = {
        "connections.ready": row.plan.connections,
        "turns.due": row.plan.due,
        "turns.complete": row.plan.due,
    }
    if not numbered:
        counts |= {f"events.{name}": None for name in NUMBERED}
    for counter, by, _ in changes_of(row, numbered=numbered):
        if by == UNKNOWN:
            counts[counter] = None
        elif not by.startswith((AT_LEAST, AT_MOST)):
            counts[counter] = counts.get(counter, 0) + evaluated(by, known)
    code, _ = verdict_of({name: n for name, n in counts.items() if n != 0})
    return 1 if counts.get("events.foreign") and row.plan.name != "foreign allowed" else code


# ------------------------------------------------------------------ the runs behind it


def job_of(row: Row, *, numbered: bool = True) -> Job:
    """The run with the fault."""
    return Job(row.plan, row.faults if numbered else (*row.faults, NO_SEQ), options=row.options)


def base_of(plan: Plan, *, numbered: bool = True) -> Job:
    """The same run without it."""
    return Job(plan, () if numbered else (NO_SEQ,))


def run_matrix() -> int:
    """Run all of it; print every difference; how many there were."""
    cases = [
        (row, numbered) for row in ROWS for numbered in (True, False) if numbered or row is not NO_NUMBERS
    ]
    jobs = [job_of(row, numbered=numbered) for row, numbered in cases]
    bases = [base_of(row.plan, numbered=numbered) for row, numbered in cases]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        found = run_all([*jobs, *bases], Path(folder))
        for (row, numbered), job, base in zip(cases, jobs, bases, strict=True):
            differs = list(differences(row, found[job.id], found[base.id], numbered=numbered))
            wrong += len(differs)
            told_as = f"{row.id} ({row.plan.name}{'' if numbered else ', without numbers'})"
            lines = [f"{'DIFFERS' if differs else 'as it should be':<16} {told_as}"]
            lines += [f"{'':<16}   {difference}" for difference in differs]
            sys.stdout.write("".join(f"{line}\n" for line in lines))
    return wrong


def main() -> int:
    """0 where all is as it should be."""
    asked = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__.splitlines()[0])
    asked.add_argument("--write", action="store_true", help="write docs/faults.md and docs/measuring.md")
    asked.add_argument("--run", action="store_true", help="run all of it and tell the differences")
    given = asked.parse_args()
    if given.run:
        return min(run_matrix(), 1)
    if given.write:
        PAGE.write_text(page(), "utf-8")
        write_table("faults", in_short(), MEASURING)
    else:
        sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
