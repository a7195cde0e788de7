from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.scenario import Auth, Target
from loadtest.plan.scenario_file import scenario_from_settings, worker_settings
from loadtest.plan.target import url_problem, userinfo

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\n'


def mistakes(folder: Folder, text: str) -> list[str]:
    """Of a [target] that begins on line 2."""
    return [line.removeprefix("mine.toml:") for line in folder.mistakes(HEAD + text)]


def test_a_timeout_of_pings_goes_with_pings(folder: Folder) -> None:
    traffic = "url = 'ws://a'\n[traffic]\nevery = '1s'\nping_timeout = '2s'\n"
    assert mistakes(folder, traffic) == ["6: `ping_timeout` needs `ping`, which is missing"]
    scenario = folder.load(HEAD + traffic + "ping = '1s'\n")
    assert scenario.traffic is not None
    assert (scenario.traffic.ping_ns, scenario.traffic.ping_timeout_ns) == (1_000_000_000, 2_000_000_000)


def test_a_bare_target_is_the_simulator_with_everything_at_its_default(folder: Folder) -> None:
    assert folder.load(HEAD + 'url = "simulator"').target == Target(url="simulator")


def test_every_key_of_a_target(folder: Folder) -> None:
    for name in ("ca.pem", "client.pem", "client.key"):
        folder.write(name, "")
    folder.write("users.csv", "id,mail\na,x@y\n")
    target = folder.load(
        HEAD
        + """url = "wss://user:pw@[::1]:8443/ws?a=b"
headers = { Origin = "https://a", "X-Key" = "{env.KEY}" }
cookies = { c = "{user.mail}" }
query = { "q r" = "{run.id} {uuid}" }
subprotocols = []
identities = "users.csv"
ca_file = "ca.pem"
client_cert = "client.pem"
client_key = "client.key"
compression = true
connect_timeout = "3s"
max_message = "1KiB"
"""
    ).target
    assert target == Target(
        url="wss://user:pw@[::1]:8443/ws?a=b",
        headers={"Origin": "https://a", "X-Key": "{env.KEY}"},
        cookies={"c": "{user.mail}"},
        query={"q r": "{run.id} {uuid}"},
        subprotocols=(),
        identities=({"id": "a", "mail": "x@y"},),
        ca_file=folder.path / "ca.pem",
        client_cert=folder.path / "client.pem",
        client_key=folder.path / "client.key",
        compression=True,
        connect_timeout_ns=3_000_000_000,
        max_message_bytes=1024,
    )


