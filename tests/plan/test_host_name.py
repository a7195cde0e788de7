"""Names that a resolver would answer with an error of Unicode are found before it is asked."""

from __future__ import annotations

import pytest

from loadtest.plan.host_name import host_problem, is_http_url
from loadtest.plan.identifiers import holds_halves
from loadtest.plan.target import proxy_problem


@pytest.mark.parametrize("host", ["a..b", "a" * 64, ".a", "a\x00b", "\ud800"])
def test_a_name_that_cannot_be_looked_up(host: str) -> None:
    assert "contains a" in str(host_problem(host))
    assert not is_http_url(f"http://{host}/")
    assert proxy_problem(f"http://{host}:3128")


@pytest.mark.parametrize("host", ["a.example", "127.0.0.1", "[::1]", "b\u00fccher.example", "a."])
def test_a_name_that_can_be(host: str) -> None:
    assert host_problem(host.strip("[]")) is None
    assert is_http_url(f"https://{host}:81/x")
    assert not proxy_problem(f"http://{host}:3128")


@pytest.mark.parametrize("url", ["ftp://a", "http://", "http://[::1/", "http://a:0/", "http://a:99999/"])
def test_what_is_no_url_of_http(url: str) -> None:
    assert not is_http_url(url)


def test_half_of_a_character_is_what_no_utf_8_has() -> None:
    assert holds_halves("a\udc80b")
    assert not holds_halves("a\U0001f600b")
