"""The master: one plan, one start, one merged second after the other, and a word for who is missing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from loadtest.drive import master as module
from loadtest.drive.coordinator import RunSpec
from loadtest.drive.master import BEGUN_WITHIN_S, CLOCK_ASKED, COMMON_START_DELAY_NS, MasterCoordinator
from loadtest.errors import ConfigError, LoadtestError
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval, to_bytes
from loadtest.plan.protocol import Events
from loadtest.plan.scenario import DataRows, Load, Target, Traffic
from loadtest.plan.scenario_file import scenario_from_settings
from loadtest.plan.worker_settings import with_identities
from loadtest.speak.delivery_log import ARRIVED, OPENED, SENT
from tests.drive.standing_in import SECOND, endpoint_of, scenario_of
from tests.drive.under import FakeRunner, environment_of

WITHIN_S = 60.0


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The common start is now: silence counts from it."""
    monkeypatch.setattr(module, "COMMON_START_DELAY_NS", 0)


class Leading:
    """A master of some workers, and the intervals it has passed on."""

    def __init__(
        self,
        *workers: str,
        runner: FakeRunner | None = None,
        connections: int = 5,
        identities: DataRows = (),
        audience: str | None = None,
    ) -> None:
        self.workers = workers
        self.runner = runner or FakeRunner(*workers)
        self.environment = environment_of(self.runner)
        self.passed: list[Interval] = []
        scenario = scenario_of(
            load=Load(connections=connections, duration_ns=SECOND),
            traffic=Traffic(every_ns=SECOND),
            target=Target(url="ws://127.0.0.1:9", identities=identities),
            events=Events(turn=("id",), count=1, audience=audience) if audience else None,
        )
        spec = RunSpec("a-run", scenario, endpoint_of(resolve_ns=77), 0)
        self.master = MasterCoordinator(self.environment, spec, self.passed.append)

    @property
    def seconds(self) -> list[int]:
        return [interval.second for interval in self.passed]

    def count(self, worker: str, users: int = 1, pid: int = 0) -> None:
        self.runner.tell("lt_counted", {"users": users, "pid": pid}, worker)

    def answer_clock(self, worker: str, own_ns: int | None = None) -> None:
        """The worker answers the oldest question about its clock."""
        asked = [data for name, data, to in self.runner.sent if (name, to) == ("lt_clock", worker)]
        assert asked, f"{worker} was not asked"
        self.runner.sent.remove(("lt_clock", asked[0], worker))
        asked_ns = asked[0]["asked_ns"]
        self.runner.tell(
            "lt_clock", {"asked_ns": asked_ns, "own_ns": asked_ns if own_ns is None else own_ns}, worker
        )

    def begin(self, **users: int) -> None:
        """Plan, counting, clocks and start."""
        self.master.send_plan()
        for number, worker in enumerate(self.workers):
            self.count(worker, users.get(worker, 1), pid=100 + number)
        for _ in range(CLOCK_ASKED):
            for worker in self.workers:
                self.answer_clock(worker)
        self.runner.taken("lt_plan")

    def close(self, worker: str, second: int, **interval: Any) -> None:
        """A worker has closed a second."""
        self.runner.tell("lt_interval", {"interval": to_bytes(Interval(second=second, **interval))}, worker)

    def done(self, worker: str, intervals: int, observed: Any = None, crash: str | None = None) -> None:
        self.runner.tell(
            "lt_done", {"intervals": intervals, "observed": observed or {}, "crash": crash}, worker
        )

    def is_over(self, within_s: float = WITHIN_S) -> bool:
        return bool(self.master.over.wait(within_s))


# ------------------------------------------------------------------ the plan