@pytest.mark.parametrize(
    "url",
    ["simulator", "ws://a", "wss://a.b:1/c?d=e", "WS://[::1]/", "ws://127.0.0.1:1/ws", 'ws://a/?x={"y"}'],
)
def test_urls_that_are_right(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("localhost:8000", "must be `simulator` or begin with ws:// or wss://"),
        ("http://a", "must begin with ws:// or wss://, not http://; try ws://"),
        ("https://a", "not https://; try wss://"),
        ("ftp://a", "must begin with ws:// or wss://, not ftp://"),
        ("ws://", "has no host"),
        ("ws://a b", "must not contain a space"),
        ("ws://a/#x", "must not contain a space or a `#`"),
        ("ws://a:99999", "is not a URL"),
        ("ws://[::1", "is not a URL"),
        ("ws://a/{user.id}", "cannot contain placeholders"),
        ("ws://a\x00", "must not contain"),
    ],
)
def test_urls_that_are_wrong(url: str, sentence: str) -> None:
    assert sentence in (url_problem(url) or "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", '2: `url` is missing; write url = "simulator"'),
        ("url = 'http://a'", "3: `url` must begin with ws:// or wss://"),
        ("url = 'ws://a'\nhost = 'a'", "4: unknown key `host`; the whole address is `url`"),
        ("url = 'ws://a'\nheaders = { 'a b' = 'x' }", '4: "a b" cannot be the name of a header'),
        (
            "url = 'ws://a'\nheaders = { Host = 'x' }",
            "4: `Host` is a header that loadtest writes itself, with the host of `url`",
        ),
        (
            "url = 'ws://a'\nheaders = { Sec-WebSocket-Protocol = 'x' }",
            (
                "4: `Sec-WebSocket-Protocol` is a header that loadtest writes itself; write the subprotocols"
                " to offer in `subprotoc"
            ),
        ),
        (
            "url = 'ws://a'\nheaders = { sec-websocket-extensions = 'x' }",
            (
                "4: `sec-websocket-extensions` is a header that loadtest writes itself; to offer"
                " permessage-deflate, write"
            ),
        ),
        (
            "url = 'ws://a'\nheaders = { Content-Length = '2' }",
            "4: `Content-Length` belongs to a request with a body",
        ),
        (
            "url = 'ws://a'\nheaders = { Cookie = 'a=b' }\ncookies = { c = 'd' }",
            "4: `Cookie` and `cookies` both set the cookies; remove one of them",
        ),
        (
            "url = 'ws://user:pw@a'\nheaders = { Authorization = 'x' }",
            "3: both `url` and `Authorization` contain credentials; remove one of them",
        ),
        (
            "url = 'ws://user:pw@a'\nauth = { kind = 'token', token_env = 'T' }",
            "3: both `url` and `auth` contain credentials; remove one of them",
        ),
        ("url = 'ws://u%3Aser:pw@a'", "3: `url` has a colon in the user"),
        ("url = 'ws://user:p%0Aw@a'", "3: `url` has a colon in the user, or a control character"),
        *(
            (
                f"url = 'ws://a'\nconnect_to = '{wrong}'",
                '4: `connect_to` must be a host and a port, such as "10.0.0.5:443", not',
            )
            for wrong in ("10.0.0.5", ":443", "10.0.0.5:no", "ws://a:443", "a:443/ws", "a:0")
        ),
        (
            "url = 'ws://a'\nconnect_to = 'user:pw@a:443'",
            '4: `connect_to` must be a host and a port, such as "10.0.0.5:443", not ...',
        ),
        ("url = 'ws://a'\naddresses = 'random'", "4: `addresses`"),
        (
            "url = 'ws://a'\nheaders = { A = \"x\\ny\" }",
            "4: the value of `A` contains characters that are not allowed in a header",
        ),
        ("url = 'ws://a'\nheaders = { A = '{user.mail}' }", "4: there is no placeholder {user.mail}"),
        ("url = 'ws://a'\nquery = { A = '{turn.id}' }", "4: there is no placeholder {turn.id}"),
        ("url = 'ws://a'\nsubprotocols = ['ok', 'a,b']", '4: "a,b" cannot be a subprotocol'),
        ("url = 'ws://a'\nca_file = 'no.pem'", '4: `ca_file`: there is no file "no.pem"'),
        ("url = 'ws://a'\nca_file = 5", "4: `ca_file` must be text, not 5"),
        ('url = "ws://a"\nca_file = "\\u0000"', "4: `ca_file`: there is no file"),
        (f"url = 'ws://a'\nca_file = '{'x' * 5000}'", "4: `ca_file`: there is no file"),
        ("url = 'ws://a'\nclient_key = 'mine.toml'", "4: `client_key` needs `client_cert`"),
        (
            "url = 'ws://a'\nca_file = 'mine.toml'\ninsecure = true",
            "5: with `insecure` no certificate is verified; remove `insecure` or",
        ),
        ("url = 'ws://a'\nidentities = 'no.csv'", "4: `identities`: no.csv: there is no such file"),
    ],
)
def test_mistakes_in_a_target(folder: Folder, text: str, sentence: str) -> None:
    (told,) = mistakes(folder, text)
    assert told.startswith(sentence)


# ---------------------------------------------------------------- credentials


def auth(folder: Folder, text: str) -> Auth | None:
    return folder.load(HEAD + "url = 'ws://a'\n[target.auth]\n" + text).target.auth


