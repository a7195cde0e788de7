"""What every shipped scenario says of every fault of the simulator: the table of verdicts in docs/faults.md.

    python -m tests.faults.verdicts                        run all of it and tell what is not as stored
    python -m tests.faults.verdicts --write                the same, and store what was found
    python -m tests.faults.verdicts --scenario agent-burst --fault blackhole     a part of it

Each fault strikes half of what it can strike, then all of it. Scenarios are the shipped ones, shortened: the
timeout of a turn is 1 s and pings come every 400 ms, so that 3 s stand for longer than the timeout. Nothing
here is expected by hand: the table is what runs said, and ``SIGNED`` holds why each pass among them is right.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from loadtest.plan.scenario_file import load_scenario

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "docs" / "verdicts.json"
AT_ONCE = 5
LONGEST_RUN_S = 60.0
SECRET = "known to the simulator alone, and long enough"
NO_FAULT = "(none)"

BRIEF = ('traffic.timeout="1s"',)

SPOKEN = (
    """{chunks="data/hello.ulaw",size=1600,every="200ms","""
    """message='{"type":"audio","turn":"{turn.id}","audio":"{chunk.base64}"}'},"""
    """'{"type":"commit","turn":"{turn.id}"}'"""
)
"""What a caller says, in chunks of 200 ms: five runs at once on two cores would not keep a pace of 20 ms."""

STOP = """'{"type":"stop","turn":"{turn.id}"}'"""

SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "agent-burst": ('load.duration="2s"', *BRIEF),
    "connect-ramp": (
        (
            'load.stages=[{for="1s",connections=50,ramp=true},{for="1s",connections=200,ramp=true},'
            '{for="1s",connections=200}]'
        ),
    ),
    "connect-storm": ('load.duration="2s"',),
    "echo-steady": ('load.warmup="500ms"', 'load.duration="2s"', 'traffic.ping="400ms"', *BRIEF),
    "example-full": (
        'load.connect_rate="50/s"',
        'load.warmup="2s"',
        'load.duration="2s"',
        'traffic.ping="400ms"',
        *BRIEF,
    ),
    "idle-hold": ('load.duration="2s"', 'traffic.ping="400ms"', 'traffic.ping_timeout="400ms"'),
    "isolation": ('load.duration="2s"', *BRIEF),
    "leaver": ('load.duration="4s"', *BRIEF),
    "limit-probe": ('load.duration="3s"', *BRIEF),
    "malformed": ('load.duration="2s"', *BRIEF),
    "reconnect-storm": ('load.duration="4s"', 'chaos.cut.at="2s"', *BRIEF),
    "slow-reader": (
        'load.duration="3s"',
        'thresholds.turn.completion.n=">= 119"',
        *BRIEF,
    ),
    "soak": (
        'load.connect_rate="50/s"',
        'load.warmup="2s"',
        'load.duration="3s"',
        'traffic.every="500ms"',
        'traffic.ping="400ms"',
        *BRIEF,
    ),
    "spike": (
        (
            'load.stages=[{for="3s",connections=10,thresholds={"turn.first_event.p95"="< 100ms"}},'
            '{for="1s",connections=100,thresholds={"turn.first_event.p95"="< 1s"}},'
            '{for="3s",connections=10,thresholds={"turn.first_event.p95"="< 100ms"}}]'
        ),
        *BRIEF,
    ),
    "voice-call": (
        'load.warmup="1s"',
        'load.duration="5s"',
        'traffic.timeout="2s"',
        f"protocol.turn.messages=[{SPOKEN}]",
        f'protocol.turns.interrupt.messages=[{SPOKEN},{{interrupt={{after="400ms",send={STOP}}}}}]',
    ),
}
"""Every shipped scenario, with what makes it short."""

FAULTS: Mapping[str, tuple[str, ...]] = {
    "refuse": ("refuse=503,0.5", "refuse=503"),
    "close-after-accept": ("close-after-accept=1011,0.5", "close-after-accept=1011"),
    "invalid-close-code": ("invalid-close-code=401,0.5", "invalid-close-code=401"),
    "auth-after-accept": ("auth-after-accept=1008",),
    "ack-only": ("ack-only",),
    "drop": ("drop=0.5", "drop=1", "drop=0.5,any", "drop=1,agent_completed"),
    "duplicate": ("duplicate=0.5", "duplicate=1"),
    "reorder": ("reorder=0.5", "reorder=1"),
    "leak": ("leak=0.5", "leak=1"),
    "malformed": ("malformed=0.5", "malformed=1"),
    "delay": ("delay=bimodal:1ms,3s,0.5", "delay=3s"),
    "gap": ("gap=bimodal:1ms,500ms,0.5", "gap=500ms"),
    # Users send once a second: a freeze at the same pace would meet every burst of a connection, or none.
    "freeze": ("freeze=730ms,300ms", "freeze=730ms,650ms"),
    "batch": ("batch=500ms", "batch=3s"),
    "slow-ready": ("slow-ready=1s", "slow-ready=1h"),
    "lose-before-ready": ("lose-before-ready=1500ms", "lose-before-ready=1h"),
    "max-per-identity": ("max-per-identity=10", "max-per-identity=1"),
    "cold-start": ("cold-start=500ms", "cold-start=1h"),
    "cut": ("cut=0.5", "cut=1"),
    "blackhole": ("blackhole=0.5", "blackhole=1"),
    "huge": ("huge=64KiB", "huge=32MiB"),
    "no-pong": ("no-pong",),
    "unpaired": ("unpaired=0.5", "unpaired=1"),
    "stall": ("stall=3s,0.5", "stall=3s"),
    "rate-limit": ("rate-limit=30", "rate-limit=1"),
    "no-seq": ("no-seq",),
}
"""Every fault at half of its strength and at all of it; one that knows no half at all of it."""

BEYOND_THE_SIMULATOR = (("voice-call", "huge=32MiB"),)
"""Cells that are left out: an answer of /voice is 50 messages a second, and 20 at a time would be 32 GiB."""

HOLDS_ONLY = "connect-ramp|connect-storm|idle-hold"
"""Scenarios that open connections and send no turn."""

OF_TURNS = (
    "ack-only|drop=.*|duplicate=.*|reorder=.*|leak=.*|malformed=.*|delay=.*|gap=.*|batch=.*|lose-before-ready=.*"
    "|cut=.*|blackhole=.*|huge=.*|unpaired=.*|stall=.*|rate-limit=.*|no-seq"
)
"""Faults that strike the answer to a turn."""

SIGNED: tuple[tuple[str, str, str], ...] = (
    (
        "example-full|limit-probe",
        "auth-after-accept=.*",
        "every user has the credential that the target knows, or the one identity that the scenario uses",
    ),
    (
        "(?!limit-probe).*",
        "max-per-identity=.*",
        "every connection has an identity or a thread of its own, so no identity has too many",
    ),
    (
        "voice-call",
        "lose-before-ready=1500ms",
        "only messages of turns that begin in the warm-up are lost",
    ),
    (
        ".*",
        "lose-before-ready=1500ms",
        "messages are lost only in the warm-up, before the measured part",
    ),
    (
        "reconnect-storm|example-full|leaver",
        "cold-start=500ms",
        "users who were refused try again, as the scenario says, and are ready before the measured part",
    ),
    (HOLDS_ONLY, OF_TURNS, "the scenario sends no turn, so there is no answer to strike"),
    ("connect-ramp|connect-storm", "no-pong", "the scenario sends no ping"),
    ("connect-ramp", "freeze=.*", "no user waits longer than the freeze, and the threshold on p95 is 1 s"),
    ("connect-storm", "freeze=.*|slow-ready=1s", "the threshold is that all users are connected within 5 s"),
    (
        "limit-probe",
        "close-after-accept=1011,0.5|cold-start=500ms",
        "the threshold is that exactly five users get in, and they do; a notice says why others are refused",
    ),
    (
        "limit-probe",
        "no-seq|huge=64KiB|no-pong|slow-ready=1s|freeze=.*|batch=500ms",
        "the target keeps its limits, and no threshold is about time",
    ),
    (
        "voice-call",
        "freeze=730ms,300ms",
        "the freeze and 300 ms of thought together are shorter than the threshold of 800 ms",
    ),
    ("isolation", "freeze=.*|batch=500ms", "the thresholds are about who gets an event, not about time"),
    (
        "reconnect-storm",
        "batch=500ms|slow-ready=1s|freeze=730ms,300ms",
        "users are back within 3 s, their turns are answered in time, and no threshold is about another time",
    ),
    (
        "idle-hold|slow-reader|soak",
        "freeze=730ms,300ms",
        "the freeze is shorter than the threshold of 500 ms",
    ),
    (
        "agent-burst|example-full|idle-hold|isolation|leaver|malformed|slow-reader|soak|voice-call",
        "slow-ready=1s",
        "all users are ready before the measured part, and no threshold limits the time until then",
    ),
    (
        "slow-reader",
        "huge=64KiB",
        "longer results reach the other users whole and in time; slow readers are not judged",
    ),
    (".*", "huge=64KiB", "longer results arrive whole and in time"),
    ("(?!idle-hold|soak|echo-steady|example-full).*", "no-pong", "the scenario sends no ping"),
    (
        "echo-steady|example-full",
        "no-pong",
        "replies show that the target lives, and no threshold is about pings; a notice reports the pings",
    ),
    (
        "agent-burst|isolation|leaver|malformed|reconnect-storm|spike|voice-call",
        "no-seq",
        "many backends send events without numbers; loss is reported as unmeasured",
    ),
)
"""Why a pass is right: scenario and fault as regular expressions, and the reason."""


class Said(NamedTuple):
    """What one run ended with."""

    code: int
    outcome: str
    reason: str
    struck: int | None = None
    """How often the fault struck, by the simulator's own count; 0: the run is one without a fault."""


