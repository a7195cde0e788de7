from __future__ import annotations

from pathlib import Path

import numpy as np

from loadtest.keep.read import read_run
from loadtest.show.comparison_data import Drawn, DrawnSide
from loadtest.show.plot.overlay_time import Track, middle
from loadtest.show.series import MAX_BINS
from tests.keep.samples import second, write_run

TURNS = Track("turns", lambda run: run.series.counted("turns.complete"))


def side(folder: Path, *runs: list[int]) -> DrawnSide:
    paths = [
        write_run(folder / str(number), [second(at, at % 7 + 1) for at in seconds])
        for number, seconds in enumerate(runs)
    ]
    return DrawnSide("v1", tuple(Drawn(read_run(path)) for path in paths), 0)


def test_a_second_has_the_median_of_the_runs_that_measured_it(tmp_path: Path) -> None:
    found = middle(side(tmp_path, [0, 1, 2], [1, 2, 3]), TURNS)
    assert np.diff(found.at).tolist() == [1, 1, 1]
    assert (found.low <= found.median).all()
    assert (found.median <= found.high).all()


def test_a_second_far_away_takes_as_much_room_as_any(tmp_path: Path) -> None:
    found = middle(side(tmp_path, [0, 1, 2], [0, 1, 10**12]), TURNS)
    assert 3 <= len(found.at) <= 3 + MAX_BINS
    assert found.at[-1] - found.at[0] > 10**11


def test_nothing_is_nothing(tmp_path: Path) -> None:
    assert len(middle(side(tmp_path, []), TURNS).at) == 0
