"""Calls in threads of their own: one of a name at a time, settled in the thread that began them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from loadtest.live.background import Background
from tests.end_to_end.running import wait_until


class Told:
    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        self.threads: set[str] = set()

    def __call__(self, said: str, error: Exception | None) -> None:
        self.got.append((said, "" if error is None else str(error)))
        self.threads.add(threading.current_thread().name)


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """What a call waits for; set in the end."""
    event = threading.Event()
    yield event
    event.set()


def waits(event: threading.Event) -> str:
    event.wait(20)
    return "late"


def test_what_ends_at_once_is_over_when_it_was_begun() -> None:
    background, told = Background(at_once_s=20), Told()
    background.begin("a", lambda: "well", told)
    assert (told.got, background.busy) == ([("well", "")], frozenset())
    assert told.threads == {threading.current_thread().name}


def test_what_hangs_holds_up_nothing_and_is_told_once_it_is_over(hang: threading.Event) -> None:
    background, told = Background(at_once_s=20), Told()
    background.begin("slow", lambda: waits(hang), told, wait_s=0.0)
    background.begin("other", lambda: "well", told)
    background.settle()
    background.finish(0.0)
    assert (told.got, background.busy) == ([("well", "")], {"slow"})
    hang.set()
    background.finish(20)
    assert (told.got[1:], background.busy) == ([("late", "")], frozenset())


def test_what_ends_later_is_told_when_it_is_asked(hang: threading.Event) -> None:
    background, told = Background(), Told()
    background.begin("slow", lambda: waits(hang), told, wait_s=0.0)
    hang.set()

    def settled() -> bool:
        background.settle()
        return not background.busy

    wait_until(settled)
    assert told.got == [("late", "")]


def test_an_error_is_told_and_the_end_of_the_process_is_raised() -> None:
    def breaks() -> str:
        raise OSError("it broke")

    def ends() -> str:
        raise KeyboardInterrupt

    background, told = Background(at_once_s=20), Told()
    background.begin("a", breaks, told)
    assert told.got == [("", "it broke")]
    with pytest.raises(KeyboardInterrupt):
        background.begin("b", ends, told)
    assert background.busy == frozenset()
