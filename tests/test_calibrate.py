"""The truth server tells the truth, the comparison finds what is wrong, the generator holds against it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import connect

from benchmarks import calibrate
from benchmarks.calibrate import in_short
from benchmarks.page import MEASURING, read_table, rows_of, table, write_table
from benchmarks.truth import ANSWER, Answers, Mismatch, hold, misses, percentiles, read_answers
from benchmarks.truth_delays import Freezing
from benchmarks.truth_run import Load, Measured
from benchmarks.truth_verdict import Case, Judged, judge
from loadtest.measure.interval import TURN
from loadtest.speak.frames import encode

ROOT = Path(__file__).resolve().parent.parent
MS = 1_000_000
RATE, USERS = 1000, 50
UNIX_NS = 1_800_000_000_000_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the truth is stamped by Linux's kernel")


# ---------------------------------------------------------------------- the server


@contextmanager
def truth_server(delay: str, truth: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.truth_server", delay, "--truth", str(truth)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
        finally:
            if server.poll() is None:
                server.kill()


def message(number: int) -> str:
    return f'{{"id":"01234567-89ab-8cde-8f01-{number:012x}"}}'


def test_the_server_writes_down_when_messages_came_and_answers_left(tmp_path: Path) -> None:
    before_ns = time.time_ns()
    with truth_server("steady", tmp_path / "truth.npy") as url, connect(url) as peer:
        for number in (7, 3):
            peer.send(message(number))
            assert peer.recv() == message(number)
        assert peer.ping().wait(10)
    truth = read_answers(tmp_path / "truth.npy")
    assert truth.number.tolist() == [3, 7]
    assert ((truth.departed_ns[:, 0] - truth.arrived_ns) >= 5 * MS).all()
    assert before_ns < truth.arrived_ns[1] < truth.departed_ns[1, 0] < truth.arrived_ns[0] < time.time_ns()


def test_messages_and_control_frames_that_come_in_one_piece_are_taken_apart(tmp_path: Path) -> None:
    with truth_server("echo", tmp_path / "truth.npy") as url, connect(url) as peer:
        with peer.protocol_mutex:
            for number in (1, 2):
                peer.protocol.send_text(message(number).encode())
                peer.protocol.send_ping(b"between")
            peer.send_data()
        assert [json.loads(peer.recv()) for _ in range(2)] == [json.loads(message(n)) for n in (1, 2)]
    assert read_answers(tmp_path / "truth.npy").number.tolist() == [1, 2]


def test_a_streamed_answer_has_five_events_two_milliseconds_apart(tmp_path: Path) -> None:
    with truth_server("streamed", tmp_path / "truth.npy") as url, connect(url) as peer:
        peer.send(message(1))
        events = [json.loads(peer.recv()) for _ in range(5)]
    assert [event["seq"] for event in events] == [0, 1, 2, 3, 4]
    assert [event["type"] for event in events] == ["part"] * 4 + ["end"]
    truth = read_answers(tmp_path / "truth.npy")
    planned_ns = truth.arrived_ns[0] + np.arange(2, 12, 2) * MS
    assert (truth.departed_ns[0] >= planned_ns).all()


@pytest.mark.parametrize(("delay", "frames"), [("fragmented", 3), ("compressed", 1), ("large", 1)])
def test_an_answer_is_written_down_however_it_is_framed(tmp_path: Path, delay: str, frames: int) -> None:
    compression = "deflate" if delay == "compressed" else None
    with truth_server(delay, tmp_path / "truth.npy") as url, connect(url, compression=None) as plain:
        plain.ping().wait(5)
        with connect(url, compression=compression) as peer:
            if compression is None:
                peer.send(message(7))
            else:
                # The generator offers compression, and sends uncompressed all the same.
                peer.socket.sendall(encode(message(7).encode()))
            answered = list(peer.recv_streaming())
            extensions = [extension.name for extension in peer.protocol.extensions]
    assert extensions == (["permessage-deflate"] if compression else [])
    assert len(answered) == frames
    event = json.loads("".join(map(str, answered)))
    assert event["id"] == json.loads(message(7))["id"]
    assert len("".join(map(str, answered))) == (65_536 if delay == "large" else len(message(7)))
    (row,) = np.load(tmp_path / "truth.npy")
    assert row["number"] == 7
    assert row["departed_ns"] - row["arrived_ns"] >= 5 * MS


def test_a_freezing_server_holds_back_what_comes_in_its_second_and_keeps_the_order() -> None:
    plan = Freezing()
    arrivals = [UNIX_NS + ms * MS for ms in (0, 1499, 1500, 2499, 2500, 6600)]
    due = [plan(0, arrived_ns) for arrived_ns in arrivals]
    assert [(instant_ns - UNIX_NS) // MS for instant_ns in due] == [0, 1499, 2500, 2500, 2500, 7500]


# ---------------------------------------------------------------------- the comparison


def both_sides(n: int = 5000, transit_ns: int = 10_000) -> tuple[Any, Answers]:
    """A run of ``n`` turns at ``RATE``, each 5 ms at the server, as a right generator has it."""
    turns = np.zeros(n, TURN)
    turns["seq"] = np.arange(n)
    turns["user"] = turns["seq"] % USERS
    turns["phase"] = 1
    turns["payload_crc"] = turns["seq"] * 7
    turns["intended_ns"] = turns["seq"] * MS
    turns["waited_from_ns"] = turns["intended_ns"]
    turns["sent_ns"] = turns["intended_ns"] + 50_000
    arrived_ns = UNIX_NS + turns["sent_ns"] + transit_ns
    departed_ns = arrived_ns + 5 * MS
    turns["first_ns"] = turns["done_ns"] = departed_ns + transit_ns - UNIX_NS
    return turns, Answers(turns["seq"].copy(), turns["seq"] * 7, arrived_ns, departed_ns.reshape(-1, 1))


def in_run_json(values_ns: Any, *bounds: str) -> dict[str, Any]:
    found = percentiles(values_ns)
    return {"n": len(values_ns), **found, "max_exact": found["max"], "bounds": list(bounds)}


def judged(turns: Any, answers: Answers, delay: str = "steady", **changed: Any) -> list[str]:
    """What the verdict misses, of a run whose own report says what its turns say.

    ``bounds`` are statistics of service time that the report calls upper bounds, ``slow`` turns sent slowly.
    """
    bounds, slow = changed.pop("bounds", ()), changed.pop("slow", 0)
    metrics = {
        "turn.completion.service": in_run_json(turns["done_ns"] - turns["sent_ns"], *bounds),
        "turn.completion": in_run_json(turns["done_ns"] - turns["intended_ns"]),
        "turn.first_event.service": in_run_json(turns["first_ns"] - turns["sent_ns"]),
    }
    generator = {"coalesced": {"share": 0.0}, "slow_sends": {"turns": slow}}
    manifest = {"metrics": metrics, "generator": generator, "notices": []}
    measured = {"cpu": 0.2, "waited": 0.0, "own": None, **changed}
    case = Case(Load(delay, RATE, USERS, duration_s=len(turns) // RATE), measured.pop("aim", 0.2))
    return judge(case, Measured(manifest, turns, answers, **measured)).missed


def test_a_right_generator_holds() -> None:
    assert judged(*both_sides()) == []


def test_transit_is_all_that_lies_between_both_sides() -> None:
    held = hold(*both_sides(transit_ns=12_000), RATE, USERS)
    assert set(held.done - held.true_done) == {24_000}
    # The start is placed where the fastest message took no time, so one way is missing here.
    assert set(held.response - held.implied) == {24_000}


def test_a_generator_that_measures_its_own_delay_misses() -> None:
    turns, answers = both_sides()
    turns["done_ns"][::50] += 1 * MS
    missed = judged(turns, answers)
    assert "turn.completion.service p99 is off by +1.02 ms" in missed
    assert not any("p50" in sentence for sentence in missed)


def test_what_the_run_calls_an_upper_bound_may_be_above_the_truth_and_never_below() -> None:
    turns, answers = both_sides()
    turns["done_ns"][7] += 10 * MS
    missed = ["turn.completion.service max is off by +10.02 ms", "turn.completion max is off by +10.02 ms"]
    assert judged(turns, answers) == missed
    assert judged(turns, answers, bounds=("max", "max_exact"), slow=1) == missed[1:]
    turns["done_ns"][:] -= 11 * MS
    assert "turn.completion.service max is off by -0.98 ms" in judged(turns, answers, bounds=("max",))


def test_what_is_to_be_exact_is_so_also_where_it_is_called_an_upper_bound() -> None:
    turns, answers = both_sides()
    turns["done_ns"][::50] += 1 * MS
    missed = judged(turns, answers, bounds=("p99", "p99_9", "max"))
    assert [each for each in missed if ".service" in each] == [
        "turn.completion.service p99 is off by +1.02 ms"
    ]
    assert judged(*both_sides(), slow=51) == ["51 of 5000 turns were sent slowly"]


def test_a_case_whose_machine_changed_its_speed_is_measured_at_another_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates: list[int | None] = []

    def measured(load: Load, _folder: Path) -> Measured:
        """A generator of which 8,000 turns a second take four fifths of a core."""
        rates.append(load.turns_per_s)
        unused: Any = None
        return Measured({}, unused, unused, (load.turns_per_s or 0) / 10_000, 0.0, None)

    def held(case: Case, run: Measured) -> Judged:
        missed = [] if abs(run.cpu - case.aim) <= 0.1 else ["the aim"]
        return Judged(case, {}, 0, 0, run.cpu, run.waited, missed=missed)

    monkeypatch.setattr(calibrate, "measure", measured)
    monkeypatch.setattr(calibrate, "judge", held)
    calibration = calibrate.Calibration(1, None)
    calibration._rates["fragmented", 0.8] = 11_000
    assert calibration.measure("fragmented-80").missed == []
    assert rates == [11_000, 8_000]


def test_a_wrong_time_is_not_measured_again_because_of_the_aim(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Load] = []
    monkeypatch.setattr(calibrate, "measure", lambda load, _folder: asked.append(load))
    monkeypatch.setattr(
        calibrate, "judge", lambda case, _run: Judged(case, {}, 0, 0, 0.95, 0.0, missed=["the aim", "a time"])
    )
    calibration = calibrate.Calibration(1, None)
    calibration._rates["fragmented", 0.8] = 9_000
    assert calibration.measure("fragmented-80").missed == ["the aim", "a time"]
    assert len(asked) == 1


def test_a_generator_that_forgives_is_found_out() -> None:
    """Coordinated omission: what was due in a frozen second is planned anew, behind it."""
    turns, answers = both_sides()
    turns["intended_ns"][1000:2000] += 1000 * MS
    assert judged(turns, answers) == ["turns were not due when the plan says"]


def test_a_generator_that_leaves_out_the_frozen_second_is_found_out() -> None:
    turns, answers = both_sides()
    kept = np.r_[0:1000, 2000:5000]
    fewer = Answers(
        *(side[kept] for side in (answers.number, answers.crc, answers.arrived_ns, answers.departed_ns))
    )
    missed = judged(turns[kept], fewer, "freezing")
    assert "turn.completion max should show 1000 ms of the frozen second" in missed


def test_another_message_is_no_match() -> None:
    turns, answers = both_sides()
    turns["payload_crc"][17] += 1
    assert judged(turns, answers) == ["the server read other messages than the generator sent"]


def test_a_turn_that_one_side_does_not_know_is_no_match() -> None:
    turns, answers = both_sides()
    assert judged(turns[:-1], answers) == ["1 turns are known to one side only, such as [4999]"]


def test_a_saturated_run_must_say_so() -> None:
    missed = judged(*both_sides(), aim=1.0, cpu=0.98)
    assert missed == ["the run does not say that its generator was saturated"]


def test_an_aim_that_was_not_reached_is_a_miss() -> None:
    assert judged(*both_sides(), aim=0.8) == ["the generator used 20% of a core instead of 80%"]


def test_a_message_that_lost_its_arrival_is_left_out() -> None:
    turns, answers = both_sides()
    answers.arrived_ns[100] = answers.arrived_ns[100 + USERS]
    answers.departed_ns[100] = answers.arrived_ns[100] + 5 * MS
    held = hold(turns, answers, RATE, USERS)
    assert (held.blurred, len(held.done)) == (1, 4999)
    assert (held.done - held.true_done).max() < 1 * MS


@pytest.mark.parametrize(("true_ms", "measured_ms"), [(5.0, 5.29), (5.0, 4.71), (950.0, 968.0)])
def test_a_time_may_be_off_by_two_percent_or_a_third_of_a_millisecond(
    true_ms: float, measured_ms: float
) -> None:
    assert misses({"p50": measured_ms}, {"p50": true_ms}) == {}


@pytest.mark.parametrize(("true_ms", "measured_ms"), [(5.0, 5.31), (5.0, 4.69), (950.0, 970.0)])
def test_a_time_that_is_off_by_more_is_a_miss(true_ms: float, measured_ms: float) -> None:
    assert misses({"p50": measured_ms}, {"p50": true_ms}) == {"p50": measured_ms - true_ms}


def test_a_statistic_that_is_not_there_is_a_miss() -> None:
    assert "p99" in misses({"p99": None}, {"p99": 5.0})


def test_a_server_that_lost_an_event_is_no_witness(tmp_path: Path) -> None:
    rows = np.zeros(9, ANSWER)
    rows["number"], rows["nth"] = np.arange(9) // 5, np.arange(9) % 5
    np.save(tmp_path / "truth.npy", rows)
    with pytest.raises(Mismatch, match="all events of every turn"):
        read_answers(tmp_path / "truth.npy")


# ---------------------------------------------------------------------- the page


def test_a_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n")
    write_table("a", "new", page)
    write_table("a", "newer", page)
    assert page.read_text() == "before\n<!-- a: begin -->\n\nnewer\n\n<!-- a: end -->\nafter\n"
    with pytest.raises(ValueError, match="no place"):
        write_table("b", "new", page)


def test_the_page_has_the_tables_and_the_machine_they_were_made_on() -> None:
    text = (ROOT / "docs" / "calibration.md").read_text("utf-8")
    for name in ("calibration", "stamps"):
        _, _, rest = text.partition(f"<!-- {name}: begin -->")
        shown, closed, _ = rest.partition(f"<!-- {name}: end -->")
        assert closed
        assert "| p50 |" in shown
        assert "Made on 20" in shown


def test_another_page_has_a_line_per_case_of_the_same_tables() -> None:
    assert read_table("calibration-in-short", MEASURING) == in_short(read_table("calibration"))
    assert read_table("stamps", MEASURING) == read_table("stamps")


def test_in_short_there_are_whole_turns_alone_and_every_case_once() -> None:
    head = ("delay", "generator CPU", "turns/s", "p50", "p99", "p99.9", "max", "verdict")
    whole = [dict.fromkeys(head, f"{case}") | {"delay": case} for case in ("steady", "streamed")]
    single = whole[1] | {"metric": "`event.gap`"}
    streamed = whole[1] | {"metric": "`turn.completion.service`"}
    response = {"delay": "steady", "p50": "another table"}
    parts = [table(list(row), [list(row.values())]) for row in (whole[0], response, single, streamed)]
    text = in_short("\n\n".join(["Made on a machine", *parts, "No case misses."]))
    assert text.startswith("Made on a machine\n\n")
    assert rows_of(text) == whole


# ---------------------------------------------------------------------- the generator


def run_module(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=ROOT, check=False)


@pytest.mark.long
@pytest.mark.timed
@pytest.mark.parametrize("name", ["freezing-20", "bimodal-100"])
def test_the_generator_holds_against_the_truth(name: str) -> None:
    ended = run_module("benchmarks.calibrate", name, "--duration", "5")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "No case misses." in ended.stdout


@pytest.mark.long
@pytest.mark.timed
def test_kernel_stamps_tell_the_target_from_the_queue_of_a_busy_generator() -> None:
    ended = run_module("benchmarks.stamps", "--duration", "3")
    assert ended.returncode == 0, ended.stderr
    rows = [line.split("|") for line in ended.stdout.splitlines() if line.startswith("| ")][-3:]
    true, stamped, own = (float(row[2].replace(",", "")) for row in rows)
    assert stamped == pytest.approx(true, abs=50)
    assert own > 2 * stamped
