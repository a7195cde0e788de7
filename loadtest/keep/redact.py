"""Secrets are taken out of everything that is kept: by value, by place and by look.

By value: the secrets that a run was given, also in URL and base64 encoding. By place: under keys such as
``Authorization``, ``cookies`` or ``access_token``, in a URL's user part and query, after ``Bearer``. By look:
JSON Web Tokens. All of it also in what a server encoded before it repeated it: base64, hexadecimal, percent
signs. What is taken out reads ``[redacted]``. Where a text was cut, which an ellipsis says, the beginning of
a secret before the cut is taken out as well.

Every pattern takes time in proportion to the text, whatever a server wrote there: a name is at most 80
letters, and a run of letters is looked at a fixed number of times.
"""

from __future__ import annotations

import binascii
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from loadtest.keep.secret_members import without_members
from loadtest.secret_names import (
    BEFORE_TOKEN,
    HEARD_KEY,
    IN_EACH,
    KEY,
    LIKE_ASCII,
    LONGEST_SUBPROTOCOL,
    MEMBER_KEY,
    NAMING,
    PLACES,
    QUERY_KEY,
    SENT_KEY,
    SUBPROTOCOL_PREFIX,
)
from loadtest.speak.coded_text import DEEPEST, places_as_meant
from loadtest.speak.kept_secrets import (
    HIDDEN,
    forms_of,
    forms_within,
    places_of,
    without,
    without_places,
)
from loadtest.speak.refusal_body import CUT

REDACTED = HIDDEN

SHORTEST_SECRET = 4
"""A shorter value would take innocent text with it; it is still redacted by its place."""

SHORTEST_SAID = 6
"""A shorter value that a client said under a name of a secret is redacted by its place only."""

_SIGNS = r"[\w.~+/=-]"
"""Letters of a credential."""

_WORD = re.compile(rf"{_SIGNS}{{4,}}+")
_WITHIN = re.compile(r"[.=~/]")
"""After these a secret may begin within a word: ``token=...``, ``jwt.<token>``."""

MAX_IN_A_PATTERN = 200
"""Forms of secrets (each has a few) that are searched for by one pattern."""

LONGEST_WORD = 8192
"""Letters of the longest secret that is looked up, and of the longest beginning of one before a cut."""

MAX_OWN_WITHIN = 100
"""So many of our user's own secrets are always searched for in what was coded as a whole."""

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Letters that a terminal obeys or does not show; tab and line break aside."""

_SHOWN_AT_THE_DOOR = re.compile(r"\s*[\"']?target[\"']?\s*(?:$|\.\s*[\"']?(?:headers|cookies|query|auth)\b)")
"""Keys of ``--set`` whose values are credentials, or tables that may hold some."""

_SUBPROTOCOL_KEY = re.compile(r"sec-websocket-protocol|subprotocols?", re.IGNORECASE)

_HINTS = (*IN_EACH, "basic", "\\u00")
"""What has none of these has no key of a member and no header that names a secret."""

_QUERY = re.compile(r"([?&;]([\w.%-]{1,80}+)=)([^&;#\s\"']++)")

# A JSON Web Token: its header is base64url of an object; or that token in base64 once more.
_JWT = re.compile(r"(?<![A-Za-z0-9])(?:eyJ|ZXlK)(?:[\w-]{12,}+|[\w-]{1,11}\.[\w-]++)(?:\.[\w-]*+)*+")

_USER_PART = re.compile(r"(?<=://)[^/@\s\"']++@")
_WITHOUT_USER = "redacted@"
"""Stands for the user part of a URL. In a host's place brackets would mean an IPv6 address."""

# A header, as text or as it is shown by repr.
_HEADER = re.compile(
    r"(\b(?:proxy-)?authorization|\b(?:set-)?cookie)([\"']?\s{0,8}+[:=]\s{0,8}+(?:b?[\"'])?)[^\r\n\"']++",
    re.IGNORECASE,
)

_SCHEME = re.compile(rf"\b(bearer|basic)\s{{1,8}}+({_SIGNS}{{6,}}+)", re.IGNORECASE)
_NO_WORD = re.compile(r"[\d.~+/=_-]")

