from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.keep.turns import EARLIER, TurnTable, head, levels_of, read_turns, sampled, sampling
from loadtest.measure.interval import TURN
from tests.keep.samples import turns


def test_the_file_is_a_valid_array_after_every_append(tmp_path: Path) -> None:
    path = tmp_path / "turns.npy"
    table = TurnTable(path)
    assert len(np.load(path)) == 0
    for first in (0, 4, 8):
        assert table.append(turns(first, 4)) == 4
        loaded = np.load(path)
        assert loaded.dtype == TURN
        assert loaded["seq"][-4:].tolist() == [first + 3, first + 2, first + 1, first]
    assert table.append(turns(0, 0)) == 0
    table.close()
    assert np.load(path)["seq"].tolist() == list(range(12))
    assert read_turns(path)["seq"].tolist() == list(range(12))


def test_a_table_that_was_cut_anywhere_gives_its_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "turns.npy"
    table = TurnTable(path)
    table.append(turns(0, 3))
    data = path.read_bytes()
    table.close()
    for length in range(len(data) + 1):
        path.write_bytes(data[:length])
        whole = max(0, (length - len(head(0))) // TURN.itemsize)
        assert read_turns(path)["seq"].tolist() == [2, 1, 0][:whole]
    for more in (b"half a row", bytes(TURN.itemsize)):
        # What the header does not speak of yet was being written.
        path.write_bytes(data + more)
        assert len(read_turns(path)) == 3


@pytest.mark.parametrize("layout", EARLIER)
def test_a_table_of_an_earlier_version_is_read_with_what_it_has(tmp_path: Path, layout: np.dtype) -> None:
    rows = turns(0, 9)
    rows["phase"] = np.arange(9) % 3
    rows["kind"] = "kind" in layout.fields
    rows["waited_from_ns"] += 5
    earlier = np.zeros(9, layout)
    for name in layout.names:
        earlier[name] = rows[name]
    np.save(tmp_path / "turns.npy", earlier)
    read = read_turns(tmp_path / "turns.npy")
    assert read.dtype == TURN
    rows["waited_from_ns"] = rows["intended_ns"]
    assert read.tobytes() == rows.tobytes()


@pytest.mark.parametrize("data", [b"nonsense" * 100, b"nonsense", b"\x93NUMPY\x03\x00" + b" " * 600])
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "turns.npy"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r".+"):
        read_turns(path)


@pytest.mark.parametrize("array", [np.zeros(200), np.zeros((2, 20), TURN)])
def test_an_array_of_something_else_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "turns.npy", array)
    with pytest.raises(ValueError, match="not a table of turns"):
        read_turns(tmp_path / "turns.npy")


def test_the_head_keeps_its_length() -> None:
    assert {len(head(rows)) for rows in (0, 1, 10**6, 2**63)} == {512}


def test_each_level_keeps_half_of_the_one_below() -> None:
    levels = levels_of(np.arange(100_000))
    for level in range(8):
        assert (levels >= level).mean() == pytest.approx(2.0**-level, rel=0.05)
    assert levels_of(np.array([0]))[0] == 63


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 30))
def test_a_sample_depends_on_the_turns_alone(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], most: int
) -> None:
    path = tmp_path_factory.mktemp("t") / "turns.npy"
    table = TurnTable(path, most)
    first = kept = 0
    for size in sizes:
        kept += table.append(turns(first, size))
        first += size
    written = read_turns(path)
    assert len(written) == kept
    every = turns(0, first)
    expected, level = sampled(every, most)
    # A table that was cut, the one that was closed, and one that never was sampled tell the same turns.
    assert table.level == level == sampled(written, most)[1]
    assert sorted(sampled(written, most)[0]["seq"]) == sorted(expected["seq"])
    table.close()
    assert read_turns(path)["seq"].tolist() == sorted(expected["seq"].tolist())
    assert len(expected) <= most
    assert table.seen == first


def test_a_table_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "turns.npy"
    path.write_bytes(b"")
    with pytest.raises(FileExistsError, match="turns"):
        TurnTable(path)


def test_sampling_is_told() -> None:
    assert sampling(5, 0) == []
    assert sampling(4_000_000, 2) == [{"code": "turns_sampled", "numbers": {"turns": 4_000_000, "one_in": 4}}]


@pytest.mark.parametrize(("name", "number"), [("phase", 3), ("phase", -1), ("outcome", 99), ("outcome", -1)])
def test_a_turn_of_no_known_phase_or_outcome_is_told(tmp_path: Path, name: str, number: int) -> None:
    path = tmp_path / "turns.npy"
    with_odd = turns(0, 3)
    with_odd[name][1] = number
    np.save(path, with_odd)
    with pytest.raises(ValueError, match="unknown phase or outcome"):
        read_turns(path)


def test_a_table_of_our_own_may_be_longer_than_one_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sum of many runs is given its rows at once."""
    monkeypatch.setattr("loadtest.keep.turns.MOST_ROWS", 50)
    table = TurnTable(tmp_path / "turns.npy", most=40)
    table.append(turns(0, 100))
    with pytest.raises(ValueError, match="the file has 100 turns; no run keeps more than 50"):
        read_turns(table.path)
    table.close()
    assert 0 < len(read_turns(table.path)) <= 40
