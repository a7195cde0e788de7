"""What goes wrong on purpose does, as the plan says and no more: real runs against a real simulator."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from loadtest.drive import shard
from loadtest.drive.poller import WatcherPoller
from loadtest.drive.transport import Address, Timestamping, Transport
from loadtest.plan.chaos import Broken, broken_before, is_left, slow_users
from loadtest.simulator.process import Simulator
from tests.drive.alone import drive, scenario_of

pytestmark = pytest.mark.long

Start = Callable[..., Simulator]

QUICK = 'reconnect = { first = "10ms", most = "50ms" }'


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a simulator; it is stopped after the test."""
    with ExitStack() as stack:
        yield lambda *faults, **options: stack.enter_context(Simulator.start(faults=faults, **options))


def test_a_real_target_sees_every_cut(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path,
        f"""
        [load]
        connections = 20
        duration = "2500ms"
        {QUICK}
        [chaos]
        cut = {{ share = "25%", at = "500ms", every = "800ms" }}
        """,
    )
    simulator = start()
    connections = drive(scenario, simulator.url).counts("connections.")
    # Who is not there yet, or not back yet, when a cut comes cannot be cut.
    assert 0 < connections["cut"] <= 3 * 5
    assert connections["cut"] == connections["reconnected"] + connections.get("away", 0)
    assert simulator.stats()["connections"]["closed_without_frame"] == connections["cut"]


