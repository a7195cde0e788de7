"""The generator knows its own limits before the start, and its own load while it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.drive import generator_health
from loadtest.drive.generator_health import (
    SPARE_FILES,
    GeneratorHealth,
    check_ports,
    local_ports,
    raise_file_limit,
)
from loadtest.errors import ConfigError, Exit

ENDLESS = -1


class Limits:
    """The limits of a machine. Takes the place of the module ``resource``."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = ENDLESS

    def __init__(self, soft: int, hard: int) -> None:
        self.now = soft, hard

    def getrlimit(self, kind: int) -> tuple[int, int]:
        assert kind == self.RLIMIT_NOFILE
        return self.now

    def setrlimit(self, kind: int, limits: tuple[int, int]) -> None:
        assert kind == self.RLIMIT_NOFILE
        self.now = limits


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine with these limits of open files."""

    def make(soft: int, hard: int) -> Limits:
        limits = Limits(soft, hard)
        monkeypatch.setitem(sys.modules, "resource", limits)
        return limits

    return make


# ------------------------------------------------------------------ open files


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "then"),
    [
        (1024, 4096, 100, 1024),
        (1024, 4096, 1024 - SPARE_FILES, 1024),
        (1024, 4096, 1025 - SPARE_FILES, 1025),
        (1024, 4096, 4096 - SPARE_FILES, 4096),
        (1024, ENDLESS, 100_000, 100_000 + SPARE_FILES),
        (ENDLESS, ENDLESS, 100_000, ENDLESS),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed(
    machine: Any, soft: int, hard: int, connections: int, then: int
) -> None:
    limits = machine(soft, hard)
    told = raise_file_limit(connections)
    assert limits.now == (then, hard)
    assert told == {"open_files_soft": then, "open_files_hard": hard}


def test_a_hard_limit_that_is_too_low_is_told_with_the_command_that_raises_it(machine: Any) -> None:
    limits = machine(1024, 4096)
    with pytest.raises(ConfigError, match=r"ulimit -Hn 5064") as caught:
        raise_file_limit(5000)
    assert "5000 connections" in str(caught.value)
    assert "allows only 4096" in str(caught.value)
    assert caught.value.exit_code is Exit.CONFIG
    assert limits.now == (1024, 4096)


def test_a_system_without_such_a_limit_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert raise_file_limit(5000) == {}


# ------------------------------------------------------------------ local ports


def test_this_machine_has_local_ports() -> None:
    ports = local_ports()
    assert (ports is None) == (sys.platform != "linux")
    assert ports is None or 0 < ports <= 65_536


@pytest.fixture
def ports_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine whose file of local ports says this."""

    def say(text: str | None) -> None:
        def read_text(_path: Path, encoding: str) -> str:
            assert encoding == "ascii"
            if text is None:
                raise FileNotFoundError
            return text

        monkeypatch.setattr(generator_health, "sys", SimpleNamespace(platform="linux"))
        monkeypatch.setattr(Path, "read_text", read_text)

    return say


def test_local_ports_are_counted_with_both_ends(ports_of: Any) -> None:
    ports_of("32768\t60999\n")
    assert local_ports() == 28_232


@pytest.mark.parametrize("text", [None, "", "many", "1 2 3"])
def test_what_is_not_known_limits_nothing(ports_of: Any, text: str | None) -> None:
    ports_of(text)
    assert local_ports() is None
    assert check_ports(1_000_000) == {}


def test_other_systems_do_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_health, "sys", SimpleNamespace(platform="darwin"))
    assert local_ports() is None


def test_as_many_connections_as_ports_are_allowed(ports_of: Any) -> None:
    ports_of("1001 2000")
    assert check_ports(1000) == {"local_ports": 1000}
    with pytest.raises(ConfigError, match=r"but there are only 1000\. Raise the number with: sysctl"):
        check_ports(1001)


def test_every_source_address_has_ports_of_its_own(ports_of: Any) -> None:
    ports_of("1001 2000")
    assert check_ports(3000, 3) == {"local_ports": 1000}
    with pytest.raises(
        ConfigError, match=r"but there are only 1000 for each of 3 source addresses\. .* or name 4 of"
    ):
        check_ports(3001, 3)


# ------------------------------------------------------------------ vitals


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The process's clocks, moved by hand."""
    hand = SimpleNamespace(cpu=10.0, at=100.0)
    monkeypatch.setattr(generator_health, "SCHEDSTAT", Path("/nowhere/schedstat"))
    clock = SimpleNamespace(process_time=lambda: hand.cpu, perf_counter=lambda: hand.at)
    monkeypatch.setattr(generator_health, "time", clock)
    return hand


def test_cpu_is_of_the_time_since_the_last_look(clocks: SimpleNamespace) -> None:
    vitals = GeneratorHealth()
    clocks.cpu, clocks.at = 10.25, 101.0
    assert vitals.take(5) == {"loop_lag_ns": 5.0, "watched_s": 1.0, "cpu": 0.25}
    clocks.cpu, clocks.at = 11.25, 103.0
    assert vitals.take(0) == {"loop_lag_ns": 0.0, "watched_s": 2.0, "cpu": 0.5}


def test_two_looks_within_one_tick_of_the_clock_tell_no_cpu(clocks: SimpleNamespace) -> None:
    vitals = GeneratorHealth()
    clocks.cpu = 10.5
    assert vitals.take(0) == {"loop_lag_ns": 0.0}
    clocks.cpu, clocks.at = 10.75, 101.0
    assert vitals.take(0)["cpu"] == 0.25


def test_waiting_for_a_core_is_a_part_of_the_time_since_the_last_look(
    clocks: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stat = tmp_path / "schedstat"
    monkeypatch.setattr(generator_health, "SCHEDSTAT", stat)
    stat.write_text("900000000 1000000000 12\n", encoding="ascii")
    vitals = GeneratorHealth()
    stat.write_text("900000001 1600000000 13\n", encoding="ascii")
    clocks.at = 102.0
    assert vitals.take(0)["run_delay"] == pytest.approx(0.3)
    stat.write_text("none\n", encoding="ascii")
    clocks.at = 103.0
    assert "run_delay" not in vitals.take(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how long a thread waits for a core")
def test_this_system_says_how_long_a_thread_waits_for_a_core() -> None:
    vitals = GeneratorHealth()
    assert vitals.take(0).get("run_delay", -1.0) >= 0.0


def test_a_platform_without_cpu_time_is_told_once(
    clocks: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> float:
        raise RuntimeError("the processor time used is not available or its value cannot be represented")

    assert GeneratorHealth().reads_cpu
    monkeypatch.setattr(generator_health.time, "process_time", refuse)
    vitals = GeneratorHealth()
    clocks.at = 101.0
    assert not vitals.reads_cpu
    assert "cpu" not in vitals.take(0)
