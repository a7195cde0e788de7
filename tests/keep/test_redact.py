from __future__ import annotations

import base64
import json
import logging
import re
import string
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.keep import redact, secret_members
from loadtest.keep.redact import REDACTED, RedactingFormatter, Redactor
from loadtest.keep.secret_members import without_members
from loadtest.secret_names import HEARD_KEY, IN_EACH, KEY, LIKE_ASCII, MEMBER_KEY, SENT_KEY

SECRET = "s3cr3t/pa ss+wörd"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEifQ.c2lnbmF0dXJl-x_y"

BY_PLACE = [
    "Authorization: Bearer zq81kx0",
    "authorization = zq81kx0 more",
    "{'Authorization': 'Bearer zq81kx0'}",
    "('authorization', b'zq81kx0') authorization=b'zq81kx0'".replace("('authorization', b'zq81kx0') ", ""),
    "Cookie: a=b; session=zq81kx0",
    "Set-Cookie: session=zq81kx0; HttpOnly",
    "sent with Bearer zq81kx0.",
    "Basic dXNlcjpwYXNzzq81kx0=",
    "ws://host/ws?token=zq81kx0&room=3",
    "ws://host/ws?room=3&access_token=zq81kx0#top",
    "wss://user:zq81kx0@host/ws",
    "wss://zq81kx0@host/ws",
    '{"type":"auth","access_token":"zq81kx0"}',
    '{"password": "zq81\\nkx0zq81kx0"}',
    '"{\\"api_key\\": \\"zq81kx0\\"}"',
    '{"token":"zq81kx0zq81kx0zq81kx0"}',
    f"a token {JWT} here".replace("eyJzdWIi", "zq81kx0"),
]

INNOCENT = [
    "a basic understanding of bearer tokens",
    '{"type":"token","token":"Hello"}',
    "turn.completion.p95 was 12 ms at ws://127.0.0.1:8000/ws?room=3",
    "refused by auth: 401",
    '{"max_tokens": 5, "tokens": "a"}',
    "2026-11-22T12:15:30Z",
    "",
]


@pytest.mark.parametrize("text", BY_PLACE)
def test_a_secret_is_found_by_its_place(text: str) -> None:
    found = Redactor().text(text)
    assert "zq81" not in found
    assert "redacted" in found


@pytest.mark.parametrize("text", INNOCENT)
def test_other_text_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_what_stands_around_a_secret_stays() -> None:
    redactor = Redactor()
    assert redactor.text("ws://h/ws?token=abc&room=3") == f"ws://h/ws?token={REDACTED}&room=3"
    assert redactor.text("Authorization: Bearer abc\r\nHost: h") == f"Authorization: {REDACTED}\r\nHost: h"
    assert redactor.text('{"password":"a","user":"b"}') == f'{{"password":"{REDACTED}","user":"b"}}'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        json.dumps(SECRET),
        repr(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_a_secret_is_found_by_its_value_in_every_coding(form: str) -> None:
    found = Redactor([SECRET, "other"]).text(f"before {form} after")
    assert re.fullmatch(r"before \W?\[redacted\]=*\W? after", found)


def test_of_two_secrets_the_longer_is_taken_first() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("abcdefgh abcd") == f"{REDACTED} {REDACTED}"


def test_of_two_secrets_that_overlap_nothing_is_left() -> None:
    assert Redactor(["abcd1234", "1234efgh"]).text("x abcd1234efgh y") == "x [redacted] y"


def test_a_short_secret_is_found_by_its_place_only() -> None:
    assert Redactor(["ab", ""]).data({"text": "about", "password": "ab"}) == {
        "text": "about",
        "password": REDACTED,
    }


def test_nested_data_keeps_its_shape() -> None:
    data = {
        "target": {
            "url": "wss://u:p@h/ws?key=abc",
            "headers": {"Origin": "https://app", "X-Api-Key": "k", "Cookie": "a=b"},
            "cookies": {"session": "abc", "theme": None, "seen": True},
            "auth": {
                "kind": "jwt",
                "secret_env": "CHAT_SECRET",
                "send_as": "header",
                "name": "Authorization",
                "format": "Bearer {token}",
                "client_secret": ["a", "b"],
            },
        },
        "rows": ({"access_token": 12345},),
        "payload": b'{"password":"x"}',
        "n": 3,
    }
    assert Redactor().data(data) == {
        "target": {
            "url": f"wss://redacted@h/ws?key={REDACTED}",
            "headers": {"Origin": "https://app", "X-Api-Key": REDACTED, "Cookie": REDACTED},
            "cookies": {"session": REDACTED, "theme": None, "seen": True},
            "auth": {
                "kind": "jwt",
                "secret_env": "CHAT_SECRET",
                "send_as": "header",
                "name": "Authorization",
                "format": "Bearer {token}",
                "client_secret": [REDACTED, REDACTED],
            },
        },
        "rows": [{"access_token": REDACTED}],
        "payload": f'{{"password":"{REDACTED}"}}',
        "n": 3,
    }


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ("graphql-transport-ws", "graphql-transport-ws"),
        ("chat, bearer.zq81", f"chat, bearer.{REDACTED}"),
        (["mqtt", "v1.agent"], ["mqtt", "v1.agent"]),
        (["access_token", "zq81"], ["access_token", REDACTED]),
        (
            ["base64url.bearer.authorization.k8s.io.zq81"],
            [f"base64url.bearer.authorization.k8s.io.{REDACTED}"],
        ),
        (["auth-zq81"], [f"auth-{REDACTED}"]),
        (["x" * 32], [REDACTED]),
        ({"a": 1}, {"a": 1}),
        (None, None),
    ],
)
def test_a_subprotocol_may_carry_a_token(names: Any, kept: Any) -> None:
    assert Redactor().data({"Sec-WebSocket-Protocol": names}) == {"Sec-WebSocket-Protocol": kept}
    assert Redactor().data({"subprotocols": names}) == {"subprotocols": kept}


