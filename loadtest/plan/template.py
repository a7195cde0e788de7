"""Templates of messages, headers and ids: text with placeholders.

A placeholder is ``{name}`` or ``{name.name}`` of letters, digits and ``_``, or ``{event.PATH}``; any other
brace is itself. ``{kept.NAME}`` and ``{last.NAME}`` are values that the target sent, as ``{event.PATH}`` is.
In a text that is JSON, a value inside quotes is JSON-escaped, and a value outside quotes is written as JSON
(a number, ``true``, ``false`` or ``null`` as it is, other text in quotes). In a text that holds JSON objects
or arrays without being JSON, such as ``42["ask",{"q":"{data.question}"}]``, a value inside their quotes is
JSON-escaped. ``{raw:name}`` is never escaped; ``{json:name}``, ``{base64:name}`` and ``{urlencode:name}`` are
the value coded so, and then written as any other text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring, encode_basestring_ascii
from urllib.parse import quote

import msgspec

PLACEHOLDER = re.compile(
    r"\{(?:(raw|json|base64|urlencode):)?"
    r"(event(?:\.[A-Za-z0-9_-]+)+|random\.(?:int|choice) [^{}\"\n]{1,1000}"
    r"|[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)?)\}",
)
"""What looks like a placeholder, whether its name is known or not."""

_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")

EVENT = "event."
"""What begins so names a value of the event that is answered; None stands for one that is not there."""

KEPT = "kept."
"""What begins so names a value that was kept of an event; None stands for one that is not there yet."""

LAST = "last."
"""As ``KEPT``, of the turn before."""

RANDOM = "random."
"""What begins so is drawn, each time that it is written anew."""

UUID4 = "uuid4"
"""A random id, each time that it is written another."""

RAW = "raw"

_OPENING = re.compile(r"[\[{]")

MAX_TRIES = 64
"""Brackets at which JSON is looked for in a text that is none as a whole."""

Write = Callable[[object], str]


def plain(value: object) -> str:
    """The value as text: strings as they are, everything else as JSON writes it.

    Bytes are kept as they are: encoding the text with "surrogateescape" gives them back.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "surrogateescape")
    return json.dumps(value, default=str)


