"""Our tokens are those of JWT: PyJWT, which is not ours, verifies them and finds the same claims."""

from __future__ import annotations

import sys
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from loadtest.drive.token_signer import TokenSigner, signer_of
from loadtest.errors import ConfigError
from loadtest.plan.scenario import Auth

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


def pem_of(key: Any) -> str:
    """A private key as PEM."""
    private, pkcs8, open_ = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    return str(key.private_bytes(private, pkcs8, open_).decode())


ALGORITHMS = ("RS256", "ES256", "EdDSA")


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    """A private key for each; the first takes a third of a second."""
    return {
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_library_verifies_what_a_private_key_signed(keys: dict[str, Any], algorithm: str) -> None:
    auth = Auth(kind="jwt", algorithm=algorithm, key_id="k1")  # type: ignore[arg-type]  # it is one of three
    token = signer_of(auth, pem_of(keys[algorithm])).sign({"sub": "anna", "n": [1]})
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": "k1"}
    public = keys[algorithm].public_key()
    assert jwt.decode(token, public, algorithms=[algorithm]) == {"sub": "anna", "n": [1]}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("other", ["no key", "public", "another kind"])
def test_what_is_no_private_key_of_the_algorithm_is_refused(
    keys: dict[str, Any], algorithm: str, other: str
) -> None:
    public = (
        keys[algorithm].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    )
    another = pem_of(keys["EdDSA" if algorithm == "RS256" else "RS256"])
    text = {"no key": "s3cr3t", "public": public, "another kind": another}[other]
    with pytest.raises(ConfigError, match=f"must contain a private key for {algorithm}") as caught:
        signer_of(Auth(kind="jwt", algorithm=algorithm), text)  # type: ignore[arg-type]  # it is one of three
    assert "s3cr3t" not in str(caught.value)


def test_without_the_extra_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigError, match="pip install cryptography"):
        signer_of(Auth(kind="jwt", algorithm="EdDSA"), "x")


def test_a_shared_secret_may_have_a_name_too() -> None:
    token = signer_of(Auth(kind="jwt", key_id="k2"), SECRET).sign({"sub": "anna"})
    assert jwt.get_unverified_header(token)["kid"] == "k2"
    assert read(token) == {"sub": "anna"}
