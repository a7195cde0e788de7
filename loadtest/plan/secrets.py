"""Secrets a scenario needs from outside: environment variables and token files, looked for before a run."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from loadtest.errors import Problem
from loadtest.plan.placeholder_names import SECRETS, env_names
from loadtest.plan.prepare import prepare_texts
from loadtest.plan.protocol_file import templates
from loadtest.plan.scenario import Scenario, Target
from loadtest.plan.template import Template
from loadtest.secret_names import PUBLIC_HEADERS, sounds_secret

SHORTEST_WRITTEN = 6
"""A shorter value in a scenario is a word such as ``dark`` or ``true``; elsewhere it would be missed."""


MAX_TOKEN_BYTES = 64 * 1024
"""Bytes of a token's file: no server takes a head that is longer."""


def read_token(path: Path) -> str:
    """What the file of a token holds; it is read at every connection, and nothing in its place may block it.

    Raises:
        OSError: it cannot be read, is no regular file, or too large.
        UnicodeDecodeError: it holds no text.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "the file is not a regular file", str(path))
        data = file.read(MAX_TOKEN_BYTES + 1)
    if len(data) > MAX_TOKEN_BYTES:
        raise OSError(errno.EFBIG, "the file is larger than 64 KiB", str(path))
    return data.decode("utf-8").strip()


def missing_secrets(scenario: Scenario, environ: Mapping[str, str]) -> list[Problem]:
    """A problem for each secret that is missing; an empty variable counts as missing.

    ``environ`` is the environment (``os.environ``); besides it, only a token file is looked at.
    """
    return list(dict.fromkeys(each for part in scenario.parts for each in _missing(part, environ)))


def _missing(scenario: Scenario, environ: Mapping[str, str]) -> Iterator[Problem]:
    target = scenario.target
    written = _where_written(scenario)
    for name, what in secret_variables(target, message_texts(scenario)):
        if what and not environ.get(name):
            yield Problem(
                name,
                f"this environment variable is not set; it must contain {what} for [target] auth",
            )
        elif name not in environ:
            where, group = written[name]
            yield Problem(name, f"{where} uses {{{group}.{name}}}, but this environment variable is not set")
        else:
            yield from _unreadable(name, environ)
    if target.auth and target.auth.token_file:
        yield from _no_token(target.auth.token_file)
    if target.auth and target.auth.key_file:
        yield from _no_token(target.auth.key_file, "the key")


_SECRET_OF = {"jwt": "the secret that signs the tokens", "oauth2": "the secret of the client"}


def _where_written(scenario: Scenario) -> dict[str, tuple[str, str]]:
    """For each variable of a placeholder: what uses it first, and as which group of names."""
    target = scenario.target
    texts = [
        ("[target]", text)
        for values in (target.headers, target.cookies, target.query)
        for text in values.values()
    ]
    texts += [(_place_words(path), text) for path, text, _ in templates(scenario.protocol)]
    texts += [("a request of [[prepare]]", text) for text in prepare_texts(scenario.prepare)]
    if scenario.traffic is not None and scenario.traffic.message is not None:
        texts.append(("the message of [traffic]", scenario.traffic.message))
    found: dict[str, tuple[str, str]] = {}
    for where, text in texts:
        for group, _, name in (each.partition(".") for each in sorted(Template.parse(text).names)):
            if group in SECRETS and name:
                found.setdefault(name, (where, group))
    return found


def _place_words(path: tuple[str | int, ...]) -> str:
    """A place of a protocol in words."""
    if path[:2] == ("connect", "ready"):
        return f"ready step {int(path[2]) + 1} of the protocol"
    return f"`{path[1]}` of [{path[0]}] in the protocol"


def message_texts(scenario: Scenario) -> list[str]:
    """Every template of what users send: messages, ready steps, answers, requests before the connection."""
    found = [text for _, text, _ in templates(scenario.protocol)] + prepare_texts(scenario.prepare)
    own = scenario.traffic.message if scenario.traffic is not None else None
    return found if own is None else [*found, own]


def secret_variables(target: Target, texts: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Every environment variable whose value is a secret, and what it holds (empty: a placeholder's).

    ``texts`` are the templates of messages. The check before a run and the redaction of files and screen both
    use this list.
    """
    auth = target.auth
    asked = (
        (auth.secret_env if auth else None, _SECRET_OF.get(auth.kind if auth else "", "")),
        (auth.token_env if auth else None, "the token"),
    )
    used = env_names([*target.headers.values(), *target.cookies.values(), *target.query.values(), *texts])
    return [(name, what) for name, what in asked if name] + [(name, "") for name in used]