_RUN = re.compile(r"[\w+/-]{16,}+={0,2}+")
"""What may be coded: letters without a space. Shorter, it holds no secret that is worth it."""

_URL_RUN = re.compile(r"(?<![\w.~!*()+/%-])[\w.~!*()+/%-]{3,}+")
"""What may be coded by percent signs, with all letters that they leave as they are."""

_CUT_CODE = re.compile(r"(?:\\(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?)?|%[0-9A-Fa-f]?)\Z")
"""What is left of the code of a letter that was cut."""

LONGEST_REMEMBERED_RUN = 256
"""Letters of the longest run whose decoded texts are remembered."""

_HEX = re.compile(r"[0-9A-Fa-f]{16,}+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}+")
_PERCENT = re.compile("%[0-9A-Fa-f]{2}")
_READABLE = re.compile(rb"[\t\n\r -~]{8,}+")
"""Readable bytes; those of a number or a picture are so by chance, but seldom eight in a row."""
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


WRITTEN_BY_USERS = frozenset({"scenario", "target", "process", "fingerprint"})
"""Sections of ``run.json`` that hold what a user wrote; the keys of all others are labels of numbers."""

_OWN_KEY = re.compile(r"[a-z][a-z0-9_]{0,40}(?:\.[a-z0-9_]{1,40}){0,6}(?:\[[\w/-]{1,80}\])?")
"""What our own keys look like: ``turn.first_event``, ``duration_s``."""