def test_every_worker_gets_the_whole_plan() -> None:
    leading = Leading("a", "b")
    leading.master.send_plan()
    sent = leading.runner.taken("lt_plan")
    assert [worker for _, worker in sent] == ["a", "b"]
    plan = sent[0][0]
    assert plan | {"settings": None} == {
        "run_id": "a-run",
        "settings": None,
        "url": "ws://test/ws",
        "addresses": [[2, ["127.0.0.1", 9]]],
        "proxied": False,
        "resolve_ns": 77,
        "step_ns": 0,
    }
    rebuilt = scenario_from_settings(plan["settings"])
    assert rebuilt.load == leading.master.spec.scenario.load
    assert rebuilt.protocol == leading.master.spec.scenario.protocol
    assert leading.master.workers == 2


def test_a_worker_that_listens_only_now_gets_the_plan_now() -> None:
    leading = Leading("a", "b")
    leading.master.send_plan()
    leading.runner.taken("lt_plan")
    assert leading.master.listening == 0
    leading.runner.tell("lt_hello", {"pid": 5}, "a")
    assert [worker for _, worker in leading.runner.taken("lt_plan")] == ["a"]
    leading.count("b")
    leading.runner.tell("lt_hello", {"pid": 6}, "b")
    leading.runner.tell("lt_hello", {"pid": 7}, "stranger")
    assert leading.runner.taken("lt_plan") == []
    assert leading.master.listening == 3


def test_a_second_run_on_the_same_runner_has_its_own_listeners() -> None:
    """Locust's page starts one run after the other."""
    first = Leading("a")
    second = Leading("a", runner=first.runner)
    second.begin()
    assert first.runner.taken("lt_go") != []
    second.close("a", 0)
    assert (first.passed, second.seconds) == ([], [0])


# ------------------------------------------------------------------ clocks and the start


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The master's clock, moved by hand."""
    hand = SimpleNamespace(ns=1_000_000)
    monkeypatch.setattr(module, "time", SimpleNamespace(time_ns=lambda: hand.ns, monotonic=lambda: 0.0))
    return hand


