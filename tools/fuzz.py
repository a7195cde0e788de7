"""Coverage-guided fuzzing of what reads other people's bytes: frames, events, scenarios, protocols, captures.

    .venv/bin/python -m pip install atheris
    .venv/bin/python -m tools.fuzz [frames] [events] [scenario] [protocol] [capture] [--seconds 120]

Each target runs in a process of its own, all at once, and must end in nothing but what is documented:
``frames`` as ``websockets`` alone ends, message for message; ``events`` with a ledger that adds up, and with
both ways of reading agreeing; ``scenario`` with a plan or a ``ConfigError``, ``protocol`` and ``capture`` so
too, and with a draft of a capture that can be read. Ends with 0 if nothing was
found, with 1 and the input that shows it if something was; without atheris it says so and ends with 0.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

Target = Callable[[bytes], None]

EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")

LONGEST_INPUT = 4096


def _must(held: bool, sentence: str) -> None:  # noqa: FBT001 - the words of an assertion, in every way it runs
    if not held:
        raise AssertionError(sentence)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def frames() -> tuple[Target, list[bytes]]:
    """The frame parser hears what ``websockets`` alone hears, however the bytes are split."""
    from loadtest.speak.frames import FrameParser
    from tests.speak.test_frames import LIMITS, Alone, heard_by, wire

    def check(data: bytes) -> None:
        if len(data) < 3:
            return
        limit, step, stream = LIMITS[data[0] % len(LIMITS)], data[1] or 1, data[2:]
        chunks = [stream[at : at + step] for at in range(0, len(stream), step)]
        alone = Alone(limit)
        for byte in stream:
            alone.feed(bytes([byte]))
        heard = heard_by(FrameParser(limit), chunks)
        _must(heard == alone.heard, f"{heard} is not {alone.heard}")

    text, ping, close = wire(0x81, b'{"type":"x"}'), wire(0x89, b"p"), wire(0x88, b"\x03\xe8bye")
    parts = wire(0x01, "ä".encode()[:1]) + wire(0x80, "ä".encode()[1:])
    return check, [bytes([7, step]) + text + ping + parts + text + close for step in (1, 5, 255)]


def events() -> tuple[Target, list[bytes]]:
    """Any payloads at all: every message is one thing, every turn ends once, both readers agree."""
    from loadtest.speak.reader import UNREADABLE, Malformed
    from tests.speak.talk import SECOND, Talk, answer, ledger

    manners: list[dict[str, Any]] = [
        {},
        {"count": 2, "first": ()},
        {"match": "order", "turn": ()},
        {"required": ("started",), "pairs": (("executing", "executed"),), "sequence_start": 1},
        {"format": "opaque", "type": (), "turn": (), "user": (), "sequence": (), "count": 1},
    ]

    def check(data: bytes) -> None:
        if not data:
            return
        talk = Talk(**manners[data[0] % len(manners)])
        turns = [talk.begin(seq) for seq in range(3)]
        for at, read in enumerate(data[1:].split(b"\n\n")):
            talk.hear(100 + at, *read.split(b"\n"))
        talk.session.tick(100 * SECOND)
        talk.session.lost(101 * SECOND, 1006)
        _must(all(turn.outcome is not None for turn in turns), "a turn has no outcome")
        _must(sorted(turn.seq for turn in talk.record.turns) == [0, 1, 2], "a turn ended not once")
        counts = talk.counts()
        _must(ledger(counts) == counts.get("received", 0), f"the ledger does not add up: {counts}")
        for payload in data[1:].split():
            _readers_agree(talk.protocol.reader, payload)

    def _readers_agree(reader: Any, payload: bytes) -> None:
        try:
            slowly = reader.fields_in(reader.read(payload))
        except Malformed:
            return
        try:
            quickly = reader.fields(reader.decode(payload))
        except UNREADABLE:
            return
        _must(quickly == slowly, f"{quickly} is not {slowly}")

    whole = [b"\n".join(answer(f"turn-{seq}")) for seq in range(3)]
    return check, [bytes([kind]) + b"\n\n".join(whole) for kind in range(len(manners))]


def scenario() -> tuple[Target, list[bytes]]:
    """Any file is a plan or a ``ConfigError`` with sentences."""
    from loadtest.errors import ConfigError
    from loadtest.plan.scenario_file import load_scenario

    folder = Path(tempfile.mkdtemp(prefix="fuzz-scenario-"))
    path = folder / "scenario.toml"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            load_scenario(path)
        except ConfigError as error:
            _must(all(problem.sentence for problem in error.problems), "a problem without a sentence")

    return check, [file.read_bytes() for file in sorted((ROOT / "scenarios").glob("*.toml"))]


def protocol() -> tuple[Target, list[bytes]]:
    """Any file is a protocol of which something can be said, or a ``ConfigError`` with sentences."""
    from loadtest.errors import ConfigError
    from loadtest.plan import match_conflicts, protocol_file, understood

    folder = Path(tempfile.mkdtemp(prefix="fuzz-protocol-"))
    path = folder / "protocol.toml"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            found = protocol_file.load_protocol(path)
        except ConfigError as error:
            _must(all(problem.sentence for problem in error.problems), "a problem without a sentence")
            return
        _must(all(sentence for _, sentence in understood.understood(found)), "a topic without a sentence")
        _must(all(match_conflicts.conflicts(found)), "a conflict without a sentence")

    return check, [text.encode() for text in _shown("toml protocol")]


def capture() -> tuple[Target, list[bytes]]:
    """Any file is a capture or a ``ConfigError``; a draft of one can be read, and is played the capture."""
    from loadtest.errors import ConfigError
    from loadtest.plan.capture import parse_capture
    from loadtest.plan.protocol_file import read_protocol
    from loadtest.plan.toml_lines import parse_toml
    from loadtest.plan.toml_reader import Source, Table
    from loadtest.speak.draft import draft
    from loadtest.speak.draft_toml import protocol_text, rows_text
    from loadtest.speak.replay import replay

    def check(data: bytes) -> None:
        try:
            frames = parse_capture(data.decode("utf-8", "replace"), "capture")
        except ConfigError as error:
            _must(all(problem.sentence for problem in error.problems), "a problem without a sentence")
            return
        made = draft(frames)
        if not made.message:
            return
        parse_toml(f"data = {rows_text(made.rows)}")
        source = Source("drafted")
        found = read_protocol(Table(parse_toml(protocol_text(made, "drafted")), source), "drafted")
        _must(not source.problems, f"a draft that cannot be read: {source.problems}")
        _must(len(replay(found, frames).frames) == len(frames), "a frame that was taken for nothing")

    return check, [text.encode() for text in _shown("jsonl capture=[^\n]*")]


def _shown(mark: str) -> list[str]:
    """The blocks of docs/protocols.md that are marked so."""
    page = (ROOT / "docs" / "protocols.md").read_text("utf-8")
    return re.findall(rf"^```{mark}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


TARGETS = {
    "frames": frames,
    "events": events,
    "scenario": scenario,
    "protocol": protocol,
    "capture": capture,
}


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["loadtest"], enable_loader_override=False):
        check, seeds = TARGETS[name]()
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        words = Path(corpus).with_suffix(".dict")
        words.write_text("".join(f"{json.dumps(word)}\n" for word in _words(seeds)), encoding="ascii")
        options = [f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", "-print_final_stats=1"]
        kept = [f"-dict={words}", f"-artifact_prefix={tempfile.gettempdir()}/fuzz-{name}-", "-timeout=20"]
        atheris.Setup([name, *options, *kept, corpus], check)
        atheris.Fuzz()


def _words(seeds: list[bytes]) -> list[str]:
    """The words of the seeds, which an input should be made of."""
    return sorted({word.decode() for seed in seeds for word in re.findall(rb"[a-z_]{3,20}", seed)})


def fuzz_all(names: list[str], seconds: int) -> int:
    """Fuzz every target, each in a process of its own; 1 if any found something."""
    found = 0
    running = {}
    for name in names:
        # Into a file: a pipe that nobody reads fills up, and its writer then waits, which looks like a hang.
        words = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it is read and closed with the process's end
        command = [sys.executable, "-m", "tools.fuzz", "--only", name, "--seconds", str(seconds)]
        running[name] = subprocess.Popen(command, cwd=ROOT, stderr=words), words
    for name, (process, words) in running.items():
        process.wait()
        words.seek(0)
        told = words.read()
        words.close()
        executed = EXECUTED.search(told)
        n = int(executed[1]) if executed else 0
        word = "nothing found" if process.returncode == 0 else f"ended with {process.returncode}"
        _say(f"{name}: {n:,} executions in {seconds} s, {word}")
        if process.returncode != 0 or not n:
            _say(told[-4000:])
            found = 1
    return found


def main() -> int:
    """Read the command line, and fuzz."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of: {', '.join(TARGETS)}")
    options.add_argument("--seconds", type=int, default=120, help="how long each target is fuzzed")
    options.add_argument("--only", choices=TARGETS, help=argparse.SUPPRESS)
    given = options.parse_args()
    if importlib.util.find_spec("atheris") is None:
        _say("not fuzzed: atheris is not installed (.venv/bin/python -m pip install atheris)")
        return 0
    if given.only:
        fuzz(given.only, given.seconds)
        return 0
    if unknown := set(given.targets) - set(TARGETS):
        options.error(f"no such target: {', '.join(sorted(unknown))}")
    return fuzz_all(given.targets or list(TARGETS), given.seconds)


if __name__ == "__main__":
    sys.exit(main())
