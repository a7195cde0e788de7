"""Where the status page listens."""

from __future__ import annotations

import pytest

from loadtest.cli.watch import _address
from loadtest.errors import ConfigError


@pytest.mark.parametrize(
    ("where", "address"),
    [
        ("8790", ("127.0.0.1", 8790)),
        (":8790", ("127.0.0.1", 8790)),
        ("[::1]:1", ("::1", 1)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
    ],
)
def test_without_a_host_it_is_this_machine_alone(where: str, address: tuple[str, int]) -> None:
    assert _address(where) == address


@pytest.mark.parametrize("where", ["x", "1:99999", ":", ""])
def test_what_is_no_port_is_told(where: str) -> None:
    with pytest.raises(ConfigError, match="is no port"):
        _address(where)
