"""Our tokens are those of JWT: PyJWT, which is not ours, verifies them and finds the same claims."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.drive.token_signer import TokenSigner
from loadtest.errors import ConfigError

SECRET = "a secret of thirty-two characters"

VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
# What PyJWT itself looks at is given by the test below.
REGISTERED = {"aud", "exp", "iat", "iss", "jti", "nbf", "sub"}
CLAIMS = st.dictionaries(st.text().filter(lambda name: name not in REGISTERED), VALUES, max_size=6)


def read(token: str, secret: str = SECRET) -> Any:
    return jwt.decode(token, secret, algorithms=["HS256"])


@given(CLAIMS, st.text(min_size=1), st.integers(0, 1_000_000))
def test_another_library_verifies_every_token(claims: dict[str, Any], name: str, issued: int) -> None:
    claims |= {"sub": name, "jti": name, "iat": issued, "exp": 2**40}
    assert read(TokenSigner(SECRET).sign(claims)) == claims


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@given(st.text(min_size=1))
def test_any_secret_signs(secret: str) -> None:
    """PyJWT takes no secret that begins as a key of a pair does; text of chance does not."""
    assert read(TokenSigner(secret).sign({"sub": "anna"}), secret) == {"sub": "anna"}


def test_the_bytes_are_those_of_another_library() -> None:
    claims = {"sub": "anna", "iat": 1, "exp": 2}
    assert TokenSigner(SECRET).sign(claims) == jwt.encode(claims, SECRET, algorithm="HS256")


def test_a_token_does_not_depend_on_those_before() -> None:
    signer = TokenSigner(SECRET)
    first = signer.sign({"sub": "anna"})
    assert signer.sign({"sub": "bert"}) != first
    assert signer.sign({"sub": "anna"}) == first


def test_another_secret_does_not_verify() -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        read(TokenSigner("another secret of forty-two characters").sign({"sub": "anna"}))


def test_bytes_of_the_environment_that_are_no_text_are_signed_and_sign() -> None:
    """Python reads them as lone surrogates."""
    secret = b"no text \xff, of thirty-two bytes or more"
    token = TokenSigner(secret.decode("utf-8", "surrogateescape")).sign({"sub": "\udcff"})
    assert jwt.decode(token, secret, algorithms=["HS256"]) == {"sub": "\udcff"}


@pytest.mark.parametrize(
    "secret", ["-----BEGIN PRIVATE KEY-----\nMC4CAQ", "\n-----BEGIN CERTIFICATE-----\nMIIB", "ssh-rsa AAAA"]
)
def test_a_key_of_a_pair_is_no_shared_secret(secret: str) -> None:
    """Whoever has the public key could sign as well: a target that takes such tokens is broken."""
    with pytest.raises(ConfigError, match="HS256"):
        TokenSigner(secret)
