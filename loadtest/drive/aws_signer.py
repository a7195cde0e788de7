"""URLs signed for AWS (Signature Version 4, in the query), by botocore's signer and credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from typing_extensions import override

from loadtest.drive.token_source import TokenSource
from loadtest.errors import ConfigError, Layer, Problem, install_line
from loadtest.plan.scenario import Auth
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.units import NS_PER_S

KEY = "[target] auth"

NOT_ASKED = ("container-role", "iam-role")
"""Sources of credentials that are addresses of the network every machine may have: nothing is asked there."""

RENEWED_AFTER_NS = 60 * NS_PER_S
"""How often credentials that end by themselves are looked at; botocore renews them in time."""

TOKEN_UNSIGNED = frozenset({"iotdevicegateway"})
"""Services that want the session's token beside the signature, not under it."""


class AwsSigner(TokenSource):
    """Signs the URL of each connection.

    Raises:
        ConfigError: botocore is not installed, or there are no credentials.
    """

    _origin = "AWS"

    def __init__(self, auth: Auth, now: Callable[[], int], learn: Callable[[Iterable[str]], None]) -> None:
        super().__init__(now, learn)
        try:
            import botocore.exceptions
            import botocore.session
        except ImportError:
            run = install_line('"botocore>=1.35"', "aws")
            sentence = f'kind = "sigv4" needs botocore, which is not installed here; run: {run}'
            raise ConfigError([Problem(KEY, sentence)]) from None
        self._auth = auth
        self._error: type[Exception] = botocore.exceptions.BotoCoreError
        self._frozen: Any = None
        try:
            session = botocore.session.Session(profile=auth.profile)
            sources = session.get_component("credential_provider")
            for name in NOT_ASKED:
                sources.remove(name)
            self._credentials = session.get_credentials()
        except self._error as error:
            raise ConfigError([Problem(KEY, f"there are no AWS credentials: {_one_line(error)}")]) from None
        if self._credentials is None:
            sentence = (
                "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write a"
                " `profile` that has credentials"
            )
            raise ConfigError([Problem(KEY, sentence)])

    @override
    def _fetch(self) -> tuple[str, int | None]:
        try:
            found = self._credentials.get_frozen_credentials()
        except self._error as error:
            raise ConnectRefusal(
                Layer.AUTH, f"the AWS credentials could not be renewed: {_one_line(error)}"
            ) from None
        self._learn([each for each in (found.secret_key, found.token) if each])
        self._frozen = found
        ends = hasattr(self._credentials, "refresh_needed")
        return found.access_key or "", RENEWED_AFTER_NS if ends else None

    def sign(self, host: str, path: str) -> tuple[str, str]:
        """The path and query with a signature in it, and the signature; ``host`` as the header says it."""
        from botocore.auth import SigV4QueryAuth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import ReadOnlyCredentials

        auth, found = self._auth, self._frozen
        apart = auth.service in TOKEN_UNSIGNED and found.token
        if apart:
            found = ReadOnlyCredentials(found.access_key, found.secret_key, None)
        seconds = max(auth.lifetime_ns // NS_PER_S, 1)
        # Signed are host, path and query: a wss:// URL is signed as the https:// one that it upgrades.
        request = AWSRequest(method="GET", url=f"https://{host}{path}", headers={"Host": host})
        SigV4QueryAuth(found, auth.service, auth.region, expires=seconds).add_auth(request)
        parts = urlsplit(request.url)
        query = parts.query
        signature = parse_qs(query)["X-Amz-Signature"][0]
        if apart:
            query += f"&X-Amz-Security-Token={quote(self._frozen.token, safe='')}"
        return f"{parts.path}?{query}", signature


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
