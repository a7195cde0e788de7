"""Templates of messages, headers and ids: text with placeholders.

A placeholder is ``{name}`` or ``{name.name}`` of letters, digits and ``_``; any other brace is itself.
In a text that is JSON, a value inside quotes is JSON-escaped, and a value outside quotes is written as JSON
(a number, ``true``, ``false`` or ``null`` as it is, other text in quotes). ``{raw:name}`` is never escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring, encode_basestring_ascii

_PLACEHOLDER = re.compile(r"\{(raw:)?([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)?)\}")
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")

Write = Callable[[object], str]


def plain(value: object) -> str:
    """The value as text: strings as they are, everything else as JSON writes it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def escaped(value: object) -> str:
    """The value as it stands between the quotes of a JSON string; always valid UTF-8."""
    text = value if isinstance(value, str) else plain(value)
    quoted: str = encode_basestring(text) if _encodable(text) else encode_basestring_ascii(text)
    return quoted[1:-1]


def as_json(value: object) -> str:
    """The value as a JSON value of its own."""
    text = plain(value)
    if not isinstance(value, str) or _SCALAR.fullmatch(text):
        return text
    return f'"{escaped(text)}"'


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
    ``json`` says that the text is JSON whatever the values are.
    """

    text: str
    json: bool
    parts: tuple[str, ...]
    slots: tuple[tuple[int, str, Write], ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Any text is a template; what looks like no placeholder is itself."""
        found = list(_PLACEHOLDER.finditer(text))
        quoted = _quoted(text, [match.start() for match in found])
        is_json = _is_json(text, quoted)
        parts: list[str] = []
        slots: list[tuple[int, str, Write]] = []
        end = 0
        for match, inside in zip(found, quoted, strict=True):
            parts += [text[end : match.start()], ""]
            write = plain if match[1] or not is_json else escaped if inside else as_json
            slots.append((len(parts) - 1, match[2], write))
            end = match.end()
        parts.append(text[end:])
        return cls(text, is_json, tuple(parts), tuple(slots))

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
        return Template(self.text, self.json, tuple(parts), tuple(slots))

    def around(self, names: Container[str]) -> tuple[bytes, ...] | None:
        """The UTF-8 text around the gaps, if each takes, as it stands, one of ``names``; else None.

        It is for values that need no escaping, and the same in each gap.
        """
        if not self.slots or any(name not in names or write is as_json for _, name, write in self.slots):
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
        return "1" if next(places) or match[1] else "null"

    try:
        value = json.loads(_PLACEHOLDER.sub(stand_in, text))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, (dict, list, str))
