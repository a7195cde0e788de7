from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.document import LARGEST_FILE, decode, parse_document, read_bytes, read_document


def told(path: Path) -> str:
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
    assert told(tmp_path / "none.toml") == "mine.toml: there is no such file"
    assert told(tmp_path).startswith("mine.toml: this is a folder")
    assert told(tmp_path / "a\0b").startswith("mine.toml: the file cannot be read")
    (tmp_path / "file").write_text("")
    assert told(tmp_path / "file" / "x.toml") == "mine.toml: the file cannot be read: Not a directory"


def test_a_file_of_the_largest_size_is_read_and_one_more_byte_is_not(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * LARGEST_FILE)
    assert read_document(path, "x").data == {}
    path.write_bytes(b"#" * (LARGEST_FILE + 1))
    assert "larger than 1024 KiB" in told(path)
    assert len(read_bytes(path, "x", LARGEST_FILE + 1)) == LARGEST_FILE + 1


def test_what_is_not_utf8_is_told_with_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        decode(b"a = 1\nb = '\xff'", "mine.toml")
    assert str(caught.value) == "mine.toml:2: this is not UTF-8 text; save the file as UTF-8"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = 1\nb = \n", "x:2: this is not TOML: invalid value in column 5"),
        ("a = 1\na = 2\n", "x:2: this is not TOML: cannot overwrite a value"),
        ("[a\n", "x:1: this is not TOML: expected ']' at the end of a table declaration in column 3"),
        ('a = 1\nb = "x', "x:2: this is not TOML: unterminated string at the end of the file"),
        ("a = " + "1" * 5000, "x: this is not TOML: Exceeds the limit"),
        ("a = " + "[" * 5000, "x: lists or tables are nested too deeply"),
        ("a = " + "[" * 40 + "]" * 40, "x: lists or tables are nested too deeply"),
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
    with pytest.raises(ConfigError, match=r"^f.toml:3: this is not TOML: a key has more than 100 parts"):
        parse_document(form.format(key), "f.toml")


def test_a_key_of_many_parts_and_text_with_many_dots_are_read() -> None:
    deep = ".".join("a" * 20)
    text = "x = '" + "Yes, no. " * 500 + "'\ny = '" + "1.2.3 " * 200 + f"'\n{deep} = 1\n"
    assert parse_document(text, "f.toml").data["x"]