def test_the_quickest_round_trip_tells_the_offset(clock: SimpleNamespace) -> None:
    leading = Leading("a")
    leading.master.send_plan()
    leading.count("a", users=5)
    ahead_ns = 700
    for took_ns, skew_ns in zip((90, 20, 60, 20, 50), (11, 0, -13, 5, 7), strict=True):
        asked_ns = clock.ns
        clock.ns += took_ns
        leading.answer_clock("a", own_ns=asked_ns + took_ns // 2 + ahead_ns + skew_ns)
    ((go, worker),) = leading.runner.taken("lt_go")
    assert worker == "a"
    assert go == {
        "k": 0, "n": 1, "users": 5, "start_wall_ns": clock.ns + ahead_ns, "identities": [],
    }  # fmt: skip
    assert leading.master.result.observed["workers"] == {
        "worker 0": {
            "process": 0,
            "client": "a",
            "users": 5,
            "clock_offset_ms": 0.0007,
            "round_trip_ms": 0.00002,
            "intervals": 0,
            "lateness_max_ms": None,
            "cpu_max": None,
        }
    }


def test_all_workers_begin_at_once_and_those_with_more_users_come_first(clock: SimpleNamespace) -> None:
    """``share`` gives the first ones one user more, where they do not divide evenly."""
    leading = Leading("a", "b", "c", connections=5)
    leading.begin(a=1, b=2, c=2)
    sent = leading.runner.taken("lt_go")
    assert [(worker, go["k"]) for go, worker in sent] == [("b", 0), ("c", 1), ("a", 2)]
    assert {(go["n"], go["users"], go["start_wall_ns"]) for go, _ in sent} == {(3, 5, clock.ns)}


def test_the_start_lies_ahead() -> None:
    assert COMMON_START_DELAY_NS > 100_000_000


def test_nobody_begins_before_everybody_has_counted() -> None:
    leading = Leading("a", "b")
    leading.master.send_plan()
    leading.count("a")
    for _ in range(CLOCK_ASKED):
        leading.answer_clock("a")
    assert leading.runner.taken("lt_go") == []
    leading.count("b")
    for _ in range(CLOCK_ASKED - 1):
        leading.answer_clock("b")
        assert leading.runner.taken("lt_go") == []
    leading.answer_clock("b")
    assert len(leading.runner.taken("lt_go")) == 2


def test_what_is_told_twice_counts_once() -> None:
    leading = Leading("a")
    leading.begin()
    leading.count("a", users=50)
    assert leading.runner.taken("lt_clock") == []
    leading.runner.taken("lt_go")
    leading.runner.tell("lt_clock", {"asked_ns": 0, "own_ns": 0}, "a")
    assert leading.runner.taken("lt_go") == []


def test_strangers_are_not_heard() -> None:
    leading = Leading("a")
    leading.begin()
    sent = list(leading.runner.sent)
    leading.count("stranger")
    leading.runner.tell("lt_clock", {"asked_ns": 0, "own_ns": 0}, "stranger")
    leading.close("stranger", 0)
    leading.done("stranger", 1)
    leading.master.lose("stranger")
    assert leading.runner.sent == sent
    assert leading.passed == []
    assert leading.master.result.lost_workers == []


def test_workers_that_never_begin_are_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEGUN_WITHIN_S", 0.01)
    leading = Leading("a", "b")
    leading.master.send_plan()
    leading.count("a")
    assert leading.is_over()
    assert isinstance(leading.master.result.crash, LoadtestError)
    assert "did not begin within 0.01 s" in str(leading.master.result.crash)
    assert BEGUN_WITHIN_S > 10


def test_who_has_begun_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEGUN_WITHIN_S", 0.01)
    leading = Leading("a")
    leading.begin()
    assert not leading.is_over(within_s=0.05)
    assert leading.master.result.crash is None


def test_a_run_that_was_given_up_does_not_begin_after_all() -> None:
    leading = Leading("a")
    leading.master.send_plan()
    leading.count("a")
    leading.master.stop()
    for _ in range(CLOCK_ASKED):
        leading.answer_clock("a")
    assert leading.runner.taken("lt_go") == []


# ------------------------------------------------------------------ intervals


def histogram(*values: int) -> Histogram:
    made = Histogram()
    made.record(np.array(values, np.int64))
    return made


def test_a_second_is_passed_on_when_all_have_closed_it() -> None:
    leading = Leading("a", "b")
    leading.begin()
    leading.close("a", 0, histograms={"ping.rtt": histogram(1, 2)}, counters={"measured": {"x": 1}})
    leading.close("a", 1)
    assert leading.passed == []
    leading.close("b", 0, histograms={"ping.rtt": histogram(3)}, counters={"measured": {"x": 2}})
    assert leading.seconds == [0]
    merged = leading.passed[0]
    assert merged.counters == {"measured": {"x": 3}}
    assert (merged.histograms["ping.rtt"].n, merged.histograms["ping.rtt"].total_ns) == (3, 6)
    leading.close("b", 1)
    assert leading.seconds == [0, 1]


def test_a_worker_that_skips_a_second_holds_nobody() -> None:
    """One that was busy closes two seconds at once."""
    leading = Leading("a", "b")
    leading.begin()
    for second in range(3):
        leading.close("a", second)
    leading.close("b", 2)
    assert leading.seconds == [0, 1, 2]


def test_who_has_finished_is_not_waited_for() -> None:
    leading = Leading("a", "b")
    leading.begin()
    leading.close("a", 0)
    leading.done("a", 1)
    assert leading.passed == []
    leading.close("b", 0)
    leading.close("b", 1)
    assert leading.seconds == [0, 1]


def test_the_run_is_over_with_the_last_interval_of_the_last_worker() -> None:
    leading = Leading("a", "b")
    leading.begin()
    leading.close("a", 0)
    leading.done("a", 1)
    leading.done("b", 2)
    leading.close("b", 0)
    assert not leading.is_over(within_s=0.15)
    leading.close("b", 1)
    assert leading.is_over()
    assert leading.seconds == [0, 1]
    assert leading.master.result.processes == 2
    assert leading.master.result.lost_workers == []


@pytest.mark.parametrize("order", list(itertools.permutations(["a0", "a1", "b0", "b1"])))
def test_in_whatever_order_they_come_each_second_is_passed_on_once(order: tuple[str, ...]) -> None:
    leading = Leading("a", "b")
    leading.begin()
    for word in order:
        leading.close(word[0], int(word[1]), counters={"measured": {word: 1}})
    leading.done("a", 2)
    leading.done("b", 2)
    found = [name for interval in leading.passed for name in interval.counters["measured"]]
    assert sorted(found) == ["a0", "a1", "b0", "b1"]


def test_an_interval_that_its_worker_cannot_have_measured_is_refused() -> None:
    leading = Leading("a", "b")
    leading.close("a", 0, counters={"measured": {"early": 1}})
    leading.begin()
    leading.close("a", 0, counters={"measured": {"a0": 1}})
    leading.close("a", 0, counters={"measured": {"again": 1}})
    leading.close("a", 10_000, counters={"measured": {"never": 1}})
    leading.close("a stranger", 1, counters={"measured": {"strange": 1}})
    leading.runner.tell("lt_interval", {"interval": b"no interval"}, "a")
    leading.runner.tell("lt_interval", None, "a")
    leading.close("b", 0, counters={"measured": {"b0": 1}})
    leading.done("a", 1)
    leading.close("a", 1, counters={"measured": {"after": 1}})
    leading.done("a", 2)
    leading.done("b", 1)
    assert leading.is_over()
    found = [name for interval in leading.passed for name in interval.counters["measured"]]
    assert sorted(found) == ["a0", "b0"]
    # Of one that is no worker of the run nothing is counted; the first came before the workers were known.
    assert leading.master.result.refused_intervals == 5
    assert leading.master.result.lost_workers == []


def test_an_answer_that_was_not_asked_for_moves_no_clock() -> None:
    leading = Leading("a")
    leading.master.send_plan()
    leading.count("a", users=5)
    leading.runner.tell("lt_clock", {"asked_ns": 0, "own_ns": 10**18}, "a")
    for _ in range(CLOCK_ASKED):
        leading.answer_clock("a")
    leading.runner.tell("lt_clock", {"asked_ns": 0, "own_ns": 10**18}, "a")
    assert abs(leading.master.result.observed["workers"]["worker 0"]["clock_offset_ms"]) < 1000


def test_each_worker_is_sent_the_identities_of_its_own_users_only() -> None:
    leading = Leading("a", "b", identities=tuple({"name": f"u{n}", "password": f"pw-{n}"} for n in range(5)))
    leading.master.send_plan()
    plans = leading.runner.taken("lt_plan")
    assert "pw-" not in repr(plans)
    for worker in "ab":
        leading.count(worker)
    for _ in range(CLOCK_ASKED):
        for worker in "ab":
            leading.answer_clock(worker)
    told = {worker: go["identities"] for go, worker in leading.runner.taken("lt_go")}
    assert [place for _, place, _ in told["a"]] == [0, 2, 4]
    assert [row["password"] for *_, row in told["b"]] == ["pw-1", "pw-3"]
    settings = with_identities(plans[0][0]["settings"], told["b"])
    rebuilt = scenario_from_settings(settings).target.identities
    assert [row["password"] for row in rebuilt] == ["", "pw-1", "", "pw-3", ""]


def test_what_workers_saw_is_put_together() -> None:
    leading = Leading("a", "b")
    leading.begin()
    leading.done("a", 0, {"refusals": {"tcp: no": 2, "auth: no": 1}, "server": {"server": "x"}})
    leading.done("b", 0, {"refusals": {"tcp: no": 3}, "clock_stepped": {"by_ms": 9.0}})
    observed = leading.master.result.observed
    observed.pop("workers")
    assert observed == {
        "refusals": {"tcp: no": 5, "auth: no": 1},
        "server": {"server": "x"},
        "clock_stepped": {"by_ms": 9.0},
    }


# ------------------------------------------------------------------ who is missing


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 0.2)


