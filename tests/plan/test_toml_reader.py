from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from loadtest.errors import ConfigError, Problem
from loadtest.plan.toml_reader import (
    MAX_FILE_BYTES,
    MAX_SUGGESTIONS,
    Source,
    TomlTable,
    cut,
    decode,
    nearest,
    parse_document,
    quoted,
    read_bytes,
    read_document,
)

Read = Callable[[TomlTable], object]


def read(value: object, reader: Read) -> tuple[object, list[str]]:
    """What a reader makes of the key ``k``, and the sentences it reports."""
    source = Source("f", {("t", "k"): 7})
    found = reader(TomlTable({"k": value}, source, ("t",)))
    return found, [str(problem) for problem in source.problems]


READERS: dict[str, Read] = {
    "text": lambda t: t.text("k", "default"),
    "flag": lambda t: t.flag("k"),
    "integer": lambda t: t.integer("k", 5, least=1),
    "bounded": lambda t: t.integer("k", 5, least=1, most=9),
    "duration": lambda t: t.duration("k", 5),
    "positive": lambda t: t.duration("k", 5, positive=True),
    "rate": lambda t: t.rate("k", 5.0),
    "size": lambda t: t.size("k", 5),
    "choice": lambda t: t.choice("k", {"open": 1, "closed": 2}, 5),
    "texts": lambda t: t.texts("k"),
    "pairs": lambda t: t.pairs("k"),
    "table": lambda t: dict(t.table("k").data),
    "tables": lambda t: [dict(each.data) for each in t.tables("k")],
}


@pytest.mark.parametrize(
    ("reader", "value", "found"),
    [
        ("text", "a", "a"),
        ("flag", True, True),
        ("flag", False, False),
        ("integer", 1, 1),
        ("bounded", 9, 9),
        ("duration", "1us", 1000),
        ("duration", "0s", 0),
        ("rate", "2/s", 2.0),
        ("size", "1KiB", 1024),
        ("choice", "closed", 2),
        ("texts", ["a", "b"], ("a", "b")),
        ("pairs", {"a": "b", "c": ""}, {"a": "b", "c": ""}),
        ("table", {"a": 1}, {"a": 1}),
        ("tables", [{"a": 1}, {}], [{"a": 1}, {}]),
    ],
)
def test_right_values_are_taken_without_a_word(reader: str, value: object, found: object) -> None:
    assert read(value, READERS[reader]) == (found, [])


@pytest.mark.parametrize(
    ("reader", "value", "found", "sentence"),
    [
        ("text", "", "default", "`k` must not be empty"),
        ("text", 5, "default", "`k` must be text, not 5"),
        ("flag", "yes", False, '`k` must be true or false, not "yes"'),
        ("flag", 1, False, "`k` must be true or false, not 1"),
        ("integer", "5", 5, '`k` must be a whole number of at least 1, not "5"'),
        ("integer", True, 5, "`k` must be a whole number of at least 1, not true"),
        ("integer", 1.5, 5, "`k` must be a whole number of at least 1, not 1.5"),
        ("integer", 0, 5, "`k` must be a whole number of at least 1, not 0"),
        ("integer", 2**70, 5, "`k` must be a whole number of at least 1, not so large a number"),
        ("bounded", 10, 5, "`k` must be a whole number from 1 to 9, not 10"),
        ("duration", 10, 5, '`k` must be a duration such as "30s" or "100ms" in quotes, not 10'),
        ("duration", "10", 5, '`k`: "10" is not a duration (it has no unit)'),
        ("positive", "0s", 5, "`k` must be more than 0"),
        ("rate", 2.5, 5.0, '`k` must be a rate such as "20/s" in quotes, not 2.5'),
        ("rate", "fast", 5.0, '`k`: "fast" is not a rate'),
        ("rate", "0/s", 5.0, "`k` must be more than 0"),
        ("size", 5, 5, '`k` must be a size such as "16MiB" in quotes, not 5'),
        ("size", "0B", 5, "`k` must be more than 0"),
        ("choice", "opne", 5, '`k` cannot be "opne"; did you mean `open`?'),
        ("choice", 3, 5, "`k` cannot be 3; known here: open, closed"),
        ("texts", "a", (), '`k` must be a list of text such as ["a", "b"], not "a"'),
        ("texts", ["a", 1, ""], ("a",), "every entry of `k` must be text, not 1"),
        ("pairs", [], {}, '`k` must be a table such as { Name = "value" }, not a list'),
        ("pairs", {"a": 1, "b": "c"}, {"b": "c"}, "`a` must be text, not 1"),
        ("table", 1, {}, "`k` must be a table, not 1"),
        ("tables", {"a": 1}, [], "`k` must be a list of tables such as [{ ... }], not a table"),
        ("tables", [1, {"a": 1}], [{"a": 1}], "every entry of `k` must be a table, not 1"),
    ],
)
def test_wrong_values_are_reported_and_answered_with_the_default(
    reader: str, value: object, found: object, sentence: str
) -> None:
    answer, sentences = read(value, READERS[reader])
    assert answer == found
    assert sentences[0].startswith(f"f:7: {sentence}")


