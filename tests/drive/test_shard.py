"""The way of a share from its first connection to its end, in a world without sockets."""

from __future__ import annotations

import itertools
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from loadtest.drive import shard as module
from loadtest.drive.connection import Stage
from loadtest.drive.shard import Share
from loadtest.measure.interval import Interval
from loadtest.plan.chaos import cut_users
from loadtest.simulator.process import Simulator
from loadtest.speak.turn import Outcome
from tests.drive.alone import drive, scenario_of, share_of
from tests.drive.fakes import MS, FakeConnection, FakePoller, S

Make = Callable[[str], Share]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Make]:
    """Make a share whose time is the test's and whose connections are fakes, and begin it at 0."""
    poller = FakePoller()
    begun: list[Share] = []
    monkeypatch.setattr(module, "make_poller", lambda _now: poller)
    monkeypatch.setattr(Share, "new_connection", lambda share, user, _values: FakeConnection(share, user))

    def begin(text: str) -> Share:
        share = share_of(scenario_of(tmp_path, text), "ws://127.0.0.1:1", lambda _interval: None)
        share.now = poller.now
        begun.append(share)
        share.begin(0)
        return share

    yield begin
    for share in begun:
        share._reporter.kill()


def world(share: Share) -> FakePoller:
    assert isinstance(share.poller, FakePoller)
    return share.poller


def fakes(share: Share) -> list[Any]:
    return [stay.connection for stay in share.stays]


def all_ready(share: Share) -> None:
    for connection in fakes(share):
        if connection.stage is Stage.OPENING:
            connection.ready()


def count(share: Share, name: str) -> int:
    attribute = name.replace(".", "_", 1)
    return sum(getattr(part, attribute, 0) + part.other.get(name, 0) for part in share.recorder.phases)


HOLD = "[load]\nconnections = 3\nduration = '10s'\n[traffic]\nturns = 0\nping = '1s'\n"
OPEN = "[load]\nconnections = 2\nduration = '10s'\n[traffic]\nevery = '1s'\ntimeout = '4s'\n"


def test_connections_open_at_their_planned_instants(make: Make) -> None:
    share = make("[load]\nconnections = 4\nconnect_rate = '2/s'\nduration = '10s'\n")
    seen = []
    for at_ms in (0, 499, 500, 1400, 1500, 5000):
        world(share).run(at_ms * MS)
        seen.append(len(share.stays))
    assert seen == [1, 1, 2, 3, 4, 4]


@pytest.mark.parametrize(
    "text", [HOLD, HOLD.replace("turns = 0\n", ""), "[load]\nconnections = 3\nduration = '10s'\n"]
)
def test_connections_that_only_hold_are_held_to_the_end(make: Make, text: str) -> None:
    """0 turns each are not done at once."""
    share = make(text if "every" in text or "turns" in text else text.replace("[traffic]\nping = '1s'\n", ""))
    all_ready(share)
    world(share).run(9_990 * MS)
    assert all(connection.is_open for connection in fakes(share))
    assert not share.finishing
    world(share).run(10_100 * MS)
    assert share.done.is_set(), "there is nothing to drain"
    assert "last_measured" not in share.recorder.instants


def test_one_that_is_lost_while_all_hold_does_not_end_the_others(make: Make) -> None:
    share = make(HOLD)
    all_ready(share)
    fakes(share)[0].lose()
    world(share).run(9 * S)
    assert sum(connection.is_open for connection in fakes(share)) == 2


def test_the_share_ends_when_all_is_answered(make: Make) -> None:
    share = make(OPEN)
    all_ready(share)
    world(share).run(10_500 * MS)
    assert not share.done.is_set()
    for connection in fakes(share):
        while connection.session.turns:
            connection.answer()
    world(share).run(10_600 * MS)
    assert share.done.is_set()
    assert count(share, "turns.complete") == count(share, "turns.due") == 20


def test_what_is_never_answered_is_waited_for_no_longer_than_allowed(make: Make) -> None:
    share = make(OPEN)
    all_ready(share)
    world(share).run(18_900 * MS)
    assert not share.done.is_set()
    world(share).run(19_100 * MS)
    assert share.done.is_set()
    assert count(share, "turns.abandoned") == 20


