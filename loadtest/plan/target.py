"""The [target] of a scenario: where the load goes, and as whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from loadtest.plan.identifiers import holds_controls, is_header_value, is_token, is_variable
from loadtest.plan.names import ANYWHERE, USER, columns, unknown_names
from loadtest.plan.reading import UNTOLD, Table, nearest, told
from loadtest.plan.rows import read_rows
from loadtest.plan.scenario import SIMULATOR, Auth, Target
from loadtest.plan.sources import read_sources
from loadtest.plan.template import Template
from loadtest.units import cut

HINTS = {
    "host": "the whole address is `url`",
    "timeout": "[traffic] has `timeout`, for turns; here it is `connect_timeout`",
    "path": "it is part of `url`, or of the protocol's [connect]",
    "tls": "a `url` that begins with wss:// has TLS",
}

OUR_HEADERS = ("host", "connection", "upgrade", "sec-websocket-key", "sec-websocket-version")

Way = Literal["header", "query", "subprotocol", "cookie"]

WAYS: dict[str, Way] = {way: way for way in get_args(Way)}

FORMATS = {"query": "{token}", "cookie": "{token}", "subprotocol": "jwt.{token_base64url}"}
"""How a token is written where nothing else is said; in a header it depends on the header."""


def read_target(table: Table, base: Path) -> Target:
    """The target; paths are relative to ``base``. Mistakes are reported."""
    target = Target(
        url=_read_url(table),
        headers=table.pairs("headers"),
        cookies=table.pairs("cookies"),
        query=table.pairs("query"),
        subprotocols=table.texts("subprotocols") if table.has("subprotocols") else None,
        identities=read_rows(table, "identities", base),
        auth=_read_auth(table.table("auth"), base) if table.has("auth") else None,
        insecure=table.flag("insecure"),
        ca_file=_read_file(table, "ca_file", base),
        client_cert=_read_file(table, "client_cert", base),
        client_key=_read_file(table, "client_key", base),
        compression=table.flag("compression"),
        connect_timeout_ns=table.duration("connect_timeout", 10_000_000_000, positive=True),
        max_message_bytes=table.size("max_message", 16 * 1024 * 1024),
        faults=table.texts("faults"),
        source_addresses=read_sources(table),
    )
    table.close(HINTS)
    _check_parts(table, target)
    _check_tls(table, target)
    return target


def url_problem(url: str) -> str | None:
    """What is wrong with a target's URL, as the end of a sentence; None if nothing is."""
    scheme, colon, _ = url.partition("://")
    if url == SIMULATOR:
        return None
    if not colon:
        return f"must be `simulator` or begin with ws:// or wss://, not be {_told(url)}"
    if scheme.lower() not in {"ws", "wss"}:
        near = {"http": "; try ws://", "https": "; try wss://"}.get(scheme.lower(), "")
        return f"must begin with ws:// or wss://, not {cut(scheme)}://{near}"
    if any(c.isspace() or not c.isprintable() for c in url) or "#" in url:
        return f"must not hold a space or a `#`: {_told(url)}"
    if Template.parse(url).names:
        return f"has no placeholders, for it is the same for all users; [target] has `query`: {_told(url)}"
    return _address_problem(url)


def _told(url: str) -> str:
    """A URL that is wrong, without what may be a secret in it."""
    shown = re.sub(r"//[^/]*@", f"//{UNTOLD}@", url)
    return told(re.sub(r"\?.*", f"?{UNTOLD}", shown, flags=re.DOTALL))


def _address_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        found = parts.hostname, parts.port
    except ValueError as error:
        return f"is not a URL: {error}"
    return _host_problem(found[0]) if found[0] else f"names no host: {_told(url)}"


def _host_problem(host: str) -> str | None:
    """What keeps any resolver from looking a host's name up."""
    try:
        host.encode("idna")
    except UnicodeError:
        return f"names a host that no name server can hold (empty or overlong part): {told(host)}"
    return None


def _read_url(table: Table) -> str:
    url = table.text("url", SIMULATOR)
    if not table.has("url"):
        table.report("url", '`url` is missing; write url = "simulator" or url = "wss://..."')
    elif wrong := url_problem(url):
        table.report("url", f"`url` {wrong}")
    return url


def _read_file(table: Table, key: str, base: Path) -> Path | None:
    ref = table.text(key, None)
    if ref is None:
        return None
    path = base / ref
    try:
        found = path.is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        table.report(key, f"`{key}`: there is no file {told(ref)}")
    return path


def _check_parts(table: Table, target: Target) -> None:
    """Headers, cookies, query and subprotocols: what HTTP allows, and names that are known."""
    known = [*USER, *columns("user", target.identities), *ANYWHERE]
    for key, parts in (("headers", target.headers), ("cookies", target.cookies), ("query", target.query)):
        for name, text in parts.items():
            path = (*table.path, key, name)
            if key != "query" and not is_token(name):
                table.source.report(path, f"{told(name)} cannot be the name of a header or a cookie")
            if key == "headers" and name.lower() in OUR_HEADERS:
                table.source.report(path, f"`{name}` is written by loadtest itself")
            if key != "query" and not is_header_value(text):
                table.source.report(path, f"the value of `{name}` holds what a header cannot hold")
            for sentence in unknown_names(text, known, ("env",)):
                table.source.report(path, sentence)
    _check_rows(table, target)
    for each in target.subprotocols or ():
        if not is_token(each):
            table.report("subprotocols", f"{told(each)} cannot be a subprotocol: no spaces, no separators")


