"""What [target] of a scenario asks of a URL, of headers and of credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.host_name import host_problem, is_http_url
from loadtest.plan.identifiers import holds_controls, is_column, is_header_value, is_token
from loadtest.plan.placeholder_names import ANYWHERE, SECRETS, USER, unknown_names
from loadtest.plan.plain_json import is_plain
from loadtest.plan.prepare import ALONE, PREPARED
from loadtest.plan.scenario import Auth, Target
from loadtest.plan.template import Template
from loadtest.plan.toml_reader import UNSHOWN, TomlTable, nearest, quoted
from loadtest.plan.trace_parent import TRACE_PARENT
from loadtest.units import cut

_WRITTEN = "is a header that loadtest writes itself"
_NO_BODY = "belongs to a request with a body, but an upgrade has no body"

OUR_HEADERS = {
    "host": f'{_WRITTEN}, with the host of `url`; to connect elsewhere, write connect_to = "HOST:PORT"',
    "connection": _WRITTEN,
    "upgrade": _WRITTEN,
    "sec-websocket-key": _WRITTEN,
    "sec-websocket-version": _WRITTEN,
    "sec-websocket-accept": "is a header that only the server sends",
    "sec-websocket-protocol": f"{_WRITTEN}; write the subprotocols to offer in `subprotocols`",
    "sec-websocket-extensions": f"{_WRITTEN}; to offer permessage-deflate, write compression = true",
    "content-length": _NO_BODY,
    "transfer-encoding": _NO_BODY,
}
"""Headers that a scenario cannot have, and why: the end of a sentence."""

FORMATS = {"query": "{token}", "cookie": "{token}", "subprotocol": "jwt.{token_base64url}"}
"""How a token is written where nothing else is said; in a header it depends on the header."""


_HOST_AND_PORT = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}(?:[/?]|$)")


def url_problem(url: str) -> str | None:
    """What is wrong with a target's URL, as the end of a sentence; None if nothing is."""
    scheme, colon, _ = url.partition("://")
    if url == SIMULATOR:
        return None
    if not colon:
        near = "; try ws:// before it" if _HOST_AND_PORT.match(url) else ""
        return f"must be `simulator` or begin with ws:// or wss://, not {_told(url)}{near}"
    if scheme.lower() not in {"ws", "wss"}:
        near = {"http": "; try ws://", "https": "; try wss://"}.get(scheme.lower(), "")
        return f"must begin with ws:// or wss://, not {cut(scheme)}://{near}"
    if any(c.isspace() or not c.isprintable() for c in url) or "#" in url:
        return f"must not contain a space or a `#`: {_told(url)}"
    if Template.parse(url).names:
        return f"cannot contain placeholders; write them in `query` of [target]: {_told(url)}"
    return _address_problem(url)


def _told(url: str) -> str:
    """A URL that is wrong, without what may be a secret in it."""
    shown = re.sub(r"//[^/]*@", f"//{UNSHOWN}@", url)
    return quoted(re.sub(r"\?.*", f"?{UNSHOWN}", shown, flags=re.DOTALL))


def _address_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        found = parts.hostname, parts.port
    except ValueError as error:
        return f"is not a URL: {error}"
    if not found[0]:
        return f"has no host: {_told(url)}"
    user, password = userinfo(url) or ("", "")
    if ":" in user or holds_controls(user + password):
        return "has a colon in the user, or a control character in user or password; RFC 7617 allows neither"
    return host_problem(found[0])