def test_a_command_line() -> None:
    arguments = [
        "run",
        "--token",
        "zq81",
        "--set",
        "target.headers.Authorization=Bearer zq81",
        "--password=zq81",
    ]
    assert Redactor().arguments([*arguments, "x.toml", "--token"]) == [
        "run",
        "--token",
        REDACTED,
        "--set",
        f"target.headers.Authorization={REDACTED}",
        f"--password={REDACTED}",
        "x.toml",
        "--token",
    ]
    assert Redactor().arguments(["--token", "--quiet", "a"]) == ["--token", "--quiet", "a"]


def test_a_log_line_and_its_traceback() -> None:
    log = RedactingFormatter(Redactor([SECRET]), "%(message)s")
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int(SECRET)
    raised = (ValueError, caught.value, caught.tb)
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "sent %s", (SECRET,), raised)
    assert SECRET not in log.format(record)
    assert log.format(record).startswith(f"sent {REDACTED}\nTraceback")


def test_a_redactor_does_not_show_its_secrets() -> None:
    assert repr(Redactor([SECRET])) == "<Redactor>"


secrets = st.text(min_size=4, max_size=20).filter(
    lambda text: text.strip() and REDACTED not in text and text not in REDACTED
)


@given(secrets, st.text(max_size=30), st.text(max_size=30))
def test_a_known_secret_never_comes_through(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    without = (before + REDACTED + after).replace(secret, "")
    if secret in without or secret in REDACTED + without:
        return
    assert secret not in redactor.text(before + secret + after).replace(REDACTED, "\0")


@given(st.text(alphabet='"\\{}:,_-.=?&;@/ abckeyotnBR', max_size=300))
def test_any_text_is_redacted_without_end(text: str) -> None:
    assert isinstance(Redactor().text(text), str)


MANY = [f"opaque-{number:05}-{'x' * (number % 7)}" for number in range(5000)]


@pytest.fixture(scope="module")
def redactor_of_many() -> Redactor:
    return Redactor([*MANY, SECRET])


@pytest.mark.parametrize("form", ["{}", '{{"note":"{}"}}', "x={}", "room=3&t={}.", "jwt.{}", "({}, {})"])
@pytest.mark.parametrize("secret", [MANY[0], MANY[4321], SECRET])
def test_a_secret_of_thousands_is_found_by_its_value(
    redactor_of_many: Redactor, form: str, secret: str
) -> None:
    """As are the few that are no words, by the pattern."""
    found = redactor_of_many.text(form.format(secret, secret))
    assert secret not in found
    assert "redacted" in found


def test_with_thousands_of_secrets_other_text_stays(redactor_of_many: Redactor) -> None:
    for text in (*INNOCENT, "not-opaque-00000-", "opaque-99999-xx", "see a/b/c or x=y."):
        assert redactor_of_many.text(text) == text


TOKEN = "eyJhbGciOiJIUzI1NiJ9." + "Zm9v" * 100
BASE64 = base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text", ["jwt.{}", '{{"h":"jwt.{}"}}', "refused: 401 {}", "Sec-WebSocket-Protocol: jwt.{}"]
)
def test_a_token_in_base64_once_more_is_known_by_its_look(text: str) -> None:
    for token in (BASE64, BASE64[:60], TOKEN[:60]):
        found = Redactor().text(text.format(token))
        assert token[20:40] not in found
        assert token[8:16] not in found


