"""The benchmark servers answer as they say, the tables show what was measured, the hot path is no slower.

The guards hold our hot path against a loop that only slices frames, in the same run: a ratio, of the best of
several rounds and with a wide margin, so that a busy machine does not fail them and a real step back does.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from benchmarks import live_page
from benchmarks import server as server_module
from benchmarks.bare import EVENTS, slices
from benchmarks.bench import BEGIN, END, arguments, most_of_two, remarks, report, rounds, settings_for, write
from benchmarks.budget import Budget
from benchmarks.cases import BY_NAME, CASES, Case
from benchmarks.foreign import ARTILLERY, ARTILLERY_OWN, LOCUST_CLIENT, LOCUST_SYNC
from benchmarks.generator import ROOT, Generator, Job, Told
from benchmarks.measuring import Measured, NotMeasuredError, Settings, steady, storm
from benchmarks.own import BARE, C_CLIENT, OURS
from benchmarks.plain_server import burst
from benchmarks.server import Server, compiled
from benchmarks.table import number, table, times
from loadtest.measure.recorder import Recorder
from loadtest.plan.scenario_file import load_scenario
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.frames import FrameParser, encode
from loadtest.speak.session import Session

SCENARIOS = Path(server_module.__file__).parent / "scenarios"
SECOND = 1_000_000_000
TURNS = 100
ROUNDS = 9

# Measured when this was written: 4.6 times slicing in process, 3.7 times the bare loop over sockets.
MAX_TIMES_SLICING = 8.0
MAX_TIMES_BARE = 9.0


# ---------------------------------------------------------------------- the servers


@pytest.fixture(params=["C", "Python"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "Python":
            patch.setattr(server_module, "compiled", lambda: None)
        elif compiled() is None:
            pytest.skip("there is no C compiler")
        started = Server.start()
    with started:
        yield started


def open_at(server: Server, path: str) -> ClientConnection:
    compression = "deflate" if path == "/deflate" else None
    try:
        return connect(server.url(path), compression=compression, max_size=None)
    except InvalidStatus:
        if path == "/deflate" and server.kind == "c":
            pytest.skip("the server was compiled without zlib")
        raise


def test_echo_sends_back_text_and_binary_of_every_size(server: Server) -> None:
    with open_at(server, "/echo") as client:
        for size in (0, 1, 125, 126, 65_535, 65_536, 300_000):
            client.send("é" * (size // 2))
            assert client.recv() == "é" * (size // 2)
            client.send(b"\xff" * size)
            assert client.recv() == b"\xff" * size


@pytest.mark.parametrize("path", ["/burst", "/fragments", "/deflate"])
def test_a_burst_is_100_numbered_events_with_the_id_of_its_message(server: Server, path: str) -> None:
    with open_at(server, path) as client:
        for turn in ("a", "0123456789abcdef0123456789abcdef0123"):
            client.send(json.dumps({"id": turn, "text": "go"}))
            payloads = [client.recv() for _ in range(EVENTS)]
            assert [len(payload) for payload in payloads] == [140 + seq * 7 % 21 for seq in range(EVENTS)]
            events = [json.loads(payload) for payload in payloads]
            assert [event["seq"] for event in events] == list(range(EVENTS))
            assert [event["type"] for event in events] == ["token"] * 99 + ["done"]
            assert {event["turn"] for event in events} == {turn}


def test_an_event_comes_in_three_frames(server: Server) -> None:
    with open_at(server, "/fragments") as client:
        client.send(json.dumps({"id": "a"}))
        assert [len(list(client.recv_streaming())) for _ in range(EVENTS)] == [3] * EVENTS


def test_who_takes_nothing_compressed_is_refused(server: Server) -> None:
    with pytest.raises(InvalidStatus):
        connect(server.url("/deflate"), compression=None)


def test_hold_answers_pings_alone(server: Server) -> None:
    with open_at(server, "/hold") as client:
        client.send("is anybody there?")
        assert client.ping().wait(timeout=5)
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.05)


def test_stats_count_what_was_done_but_not_themselves(server: Server) -> None:
    before = server.stats()
    with open_at(server, "/echo") as client:
        client.send("one")
        client.recv()
        during = server.stats()
    deadline = time.monotonic() + 5
    while (after := server.stats())["open"] != before["open"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert {name: during[name] - before[name] for name in ("accepted", "upgraded", "messages", "open")} == {
        "accepted": 1,
        "upgraded": 1,
        "messages": 1,
        "open": 1,
    }
    assert after["closed"] == before["closed"] + 1
    assert after["open"] == before["open"]


def test_other_paths_are_refused(server: Server) -> None:
    with pytest.raises(Exception, match="404"):
        open_at(server, "/elsewhere")


@pytest.fixture
def truth() -> Iterator[Server]:
    """A server that stamps what arrives, with nothing counted yet."""
    if compiled() is None:
        pytest.skip("there is no C compiler")
    with Server.start(truth=True) as server:
        yield server


def test_the_server_measures_its_own_service_time(truth: Server) -> None:
    with open_at(truth, "/echo") as client:
        for _ in range(20):
            client.send("one")
            client.recv()
        service = truth.stats()["service_us"]
    assert service["n"] == 20
    assert 0 <= service["p50"] <= service["p99"] <= service["max"]


def test_the_server_counts_messages_that_come_close_behind_another(truth: Server) -> None:
    with open_at(truth, "/echo") as client:
        for _ in range(3):
            client.send("alone")
            client.recv()
            time.sleep(0.001)
        apart = truth.stats()["service_us"]["bunched"]
        client.socket.sendall(encode(b"together") * 3)
        for _ in range(3):
            client.recv()
        assert (apart, truth.stats()["service_us"]["bunched"]) == (0, 2)


# ---------------------------------------------------------------------- the tables


def figures(name: str, *values: float) -> list[Measured]:
    return [Measured("echo", name, value, round=number) for number, value in enumerate(values)]


def test_a_table_shows_medians_spread_runs_and_ratios_best_first() -> None:
    found = {
        "loadtest": figures("loadtest", 40_000, 44_000, 42_000),
        "peer": figures("peer", 20_000, 21_000, 22_000),
    }
    lines = table(BY_NAME["echo"], found, {"peer": "parses nothing"}, "loadtest")
    assert lines[-2] == "| loadtest | 42,000 | 40,000 to 44,000 | 3 |  |  |"
    assert lines[-1] == "| peer | 21,000 | 20,000 to 22,000 | 3 | 2.00 times this | parses nothing |"


def test_the_readme_says_what_the_table_says() -> None:
    """Of one core: the median, and how many times those of two peers it is."""
    page = (ROOT / "docs" / "performance.md").read_text("utf-8")
    burst = page[page.index("### Burst:") : page.index("### Burst in fragments")]
    cells = {
        line.split(" | ")[0].strip("| "): line.split(" | ") for line in burst.splitlines() if " | " in line
    }
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    said = re.search(
        r"handles ([\d,]+) events a second, ([\d.]+) times .*? and ([\d.]+) times a JavaScript", readme
    )
    assert said
    peers = [cells[name][4].split()[0] for name in ("Locust + websockets.sync", "Artillery, own JavaScript")]
    assert said[1] == cells["loadtest"][1]
    assert [float(said[2]), float(said[3])] == [round(float(each), 1) for each in peers]


def test_a_ratio_is_taken_within_each_round() -> None:
    ones, others = figures("loadtest", 10, 200, 30), figures("peer", 5, 100, 10)
    assert times(ones, others) == 2.0
    # A round that failed for one of them is left out.
    assert times(ones, figures("peer", 1, 1, 1)[1:]) == 115.0


def test_where_less_is_better_the_least_stands_first() -> None:
    found = {"loadtest": figures("loadtest", 6.0), "peer": figures("peer", 12.0)}
    lines = table(BY_NAME["hold"], found, {}, "loadtest")
    assert lines[-2].startswith("| loadtest | 6 |")
    assert "| 0.50 times this |" in lines[-1]


def test_the_rate_table_holds_what_was_told_against_the_truth() -> None:
    one = Measured("rate", "loadtest", 20.0, 2000.0, told=Told(0.05, 0.25), truth=Told(0.04, 0.2))
    mute = Measured("rate", "peer", 10.0, 2000.0, truth=Told(0.04, 0.2))
    lines = table(BY_NAME["rate"], {"loadtest": [one], "peer": [mute]}, {}, "loadtest")
    assert "| nothing | 0.04 / 0.2 |  |" in lines[-2]
    assert "| 0.05 / 0.25 | 0.04 / 0.2 | 0.05 |" in lines[-1]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.123456, "0.123"), (12.3456, "12.3"), (999.6, "1e+03"), (41_234, "41,200")]
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_the_tables_are_written_between_their_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr("benchmarks.bench.PAGE", page)
    monkeypatch.setattr("benchmarks.bench.ROOT", tmp_path)
    write("new\n")
    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_a_report_says_what_failed() -> None:
    text = report([], [OURS], {}, ["echo, peer: nothing came; its last words:\nall of them"])
    assert "- echo, peer: nothing came; its last words:" in text
    assert "all of them" not in text


def test_rounds_are_begun_as_far_as_they_end_in_time() -> None:
    """Of 100 s, rounds of 30 and 40 s: a third one would end at 110."""
    clock = [0.0]
    budget = Budget(100, 5, lambda: clock[0])
    for number_of_round in budget.rounds():
        for case, seconds in (("echo", 10.0), ("burst", 10.0 + 10 * number_of_round)):
            assert not budget.is_spent
            clock[0] += seconds
            budget.took(case, seconds)
    assert budget.told() == "2 rounds in 1.2 minutes: echo 20 s, burst 50 s"
    clock[0] = 100.0
    assert budget.is_spent


def test_a_round_that_takes_too_long_is_cut_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.bench.measure", lambda case, *_: Measured(case.name, "loadtest", 1.0))
    times_read = iter(range(100))
    budget = Budget(2, 5, lambda: next(times_read))
    found, failures = rounds([BY_NAME["echo"], BY_NAME["burst"]], [OURS], settings_for(quick=True), budget)
    assert failures == ["round 1 was cut short: the time was over"]
    assert not found["burst"]


def test_each_generators_processes_are_held_against_its_own_one() -> None:
    figures = {name: [Measured("processes", name, value)] for name, value in PROCESSES.items()}
    text = " ".join(remarks(BY_NAME["processes"], figures))
    assert "Two processes of loadtest do 1.80 times the work of one." in text
    assert "Two processes of peer do 1.50 times the work of one." in text


def test_what_two_processes_can_do_at_most_follows_from_the_servers_share() -> None:
    one = [Measured("processes", "a", 10.0, cpu=0.95, server_cpu=share) for share in (0.1, 0.3, 0.9)]
    told = " One and its server take 1.25 cores, so that two on {} cores can do at most {} times its work."
    assert most_of_two(one, 2) == told.format(2, "1.60")
    assert most_of_two(one, 8) == told.format(8, "2.00")
    assert most_of_two([Measured("processes", "a", 10.0)], 2) == ""


PROCESSES = {
    "loadtest, 1 process": 10.0,
    "peer, 1 process": 2.0,
    "loadtest, 2 processes": 18.0,
    "peer, 2 processes": 3.0,
    "half, 2 processes": 3.0,
}


@pytest.mark.parametrize(
    ("outcome", "told"), [("pass", Told(0.02, 0.5)), ("invalid", None), ("unreachable", None)]
)
def test_of_a_storm_only_a_valid_run_counts(tmp_path: Path, outcome: str, told: Told | None) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    measured = {"connect.tcp": {"p50": 0.02, "p99": 0.5}}
    (folder / "run.json").write_text(json.dumps({"metrics": measured, "verdict": {"outcome": outcome}}))
    job = SimpleNamespace(folder=tmp_path, case=BY_NAME["storm"])
    assert OURS.told is not None
    assert OURS.told(cast("Job", job)) == told


@pytest.mark.parametrize("generator", [OURS, C_CLIENT], ids=lambda one: str(one.name))
def test_a_small_storm_is_measured(generator: Generator) -> None:
    if generator.missing() is not None or compiled() is None:
        pytest.skip("needs Linux and a C compiler")
    small = replace(BY_NAME["storm"], connections=50)
    one = storm(generator, small, settings_for(quick=True))
    assert 0 < one.value < 1000


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_every_case_has_a_file_of_each_peer_that_does_it(case: Case, tmp_path: Path) -> None:
    """A peer that cannot be started would only show in a run of half an hour."""
    job = Job(case, cast("Server", SimpleNamespace(port=1, url=lambda path="": path)), tmp_path, 10)
    for generator in (ARTILLERY, ARTILLERY_OWN):
        if case.name in generator.does:
            assert Path(generator.words(job)[-1]).is_file()
    for generator in (LOCUST_CLIENT, LOCUST_SYNC):
        if case.name in generator.does:
            words = generator.words(job)
            source = Path(words[words.index("-f") + 1]).read_text()
            assert f"class {words[words.index('-f') + 2]}(" in source


def test_the_command_line_knows_its_cases(capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments(["--quick", "--only", "echo,storm"]).only == ["echo", "storm"]
    with pytest.raises(SystemExit):
        arguments(["--only", "nonsense"])
    assert "there is no case nonsense; there are echo, burst" in capsys.readouterr().err


def test_a_generator_that_ends_at_once_is_not_measured() -> None:
    def words(_job: object) -> list[str]:
        return ["sh", "-c", "echo cannot; exit 1"]

    broken = Generator("broken", {"echo": ""}, words, lambda: None, lambda: "0")
    with pytest.raises(NotMeasuredError, match="cannot"):
        steady(broken, BY_NAME["echo"], settings_for(quick=True))


@pytest.mark.parametrize(
    "name", ["echo", "burst", "fragments", "deflate", "tokens", "connect", "hold", "rate"]
)
def test_every_scenario_is_whole(name: str) -> None:
    assert load_scenario(str(SCENARIOS / f"{name}.toml"), {}).name == f"bench-{name}"


# ---------------------------------------------------------------------- the guards


def cpu_s(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def test_the_hot_path_costs_no_more_than_before_beside_slicing_alone() -> None:
    protocol = load_scenario(str(SCENARIOS / "burst.toml"), {}).protocol
    grammar = CompiledProtocol(
        protocol, message=protocol.turn.message, nonce="bench", timeout_ns=10 * SECOND, keep_frames=True
    )
    answers = [burst(b'{"id":"%b"}' % grammar.turn_id(seq, {}, 0).encode()) for seq in range(TURNS)]

    def ours() -> None:
        recorder = Recorder(0, 0, 100 * SECOND)
        session = Session(grammar, recorder, 0, {})
        session.upgraded(0)
        lane = FrameParser(1_000_000)
        for seq, answer in enumerate(answers):
            turn, _ = session.begin(seq, 0, seq, {})
            session.sent(turn, seq)
            session.receive(lane.receive(answer), seq + 1)
        interval = recorder.take(0, {})
        assert interval.counters["measured"]["turns.complete"] == TURNS
        assert interval.counters["measured"]["events.matched"] == TURNS * EVENTS

    def sliced() -> None:
        for answer in answers:
            found, rest = slices(answer)
            assert len(found) == EVENTS
            assert not rest

    # Interleaved, and the best of each: what else the machine does only ever adds.
    both = [(cpu_s(ours), cpu_s(sliced)) for _ in range(ROUNDS)]
    times = min(one for one, _ in both) / min(other for _, other in both)
    assert times < MAX_TIMES_SLICING, f"the hot path costs {times:.1f} times slicing alone"


def test_a_round_trip_costs_no_more_than_before_beside_the_bare_loop() -> None:
    if compiled() is None or BARE.missing() is not None:
        pytest.skip("needs Linux and a C compiler")
    pinned = settings_for(quick=True)
    short = Settings(pinned.generator_cores, pinned.server_cores, settle_s=0.3, window_s=1.0)
    ours, bare = (steady(one, BY_NAME["echo"], short).value for one in (OURS, BARE))
    assert bare / ours < MAX_TIMES_BARE, f"a round trip costs {bare / ours:.1f} times the bare loop's"


# ---------------------------------------------------------------------- the live page


def test_the_cost_of_the_page_is_told_per_turn_and_of_a_core() -> None:
    without = Measured("rate", "loadtest", 10_000.0, per_s=2_000.0)
    opened = Measured("rate", "loadtest", 8_000.0, per_s=1_999.0)
    pair = live_page.Pair(without, opened, 15)
    assert pair.ratio == pytest.approx(1.25)
    assert pair.more_of_a_core == pytest.approx(0.05)
    text = live_page.told([pair], (0.5, 7.25), 20)
    assert "| 1 | 100.0 | 125.0 | 1.250 | +5.0 |" in text
    assert "at 2,000 turns/s" in text
    assert "0.5 at the beginning,\n7.2 at the end" in text


@pytest.mark.parametrize("page_first", [False, True])
def test_a_page_that_never_answered_was_not_measured(
    monkeypatch: pytest.MonkeyPatch, *, page_first: bool
) -> None:
    monkeypatch.setattr(live_page, "POLL_S", 0.001)
    settings = Settings([], [], 0.0, 0.0)

    def nobody(generator: Generator, *_: object) -> Measured:
        return Measured("rate", generator.name, 1.0, per_s=1.0)

    with pytest.raises(NotMeasuredError, match="never answered"):
        live_page.measure(settings, page_first=page_first, steadily=nobody)
