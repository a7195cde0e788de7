"""JSON Web Tokens (RFC 7519) signed with a shared secret: HS256 (RFC 7518 section 3.2)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from loadtest.errors import ConfigError, Problem

_ASYMMETRIC = ("-----BEGIN ", "ssh-", "ecdsa-sha2-")
"""How the text of a certificate, or of a key of a pair, begins."""


class TokenSigner:
    """Signs with one secret: 6 us a token of five claims, as the key of the HMAC is prepared once.

    Raises:
        ConfigError: the secret is a certificate or a key of a pair, with which HS256 must not sign.
    """

    __slots__ = ("_keyed",)

    def __init__(self, secret: str) -> None:
        if secret.lstrip().startswith(_ASYMMETRIC):
            raise ConfigError(
                [
                    Problem(
                        "[target] auth",
                        "secret_env holds a certificate or a key of a pair; tokens are signed with HS256, "
                        "which needs the secret that the target shares",
                    )
                ]
            )
        # With surrogates: an environment variable may hold any bytes.
        self._keyed = hmac.new(secret.encode("utf-8", "surrogateescape"), digestmod="sha256")

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The token in compact form."""
        signed = _HEADER + _base64url(_json(claims))
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


_HEADER = _base64url(b'{"alg":"HS256","typ":"JWT"}') + b"."