@pytest.mark.parametrize(
    ("way", "name", "form"),
    [
        ("header", "Authorization", "Bearer {token}"),
        ("query", "token", "{token}"),
        ("cookie", "token", "{token}"),
        ("subprotocol", "", "jwt.{token_base64url}"),
    ],
)
def test_each_way_of_sending_a_credential_has_its_usual_form(
    folder: Folder, way: str, name: str, form: str
) -> None:
    found = auth(folder, f'kind = "jwt"\nsecret_env = "S"\nsend_as = "{way}"')
    assert found == Auth(
        kind="jwt",
        secret_env="S",
        send_as=way,  # type: ignore[arg-type]  # parametrized
        name=name,
        format=form,
        claims={"sub": "{user.id}"},
    )


def test_a_header_of_another_name_takes_the_bare_token(folder: Folder) -> None:
    found = auth(folder, 'kind = "token"\ntoken_env = "T"\nname = "X-Api-Key"')
    assert found is not None
    assert (found.format, found.claims) == ("{token}", {"sub": "{user.id}"})


def test_every_key_of_a_credential(folder: Folder) -> None:
    found = auth(
        folder,
        """kind = "jwt"
secret_env = "S"
send_as = "header"
name = "authorization"
format = "Token {token}"
lifetime = "1m"
[target.auth.claims]
sub = "{user.id}"
jti = "{uuid}"
roles = ["a", 1, 1.5, true]
deep = { a = "{not.filled}" }
""",
    )
    assert found == Auth(
        kind="jwt",
        secret_env="S",
        name="authorization",
        format="Token {token}",
        lifetime_ns=60_000_000_000,
        claims={"sub": "{user.id}", "jti": "{uuid}"},
        fixed_claims={"roles": ["a", 1, 1.5, True], "deep": {"a": "{not.filled}"}},
    )


def test_a_token_file_is_relative_to_the_scenario(folder: Folder) -> None:
    found = auth(folder, 'kind = "token"\ntoken_file = "t.txt"')
    assert found is not None
    assert found.token_file == Path(folder.path / "t.txt")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("secret_env = 'S'", "4: `kind` is missing"),
        ("kind = 'oauth'", '5: `kind` cannot be "oauth"'),
        ("kind = 'jwt'", '4: kind = "jwt" needs `secret_env`'),
        ("kind = 'token'", '4: kind = "token" needs `token_env` or `token_file`'),
        (
            "kind = 'token'\ntoken_env = 'A'\ntoken_file = 'b'",
            '4: kind = "token" needs `token_env` or `token_file` or `token_command`, not both',
        ),
        (
            "kind = 'token'\ntoken_env = 'A'\nlifetime = '1s'",
            '7: remove `lifetime`, which kind = "token" does not have',
        ),
        ("kind = 'jwt'\nsecret_env = 'S'\nsend_as = 'body'", '7: `send_as` cannot be "body"'),
        (
            "kind = 'jwt'\nsecret_env = 'S'\nsend_as = 'subprotocol'\nname = 'x'",
            "8: remove `name`: a subprotocol has none",
        ),
        ("kind = 'jwt'\nsecret_env = 'S'\nname = 'a b'", '7: "a b" cannot be the name of a header'),
        ("kind = 'jwt'\nsecret_env = 'S'\nformat = 'Bearer'", "7: `format` must contain {token}"),
        (
            "kind = 'jwt'\nsecret_env = 'S'\nformat = '{token}{user.id}'",
            "7: there is no placeholder {user.id}",
        ),
        (
            "kind = 'jwt'\nsecret_env = 'S'\nclaims = { sub = '{turn.id}' }",
            "7: there is no placeholder {turn.id}",
        ),
        ("kind = 'jwt'\nsecret_env = 'S'\nclaims = { d = 2026-01-01 }", "7: `d` must be text, a number"),
        ("kind = 'jwt'\nsecret_env = 'S'\nclaims = { iss = 5 }", "7: `iss` must be text (RFC 7519"),
        ("kind = 'jwt'\nsecret_env = 'S'\nclaims = { d = [{ x = inf }] }", "7: `d` must be text, a number"),
        (
            "kind = 'jwt'\nsecret_env = 'S'\nsecret = 'x'",
            "7: unknown key `secret`; a secret does not belong in a file",
        ),
    ],
)
def test_mistakes_in_a_credential(folder: Folder, text: str, sentence: str) -> None:
    (told,) = mistakes(folder, "url = 'ws://a'\n[target.auth]\n" + text)
    assert told.startswith(sentence)