def signed(scenario: str, fault: str) -> str | None:
    """Why a run of the scenario that passes under the fault is right to pass; None: nobody signed it."""
    return next(
        (why for each, by, why in SIGNED if re.fullmatch(each, scenario) and re.fullmatch(by, fault)), None
    )


def cells(scenario: str = "", fault: str = "") -> Iterator[tuple[str, str]]:
    """Scenario and fault of every run, or of those that are named."""
    for name in SCENARIOS:
        if scenario and name != scenario:
            continue
        for by, values in {NO_FAULT: (NO_FAULT,), **FAULTS}.items():
            if not fault or by == fault:
                yield from ((name, value) for value in values if (name, value) not in BEYOND_THE_SIMULATOR)


def run(wanted: Sequence[tuple[str, str]], folder: Path) -> dict[tuple[str, str], Said]:
    """Run them, several at once: a run waits most of its time."""
    hands = [hand for nth in range(AT_ONCE) if (hand := wanted[nth::AT_ONCE])]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = pool.map(lambda hand: _drive(hand, folder), hands)
        return {cell: said for each in told for cell, said in each}


def _drive(hand: Sequence[tuple[str, str]], folder: Path) -> list[tuple[tuple[str, str], Said]]:
    jobs = [_job(scenario, fault, folder) for scenario, fault in hand]
    process = subprocess.run(
        [sys.executable, "-m", "tests.faults.driver"],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "AGENT_JWT_SECRET": SECRET},
        timeout=LONGEST_RUN_S * len(jobs),
        check=False,
    )
    if process.returncode:
        raise RuntimeError(process.stderr)
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    return [(cell, _said(*cell, answer)) for cell, answer in zip(hand, answers, strict=True)]


