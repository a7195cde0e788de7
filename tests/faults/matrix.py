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
# How each fault shows

The simulator that ships with loadtest can make faults on purpose (`loadtest simulator --help` lists them).
Tests run each fault. They compare this run with a second run, which is the same but has no fault. The
counters in the tables must change by exactly the amount shown. Everything else must be the same: every other
counter, notice, threshold and kind of stored frame.

`python -m tests.faults.matrix --write` writes this page from the data that the tests use.
`python -m tests.faults.matrix --run` runs the matrix and prints every difference.

## How to read it

- *struck*: how often the fault struck, as the simulator counts it. For most faults the seed decides this
  number; the tables have it for seed {seed}. "–": this number depends on timing. *struck turns*: in how many
  turns the fault struck.
- *each*: the turns due on one connection. *due*: the turns due in the whole run.
- *per turn*: the {per_turn} events of a turn without a fault.
- *unread*: messages that arrived at the simulator and that it never read.
- All other names are counters of `run.json`, under `counts`.
- *null*: the counter is not known. It is null in `run.json`, and `unmeasured` has the reason.
- *without numbers*: the differences if the events of both runs carry no sequence numbers (`no-seq`). Then
  lost events, duplicates and order are null, and thresholds on them are not measured. So even a run without
  faults ends with exit code 4. *the same*: the differences are the same as with numbers.
- Every run has these thresholds, which decide the exit code: {thresholds}.

The runs, each with bursts of {burst} turns:

{plans}

Every run has these notices: {informational}.

These notices depend on the machine, and may appear or not in any run: {noise}.
"""

NETWORK_HEAD = """
## Networks that fail

These faults happen in the network between client and server. Two users each send a turn every 200 ms for 2 s.
The timeout of a turn is 1 s. The tests make the faults in three ways:

- *proxy*: a TCP proxy.
- *names*: a name service of the tests.
- *wire*: two network namespaces, with a program between them that loses, delays and reorders packets
  (`tests/end_to_end/packet_wire.py`). All else is the kernel's own TCP, as with `tc netem`. The wire needs
  root and `/dev/net/tun`; without them its rows are skipped.

`tests/end_to_end/test_network_faults.py` runs each row.

"""

VERDICTS = """
## What every shipped scenario says

The table has the verdict and exit code of every shipped scenario under every fault. A fault with a
strength has two rows: one at half strength and one at full strength. The scenarios are shortened. The
timeout of a turn is 1 s, and pings come every 400 ms, so a delay of 3 s is longer than any timeout.

- "–": the fault never struck in this run, so the run says nothing about it.
- An empty cell: the simulator cannot make this load.

`python -m tests.faults.verdicts --write` runs all scenarios and writes the table. Each scenario takes about
one minute on two idle cores. Only the reasons below the table are written by hand.

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
    "what rises or shows",
    "what falls",
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
        yield f"stored frames of kind `{kind}`: {in_words(by).removeprefix('+')}, or the first of them"
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
        return f"{bound}as many as without the fault" if bound else plain
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
