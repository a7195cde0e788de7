from __future__ import annotations

from loadtest.show.manifest import as_integer, rows


def test_rows_are_the_mappings_of_a_list_and_none_of_anything_else() -> None:
    manifest = {"verdict": {"thresholds": [{"name": "a"}, 5, None]}, "notices": "no list"}
    assert rows(manifest, "verdict", "thresholds") == [{"name": "a"}]
    assert rows(manifest, "notices") == []
    assert rows({}, "verdict", "thresholds") == []


def test_only_integers_are_counts() -> None:
    assert as_integer(7) == 7
    assert [as_integer(value) for value in (None, True, 7.0, "7")] == [None] * 4
