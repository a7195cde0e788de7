"""What every test shares: the hypothesis profile, a Ctrl-C that is heard, processes that draw no plots."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Each run tries the same examples, so that no change fails by chance; ``make laws`` looks for new ones.
SLOW = [HealthCheck.too_slow]
settings.register_profile(
    "house", deadline=None, suppress_health_check=SLOW, max_examples=50, derandomize=True, database=None
)
settings.register_profile("laws", deadline=None, suppress_health_check=SLOW, max_examples=1_000)
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts what runs beside it so, and what a test starts inherits it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Collecting only makes what stays: nothing is garbage until the tests begin.
gc.disable()

SLOWEST_FIRST = ("end_to_end", "run", "drive", "faults", "live", "simulator", "readiness", "cli")
TESTS = Path(__file__).parent
UNDRAWN = TESTS / "undrawn"


LONG_UNTIL = float(os.environ.get("LONG_TESTS_UNTIL", "inf"))
"""Seconds of the epoch: a long test that would begin later is skipped, and says so. CI has half an hour."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("long") and time.time() > LONG_UNTIL:
        pytest.skip("no time was left for it: this machine is slow")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Import other test files first in each worker: each compiles some, and finds the others compiled.

    Where nothing is compiled yet, workers that go through the files in step would all compile each of them:
    half a minute of a processor for each worker. What cannot be imported is told when it is collected.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if not isinstance(collector, pytest.Session) or workers == 1:
        return
    # It imports Locust without its patches, so that it comes before all others.
    importlib.import_module("tests.unpatched")
    own = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    asked = [
        collector.config.invocation_params.dir / word.partition("::")[0] for word in collector.config.args
    ]
    files = sorted(
        {file for path in asked for file in ([path] if path.is_file() else path.rglob("test_*.py"))}
    )
    for file in files[own::workers]:
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.relative_to(TESTS.parent).with_suffix("").parts))


@pytest.fixture(scope="session", autouse=True)
def _undrawn() -> Iterator[None]:
    """What tests start draws no plots, two thirds of a short run; who looks at them clears the variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(UNDRAWN))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Rooms whose tests take long come first, so that none of them begins when all others end."""

    def place(item: pytest.Item) -> int:
        room = item.path.relative_to(TESTS).parts[0]
        return SLOWEST_FIRST.index(room) if room in SLOWEST_FIRST else len(SLOWEST_FIRST)

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not walk it again (6 % of all CPU)."""
    gc.collect()
    gc.freeze()
    gc.enable()
