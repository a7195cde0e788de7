"""What each user shows at the door: where it stands, what it says, and that no two are the same."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.drive.credentials import CredentialProvider, Credentials, environment_values
from loadtest.errors import ConfigError, Exit
from loadtest.plan.scenario import Auth, Target
from loadtest.plan.trace_parent import of_user, trace_parent

SECRET = "a secret of thirty-two characters"
ANNA = {"user.id": "anna", "user.number": "7", "run.id": "a-run"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", SECRET)
    monkeypatch.setenv("TEST_TOKEN", "to/kens")
    monkeypatch.setenv("TEST_KEY", "k 1&2")


def jwt_auth(**parts: Any) -> Auth:
    return Auth(kind="jwt", secret_env="TEST_SECRET", **parts)


def token_auth(**parts: Any) -> Auth:
    return Auth(kind="token", token_env="TEST_TOKEN", **parts)


def provider(path: str = "/ws", subprotocols: tuple[str, ...] = (), **target: Any) -> CredentialProvider:
    return CredentialProvider(Target(url="ws://test", **target), path, subprotocols)


def credentials_of(path: str = "/ws", subprotocols: tuple[str, ...] = (), **target: Any) -> Credentials:
    return provider(path, subprotocols, **target).credentials(ANNA)


def claims_of(found: Credentials, **options: Any) -> dict[str, Any]:
    """The claims of the token in the Authorization header; the signature is checked."""
    shown = dict(found.headers)["Authorization"].removeprefix("Bearer ")
    claims: dict[str, Any] = jwt.decode(shown, SECRET, algorithms=["HS256"], **options)
    return claims


# ------------------------------------------------------------------ without credentials


def test_a_bare_target_has_the_same_credentials_for_all() -> None:
    same = provider(subprotocols=("chat",))
    assert same.credentials(ANNA) == Credentials("/ws", (), ("chat",), None)
    assert same.credentials(ANNA) is same.credentials({})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://alice:s3cr3tpw@test/ws", "alice:s3cr3tpw"),
        ("ws://al%40ice:p%C3%A4ss@test", "al@ice:p\u00e4ss"),
        ("ws://alice@test", "alice:"),
    ],
)
def test_user_and_password_of_the_url_are_basic_authorization(url: str, shown: str) -> None:
    found = CredentialProvider(Target(url=url), "/ws", ()).credentials(ANNA)
    ((name, value),) = found.headers
    assert name == "Authorization"
    assert value.startswith("Basic ")
    assert base64.b64decode(value.removeprefix("Basic ")).decode() == shown


def test_headers_cookies_and_query_are_filled_in_for_each_user() -> None:
    found = credentials_of(
        headers={"Origin": "https://app.example", "X-User": "{user.id}"},
        cookies={"sid": "{user.number}", "lang": "en"},
        query={"as": "{user.id}", "key": "{env.TEST_KEY}"},
    )
    assert found.headers == (
        ("Origin", "https://app.example"),
        ("X-User", "anna"),
        ("Cookie", "sid=7; lang=en"),
    )
    assert found.path == "/ws?as=anna&key=k%201%262"


def test_a_query_goes_on_where_the_path_has_one() -> None:
    assert credentials_of("/ws?v=1", query={"a b": "c/d"}).path == "/ws?v=1&a%20b=c%2Fd"


def test_identities_are_shown_as_they_are() -> None:
    values = {**ANNA, "user.email": "anna@example.org"}
    assert provider(headers={"X-Mail": "{user.email}"}).credentials(values).headers == (
        ("X-Mail", "anna@example.org"),
    )


def test_what_is_fresh_differs_from_connection_to_connection() -> None:
    fresh = provider(headers={"X-Id": "{uuid}", "X-Ms": "{now_ms}", "X-S": "{now_s}"})
    before = time.time()
    first, second = dict(fresh.credentials(ANNA).headers), dict(fresh.credentials(ANNA).headers)
    assert first["X-Id"] != second["X-Id"]
    assert int(before * 1000) <= int(first["X-Ms"]) <= int(time.time() * 1000)
    assert before - 0.001 <= float(first["X-S"]) <= time.time() + 0.001


# ------------------------------------------------------------------ where a credential stands

ENCODED = base64.urlsafe_b64encode(b"to/kens").rstrip(b"=").decode()

WAYS = [
    (token_auth(), Credentials("/ws", (("Authorization", "Bearer to/kens"),), ("chat",), None)),
    (
        token_auth(name="X-Key", format="{token}"),
        Credentials("/ws", (("X-Key", "to/kens"),), ("chat",), None),
    ),
    (
        token_auth(send_as="cookie", name="sid", format="{token}"),
        Credentials("/ws", (("Cookie", "lang=en; sid=to/kens"),), ("chat",), None),
    ),
    (
        token_auth(send_as="query", name="to ken", format="{token}"),
        Credentials("/ws?to%20ken=to%2Fkens", (), ("chat",), None),
    ),
    (
        token_auth(send_as="subprotocol", name="", format="jwt.{token_base64url}"),
        Credentials("/ws", (), ("chat", f"jwt.{ENCODED}"), None),
    ),
]


@pytest.mark.parametrize(("auth", "wanted"), WAYS, ids=[auth.send_as for auth, _ in WAYS])
def test_a_token_stands_where_it_was_asked_to(auth: Auth, wanted: Credentials) -> None:
    cookies = {"lang": "en"} if auth.send_as == "cookie" else {}
    assert credentials_of(subprotocols=("chat",), auth=auth, cookies=cookies) == wanted


def test_a_token_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("from a file\n", "utf-8")
    auth = Auth(kind="token", token_file=path)
    assert dict(credentials_of(auth=auth).headers) == {"Authorization": "Bearer from a file"}


@pytest.mark.parametrize("wrong", ["gone", "empty", "controls", "no text", "pipe", "folder", "huge"])
def test_where_no_token_is_in_the_file_any_more_the_last_one_holds(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "token"
    path.write_text("first-token", "utf-8")
    made = provider(auth=Auth(kind="token", token_file=path))
    path.unlink()
    if wrong == "pipe":
        os.mkfifo(path)
    elif wrong == "folder":
        path.mkdir()
    elif wrong != "gone":
        path.write_bytes({"empty": b" ", "controls": b"a\nb", "no text": b"\xff"}.get(wrong, b"x" * 65_537))
    assert dict(made.credentials(ANNA).headers) == {"Authorization": "Bearer first-token"}


# ------------------------------------------------------------------ tokens of our own


def test_a_token_says_who_when_and_how_long() -> None:
    auth = jwt_auth(
        claims={"sub": "{user.id}", "room": "{user.number}-{run.id}"},
        fixed_claims={"admin": True, "scopes": ["a", "b"]},
        lifetime_ns=60_000_000_000,
    )
    before = int(time.time())
    found = credentials_of(auth=auth)
    claims = claims_of(found)
    assert found.user == "anna"
    assert claims.pop("jti")
    issued = claims.pop("iat")
    assert before <= issued <= time.time()
    assert claims == {
        "sub": "anna",
        "room": "7-a-run",
        "admin": True,
        "scopes": ["a", "b"],
        "exp": issued + 60,
    }


def test_without_claims_a_token_names_the_user() -> None:
    found = credentials_of(auth=jwt_auth())
    assert found.user == claims_of(found)["sub"] == "anna"


def test_each_token_is_one_of_its_kind() -> None:
    """Servers with replay protection take each ``jti`` once."""
    kept = provider(auth=jwt_auth())
    ids = [claims_of(kept.credentials(ANNA))["jti"] for _ in range(20)]
    assert len(set(ids)) == 20


def test_an_id_that_was_asked_for_is_kept() -> None:
    assert claims_of(credentials_of(auth=jwt_auth(claims={"jti": "{user.id}-1"})))["jti"] == "anna-1"


def test_a_lifetime_below_a_second_is_a_second() -> None:
    claims = claims_of(credentials_of(auth=jwt_auth(lifetime_ns=1)))
    assert claims["exp"] == claims["iat"] + 1


# ------------------------------------------------------------------ what cannot be shown


@pytest.mark.parametrize(("auth", "name"), [(jwt_auth(), "TEST_SECRET"), (token_auth(), "TEST_TOKEN")])
@pytest.mark.parametrize("value", [None, ""])
def test_a_secret_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, auth: Auth, name: str, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"environment variable {name} is not set") as caught:
        provider(auth=auth)
    assert caught.value.exit_code is Exit.CONFIG


@pytest.mark.parametrize("part", ["headers", "cookies", "query"])
def test_a_variable_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """A worker has an environment of its own."""
    monkeypatch.delenv("TEST_KEY")
    with pytest.raises(ConfigError, match="environment variable TEST_KEY is not set"):
        provider(**{part: {"X": "{user.id} {env.TEST_KEY}"}})


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_token_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="token_file cannot be read"):
        provider(auth=Auth(kind="token", token_file=path))


BROKEN = "word\r\nX-Evil: yes"


@given(st.sampled_from(["\r", "\n", "\r\n"]), st.sampled_from(["headers", "cookies"]))
def test_a_line_break_never_reaches_a_header(broken: str, part: str) -> None:
    kept = provider(**{part: {"X-Name": "{user.name}"}})
    with pytest.raises(ConfigError, match="line break"):
        kept.credentials({**ANNA, "user.name": f"a{broken}b"})


def test_a_line_break_in_a_query_is_escaped() -> None:
    assert provider(query={"n": "{user.name}"}).credentials({"user.name": "a\nb"}).path == "/ws?n=a%0Ab"


@pytest.mark.parametrize(
    "target",
    [
        {"auth": token_auth()},
        {"auth": token_auth(send_as="cookie", name="sid", format="{token}")},
        {"headers": {"X-Token": "{user.id} {env.TEST_TOKEN}"}},
        {"cookies": {"sid": "{env.TEST_TOKEN}"}},
    ],
)
def test_a_line_break_of_the_environment_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, target: dict[str, Any]
) -> None:
    monkeypatch.setenv("TEST_TOKEN", BROKEN)
    with pytest.raises(ConfigError, match="line break"):
        provider(**target)


def test_a_line_break_in_a_signing_secret_is_its_own_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", f"{SECRET}\n")
    assert provider(auth=jwt_auth()).credentials(ANNA).user == "anna"


# ------------------------------------------------------------------ what may change in the middle of a run


def test_a_token_that_is_renewed_is_read_anew_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token\n")
    ours = provider(auth=Auth(kind="token", token_file=file))
    assert dict(ours.credentials(ANNA).headers)["Authorization"] == "Bearer first-token"
    file.write_text("second-token\n")
    assert dict(ours.credentials(ANNA).headers)["Authorization"] == "Bearer second-token"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", None])
def test_a_token_that_is_being_replaced_holds_until_there_is_another(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    file.write_text("first-token\n")
    ours = provider(auth=Auth(kind="token", token_file=file))
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert dict(ours.credentials(ANNA).headers)["Authorization"] == "Bearer first-token"


def test_a_secret_is_an_environment_variable() -> None:
    assert credentials_of(query={"key": "{secret.TEST_KEY}"}).path == "/ws?key=k%201%262"


def test_what_messages_take_from_the_environment() -> None:
    found = environment_values(["{env.TEST_KEY} {user.id}", "{secret.TEST_TOKEN}"])
    assert found["secret.TEST_KEY"] == found["env.TEST_KEY"] == "k 1&2"
    assert found["secret.TEST_TOKEN"] == "to/kens"
    with pytest.raises(ConfigError, match="a message: the environment variable TEST_NOTHING is not set"):
        environment_values(["{secret.TEST_NOTHING}"])


def test_a_trace_context_in_a_header_is_that_of_the_user() -> None:
    traced = provider(headers={"traceparent": "{trace.parent}", "X-User": "{user.id}"})
    first = dict(traced.credentials(ANNA).headers)
    assert first["traceparent"] == trace_parent("a-run", of_user(7))
    assert dict(traced.credentials(ANNA).headers) == first
    assert (
        dict(traced.credentials({**ANNA, "user.number": "8"}).headers)["traceparent"] != first["traceparent"]
    )


# ------------------------------------------------------------------ what nobody knew before


def test_a_renewed_token_kept_cookies_and_values_of_own_code_are_told_as_secrets(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token")
    auth = Auth(kind="token", token_file=file)
    made = provider(auth=auth, before_connect=("ticket", "room", "shown"), cookies={"login": "{user.shown}"})
    file.write_text("second-token")
    values = {"user.id": "a", "user.ticket": "t-1234", "user.room": "lobby", "user.shown": "s-1234"}
    found = made.credentials(values, {"sticky": "c-1234"})
    # A room is no secret by its name, and is not shown where credentials are.
    assert sorted(found.secrets) == ["c-1234", "s-1234", "second-token", "t-1234"]


def test_what_is_known_before_the_run_is_none_of_them() -> None:
    assert credentials_of(headers={"X-Key": "{env.TEST_TOKEN}"}, auth=token_auth()).secrets == ()
