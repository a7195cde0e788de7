from __future__ import annotations

import pytest

from loadtest.plan.addresses import is_loopback


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("192.0.2.1", False),
        ("example.test", False),
        ("", False),
    ],
)
def test_what_is_of_this_machine_only(host: str, *, own: bool) -> None:
    assert is_loopback(host) is own