class Redactor:
    """Takes secrets out of text and of nested data."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pending: set[str] = set()
        # Forms that are searched for; of thousands, those that are words are looked up.
        self._forms: tuple[str, ...] = ()
        self._words: set[str] = set()
        # What is searched for in what was coded as a whole and cannot be read: of a few secrets only.
        self._within: tuple[str, ...] = ()
        self._own_within: frozenset[str] = frozenset()
        self._longest = 0
        self._beginnings: dict[str, list[str]] = {}
        self._ours: list[str] = []
        self.know(secrets)

    def know(self, secrets: Iterable[str]) -> None:
        """Take out our user's own secrets from now on, wherever they stand."""
        found = frozenset(secrets)
        self._ours += [secret for secret in found if len(secret) >= SHORTEST_SECRET]
        if len(self._ours) <= MAX_OWN_WITHIN:
            self._own_within = frozenset(form for secret in self._ours for form in forms_within(secret))
        else:
            self._own_within = frozenset()
        self.learn(found)

    def learn(self, secrets: Iterable[str]) -> None:
        """Take out these as well from now on, such as a token that a target gave."""
        self._pending.update(secrets)

    def _settle(self) -> None:
        """Take over what was learned since the last text: the tokens of many users are taken in one."""
        new, self._pending = self._pending - self._secrets, set()
        self._secrets |= new
        known = [secret for secret in new if len(secret) >= SHORTEST_SECRET]
        coded = {form for secret in known for form in forms_of(secret)}
        forms = coded.union(self._forms)
        if len(forms) + len(self._words) > MAX_IN_A_PATTERN:
            # Of thousands of values one pattern would be slow: those that are words are looked up instead.
            short = (form for form in forms if len(form) <= LONGEST_WORD)
            self._words.update(filter(_WORD.fullmatch, short))
            forms -= self._words
            self._within = ()
        else:
            within = {form for secret in known for form in forms_within(secret)}
            self._within += tuple(within - self._own_within)
        self._forms = tuple(forms)
        for form in sorted(coded):
            self._longest = max(self._longest, len(form))
            begun = self._beginnings.setdefault(form[:SHORTEST_SECRET], [])
            if form not in begun:
                begun.append(form)

    def __repr__(self) -> str:
        return "<Redactor>"

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._text(text, DEEPEST)

    def sent(self, text: str) -> str:
        """What a client of ours said, without secrets, which are known from now on.

        It has no words of a language model to say: a member ``token`` is its credential, however short.
        """
        return self._learning(text, SENT_KEY)

    def heard(self, text: str) -> str:
        """What a target said, for a recording: as ``text``, and without the ids of sessions."""
        return self._learning(text, HEARD_KEY)

    def _learning(self, text: str, names: re.Pattern[str]) -> str:
        found: list[str] = []
        text = self._text(text, DEEPEST, names, found)
        self.learn(each for each in found if len(each) >= SHORTEST_SAID)
        return text

    def _text(
        self,
        text: str,
        deeper: int,
        names: re.Pattern[str] = MEMBER_KEY,
        found: list[str] | None = None,
    ) -> str:
        """The text without secrets, also of those that were coded up to ``deeper`` times."""
        if self._pending:
            self._settle()
        # Nearly no text holds one, and to look for each alone is ten times as fast as a pattern of all.
        text = without(text, [form for form in self._forms if form in text], REDACTED)
        if self._words:
            text = _WORD.sub(self._without_secret, text)
        if places := places_as_meant(text, self._known_places):
            text = without_places(text, places, REDACTED)
        if CUT in text and self._longest:
            *cut, last = text.split(CUT)
            text = CUT.join([*map(self._without_beginning, cut), last])
        text = _without_places(text, names, [] if found is None else found)
        if deeper and "%" in text:
            text = _URL_RUN.sub(lambda run: self._without_encoded(run, deeper, _unquoted), text)
        if deeper:
            text = _RUN.sub(lambda run: self._without_encoded(run, deeper, _decoded), text)
        within = [form for form in (*self._own_within, *self._within) if form in text]
        return without(text, within, REDACTED)

    def _known_places(self, text: str) -> list[tuple[int, int]]:
        """Where the known secrets stand in a text that was decoded."""
        forms = (*self._forms, *self._own_within, *self._within)
        places = places_of(text, [form for form in forms if form in text])
        if self._words:
            starts = ((word, self._secret_in(word[0])) for word in _WORD.finditer(text))
            places += [(word.start() + at, word.end()) for word, at in starts if at is not None]
        if CUT in text and self._longest:
            places += self._begun_places(text)
        return places

    def _without_encoded(
        self, run: re.Match[str], deeper: int, decoded: Callable[[str], Iterable[str]]
    ) -> str:
        """A run of letters; nothing of it where it is the code of a text with a secret."""
        cut = CUT if run.string.startswith(CUT, run.end()) else ""
        hides = any(self._text(text + cut, deeper - 1) != text + cut for text in decoded(run[0]))
        return REDACTED if hides else run[0]

    def _without_beginning(self, text: str) -> str:
        """The text, whose end was cut off, without the beginning of a secret there."""
        at = self._begun_at(text)
        return text if at is None else text[:at] + REDACTED

    def _begun_at(self, text: str) -> int | None:
        """Where at the end of a text, which was cut off, a secret begins; the cut may be within a code."""
        part = _CUT_CODE.search(text, max(len(text) - 6, 0))
        for end in {len(text), part.start() if part else len(text)}:
            for at in range(max(end - min(self._longest, LONGEST_WORD), 0), end - SHORTEST_SECRET + 1):
                begun = self._beginnings.get(text[at : at + SHORTEST_SECRET], ())
                if any(form.startswith(text[at:end]) for form in begun):
                    return at
        return None

    def _begun_places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where before each cut of a text stands the beginning of a secret."""
        start = 0
        for part in text.split(CUT)[:-1]:
            at = self._begun_at(part)
            if at is not None:
                yield start + at, start + len(part)
            start += len(part) + len(CUT)

    def _without_secret(self, word: re.Match[str]) -> str:
        """The word, or what stands in it before a secret."""
        start = self._secret_in(word[0])
        return word[0] if start is None else word[0][:start] + REDACTED

    def _secret_in(self, word: str) -> int | None:
        """Where in a word a secret begins that goes on to its end."""
        starts = [0, *(place.end() for place in _WITHIN.finditer(word))]
        for start in starts:
            # A token may be followed by signs that are not its own.
            if len(word) - start > min(self._longest, LONGEST_WORD) + 64:
                continue
            if word[start:].rstrip(".=") in self._words or word[start:] in self._words:
                return start
        return None

    def data(self, data: Any) -> Any:
        """Plain data of the same shape, without secrets; keys that name a secret keep their key only."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, bytes | bytearray):
            return self.text(bytes(data).decode("utf-8", "replace"))
        if isinstance(data, Mapping):
            return {self._key(str(key)): self._member(str(key), value) for key, value in data.items()}
        if isinstance(data, list | tuple | set | frozenset):
            return [self.data(item) for item in data]
        return data

    def manifest(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """A ``run.json`` without secrets: what a user wrote as ``data``, what we measured as ``measured``."""
        return {
            key: self.data(value) if key in WRITTEN_BY_USERS else self.measured(value)
            for key, value in manifest.items()
        }

    def measured(self, data: Any) -> Any:
        """As ``data``, of what we measured: keys are labels, such as the type ``token`` of an event."""
        if isinstance(data, Mapping):
            return {self._key(str(key)): self.measured(value) for key, value in data.items()}
        if isinstance(data, list | tuple | set | frozenset):
            return [self.measured(item) for item in data]
        return self.data(data)

    def _key(self, key: str) -> str:
        """A key without secrets. What a target gave, such as a cookie, may not take our own names away."""
        if _OWN_KEY.fullmatch(key) and not any(secret in key for secret in self._ours):
            return key
        return self.text(key)

    def arguments(self, arguments: Iterable[str]) -> list[str]:
        """A command line without secrets, also where an option and its value are two words."""
        masked: list[str] = []
        before = ""
        for argument in arguments:
            masked.append(self._argument(argument, before))
            before = argument
        return masked

    def _argument(self, argument: str, before: str) -> str:
        """A word of a command line; ``before`` is the one that it follows."""
        is_option = argument.startswith("-")
        if _names_secret(before) and "=" not in before and before.startswith("-") and not is_option:
            return REDACTED
        option, equals, setting = argument.partition("=")
        if equals and option == "--set":
            return f"--set={self._setting(setting)}"
        if before == "--set":
            return self._setting(argument)
        return f"{option}={REDACTED}" if equals and _names_secret(option) else self.text(argument)

    def _setting(self, setting: str) -> str:
        """``KEY=VALUE`` of an override: what the settings hide is hidden here, whatever a key is called."""
        key, equals, _ = setting.partition("=")
        if equals and (_SHOWN_AT_THE_DOOR.match(key) or _names_secret(key)):
            return f"{self.text(key)}={REDACTED}"
        return self.text(setting)

    def _member(self, key: str, value: Any) -> Any:
        if _SUBPROTOCOL_KEY.fullmatch(key):
            return self._subprotocols(value)
        if key in NAMING and isinstance(value, Mapping):
            return {self._key(str(name)): self.data(each) for name, each in value.items()}
        return _emptied(value) if KEY.fullmatch(key) else self.data(value)

    def _subprotocols(self, value: Any) -> Any:
        """Names of subprotocols without the token that some backends take there."""
        if isinstance(value, str):
            return ", ".join(self._subprotocols(re.split(r",\s*", value)))
        if not isinstance(value, list | tuple):
            return self.data(value)
        names = [self.text(str(name)) for name in value]
        pairs = zip(["", *names], names, strict=False)
        return [REDACTED if BEFORE_TOKEN.fullmatch(before) else _subprotocol(name) for before, name in pairs]


class RedactingFormatter(logging.Formatter):
    """Formats a log record, tracebacks included, without secrets and without what a terminal would obey."""

    def __init__(
        self, redactor: Redactor, fmt: str = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    ) -> None:
        super().__init__(fmt)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The record's line or lines."""
        return _UNSEEN.sub(_as_escape, self._redactor.text(super().format(record)))


def _as_escape(letter: re.Match[str]) -> str:
    return letter[0].encode("unicode_escape").decode("ascii")


def _names_secret(argument: str) -> bool:
    return bool(KEY.fullmatch(argument.lstrip("-").partition("=")[0]))


def _emptied(value: Any) -> Any:
    """The value of a key that names a secret: names inside stay, and so does what says that there is none."""
    if isinstance(value, Mapping):
        return {key: _emptied(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_emptied(inner) for inner in value]
    return value if value is None or isinstance(value, bool) or value == "" else REDACTED


def _subprotocol(name: str) -> str:
    """A name that is long, or begins as if a token followed, keeps its beginning only."""
    if found := SUBPROTOCOL_PREFIX.match(name):
        return f"{found[0]}{REDACTED}"
    return name if len(name) <= LONGEST_SUBPROTOCOL else REDACTED


def _without_places(text: str, names: re.Pattern[str], found: list[str]) -> str:
    """The text without the secrets that are known by where they stand or by how they look.

    ``names`` are those of secrets, as a pattern; the values that they named are added to ``found``.
    A search for a word takes 0.05 us and a pattern 2 to 100, so what each pattern needs is looked for first.
    """
    if "eyJ" in text or "ZXlK" in text:
        text = _JWT.sub(REDACTED, text)
    if "://" in text:
        text = _USER_PART.sub(_WITHOUT_USER, text)
    if "=" in text:
        text = _QUERY.sub(_query, text)
    small = _in_small_letters(text)
    if any(hint in small for hint in _HINTS):
        text = without_members(text, names, found)
        if "authorization" in small or "cookie" in small:
            text = _HEADER.sub(rf"\1\2{REDACTED}", text)
        if "bearer" in small or "basic" in small:
            text = _SCHEME.sub(_credential, text)
        text = _without_settings(text, names, found)
    return text


def _in_small_letters(text: str) -> str:
    """The text in which a word is found wherever a pattern without regard to case would find it."""
    return (text if text.isascii() else text.translate(LIKE_ASCII)).lower()


def _without_settings(text: str, names: re.Pattern[str], found: list[str]) -> str:
    """The text without header lines and ``name=value`` whose names are those of secrets."""

    def hidden(place: re.Match[str]) -> str:
        if not names.fullmatch(place[1]) or not _is_value(place):
            return place[0]
        found.append(place[3].strip())
        return place[0][: place.start(3) - place.start()] + REDACTED

    for pattern, sign in PLACES.items():
        if sign in text:
            text = pattern.sub(hidden, text)
    return text


def _is_value(place: re.Match[str]) -> bool:
    """Whether it is a value and no prose ("password: must be longer"); after a space it is one word."""
    return REDACTED not in place[3] and (place[2] in {"=", ":"} or " " not in place[3].strip())


def _query(found: re.Match[str]) -> str:
    return found[1] + REDACTED if QUERY_KEY.fullmatch(found[2]) else found[0]


def _credential(found: re.Match[str]) -> str:
    """A scheme and its credential; one without digit or sign is a word ("basic understanding")."""
    return f"{found[1]} {REDACTED}" if _NO_WORD.search(found[2]) else found[0]


def _unquoted(run: str) -> Iterator[str]:
    """The text that a run with percent signs is the code of."""
    if _PERCENT.search(run):
        yield unquote(run, "latin-1")


def _decoded(run: str) -> Iterable[str]:
    """As ``_texts_in``; remembered: the events of a turn repeat its id, and to decode one takes 20 us."""
    return _remembered_texts_in(run) if len(run) <= LONGEST_REMEMBERED_RUN else _texts_in(run)


@lru_cache(256)
def _remembered_texts_in(run: str) -> tuple[str, ...]:
    return tuple(_texts_in(run))


def _texts_in(run: str) -> Iterator[str]:
    """The texts that a run may be the code of: what of it is readable ASCII.

    A run that was cut anywhere is decoded up to there. Before the code may stand a prefix (``0x``, ``id-``),
    whose letters may be letters of the code as well, so it is read from each of its first letters.
    """
    for code in _HEX.finditer(run):
        for first in range(2):
            digits = code[0][first:]
            yield from _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for code in _BASE64.finditer(run):
        for first in range(4):
            yield from _readable(_from_base64(code[0][first:]))


def _from_base64(bare: str) -> bytes:
    # One letter more than whole groups is the beginning of a byte.
    whole = bare[:-1] if len(bare) % 4 == 1 else bare
    try:
        return binascii.a2b_base64(whole.encode().translate(_URL_SAFE) + b"=" * (-len(whole) % 4))
    except binascii.Error:
        return b""


def _readable(data: bytes) -> Iterator[str]:
    if parts := _READABLE.findall(data):
        yield b"\n".join(parts).decode("ascii")
