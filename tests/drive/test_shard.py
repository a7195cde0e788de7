"""The way of a shard from its first connection to its end, in a world without sockets."""

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
from loadtest.drive.connection_state import ConnectionState
from loadtest.drive.shard import OPENED_AT_ONCE, Shard
from loadtest.measure.interval import Interval
from loadtest.plan.chaos import cut_users
from loadtest.simulator.process import Simulator
from loadtest.speak.turn import Outcome
from tests.drive.alone import drive, scenario_of, shard_of
from tests.drive.fakes import MS, FakeConnection, FakePoller, S

Make = Callable[[str], Shard]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Make]:
    """Make a shard whose time is the test's and whose connections are fakes, and begin it at 0."""
    poller = FakePoller()
    begun: list[Shard] = []
    monkeypatch.setattr(module, "make_poller", lambda _now: poller)
    monkeypatch.setattr(
        Shard, "new_connection", lambda shard, user, _values: FakeConnection(shard.context, user)
    )

    def begin(text: str) -> Shard:
        shard = shard_of(scenario_of(tmp_path, text), "ws://127.0.0.1:1", lambda _interval: None)
        shard.context.now = poller.now
        begun.append(shard)
        shard.begin(0)
        return shard

    yield begin
    for shard in begun:
        shard._reporter.kill()


def world(shard: Shard) -> FakePoller:
    assert isinstance(shard.context.poller, FakePoller)
    return shard.context.poller


def fakes(shard: Shard) -> list[Any]:
    return [user.connection for user in shard.virtual_users]


def all_ready(shard: Shard) -> None:
    for connection in fakes(shard):
        if connection.state is ConnectionState.CONNECTING:
            connection.ready()


def count(shard: Shard, name: str) -> int:
    attribute = name.replace(".", "_", 1)
    return sum(
        getattr(part, attribute, 0) + part.other.get(name, 0) for part in shard.context.recorder.phases
    )


HOLD = "[load]\nconnections = 3\nduration = '10s'\n[traffic]\nturns = 0\nping = '1s'\n"
OPEN = "[load]\nconnections = 2\nduration = '10s'\n[traffic]\nevery = '1s'\ntimeout = '4s'\n"


def test_connections_open_at_their_planned_timestamping(make: Make) -> None:
    shard = make("[load]\nconnections = 4\nconnect_rate = '2/s'\nduration = '10s'\n")
    seen = []
    for at_ms in (0, 499, 500, 1400, 1500, 5000):
        world(shard).run(at_ms * MS)
        seen.append(len(shard.virtual_users))
    assert seen == [1, 1, 2, 3, 4, 4]


