"""What a target gave one user is not shown where it repeats it to another."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loadtest.drive.learned_secrets import MAX_SECRETS, SHORTEST, LearnedSecrets
from tests.drive.spoken import Spoken

COOKIE = "c00kie-of+user/a"


def log(*texts: str) -> dict[str, Any]:
    return {"kind": "slowest", "user": 2, "frames": [[None, text] for text in texts]}


def shown(secrets: LearnedSecrets, *texts: str) -> list[str]:
    frames = [log(text) for text in texts]
    secrets.clean(frames)
    return [each["frames"][0][1] for each in frames]


def test_a_cookie_of_one_user_is_hidden_in_what_another_is_told() -> None:
    secrets = LearnedSecrets()
    assert shown(secrets, f"you are {COOKIE}") == [f"you are {COOKIE}"]
    secrets.add(COOKIE)
    escaped = COOKIE.replace("/", r"\/")
    assert shown(
        secrets, f"you are {COOKIE}", "nobody", "", f'{{"a":"{escaped}"}}', "c00kie-of%2Buser%2Fa"
    ) == [
        "you are [redacted]",
        "nobody",
        "",
        '{"a":"[redacted]"}',
        "[redacted]",
    ]


def test_reasons_that_differ_in_a_secret_alone_are_one() -> None:
    secrets = LearnedSecrets()
    for name in ("cookie-a", "cookie-b"):
        secrets.add(name)
    reasons = {"code 1008: cookie-a": 2, "code 1000: bye": 1, "code 1008: cookie-b": 3}
    assert secrets.counted(reasons) == {"code 1008: [redacted]": 5, "code 1000: bye": 1}


def test_what_a_connection_learns_is_known_to_all_of_the_process() -> None:
    spoken = Spoken()
    spoken.connection.entrusted([COOKIE])
    assert spoken.context.learned_secrets.without([COOKIE]) == ["[redacted]"]


def test_settings_are_no_secrets_and_no_target_makes_us_search_for_more_than_so_many() -> None:
    secrets = LearnedSecrets()
    secrets.add("x" * (SHORTEST - 1))
    for number in range(MAX_SECRETS + 9):
        secrets.add(f"secret-{number:05}")
    first, last = "secret-00000", f"secret-{MAX_SECRETS + 8:05}"
    assert shown(secrets, "x" * SHORTEST, first, last) == ["x" * SHORTEST, first, "[redacted]"]
    secrets.add(first)
    assert shown(secrets, first, last) == ["[redacted]", "[redacted]"]
    assert shown(secrets) == []


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_what_holds_no_secret_is_as_it_was(texts: list[str]) -> None:
    secrets = LearnedSecrets()
    secrets.add(COOKIE)
    assert shown(secrets, *texts) == texts
