"""The request of a HAR file whose answer held what a later URL carries: a login before the socket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from loadtest.plan.prepare import LONGEST_PATH, MAX_KEPT, METHODS
from loadtest.plan.template import PLACEHOLDER
from loadtest.secret_names import looks_like_token, sounds_secret

SHORTEST = 4
"""Letters of a value from which on it is looked for: shorter ones stand anywhere."""

MAX_ANSWER = 4 << 20
"""Characters of an answer that is looked into."""

FORM, JSON, OTHER = "form", "json", "other"


@dataclass(frozen=True, slots=True)
class HarLogin:
    """One request, without any value of it.

    ``url`` is a path where the host is that of the socket; "" where it may hold a secret. ``body`` is what it
    carried (``FORM``, ``JSON``, ``OTHER``, or "" for nothing), ``fields`` the names in that. ``keep`` says by
    parameter of the socket's URL where its value stood in the JSON of the answer.
    """

    method: str
    url: str
    shown: str
    body: str = ""
    fields: tuple[str, ...] = ()
    keep: Mapping[str, str] = field(default_factory=dict)

    @property
    def can_be_drafted(self) -> bool:
        """Whether a step of ``[[prepare]]`` can be written for it."""
        return bool(self.url) and self.method.lower() in METHODS


def logins(entries: Sequence[object], url: str, wanted: Iterable[str]) -> list[HarLogin]:
    """The last requests before a socket whose answers held the ``wanted`` parameters of its ``url``."""
    given = dict(parse_qsl(urlsplit(url).query))
    sought = {name: given[name] for name in wanted if len(given.get(name, "")) >= SHORTEST}
    found: list[HarLogin] = []
    for entry in reversed(entries):
        answer = _answer(entry)
        places = {name: path for name, value in sought.items() if (path := _place(answer, value))}
        if not places:
            continue
        keep = dict(list(places.items())[:MAX_KEPT])
        found.insert(0, _login(entry, url, keep))
        sought = {name: value for name, value in sought.items() if name not in places}
    return found


def _part(of: object, *keys: str) -> Any:
    for key in keys:
        of = of.get(key) if isinstance(of, Mapping) else None
    return of


def _answer(entry: object) -> object:
    """The JSON of an answer; None where it has none."""
    text = _part(entry, "response", "content", "text")
    if not isinstance(text, str) or len(text) > MAX_ANSWER:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _place(answer: object, value: str) -> str:
    """The path at which a value stands, as ``keep`` writes it; "" where it does not, or none can say it."""
    left: list[tuple[tuple[str, ...], object]] = [((), answer)]
    while left:
        path, each = left.pop()
        if each == value and path:
            return ".".join(path)
        members: Iterable[tuple[Any, object]] = ()
        if isinstance(each, Mapping):
            members = each.items()
        elif isinstance(each, list):
            members = enumerate(each)
        if len(path) < LONGEST_PATH:
            left += [((*path, str(key)), member) for key, member in members if _can_stand(str(key))]
    return ""


def _can_stand(key: str) -> bool:
    """Whether a path may hold a key: it has no dot, and is no secret itself."""
    return bool(key) and "." not in key and ":" not in key and key.isprintable() and not looks_like_token(key)


def _login(entry: object, socket_url: str, keep: Mapping[str, str]) -> HarLogin:
    url = _part(entry, "request", "url")
    method = _part(entry, "request", "method")
    shown, path = _where(url if isinstance(url, str) else "", socket_url)
    kind, names = _body(_part(entry, "request", "postData"))
    return HarLogin(method.upper() if isinstance(method, str) else "", path, shown, kind, names, keep)


def _where(url: str, socket_url: str) -> tuple[str, str]:
    """What a person is told of a URL, and what a step may hold of it: "" where it may hold a secret."""
    try:
        parts, socket = urlsplit(url), urlsplit(socket_url)
        same = (parts.hostname, parts.port) == (socket.hostname, socket.port)
    except ValueError:
        return "a request", ""
    path = parts.path or "/"
    if any(map(looks_like_token, path.split("/"))):
        return "a request", ""
    shown = path if same else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"
    query = parse_qsl(parts.query, keep_blank_values=True)
    usable = (
        parts.username is None
        and shown.startswith(("/", "http://", "https://"))
        and not shown.startswith("//")
        and not any(sounds_secret(name) or looks_like_token(value) for name, value in query)
        and PLACEHOLDER.search(url) is None
        and not any(c.isspace() or not c.isprintable() for c in url)
    )
    return shown, f"{shown}{f'?{parts.query}' if parts.query else ''}" if usable else ""


def _body(data: object) -> tuple[str, tuple[str, ...]]:
    """What a request carried, and the names in it."""
    text, mime = _part(data, "text"), _part(data, "mimeType")
    if not isinstance(text, str) or not text:
        return "", ()
    if isinstance(mime, str) and mime.startswith("application/x-www-form-urlencoded"):
        return FORM, tuple(dict(parse_qsl(text, keep_blank_values=True)))
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return OTHER, ()
    if isinstance(members, Mapping) and all(isinstance(each, str) for each in members.values()):
        return JSON, tuple(members)
    return OTHER, ()
