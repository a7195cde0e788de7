"""Secrets of one connection: taken out however they are written, and wholly where they overlap."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.speak import kept_secrets
from loadtest.speak.coded_text import Reading, readings
from loadtest.speak.kept_secrets import HIDDEN, MAX_SECRETS, MOST_WITHIN, SHORTEST, KeptSecrets, without


def of(*texts: str) -> KeptSecrets:
    secrets = KeptSecrets()
    for text in texts:
        secrets.add(text)
    return secrets


@pytest.mark.parametrize(
    ("secrets", "payload", "shown"),
    [
        (("abcd1234", "1234efgh"), "x abcd1234efgh y", "x [redacted] y"),
        (("1234efgh", "abcd1234"), "x abcd1234efgh y", "x [redacted] y"),
        (("abcd", "abcd1234"), "abcd1234", "[redacted]"),
        (("aXYa",), "aXYaXYa", "[redacted]"),
        (("abcd", "efgh"), "abcdefgh", "[redacted][redacted]"),
        (("abcd1234", "1234efgh"), r"abcd1\u0032\u00334efgh", "[redacted]"),
        (("aXYa",), r"aXYa\u0058Ya", "[redacted]"),
    ],
)
def test_of_secrets_that_overlap_nothing_is_left(secrets: tuple[str, ...], payload: str, shown: str) -> None:
    assert of(*secrets).hide(payload.encode()).decode() == shown


@pytest.mark.parametrize(
    "code",
    [
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: quote(text, safe=""),
        json.dumps,
        repr,
        lambda text: "".join(f"\\u{ord(letter):04X}" for letter in text),
        lambda text: json.dumps(text, ensure_ascii=False).replace("/", "\\/"),
        lambda text: json.dumps(json.dumps(text).replace("/", "\\/").replace("+", "\\u002b")),
        lambda text: quote(text, safe="").lower(),
        lambda text: quote(quote(text, safe=""), safe=""),
        lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
        lambda text: f"0x{text.encode().hex()}",
        lambda text: text.encode().hex().upper(),
        lambda text: base64.b64encode(f"\0{text}".encode()).decode(),
        lambda text: base64.urlsafe_b64encode(f"\0\1{text}\2".encode()).decode(),
        lambda text: base64.b64encode(b"???" + text.encode()).decode().replace("/", "\\/"),
    ],
)
def test_a_secret_is_found_in_every_code(code: object) -> None:
    assert callable(code)
    secret = 'p\u00e4ss/w+rd "1"'
    shown = of(secret).hide(f"it is {code(secret)}.".encode()).decode()
    assert HIDDEN in shown
    assert "rd" not in shown.removeprefix("it is ")
    assert shown.startswith("it is ")


def test_the_oldest_are_forgotten_and_short_ones_never_known() -> None:
    secrets = of("x" * (SHORTEST - 1), *(f"secret-{number:03}" for number in range(MAX_SECRETS + 1)))
    secrets.add("secret-001")
    assert len(secrets.texts) == MAX_SECRETS
    assert secrets.texts[0] == "secret-002"
    assert secrets.texts[-1] == "secret-001"
    assert secrets.hide(b"xxx secret-000 secret-001") == b"xxx secret-000 [redacted]"


@given(st.text("ab", max_size=40), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_no_letter_of_a_place_is_left_and_all_others_stay(text: str, forms: list[str]) -> None:
    inside = {
        at + n
        for form in forms
        for at in range(len(text))
        if text.startswith(form, at)
        for n in range(len(form))
    }
    kept = "".join(letter for at, letter in enumerate(text) if at not in inside)
    assert without(text, forms, "*").replace("*", "") == kept


def test_of_many_payloads_each_is_hidden_for_itself() -> None:
    payloads = [
        b"plain",
        b"hush-hush",
        b"a\\u002db hush\\u002dhush",
        b"\xff\x00\xff\x00%41",
        b"hush%2dhush",
        b"",
    ]
    shown = [b"plain", HIDDEN.encode(), b"a\\u002db [redacted]", payloads[3], HIDDEN.encode(), b""]
    assert of("hush-hush").hide_all(payloads) == shown
    assert of("other-one").hide_all(payloads) == payloads
    assert of().hide_all(payloads) == payloads
    assert of("hush-hush").hide_all([]) == []


def test_only_what_has_a_sign_of_a_code_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A joined text would be coded as a whole for one letter, and each search of it is dear."""
    decoded: list[str] = []

    def reading(text: str) -> list[Reading]:
        decoded.append(text)
        return readings(text)

    monkeypatch.setattr(kept_secrets, "readings", reading)
    of("hush-hush").hide_all(
        [b"plain", b"a \\n line", b"100 % of it", b"C:\\path", b"caf\\u00e9", b'{"a":"\\""}']
    )
    assert decoded == ["caf\\u00e9"]


def test_many_secrets_are_searched_for_in_the_forms_that_a_server_writes_of_them_alone() -> None:
    few = of(*(f"secret/{number:03}+\u00e4" for number in range(MOST_WITHIN)))
    many = of(*(f"secret/{number:03}+\u00e4" for number in range(MOST_WITHIN + 1)))
    secret = "secret/001+\u00e4"
    alone = [secret, quote(secret), json.dumps(secret), secret.replace("/", "\\/")]
    alone += [base64.b64encode(secret.encode()).decode()]
    within = [secret.encode().hex(), base64.b64encode(f"x{secret}y".encode()).decode()]
    for coded in alone:
        assert HIDDEN.encode() in few.hide(coded.encode())
        assert HIDDEN.encode() in many.hide(coded.encode())
    for coded in within:
        assert HIDDEN.encode() in few.hide(coded.encode())
        assert many.hide(coded.encode()) == coded.encode()


def test_what_is_forgotten_is_no_more_searched_for() -> None:
    secrets = KeptSecrets(2)
    for text in ("first-one", "second-one"):
        secrets.add(text)
    assert secrets.hide(b"first-one") == HIDDEN.encode()
    secrets.add("third-one")
    assert [secrets.hide(text) for text in (b"first-one", b"third-one")] == [b"first-one", HIDDEN.encode()]
