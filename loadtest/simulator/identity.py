"""Who is connecting: the credential of an upgrade request, checked where there is a secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN_NAMES = ("token", "access_token", "jwt")
"""The query keys and cookie names a token is looked for under."""

PREFIXES = ("jwt.", "jwt-auth.", "bearer.")
"""How a subprotocol that carries a token begins; the token follows, plain or as base64url."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose connection this is; ``user`` is None where nothing in the request said so.

    ``status`` is 0, or the HTTP status this credential deserves, and ``reason`` says why in a sentence.
    """

    user: str | None
    status: int = 0
    reason: str = ""


def identify(path: str, headers: Mapping[str, str], offered: list[str], secret: str | None) -> Identity:
    """The identity of an upgrade request.

    With a secret, a missing token deserves 401 and a token that does not verify (HS256, ``exp``, ``sub``)
    403. Without one nothing is verified: a token's ``sub`` is believed, an opaque token stands for itself.
    """
    query = parse_qs(urlsplit(path).query)
    token = find_token(query, headers, offered)
    if secret is not None:
        return _verified(token, secret)
    if token is not None:
        return Identity(_believed(token))
    return Identity(_named(query, headers))


def find_token(query: Mapping[str, list[str]], headers: Mapping[str, str], offered: list[str]) -> str | None:
    """The token of the Authorization header, else of a subprotocol, the query, a cookie; None without any."""
    kind, _, token = headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip()
    for protocol in offered:
        for prefix in PREFIXES:
            if protocol.startswith(prefix):
                return _plain(protocol.removeprefix(prefix))
    for name in TOKEN_NAMES:
        if query.get(name):
            return query[name][0]
    return _in_cookie(headers.get("Cookie", ""))


def _in_cookie(header: str) -> str | None:
    try:
        cookies = SimpleCookie(header)
    except CookieError:
        return None
    return next((cookies[name].value for name in TOKEN_NAMES if name in cookies), None)


def _plain(carried: str) -> str:
    """A subprotocol's token: base64url of a JWT is unpacked, anything else is the token itself."""
    try:
        plain = base64.urlsafe_b64decode(carried + "=" * (-len(carried) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return carried
    return plain if plain.count(".") == 2 else carried


def _verified(token: str | None, secret: str) -> Identity:
    if token is None:
        return Identity(None, 401, "no token was sent")
    import jwt

    try:
        claims: dict[str, Any] = jwt.decode(token, secret, algorithms=["HS256"], options={"require": ["sub"]})
    except jwt.ExpiredSignatureError:
        return Identity(None, 403, "token expired")
    except jwt.InvalidTokenError:
        return Identity(None, 403, "the token does not verify")
    return Identity(str(claims["sub"]))


def _believed(token: str) -> str:
    """Who an unverified token speaks of."""
    parts = token.split(".")
    if len(parts) == 3:
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return str(claims["sub"])
        except (binascii.Error, ValueError, KeyError, TypeError):
            pass
    return "token-" + hashlib.sha256(token.encode()).hexdigest()[:12]


def _named(query: Mapping[str, list[str]], headers: Mapping[str, str]) -> str | None:
    """The user a request without any token names, in the query or a header."""
    for name in ("user_id", "user"):
        if query.get(name):
            return query[name][0]
    return headers.get("X-User-Id") or None