def _job(scenario: str, fault: str, folder: Path) -> dict[str, Any]:
    own = load_scenario(scenario).target
    path = {"echo-steady": "/echo", "voice-call": "/voice"}.get(scenario, "/ws")
    secret = own.auth.secret_env if own.auth is not None else None
    judges_tokens = fault.startswith("auth-after-accept")
    return {
        "id": f"{scenario}-{re.sub('[^a-z0-9]+', '-', fault)}",
        "faults": _faults(own.faults, fault),
        "seed": 1,
        "options": {"jwt_secret_env": secret or "AGENT_JWT_SECRET"} if secret or judges_tokens else {},
        "scenario": scenario,
        "target": "ws://127.0.0.1:{port}" + path,
        "sets": SCENARIOS[scenario],
        "results": str(folder),
    }


def _faults(own: Sequence[str], fault: str) -> list[str]:
    """Those that the scenario itself asks for, and the one to look at, which takes the place of its like.

    The pace of an agent is left out: a cell is of a server that answers at once, but for its fault.
    """
    own = [each for each in own if each.partition("=")[0] != "stream"]
    if fault == NO_FAULT:
        return own
    name = fault.partition("=")[0]
    # A gap of the scenario's own would say when a batch comes.
    taken = {name, "gap"} if name == "batch" else {name}
    return [*(each for each in own if each.partition("=")[0] not in taken), fault]


