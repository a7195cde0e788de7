"""Users who lose their connection come back: real runs against a real simulator."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent
import numpy as np
import pytest

from loadtest.drive.shard import Shard
from loadtest.plan.chaos import cut_users
from loadtest.simulator.process import Simulator
from tests.drive.alone import drive, scenario_of

pytestmark = pytest.mark.long

Start = Callable[..., Simulator]

OPEN = """
[load]
connections = 20
duration = "4s"
{load}
[traffic]
every = "100ms"
timeout = "30s"
[chaos]
cut = {{ share = "50%", at = "2s" }}
"""

QUICK = 'reconnect = { first = "20ms", most = "100ms" }'


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a simulator; it is stopped after the test."""
    with ExitStack() as stack:
        yield lambda *faults, **options: stack.enter_context(Simulator.start(faults=faults, **options))


def test_half_of_all_are_cut_and_all_of_them_come_back(start: Start, tmp_path: Path) -> None:
    simulator = start("gap=10ms")
    scenario = scenario_of(tmp_path, OPEN.format(load=QUICK))
    driven = drive(scenario, simulator.url)
    assert driven.counts("connections.") == {
        "due": 20, "attempted": 30, "established": 30, "ready": 30, "cut": 10, "reconnected": 10, "left": 20,
    }  # fmt: skip
    assert driven.n("reconnect.time") == 10
    assert driven.max_ms("reconnect.time") >= 10
    turns = driven.counts("turns.")
    assert turns["due"] == turns["begun"] == 800
    assert turns["complete"] + turns["lost"] == 800
    # A turn takes 60 of every 100 ms, so that about six of ten were in the middle of one.
    assert 0 < turns["lost"] <= 10
    assert not driven.counts("chaos.")
    stats = simulator.stats()
    assert stats["connections"]["closed_without_frame"] == 10
    assert stats["connections"]["closed_by_client"] == {"1000": 20}
    assert stats["turns"]["begun"] <= 800


def test_who_is_cut_is_known_before_the_run(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, OPEN.format(load='reconnect = { first = "300ms", jitter = "0%" }'))
    driven = drive(scenario, start("gap=10ms").url)
    cut = cut_users(scenario.chaos, scenario.load.seed, 20, 0)
    assert {user.user for user in driven.shard.virtual_users if user.connection.is_reconnect} == cut
    turns = driven.turns
    assert set(turns["user"][turns["outcome"] == 3].tolist()) <= cut
    # What fell due while they were away was begun as soon as they were back.
    waited_ms = (turns["sent_ns"] - turns["intended_ns"])[np.isin(turns["user"], list(cut))] / 1e6
    assert np.count_nonzero(waited_ms > 150) >= 10
    assert driven.totals.histograms["reconnect.time"].min_ns / 1e6 >= 300


def test_without_reconnect_who_is_cut_stays_away(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, OPEN.format(load=""))
    driven = drive(scenario, start().url)
    assert driven.counts("connections.") == {
        "due": 20, "attempted": 20, "established": 20, "ready": 20, "cut": 10, "left": 10,
    }  # fmt: skip
    assert driven.n("reconnect.time") == 0
    turns = driven.counts("turns.")
    # Ten users miss what fell due in the second half: twenty turns each, and nothing else.
    assert turns["not_attempted"] == 200
    assert turns["begun"] == 600
    assert driven.took_s < 20, "what waits for nobody must not be waited for"


def test_a_closed_user_goes_on_where_it_was(start: Start, tmp_path: Path) -> None:
    """The burst that was lost is not asked again; all have their turns, and the run ends with the last."""
    scenario = scenario_of(
        tmp_path,
        f"""
        [load]
        model = "closed"
        connections = 6
        duration = "50s"
        {QUICK}
        [traffic]
        burst = 2
        every = "30ms"
        turns = 20
        timeout = "40s"
        [chaos]
        cut = {{ share = "50%", at = "300ms" }}
        """,
    )
    driven = drive(scenario, start("gap=10ms").url)
    turns = driven.counts("turns.")
    assert turns["due"] == turns["begun"] == 6 * 20
    assert turns["complete"] == 120 - turns.get("lost", 0)
    assert turns.get("lost", 0) in {0, 2, 4, 6}
    assert driven.counts("connections.")["reconnected"] == 3
    assert driven.took_s < 30


def test_a_target_that_closes_in_mid_turn_is_come_back_to(start: Start, tmp_path: Path) -> None:
    simulator = start("gap=5ms", "cut=0.2,1011")
    scenario = scenario_of(
        tmp_path, f"[load]\nconnections = 5\nduration = '1s'\n{QUICK}\n[traffic]\nevery = '100ms'\n"
    )
    driven = drive(scenario, simulator.url)
    connections = driven.counts("connections.")
    closed = connections["closed.1011"]
    assert closed == driven.counts("turns.")["lost"] == simulator.stats()["turns"]["cut"] > 0
    assert connections["reconnected"] + connections.get("away", 0) == closed
    assert driven.n("reconnect.time") == connections["reconnected"]


