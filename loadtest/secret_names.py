"""Names of secrets: the one list by which plans, redaction and readiness decide what to hide."""

from __future__ import annotations

import re

CREDENTIALS = (
    "authorization", "cookies?", "jwt", "secret", "password", "passwd", "pwd", "api[_-]?key", "signature",
    "credentials?",
)  # fmt: skip
"""Words, as patterns, that name a credential wherever they stand at the end of a key."""

PARAMETERS = ("code", "otp", "pin", "sid", "sig")
"""Whole names of query parameters and columns whose values may be secrets."""

QUERY = (*CREDENTIALS, *PARAMETERS, "auth", "key", "session", "ticket", "token")
"""Words, as patterns, that name a secret at the end of a query parameter's name."""

PARTS = (
    "auth", "cookie", "credential", "jwt", "key", "pass", "pwd", "secret", "session", "signature", "ticket",
    "token",
)  # fmt: skip
"""Parts of names whose values may be secrets, in what a user wrote: rather one too many than one too few."""

PUBLIC_HEADERS = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "cache-control", "content-type", "forwarded", "from",
        "host", "origin", "pragma", "referer", "sec-websocket-protocol", "user-agent", "x-forwarded-for",
        "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-request-id",
    }
)  # fmt: skip
"""Headers whose values are no secrets; any other header that a user writes may hold one."""

_PREFIX = r"(?:[\w.-]{0,80}[_.-])?"

KEY = re.compile(rf"{_PREFIX}(?:{'|'.join(CREDENTIALS)}|token)", re.IGNORECASE)
"""Keys that name a secret."""

MEMBER_KEY = re.compile(rf"{_PREFIX}(?:{'|'.join(CREDENTIALS)}|[\w-]{{1,80}}[_-]token)", re.IGNORECASE)
"""Keys of JSON members that name a secret; a bare ``token`` may also be a language model's words."""

QUERY_KEY = re.compile(rf"{_PREFIX}(?:{'|'.join(QUERY)})", re.IGNORECASE)
"""Query parameters that name a secret."""


def sounds_secret(name: str) -> bool:
    """Whether something that a user gave this name may be a secret."""
    lower = name.lower()
    return lower in PARAMETERS or any(part in lower for part in PARTS)