@pytest.mark.parametrize("kept", [4, 9, 17])
@pytest.mark.parametrize("secret", [SECRET, MANY[0] + "-and-more-of-it"])
def test_the_beginning_of_a_secret_that_was_cut_off_is_taken_out(secret: str, kept: int) -> None:
    for redactor in (Redactor([secret]), Redactor([secret, *MANY])):
        assert (
            redactor.text(f"said {secret[:kept]}… and {secret[:3]}") == f"said {REDACTED}… and {secret[:3]}"
        )
        assert redactor.text(f"said: {secret[:3]}…") == f"said: {secret[:3]}…"


@pytest.mark.parametrize(
    "coded",
    [
        "s3cr3t\\/pa",
        "s3cr3t%2fpa",
        "s3cr3t\\u002fp",
        "s3cr\\u00",
        "s3cr3t%2",
        "s3cr3t\\x2",
        "s3cr3t\\",
        "%73%33cr3t%2fp%6",
    ],
)
def test_the_beginning_of_a_secret_that_was_cut_off_is_taken_out_of_a_code(
    coded: str, redactor_of_many: Redactor
) -> None:
    for redactor in (Redactor([SECRET]), redactor_of_many):
        assert redactor.text(f"said {coded}… and a\\…, 7%…") == f"said {REDACTED}… and a\\…, 7%…"


HOSTILE = {
    "parts of a key": '"' + "a_" * 32_000,
    "backslashes": "\\" * 64_000,
    "tokens": "eyJ-" * 16_000,
    "keys": '"a_token' * 8_000,
    "quotes": '"a"' * 21_000,
    "headers": "cookie " * 9_000 + " " * 9_000,
    "schemes": "bearer " * 9_000,
    "words": "./" * 32_000,
    "cuts": "hush…" * 13_000,
    "members": '"password":{"a":' * 4_000,
    "open members": '"password":"\\\\\\"' * 4_000,
    "lines": "\npasscode: a " * 5_000,
    "settings": "a.b-" * 16_000 + "password=" * 7_000,
    "addresses": "ws://" * 13_000,
    "backslashes after a key": '{"password":"' + "\\" * 64_000,
    "backslashes in an object": '{"password":[' + "\\" * 64_000,
    "backslashes in an owner": '{"session":{' + "\\" * 64_000,
    "escapes": "\\/" * 32_000,
    "escaped percent signs": "\\u0025" * 10_000,
    "percent signs": "%41" * 21_000,
    "parts in percent signs": "a%2e" * 16_000,
    "bytes": "\\x41" * 16_000,
    "hexadecimal": "41" * 32_000,
    "base64": "QUFB" * 16_000,
    "a secret again and again": "hush-hush-hush " * 4_000,
}


