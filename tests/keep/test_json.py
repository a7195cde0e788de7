from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtest.keep.json import json_text, plain
from tests.keep.samples import STARTED


def test_everything_becomes_what_json_knows() -> None:
    data = {
        1: (np.int64(3), np.float64(0.5), np.array([1, 2])),
        "nothing": [math.nan, math.inf, -math.inf, np.float32("nan"), None],
        "yes": [True, np.bool_(0)],
        "text": [b"caf\xc3\xa9\xff", Path("a"), STARTED],
    }
    assert plain(data) == {
        "1": [3, 0.5, [1, 2]],
        "nothing": [None] * 5,
        "yes": [True, False],
        "text": ["café\ufffd", "a", "2026-11-22T12:15:30.250000+00:00"],
    }


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@given(values)
def test_the_text_is_read_by_strict_readers(data: object) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(json_text(data).encode("utf-8"), parse_constant=refuse)


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert json_text("a\ud83d") == '"a?"'
