from __future__ import annotations

import numpy as np

from loadtest.measure.histogram import Histogram
from loadtest.show.sparkline import course, distribution

MS = 1_000_000


def of(*values_ms: float) -> Histogram:
    made = Histogram()
    made.record(np.array([round(value * MS) for value in values_ms]))
    return made


def test_each_class_of_the_logarithm_is_as_high_as_it_is_full() -> None:
    assert distribution(of(1, 1, 1, 1, 11, 90), 1 * MS, 100 * MS, 2) == "█▅"
    assert distribution(of(1.1, 12, 12, 95), 1 * MS, 1000 * MS, 3) == "▃█"


def test_a_class_without_a_sample_is_blank_and_one_with_few_is_not() -> None:
    assert distribution(of(*[1.0] * 500, 90), 1 * MS, 100 * MS, 5) == "█   ▁"


def test_values_at_and_beyond_the_ends_are_in_the_outermost_classes() -> None:
    assert distribution(of(0, 5, 500), 1 * MS, 100 * MS, 2) == "█▅"


def test_of_nothing_there_is_no_picture() -> None:
    assert distribution(Histogram(), 1, 2, 10) == ""
    assert distribution(of(7), 7 * MS, 7 * MS, 3).strip() == "█"


def test_a_course_begins_at_0_and_leaves_out_what_is_not_known() -> None:
    assert course([0.0, 5.0, None, 10.0]) == "▁▅ █"
    assert course([None, None]) == "  "
    assert course([0.0, 0.0]) == "▁▁"