def json_text(value: object) -> str:
    """As ``plain``, for a place in JSON.

    Raises:
        ValueError: the value is bytes that are no UTF-8 text, which JSON cannot hold.
    """
    if not isinstance(value, bytes | bytearray):
        return plain(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{NO_TEXT}: {error}") from error


NO_TEXT = "a value for a JSON message is not UTF-8 text; encode it, for example with base64"


LONG = 1_024
"""From so many characters on msgspec writes the same text sooner: 64 KiB in 21 us, not in 128."""


def escaped(value: object) -> str:
    """The value as it stands between the quotes of a JSON string; always valid UTF-8."""
    text = value if isinstance(value, str) else json_text(value)
    if len(text) >= LONG and _encodable(text):
        return msgspec.json.encode(text).decode()[1:-1]
    quoted: str = encode_basestring(text) if _encodable(text) else encode_basestring_ascii(text)
    return quoted[1:-1]


def as_json(value: object) -> str:
    """The value as a JSON value of its own."""
    text = json_text(value)
    if not isinstance(value, str | bytes | bytearray) or _SCALAR.fullmatch(text):
        return text
    return f'"{escaped(text)}"'


def as_received(value: object) -> str:
    """A received value as JSON of the kind that it was: the text "5" is not the number."""
    return f'"{escaped(value)}"' if isinstance(value, str) else plain(value)


def _or_empty(write: Write) -> Write:
    """Writes nothing for a value that was not there."""
    return lambda value: "" if value is None else write(value)


_OF_EVENT: dict[Write, Write] = {as_json: as_received, escaped: _or_empty(escaped), plain: _or_empty(plain)}
"""How a value of a received event is written where another would be written so."""


def json_value(value: object) -> str:
    """The value as JSON of its own: text in quotes, whatever it says."""
    return f'"{escaped(value)}"' if isinstance(value, str | bytes | bytearray) else plain(value)


def base64_text(value: object) -> str:
    """The value's bytes in base64."""
    content = bytes(value) if isinstance(value, bytes | bytearray) else _bytes_of(value)
    return base64.b64encode(content).decode()


def _bytes_of(value: object) -> bytes:
    return b"" if value is None else plain(value).encode("utf-8", "surrogateescape")


def url_text(value: object) -> str:
    """The value with everything but letters, digits and ``-._~`` as percent signs and hexadecimal."""
    return quote(_bytes_of(value), safe="")


_CODES: dict[str, Write] = {"json": json_value, "base64": base64_text, "urlencode": url_text}


def _coded(code: str, write: Write) -> Write:
    """Writes a value that is coded first; what is JSON of its own needs no more where JSON stands."""
    to_code = _CODES[code]
    if write is plain or (write is as_json and code == "json"):
        return to_code
    outer = escaped if write is escaped else json_value
    return lambda value: outer(to_code(value))


def _encodable(text: str) -> bool:
    """False for text with lone surrogates, which UTF-8 cannot hold and JSON can only write as escapes."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Template:
    """Text with gaps. ``parts`` holds the text, with an empty string in each gap.

    ``slots`` says for each gap its index in ``parts``, the name of its value and how the value is written.
    ``json`` says that the text is JSON whatever the values are, ``embedded`` that it is not, but holds JSON
    inside whose quotes values are escaped.
    """

    text: str
    json: bool
    parts: tuple[str, ...]
    slots: tuple[tuple[int, str, Write], ...]
    embedded: bool = False

    @classmethod
    def parse(cls, text: str) -> Template:
        """Any text is a template; what looks like no placeholder is itself."""
        found = list(PLACEHOLDER.finditer(text))
        quoted = _quoted(text, [match.start() for match in found])
        is_json = _is_json(text, quoted)
        if not is_json:
            quoted = _quoted_in_json(text, found)
        parts: list[str] = []
        slots: list[tuple[int, str, Write]] = []
        end = 0
        for match, inside in zip(found, quoted, strict=True):
            parts += [text[end : match.start()], ""]
            raw = match[1] == RAW
            write: Write = plain if raw else escaped if inside else as_json if is_json else plain
            name = match[2]
            if match[1] in _CODES:
                write = _coded(match[1], write)
            elif name.startswith((EVENT, KEPT, LAST)):
                write = _OF_EVENT[write]
            if name.startswith(RANDOM) or name == UUID4:
                # Each is drawn for itself.
                same = sum(other.partition("#")[0] == name for _, other, _ in slots)
                name = f"{name}#{same + 1}" if same else name
            slots.append((len(parts) - 1, name, write))
            end = match.end()
        parts.append(text[end:])
        return cls(text, is_json, tuple(parts), tuple(slots), embedded=not is_json and any(quoted))

    @property
    def names(self) -> frozenset[str]:
        """The names still to be filled."""
        return frozenset(name for _, name, _ in self.slots)

    def bind(self, values: Mapping[str, object]) -> Template:
        """The template with what is known filled in and the rest kept."""
        parts: list[str] = [self.parts[0]]
        slots: list[tuple[int, str, Write]] = []
        for index, name, write in self.slots:
            if name in values:
                parts[-1] += write(values[name]) + self.parts[index + 1]
            else:
                parts += ["", self.parts[index + 1]]
                slots.append((len(parts) - 2, name, write))
        return Template(self.text, self.json, tuple(parts), tuple(slots), self.embedded)

    def around(self, names: Container[str]) -> tuple[bytes, ...] | None:
        """The UTF-8 text around the gaps, if each takes, as it stands, one of ``names``; else None.

        It is for values that need no escaping, and the same in each gap.
        """
        plainly = (plain, escaped)
        if not self.slots or any(name not in names or write not in plainly for _, name, write in self.slots):
            return None
        return tuple(part.encode() for part in self.parts[::2])

    def render(self, values: Mapping[str, object]) -> str:
        """The text with every gap filled.

        Raises:
            KeyError: a name is missing in ``values``; the readers of scenario and protocol rule that out.
        """
        parts = list(self.parts)
        for index, name, write in self.slots:
            parts[index] = write(values[name])
        return "".join(parts)


def _quoted(text: str, places: list[int]) -> list[bool]:
    """For each of the ascending ``places``, whether it lies inside a JSON string."""
    inside: list[bool] = []
    at, quoted = 0, False
    for place in places:
        while at < place:
            if quoted and text[at] == "\\":
                at += 1
            elif text[at] == '"':
                quoted = not quoted
            at += 1
        inside.append(quoted)
    return inside


def _is_json(text: str, quoted: list[bool]) -> bool:
    """Whether the text is a JSON object, array or string once the gaps are filled.

    Outside quotes a raw value may be any piece of JSON, another value must be a JSON value of its own.
    """
    places = iter(quoted)

    def stand_in(match: re.Match[str]) -> str:
        return "1" if next(places) or match[1] == RAW else "null"

    try:
        value = json.loads(PLACEHOLDER.sub(stand_in, text))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, (dict, list, str))


def _quoted_in_json(text: str, found: list[re.Match[str]]) -> list[bool]:
    """For each placeholder of a text that is no JSON, whether it lies inside a string of JSON in it."""
    inside = dict.fromkeys((match.start() for match in found), False)
    at = tries = 0
    while inside and tries < MAX_TRIES and (opening := _OPENING.search(text, at)):
        at = opening.start()
        if at in inside:
            # A placeholder of its own, and no brace.
            at += 1
            continue
        end, quoted = _json_at(text, at)
        inside.update(dict.fromkeys(quoted, True))
        tries += end is None
        at = at + 1 if end is None else end
    return list(inside.values())


def _json_at(text: str, start: int) -> tuple[int | None, list[int]]:
    """Where the JSON that begins at ``start`` ends, None without any; and the placeholders in its strings.

    Each placeholder is held by as many characters of what JSON may have in its place.
    """
    quoted: list[int] = []
    pieces: list[str] = []
    at, inside = start, False
    for match in PLACEHOLDER.finditer(text, start):
        piece = text[at : match.start()]
        inside = ends_inside(piece, inside=inside)
        size = match.end() - match.start()
        if inside:
            quoted.append(match.start())
        pieces += [piece, "1" * size if inside or match[1] == RAW else "[]".ljust(size)]
        at = match.end()
    pieces.append(text[at:])
    try:
        _, size = json.JSONDecoder().raw_decode("".join(pieces))
    except (ValueError, RecursionError):
        return None, []
    return start + size, [place for place in quoted if place < start + size]


def ends_inside(piece: str, *, inside: bool) -> bool:
    """Whether a piece of JSON ends inside a string; ``inside``: it begins there."""
    escape = False
    for c in piece:
        if escape:
            escape = False
        elif inside and c == "\\":
            escape = True
        elif c == '"':
            inside = not inside
    return inside
