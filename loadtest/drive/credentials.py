"""What a virtual user's upgrade request carries: headers, cookies, query, subprotocols, fresh credentials."""

from __future__ import annotations

import base64
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from loadtest.drive.aws_signer import AwsSigner
from loadtest.drive.token_signer import Signer, signer_of
from loadtest.drive.token_source import TokenSource
from loadtest.errors import ConfigError, Problem
from loadtest.plan.identifiers import holds_controls
from loadtest.plan.placeholder_names import SECRETS, env_names
from loadtest.plan.scenario import Auth, Target
from loadtest.plan.secrets import given_secrets, read_token
from loadtest.plan.target import userinfo
from loadtest.plan.template import Template
from loadtest.plan.trace_parent import TRACE_PARENT, of_user, trace_parent
from loadtest.secret_names import PUBLIC_HEADERS
from loadtest.units import NS_PER_S

_PER_CONNECTION = frozenset({"uuid", "now_ms", "now_s"})

_NONE_KEPT: Mapping[str, str] = MappingProxyType({})

_GROUPS = tuple(f"{group}." for group in SECRETS)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one upgrade request carries."""

    path: str
    headers: tuple[tuple[str, str], ...]
    subprotocols: tuple[str, ...]
    user: str | None
    """The ``sub`` claim of the token: how the target will name this user; None where that is not known."""
    secrets: tuple[str, ...] = ()
    """Of what it carries, the secrets that nobody knew before the run."""


class CredentialProvider:
    """Makes the ``Credentials`` of each connection from the target's settings.

    Raises:
        ConfigError: the environment does not have a secret, or one that no header can hold.
    """

    def __init__(self, target: Target, path: str, subprotocols: tuple[str, ...]) -> None:
        self._path = path
        self._headers = _templates(target.headers)
        self._basic = _basic(target.url)
        self._cookies = _templates(target.cookies)
        self._query = _templates(target.query)
        self._subprotocols = subprotocols
        self._auth = target.auth
        self.tokens: TokenSource | None = None
        self._secret = _secret_of(target.auth)
        self._token_file = target.auth.token_file if target.auth is not None else None
        self._given = given_secrets(target)
        self._claims: list[tuple[str, Template]] = []
        self._signer: Signer | None = None
        if target.auth is not None:
            # Parsed once: it takes 20 us a template.
            self._format = Template.parse(target.auth.format)
            self._claims = _templates(target.auth.claims)
            self._signer = signer_of(target.auth, self._secret) if target.auth.kind == "jwt" else None
        named = (*self._headers, *self._cookies, *self._query, *self._claims)
        self._differs = any(template.names & _PER_CONNECTION for _, template in named)
        self._traced = any(TRACE_PARENT in template.names for _, template in named)
        self._environment = {
            f"{group}.{name}": value for name, value in os.environ.items() for group in SECRETS
        }
        self._check_environment()
        # Most targets ask for nothing that differs by user: all connections send the same.
        self._same = None if self._asks_for_user() else self._make({})

    def _asks_for_user(self) -> bool:
        named = (*self._headers, *self._cookies, *self._query)
        return self._auth is not None or any(template.names for _, template in named)

    def _check_environment(self) -> None:
        """Find mistakes in the environment and in files now, before anything connects."""
        shown = [self._secret] if self._auth is not None and self._auth.kind == "token" else []
        for _, template in (*self._headers, *self._cookies, *self._query):
            for name in sorted(template.names):
                if name.startswith(_GROUPS) and name not in self._environment:
                    raise _not_set(name.partition(".")[2])
        for _, template in (*self._headers, *self._cookies):
            shown += [self._environment[name] for name in template.names if name in self._environment]
        _refuse_controls(shown)

    def credentials(
        self,
        values: Mapping[str, Any],
        kept: Mapping[str, str] = _NONE_KEPT,
        path: str | None = None,
        host: str = "",
    ) -> Credentials:
        """What one connection of the user with these values sends, and with the cookies that it was given.

        ``path`` stands in the place of the target's own; ``host`` is what the header of that name says.
        """
        same = self._same if path is None and not kept else None
        return same if same is not None else self._make(values, kept, path, host)

    def for_other_host(self, values: Mapping[str, Any], kept: Mapping[str, str], path: str) -> Credentials:
        """What a connection sends to a host that the target redirects to: no credential of the target."""
        known = {**self._environment, **values, **(_per_connection() if self._differs else {})}
        if self._traced:
            known[TRACE_PARENT] = trace_parent(str(values.get("run.id")), of_user(values.get("user.number")))
        headers = [
            (name, template.render(known))
            for name, template in self._headers
            if name.lower() in PUBLIC_HEADERS
        ]
        if kept:
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in kept.items())))
        _refuse_controls(value for _, value in headers)
        return Credentials(path, tuple(headers), self._subprotocols, None)

    def _make(
        self,
        values: Mapping[str, Any],
        kept: Mapping[str, str] = _NONE_KEPT,
        own_path: str | None = None,
        host: str = "",
    ) -> Credentials:
        known = {**self._environment, **values}
        if self._traced:
            traced = of_user(values.get("user.number"))
            known[TRACE_PARENT] = trace_parent(str(values.get("run.id")), traced)
        if self._differs:
            known |= _per_connection()
        headers = [*self._basic, *((name, template.render(known)) for name, template in self._headers)]
        cookies = [f"{name}={template.render(known)}" for name, template in self._cookies if name not in kept]
        cookies += [f"{name}={value}" for name, value in kept.items()]
        query = [f"{quote(name)}={quote(template.render(known), safe='')}" for name, template in self._query]
        subprotocols = self._subprotocols
        user = None
        secrets = [*kept.values(), *(str(values.get(f"user.{name}", "")) for name in self._given)]
        if self._auth is not None and self._auth.kind != "sigv4":
            shown, user = self._token(self._auth, known)
            if self._auth.send_as == "header":
                headers.append((self._auth.name, shown))
            elif self._auth.send_as == "cookie":
                cookies.append(f"{self._auth.name}={shown}")
            elif self._auth.send_as == "query":
                query.append(f"{quote(self._auth.name)}={quote(shown, safe='')}")
            else:
                subprotocols = (*subprotocols, shown)
        if cookies:
            headers.append(("Cookie", "; ".join(cookies)))
        path = self._path if own_path is None else own_path
        glue = "&" if "?" in path else "?"
        path += (glue + "&".join(query)) if query else ""
        if isinstance(self.tokens, AwsSigner):
            path, signature = self.tokens.sign(host, path)
            secrets.append(signature)
        _refuse_controls((*(value for _, value in headers), *subprotocols))
        if self._token_file is not None:
            # It may have been renewed since the run began, and be another one on another machine.
            secrets.append(self._secret)
        return Credentials(path, tuple(headers), subprotocols, user, tuple(secrets))

    def _current_token(self) -> str:
        """What the file of the token holds now: who renews it writes another one. Else what was there first.

        A file that is being replaced may be gone, empty or half written: then the last token holds. So it
        does where what is there now can be no token.
        """
        if self.tokens is not None:
            return self.tokens.token
        if self._token_file is not None:
            with suppress(OSError, UnicodeDecodeError):
                token = read_token(self._token_file)
                if token and not holds_controls(token):
                    self._secret = token
        return self._secret

    def _token(self, auth: Auth, values: Mapping[str, Any]) -> tuple[str, str | None]:
        user = None
        token = self._current_token()
        if self._signer is not None:
            claims = _claims(auth, self._claims, values)
            user = claims.get("sub")
            token = self._signer.sign(claims)
        as_base64 = base64.urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
        return self._format.render({"token": token, "token_base64url": as_base64}), user


def environment_values(texts: Iterable[str]) -> dict[str, str]:
    """What ``{env.NAME}`` and ``{secret.NAME}`` in messages stand for.

    Raises:
        ConfigError: the environment does not have one of them.
    """
    found: dict[str, str] = {}
    for name in env_names(texts):
        if name not in os.environ:
            raise _not_set(name, "a message")
        found |= {f"{group}.{name}": os.environ[name] for group in SECRETS}
    return found


def _basic(url: str) -> list[tuple[str, str]]:
    """The header for the user and the password in a URL (RFC 7617); none where it has none."""
    found = userinfo(url)
    if found is None:
        return []
    return [("Authorization", f"Basic {base64.b64encode(':'.join(found).encode()).decode()}")]


def _claims(
    auth: Auth, templates: Iterable[tuple[str, Template]], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The claims of a fresh token; a unique ``jti`` is for servers with replay protection."""
    claims: dict[str, Any] = dict(auth.fixed_claims)
    claims.update({name: template.render(values) for name, template in templates})
    now_s = int(time.time())
    claims.setdefault("sub", str(values.get("user.id", "")))
    claims.setdefault("jti", str(uuid.uuid4()))
    return {**claims, "iat": now_s, "exp": now_s + max(auth.lifetime_ns // NS_PER_S, 1)}


def _per_connection() -> dict[str, str]:
    """What differs from connection to connection."""
    now_s = time.time()
    return {"uuid": str(uuid.uuid4()), "now_ms": str(int(now_s * 1000)), "now_s": f"{now_s:.3f}"}


def _secret_of(auth: Auth | None) -> str:
    """The secret or token an ``Auth`` names."""
    if auth is None:
        return ""
    for key, file in (("token_file", auth.token_file), ("key_file", auth.key_file)):
        if file is None:
            continue
        try:
            return read_token(file)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([Problem("[target] auth", f"{key} cannot be read: {error}")])
    if auth.token_command or auth.kind == "sigv4":
        return ""
    name = auth.secret_env or auth.token_env or ""
    secret = os.environ.get(name, "")
    if not secret:
        raise _not_set(name)
    return secret


def _not_set(name: str, where: str = "[target]") -> ConfigError:
    return ConfigError(
        [Problem(where, f"the environment variable {name} is not set; export it before the run")]
    )


def _templates(texts: Mapping[str, str]) -> list[tuple[str, Template]]:
    return [(name, Template.parse(text)) for name, text in texts.items()]


def _refuse_controls(texts: Iterable[str]) -> None:
    """A line break in a value would end the header and start another one of its own."""
    if any(map(holds_controls, texts)):
        raise ConfigError(
            "a header, cookie or subprotocol of [target] has a line break or control character in its value"
        )