def _check_rows(table: Table, target: Target) -> None:
    """Every row of the identities, of the columns that headers and cookies show: none may end a header."""
    shown = [*target.headers.values(), *target.cookies.values()]
    asked = {name.removeprefix("user.") for text in shown for name in Template.parse(text).names}
    columns_shown = [column for column in (target.identities or ({},))[0] if column in asked]
    for number, row in enumerate(target.identities, 1):
        for column in columns_shown:
            if holds_controls(row[column]):
                wrong = f"the {column} of row {number} holds a line break or another control character"
                table.report("identities", f"{wrong}, which a header or cookie cannot hold")
                return


def _check_tls(table: Table, target: Target) -> None:
    if target.client_key and not target.client_cert:
        table.report("client_key", "`client_key` goes with `client_cert`, which is missing")
    if target.insecure and target.ca_file:
        table.report("insecure", "`insecure` checks no certificate; leave it or `ca_file` out")


def _read_auth(table: Table, base: Path) -> Auth:
    kind = table.choice("kind", {"jwt": "jwt", "token": "token"}, "")
    if not table.has("kind"):
        table.source.report(table.path, '`kind` is missing; write kind = "jwt" or kind = "token"')
    send_as = table.choice("send_as", WAYS, "header")
    name = _read_name(table, send_as)
    token_file = table.text("token_file", None)
    claims, fixed = _read_claims(table)
    auth = Auth(
        kind="token" if kind == "token" else "jwt",
        send_as=send_as,
        name=name,
        format=_read_format(table, send_as, name),
        secret_env=_read_variable(table, "secret_env"),
        token_env=_read_variable(table, "token_env"),
        token_file=None if token_file is None else base / token_file,
        claims=claims,
        fixed_claims=fixed,
        lifetime_ns=table.duration("lifetime", 900_000_000_000, positive=True),
    )
    table.close({"secret": "a secret does not belong in a file; name its variable: `secret_env`"})
    _check_kind(table, kind)
    return auth


def _read_name(table: Table, send_as: str) -> str:
    default = {"header": "Authorization", "subprotocol": ""}.get(send_as, "token")
    if send_as == "subprotocol" and table.has("name"):
        table.report("name", "a subprotocol has no `name`; what is offered is written by `format`")
    name = table.text("name", default)
    if name and send_as != "query" and not is_token(name):
        table.report("name", f"{told(name)} cannot be the name of a header or a cookie")
    return name


def _read_format(table: Table, send_as: str, name: str) -> str:
    bearer = "Bearer {token}" if name.lower() == "authorization" else "{token}"
    text = table.text("format", FORMATS.get(send_as, bearer))
    if not Template.parse(text).names & {"token", "token_base64url"}:
        table.report("format", "`format` must hold {token} or {token_base64url}")
    for sentence in unknown_names(text, ["token", "token_base64url"]):
        table.report("format", sentence)
    return text


def _read_variable(table: Table, key: str) -> str | None:
    """The name of an environment variable; a wrong one is not repeated, for it may be the secret itself."""
    name = table.text(key, None)
    if name is not None and not is_variable(name):
        table.report(key, f"`{key}` must be the name of an environment variable, not a secret itself")
    return name


TEXT_CLAIMS = frozenset({"iss", "sub", "jti"})
"""Claims that a token holds as text or not at all."""


def _read_claims(table: Table) -> tuple[dict[str, str], dict[str, object]]:
    """Templates, and what goes into the token as it is; without any, the user's id is the subject."""
    if not table.has("claims"):
        return {"sub": "{user.id}"}, {}
    claims = table.table("claims")
    texts = {name: value for name, value in claims.data.items() if isinstance(value, str)}
    fixed = {name: value for name, value in claims.data.items() if name not in texts}
    for name, text in texts.items():
        for sentence in unknown_names(text, [*USER, *ANYWHERE], ("user",)):
            claims.report(name, sentence)
    for name, value in fixed.items():
        if name in TEXT_CLAIMS:
            claims.report(name, f"`{name}` must be text (RFC 7519 section 4.1)")
        elif not _is_plain(value):
            claims.report(name, f"`{name}` must be text, a number, true, false, a list or a table of such")
    return texts, fixed


def _is_plain(value: object) -> bool:
    """Whether JSON can hold the value."""
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    if isinstance(value, Mapping):
        return all(_is_plain(each) for each in value.values())
    return isinstance(value, (str, int)) or (isinstance(value, float) and abs(value) < float("inf"))


def _check_kind(table: Table, kind: str) -> None:
    """Which keys go with which kind of credential."""
    wanted = {"jwt": ("secret_env",), "token": ("token_env", "token_file")}.get(kind, ())
    other = {"jwt": ("token_env", "token_file"), "token": ("secret_env", "claims", "lifetime")}.get(kind, ())
    given = [key for key in wanted if table.has(key)]
    if wanted and len(given) != 1:
        ways = " or ".join(f"`{key}`" for key in wanted)
        table.source.report(table.path, f'kind = "{kind}" needs {ways}' + (", not both" if given else ""))
    for key in other:
        if table.has(key):
            table.report(key, f'`{key}` has no meaning with kind = "{kind}"; {nearest(key, wanted)}')