def scenario_secrets(scenario: Scenario, environ: Mapping[str, str]) -> list[str]:
    """The values of all secrets of a scenario, of every population, to be redacted wherever they stand.

    Raises:
        OSError: a token file, which ``missing_secrets`` looks for, has disappeared since.
    """
    every = (scenario, *(each.scenario for each in scenario.populations))
    found = (secrets_of(each.target, environ, message_texts(each)) for each in every)
    return list(dict.fromkeys(secret for some in found for secret in some))


def secrets_of(target: Target, environ: Mapping[str, str], texts: Iterable[str] = ()) -> list[str]:
    """The values of all secrets, to be redacted from every file and screen; ``texts``: of messages.

    Raises:
        OSError: the token file, which ``missing_secrets`` looks for, has disappeared since.
    """
    secrets = [environ[name] for name, _ in secret_variables(target, texts) if environ.get(name)]
    if target.auth is not None and target.auth.token_file is not None:
        secrets.append(read_token(target.auth.token_file))
    if target.auth is not None and target.auth.key_file is not None:
        secrets.append(read_token(target.auth.key_file))
    secrets += [row[column] for column in secret_columns(target) for row in target.identities if row[column]]
    return secrets + written_secrets(target)


def _unreadable(name: str, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Python keeps bytes that are not text as lone surrogates, which cannot be sent."""
    try:
        environ[name].encode()
    except UnicodeEncodeError:
        yield Problem(name, "the value of this environment variable is not UTF-8 text")


def _no_token(path: Path, what: str = "the token") -> Iterator[Problem]:
    if not path.is_file():
        yield Problem(str(path), f"the file does not exist; [target] auth reads {what} from it")
        return
    try:
        if not read_token(path):
            yield Problem(str(path), f"the file is empty; [target] auth reads {what} from it")
    except OSError as error:
        yield Problem(str(path), f"{what} of [target] auth cannot be read from this file: {error.strerror}")
    except UnicodeDecodeError:
        yield Problem(
            str(path), f"{what} of [target] auth cannot be read from this file: it is not UTF-8 text"
        )


def written_secrets(target: Target) -> list[str]:
    """What the scenario itself writes that may be a secret: in the URL, in cookies, headers and the query."""
    parts = urlsplit(target.url)
    through = urlsplit(target.proxy)
    passwords = (parts.password, through.password)
    found = [each for password in passwords if password for each in (password, unquote(password))]
    found += [value for name, value in parse_qsl(parts.query) if sounds_secret(name)]
    found += target.cookies.values()
    found += [value for name, value in target.query.items() if sounds_secret(name)]
    found += [value for name, value in target.headers.items() if name.lower() not in PUBLIC_HEADERS]
    literal = {value: None for value in found if not Template.parse(value).names}
    return [value for value in literal if len(value) >= SHORTEST_WRITTEN]


def secret_columns(target: Target) -> list[str]:
    """The columns of the identities that hold credentials: by their name, or by where they are shown."""
    return _secret_names(target, target.identities[0] if target.identities else ())


def given_secrets(target: Target) -> list[str]:
    """The values that users' own code gives before each connection and that are credentials, by name."""
    return _secret_names(target, target.before_connect)


def _secret_names(target: Target, names: Iterable[str]) -> list[str]:
    shown = [*target.cookies.values()]
    for values in (target.headers, target.query):
        shown += [text for name, text in values.items() if sounds_secret(name)]
    asked = {name for text in shown for name in Template.parse(text).names}
    return [name for name in names if sounds_secret(name) or f"user.{name}" in asked]
