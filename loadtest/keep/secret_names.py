"""Where secrets stand, and how they look: keys, headers, URLs, and JSON Web Tokens.

Every pattern takes time in proportion to the text, whatever a server wrote there: a name is at most 80
letters, and no run of letters is looked at twice.
"""

from __future__ import annotations

import re

REDACTED = "[redacted]"

SIGNS = r"[\w.~+/=-]"
"""Letters of a credential."""

_WORDS = "authorization|cookies?|jwt|secret|password|passwd|pwd|api[_-]?key|apikey|signature|credentials?"
_PREFIX = r"(?:[\w.-]{0,80}[_.-])?"

KEY = re.compile(rf"{_PREFIX}(?:{_WORDS}|token)", re.IGNORECASE)
"""Keys that name a secret."""

SUBPROTOCOL_KEY = re.compile(r"sec-websocket-protocol|subprotocols?", re.IGNORECASE)

_MEMBER_KEY = re.compile(rf"{_PREFIX}(?:{_WORDS}|[\w-]{{1,80}}[_-]token)", re.IGNORECASE)
_QUERY_KEY = re.compile(
    rf"{_PREFIX}(?:{_WORDS}|token|auth|key|sig|ticket|session|sid|code|pin|otp)", re.IGNORECASE
)
_TOKEN = re.compile(rf"{SIGNS}{{16,}}+")

_HINT = re.compile(
    "authori[sz]ation|cookie|jwt|secret|passw|pwd|api[_-]?key|signature|credential|token|bearer|basic",
    re.IGNORECASE,
)
"""What has none of these has no key of a member and no header that names a secret."""

# Member of a JSON object inside a text, at any sensible depth of escaping; its value ends at a quote.
_MEMBER = re.compile(r"(\"([\w.-]{1,80}+)\\{0,15}+\"\s{0,8}+:\s{0,8}+\\{0,15}+\")((?:[^\"\\]|\\[^\"\\])++)")

_QUERY = re.compile(r"([?&;]([\w.%-]{1,80}+)=)([^&;#\s\"']++)")

_LOOKS = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        # A JSON Web Token: its header is base64url of an object; or that token in base64 once more.
        (r"(?<![A-Za-z0-9])(?:eyJ|ZXlK)(?:[\w-]{12,}+|[\w-]{1,11}\.[\w-]++)(?:\.[\w-]*+)*+", REDACTED),
        # The user part of a URL. In a host's place brackets would mean an IPv6 address.
        (r"(?<=://)[^/@\s\"']++@", "redacted@"),
    )
)

# A header, as text or as it is shown by repr.
_HEADER = re.compile(
    r"(\b(?:proxy-)?authorization|\b(?:set-)?cookie)([\"']?\s{0,8}+[:=]\s{0,8}+(?:b?[\"'])?)[^\r\n\"']++",
    re.IGNORECASE,
)

_SCHEME = re.compile(rf"\b(bearer|basic)\s{{1,8}}+({SIGNS}{{6,}}+)", re.IGNORECASE)
_NO_WORD = re.compile(r"[\d.~+/=_-]")


def without_places(text: str) -> str:
    """The text without the secrets that are known by where they stand or by how they look."""
    for pattern, instead in _LOOKS:
        text = pattern.sub(instead, text)
    text = _QUERY.sub(_query, text)
    if _HINT.search(text):
        text = _HEADER.sub(rf"\1\2{REDACTED}", text)
        text = _SCHEME.sub(_credential, text)
        text = _MEMBER.sub(_member, text)
    return text


def _query(found: re.Match[str]) -> str:
    return found[1] + REDACTED if _QUERY_KEY.fullmatch(found[2]) else found[0]


def _credential(found: re.Match[str]) -> str:
    """A scheme and its credential; one without digit or sign is a word ("basic understanding")."""
    return f"{found[1]} {REDACTED}" if _NO_WORD.search(found[2]) else found[0]


def _member(found: re.Match[str]) -> str:
    key, value = found[2], found[3]
    if _MEMBER_KEY.fullmatch(key):
        return found[1] + REDACTED
    # A member "token" may carry a language model's words; a credential is longer and has no spaces.
    if key.lower() == "token" and (credential := _TOKEN.match(value)):
        return found[1] + REDACTED + value[credential.end() :]
    return found[0]
