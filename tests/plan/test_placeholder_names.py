from __future__ import annotations

from loadtest.plan.placeholder_names import (
    asks_for,
    columns,
    data_values,
    env_names,
    unknown_names,
    user_values,
)


def test_columns_have_the_name_of_their_group() -> None:
    assert columns("user", ({"id": "a", "mail": "b"},)) == ["user.id", "user.mail"]
    assert columns("user", ()) == []


def test_a_user_has_a_number_an_id_and_a_thread_of_this_run() -> None:
    assert user_values(7, "RUN", ()) == {
        "user.number": "7",
        "user.id": "user-7",
        "user.thread": "RUN-thread-7",
    }


def test_an_identity_adds_to_a_user_and_replaces() -> None:
    values = user_values(1, "RUN", ({"id": "a", "mail": "x"}, {"id": "b", "mail": "y"}))
    assert (values["user.id"], values["user.mail"], values["user.number"]) == ("b", "y", "1")


def test_rows_of_data_are_used_in_turn() -> None:
    rows = ({"q": "a"}, {"q": "b"})
    assert [data_values(turn, rows)["data.q"] for turn in range(3)] == ["a", "b", "a"]
    assert data_values(3, ()) == {}


def test_unknown_names_are_told_with_the_nearest() -> None:
    known = ["user.id", "turn.id"]
    assert unknown_names("{user.idd} {turn.id} {data.x}", known, ("data",)) == [
        "there is no placeholder {user.idd}; did you mean `user.id`?"
    ]
    assert len(unknown_names("{data.x} {a}", known)) == 2
    (told,) = unknown_names("query { user {id} }", known)
    assert told.endswith("; to send the braces themselves, put a space after the first: { id}")
    assert unknown_names("query { user { id} }", known) == []


def test_what_a_template_asks_for() -> None:
    assert asks_for('{"a":"{turn.id}"}', "turn.id")
    assert not asks_for('{"a":"turn.id"}', "turn.id")
    assert env_names(["{env.B} {env.A}", "{user.id} {env.A}"]) == ["A", "B"]


def test_a_secret_is_a_variable_of_the_environment() -> None:
    assert env_names(["{secret.B} {env.A}", "{env.A}", "{secret.}", "{user.id}"]) == ["A", "B"]