def test_a_worker_that_is_late_or_slow_is_told_from_the_others() -> None:
    leading = Leading("a", "b")
    leading.begin()
    late = Histogram()
    late.record(np.array([7_000_000]))
    later = Histogram()
    later.record(np.array([9_000_000]))
    leading.close("a", 0, histograms={"warmup:send.lateness": later}, gauges={"cpu": 0.25})
    leading.close("a", 1)
    leading.close("b", 0, histograms={"send.lateness": later}, gauges={"cpu": 0.5})
    leading.close("b", 1, histograms={"send.lateness": late}, gauges={"cpu": 0.99})
    leading.done("a", 2)
    leading.done("b", 2)
    assert leading.is_over()
    workers = leading.master.result.observed["workers"]
    told = [(one["process"], one["lateness_max_ms"], one["cpu_max"]) for one in workers.values()]
    assert told == [(100, None, 0.25), (101, 9.0, 0.99)]
    assert [one["intervals"] for one in workers.values()] == [2, 2]


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_falls_silent_is_lost_and_named() -> None:
    leading = Leading("a", "b")
    leading.begin()
    leading.close("a", 0)
    leading.done("a", 1)
    leading.close("b", 0)
    leading.close("b", 1)
    assert leading.is_over()
    assert leading.master.result.lost_workers == ["1 (process 101, b)"]
    assert leading.seconds == [0, 1]