def test_of_a_storm_a_slice_is_opened_before_those_that_were_are_served(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened all in one go, 8,000 would wait for each other, and the target would be blamed."""
    took = FakeConnection.connect

    def connect(connection: FakeConnection) -> None:
        connection.world.poller.now_ns += 1
        took(connection)

    monkeypatch.setattr(FakeConnection, "connect", connect)
    n = 2 * OPENED_AT_ONCE + 3
    shard = make(f"[load]\nconnections = {n}\nduration = '10s'\n")
    poller, seen = world(shard), [len(shard.virtual_users)]
    while seen[-1] < n:
        # What was begun has its turn between two slices.
        poller.timers.run(poller.now_ns, poller.now)
        seen.append(len(shard.virtual_users))
    assert seen == [OPENED_AT_ONCE, 2 * OPENED_AT_ONCE, n]


@pytest.mark.parametrize(
    "text", [HOLD, HOLD.replace("turns = 0\n", ""), "[load]\nconnections = 3\nduration = '10s'\n"]
)
def test_connections_that_only_hold_are_held_to_the_end(make: Make, text: str) -> None:
    """0 turns each are not done at once."""
    shard = make(text if "every" in text or "turns" in text else text.replace("[traffic]\nping = '1s'\n", ""))
    all_ready(shard)
    world(shard).run(9_990 * MS)
    assert all(connection.is_open for connection in fakes(shard))
    assert not shard.context.finishing
    world(shard).run(10_100 * MS)
    assert shard.done.is_set(), "there is nothing to drain"
    assert "last_measured" not in shard.context.recorder.instants


def test_one_that_is_lost_while_all_hold_does_not_end_the_others(make: Make) -> None:
    shard = make(HOLD)
    all_ready(shard)
    fakes(shard)[0].lose()
    world(shard).run(9 * S)
    assert sum(connection.is_open for connection in fakes(shard)) == 2


def test_the_shard_ends_when_all_is_answered(make: Make) -> None:
    shard = make(OPEN)
    all_ready(shard)
    world(shard).run(10_500 * MS)
    assert not shard.done.is_set()
    for connection in fakes(shard):
        while connection.session.turns:
            connection.answer()
    world(shard).run(10_600 * MS)
    assert shard.done.is_set()
    assert count(shard, "turns.complete") == count(shard, "turns.due") == 20


def test_what_is_never_answered_is_waited_for_no_longer_than_allowed(make: Make) -> None:
    shard = make(OPEN)
    all_ready(shard)
    world(shard).run(18_900 * MS)
    assert not shard.done.is_set()
    world(shard).run(19_100 * MS)
    assert shard.done.is_set()
    assert count(shard, "turns.abandoned") == 20


def test_so_many_turns_end_the_run_with_the_last_answer(make: Make) -> None:
    shard = make(OPEN + "turns = 3\n")
    all_ready(shard)
    world(shard).run(3 * S)
    assert not shard.context.finishing
    for connection in fakes(shard):
        while connection.session.turns:
            connection.answer()
    world(shard).run(3100 * MS)
    assert shard.done.is_set()
    assert shard.context.recorder.instants["last_measured"] < 3100 * MS


def test_a_turn_that_waits_for_its_connection_is_not_given_up_because_others_are_done(make: Make) -> None:
    shard = make(OPEN + "turns = 1\n")
    late, early = fakes(shard)
    early.ready()
    world(shard).run(S)
    early.answer()
    world(shard).run(2 * S)
    assert not shard.context.finishing
    late.ready()
    late.answer()
    world(shard).run(2100 * MS)
    assert shard.done.is_set()
    assert count(shard, "turns.complete") == 2


def test_a_turn_that_waits_when_the_schedule_ends_has_its_time(make: Make) -> None:
    """What fell due last waits for its connection like any other."""
    shard = make(OPEN)
    away, here = fakes(shard)
    here.ready()
    world(shard).run(10 * S)
    while here.session.turns:
        here.answer()
    world(shard).run(10_900 * MS)
    assert not shard.done.is_set()
    away.ready()
    assert [intended // S for _, _, intended in away.begun] == [7, 8, 9]
    while away.session.turns:
        away.answer()
    world(shard).run(11_100 * MS)
    assert shard.done.is_set()


def test_closed_users_who_lost_their_connection_do_not_hold_up_the_others(make: Make) -> None:
    shard = make("[load]\nmodel = 'closed'\nconnections = 2\nduration = '100s'\n[traffic]\nturns = 2\n")
    all_ready(shard)
    lost, other = fakes(shard)
    lost.lose()
    other.answer()
    other.answer()
    world(shard).run(100 * MS)
    assert shard.done.is_set()
    assert count(shard, "turns.lost") == 1


def test_a_target_that_refuses_all_is_asked_no_more(make: Make) -> None:
    shard = make(OPEN)
    first, second = fakes(shard)
    first.refuse()
    world(shard).run(S)
    assert not shard.context.finishing
    second.refuse()
    world(shard).run(1100 * MS)
    assert shard.done.is_set()
    assert count(shard, "turns.due") == count(shard, "turns.not_attempted") == 3


def test_with_reconnect_it_is_asked_until_every_user_gave_up(make: Make) -> None:
    """A target that is not up yet is what the attempts are for."""
    shard = make(OPEN.replace("[traffic]", "reconnect = { tries = 1 }\n[traffic]"))
    for connection in fakes(shard):
        connection.refuse()
    world(shard).run(20 * MS)
    assert not shard.context.finishing
    world(shard).run(200 * MS)
    for connection in fakes(shard):
        connection.refuse()
    world(shard).run(220 * MS)
    assert shard.done.is_set()


def test_refusals_before_the_last_connection_is_tried_decide_nothing(make: Make) -> None:
    shard = make("[load]\nconnections = 2\nconnect_rate = '1/s'\nduration = '10s'\n")
    fakes(shard)[0].refuse()
    world(shard).run(900 * MS)
    assert not shard.context.finishing
    world(shard).run(1000 * MS)
    fakes(shard)[1].ready()
    world(shard).run(2 * S)
    assert not shard.context.finishing


def test_a_user_let_in_at_the_second_try_speaks_for_the_target(make: Make) -> None:
    load = "[load]\nconnections = 2\nconnect_rate = '1/s'\nduration = '10s'\nreconnect = { jitter = '0%' }\n"
    shard = make(load)
    fakes(shard)[0].refuse()
    world(shard).run(100 * MS)
    fakes(shard)[0].ready()
    world(shard).run(1000 * MS)
    fakes(shard)[1].refuse()
    world(shard).run(9 * S)
    assert not shard.context.finishing


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
    shard = make(STAGES)
    open_at = {}
    for at_ms in range(0, 6000, 50):
        world(shard).run(at_ms * MS)
        all_ready(shard)
        for connection in fakes(shard):
            while connection.session.turns:
                connection.answer()
        open_at[at_ms] = sorted(connection.user for connection in fakes(shard) if connection.is_open)
    changes = {at_ms: now for at_ms, now in open_at.items() if now != open_at.get(at_ms - 50)}
    assert changes == {0: [0, 1, 2], 2000: [0], 4000: [0, 1, 2]}
    assert len(shard.virtual_users) == 5
    world(shard).run(6200 * MS)
    assert shard.done.is_set()
    due = count(shard, "turns.due")
    assert due == shard.context.schedule.due() == count(shard, "turns.complete")
    seqs = [seq for connection in fakes(shard) for seq, _, _ in connection.begun]
    assert len(seqs) == len(set(seqs)) == due


def test_users_with_tasks_wait_while_their_user_is_away(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shard, "begin", _by_tasks(Shard.begin))
    shard = make(STAGES)
    all_ready(shard)
    traffic = shard._task_traffic[2]
    assert traffic.wait_ready()
    world(shard).run(2100 * MS)
    assert not traffic.over
    assert not traffic._settled.is_set()
    world(shard).run(4100 * MS)
    all_ready(shard)
    assert traffic.wait_ready()


def _by_tasks(begin: Callable[[Shard, int], None]) -> Callable[[Shard, int], None]:
    def begin_by_tasks(shard: Shard, start_ns: int) -> None:
        shard.let_tasks_decide()
        begin(shard, start_ns)

    return begin_by_tasks


@pytest.mark.parametrize("at_ms", [0, 700, 1500])
def test_stopped_in_the_middle_of_connecting(make: Make, at_ms: int) -> None:
    """Who is ready leaves, who is on the way turns back, who has not come yet never comes."""
    shard = make("[load]\nconnections = 4\nconnect_rate = '2/s'\nduration = '10s'\n[traffic]\nevery = '1s'\n")
    world(shard).run(at_ms * MS)
    fakes(shard)[0].ready()
    here = len(shard.virtual_users)
    shard.stop()
    shard.stop()
    world(shard).run(world(shard).now() + 50 * MS)
    assert shard.done.is_set()
    assert len(shard.virtual_users) == here
    assert all(user.over for user in shard.virtual_users)
    assert count(shard, "turns.due") == sum(
        count(shard, f"turns.{name}") for name in ("abandoned", "not_attempted")
    )
    world(shard).run(60 * S)
    assert len(shard.virtual_users) == here
    assert shard.context.recorder.instants["last_measured"] == at_ms * MS


def test_a_mistake_of_ours_ends_the_shard_and_is_told(make: Make) -> None:
    shard = make(HOLD)
    error = ValueError("ours")
    shard.context.poller.on_crash(error)  # type: ignore[misc]  # it was set by the shard
    assert shard.crash is error
    assert shard.done.is_set()


class Cuttable(FakeConnection):
    """One that we can drop on purpose."""

    def cut(self) -> None:
        if self.is_open:
            self.lose()


def test_cuts_come_again_and_strike_others(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.drive.chaos_injection.ChaosConnection", Cuttable)
    monkeypatch.setattr(Shard, "new_connection", lambda shard, user, _values: Cuttable(shard.context, user))
    shard = make(
        "[load]\nconnections = 20\nduration = '10s'\nreconnect = { first = '10ms' }\n"
        "[traffic]\nturns = 0\n[chaos]\ncut = { share = '25%', at = '300ms', every = '400ms' }\n"
    )
    struck = []
    for at_ms in (300, 700, 1100):
        world(shard).run(at_ms * MS - 1)
        all_ready(shard)
        world(shard).run(at_ms * MS)
        struck.append({user.user for user in shard.virtual_users if not user.connection.is_open})
    planned = [cut_users(shard.context.chaos, shard.context.seed, 20, nth) for nth in range(3)]
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

    def interrupt(shard: Shard) -> None:
        gevent.sleep(0.002)
        shard.stop()

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
    assert turns["due"] == turns["complete"] == driven.shard.context.schedule.due()
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
    assert driven.shard.chaos_injection is None


def test_a_platform_without_cpu_time_is_told_with_the_run(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cpu_not_read" not in make(HOLD).observed
    monkeypatch.setattr("loadtest.drive.generator_health._cpu_s", lambda: None)
    assert set(make(HOLD).observed["cpu_not_read"]) == {"system"}


@pytest.mark.skipif(sys.platform != "linux", reason="the files in use are counted in /proc")
def test_without_files_for_them_connections_are_not_opened_and_nobody_is_called_refusing(
    simulator: Simulator, tmp_path: Path
) -> None:
    text = "[load]\nconnections = 6\nduration = '300ms'\n[traffic]\nevery = '100ms'\ntimeout = '200ms'\n"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def leave_room_for_two(_shard: Shard) -> None:
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
    shard = make("[load]\nconnections = 1\nduration = '30s'\n[traffic]\nevery = '1s'\n")

    def fails(_interval: Interval) -> None:
        raise OSError(28, "No space left on device")

    shard._on_interval = fails
    shard.done.set()
    assert shard.reported.wait(timeout=60)
    assert isinstance(shard.crash, OSError)