def test_a_secret_in_the_place_of_a_variable_is_not_repeated(folder: Folder) -> None:
    (told,) = mistakes(folder, "url = 'ws://a'\n[target.auth]\nkind = 'jwt'\nsecret_env = 's3cr3t-value!'")
    assert "must be the name of an environment variable" in told
    assert "s3cr3t" not in told


@pytest.mark.parametrize("host", ["a..b", "a" * 300, "x." + "y" * 64])
def test_a_host_that_no_name_server_can_hold_is_told_before_the_run(host: str) -> None:
    assert "contains an invalid host name" in (url_problem(f"ws://{host}/") or "")


def test_every_row_that_a_header_or_cookie_shows_is_looked_at(folder: Folder) -> None:
    """Else the second user's row would end the run when another has been ready for a second."""
    rows = 'identities = [{ id = "a", room = "1" }, { id = "c\\r\\nX: y", room = "\\u0001" }]'
    head = f'url = "ws://h"\n{rows}\n'
    for shown in ('headers = { A = "x {user.id}" }', 'cookies = { a = "{user.room}" }'):
        (mistake,) = mistakes(folder, head + shown)
        assert "row 2 contains a line break or another control character" in mistake
    assert folder.load(HEAD + head + 'query = { a = "{user.id}" }').target.query


@pytest.mark.parametrize(
    "setting",
    [
        'target.auth={kind="token",token="RAWTOKEN"',
        "target.headers=RAWTOKEN",
        "target.cookies=['RAWTOKEN']",
        "target.query.token=20260101",
        "target.url=http://me:RAWTOKEN@host/?token=20260101",
        "target.url=ws://me:RAW@TOKEN@h ost/?token=20260101",
        "target.url=ws://me:RAWTOKEN@:80?20260101",
    ],
)
def test_a_mistake_about_a_credential_does_not_repeat_it(folder: Folder, setting: str) -> None:
    told = folder.mistakes(HEAD, sets=(setting,))
    assert told
    assert not [sentence for sentence in told if re.search("RAW|TOKEN|20260101", sentence)]


def test_values_that_code_gives_before_each_connection_are_known(folder: Folder) -> None:
    text = 'url = "simulator"\nquery = { t = "{user.ticket}" }\n'
    target = folder.load(f'{HEAD}{text}before_connect = ["ticket"]\n').target
    assert target.user_columns == ["user.ticket"]
    assert "there is no placeholder {user.ticket}" in mistakes(folder, text)[0]
    assert mistakes(folder, 'url = "simulator"\nbefore_connect = ["a ticket"]\n') == [
        '4: "a ticket" cannot be the name of a value: use letters, digits and `_`'
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10.0.0.5:443", ("10.0.0.5", 443)),
        ("[::1]:8443", ("::1", 8443)),
        ("balancer.example:80", ("balancer.example", 80)),
    ],
)
def test_what_to_connect_to_is_a_host_and_a_port(
    folder: Folder, written: str, meant: tuple[str, int]
) -> None:
    scenario = folder.load(HEAD + f"url = 'ws://a'\nconnect_to = '{written}'\n")
    assert scenario.target.connect_to == meant
    target = scenario.settings["target"]
    assert isinstance(target, dict)
    assert target["connect_to"] == written


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("ws://a/ws", None),
        ("ws://alice:s3cr3tpw@a/ws", ("alice", "s3cr3tpw")),
        ("ws://al%40ice:p%C3%A4ss%2F@a/ws", ("al@ice", "p\u00e4ss/")),
        ("ws://alice@a/ws", ("alice", "")),
        ("ws://:pw@a/ws", ("", "pw")),
    ],
)
def test_a_url_may_hold_a_user_and_a_password(url: str, found: tuple[str, str] | None) -> None:
    assert userinfo(url) == found
    assert url_problem(url) is None


