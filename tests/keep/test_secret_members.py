"""Every name of the list, however it is spelled and wherever it stands: the value is gone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from loadtest.cli.drafting import clean_frames
from loadtest.keep import secret_members
from loadtest.keep.redact import REDACTED, Redactor
from loadtest.plan.capture import CapturedFrame
from loadtest.plan.written_secrets import secrets_in, shown_template
from loadtest.secret_names import looks_like_token

PLANTED = "Zx9SecretPw77"

NAMES = (
    "authorization", "cookie", "cookies", "jwt", "secret", "client secret", "password", "passwords", "passwd",
    "passphrase", "passcode", "pass", "pwd", "user pwd", "api key", "signature", "credential", "credentials",
    "creds", "access key", "private key", "secret key", "otp", "pin", "session id", "access token",
    "auth token", "csrf token", "id token", "refresh token", "session token", "xsrf token",
)  # fmt: skip

SENT_ONLY = ("token", "ticket", "auth", "sid", "bearer", "refresh")

SPELLINGS: dict[str, Callable[[list[str]], str]] = {
    "snake": "_".join,
    "kebab": "-".join,
    "camel": lambda words: words[0] + "".join(map(str.title, words[1:])),
    "pascal": lambda words: "".join(map(str.title, words)),
    "glued": "".join,
    "upper": lambda words: "_".join(words).upper(),
    "after another": lambda words: "my" + "".join(map(str.title, words)),
}

PLACES: dict[str, Callable[[str], str]] = {
    "member": lambda name: json.dumps({"type": "a", name: PLANTED, "b": 1}),
    "nested": lambda name: json.dumps({"a": [{"b": {name: PLANTED}}]}),
    "cut": lambda name: json.dumps({"a": 1, name: PLANTED})[:-4],
    "list": lambda name: json.dumps(["1", "2", "room", "join", {name: PLANTED}]),
    "JSON in JSON": lambda name: json.dumps({"identifier": json.dumps({name: PLANTED, "a": "b"})}),
    "twice": lambda name: json.dumps({"a": json.dumps({"a": json.dumps({name: f'x"\\{PLANTED}'})})}),
    "after a quote": lambda name: json.dumps({name: f'a"\\"{PLANTED}'}),
    "setting in JSON": lambda name: json.dumps({"text": f"{name}={PLANTED}", "b": [f"{name}={PLANTED}"]}),
    "header line": lambda name: f"CONNECT\nlogin:guest\n{name}:{PLANTED}\n\n\0",
    "line in JSON": lambda name: json.dumps([f"CONNECT\nlogin:guest\n{name}:{PLANTED}\n\n\0"]),
    "query": lambda name: f"GET ws://h/ws?room=3&{name}={PLANTED}",
    "form": lambda name: f"user=a&{name}={PLANTED}&b=c",
    "after a space": lambda name: f"LOGIN user {name}={PLANTED}",
    "escaped key": lambda name: f'{{"\\u{ord(name[0]):04x}{name[1:]}":"{PLANTED}"}}',
}

SPELLED = sorted({spell(name.split()) for name in NAMES for spell in SPELLINGS.values()} - {"userpwd"})


@pytest.mark.parametrize("place", PLACES)
def test_every_name_in_every_spelling(place: str) -> None:
    redactor = Redactor()
    leaks = [name for name in SPELLED if PLANTED in redactor.text(PLACES[place](name))]
    assert leaks == []


@pytest.mark.parametrize("place", PLACES)
def test_a_client_says_them_and_a_few_more(place: str) -> None:
    """And what it said is known from then on, whatever the server calls it."""
    names = {spell(name.split()) for name in SENT_ONLY for spell in SPELLINGS.values()}
    for name in (*SPELLED, *names):
        redactor = Redactor()
        assert PLANTED not in redactor.sent(PLACES[place](name)), name
    frames = [CapturedFrame(0, False, PLACES[place](name).encode()) for name in (*SPELLED, *names)]
    assert all(PLANTED.encode() not in each.payload for each in clean_frames(frames))


HEARD_ONLY = ("sid", "bearer", "refresh")

OWNED = (
    {"session": {"user": "bob", "id": PLANTED, "n": 1}},
    {"userSession": {"of": [{"n": 1}], "id": PLANTED, "n": 1}},
    {"session": {"session": {"session": {"session": {"session": {"id": PLANTED, "n": 1}}}}}},
    json.dumps({"a": json.dumps({"session": {"id": PLANTED, "n": 1}})}),
)


@pytest.mark.parametrize("place", sorted({*PLACES} - {"query"}))
def test_a_recording_of_a_target_has_no_ids_of_sessions(place: str) -> None:
    for name in (*SPELLED, *HEARD_ONLY):
        assert PLANTED not in Redactor().heard(PLACES[place](name)), name
    frames = [CapturedFrame(0, True, PLACES[place](name).encode()) for name in HEARD_ONLY]
    assert all(PLANTED.encode() not in each.payload for each in clean_frames(frames))


@pytest.mark.parametrize("told", OWNED)
def test_the_id_of_a_session_is_one_wherever_it_stands(told: object) -> None:
    for clean in (Redactor().heard, Redactor().sent):
        found = clean(json.dumps([told, {"id": "of-all"}]))
        assert PLANTED not in found
        assert "n" in found
        assert json.loads(found)[1] == {"id": "of-all"}
    assert PLANTED not in Redactor().sent(json.dumps({"auth": {"key": PLANTED}}))
    assert PLANTED in Redactor().sent(json.dumps({"auth": {"user": "a"}, "key": PLANTED}))


def test_what_a_session_gave_is_taken_out_before_it_too() -> None:
    said = (b'{"from":"' + PLANTED.encode() + b'"}', json.dumps(OWNED[0]).encode())
    assert all(
        PLANTED.encode() not in each.payload
        for each in clean_frames(CapturedFrame(0, True, each) for each in said)
    )


@pytest.mark.parametrize("name", ["token", "ticket", "key", "id", "session"])
def test_other_words_of_a_target_stay_in_a_recording(name: str) -> None:
    text = json.dumps({"type": name, name: "Hello", "session_count": 4})
    assert Redactor().heard(text) == text


def test_every_name_is_a_key_of_data() -> None:
    data = {name: [PLANTED, {"v": 48291377}] for name in SPELLED}
    assert Redactor().data({"a": [data]}) == {
        "a": [{name: [REDACTED, {"v": REDACTED}] for name in SPELLED}],
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (48291377, REDACTED),
        ([PLANTED, "a]b"], REDACTED),
        ({"v": {"w": f'"}}{PLANTED}'}}, REDACTED),
        ("", ""),
        (None, None),
        (True, True),
    ],
)
def test_a_value_of_any_shape(value: object, shown: object) -> None:
    told = {"password": value, "user": "b"}
    for dump in (json.dumps, lambda plain: json.dumps(json.dumps(plain))):
        found = json.loads(Redactor().text(dump(told)))
        assert (json.loads(found) if isinstance(found, str) else found) == {"password": shown, "user": "b"}


def test_what_is_not_closed_is_taken_out_to_its_end() -> None:
    assert Redactor().text('{"password":{"a":["hush') == f'{{"password":"{REDACTED}"'
    assert Redactor().text('{"password":["hush-1"') == f'{{"password":"{REDACTED}"'
    assert Redactor().text('"{\\"password\\":\\"hush", "b"') == f'"{{\\"password\\":\\"{REDACTED}", "b"'


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"token","token":"Hello","usage":{"total_tokens":12,"prompt_token":3},"max_tokens":5}',
        '{"tokens":["a","b"],"token":{"text":" so"},"index":1,"first_token":12}',
        '{"totalTokens":12,"maxTokens":5,"ticket":"T-12","type":"ping","auth":"ok","code":"rate_limited"}',
        "password: must be longer than that",
        "token=Hello",
        "a bypass of compassion: keep=1",
    ],
)
def test_words_of_models_and_numbers_stay(text: str) -> None:
    assert Redactor().text(text) == text


def test_objects_that_a_client_sends_stay_readable() -> None:
    redactor = Redactor()
    text = redactor.sent('{"auth":{"user":"bob","token":"abc","v":2},"token":12}')
    assert json.loads(text) == {"auth": {"user": "bob", "token": REDACTED, "v": 2}, "token": 12}
    redactor.sent('{"token":"open-sesame","pin":{"v":"hush-hush","n":1},"otp":482913}')
    assert redactor.text("abc open-sesame hush-hush 482913") == f"abc {REDACTED} {REDACTED} {REDACTED}"


@pytest.mark.parametrize("name", SPELLED)
def test_a_plan_that_writes_one_knows_it(name: str) -> None:
    for text in (PLACES["nested"](name), PLACES["JSON in JSON"](name), PLACES["header line"](name)):
        assert PLANTED in list(secrets_in(text))
        assert PLANTED not in shown_template(text)


def test_the_parts_of_a_path_that_look_like_tokens() -> None:
    assert looks_like_token("0123456789abcdef0123456789abcdef")
    for name in ("ws", "conversations-of-all-of-us", "01234567-89ab-8cde-8f01-23456789abcd", "2" * 30):
        assert not looks_like_token(name)


def test_the_list_of_this_test_is_the_list_of_names() -> None:
    from loadtest.secret_names import CREDENTIALS, SENT

    for pattern in (*CREDENTIALS, *SENT):
        assert any(re.fullmatch(pattern, name, re.IGNORECASE) for name in (*SPELLED, *SENT_ONLY)), pattern


def test_long_keys_of_a_target_are_not_remembered() -> None:
    secret_members._matches.cache_clear()
    redactor = Redactor()
    for number in range(3):
        text = f'{{"{"k" * 5000}{number}_password":"x","password":"hush"}}'
        assert redactor.text(text) == text.replace("hush", REDACTED)
    assert secret_members._matches.cache_info().currsize == 1
