from __future__ import annotations

import pytest

from loadtest.speak.cookies import MAX_COOKIES, CookieJar

NOW = 1_800_000_000.0


def sent(
    *lines: str, path: str = "/ws", set_at: str = "/ws", now_s: float = NOW, secure: bool = True
) -> dict[str, str]:
    jar = CookieJar()
    jar.take(lines, "app.example", set_at, NOW)
    return jar.sent("app.example", path, now_s, secure=secure)


def test_a_cookie_comes_back() -> None:
    assert sent("sid=abc; HttpOnly; Path=/", "lang=en") == {"sid": "abc", "lang": "en"}


@pytest.mark.parametrize(
    ("line", "back"),
    [
        ("a=b=c; Path=/", {"a": "b=c"}),
        ("a=; Path=/", {"a": ""}),
        (" a = b ;Path=/", {"a": "b"}),
        ("no pair", {}),
        ("=b", {}),
        ("a=b\x01", {}),
        (f"a={'b' * 5000}", {}),
        ("a=b; Domain=app.example", {"a": "b"}),
        ("a=b; Domain=.example", {"a": "b"}),
        ("a=b; Domain=other.example", {}),
        ("a=b; Domain=p.example", {}),
        ("a=b; Max-Age=60", {"a": "b"}),
        ("a=b; Max-Age=0", {}),
        ("a=b; Max-Age=-5", {}),
        ("a=b; Max-Age=soon", {"a": "b"}),
        ("a=b; Expires=Wed, 21 Oct 2015 07:28:00 GMT", {}),
        ("a=b; Expires=Wed, 21-Oct-2093 07:28:00 GMT", {"a": "b"}),
        ("a=b; Expires=whenever", {"a": "b"}),
        ("a=b; Max-Age=60; Expires=Wed, 21 Oct 2015 07:28:00 GMT", {"a": "b"}),
    ],
)
def test_a_cookie_is_kept_as_a_browser_would(line: str, back: dict[str, str]) -> None:
    assert sent(line) == back


@pytest.mark.parametrize(
    ("cookie_path", "request_path", "goes"),
    [
        ("/", "/ws", True),
        ("/ws", "/ws", True),
        ("/ws", "/ws/a?b=c", True),
        ("/ws", "/ws?x=/y", True),
        ("/ws", "/wss", False),
        ("/ws/", "/ws/a", True),
        ("/other", "/ws", False),
        ("none", "/ws", True),
    ],
)
def test_a_cookie_goes_where_its_path_does(cookie_path: str, request_path: str, *, goes: bool) -> None:
    assert bool(sent(f"a=b; Path={cookie_path}", path=request_path)) is goes


def test_without_a_path_it_goes_below_the_folder_it_came_from() -> None:
    assert sent("a=b", set_at="/app/ws?q=1", path="/app/other") == {"a": "b"}
    assert sent("a=b", set_at="/app/ws", path="/ws") == {}


def test_a_secure_cookie_goes_over_tls_only() -> None:
    assert sent("a=b; Secure") == {"a": "b"}
    assert sent("a=b; Secure", secure=False) == {}


def test_a_cookie_ends_in_its_time() -> None:
    assert sent("a=b; Max-Age=60", now_s=NOW + 59) == {"a": "b"}
    assert sent("a=b; Max-Age=60", now_s=NOW + 60) == {}


def test_a_cookie_is_replaced_and_taken_back() -> None:
    jar = CookieJar()
    jar.take(["a=1; Path=/"], "app.example", "/ws", NOW)
    assert jar.take(["a=2; Path=/", "a=deep; Path=/ws"], "app.example", "/ws", NOW) == ["2", "deep"]
    assert jar.sent("app.example", "/ws", NOW, secure=False) == {"a": "deep"}
    assert jar.sent("app.example", "/", NOW, secure=False) == {"a": "2"}
    assert jar.take(["a=gone; Path=/; Max-Age=0"], "app.example", "/ws", NOW) == []
    assert jar.sent("app.example", "/", NOW, secure=False) == {}


def test_a_host_does_not_give_a_user_cookies_without_end() -> None:
    assert len(sent(*(f"a{number}=b" for number in range(MAX_COOKIES + 20)))) == MAX_COOKIES


def test_a_cookie_goes_to_its_own_host_and_to_those_below_its_domain() -> None:
    jar = CookieJar()
    jar.take(["own=1; Path=/", "shared=2; Path=/; Domain=app.example"], "login.app.example", "/", NOW)
    assert jar.sent("LOGIN.app.example", "/", NOW, secure=True) == {"own": "1", "shared": "2"}
    assert jar.sent("ws.app.example", "/", NOW, secure=True) == {"shared": "2"}
    assert jar.sent("app.example", "/", NOW, secure=True) == {"shared": "2"}
    assert jar.sent("other.example", "/", NOW, secure=True) == {}