def test_cookies_of_the_target_are_kept_where_that_is_asked_for(folder: Folder) -> None:
    scenario = folder.load(HEAD + "url = 'ws://a'\ncookies = { lang = 'en', keep = true }\n")
    assert (scenario.target.cookies, scenario.target.keep_cookies) == ({"lang": "en"}, True)
    assert scenario_from_settings(worker_settings(scenario)).target == scenario.target
    target = scenario.settings["target"]
    assert isinstance(target, dict)
    assert target["cookies"] == {"lang": "[not kept]", "keep": True}
    alone = folder.load(HEAD + "url = 'ws://a'\ncookies.keep = true\n").target
    assert (alone.cookies, alone.keep_cookies) == ({}, True)
    assert not folder.load(HEAD + "url = 'ws://a'\ncookies.keep = false\n").target.keep_cookies


def test_a_cookie_may_be_called_keep(folder: Folder) -> None:
    target = folder.load(HEAD + "url = 'ws://a'\ncookies = { keep = 'me' }\n").target
    assert (target.cookies, target.keep_cookies) == ({"keep": "me"}, False)


def test_a_cookie_is_text(folder: Folder) -> None:
    (told,) = mistakes(folder, "url = 'ws://a'\ncookies = { a = 1, keep = true }\n")
    assert told.startswith("4: ")


@pytest.mark.parametrize(("url", "near"), [("127.0.0.1:8765", True), ("[::1]:80/ws", True), ("chat", False)])
def test_a_host_and_a_port_are_told_what_they_lack(*, url: str, near: bool) -> None:
    assert str(url_problem(url)).endswith("; try ws:// before it") is near


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("true", (True, False)),
        ("false", (False, False)),
        ("{ send = true }", (True, True)),
        ("{ send = false }", (True, False)),
    ],
)
def test_compression_may_be_of_what_we_send_too(
    folder: Folder, written: str, found: tuple[bool, bool]
) -> None:
    target = folder.load(HEAD + f'url = "ws://h"\ncompression = {written}\n').target
    assert (target.compression, target.compress_sent) == found
    kept = scenario_from_settings(
        worker_settings(folder.load(HEAD + f'url = "ws://h"\ncompression = {written}\n'))
    )
    assert kept.target == target


@pytest.mark.parametrize("written", ["1", '"send"', "{ send = 1 }", "{}", "{ send = true, level = 9 }"])
def test_any_other_compression_is_a_mistake(folder: Folder, written: str) -> None:
    with pytest.raises(ConfigError, match=r"`compression` must be true, false or \{ send = true \}, not"):
        folder.load(HEAD + f'url = "ws://h"\ncompression = {written}\n')


SIGNED = HEAD + 'url = "wss://h.example/ws"\nauth = {{ kind = "sigv4", {} }}\n'


def test_a_url_is_signed_by_region_service_and_profile(folder: Folder) -> None:
    scenario = folder.load(SIGNED.format('region = "eu-central-1"'))
    auth = scenario.target.auth
    assert auth == Auth(
        kind="sigv4", send_as="query", name="", format="", region="eu-central-1", service="execute-api"
    )
    assert scenario_from_settings(worker_settings(scenario)).target.auth == auth
    more = folder.load(
        SIGNED.format(
            'region = "x", service = "transcribe", profile = "p", lifetime = "5m", send_as = "query"'
        )
    ).target.auth
    assert more is not None
    assert (more.service, more.profile, more.lifetime_ns) == ("transcribe", "p", 300_000_000_000)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ('profile = "p"', 'kind = "sigv4" needs `region`'),
        ('region = "r", token_env = "T"', 'remove `token_env`, which kind = "sigv4" does not have'),
        ('region = "r", send_as = "header"', "remove `send_as`"),
        ('region = "r", name = "X"', "remove `name`"),
        ('region = "r", format = "{{token}}"', "remove `format`"),
        ('region = "r", lifetime = "8d"', "at most 7 days"),
        ('region = "r/s"', "cannot be a `region` of AWS"),
        ('region = "r", service = "a b"', "cannot be a `service` of AWS"),
    ],
)
def test_what_is_wrong_of_a_signed_url_is_told(folder: Folder, keys: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        folder.load(SIGNED.format(keys.replace("{{", "{").replace("}}", "}")))
    assert sentence in str(told.value)
