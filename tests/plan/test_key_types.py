from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.key_types import read_csv, read_rows
from loadtest.plan.toml_reader import Source, TomlTable


def told(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError) as caught:
        read_csv(path, "users.csv")
    return str(caught.value)


def test_a_long_text_is_a_value_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text\n" + "x" * 2_000_000 + "\n", "utf-8")
    assert read_csv(path, "x") == ({"text": "x" * 2_000_000},)


def test_the_first_line_names_the_columns_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes('\ufeffid,note\r\na,"x,\r\ny"\r\n\r\nb,"""hi"""\r\n'.encode())
    assert read_csv(path, "x") == ({"id": "a", "note": "x,\r\ny"}, {"id": "b", "note": '"hi"'})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "users.csv: the file is empty; its first line must name the columns"),
        ("id,name\n", "users.csv: the file has no rows below its header"),
        ("id,a b\n1,2\n", 'users.csv:1: "a b" cannot be the name of a column: use letters, digits and `_`'),
        ("id,id\n1,2\n", "users.csv:1: two columns have the name `id`"),
        ("id\n1\n2,3\n", "users.csv:3: this row has 2 values, but the header has 1 columns"),
        ('id\n"a"b\n', "users.csv:2: this is not CSV"),
        (b"id\n\xff\n", "users.csv:2: this is not UTF-8"),
    ],
)
def test_a_file_with_a_mistake_is_told_with_its_line(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    assert told(tmp_path / "users.csv", content).startswith(sentence)


def test_ragged_rows_are_told_together_but_not_by_the_thousand(tmp_path: Path) -> None:
    sentences = told(tmp_path / "users.csv", "a,b\n" + "1\n" * 50).splitlines()
    assert len(sentences) == 10
    assert sentences[-1] == "users.csv:11: this row has 1 values, but the header has 2 columns"


def test_mistakes_of_a_file_are_told_where_it_is_named(tmp_path: Path) -> None:
    source = Source("mine.toml", {("data",): 4}, base=tmp_path)
    assert read_rows(TomlTable({"data": "no.csv"}, source), "data") == ()
    assert str(source.problems[0]) == "mine.toml:4: `data`: no.csv: there is no such file"


def test_rows_may_stand_in_the_scenario() -> None:
    source = Source("f")
    rows: list[object] = [{"a": "x", "b": 1}, {"a": "y", "b": True}]
    assert read_rows(TomlTable({"data": rows}, source), "data") == (
        {"a": "x", "b": "1"},
        {"a": "y", "b": "true"},
    )
    assert source.problems == []


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "`data` has no rows"),
        ([{"a b": 1}], "`a b` cannot be the name of a column"),
        ([{"a": []}], "`a` must be text or a number, not a list"),
        ([{"a": 1}, {"b": 1}], "every row of `data` must have the same columns as the first row"),
        (5, "`data` must be text, not 5"),
    ],
)
def test_rows_in_the_scenario_are_checked(rows: object, sentence: str) -> None:
    source = Source("f")
    read_rows(TomlTable({"data": rows}, source), "data")
    assert source.problems[0].sentence.startswith(sentence)


def test_without_rows_there_are_none() -> None:
    assert read_rows(TomlTable({}, Source("f")), "data") == ()
