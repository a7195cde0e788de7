"""Names of secrets: the one list by which plans, redaction and readiness decide what to hide."""

from __future__ import annotations

import re
from collections.abc import Sequence

CREDENTIALS = (
    "authorization", "cookies?", "jwt", "secret", "pass(?:word|wd|phrase)?", "pwd", "api[_-]?key",
    "signature", "credentials?", "(?:access|private|secret)[_-]?key",
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


_VARIABLE_PARTS = frozenset(
    {
        "apikey", "credential", "credentials", "jwt", "key", "pass", "passphrase", "password", "passwd",
        "pat", "pwd", "secret", "secrets", "token", "tokens",
    }
)  # fmt: skip


def variable_sounds_secret(name: str) -> bool:
    """Whether an environment variable of this name may hold a secret; its words stand between underscores.

    ``PWD`` is where a shell is.
    """
    return name.upper() not in {"PWD", "OLDPWD"} and not _VARIABLE_PARTS.isdisjoint(name.lower().split("_"))


SUBPROTOCOL_PREFIX = re.compile(
    r"(?:[\w-]+\.)*?(?:bearer\.authorization\.k8s\.io|bearer|jwt|auth\w*|(?:access_)?token)[._:-]",
    re.IGNORECASE,
)
"""How the name of a subprotocol begins in which a token follows."""

BEFORE_TOKEN = re.compile(r"bearer|jwt|authorization|(?:access[_-]?)?token", re.IGNORECASE)
"""The name of a subprotocol after which a token is offered as the next."""

LONGEST_SUBPROTOCOL = 31
"""Names of subprotocols are short; a longer one is a token."""


def subprotocol_secrets(names: Sequence[str]) -> list[str]:
    """The tokens among names of subprotocols, or in them."""
    found: list[str] = []
    for before, name in zip(["", *names], names, strict=False):
        if prefix := SUBPROTOCOL_PREFIX.match(name):
            rest = name[prefix.end() :]
            # A name may go on before its token, as in "bearer.chat.example.TOKEN".
            found += [rest, rest.rpartition(".")[2]]
        elif BEFORE_TOKEN.fullmatch(before) or len(name) > LONGEST_SUBPROTOCOL:
            found.append(name)
    return found


def sounds_secret(name: str) -> bool:
    """Whether something that a user gave this name may be a secret."""
    lower = name.lower()
    return lower in PARAMETERS or any(part in lower for part in PARTS)
