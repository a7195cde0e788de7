from __future__ import annotations

from loadtest.errors import WORST_FIRST, Exit, worst_of


def test_several_runs_end_with_the_worst() -> None:
    assert [int(code) for code in WORST_FIRST] == [70, 130, 2, 1, 3, 4, 0]
    assert set(WORST_FIRST) == set(Exit)
    assert worst_of([Exit.PASS, Exit.INVALID, Exit.UNREACHABLE]) is Exit.UNREACHABLE
    assert worst_of([Exit.FAIL, Exit.UNREACHABLE, Exit.CONFIG]) is Exit.CONFIG
    assert worst_of([]) is Exit.PASS
