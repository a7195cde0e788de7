"""Names of secrets: the one list by which plans, redaction and readiness decide what to hide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urlsplit

CREDENTIALS = (
    "authorization", "cookies?", "jwt", "(?:client)?secrets?", "pass(?:words?|wd|phrase|code)?", "pwd",
    "api[_-]?key", "signature", "cred(?:ential)?s?", "(?:access|private|secret)[_-]?key", "otp", "pin",
    "session[_-]?id", "(?:access|auth|bearer|csrf|id|refresh|session|xsrf)token",
)  # fmt: skip
"""Words, as patterns, that name a credential wherever they stand at the end of a key."""

PARAMETERS = ("code", "creds", "otp", "pin", "sid", "sig")
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

TRANSPORT_HEADERS = frozenset(
    {"connection", "content-length", "host", "origin", "transfer-encoding", "upgrade", "user-agent"}
)
"""Headers that each side of a connection writes itself."""

_HUMP = r"(?-i:[a-z0-9](?=[A-Z])|[A-Z](?=[A-Z][a-z]))"
"""The end of a word of a name in which the next begins with a capital: ``accessToken``, ``XSRFToken``."""

_PREFIX = rf"(?:[\w.-]{{0,80}}(?:[_.-]|{_HUMP}))?"

KEY = re.compile(rf"{_PREFIX}(?:{'|'.join(CREDENTIALS)}|token)", re.IGNORECASE)
"""Keys that name a secret."""

MEMBER_KEY = re.compile(
    rf"{_PREFIX}(?:{'|'.join(CREDENTIALS)})|[\w.-]{{0,80}}(?:[\w-][_-]|{_HUMP})token", re.IGNORECASE
)
"""Keys of JSON members that name a secret; a bare ``token`` may also be a language model's words."""

SENT = ("token", "ticket", "auth", "sid", "bearer", "refresh")
"""Words, as patterns, that name a credential at the end of a key of what a client says."""

IN_EACH = (*PARTS, "cred", "otp", "pin", "sid", "bearer", "refresh")
"""Each name of a secret, in small letters, has one of these in it: what has none names no secret."""

LIKE_ASCII = {0x130: "i", 0x131: "i", 0x17F: "s", 0x212A: "k"}
"""The letters that patterns without regard to case take for one of a to z."""

OWNER = re.compile(rf"{_PREFIX}(?:auth|session)", re.IGNORECASE)
"""Keys of objects in which a key that names nothing elsewhere is that of a secret."""

OWNED = (r"auth\.key", r"session\.id")
"""Such keys, as patterns, after that of their object."""

SENT_KEY = re.compile(rf"{_PREFIX}(?:{'|'.join((*CREDENTIALS, *SENT, *OWNED))})", re.IGNORECASE)
"""Keys that name a secret in what a client says, who has no words of a language model to say."""

HEARD = ("sid", "bearer", "refresh", *OWNED)
"""Words, as patterns, that name a secret in what a target says, where that is kept as a recording."""

HEARD_KEY = re.compile(rf"{MEMBER_KEY.pattern}|{_PREFIX}(?:{'|'.join(HEARD)})", re.IGNORECASE)
"""Keys that name a secret in a recording of what a target says."""

QUERY_KEY = re.compile(rf"{_PREFIX}(?:{'|'.join(QUERY)})", re.IGNORECASE)
"""Query parameters that name a secret."""

NAMING = frozenset({"turns", "mix", "keep", "thresholds"})
"""Tables of a plan whose keys are names of its own: a kind of turn may be called ``token``."""

_LINE = re.compile(r"(?:^|[\r\n])([\w.-]{1,80}+)(:[ \t]{0,8}+)([^\r\n\0]++)")
_SETTING = re.compile(r"(?<![\w.%\"'-])([\w.-]{1,80}+)(\\{0,15}+[=:])([^\s\"'&;,\\\0{\[][^\s\"'&;,\\\0]*+)")
_LINE_IN_JSON = re.compile(r"\\[nr]([\w.-]{1,80}+)(:)((?:[^\r\n\0\\\"]|\\(?![nru0]))++)")
_SETTING_IN_QUOTES = re.compile(r"(?<=[\"'])([\w.-]{1,80}+)(=)([^\s\"'&;,\\\0{\[][^\s\"'&;,\\\0]*+)")
PLACES = {_LINE: ":", _LINE_IN_JSON: "\\", _SETTING: "", _SETTING_IN_QUOTES: "="}
"""Where a name and its value stand in plain text: a header's line, also in JSON, and ``password=x``.

With each pattern stands a sign without which it is found nowhere.

Groups: the name, what stands between, the value.
"""


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


_TOKEN = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[\w.~+=-]{20,}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def looks_like_token(text: str) -> bool:
    """Whether a part of a URL's path is long and of letters and digits, and no UUID, which names a thing."""
    return _TOKEN.fullmatch(text) is not None and _UUID.fullmatch(text) is None


def handshake_secrets(path: str, headers: Iterable[tuple[str, str]]) -> list[str]:
    """What a client says at its upgrade that no file is to hold; of ``Bearer x`` also ``x`` alone."""
    found = [value for name, value in parse_qsl(urlsplit(path).query) if sounds_secret(name)]
    for name, value in headers:
        lower = name.lower()
        if lower == "sec-websocket-protocol":
            found += subprotocol_secrets([each.strip() for each in value.split(",")])
        elif lower == "cookie":
            found += [pair.partition("=")[2].strip() for pair in value.split(";")]
        elif lower not in PUBLIC_HEADERS | TRANSPORT_HEADERS and not lower.startswith(("sec-", "accept-")):
            found += [value, value.rpartition(" ")[2]]
    return [each for each in found if each]


def sounds_secret(name: str) -> bool:
    """Whether something that a user gave this name may be a secret."""
    lower = name.lower()
    named = lower in PARAMETERS or KEY.fullmatch(name) is not None
    return named or any(part in lower for part in PARTS)
