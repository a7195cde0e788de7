"""The cookies that hosts gave one user, as a browser keeps them (RFC 6265)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadtest.plan.http_date import http_date

MAX_COOKIES = 50
"""Cookies of a user that are kept (RFC 6265, 6.1); of more, those that came first."""

MAX_COOKIE = 4_096
"""Bytes of a cookie's name and value together; a longer one is not kept."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie and when it is sent; ``until_s`` None: as long as its user is there.

    ``domain`` is the host that it goes to; ``below``: and every host below that.
    """

    name: str
    value: str
    domain: str
    below: bool
    path: str
    secure: bool
    until_s: float | None


class CookieJar:
    """The cookies of one user; instants are Unix time in seconds."""

    __slots__ = ("_cookies",)

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def take(self, lines: Iterable[str], host: str, request_path: str, now_s: float) -> list[str]:
        """Keep, replace or drop what the ``Set-Cookie`` headers of ``host`` say; the values that are kept."""
        kept = []
        for line in lines:
            cookie = _parsed(line, host.lower(), request_path, now_s)
            if cookie is None:
                continue
            key = cookie.name, cookie.domain, cookie.path
            if cookie.until_s is not None and cookie.until_s <= now_s:
                self._cookies.pop(key, None)
            elif key in self._cookies or len(self._cookies) < MAX_COOKIES:
                self._cookies[key] = cookie
                kept.append(cookie.value)
        return kept

    def sent(self, host: str, request_path: str, now_s: float, *, secure: bool) -> dict[str, str]:
        """Name and value of each cookie that goes with a request to ``host``, the longest path first.

        ``secure``: it goes over TLS. Of two cookies of one name the one with the longer path is sent.
        """
        host, path = host.lower(), _only_path(request_path)
        found: dict[str, str] = {}
        for cookie in sorted(self._cookies.values(), key=lambda each: -len(each.path)):
            alive = cookie.until_s is None or cookie.until_s > now_s
            there = host == cookie.domain or (cookie.below and host.endswith(f".{cookie.domain}"))
            if alive and there and (secure or not cookie.secure) and _covers(cookie.path, path):
                found.setdefault(cookie.name, cookie.value)
        return found


def _parsed(line: str, host: str, request_path: str, now_s: float) -> Cookie | None:
    """What a ``Set-Cookie`` header of a host says; None where it is to be ignored."""
    pair, *rest = line.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    if not equals or not name or len(name) + len(value) > MAX_COOKIE or not pair.isprintable():
        return None
    attributes = {key.strip().lower(): text.strip() for key, _, text in (a.partition("=") for a in rest)}
    domain = attributes.get("domain", "").lstrip(".").lower()
    if domain and host != domain and not host.endswith(f".{domain}"):
        return None
    path = attributes.get("path", "")
    path = path if path.startswith("/") else _directory(_only_path(request_path))
    until_s = _until(attributes, now_s)
    return Cookie(name, value, domain or host, bool(domain), path, "secure" in attributes, until_s)


def _until(attributes: dict[str, str], now_s: float) -> float | None:
    """When a cookie ends; ``Max-Age`` goes before ``Expires``."""
    age = attributes.get("max-age", "")
    if age.removeprefix("-").isdigit() and age.isascii():
        return now_s + int(age[:12])
    return http_date(attributes["expires"]) if "expires" in attributes else None


def _only_path(target: str) -> str:
    return target.partition("?")[0]


def _directory(path: str) -> str:
    """The default path of a cookie (RFC 6265, 5.1.4)."""
    return path.rpartition("/")[0] or "/"


def _covers(cookie_path: str, request_path: str) -> bool:
    """Whether a path lies below that of a cookie (RFC 6265, 5.1.4)."""
    if not request_path.startswith(cookie_path):
        return False
    return request_path == cookie_path or cookie_path.endswith("/") or request_path[len(cookie_path)] == "/"