def _said(scenario: str, fault: str, answer: Mapping[str, Any]) -> Said:
    struck = _struck(scenario, fault, answer["stats"])
    if answer["folder"] is None:
        return Said(answer["code"], "no run", answer["screen"].strip()[:300], struck)
    verdict = json.loads((Path(answer["folder"]) / "run.json").read_text("utf-8"))["verdict"]
    reason = re.sub(r"127\.0\.0\.1:\d+", "the target", verdict["reason"])
    return Said(answer["code"], verdict["outcome"], reason, struck)


def _struck(scenario: str, fault: str, stats: Mapping[str, Any]) -> int | None:
    name = fault.partition("=")[0]
    if name == NO_FAULT:
        return None
    if name == "no-pong":
        return int(stats["pings"]["received"] - stats["pings"]["answered"])
    answered = int(stats["turns"]["begun"])
    by_turn = {"delay": answered, "no-seq": answered, "gap": answered}
    if scenario.startswith("echo"):
        # One event without a number: there is no gap between events, and no number to leave out.
        by_turn |= {"no-seq": 0, "gap": 0}
    if name in by_turn:
        return by_turn[name]
    return int(stats["faults_done"].get(name, {"n": 0})["n"])


def stored() -> dict[tuple[str, str], Said]:
    """What the runs of the last ``--write`` said."""
    read = json.loads(STORED.read_text("utf-8"))
    return {(scenario, fault): Said(*said) for scenario, row in read.items() for fault, said in row.items()}


def _store(found: Mapping[tuple[str, str], Said]) -> None:
    by_scenario: dict[str, dict[str, Said]] = {name: {} for name in SCENARIOS}
    for (scenario, fault), said in found.items():
        by_scenario[scenario][fault] = said
    rows = {
        name: {fault: list(row[fault]) for _, fault in cells(name) if fault in row}
        for name, row in by_scenario.items()
        if row
    }
    STORED.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


def page() -> str:
    """The tables of docs/faults.md: every verdict, then why each pass is right."""
    found = stored()
    faults = list(dict.fromkeys(fault for _, fault in cells()))
    looked_at = [name for name in SCENARIOS if any(scenario == name for scenario, _ in found)]
    head = ["fault", *looked_at]
    lines = [head, ["---"] * len(head)]
    lines += [
        [f"`{fault}`" if fault != NO_FAULT else "none", *(_cell(found, name, fault) for name in looked_at)]
        for fault in faults
    ]
    told = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    why = "".join(f"- {each}\n" for each in _reasons(found))
    return f"{told}\nWhy a pass under a fault is right:\n\n{why}"


def _cell(found: Mapping[tuple[str, str], Said], scenario: str, fault: str) -> str:
    said = found.get((scenario, fault))
    if said is None:
        return ""
    if said.struck == 0 and not said.code:
        return "–"
    return f"**{said.outcome}** {said.code}" if said.code else "pass"


def _reasons(found: Mapping[tuple[str, str], Said]) -> Iterator[str]:
    by_reason: dict[str, dict[str, list[str]]] = {}
    for (scenario, fault), said in found.items():
        if not said.code and fault != NO_FAULT and said.struck != 0:
            why = signed(scenario, fault) or "NOT SIGNED"
            by_reason.setdefault(why, {}).setdefault(scenario, []).append(f"`{fault}`")
    for why, places in by_reason.items():
        yield f"{why}: " + "; ".join(f"{name} under {', '.join(faults)}" for name, faults in places.items())


def main() -> int:
    """Run, compare, store; 1 where a pass is not signed or a verdict is not as stored."""
    parser = argparse.ArgumentParser(description="Every shipped scenario under every fault.")
    parser.add_argument("--scenario", default="", help="only this one")
    parser.add_argument("--fault", default="", help="only this one")
    parser.add_argument("--write", action="store_true", help="store what was found")
    asked = parser.parse_args()
    before = stored() if STORED.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        found = run(list(cells(asked.scenario, asked.fault)), Path(folder))
    wrong = 0
    for (scenario, fault), said in found.items():
        known = before.get((scenario, fault))
        passes = not said.code and fault != NO_FAULT and said.struck != 0 and signed(scenario, fault) is None
        if passes or (known is not None and known.code != said.code):
            wrong += 1
            was = f" (stored: {known.code})" if known is not None and known.code != said.code else ""
            sys.stdout.write(f"{scenario} {fault}: {said.outcome} {said.code}{was}: {said.reason}\n")
    if asked.write:
        _store({**before, **found})
    sys.stdout.write(f"{len(found)} runs, {wrong} to look at\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
