"""JSON Web Tokens (RFC 7519): HS256 with a shared secret, RS256, ES256 and EdDSA with a private key.

RFC 7518 sections 3.2 to 3.4, RFC 8037 section 3.1.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from loadtest.errors import ConfigError, Problem
from loadtest.plan.scenario import Auth

_ASYMMETRIC = ("-----BEGIN ", "ssh-", "ecdsa-sha2-")
"""How the text of a certificate, or of a key of a pair, begins."""


class Signer(Protocol):
    """Signs claims."""

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The token in compact form."""


def signer_of(auth: Auth, secret: str) -> Signer:
    """The signer of a credential; ``secret`` is the shared one, or the PEM of a private key.

    Raises:
        ConfigError: it is none that the algorithm can sign with, or the extra for it is not installed.
    """
    if auth.algorithm == "HS256":
        return TokenSigner(secret, auth.key_id)
    return KeySigner(auth.algorithm, secret, auth.key_id)


class KeySigner:
    """Signs with one private key, which is read once.

    Raises:
        ConfigError: it is no private key of the algorithm, or ``cryptography`` is not installed.
    """

    __slots__ = ("_algorithm", "_header", "_key")

    def __init__(self, algorithm: str, pem: str, key_id: str | None = None) -> None:
        try:
            import cryptography  # noqa: F401 - PyJWT would say so less clearly
        except ImportError:
            sentence = (
                f'algorithm = "{algorithm}" needs cryptography, which is not installed here; run: pip install'
                " cryptography"
            )
            raise ConfigError([Problem("[target] auth", sentence)]) from None
        from jwt.algorithms import get_default_algorithms
        from jwt.exceptions import InvalidKeyError

        self._algorithm = get_default_algorithms()[algorithm]
        self._header = _base64url(_json(_fields(algorithm, key_id))) + b"."
        wrong = (
            f"secret_env or key_file must contain a private key for {algorithm} as PEM (BEGIN PRIVATE KEY)"
        )
        try:
            self._key = self._algorithm.prepare_key(pem)
            self._algorithm.sign(b"", self._key)
        except (ValueError, TypeError, AttributeError, InvalidKeyError):
            raise ConfigError([Problem("[target] auth", wrong)])

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The token in compact form."""
        signed = self._header + _base64url(_json(claims))
        return (signed + b"." + _base64url(self._algorithm.sign(signed, self._key))).decode()


class TokenSigner:
    """Signs with one secret: 6 us a token of five claims, as the key of the HMAC is prepared once.

    Raises:
        ConfigError: the secret is a certificate or a key of a pair, with which HS256 must not sign.
    """

    __slots__ = ("_header", "_keyed")

    def __init__(self, secret: str, key_id: str | None = None) -> None:
        if secret.lstrip().startswith(_ASYMMETRIC):
            raise ConfigError(
                [
                    Problem(
                        "[target] auth",
                        "secret_env contains a certificate or an asymmetric key, but HS256 needs the secret"
                        " that the target shares. To sign with a private key, write algorithm = "
                        '"RS256", "ES256" or "EdDSA"',
                    )
                ]
            )
        self._header = _base64url(_json(_fields("HS256", key_id))) + b"."
        # With surrogates: an environment variable may hold any bytes.
        self._keyed = hmac.new(secret.encode("utf-8", "surrogateescape"), digestmod="sha256")

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The token in compact form."""
        signed = self._header + _base64url(_json(claims))
        keyed = self._keyed.copy()
        keyed.update(signed)
        return (signed + b"." + _base64url(keyed.digest())).decode()


def _json(claims: Mapping[str, Any]) -> bytes:
    """UTF-8 text; lone surrogates, which that cannot hold, as JSON's escapes."""
    try:
        return msgspec.json.encode(claims)
    except UnicodeEncodeError:
        return json.dumps(claims).encode()


def _base64url(data: bytes) -> bytes:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _fields(algorithm: str, key_id: str | None) -> dict[str, str]:
    return {"alg": algorithm, "typ": "JWT", **({"kid": key_id} if key_id else {})}
