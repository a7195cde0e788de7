"""One list of names: what a plan hides, a kept file hides as well, and so does a report on a system."""

from __future__ import annotations

import pytest

from loadtest.secret_names import KEY, PUBLIC_HEADERS, QUERY_KEY, sounds_secret, subprotocol_secrets

SECRET = (
    "authorization",
    "cookie",
    "jwt",
    "client_secret",
    "db-password",
    "pass",
    "user_pass",
    "passphrase",
    "passwd",
    "user_pwd",
    "api_key",
    "x.signature",
    "accessToken",
    "XSRFToken",
    "clientSecret",
    "user_pin",
    "passcode",
    "session_id",
)


@pytest.mark.parametrize("name", SECRET)
def test_a_name_that_is_hidden_in_one_place_is_hidden_in_all(name: str) -> None:
    assert KEY.fullmatch(name)
    assert QUERY_KEY.fullmatch(name)
    assert sounds_secret(name)
    assert sounds_secret(name.upper())


@pytest.mark.parametrize("name", ["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"])
def test_what_a_url_signed_for_aws_carries_is_hidden(name: str) -> None:
    assert QUERY_KEY.fullmatch(name)
    assert QUERY_KEY.fullmatch(name.lower())
    assert sounds_secret(name)


@pytest.mark.parametrize(
    "name", ["room", "max_tokens_left", "version", "theme", "maxTokens", "bypass", "pinned"]
)
def test_other_names_hide_nothing(name: str) -> None:
    assert not KEY.fullmatch(name)
    assert not QUERY_KEY.fullmatch(name)


def test_public_headers_are_lower_case_and_name_no_secret() -> None:
    assert all(name == name.lower() and not KEY.fullmatch(name) for name in PUBLIC_HEADERS)


@pytest.mark.parametrize(
    ("names", "secrets"),
    [
        (["chat", "v2.chat.example"], []),
        (["jwt.t0ken-with-signs"], ["t0ken-with-signs", "t0ken-with-signs"]),
        (["bearer", "t0ken"], ["t0ken"]),
        (["base64url.bearer.authorization.k8s.io.dG9r"], ["dG9r", "dG9r"]),
        (["bearer.chat.example.t0ken"], ["chat.example.t0ken", "t0ken"]),
        (["x" * 40], ["x" * 40]),
    ],
)
def test_tokens_among_subprotocols(names: list[str], secrets: list[str]) -> None:
    assert subprotocol_secrets(names) == secrets
