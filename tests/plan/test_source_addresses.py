from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.source_addresses import MAX_SOURCES, source_addresses

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "ws://127.0.0.1:1"\n'


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ((), ()),
        (("127.0.0.2",), ("127.0.0.2",)),
        (("10.0.0.7", "10.0.0.16/30"), ("10.0.0.7", "10.0.0.17", "10.0.0.18")),
        (("10.0.0.18/30", "10.0.0.17"), ("10.0.0.17", "10.0.0.18")),
        (("10.0.0.16/31", "10.0.0.9/32"), ("10.0.0.16", "10.0.0.17", "10.0.0.9")),
        (("::1", "2001:DB8::/126"), ("::1", "2001:db8::1", "2001:db8::2", "2001:db8::3")),
        (("fe80::1%eth0",), ("fe80::1%eth0",)),
    ],
)
def test_networks_stand_for_their_hosts(written: tuple[str, ...], meant: tuple[str, ...]) -> None:
    assert source_addresses(written) == meant


@given(
    st.lists(
        st.ip_addresses(v=4).filter(lambda one: not (one.is_multicast or one.is_unspecified)), max_size=9
    )
)
def test_every_address_is_meant_once_in_the_order_of_writing(addresses: list[ipaddress.IPv4Address]) -> None:
    written = [str(address) for address in addresses]
    assert source_addresses([*written, *written]) == tuple(dict.fromkeys(written))


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (
            "['localhost']",
            'must contain addresses and networks such as "10.0.0.7" or "10.0.0.0/28", not "localhost"',
        ),
        ("['10.0.0.0/33']", "must contain addresses and networks"),
        (f"['{ipaddress.IPv4Address(0)}']", "must contain addresses and networks"),
        ("['224.0.0.1']", "must contain addresses and networks"),
        ("['10.0.0.0/8']", 'has 16777216 addresses in "10.0.0.0/8"; the maximum is 256'),
        ("['10.0.0.0/24', '10.0.1.0/28']", "has 268 addresses; the maximum is 256"),
        (
            "['127.0.0.2', '::1']",
            "contains both IPv4 and IPv6 addresses; write only the kind that reaches the target",
        ),
    ],
)
def test_what_no_connection_can_come_from_is_told(folder: Folder, written: str, sentence: str) -> None:
    (told,) = folder.mistakes(HEAD + f"source_addresses = {written}")
    assert told.startswith(f"mine.toml:4: `source_addresses` {sentence}")


def test_a_list_is_asked_for(folder: Folder) -> None:
    (told,) = folder.mistakes(HEAD + "source_addresses = '127.0.0.2'")
    assert told.startswith("mine.toml:4: `source_addresses` must be a list of text")


def test_a_scenario_keeps_them_as_written(folder: Folder) -> None:
    scenario = folder.load(HEAD + "source_addresses = ['127.0.0.0/29', '127.0.0.9']")
    assert scenario.target.source_addresses == ("127.0.0.0/29", "127.0.0.9")
    target = scenario.settings["target"]
    assert isinstance(target, dict)
    assert target["source_addresses"] == ["127.0.0.0/29", "127.0.0.9"]


def test_a_whole_small_network_is_allowed() -> None:
    assert len(source_addresses(["10.0.0.0/24"])) == MAX_SOURCES - 2
