"""The tables "Every key" of the documentation are made from the schema."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadtest.plan.schema import all_tables
from tools import key_tables


def test_the_page_is_as_the_schema_says() -> None:
    page = key_tables.PAGE.read_text("utf-8")
    assert key_tables.rewritten(page) == page, "run: python tools/key_tables.py --write"


def test_every_key_stands_on_the_page() -> None:
    page = key_tables.PAGE.read_text("utf-8")
    names = [key.name for table in all_tables() for key in table.keys]
    assert [name for name in names if not re.search(rf"`([\w.]+\.)?{name}[`.]", page)] == []


def test_a_page_that_is_behind_is_told_and_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- keys of limits -->\nold\n<!-- end of keys -->\nafter\n", "utf-8")
    monkeypatch.setattr(key_tables, "PAGE", page)
    monkeypatch.setattr("sys.argv", ["key_tables.py"])
    assert key_tables.main() == 1
    assert "page.md is not as the schema says" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["key_tables.py", "--write"])
    assert key_tables.main() == 0
    text = page.read_text("utf-8")
    assert "| `rate` | loadtest refuses a plan with more turns per second | `100000/s` |" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    monkeypatch.setattr("sys.argv", ["key_tables.py"])
    assert key_tables.main() == 0


def test_a_place_for_no_table_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        key_tables.rewritten("<!-- keys of nothing -->\n<!-- end of keys -->")