@pytest.mark.parametrize("reader", READERS)
def test_a_key_that_is_not_there_is_no_mistake(reader: str) -> None:
    source = Source("f")
    READERS[reader](TomlTable({}, source))
    assert source.problems == []


def test_unknown_keys_are_reported_with_the_nearest_word_or_where_they_belong() -> None:
    source = Source("f", {("brust",): 2, ("url",): 3, ("zzz",): 4})
    table = TomlTable({"brust": 1, "url": 2, "zzz": 3, "burst": 4}, source)
    table.integer("burst", 1)
    table.close({"url": "it belongs to [target]"})
    assert [str(problem) for problem in source.problems] == [
        "f:2: unknown key `brust`; did you mean `burst`?",
        "f:3: unknown key `url`; it belongs to [target]",
        "f:4: unknown key `zzz`; known here: burst",
    ]


def test_after_many_mistakes_no_more_words_are_looked_for() -> None:
    source = Source("f")
    TomlTable({f"k{i}": 1 for i in range(MAX_SUGGESTIONS + 2)}, source).close()
    assert source.problems[0].sentence == "unknown key `k0`; nothing is known here"
    assert source.problems[-1].sentence == f"unknown key `k{MAX_SUGGESTIONS + 1}`; look it up"


def test_all_mistakes_come_at_once_each_once_by_line() -> None:
    source = Source("f", {("a",): 12, ("b",): 2})
    source.report(("a",), "late")
    source.report(("b",), "early")
    source.report(("b",), "early")
    source.report((), "somewhere")
    with pytest.raises(ConfigError) as caught:
        source.finish()
    assert str(caught.value) == "f: somewhere\nf:2: early\nf:12: late"
    Source("f").finish()


def test_a_value_from_an_option_is_reported_there() -> None:
    source = Source("f", {("load",): 3}, {("load", "x"): "--set load.x=1"})
    assert source.where(("load", "x", "deep")) == "--set load.x=1"
    assert source.where(("load", "y")) == "f:3"
    assert source.where(()) == "f"


def test_a_sentence_stays_on_one_line_whatever_it_quotes() -> None:
    source = Source("f")
    source.report((), "a\nb\x1b[31m")
    assert source.problems == [Problem("f", "a?b?[31m")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "true"),
        (False, "false"),
        ("a", '"a"'),
        ("x" * 61, '"' + "x" * 57 + '..."'),
        ({}, "a table"),
        ([], "a list"),
        (3, "3"),
        (1e300, "so large a number"),
        (float("nan"), "so large a number"),
        (date(2026, 1, 1), "a date or a time"),
    ],
)
def test_values_are_told_as_a_reader_knows_them(value: object, words: str) -> None:
    assert quoted(value) == words


def test_near_words() -> None:
    assert nearest("opne", ["open", "closed"]) == "did you mean `open`?"
    assert nearest("x", []) == "nothing is known here"
    assert cut("a" * 60) == "a" * 60