@pytest.mark.timed
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_more_time_than_its_length(name: str) -> None:
    redactor = Redactor(["hush-hush-hush"])

    def seconds(text: str) -> float:
        before = time.process_time()
        redactor.text(text)
        return time.process_time() - before

    whole = HOSTILE[name]
    # Quadratic would be a factor of 16, and twenty seconds and more.
    assert seconds(whole) < 8 * seconds(whole[: len(whole) // 4]) + 0.5


@pytest.mark.timed
@pytest.mark.parametrize("letter", ["\\", "a", "ab", "a."])
def test_a_secret_that_repeats_itself_takes_no_more_time_than_its_length(letter: str) -> None:
    """As a target may give one, and send the same again."""

    def seconds(n: int) -> float:
        redactor = Redactor(MANY[:200])
        text = '{"password":"' + letter * (n // len(letter)) + '"}'
        before = time.process_time()
        redactor.heard(text)
        assert redactor.heard(text + text) == f'{{"password":"{REDACTED}"}}' * 2
        assert redactor.heard(letter * n + "…") == f"{REDACTED}…"
        return time.process_time() - before

    assert seconds(64_000) < 8 * seconds(16_000) + 0.5


@pytest.mark.parametrize(
    ("setting", "kept"),
    [
        ("target.cookies.sid=zq81", "target.cookies.sid=[redacted]"),
        ("target.headers.X-Access=zq81", "target.headers.X-Access=[redacted]"),
        ('target.headers={X-Pin="zq81"}', "target.headers=[redacted]"),
        ('target={headers={X-Pin="zq81"}}', "target=[redacted]"),
        ('target.auth={kind="token",token="zq81"', "target.auth=[redacted]"),
        ("load.connections=5", "load.connections=5"),
        ("target.url=ws://h/ws?room=3", "target.url=ws://h/ws?room=3"),
        ("target.url=ws://h/ws?sid=zq81", "target.url=ws://h/ws?sid=[redacted]"),
        ('thresholds={"events.foreign"="== 0"}', 'thresholds={"events.foreign"="== 0"}'),
    ],
)
def test_what_the_settings_hide_is_hidden_on_the_command_line(setting: str, kept: str) -> None:
    assert Redactor().arguments(["run", "--set", setting]) == ["run", "--set", kept]
    assert Redactor().arguments(["run", f"--set={setting}"]) == ["run", f"--set={kept}"]


# ------------------------------------------------------------------ what a server has coded

GIVEN = "hunter/2pw=K+Zz81kxQ"
SHORT = "p@ss/w1"
FOREIGN = "pässw/ört+12"
MINTED = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CODINGS: dict[str, Callable[[str], str]] = {
    "a header in base64": lambda secret: in_base64(f"Bearer {secret}"),
    "a subprotocol in base64url": lambda secret: base64.urlsafe_b64encode(f"jwt.{secret}".encode()).decode(),
    "base64 twice": lambda secret: in_base64(in_base64(secret)),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "percent signs": lambda secret: "".join(f"%{letter:02x}" for letter in secret.encode()),
    "a URL's lower case": lambda secret: quote(secret, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
}


@pytest.mark.parametrize("secret", [GIVEN, MINTED])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("end", ["", " is not known here", "…"])
def test_a_secret_that_a_server_has_coded_is_taken_out(secret: str, coding: str, end: str) -> None:
    coded = CODINGS[coding](secret)
    shown = Redactor([GIVEN]).text(f"the target answered HTTP 401 not {coded}{end}")
    assert shown == f"the target answered HTTP 401 not {REDACTED}{end}"


ESCAPED: dict[str, Callable[[str], str]] = {
    "a slash as PHP writes it": lambda secret: json.dumps({"a": f"bad {secret}"}).replace("/", "\\/"),
    "signs as .NET writes them": lambda secret: escaped_signs(secret, "\\u{:04X}"),
    "signs in small letters": lambda secret: escaped_signs(secret, "\\u{:04x}"),
    "JSON in JSON": lambda secret: json.dumps(escaped_signs(secret, "\\u{:04X}").replace("/", "\\/")),
    "bytes of a program": lambda secret: repr(secret.encode()).replace("/", "\\x2f"),
    "every byte": lambda secret: "".join(f"\\x{each:02x}" for each in secret.encode()),
    "a URL in small letters": lambda secret: in_small_letters(quote(secret, safe="")),
    "a URL in capitals": lambda secret: quote(secret, safe=""),
    "a few letters of a URL": lambda secret: secret.replace("/", "%2f"),
    "a URL in a URL": lambda secret: quote(in_small_letters(quote(secret, safe="")), safe=""),
    "a URL in JSON": lambda secret: quote(secret, safe="").replace("%", "\\u0025"),
    "a form": lambda secret: f"user=a.b&note={in_small_letters(quote(secret, safe=''))}&c=d",
    "hexadecimal": lambda secret: secret.encode().hex(),
    "0x": lambda secret: f"0x{secret.encode().hex()}",
    "0X in capitals": lambda secret: f"0X{secret.encode().hex().upper()}",
    "\\x": lambda secret: f"\\x{secret.encode().hex()}",
    "hexadecimal after letters of it": lambda secret: f"bead-a{f'id {secret}'.encode().hex()}",
    "base64 in JSON": lambda secret: in_base64(f"??>{secret}").replace("/", "\\/"),
    "base64 in a URL": lambda secret: quote(in_base64(f"a:{secret}")),
    **{
        f"base64 after {prefix!r} and {before!r}": (
            lambda secret, prefix=prefix, before=before: prefix + in_base64(before + secret)
        )
        for prefix in ("id-", "/cb/v1/", "x", "a/b", "")
        for before in ("", "u:", "demo:", "ü:", "äö\0\1\2")
    },
}


def in_small_letters(coded: str) -> str:
    return re.sub("%..", lambda code: code[0].lower(), coded)


def escaped_signs(secret: str, form: str) -> str:
    return "".join(each if each.isalnum() and each.isascii() else form.format(ord(each)) for each in secret)


def all_that_is_meant(text: str) -> Iterator[str]:
    """The text, and all that somebody can read in it."""
    yield text
    for _ in range(3):
        text = re.sub(r"\\(?:u(....)|(/))", lambda code: code[2] or chr(int(code[1], 16)), text)
        text = unquote(re.sub(r"\\x(..)", r"%\1", text.replace("\\\\", "\\")))
        yield text
    for code in re.findall("[A-Za-z0-9+/]{8,}", text):
        for first in range(4):
            part = code[first:][: len(code[first:]) // 4 * 4]
            yield base64.b64decode(part).decode("utf-8", "replace")
    for code in re.findall("[0-9A-Fa-f]{8,}", text):
        for first in range(2):
            yield bytes.fromhex(code[first:][: len(code[first:]) // 2 * 2]).decode("utf-8", "replace")


@pytest.mark.parametrize("secret", [GIVEN, SHORT, FOREIGN])
@pytest.mark.parametrize("coding", ESCAPED)
def test_no_part_of_a_secret_is_left_in_a_code(coding: str, secret: str) -> None:
    coded = ESCAPED[coding](secret)
    for redactor in (Redactor([secret]), Redactor([secret, "another-one/of=them"])):
        shown = redactor.text(f"the target answered {coded} and more")
        left = [secret[at : at + 4] for at in range(len(secret) - 3)]
        assert not [each for each in left for meant in all_that_is_meant(shown) if each in meant], shown
        assert shown.startswith("the target answered ")
        assert shown.endswith(" and more")


@pytest.mark.parametrize("coding", [name for name in ESCAPED if "ä" not in name and "ü" not in name])
def test_of_thousands_of_secrets_each_is_found_in_a_code(coding: str, redactor_of_many: Redactor) -> None:
    for secret in (MANY[0], MANY[4321]):
        shown = redactor_of_many.text(f"not {ESCAPED[coding](secret)} is known")
        assert not [meant for meant in all_that_is_meant(shown) if secret[:9] in meant], shown


@pytest.mark.parametrize(
    "code",
    [
        "pin%3D12345",
        "%7B%22password%22%3A%22zq81.kx0.zq81.kx0%22%7D",
        "id-" + in_base64("Bearer zq81kx0zq81kx0"),
    ],
)
def test_what_is_known_by_its_place_is_found_in_a_code(code: str) -> None:
    assert Redactor().text(f"not {code}, and more") == f"not {REDACTED}, and more"


@pytest.mark.parametrize("coding", CODINGS)
def test_a_coded_secret_that_was_cut_is_taken_out(coding: str) -> None:
    coded = CODINGS[coding](MINTED)
    shown = Redactor().text(f"not {coded[:70]}…")
    assert shown == f"not {REDACTED}…"


@pytest.mark.parametrize(
    "text",
    [
        "01234567-89ab-8cde-8f01-23456789abcd",
        "0123456789abcdef0123456789abcdef",
        "aGVsbG8gd29ybGQsIGhlbGxvIHdvcmxk",
        "%68%65%6c%6c%6f%20%77%6f%72%6c%64%20%61%67%61%69%6e",
        "some/path/of/several/words_and_more",
        "\\/\\u002B\\x41%2f",
        "0x68656c6c6f2068656c6c6f2068656c6c6f",
        "https://a.example/%7Ejoe/a%20b.html?q=100%25+of%20it",
    ],
)
def test_what_is_coded_and_no_secret_stays(text: str) -> None:
    assert Redactor([GIVEN]).text(f"id={text}, and more…") == f"id={text}, and more…"


def test_a_log_has_nothing_that_a_terminal_would_obey() -> None:
    record = logging.LogRecord("n", logging.INFO, "", 0, "a\x1b[31m\x07\x85\x9b\u202e\tb\r\nc é…", None, None)
    shown = RedactingFormatter(Redactor(), "%(message)s").format(record)
    assert shown == r"a\x1b[31m\x07\x85\x9b\u202e" + "\tb" + r"\r" + "\nc é…"


def test_secrets_that_come_one_after_the_other_are_all_taken_out() -> None:
    """As the tokens of users do, who log in one by one: few at first, then more than one pattern may have."""
    redactor = Redactor(["the first of them"])
    tokens = [f"tok%{n}/en-{n * 7919}" for n in range(300)]
    for n, token in enumerate(tokens):
        redactor.learn([token])
        if n % 50 == 0:
            assert redactor.text(f"a {token} b") == f"a {REDACTED} b"
    for token in (*tokens, "the first of them"):
        assert redactor.text(f"a {token} b") == f"a {REDACTED} b"
    assert redactor.text("a token of nobody") == "a token of nobody"


def test_what_a_target_gives_takes_none_of_our_own_names_away() -> None:
    redactor = Redactor(["given_by_us"])
    redactor.learn(["turn.first_event", "metrics", "duration_s"])
    data = {"metrics": {"turn.first_event": {"p50": 1}}, "duration_s": 2, "auth: the metrics said no": 1}
    assert redactor.data(data) == {
        "metrics": {"turn.first_event": {"p50": 1}},
        "duration_s": 2,
        f"auth: the {REDACTED} said no": 1,
    }
    assert redactor.data({"given_by_us": 1, "x.given_by_us": 2}) == {REDACTED: 1, f"x.{REDACTED}": 2}


def test_what_we_measured_has_labels_and_no_keys_of_secrets() -> None:
    redactor = Redactor(["open-sesame"])
    counted = {"turns": {"timed_out_after": {"token": 24, "password": 1, "open-sesame": 2}}}
    manifest = {
        "counts": counted,
        "populations": {"jwt": {"first_user": 0}, "cookie": {"counts": counted}},
        "notices": [{"numbers": {"last": {"token": 24}}, "message": "said open-sesame"}],
        "scenario": {
            "settings": {
                "traffic": {"mix": {"token": 8, "cancel": 1}, "password": 5},
                "protocol": {"turns": {"token": {"message": "go"}}, "events": {"keep": {"token": "a.b"}}},
            }
        },
        "target": {"headers": {"Authorization": "x"}},
    }
    shown = redactor.manifest(manifest)
    clean = {"turns": {"timed_out_after": {"token": 24, "password": 1, REDACTED: 2}}}
    assert shown["counts"] == clean
    assert shown["populations"] == {"jwt": {"first_user": 0}, "cookie": {"counts": clean}}
    assert shown["notices"] == [{"numbers": {"last": {"token": 24}}, "message": f"said {REDACTED}"}]
    assert shown["scenario"]["settings"] == {
        "traffic": {"mix": {"token": 8, "cancel": 1}, "password": REDACTED},
        "protocol": {"turns": {"token": {"message": "go"}}, "events": {"keep": {"token": "a.b"}}},
    }
    assert shown["target"] == {"headers": {"Authorization": REDACTED}}


@pytest.mark.parametrize(
    "names", [KEY, MEMBER_KEY, SENT_KEY, HEARD_KEY], ids=["all", "member", "sent", "heard"]
)
def test_no_name_of_a_secret_lacks_the_words_that_are_looked_for_first(names: re.Pattern[str]) -> None:
    @given(st.from_regex(names, fullmatch=True))
    def holds(name: str) -> None:
        small = name.translate(LIKE_ASCII).lower()
        assert any(hint in small for hint in IN_EACH), name

    holds()


def test_letters_that_a_pattern_takes_for_ascii() -> None:
    each = "".join(map(chr, range(sys.maxunicode + 1)))
    taken = {*re.findall("[a-z]", each, re.IGNORECASE)} - {*string.ascii_letters}
    assert taken == {*map(chr, LIKE_ASCII)}
    assert all(re.fullmatch(LIKE_ASCII[ord(letter)], letter, re.IGNORECASE) for letter in taken)


PIECES = [
    *BY_PLACE,
    *INNOCENT,
    "\\u0061uthorization",
    "paſſword=zq81kx0",
    "tOKEn",
    '{"session" : {"a":1,"id": "zq81kx0"}}',
    '{"token":"zq81kx0zq81kx0zq81kx0","tokens":7}',
    "\r\n",
    "=",
    ":",
    "eyJ",
    "ZXlK",
    "://",
    "?",
]


def each_pattern(text: str, names: re.Pattern[str], found: list[str]) -> str:
    """As ``_without_places``, with every pattern wherever it could match, and every key looked at."""
    text = redact._JWT.sub(REDACTED, text)
    text = redact._USER_PART.sub(redact._WITHOUT_USER, text)
    text = redact._QUERY.sub(redact._query, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secret_members, "_matters", lambda *_: True)
        text = without_members(text, names, found)
    text = redact._HEADER.sub(rf"\1\2{REDACTED}", text)
    text = redact._SCHEME.sub(redact._credential, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redact, "PLACES", dict.fromkeys(redact.PLACES, ""))
        return redact._without_settings(text, names, found)


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=4))
def test_what_is_looked_for_first_changes_no_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redact, "_without_places", each_pattern)
        expected = Redactor().text(text)
    assert Redactor().text(text) == expected


@pytest.mark.parametrize("more", [0, 300])
def test_a_secret_is_found_within_a_code_that_was_seen_before_it_was_known(more: int) -> None:
    coded = in_base64(f"{FOREIGN} {'a' * more}")
    redactor = Redactor()
    assert redactor.text(coded) == coded
    redactor.learn([FOREIGN])
    assert REDACTED in redactor.text(coded)


def test_our_own_secret_is_found_within_a_code_however_many_others_were_learned() -> None:
    redactor = Redactor([FOREIGN])
    redactor.learn(MANY)
    for coded in (f"0x{FOREIGN.encode().hex()}", in_base64(f"\0\1{FOREIGN}").replace("/", "\\/")):
        assert REDACTED in redactor.text(f"said {coded} and more"), coded


def test_what_is_learned_while_it_is_little_is_found_within_a_code() -> None:
    redactor = Redactor(["another-one/of=them"])
    redactor.learn([FOREIGN])
    assert redactor.text(f"said 0x{FOREIGN.encode().hex()}") == f"said 0x{REDACTED}"


@pytest.mark.parametrize(
    "secret", ['pa"ss"word', "pa\\ss\\word", "-----BEGIN KEY-----\nabc/+\n-----END KEY-----\n"]
)
def test_signs_that_json_escapes_are_no_hiding_place_in_json_in_json(secret: str) -> None:
    for redactor in (Redactor([secret]), Redactor([secret, *MANY])):
        shown = redactor.text(json.dumps({"body": json.dumps({"it": f"is {secret}"})}))
        assert json.loads(json.loads(shown)["body"]) == {"it": f"is {REDACTED}"}
