"""The cookies of the users of one process, by user, for connections and for requests beside them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from loadtest.speak.cookies import CookieJar

OF_PROCESS = -1
"""Stands for a user where a cookie is of none: it was set in a step that is done once for all."""

SHORTEST_SECRET = 6
"""A shorter value is a word such as ``dark``."""

_WORD = re.compile(r"[A-Za-z]+")

_OVER_TLS = frozenset({"wss", "https"})


class UserCookies:
    """A jar for each user who was given a cookie, and one for what all users share.

    ``learn`` is given the values, which are secrets.
    """

    def __init__(self, learn: Callable[[Iterable[str]], None]) -> None:
        self._jars: dict[int, CookieJar] = {}
        self._learn = learn

    @property
    def kept(self) -> bool:
        """Whether any user was given one."""
        return bool(self._jars)

    def sent(self, users: Sequence[int], url: str) -> dict[str, str]:
        """Name and value of each cookie that goes with a request; those of a later user replace earlier."""
        parts = urlsplit(url)
        secure, now_s = parts.scheme.lower() in _OVER_TLS, time.time()
        found: dict[str, str] = {}
        for user in users:
            jar = self._jars.get(user)
            if jar is not None:
                found |= jar.sent(parts.hostname or "", parts.path or "/", now_s, secure=secure)
        return found

    def keep(self, user: int, url: str, lines: Iterable[str]) -> None:
        """Keep what the ``Set-Cookie`` headers of an answer say."""
        parts = urlsplit(url)
        jar = self._jars.setdefault(user, CookieJar())
        kept = jar.take(lines, parts.hostname or "", parts.path or "/", time.time())
        self._learn(value for value in kept if len(value) >= SHORTEST_SECRET and not _WORD.fullmatch(value))

    def of(self, user: int) -> CookiesOfUser:
        """Those of one user, with those of no user."""
        return CookiesOfUser(self, user)


class CookiesOfUser:
    """The cookies of one user, for requests beside its connection."""

    __slots__ = ("_all", "_user")

    def __init__(self, every: UserCookies, user: int) -> None:
        self._all = every
        self._user = user

    def sent_to(self, url: str) -> Mapping[str, str]:
        """Those that go with a request to a URL, by name."""
        return self._all.sent((OF_PROCESS, self._user), url)

    def take(self, url: str, lines: tuple[str, ...]) -> None:
        """What an answer's ``Set-Cookie`` headers say."""
        self._all.keep(self._user, url, lines)