def test_a_process_that_ended_is_lost_at_once_and_holds_nobody() -> None:
    leading = Leading("a", "b")
    leading.begin()
    leading.close("a", 0)
    leading.close("a", 1)
    leading.master.lose_pid(101)
    leading.master.lose_pid(101)
    leading.master.lose_pid(999)
    assert leading.master.result.lost_workers == ["1 (process 101, b)"]
    assert leading.seconds == [0, 1]
    leading.done("a", 2)
    assert leading.is_over()


def test_a_process_that_ended_after_its_work_is_not_lost() -> None:
    leading = Leading("a")
    leading.begin()
    leading.done("a", 0)
    leading.master.lose_pid(100)
    assert leading.is_over()
    assert leading.master.result.lost_workers == []


def test_a_process_that_ended_before_the_start_ends_the_run() -> None:
    leading = Leading("a", "b")
    leading.master.send_plan()
    leading.count("a", pid=100)
    leading.master.lose_pid(101)
    assert leading.is_over(within_s=0)
    assert "process 101 ended before the run began" in str(leading.master.result.crash)


def test_a_mistake_on_the_machine_of_a_worker_is_no_crash_of_ours() -> None:
    leading = Leading("a", "b")
    leading.begin()
    told = {"intervals": 0, "observed": {}, "crash": "worker 0: TOKEN is not set", "mistake": True}
    leading.runner.tell("lt_done", told, "a")
    crash = leading.master.result.crash
    assert isinstance(crash, ConfigError)
    assert str(crash) == "worker 0: TOKEN is not set"


def test_each_mistake_on_the_machine_of_a_worker_is_one_of_its_own() -> None:
    leading = Leading("a", "b")
    leading.begin()
    told = {"intervals": 0, "observed": {}, "crash": "worker 0: A is not set\nB is not set", "mistake": True}
    leading.runner.tell("lt_done", told, "a")
    crash = leading.master.result.crash
    assert isinstance(crash, ConfigError)
    assert [str(each) for each in crash.problems] == ["worker 0: A is not set", "B is not set"]


