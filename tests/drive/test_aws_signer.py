"""URLs signed for AWS by botocore, held against a verifier that follows AWS' documentation."""

from __future__ import annotations

import hashlib
import hmac
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from loadtest.drive.aws_signer import AwsSigner
from loadtest.drive.credentials import CredentialProvider
from loadtest.errors import ConfigError
from loadtest.keep.redact import Redactor
from loadtest.plan.scenario import Auth, Target
from loadtest.speak.connect_refusal import ConnectRefusal

botocore = pytest.importorskip("botocore")

HOST = "abc.execute-api.eu-central-1.amazonaws.com"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "a/session+token=",
}


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Nothing of this machine's own: neither variables nor files."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", *KEYS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return monkeypatch


def auth_of(**keys: object) -> Auth:
    return Auth(kind="sigv4", send_as="query", name="", format="", region="eu-central-1", **keys)


def signer(auth: Auth | None = None, learned: list[str] | None = None) -> AwsSigner:
    known: list[str] = [] if learned is None else learned
    made = AwsSigner(auth or auth_of(), lambda: 0, known.extend)
    made.renew()
    return made


def verified(host: str, path: str, secret: str = KEYS["AWS_SECRET_ACCESS_KEY"]) -> dict[str, str]:
    """The query of a signed URL, whose signature is right as AWS' documentation computes it."""
    parts = urlsplit(path)
    query = parse_qsl(parts.query, keep_blank_values=True)
    fields = dict(query)
    _, date, region, service, _ = fields["X-Amz-Credential"].split("/")
    signed = sorted(
        (quote(name, safe="~"), quote(value, safe="~")) for name, value in query if name != "X-Amz-Signature"
    )
    canonical = "\n".join(
        [
            "GET",
            quote(parts.path, safe="/~"),
            "&".join(f"{name}={value}" for name, value in signed),
            f"host:{host}",
            "",
            "host",
            hashlib.sha256(b"").hexdigest(),
        ]
    )
    scope = f"{date}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{fields['X-Amz-Date']}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    assert fields["X-Amz-Signature"] == hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return fields


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (HOST, "/production"),
        (HOST, "/"),
        ("localhost:8765", "/ws?room=a%20b&empty=&z=%C3%A9"),
        (
            "transcribestreaming.eu-central-1.amazonaws.com:8443",
            "/stream-transcription-websocket?sample-rate=16000",
        ),
    ],
)
def test_the_signature_is_right(environment: pytest.MonkeyPatch, host: str, path: str) -> None:
    for name, value in KEYS.items():
        environment.setenv(name, value)
    learned: list[str] = []
    found, signature = signer(learned=learned).sign(host, path)
    fields = verified(host, found)
    assert found.startswith(path.partition("?")[0] + "?")
    assert fields["X-Amz-Signature"] == signature
    assert fields["X-Amz-Expires"] == "900"
    assert fields["X-Amz-Credential"].startswith("AKIDEXAMPLE/")
    assert fields["X-Amz-Security-Token"] == KEYS["AWS_SESSION_TOKEN"]
    assert {
        name: fields[name] for name, _ in parse_qsl(urlsplit(path).query, keep_blank_values=True)
    } == dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    assert set(learned) == set(KEYS.values())


def test_a_service_may_want_its_token_beside_the_signature(environment: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        environment.setenv(name, value)
    found, _ = signer(auth_of(service="iotdevicegateway")).sign("iot.example", "/mqtt")
    unsigned, glue, token = found.partition("&X-Amz-Security-Token=")
    assert glue
    verified("iot.example", unsigned)
    assert token == quote(KEYS["AWS_SESSION_TOKEN"], safe="")


def test_a_profile_of_the_files_is_taken(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[tester]\naws_access_key_id = AKIDTESTER\naws_secret_access_key = another+secret\n"
    )
    found, _ = signer(auth_of(profile="tester", service="transcribe", lifetime_ns=10**9)).sign(HOST, "/a")
    fields = verified(HOST, found, "another+secret")
    assert fields["X-Amz-Credential"].split("/")[0] == "AKIDTESTER"
    assert fields["X-Amz-Credential"].split("/")[3] == "transcribe"
    assert fields["X-Amz-Expires"] == "1"
    assert "X-Amz-Security-Token" not in fields


def test_without_credentials_nothing_begins() -> None:
    with pytest.raises(ConfigError, match="there are no AWS credentials: set AWS_ACCESS_KEY_ID"):
        signer()
    with pytest.raises(ConfigError, match=r"there are no AWS credentials: .*nobody"):
        signer(auth_of(profile="nobody"))


def test_without_the_library_it_says_what_to_install(environment: pytest.MonkeyPatch) -> None:
    environment.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(ConfigError, match='extra "aws"'):
        signer()


def test_credentials_that_end_are_looked_at_again(environment: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        environment.setenv(name, value)
    lasting = signer()
    assert lasting._until_ns is None
    lasting._credentials.refresh_needed = lambda: False
    lasting.token = ""
    lasting.renew()
    assert lasting._until_ns == 60_000_000_000

    def broken() -> None:
        raise botocore.exceptions.CredentialRetrievalError(provider="sso", error_msg="the session\nis over")

    lasting._credentials.get_frozen_credentials = broken
    lasting.token = ""
    with pytest.raises(ConnectRefusal, match=r"could not be renewed: .*the session is over"):
        lasting.renew()


def test_each_connection_has_a_signed_url_and_no_output_any_of_it(environment: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        environment.setenv(name, value)
    learned: list[str] = []
    provider = CredentialProvider(
        Target(url=f"wss://{HOST}/production", auth=auth_of(), query={"user": "{user.id}"}), "/production", ()
    )
    provider.tokens = signer(learned=learned)
    found = provider.credentials({"user.id": "anna"}, host=HOST)
    fields = verified(HOST, found.path)
    assert fields["user"] == "anna"
    assert found.headers == ()
    assert found.secrets == (fields["X-Amz-Signature"],)
    shown = Redactor([*learned, *found.secrets]).text(
        f"GET {found.path} HTTP/1.1\nand {fields['X-Amz-Signature']}"
    )
    by_name = Redactor([]).text(f"wss://{HOST}{found.path}")
    for secret in (*KEYS.values(), fields["X-Amz-Signature"]):
        assert secret not in shown
        assert quote(secret, safe="") not in shown + by_name
