"""Coverage-guided fuzzing of what reads other people's bytes: peers, workers, plans and stored runs.

    .venv/bin/python -m pip install atheris
    .venv/bin/python -m tools.fuzz [TARGET ...] [--seconds 120]

Each target runs in a process of its own, all at once, and must end in nothing but what is documented:
``frames`` as ``websockets`` alone ends, message for message; ``upgrade`` with an open connection that the
target has proved, or a ``ConnectRefusal``; ``events`` with a ledger that adds up, and with both ways of
reading agreeing; ``codecs`` with messages, or what says why there is none; ``worker`` with messages dropped,
refused or counted, and seconds that can be kept; ``scenario`` with a plan or a ``ConfigError``, ``protocol``
and ``capture`` so too, and with a draft of a capture that can be read; ``runs`` and ``har`` with a documented
exit code. Ends with 0 if nothing was found, with 1 and the input that shows it if something was; without
atheris it says so and ends with 0.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import json
import logging
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

Target = Callable[[bytes], None]

EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")

LONGEST_INPUT = {"runs": 65_536, "har": 16_384}
"""Bytes of an input; of other targets 4,096."""


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
    from loadtest.speak.event_reader import UNREADABLE, Malformed
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


def codecs() -> tuple[Target, list[bytes]]:
    """Frames of any bytes to every codec that ships: JSON of messages, or what says why there is none."""
    import msgspec

    from loadtest.plan.framing import CodecChoice
    from loadtest.plan.protocol import Protocol
    from loadtest.speak.codec.coded_frames import MAX_GROWTH, CodedFrameParser, UnsendableError
    from loadtest.speak.codec.factory import SHIPPED, codec_of
    from tests.descriptors import descriptor_set, desk, written
    from tests.speak.codec.frames import wire

    most = 2_000
    messages = {
        "descriptors": written(descriptor_set(desk())),
        "send": "desk.v1.Event",
        "receive": "desk.v1.Event",
    }
    settings: dict[str, dict[str, Any]] = {"protobuf": messages, "signalr": {"protocol": "messagepack"}}
    chosen = [CodecChoice(name=name, settings=settings.get(name, {})) for name in SHIPPED]
    named: list[Any] = [codec_of(Protocol(name="", codec=choice)) for choice in chosen]
    alike = {"cbor", "msgpack", "protobuf"}

    def check(data: bytes) -> None:
        if len(data) < 2:
            return
        codec = named[(data[0] & 0x7F) % len(named)]
        parser = CodedFrameParser(most, (), codec=codec.make(), name=codec.name, answer=lambda *_: None)
        for frame in data[1:].split(b"\xf7\xf7"):
            found = parser.receive(wire(_text_of(frame) if data[0] & 0x80 else frame))
            _must(sum(map(len, found)) <= MAX_GROWTH * most + 1_000, "more was made of a frame than may be")
            _must(parser.unfinished <= most or parser.gave_up, "more is held than may be")
            for message in found:
                if message.startswith(b"unreadable by codec "):
                    continue
                msgspec.json.decode(message)
                with suppress(UnsendableError):
                    sent = parser.encode(message)
                    _must(bool(sent) and codec.name in SHIPPED, "nothing was sent")

    seeds = [
        {
            "id": "t-1",
            "word": {"text": "Hi", "sound": "AQI="},
            "labels": {"7": "a"},
            "at": "2026-01-31T12:00:00Z",
        },
        {"id": "t-1", "number": 7, "moods": ["CALM"], "events": [{"id": "x"}], "extra": {"a": [1, None]}},
    ]
    found = []
    for place, codec in enumerate(named):
        for seed in seeds if codec.name in alike else []:
            made = codec.make().encode(seed)
            found.append(bytes([place]) + (made if isinstance(made, bytes) else b""))
    texts = ['42["e",{"id":1}]', '451-["e",{"_placeholder":true,"num":0}]', "MESSAGE\na:b\n\n{}\0", "{}\x1e"]
    return check, [
        *found,
        *(bytes([0x80 | place]) + text.encode() for text in texts for place in range(len(named))),
    ]


def _text_of(frame: bytes) -> str:
    return frame.decode("utf-8", "replace")


def upgrade() -> tuple[Target, list[bytes]]:
    """Any answer, however it is split: open with the proof of our key, refused with a reason, or not whole.

    ``{accept}`` in an input stands for the proof, which no input could guess.
    """
    from loadtest.errors import Layer
    from loadtest.speak.connect_refusal import ConnectRefusal
    from loadtest.speak.upgrade import Upgrade
    from tests.speak.test_upgrade import SWITCHING, proof

    shortest = len("upgrade: x")

    def heard(data: bytes, step: int, *, compression: bool) -> str:
        asked = Upgrade("host:1", "/ws", subprotocols=("chat",), compression=compression)
        # Both ways are asked with one key, so that they can be compared.
        accept = proof(asked)
        stream = data.replace(b"{accept}\r\n", accept)
        try:
            for at in range(0, len(stream), step):
                if asked.receive(stream[at : at + step]):
                    _must(accept.strip().partition(b": ")[2] in stream, "open without the proof")
                    _must(asked.status == 101, f"open by {asked.status}")
                    return f"open, {asked.subprotocol}"
            refusal = asked.ended()
        except ConnectRefusal as told:
            refusal = told
        _must(refusal.layer in {Layer.UPGRADE, Layer.AUTH}, f"refused at {refusal.layer}")
        _must(shortest < len(str(refusal)) < 700, f"told as {str(refusal)!r}")
        return str(refusal)

    def check(data: bytes) -> None:
        if len(data) < 2:
            return
        compression, step, stream = bool(data[0] & 1), data[1] or 1, data[2:]
        heard(stream, step, compression=compression)
        heard(stream, len(stream) or 1, compression=compression)

    opened = SWITCHING + b"{accept}\r\n"
    answers = [
        opened + b"\r\n\x81\x01a",
        opened + b"Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b\r\n\r\n",
        opened + b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + opened + b"\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://other/\r\nContent-Length: 3\r\n\r\nbye",
        b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbye\r\n0\r\n\r\n",
        b"HTTP/1.1 401 No\r\nConnection: close\r\n\r\n<html><title>Log in</title>",
    ]
    return check, [bytes([kind, step]) + answer for answer in answers for kind in (0, 1) for step in (1, 60)]


def worker() -> tuple[Target, list[bytes]]:
    """What comes to the port of the workers: dropped, refused, or a second that can be merged and kept."""
    from types import SimpleNamespace

    from loadtest.drive.worker_port import _message
    from loadtest.keep.write import RunFolder
    from loadtest.measure.interval import Interval, from_bytes, merge, to_bytes
    from tests.cli.stored import STARTED
    from tests.drive.test_master import Leading

    logging.disable()
    folders = Path(tempfile.mkdtemp(prefix="fuzz-worker-"))

    def frame(data: bytes) -> Any:
        return SimpleNamespace(buffer=memoryview(data), get=lambda _name: "127.0.0.1")

    def port(data: bytes) -> None:
        message = _message([frame(b"a"), frame(data)])
        if message is None or not message.type.startswith("lt_"):
            return
        leading = Leading("a")
        leading.begin()
        if message.type in leading.runner.custom_messages:
            # What a listener raises ends there: Locust's master logs it, and goes on.
            with suppress(KeyError, TypeError, ValueError, AttributeError, OverflowError):
                leading.runner.tell(message.type, message.data, "a")
            kept(leading.passed)

    def interval(data: bytes) -> None:
        try:
            came = from_bytes(data)
        except ValueError:
            return
        _must(to_bytes(from_bytes(to_bytes(came))) == to_bytes(came), "it is not what was sent")
        kept([merge([came, from_bytes(data)])])

    def kept(seconds: list[Interval]) -> None:
        if not seconds:
            return
        folder = RunFolder.create(folders, "s", None, STARTED)
        try:
            for second in seconds:
                folder.interval(second)
            folder.close()
        finally:
            shutil.rmtree(folder.path)

    def check(data: bytes) -> None:
        (interval if data[:1] == b"\x00" else port)(data[1:])

    whole = to_bytes(Interval(second=0, counters={"measured": {"turns.due": 1}}, gauges={"cpu": 0.5}))
    return check, [b"\x00" + whole, *_messages_of_workers(whole)]


def _messages_of_workers(interval: bytes) -> list[bytes]:
    import msgspec

    messages: list[tuple[str, Any]] = [
        ("lt_hello", {"pid": 5}),
        ("lt_interval", {"interval": interval}),
        ("lt_done", {"intervals": 1, "observed": {"refusals": {"x": 1}}, "crash": None}),
        ("lt_clock", {"asked_ns": 1, "own_ns": 1}),
        ("client_ready", "2.0"),
        ("stats", {"user_classes_count": {}, "stats": [], "stats_total": {}, "errors": {}}),
        ("heartbeat", {"state": "ready", "current_cpu_usage": 1.0}),
    ]
    return [b"\x01" + msgspec.msgpack.encode((name, data, "a")) for name, data in messages]


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


def runs() -> tuple[Target, list[bytes]]:
    """One file of a stored run is other bytes, or went wrong by a seed: every command ends as documented."""
    from loadtest.cli import main
    from tests.cli.stored import store
    from tests.mutations import mutated_bytes, mutated_json, mutated_lines

    world = Path(tempfile.mkdtemp(prefix="fuzz-runs-"))
    results = world / "results"
    run = store(results, "bad")
    good = store(results, "good")
    wrong = {
        "run.json": mutated_json,
        "intervals.jsonl": mutated_lines,
        "intervals.hlog": mutated_bytes,
        "totals.hlog": mutated_bytes,
        "turns.npy": mutated_bytes,
        "timeline.csv": mutated_bytes,
        "slowest.jsonl": mutated_bytes,
    }
    whole = {name: (run / name).read_bytes() if (run / name).exists() else b"" for name in wrong}
    commands = (
        ["runs", "show", run.name],
        ["report", run.name, "--format", "terminal"],
        ["report", run.name, "--format", "csv"],
        ["report", run.name, "--exit-code", "--set", "thresholds.turn.first_event.p95=< 1ms"],
        ["report", run.name, "--from", "1s", "--to", "3s"],
        ["compare", good.name, run.name],
        ["runs", "list"],
        ["trend"],
    )
    os.environ |= {"LOADTEST_RESULTS": str(results), "LOADTEST_TRACEBACK": "1"}
    os.environ.pop("GITHUB_ACTIONS", None)

    def check(data: bytes) -> None:
        if len(data) < 3:
            return
        name = list(wrong)[data[0] % len(wrong)]
        seed = random.Random(data[3:])  # noqa: S311 - no secret is made of it
        content = data[3:] if data[1] % 2 else wrong[name](whole[name] or b"{}", seed)
        (run / name).write_bytes(content)
        words = commands[data[2] % len(commands)]
        told = io.StringIO()
        try:
            with redirect_stdout(told), redirect_stderr(told):
                code = main(list(words))
            _must(code in DOCUMENTED, f"{words} ended with {code}")
            _must("Traceback" not in told.getvalue(), f"{words} showed a traceback")
            _must(code == 0 or words != ["runs", "list"], "a run that cannot be read disables the list")
        finally:
            (run / name).write_bytes(whole[name])

    seeds = [
        bytes([at, 1, command]) + whole[name]
        for at, name in enumerate(wrong)
        for command in range(len(commands))
    ]
    return check, [*seeds, *(bytes([at, 0, at]) + b"seed" for at in range(len(wrong)))]


def protocol() -> tuple[Target, list[bytes]]:
    """Any file is a protocol of which something can be said, or a ``ConfigError`` with sentences."""
    from loadtest.errors import ConfigError
    from loadtest.plan import match_conflicts, protocol_file, protocol_summary

    folder = Path(tempfile.mkdtemp(prefix="fuzz-protocol-"))
    path = folder / "protocol.toml"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            found = protocol_file.load_protocol(path)
        except ConfigError as error:
            _must(all(problem.sentence for problem in error.problems), "a problem without a sentence")
            return
        _must(
            all(sentence for _, sentence in protocol_summary.understood(found)), "a topic without a sentence"
        )
        _must(all(match_conflicts.conflicts(found)), "a conflict without a sentence")

    return check, [text.encode() for text in _shown("toml protocol")]


def capture() -> tuple[Target, list[bytes]]:
    """Any file is a capture or a ``ConfigError``; a draft of one can be read, and is played the capture."""
    from loadtest.errors import ConfigError
    from loadtest.plan.capture import parse_capture
    from loadtest.plan.protocol_file import read_protocol
    from loadtest.plan.toml_lines import parse_toml
    from loadtest.plan.toml_reader import Source, TomlTable
    from loadtest.speak.capture_draft import draft
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
        found = read_protocol(TomlTable(parse_toml(protocol_text(made, "drafted")), source), "drafted")
        _must(not source.problems, f"a draft that cannot be read: {source.problems}")
        _must(len(replay(found, frames).frames) == len(frames), "a frame that was taken for nothing")

    return check, [text.encode() for text in _shown("jsonl capture=[^\n]*")]


def har() -> tuple[Target, list[bytes]]:
    """Any file is imported, or refused as documented; what is written can be read again."""
    from loadtest.cli import main
    from loadtest.plan.capture import read_capture
    from loadtest.plan.protocol_file import load_protocol
    from loadtest.plan.scenario_file import load_scenario
    from tests.cli.test_import import har_of
    from tests.mutations import mutated_json

    world = Path(tempfile.mkdtemp(prefix="fuzz-har-"))
    file, folder = world / "session.har", world / "made"
    whole = har_of("wss://chat.example/ws?room=7&token=a-token-in-the-url", 3)
    os.environ["LOADTEST_TRACEBACK"] = "1"

    def check(data: bytes) -> None:
        if len(data) < 2:
            return
        seed = random.Random(data[1:])  # noqa: S311 - no secret is made of it
        file.write_bytes(data[1:] if data[0] % 2 else mutated_json(whole.encode(), seed))
        told = io.StringIO()
        with redirect_stdout(told), redirect_stderr(told):
            code = main(["import", "har", str(file), "--folder", str(folder), "--name", "made"])
        _must(code in DOCUMENTED, f"it ended with {code}: {told.getvalue()[-300:]}")
        _must("Traceback" not in told.getvalue(), "it showed a traceback")
        if code == 0:
            load_protocol(folder / "made.protocol.toml")
            load_scenario(folder / "made.toml")
            read_capture(folder / "made.jsonl")
        shutil.rmtree(folder, ignore_errors=True)

    return check, [b"\x01" + whole.encode(), *(b"\x00seed" + bytes([n]) for n in range(8))]


def _shown(mark: str) -> list[str]:
    """The blocks of docs/protocols.md that are marked so."""
    page = (ROOT / "docs" / "protocols.md").read_text("utf-8")
    return re.findall(rf"^```{mark}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


TARGETS = {
    "frames": frames,
    "upgrade": upgrade,
    "events": events,
    "codecs": codecs,
    "worker": worker,
    "scenario": scenario,
    "protocol": protocol,
    "capture": capture,
    "har": har,
    "runs": runs,
}

DOCUMENTED = {0, 1, 2, 3, 4}
"""Exit codes of a command, whatever it is told to read."""


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
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST_INPUT.get(name, 4_096)}",
            "-print_final_stats=1",
        ]
        kept = [f"-dict={words}", f"-artifact_prefix={tempfile.gettempdir()}/fuzz-{name}-", "-timeout=60"]
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
