from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.toml_lines import MAX_DEPTH, KeyPath, key_lines, nearest_line

TEXT = '''# first
name = "x"            # 2

[target]              # 4
url = "ws://[::1]/"   # 5
headers = { Origin = "https://a", "X.Y" = "{a}" }

[ load . deep ]       # 8
a.b."c.d" = [         # 9
  1,                  # 10
  { for = "1s", "connections" = 2 },  # 11
  [ 2, "]" ],
]

[[jobs]]              # 16
x = 1
[[jobs]]              # 18
x = """a
"] [no]
x = 2 """             # 19
[jobs.inner]          # 22
y = \'\'\'
[nor this]\'\'\'      # 23
[[jobs.list]]         # 25
z = 1979-05-27 07:32:00
[[jobs.list]]         # 27
z = 'c:\\'            # 28
[thresholds]
"turn.first_event.p95" = "< 1ms"  # 30
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("target",), 4),
        (("target", "url"), 5),
        (("target", "headers"), 6),
        (("target", "headers", "X.Y"), 6),
        (("load",), 8),
        (("load", "deep", "a", "b", "c.d"), 9),
        (("load", "deep", "a", "b", "c.d", 0), 10),
        (("load", "deep", "a", "b", "c.d", 1, "connections"), 11),
        (("load", "deep", "a", "b", "c.d", 2, 1), 12),
        (("jobs", 0, "x"), 16),
        (("jobs", 1), 17),
        (("jobs", 1, "x"), 18),
        (("jobs", 1, "inner"), 21),
        (("jobs", 1, "inner", "y"), 22),
        (("jobs", 1, "list", 0), 24),
        (("jobs", 1, "list", 1, "z"), 27),
        (("thresholds", "turn.first_event.p95"), 29),
    ],
)
def test_each_key_has_its_line(path: KeyPath, line: int) -> None:
    assert key_lines(TEXT)[path] == line


def test_a_table_made_by_the_way_gets_its_own_header_later() -> None:
    assert key_lines("[a.b]\n\n[a]\nc = 1\n")["a",] == 3


def test_a_key_that_is_not_there_has_the_line_of_what_is_around_it() -> None:
    lines = key_lines("\n[a]\nb = 1\n")
    assert nearest_line(lines, ("a", "missing")) == 2
    assert nearest_line(lines, ("missing",)) is None


@pytest.mark.parametrize("text", ["a", "a = ", "= 1", "a = [1", "a = {b", "[a", "a = {b = 1 c = 2}"])
def test_what_is_no_toml_ends_in_one_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"line \d"):
        key_lines(text + "\n@")


def test_too_much_inside_one_another_is_refused() -> None:
    with pytest.raises(RecursionError):
        key_lines(".".join("a" * (MAX_DEPTH + 1)) + " = 1")
    assert key_lines(".".join("a" * MAX_DEPTH) + " = 1")


KEYS = st.text("ab.\"'\\ =#[]{}\né", max_size=4) | st.sampled_from(["a", "b-1", "c_2"])
SCALARS = st.integers() | st.booleans() | st.text("ab\"'\\\n#]},é=", max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


def quoted(text: str, style: int) -> str:
    escaped = "".join(f"\\u{ord(c):04x}" if c in '"\\\n' else c for c in text)
    if style == 1 and "'" not in text and "\n" not in text:
        return f"'{text}'"
    if style == 2:
        return '"""\n' + escaped.replace("\\u000a", "\n") + '"""'
    if style == 3 and "'" not in text:
        return "'''\n" + text + "'''"
    return f'"{escaped}"'


def written(value: object, style: int, sep: str = " ") -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value, style)
    if isinstance(value, list):
        comment = f"# [{sep}" if "\n" in sep else ""
        return f"[{comment}" + f",{sep}".join(written(each, style, sep) for each in value) + f"{sep}]"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(
                f"{quoted(key, style % 2)} = {written(each, style, sep)}" for key, each in value.items()
            )
            + "}"
        )
    return str(value)


def paths(value: object, at: KeyPath = ()) -> Iterator[KeyPath]:
    if at:
        yield at
    if isinstance(value, dict):
        for key, each in value.items():
            yield from paths(each, (*at, key))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from paths(each, (*at, index))


@given(
    st.dictionaries(KEYS, VALUES, max_size=4), st.integers(0, 3), st.sampled_from([" ", "\n", "  # x\n\n"])
)
def test_whatever_the_document_every_key_is_found_where_it_begins(
    data: dict[str, object], style: int, sep: str
) -> None:
    blocks = [f"{quoted(key, style % 2)} = {written(value, style, sep)}\n" for key, value in data.items()]
    text = "".join(blocks)
    assert tomllib.loads(text) == data
    lines = key_lines(text)
    assert set(lines) == set(paths(data))
    starts = [1 + "".join(blocks[:i]).count("\n") for i in range(len(blocks))]
    assert [lines[key,] for key in data] == starts


@given(
    st.lists(
        st.sampled_from(["[a]", "[[t]]", "[t.x]", "[[t.y]]", "[b.c]", "k = 1", "d.e = 2", "# c", ""]),
        max_size=12,
    )
)
def test_headers_lead_to_the_same_paths_as_for_tomllib(rows: list[str]) -> None:
    text = "\n".join(rows)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = key_lines(text)
    wanted = set(paths(data)) - {("t",), *(p for p in paths(data) if p[-1:] == ("y",))}
    assert wanted <= set(lines)