def test_so_many_turns_end_the_run_with_the_last_answer(make: Make) -> None:
    share = make(OPEN + "turns = 3\n")
    all_ready(share)
    world(share).run(3 * S)
    assert not share.finishing
    for connection in fakes(share):
        while connection.session.turns:
            connection.answer()
    world(share).run(3100 * MS)
    assert share.done.is_set()
    assert share.recorder.instants["last_measured"] < 3100 * MS


def test_a_turn_that_waits_for_its_connection_is_not_given_up_because_others_are_done(make: Make) -> None:
    share = make(OPEN + "turns = 1\n")
    late, early = fakes(share)
    early.ready()
    world(share).run(S)
    early.answer()
    world(share).run(2 * S)
    assert not share.finishing
    late.ready()
    late.answer()
    world(share).run(2100 * MS)
    assert share.done.is_set()
    assert count(share, "turns.complete") == 2


def test_a_turn_that_waits_when_the_schedule_ends_has_its_time(make: Make) -> None:
    """What fell due last waits for its connection like any other."""
    share = make(OPEN)
    away, here = fakes(share)
    here.ready()
    world(share).run(10 * S)
    while here.session.turns:
        here.answer()
    world(share).run(10_900 * MS)
    assert not share.done.is_set()
    away.ready()
    assert [intended // S for _, _, intended in away.begun] == [7, 8, 9]
    while away.session.turns:
        away.answer()
    world(share).run(11_100 * MS)
    assert share.done.is_set()


def test_closed_users_who_lost_their_connection_do_not_hold_up_the_others(make: Make) -> None:
    share = make("[load]\nmodel = 'closed'\nconnections = 2\nduration = '100s'\n[traffic]\nturns = 2\n")
    all_ready(share)
    lost, other = fakes(share)
    lost.lose()
    other.answer()
    other.answer()
    world(share).run(100 * MS)
    assert share.done.is_set()
    assert count(share, "turns.lost") == 1


def test_a_target_that_refuses_all_is_asked_no_more(make: Make) -> None:
    share = make(OPEN)
    first, second = fakes(share)
    first.refuse()
    world(share).run(S)
    assert not share.finishing
    second.refuse()
    world(share).run(1100 * MS)
    assert share.done.is_set()
    assert count(share, "turns.due") == count(share, "turns.not_attempted") == 3


def test_with_reconnect_too(make: Make) -> None:
    share = make(OPEN.replace("[traffic]", "reconnect = true\n[traffic]"))
    for connection in fakes(share):
        connection.refuse()
    world(share).run(20 * MS)
    assert share.done.is_set()


def test_refusals_before_the_last_connection_is_tried_decide_nothing(make: Make) -> None:
    share = make("[load]\nconnections = 2\nconnect_rate = '1/s'\nduration = '10s'\n")
    fakes(share)[0].refuse()
    world(share).run(900 * MS)
    assert not share.finishing
    world(share).run(1000 * MS)
    fakes(share)[1].ready()
    world(share).run(2 * S)
    assert not share.finishing


def test_a_user_let_in_at_the_second_try_speaks_for_the_target(make: Make) -> None:
    load = "[load]\nconnections = 2\nconnect_rate = '1/s'\nduration = '10s'\nreconnect = { jitter = '0%' }\n"
    share = make(load)
    fakes(share)[0].refuse()
    world(share).run(100 * MS)
    fakes(share)[0].ready()
    world(share).run(1000 * MS)
    fakes(share)[1].refuse()
    world(share).run(9 * S)
    assert not share.finishing


STAGES = """
[load]
stages = [
    { for = "2s", connections = 3 },
    { for = "2s", connections = 1 },
    { for = "2s", connections = 3 },
]
[traffic]
every = "500ms"
timeout = "1s"
"""


def test_users_leave_with_their_stage_and_come_back_in_another(make: Make) -> None:
    share = make(STAGES)
    open_at = {}
    for at_ms in range(0, 6000, 50):
        world(share).run(at_ms * MS)
        all_ready(share)
        for connection in fakes(share):
            while connection.session.turns:
                connection.answer()
        open_at[at_ms] = sorted(connection.number for connection in fakes(share) if connection.is_open)
    changes = {at_ms: now for at_ms, now in open_at.items() if now != open_at.get(at_ms - 50)}
    assert changes == {0: [0, 1, 2], 2000: [0], 4000: [0, 1, 2]}
    assert len(share.stays) == 5
    world(share).run(6200 * MS)
    assert share.done.is_set()
    due = count(share, "turns.due")
    assert due == share.schedule.due() == count(share, "turns.complete")
    seqs = [seq for connection in fakes(share) for seq, _, _ in connection.begun]
    assert len(seqs) == len(set(seqs)) == due


def test_guided_users_wait_while_their_user_is_away(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Share, "begin", _guided(Share.begin))
    share = make(STAGES)
    all_ready(share)
    guide = share._guides[2]
    assert guide.wait_ready()
    world(share).run(2100 * MS)
    assert not guide.over
    assert not guide._settled.is_set()
    world(share).run(4100 * MS)
    all_ready(share)
    assert guide.wait_ready()


def _guided(begin: Callable[[Share, int], None]) -> Callable[[Share, int], None]:
    def guided(share: Share, start_ns: int) -> None:
        share.guide_users()
        begin(share, start_ns)

    return guided


@pytest.mark.parametrize("at_ms", [0, 700, 1500])
def test_stopped_in_the_middle_of_connecting(make: Make, at_ms: int) -> None:
    """Who is ready leaves, who is on the way turns back, who has not come yet never comes."""
    share = make("[load]\nconnections = 4\nconnect_rate = '2/s'\nduration = '10s'\n[traffic]\nevery = '1s'\n")
    world(share).run(at_ms * MS)
    fakes(share)[0].ready()
    here = len(share.stays)
    share.stop()
    share.stop()
    world(share).run(world(share).now() + 50 * MS)
    assert share.done.is_set()
    assert len(share.stays) == here
    assert all(stay.over for stay in share.stays)
    assert count(share, "turns.due") == sum(
        count(share, f"turns.{name}") for name in ("abandoned", "not_attempted")
    )
    world(share).run(60 * S)
    assert len(share.stays) == here
    assert share.recorder.instants["last_measured"] == at_ms * MS


def test_a_mistake_of_ours_ends_the_share_and_is_told(make: Make) -> None:
    share = make(HOLD)
    error = ValueError("ours")
    share.poller.on_crash(error)  # type: ignore[misc]  # it was set by the share
    assert share.crash is error
    assert share.done.is_set()


def test_a_share_keeps_the_first_few_reasons_of_refusals(make: Make) -> None:
    share = make(HOLD)
    for number in [*range(30), 0]:
        share.saw_refusal(module.Refused("tcp", f"reason {number}"))  # type: ignore[arg-type]  # any layer
    reasons = share.observed["refusals"]
    assert len(reasons) == 20
    assert reasons["tcp: reason 0"] == 2
    share.saw_close(1011, "boom")
    assert share.observed["closes"] == {"code 1011: boom": 1}


def test_what_a_target_says_of_itself_is_kept_once(make: Make) -> None:
    share = make(HOLD)
    share.saw_server("a", None)
    share.saw_server("b", "c")
    assert share.observed["server"] == {"server": "a", "subprotocol": None}


class Cuttable(FakeConnection):
    """One that we can drop on purpose."""

    def drop(self) -> None:
        if self.is_open:
            self.lose()


def test_cuts_come_again_and_strike_others(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.drive.mischief.UnrulyConnection", Cuttable)
    monkeypatch.setattr(Share, "new_connection", lambda share, user, _values: Cuttable(share, user))
    share = make(
        "[load]\nconnections = 20\nduration = '10s'\nreconnect = { first = '10ms' }\n"
        "[traffic]\nturns = 0\n[chaos]\ncut = { share = '25%', at = '300ms', every = '400ms' }\n"
    )
    struck = []
    for at_ms in (300, 700, 1100):
        world(share).run(at_ms * MS - 1)
        all_ready(share)
        world(share).run(at_ms * MS)
        struck.append({stay.user for stay in share.stays if not stay.connection.is_open})
    planned = [cut_users(share.chaos, share.seed, 20, nth) for nth in range(3)]
    assert struck == planned
    assert len(set(planned)) == 3


# ------------------------------------------------------------------ real ones


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator.start() as started:
        yield started


def test_every_second_is_given_once_and_the_last_at_the_end(simulator: Simulator, tmp_path: Path) -> None:
    text = "[load]\nconnections = 5\nduration = '1500ms'\n[traffic]\nevery = '100ms'\n"
    driven = drive(scenario_of(tmp_path, text), simulator.url)
    seconds = [interval.second for interval in driven.intervals]
    assert seconds == list(range(max(2, len(seconds))))
    assert driven.intervals[0].gauges["users"] == 5
    assert driven.counts("turns.")["complete"] == 75
    assert driven.took_s < 15


def test_stopped_while_sockets_open(simulator: Simulator, tmp_path: Path) -> None:
    """As an interrupt does: real openings are given up, and the last interval still comes."""
    text = "[load]\nconnections = 200\nduration = '20s'\n[traffic]\nevery = '1s'\n"

    def interrupt(share: Share) -> None:
        gevent.sleep(0.002)
        share.stop()

    driven = drive(scenario_of(tmp_path, text), simulator.url, meanwhile=interrupt)
    assert driven.took_s < 15
    connections = driven.counts("connections.")
    assert connections["left"] == connections["attempted"] <= 200
    turns = driven.counts("turns.")
    assert turns.get("due", 0) == turns.get("begun", 0) + turns.get("not_attempted", 0)


def test_stages_against_a_real_target(simulator: Simulator, tmp_path: Path) -> None:
    before = simulator.stats()["connections"]["established"]
    text = STAGES.replace('"2s"', '"400ms"').replace('"500ms"', '"100ms"')
    driven = drive(scenario_of(tmp_path, text), simulator.url)
    assert driven.counts("connections.") == {
        "due": 5, "attempted": 5, "established": 5, "ready": 5, "left": 5,
    }  # fmt: skip
    turns = driven.counts("turns.")
    assert turns["due"] == turns["complete"] == driven.share.schedule.due()
    assert simulator.stats()["connections"]["established"] == before + 5
    assert driven.totals.peak_ready() == 3
    assert not driven.seqs(Outcome.ABANDONED.name.lower())


def test_intervals_are_plain(simulator: Simulator, tmp_path: Path) -> None:
    """Without chaos nothing is kept apart."""
    text = "[load]\nconnections = 2\nduration = '300ms'\n[traffic]\nevery = '100ms'\n"
    driven = drive(scenario_of(tmp_path, text), simulator.url)
    assert driven.intervals
    assert not [
        tag for interval in driven.intervals for tag in interval.histograms if tag.startswith("slow:")
    ]
    assert driven.share.mischief is None


def test_a_platform_without_cpu_time_is_told_with_the_run(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cpu_not_read" not in make(HOLD).observed
    monkeypatch.setattr("loadtest.drive.generator._cpu_s", lambda: None)
    assert set(make(HOLD).observed["cpu_not_read"]) == {"system"}


@pytest.mark.skipif(sys.platform != "linux", reason="the files in use are counted in /proc")
def test_without_files_for_them_connections_are_not_opened_and_nobody_is_called_refusing(
    simulator: Simulator, tmp_path: Path
) -> None:
    text = "[load]\nconnections = 6\nduration = '300ms'\n[traffic]\nevery = '100ms'\ntimeout = '200ms'\n"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def leave_room_for_two(_share: Share) -> None:
        used = {int(fd.name) for fd in Path("/proc/self/fd").iterdir()}
        free = itertools.islice((fd for fd in itertools.count() if fd not in used), 4)
        resource.setrlimit(resource.RLIMIT_NOFILE, (list(free)[-1], hard))

    try:
        driven = drive(scenario_of(tmp_path, text), simulator.url, before=leave_room_for_two)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    counts = driven.counts("connections.")
    assert not [name for name in counts if name.startswith("refused")]
    assert counts["attempted"] == 6 == counts.get("ready", 0) + counts["not_opened.EMFILE"]
    assert counts["not_opened.EMFILE"] >= 1


def test_an_interval_that_nobody_can_take_ends_the_run(make: Make) -> None:
    """Nothing else would: who waits for the last interval would wait for ever."""
    share = make("[load]\nconnections = 1\nduration = '30s'\n[traffic]\nevery = '1s'\n")

    def fails(_interval: Interval) -> None:
        raise OSError(28, "No space left on device")

    share._on_interval = fails
    share.done.set()
    assert share.reported.wait(timeout=60)
    assert isinstance(share.crash, OSError)
