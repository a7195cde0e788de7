from __future__ import annotations

import base64
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.simulator.identity import Identity, identify

SECRET = "a secret of at least thirty-two bytes, as HS256 wants"


def token(secret: str = SECRET, **claims: Any) -> str:
    return jwt.encode({"sub": "user-7"} | claims, secret, algorithm="HS256")


def packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("path", "headers", "offered"),
    [
        ("/ws", {"Authorization": f"Bearer {token()}"}, []),
        ("/ws", {"Authorization": f"bearer  {token()}"}, []),
        (f"/ws?env=staging&token={token()}", {}, []),
        (f"/ws?access_token={token()}", {}, []),
        ("/ws", {"Cookie": f"theme=dark; token={token()}"}, []),
        ("/ws", {}, ["jwt-auth", f"jwt.{packed(token())}"]),
        ("/ws", {}, [f"jwt.{token()}"]),
        ("/ws", {}, [f"bearer.{token()}"]),
    ],
    ids=["header", "spaces", "query", "access_token", "cookie", "base64url", "plain", "bearer"],
)
def test_a_token_is_found_wherever_backends_look(
    path: str, headers: dict[str, str], offered: list[str]
) -> None:
    assert identify(path, headers, offered, SECRET) == Identity("user-7")


@pytest.mark.parametrize(
    ("wrong", "status", "told"),
    [
        (None, 401, "no token"),
        (token("another secret of at least thirty-two bytes"), 403, "does not verify"),
        (token(exp=time.time() - 60), 403, "expired"),
        (jwt.encode({"name": "x"}, SECRET, algorithm="HS256"), 403, "does not verify"),
        (jwt.encode({"sub": "user-7"}, "", algorithm="none"), 403, "does not verify"),
        ("not.a.token", 403, "does not verify"),
    ],
    ids=["none", "signature", "expired", "no sub", "unsigned", "nonsense"],
)
def test_a_wrong_token_is_refused_with_a_reason(wrong: str | None, status: int, told: str) -> None:
    headers = {"Authorization": f"Bearer {wrong}"} if wrong else {}
    identity = identify("/ws", headers, [], SECRET)
    assert (identity.user, identity.status) == (None, status)
    assert told in identity.reason


def test_without_a_secret_a_token_is_believed() -> None:
    forged = token("another secret of at least thirty-two bytes")
    assert identify(f"/ws?token={forged}", {}, [], None) == Identity("user-7")


def test_an_opaque_token_stands_for_itself() -> None:
    first, again, other = (identify(f"/ws?token={text}", {}, [], None).user for text in ("abc", "abc", "abd"))
    assert first == again != other
    assert first is not None
    assert "abc" not in first


def test_without_a_token_the_request_may_name_its_user() -> None:
    assert identify("/ws?user_id=ann", {}, [], None).user == "ann"
    assert identify("/ws", {"X-User-Id": "ann"}, [], None).user == "ann"
    assert identify("/ws", {"X-User-Id": ""}, [], None).user is None


@given(st.text(), st.text(), st.text(), st.lists(st.text()), st.sampled_from([None, SECRET]))
def test_any_request_has_an_identity(
    path: str, authorization: str, cookie: str, offered: list[str], secret: str | None
) -> None:
    headers = {"Authorization": authorization, "Cookie": cookie}
    identity = identify("/ws?token=" + path, headers, offered, secret)
    assert identity.status in {0, 401, 403}


@given(st.text(alphabet="abc.=-_%é"))
def test_any_token_is_believed_or_hashed(text: str) -> None:
    assert identify("/ws", {"Authorization": "Bearer x" + text}, [], None).user
