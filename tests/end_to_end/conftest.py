"""What end-to-end tests share: commands that are always ended, servers that are always stopped."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from tests.end_to_end.running import LOADTEST, Ended, Launched

Launch = Callable[..., Launched]
RunIt = Callable[..., Ended]


def launcher(folder: Path) -> Iterator[Launch]:
    """Launch commands, each in a folder of its own below ``folder``; whatever still goes is killed."""
    launched: list[Launched] = []
    places = (folder / str(number) for number in itertools.count())
    one_by_one = Lock()

    def launch(*words: str | Path, command: tuple[str, ...] = LOADTEST, **options: Any) -> Launched:
        with one_by_one:
            launched.append(Launched([*command, *map(str, words)], next(places), **options))
            return launched[-1]

    try:
        yield launch
    finally:
        for one in launched:
            one.kill()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Launch a command and go on; it is killed after the test."""
    yield from launcher(tmp_path)


@pytest.fixture
def run(launch: Launch) -> RunIt:
    """Launch a command and wait for its end."""
    return lambda *words, **options: launch(*words, **options).end()


AT_ONCE = 3
"""How many runs of a module go on at the same time: a run waits for half of its life."""


@dataclass(frozen=True)
class Awaited:
    """A run that several tests look at; it may not have begun yet."""

    future: Future[Ended]

    def end(self, within_s: float = 600) -> Ended:
        """Wait for its end, and for its turn before that."""
        return self.future.result(within_s)


Begin = Callable[..., Awaited]


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    """As ``launch``, for runs that several tests of a module look at: they take their turns."""
    for launch in launcher(tmp_path_factory.mktemp("runs")):
        pool = ThreadPoolExecutor(AT_ONCE)

        def begin_later(*words: str | Path, launch: Launch = launch, **options: Any) -> Awaited:
            return Awaited(pool.submit(lambda: launch(*words, **options).end()))  # noqa: B023 - called at once

        try:
            yield begin_later
        finally:
            pool.shutdown(cancel_futures=True)


class Runs(dict[str, Awaited]):
    """Runs of a module by their names: those in the parameters ``name`` of selected tests begin at once.

    Any other begins when a test asks for it, so that no run is made at which nobody looks.
    """

    def __init__(self, ways: Mapping[str, Callable[[], Awaited]], request: pytest.FixtureRequest) -> None:
        super().__init__()
        self._ways = ways
        tests = [item for item in request.session.items if item.path == request.path]
        params = [call.params for call in (getattr(item, "callspec", None) for item in tests) if call]
        for name in ways:
            if any(each.get("name") == name for each in params):
                self[name] = ways[name]()

    def __missing__(self, name: str) -> Awaited:
        self[name] = self._ways[name]()
        return self[name]