def test_a_cut_is_a_reset() -> None:
    """As a network that fails, not as a peer that says goodbye."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(socket.AF_INET, listener.getsockname())
        transport = Transport(address, Timestamping(time.monotonic_ns, None, stamps=False))
        peer, _ = listener.accept()
        transport.reset_on_close()
        transport.close()
        with peer, pytest.raises(ConnectionResetError):
            peer.recv(1)


def test_a_user_who_is_away_cannot_be_cut(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path,
        """
        [load]
        connections = 10
        duration = "1s"
        [chaos]
        cut = { share = "100%", at = "200ms", every = "200ms" }
        """,
    )
    assert drive(scenario, start().url).counts("connections.cut") == {"": 10}


LEAVERS = f"""
[load]
model = "closed"
connections = 10
duration = "20s"
{QUICK}
[traffic]
turns = 10
every = "10ms"
timeout = "60s"
[chaos]
leavers = {{ share = "20%" }}
"""


def test_users_leave_in_the_middle_of_the_turns_that_the_plan_says(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, LEAVERS)
    simulator = start("gap=10ms")
    driven = drive(scenario, simulator.url)
    planned = {seq for seq in range(100) if is_left(scenario.chaos, scenario.load.seed, seq)}
    assert 5 < len(planned) < 40
    assert driven.seqs("abandoned") <= planned
    n = len(driven.seqs("abandoned"))
    # Where this process was late, all events of a turn came in one read, and it was over.
    assert len(planned) - n == driven.counts("chaos.leavers.").get("too_late", 0)
    assert n > 0
    assert driven.counts("chaos.leavers.")["left"] == n
    connections = driven.counts("connections.")
    assert connections["left"] == n + 10 - connections.get("away", 0)
    assert connections["reconnected"] == n - connections.get("away", 0) == driven.n("reconnect.time")
    assert driven.counts("turns.") == {
        "abandoned": n, "begun": 100, "complete": 100 - n, "due": 100, "numbered": 100,
    }  # fmt: skip
    events = driven.turns["events"][driven.turns["outcome"] == 5]
    assert np.all((events >= 1) & (events < 7)), "after the first event, before the last"
    stats = simulator.stats()
    assert stats["connections"]["closed_by_client"]["1001"] == n == stats["turns"]["left"]


def test_a_turn_that_is_over_in_one_read_has_no_middle_to_leave_in(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, LEAVERS)
    driven = drive(scenario, start("batch=20ms").url)
    chaos = driven.counts("chaos.leavers.")
    planned = sum(is_left(scenario.chaos, scenario.load.seed, seq) for seq in range(100))
    assert chaos["too_late"] + chaos.get("left", 0) == planned
    assert chaos["too_late"] > 0
    assert len(driven.seqs("abandoned")) == chaos.get("left", 0)


def test_leavers_without_reconnect_leave_once(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, LEAVERS.replace(QUICK, ""))
    driven = drive(scenario, start("gap=10ms").url)
    left = driven.counts("chaos.")["leavers.left"]
    assert 0 < left <= 10
    turns = driven.counts("turns.")
    assert turns["abandoned"] == left
    assert turns["due"] == turns["begun"] < 100, "who has left asks no more"
    assert driven.took_s < 15


def test_broken_messages_go_out_before_the_turns_that_the_plan_says(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path,
        """
        [load]
        connections = 10
        duration = "1s"
        [traffic]
        burst = 2
        every = "100ms"
        [chaos]
        malformed = { share = "30%" }
        """,
    )
    simulator = start()
    driven = drive(scenario, simulator.url)
    kinds = [kind for seq in range(200) if (kind := broken_before(scenario.chaos, scenario.load.seed, seq))]
    told = {f"malformed.sent.{kind.value}": kinds.count(kind) for kind in Broken}
    assert all(told.values())
    assert driven.counts("chaos.") == {"malformed.sent": len(kinds), **told}
    # Every turn after one is answered on the same connection.
    turns = {name: n for name, n in driven.counts("turns.").items() if not name.endswith("coalesced")}
    assert turns == {"begun": 200, "complete": 200, "due": 200, "numbered": 200}
    assert driven.counts("connections.") == {
        "due": 10, "attempted": 10, "established": 10, "ready": 10, "left": 10,
    }  # fmt: skip
    unreadable = len(kinds) - kinds.count(Broken.LONG)
    assert simulator.stats()["messages"]["malformed"] == unreadable
    events = driven.counts("events.")
    # Each answer to one belongs to no turn: an error, or an acknowledgement, which is ignored.
    assert (events["unmatched"], events["ignored"]) == (unreadable, kinds.count(Broken.LONG))
    assert events["received"] == events["matched"] + len(kinds) == 1400 + len(kinds)
    assert events["sent"] == 200


SLOW = """
[load]
connections = 10
duration = "1s"
[traffic]
every = "100ms"
timeout = "3s"
ping = "150ms"
[chaos]
slow_readers = { share = "30%", rate = "16KiB/s" }
"""


def test_slow_readers_take_little_and_their_times_are_kept_apart(start: Start, tmp_path: Path) -> None:
    simulator = start("huge=16KiB")
    scenario = scenario_of(tmp_path, SLOW)
    driven = drive(scenario, simulator.url)
    slow = slow_users(scenario.chaos, scenario.load.seed, 10)
    assert len(slow) == 3
    turns = driven.turns
    of_slow = np.isin(turns["user"], list(slow))
    complete = turns["outcome"] == 0
    assert np.all(complete[~of_slow])
    assert driven.n("turn.completion") == np.count_nonzero(~of_slow) == 70
    assert driven.n("slow:turn.completion") == np.count_nonzero(complete & of_slow) < 30
    assert driven.counts("turns.")["timed_out"] == np.count_nonzero(of_slow & ~complete) > 0
    chaos = driven.counts("chaos.slow.turns.")
    assert chaos["begun"] == np.count_nonzero(of_slow) == 30
    assert chaos.get("complete", 0) + chaos["timed_out"] == 30
    # A turn has 34 KiB; of it a slow reader takes 16 KiB a second, and what a read has brought too many.
    taken = turns["events"][of_slow].sum()
    assert taken < 7 * 30 / 2
    assert driven.counts("connections.") == {
        "due": 10, "attempted": 10, "established": 10, "ready": 10, "left": 10,
    }  # fmt: skip
    assert "pings.sent" in driven.counts("")


def test_other_systems_pollers_let_users_read_slowly_too(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "make_poller", WatcherPoller)
    driven = drive(scenario_of(tmp_path, SLOW), start("huge=16KiB").url)
    turns = driven.counts("turns.")
    assert turns["timed_out"] == driven.counts("chaos.slow.turns.")["timed_out"] > 0
    assert driven.n("turn.completion") == 70
    assert driven.counts("connections.") == {
        "due": 10, "attempted": 10, "established": 10, "ready": 10, "left": 10,
    }  # fmt: skip


def test_what_slow_readers_let_lie_is_not_the_generators_lag(start: Start, tmp_path: Path) -> None:
    driven = drive(scenario_of(tmp_path, SLOW), start("huge=16KiB").url)
    # It lies for as long as their turns last: seconds.
    assert driven.totals.histograms["receive.lag"].percentile(99) < 1_000_000_000
    assert driven.counts("pings.")["answered"] == driven.counts("pings.")["sent"] > 0


def test_the_target_notices_that_nobody_reads(start: Start, tmp_path: Path) -> None:
    """Its buffers fill up, and it gives those users up; the others do not notice."""
    simulator = start("huge=1MB", slow_reader_ns=500_000_000)
    text = SLOW.replace("16KiB/s", "1KiB/s").replace('"1s"', '"4s"').replace("100ms", "1s")
    scenario = scenario_of(tmp_path, text)
    driven = drive(scenario, simulator.url)
    # On a busy machine another may be slow for a moment, and is given up as well.
    assert simulator.stats()["connections"]["slow_readers"] >= 3
    assert driven.counts("connections.closed.")["1006"] >= 3
    assert driven.n("turn.completion") > driven.n("slow:turn.completion")


def test_slow_and_cut_users_come_back_slow(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path,
        SLOW.replace("[traffic]", QUICK + "\n[traffic]") + 'cut = { share = "100%", at = "500ms" }\n',
    )
    driven = drive(scenario, start().url)
    connections = driven.counts("connections.")
    assert connections["cut"] == connections["reconnected"] == 10
    turns = driven.turns
    of_slow = np.isin(turns["user"], list(slow_users(scenario.chaos, scenario.load.seed, 10)))
    complete = turns["outcome"] == 0
    assert driven.n("turn.completion") == np.count_nonzero(complete & ~of_slow) > 0
    assert driven.n("slow:turn.completion") == np.count_nonzero(complete & of_slow) > 0
    # After the cut, too, they take a second for 16 KiB, which is more than their turns have.
    assert driven.counts("chaos.slow.turns.")["begun"] == np.count_nonzero(of_slow) == 30