BRIEF = "ping = '200ms'\nping_timeout = '200ms'"


def test_a_dead_peer_is_noticed_by_its_silence_and_left_for_another(start: Start, tmp_path: Path) -> None:
    """No ping is ever answered and nothing else comes, so that each connection lives for two of them."""
    scenario = scenario_of(
        tmp_path, f"[load]\nconnections = 4\nduration = '1s'\n{QUICK}\n[traffic]\nturns = 0\n{BRIEF}\n"
    )
    driven = drive(scenario, start("no-pong").url)
    connections = driven.counts("connections.")
    assert connections["silent"] == connections["closed.1006"] >= 4
    assert connections["reconnected"] + connections.get("away", 0) == connections["silent"]


def test_a_first_attempt_that_is_refused_is_made_again(start: Start, tmp_path: Path) -> None:
    simulator = start("refuse=503,0.5")
    scenario = scenario_of(tmp_path, f"[load]\nconnections = 20\nduration = '1s'\n{QUICK}\n")
    driven = drive(scenario, simulator.url)
    connections = driven.counts("connections.")
    assert connections["ready"] == 20
    assert connections["attempted"] == 20 + connections["refused.upgrade"] > 25
    # They had nothing to lose, so that nobody was reconnected.
    assert "reconnected" not in connections
    assert driven.n("reconnect.time") == 0


def test_a_target_that_refuses_every_first_attempt_is_asked_no_more(start: Start, tmp_path: Path) -> None:
    simulator = start("refuse=503")
    scenario = scenario_of(
        tmp_path, f"[load]\nconnections = 20\nduration = '20s'\n{QUICK}\n[traffic]\nevery = '1s'\n"
    )
    driven = drive(scenario, simulator.url)
    assert driven.took_s < 15
    # Each could try two hundred times in 20 s.
    assert simulator.stats()["connections"]["attempted"] < 1000
    turns = driven.counts("turns.")
    assert turns.get("due", 0) == turns.get("not_attempted", 0)


def test_who_has_tried_as_often_as_allowed_gives_up(start: Start, tmp_path: Path) -> None:
    simulator = start()
    scenario = scenario_of(
        tmp_path,
        """
        [load]
        connections = 5
        duration = "1500ms"
        reconnect = { first = "20ms", tries = 3, jitter = "0%" }
        [traffic]
        every = "200ms"
        timeout = "500ms"
        """,
    )

    def kill(_shard: Shard) -> None:
        gevent.sleep(0.5)
        os.kill(simulator.pid, signal.SIGKILL)

    driven = drive(scenario, simulator.url, meanwhile=kill)
    connections = driven.counts("connections.")
    assert connections["given_up"] == 5
    assert connections["refused.tcp"] == 15
    assert connections["attempted"] == 20
    turns = driven.counts("turns.")
    assert turns["due"] == turns["begun"] + turns["not_attempted"]
    assert turns["not_attempted"] > 0


def test_every_attempt_shows_a_credential_of_its_own(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALONE_SECRET", "a secret of thirty-two characters or more")
    simulator = start(jwt_secret_env="ALONE_SECRET")
    auth = "auth = { kind = 'jwt', secret_env = 'ALONE_SECRET' }\n"
    scenario = scenario_of(tmp_path, auth + OPEN.format(load=QUICK))
    shown: list[str] = []

    def watch(shard: Shard) -> None:
        provider = shard.context.credential_provider
        ask = provider.credentials

        def credentials(values: dict[str, str], kept: dict[str, str], **_at: str) -> object:
            given = ask(values, kept)
            shown.append(dict(given.headers)["Authorization"])
            return given

        monkeypatch.setattr(provider, "credentials", credentials)

    driven = drive(scenario, simulator.url, before=watch)
    assert driven.counts("connections.")["reconnected"] == 10
    assert len(shown) == len(set(shown)) == 30
    # The target knows them by the same names as before: no event was foreign.
    assert not driven.counts("events.foreign")


def test_a_run_without_losses_is_none_the_worse_for_reconnect(start: Start, tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path, f"[load]\nconnections = 10\nduration = '1s'\n{QUICK}\n[traffic]\nevery = '100ms'\n"
    )
    driven = drive(scenario, start().url)
    assert driven.counts("connections.") == {
        "due": 10, "attempted": 10, "established": 10, "ready": 10, "left": 10,
    }  # fmt: skip
    turns = {"begun": 100, "complete": 100, "due": 100, "numbered": 100}
    assert driven.counts("turns.").items() >= turns.items()
    assert driven.took_s < 10, "nobody is waited for"
