"""What of a policy is never shown: passwords, header values, addresses of webhooks, environment values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote, urlsplit

from loadtest.keep.redact import Redactor
from loadtest.secret_names import KEY, PUBLIC_HEADERS, variable_sounds_secret

OPEN_VARIABLE = re.compile(r".*(?:HOST|PORT|USER|NAME)", re.IGNORECASE)
"""Variables whose values are no secrets, by how they are called."""

SHORTEST_UNNAMED = 8
"""A shorter value of a variable that a policy does not name is a word or a number."""

COMMANDS = frozenset({"command", "check", "set"})
"""Keys whose lists are words of a command line."""

_PLACEHOLDER = re.compile(r"\{env\.([A-Za-z_][A-Za-z0-9_]*)\}")


_ADDRESS = re.compile(r"(?:.*_)?(?:URL|URI|DSN)", re.IGNORECASE)
"""Variables that hold an address, in which a password may stand."""


def secrets_in(word: str) -> list[str]:
    """The variables in a word of a command whose values may be secrets, by how they are called."""
    names = _PLACEHOLDER.findall(word)
    return [name for name in names if variable_sounds_secret(name) or _ADDRESS.fullmatch(name)]


class MissingVariableError(LookupError):
    """An environment variable that a policy names is not set."""


def filled(text: str, environ: Mapping[str, str]) -> str:
    """``text`` with every ``{env.NAME}`` replaced.

    Raises:
        MissingVariableError: one of them is not set, or empty.
    """

    def value(match: re.Match[str]) -> str:
        if not environ.get(match[1]):
            raise MissingVariableError(f"the environment variable {match[1]} is not set")
        return environ[match[1]]

    return _PLACEHOLDER.sub(value, text)


def filled_url(url: str, environ: Mapping[str, str]) -> str:
    """As ``filled``; a value in the user part is percent-encoded, so that any password can stand there.

    Raises:
        MissingVariableError: a variable is not set, or empty.
    """
    before, sign, rest = url.partition("://")
    place = re.match(r"[^/?#]*", rest)
    user, at, _ = (place[0] if place else "").rpartition("@")
    coded = {name: quote(environ.get(name, ""), safe="") for name in _PLACEHOLDER.findall(user)}
    return filled(before + sign, environ) + filled(user, coded) + at + filled(rest[len(user + at) :], environ)


def redactor_of(
    data: Mapping[str, object], variables: tuple[str, ...], environ: Mapping[str, str]
) -> Redactor:
    """Takes secrets out of text: those written in a policy, of the variables it names, and of all others.

    Of the others those count whose names say that they are secrets, such as ``DB_PASSWORD``.
    """
    written = {each for each in _written(data, ()) if not _PLACEHOLDER.search(each)}
    values = {environ[name] for name in variables if environ.get(name) and not OPEN_VARIABLE.fullmatch(name)}
    # A command, or a server in its fear, may show what no policy names.
    values |= {value for name, value in environ.items() if _is_unnamed_secret(name, value)}
    inner = {password for each in environ.values() for password in _passwords(each)}
    return Redactor(each for each in written | values | inner if len(each) >= 4)


def _is_unnamed_secret(name: str, value: str) -> bool:
    """Whether a variable that no policy names holds a secret; the path of a file of keys is none."""
    return (
        len(value) >= SHORTEST_UNNAMED and not value.startswith(("/", "~")) and variable_sounds_secret(name)
    )


def without_secrets(data: Mapping[str, object]) -> dict[str, object]:
    """A policy's data as it may be kept: placeholders stay, secrets written into it go."""
    redactor = redactor_of(data, (), {})
    return {key: _shown(redactor.data({key: value})[key], key, redactor) for key, value in data.items()}


def _shown(value: object, key: str, redactor: Redactor) -> object:
    """Lists that are command lines, without the words that follow an option such as ``--token``."""
    if isinstance(value, Mapping):
        return {name: _shown(each, name, redactor) for name, each in value.items()}
    if isinstance(value, list) and key in COMMANDS and all(isinstance(each, str) for each in value):
        return redactor.arguments(value)
    return [_shown(each, key, redactor) for each in value] if isinstance(value, list) else value


def _written(value: object, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _written(each, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _written(each, path)
    elif isinstance(value, str):
        yield from _passwords(value)
        if _is_secret(path):
            yield value


def _is_secret(path: tuple[str, ...]) -> bool:
    if "headers" in path[:-1]:
        return path[-1].lower() not in PUBLIC_HEADERS
    if "fields" in path[:-1]:
        # What an answer must hold, such as "healthy": without that word no report could be read.
        return False
    return bool(KEY.fullmatch(path[-1])) or (path[:1] == ("alerts",) and path[-1] == "url")


def _passwords(text: str) -> Iterator[str]:
    """The password inside a URL, also as it is sent."""
    if "://" not in text:
        return
    try:
        password = urlsplit(text).password
    except ValueError:
        return
    if password and not _PLACEHOLDER.search(password):
        yield from {password, unquote(password)}
