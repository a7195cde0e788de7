"""The addresses of this machine that connections can come from."""

from __future__ import annotations

import socket
import sys

import pytest

from loadtest.drive.source_addresses import check_sources, family_of, own_sources
from loadtest.errors import ConfigError

ABSENT = "203.0.113.9"
"""An address of documentation; no machine has it."""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has 127.0.0.1 alone")


@pytest.mark.parametrize(
    ("written", "family"),
    [((), 0), (("127.0.0.1", "127.0.0.0/30"), socket.AF_INET), (("::1",), socket.AF_INET6)],
)
def test_a_target_must_be_of_the_family_of_the_sources(written: tuple[str, ...], family: int) -> None:
    assert family_of(written) == family


def test_without_sources_the_system_chooses() -> None:
    assert own_sources(()) == check_sources(()) == ()


def test_each_machine_uses_those_it_has() -> None:
    assert own_sources([ABSENT, "127.0.0.1"]) == ("127.0.0.1",)


@linux_only
def test_loopback_is_a_whole_network() -> None:
    assert check_sources(["127.0.0.4/30", "127.0.1.1"]) == ("127.0.0.5", "127.0.0.6", "127.0.1.1")


def test_a_machine_that_has_none_is_told_the_command_that_adds_one() -> None:
    with pytest.raises(ConfigError) as caught:
        own_sources([ABSENT, "203.0.113.16/30"])
    (problem,) = caught.value.problems
    assert problem.where == "[target] source_addresses"
    assert problem.sentence == (
        f"this machine has none of the addresses {ABSENT}, 203.0.113.16/30; add one with: ip address add"
        f" {ABSENT}/32 dev INTERFACE (as root)"
    )


def test_the_only_machine_must_have_something_of_each_entry() -> None:
    with pytest.raises(ConfigError) as caught:
        check_sources(["127.0.0.1", ABSENT, "203.0.113.16/30"])
    assert [problem.sentence.split(";")[0] for problem in caught.value.problems] == [
        f"this machine has none of the addresses {ABSENT}",
        "this machine has none of the addresses 203.0.113.16/30",
    ]


def test_the_command_knows_ipv6() -> None:
    with pytest.raises(ConfigError, match="ip address add 2001:db8::9/128 dev"):
        own_sources(["2001:db8::9"])