def test_a_worker_that_crashed_ends_the_run_for_all() -> None:
    leading = Leading("a", "b")
    leading.begin()
    leading.done("a", 0, crash="ValueError: a mistake of ours")
    assert str(leading.master.result.crash) == "ValueError: a mistake of ours"
    assert {worker for _, worker in leading.runner.taken("lt_stop")} == {"a", "b"}
    leading.done("b", 0)
    assert leading.is_over()


# ------------------------------------------------------------------ ending early


def test_everybody_who_is_left_is_told_to_stop_once() -> None:
    leading = Leading("a", "b")
    leading.begin()
    leading.master.lose_pid(101)
    leading.master.stop()
    leading.master.stop()
    assert leading.runner.taken("lt_stop") == [(None, "a")]
    assert not leading.master.over.is_set()


def test_a_run_that_has_not_begun_is_over_when_it_is_stopped() -> None:
    leading = Leading("a")
    leading.master.send_plan()
    leading.environment.events.test_stopping.fire(environment=leading.environment)
    assert leading.is_over(within_s=0)
    assert leading.runner.taken("lt_stop") == []


def test_locust_waits_with_its_stop_until_all_has_come() -> None:
    leading = Leading("a")
    leading.begin()
    sent = leading.runner.send_message

    def obey(message: str, data: Any = None, client_id: str | None = None) -> None:
        sent(message, data, client_id)
        if message == "lt_stop":
            leading.close("a", 0)
            leading.done("a", 1)

    leading.runner.send_message = obey  # type: ignore[method-assign]  # a worker that obeys at once
    leading.environment.events.test_stopping.fire(environment=leading.environment)
    assert leading.is_over(within_s=0)
    assert leading.seconds == [0]
    leading.environment.events.test_stopping.fire(environment=leading.environment)
    assert leading.runner.taken("lt_stop") == [(None, "a")]


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Lost workers are logged; nobody reads that here."""
    with caplog.at_level("CRITICAL"):
        yield


# ------------------------------------------------------------------ copies over all workers


def talked(leading: Leading) -> None:
    """User 0 of the one worker says something, which reaches user 1 of the other and never user 3."""
    rows = {
        "a": [(OPENED, 0, 0, -1, 0), (SENT, 1_000_000, 0, 7, 1)],
        "b": [(OPENED, 0, 1, -1, 0), (OPENED, 0, 3, -1, 0), (ARRIVED, 2_000_000, 1, 7, 0)],
    }
    for worker, logged in rows.items():
        leading.close(worker, 0, copies=np.array(logged, np.int64))
        leading.close(worker, 1)


def test_copies_are_followed_over_all_workers() -> None:
    leading = Leading("a", "b", audience="all")
    leading.begin()
    talked(leading)
    assert leading.seconds == [0], "the last second waits for what is known at the end"
    for worker in "ab":
        leading.done(worker, 2)
    assert leading.is_over()
    assert leading.seconds == [0, 1]
    assert leading.passed[1].counters == {"measured": {"deliveries.due": 2, "deliveries.missing": 1}}
    assert leading.passed[1].histograms["delivery.time"].n == 1
    assert not any(len(interval.copies) for interval in leading.passed)
    assert "copies_not_followed" not in leading.master.result.observed


def test_of_copies_whose_log_is_not_whole_nothing_is_told() -> None:
    lost = Leading("a", "b", audience="all")
    lost.begin()
    talked(lost)
    lost.done("a", 2)
    lost.master.lose("b")
    assert lost.is_over()
    too_many = Leading("a", "b", audience="all")
    too_many.begin()
    talked(too_many)
    too_many.done("a", 2, {"copies_not_followed": {"reason": "too many"}})
    too_many.done("b", 2)
    assert too_many.is_over()
    for leading, why in (
        (lost, "one of the load-generator processes sent no data about copies"),
        (too_many, "too many"),
    ):
        assert leading.master.result.observed["copies_not_followed"] == {"reason": why}
        assert [interval.counters for interval in leading.passed] == [{}, {}]
