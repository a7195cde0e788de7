"""Which request of a HAR file gave what the URL of a socket carries; no value of it is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.plan.har_login import MAX_ANSWER, HarLogin, logins

TOKEN = "zq81kx-of-the-login"
SOCKET = f"wss://chat.example/ws?room=7&token={TOKEN}"


def entry(
    answer: Any,
    url: str = "https://chat.example/login",
    method: str = "POST",
    body: str = "",
    mime: str = "application/json",
) -> dict[str, Any]:
    request = {"method": method, "url": url, "postData": {"text": body, "mimeType": mime}}
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return {"request": request, "response": {"content": {"text": text}}}


def only(*entries: object, url: str = SOCKET, wanted: tuple[str, ...] = ("token",)) -> HarLogin:
    (found,) = logins(entries, url, wanted)
    return found


def test_the_login_whose_answer_held_the_token() -> None:
    body = json.dumps({"user": "ada", "password": "open-sesame"})
    login = entry({"data": [{"x": 1}, {"access": TOKEN}]}, body=body)
    found = only(login, entry({"other": 1}))
    assert found == HarLogin(
        "POST", "/login", "/login", "json", ("user", "password"), {"token": "data.1.access"}
    )
    assert found.can_be_drafted
    assert "open-sesame" not in repr(found)
    assert TOKEN not in repr(found)


def test_the_last_one_gives_it_and_each_gives_its_own() -> None:
    first = entry({"a": TOKEN, "t": "ticket-1"}, "https://chat.example/old")
    last = entry({"b": TOKEN}, "https://login.example/new?x=1", "GET")
    url = f"{SOCKET}&ticket=ticket-1"
    found = logins([first, last], url, ("token", "ticket"))
    assert [(each.url, dict(each.keep)) for each in found] == [
        ("/old", {"ticket": "t"}),
        ("https://login.example/new?x=1", {"token": "b"}),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "no JSON",
        "[" * 100_000,
        json.dumps(TOKEN),
        {"a.b": TOKEN},
        {"": TOKEN},
        {"0123456789abcdef0123456789abcdef": TOKEN},
        {"x": f"Bearer {TOKEN}"},
        " " * MAX_ANSWER + json.dumps({"a": TOKEN}),
        7,
    ],
)
def test_an_answer_without_a_place_for_it(answer: Any) -> None:
    assert logins([entry(answer)], SOCKET, ["token"]) == []


def test_what_lies_too_deep_or_is_too_short_or_no_entry() -> None:
    deep: Any = TOKEN
    for _ in range(17):
        deep = {"a": deep}
    assert logins([entry(deep), None, {"response": 7}], SOCKET, ["token"]) == []
    assert logins([entry({"pin": "123"})], "wss://chat.example/?pin=123", ["pin"]) == []
    assert logins([entry({"pin": "123"})], "wss://chat.example/", ["pin"]) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://chat.example/login?key=of-mine", "/login"),
        ("https://me:word@login.example/in", "https://login.example/in"),
        ("https://chat.example/in/0123456789abcdef0123456789abcdef", "a request"),
        ("https://[", "a request"),
        ("https://chat.example/{user.id}", "/{user.id}"),
        ("https://chat.example/a b", "/a b"),
        ("https://chat.example//a", "//a"),
        ("ftp://other.example/a", "ftp://other.example/a"),
    ],
)
def test_a_url_that_no_step_may_hold_is_only_told(url: str, shown: str) -> None:
    found = only(entry({"t": TOKEN}, url))
    assert (found.url, found.shown, found.can_be_drafted) == ("", shown, False)


def test_a_request_that_says_too_little() -> None:
    answer = {"response": {"content": {"text": json.dumps({"t": TOKEN})}}}
    assert not only(answer).can_be_drafted
    assert not only(entry({"t": TOKEN}, method="OPTIONS")).can_be_drafted


@pytest.mark.parametrize(
    ("body", "mime", "kind", "names"),
    [
        (
            "user=ada&password=x",
            "application/x-www-form-urlencoded; charset=utf-8",
            "form",
            ("user", "password"),
        ),
        ('{"n":1}', "application/json", "other", ()),
        ("[]", "application/json", "other", ()),
        ("<x/>", "text/xml", "other", ()),
        ("[" * 100_000, "application/json", "other", ()),
        ("", "", "", ()),
    ],
)
def test_the_body_by_its_names(body: str, mime: str, kind: str, names: tuple[str, ...]) -> None:
    found = only(entry({"t": TOKEN}, body=body, mime=mime))
    assert (found.body, found.fields) == (kind, names)