# ---------------------------------------------------------------- the file


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_document(path, "mine.toml")
    return str(caught.value)


def test_a_document_has_data_lines_and_the_first_comment(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf\r\n#  What for?\r\n# more\r\na = 1\r\n")
    document = read_document(path, "mine.toml")
    assert (document.data, document.lines, document.comment) == ({"a": 1}, {("a",): 4}, "What for?")


@pytest.mark.parametrize("text", ["", "a = 1\n# late", "\n\n"])
def test_without_a_comment_at_the_top_there_is_none(text: str) -> None:
    assert parse_document(text, "x").comment == ""


def test_a_missing_file_a_folder_and_an_impossible_name(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.toml") == "mine.toml: there is no such file"
    assert refused(tmp_path).startswith("mine.toml: this is a folder")
    assert refused(tmp_path / "a\0b").startswith("mine.toml: the file cannot be read")
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file" / "x.toml") == "mine.toml: the file cannot be read: Not a directory"


def test_a_file_of_the_largest_size_is_read_and_one_more_byte_is_not(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * MAX_FILE_BYTES)
    assert read_document(path, "x").data == {}
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert refused(path).endswith(
        "larger than 1 MiB; if it is the right file, move its long texts to a CSV file for `data` of"
        " [traffic]"
    )
    assert len(read_bytes(path, "x", MAX_FILE_BYTES + 1)) == MAX_FILE_BYTES + 1


def test_what_is_not_utf8_is_told_with_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        decode(b"a = 1\nb = '\xff'", "mine.toml")
    assert str(caught.value) == "mine.toml:2: this is not UTF-8 text; save the file as UTF-8"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = 1\nb = \n", "x:2: this is not valid TOML: invalid value in column 5"),
        ("a = 1\na = 2\n", "x:2: this is not valid TOML: cannot overwrite a value"),
        ("[a\n", "x:1: this is not valid TOML: expected ']' at the end of a table declaration in column 3"),
        ('a = 1\nb = "x', "x:2: this is not valid TOML: unterminated string at the end of the file"),
        ("a = " + "1" * 5000, "x: this is not valid TOML: Exceeds the limit"),
        ("a = " + "[" * 5000, "x: lists or tables in the file are nested too deeply"),
        ("a = " + "[" * 40 + "]" * 40, "x: lists or tables in the file are nested too deeply"),
    ],
)
def test_what_is_no_toml_is_one_sentence_with_the_line(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, "x")
    assert str(caught.value).startswith(sentence)
    assert len(caught.value.problems) == 1


def test_a_megabyte_of_anything_is_read_in_time() -> None:
    long_text = 'a = "' + "x\\n" * 300_000 + "\"\nb = '''" + "y'" * 50_000 + "'''\n"
    assert parse_document(long_text, "x").lines == {("a",): 1, ("b",): 2}
    many_keys = "".join(f"k{i} = {i}\n" for i in range(60_000))
    assert len(parse_document(many_keys, "x").lines) == len(tomllib.loads(many_keys))


@pytest.mark.parametrize("key", ["a." * 100_000 + "b", '"a" . ' * 5000 + "b", "'a'.b." * 5000 + "b"])
@pytest.mark.parametrize("form", ["x = 1\n\n{} = 1", "x = 1\n\n[{}]", "x = 1\n\ny = {{ {} = 1 }}"])
def test_a_key_of_endless_parts_is_told_before_it_costs_a_minute(key: str, form: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^f.toml:3: this is not valid TOML: a key has more than 100 parts"
    ):
        parse_document(form.format(key), "f.toml")


def test_a_key_of_many_parts_and_text_with_many_dots_are_read() -> None:
    deep = ".".join("a" * 20)
    text = "x = '" + "Yes, no. " * 500 + "'\ny = '" + "1.2.3 " * 200 + f"'\n{deep} = 1\n"
    assert parse_document(text, "f.toml").data["x"]