def userinfo(url: str) -> tuple[str, str] | None:
    """User and password in a URL, decoded; None where it names no user."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return None
    return unquote(parts.username or ""), unquote(parts.password or "")


def read_url(table: TomlTable, key: str, default: str) -> str:
    """The address; a wrong one is reported, without what may be a secret in it."""
    url = table.text(key, default)
    if wrong := url_problem(url):
        table.report(key, f"`{key}` {wrong}")
    return url


def read_cookies(table: TomlTable, key: str, _: object) -> tuple[dict[str, str], bool]:
    """Cookies by name, and whether those that the target sets are kept."""
    written = table.data.get(key)
    if not isinstance(written, Mapping) or not isinstance(written.get("keep"), bool):
        return dict(table.pairs(key)), False
    others = {name: value for name, value in written.items() if name != "keep"}
    table.take(key)
    return dict(TomlTable({key: others}, table.source, table.path).pairs(key)), bool(written["keep"])


def read_compression(table: TomlTable, key: str, default: tuple[bool, bool]) -> tuple[bool, bool]:
    """Whether permessage-deflate is offered, and whether what we send is compressed as well."""
    value = table.take(key)
    if isinstance(value, bool):
        return value, False
    if isinstance(value, Mapping) and isinstance(value.get("send"), bool) and len(value) == 1:
        return True, value["send"]
    table.report(key, f"`{key}` must be true, false or {{ send = true }}, not {quoted(value)}")
    return default


def write_compression(found: tuple[bool, bool]) -> object:
    """As ``read_compression`` reads it."""
    return {"send": True} if found == (True, True) else found[0]


def read_connect_to(table: TomlTable, key: str, default: tuple[str, int] | None) -> tuple[str, int] | None:
    """Host and port; a mistake is reported."""
    text = table.text(key, "")
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    bare = parts.netloc == text and "@" not in text if host else False
    if not host or not port or not bare or host_problem(host):
        # What stands before an @ may be a password.
        shown = UNSHOWN if "@" in text else quoted(text)
        table.report(key, f'`{key}` must be a host and a port, such as "10.0.0.5:443", not {shown}')
        return default
    return host, port


def shown_connect_to(where: tuple[str, int]) -> str:
    """Host and port as they are written."""
    host, port = where
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_target(table: TomlTable, target: Target) -> Target:
    """The target; what its keys ask of each other, and HTTP of them, is reported."""
    _check_parts(table, target)
    _check_userinfo(table, target)
    _check_tls(table, target)
    return target


def _check_parts(table: TomlTable, target: Target) -> None:
    """Headers, cookies, query and subprotocols: what HTTP allows, and names that are known."""
    known = [*USER, *target.user_columns, *ANYWHERE, TRACE_PARENT]
    for name in target.before_connect:
        if not is_column(name):
            table.report(
                "before_connect",
                f"{quoted(name)} cannot be the name of a value: use letters, digits and `_`",
            )
    for key, parts in (("headers", target.headers), ("cookies", target.cookies), ("query", target.query)):
        for name, text in parts.items():
            path = (*table.path, key, name)
            if key != "query" and not is_token(name):
                table.source.report(path, f"{quoted(name)} cannot be the name of a header or a cookie")
            if key == "headers" and (why := OUR_HEADERS.get(name.lower())):
                table.source.report(path, f"`{name}` {why}")
            if key == "headers" and name.lower() == "cookie" and target.cookies:
                table.source.report(path, f"`{name}` and `cookies` both set the cookies; remove one of them")
            if key != "query" and not is_header_value(text):
                table.source.report(
                    path,
                    f"the value of `{name}` contains characters that are not allowed in a header",
                )
            for sentence in unknown_names(text, known, (*SECRETS, PREPARED)):
                table.source.report(path, sentence)
    _check_rows(table, target)
    for each in target.subprotocols or ():
        if not is_token(each):
            table.report(
                "subprotocols",
                f"{quoted(each)} cannot be a subprotocol: spaces and separators such as `,` are not allowed",
            )


def _check_userinfo(table: TomlTable, target: Target) -> None:
    """A URL with a user is a credential; a request has one."""
    if target.url == SIMULATOR or url_problem(target.url) or userinfo(target.url) is None:
        return
    named = [name for name in target.headers if name.lower() == "authorization"]
    auth = target.auth
    if auth is not None and auth.send_as == "header" and auth.name.lower() == "authorization":
        named.append("auth")
    if named:
        table.report("url", f"both `url` and `{named[-1]}` contain credentials; remove one of them")


def _check_rows(table: TomlTable, target: Target) -> None:
    """Every row of the identities, of the columns that headers and cookies show: none may end a header."""
    shown = [*target.headers.values(), *target.cookies.values()]
    asked = {name.removeprefix("user.") for text in shown for name in Template.parse(text).names}
    columns_shown = [column for column in (target.identities or ({},))[0] if column in asked]
    for number, row in enumerate(target.identities, 1):
        for column in columns_shown:
            if holds_controls(row[column]):
                wrong = (
                    f"the value of {column} in row {number} contains a line break or another control"
                    " character"
                )
                table.report("identities", f"{wrong}, which is not allowed in a header or cookie")
                return


def _check_tls(table: TomlTable, target: Target) -> None:
    if target.client_key and not target.client_cert:
        table.report("client_key", "`client_key` needs `client_cert`, which is missing")
    if target.insecure and target.ca_file:
        table.report("insecure", "with `insecure` no certificate is verified; remove `insecure` or `ca_file`")


def finish_auth(table: TomlTable, auth: Auth) -> Auth:
    """The credential with what follows from how it is sent; what its keys ask of each other is reported."""
    if auth.kind == "sigv4":
        return _finish_sigv4(table, auth)
    name = _auth_name(table, auth)
    found = replace(
        auth,
        kind=auth.kind or "jwt",
        name=name,
        format=_auth_format(table, auth, name),
    )
    _check_kind(table, auth)
    return found


def _finish_sigv4(table: TomlTable, auth: Auth) -> Auth:
    """A URL that is signed for AWS: there is one way to send it, and one form."""
    for key in ("name", "format"):
        if table.has(key):
            table.report(key, f'remove `{key}`: with kind = "sigv4" AWS sets the names in the query')
    if table.has("send_as") and auth.send_as != "query":
        table.report("send_as", 'kind = "sigv4" signs the URL: remove `send_as`, or write send_as = "query"')
    _check_kind(table, auth)
    if auth.lifetime_ns > LONGEST_SIGNED_NS:
        table.report("lifetime", "`lifetime` of a signed URL may be at most 7 days")
    for key, text in (("region", auth.region or ""), ("service", auth.service)):
        if text and not _AWS_NAME.fullmatch(text):
            table.report(key, f"{quoted(text)} cannot be a `{key}` of AWS: use letters, digits and `-`")
    return replace(auth, send_as="query", name="", format="", claims={})


_AWS_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")

LONGEST_SIGNED_NS = 7 * 86_400 * 1_000_000_000
"""The most that a signature in a URL may be valid, by AWS."""


def _auth_name(table: TomlTable, auth: Auth) -> str:
    if auth.send_as == "subprotocol" and table.has("name"):
        table.report("name", "remove `name`: a subprotocol has none; write what to offer in `format`")
    name = auth.name or {"header": "Authorization", "subprotocol": ""}.get(auth.send_as, "token")
    if name and auth.send_as != "query" and not is_token(name):
        table.report("name", f"{quoted(name)} cannot be the name of a header or a cookie")
    return name


def _auth_format(table: TomlTable, auth: Auth, name: str) -> str:
    bearer = "Bearer {token}" if name.lower() == "authorization" else "{token}"
    text = auth.format or FORMATS.get(auth.send_as, bearer)
    if not Template.parse(text).names & {"token", "token_base64url"}:
        table.report("format", "`format` must contain {token} or {token_base64url}")
    for sentence in unknown_names(text, ["token", "token_base64url"]):
        table.report("format", sentence)
    return text


TEXT_CLAIMS = frozenset({"iss", "sub", "jti"})
"""Claims that a token holds as text or not at all."""


def read_claims(table: TomlTable, key: str, _: object) -> tuple[dict[str, str], dict[str, object]]:
    """Templates, and what goes into the token as it is."""
    claims = table.table(key)
    texts = {name: value for name, value in claims.data.items() if isinstance(value, str)}
    fixed = {name: value for name, value in claims.data.items() if name not in texts}
    for name, text in texts.items():
        for sentence in unknown_names(text, [*USER, *ANYWHERE], ("user", PREPARED)):
            claims.report(name, sentence)
    for name, value in fixed.items():
        if name in TEXT_CLAIMS:
            claims.report(name, f"`{name}` must be text (RFC 7519 section 4.1)")
        elif not is_plain(value):
            claims.report(name, f"`{name}` must be text, a number, true, false, or a list or table of these")
    return texts, fixed


KIND_KEYS = {
    "jwt": (("secret_env", "key_file"), ("algorithm", "key_id", "claims", "lifetime")),
    "sigv4": (("region",), ("service", "profile", "lifetime")),
    "token": (("token_env", "token_file", "token_command"), ("refresh",)),
    "oauth2": (("secret_env",), ("token_url", "client_id", "scope")),
}
"""Of each kind of credential: the keys of which it needs one, and those that go with it."""


def _check_kind(table: TomlTable, auth: Auth) -> None:
    """Which keys go with which kind of credential."""
    kind = str(auth.kind)
    if kind not in KIND_KEYS:
        return
    wanted, own = KIND_KEYS[kind]
    given = [key for key in wanted if table.has(key)]
    if len(given) != 1:
        ways = " or ".join(f"`{key}`" for key in wanted)
        table.source.report(table.path, f'kind = "{kind}" needs {ways}' + (", not both" if given else ""))
    every = dict.fromkeys(key for one, more in KIND_KEYS.values() for key in (*one, *more))
    for key in every:
        if table.has(key) and key not in wanted and key not in own:
            table.report(key, f'remove `{key}`, which kind = "{kind}" does not have; {nearest(key, wanted)}')
    _check_parts_of_kind(table, auth)


def _check_parts_of_kind(table: TomlTable, auth: Auth) -> None:
    """What the keys of one kind ask of each other."""
    if auth.kind == "jwt" and auth.algorithm == "HS256" and table.has("key_file"):
        table.report(
            "key_file", '`key_file` contains a private key; write algorithm = "RS256", "ES256" or "EdDSA"'
        )
    if table.has("refresh") and not table.has("token_command"):
        table.report("refresh", "`refresh` needs `token_command`, which is missing")
    if auth.kind != "oauth2":
        return
    for key in ("token_url", "client_id"):
        if not table.has(key):
            table.source.report(table.path, f'kind = "oauth2" needs `{key}`')
    if auth.token_url and not is_http_url(auth.token_url):
        table.report("token_url", "`token_url` must begin with https:// or http://, and name a host")


def read_target_path(table: TomlTable, key: str, default: str | None) -> str | None:
    """A path with placeholders, or one placeholder alone, which may stand for a whole URL."""
    text = table.text(key, default)
    if text is None or ALONE.fullmatch(text):
        return text
    if not text.startswith("/") or any(c.isspace() or not c.isprintable() or c == "#" for c in text):
        table.report(
            key,
            f"`{key}` must begin with / and contain no space, or be one placeholder, not {quoted(text)}",
        )
        return default
    return text


NO_PROXY, ENVIRONMENT = "none", "environment"
"""What `proxy` may say beside a URL."""


def read_proxy(table: TomlTable, key: str, default: str) -> str:
    """`environment`, `none`, or the URL of a proxy; one that may hold a password is not repeated."""
    text = table.text(key, default)
    if text in {NO_PROXY, ENVIRONMENT} or not proxy_problem(text):
        return text
    table.report(key, f"`{key}` must be `environment`, `none`, or {proxy_problem(text)}")
    return default


def proxy_problem(url: str) -> str:
    """What the URL of a proxy should be and is not; "" where nothing is wrong."""
    try:
        parts = urlsplit(url)
        good = parts.scheme == "http" and bool(parts.hostname) and (parts.port or True)
        good = good and host_problem(parts.hostname or "") is None
    except ValueError:
        good = False
    user, password = userinfo(url) or ("", "") if good else ("", "")
    if good and not holds_controls(user + password) and ":" not in user:
        return ""
    return "a URL such as http://proxy.example:3128 (loadtest speaks to a proxy without TLS)"
