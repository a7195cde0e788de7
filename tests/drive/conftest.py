"""What drive's tests shard: pollers that are always stopped, certificates, Locust without its patches.

Locust patches the standard library when it is imported, and would slow or break whoever shares this process.
Our connections need none of it: their sockets lie under gevent's feet.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator

import pytest

from loadtest.drive.poller import EpollPoller, Poller, WatcherPoller
from tests.end_to_end.certificates import Authority, Pair

UNPATCHED = "LOCUST_SKIP_MONKEY_PATCH"

with pytest.MonkeyPatch.context() as _environment:
    # Only for this import: a process that a test starts must not inherit it.
    _environment.setenv(UNPATCHED, "1")
    importlib.import_module("locust")

MakePoller = Callable[..., Poller]


@pytest.fixture
def stopped() -> Iterator[Callable[[Poller], Poller]]:
    """Have a poller stopped after the test, whatever becomes of it."""
    pollers: list[Poller] = []

    def remember(poller: Poller) -> Poller:
        pollers.append(poller)
        return poller

    yield remember
    for poller in pollers:
        poller.stop()


@pytest.fixture
def epoll(stopped: Callable[[Poller], Poller]) -> Poller:
    """A running poller of Linux, on the clock that the kernel stamps by."""
    poller = stopped(EpollPoller(time.time_ns))
    poller.start()
    return poller


@pytest.fixture(params=[EpollPoller, WatcherPoller], ids=["epoll", "watchers"])
def make_poller(request: pytest.FixtureRequest, stopped: Callable[[Poller], Poller]) -> MakePoller:
    """Make a poller of either kind; it does not run yet."""
    return lambda now=time.monotonic_ns: stopped(request.param(now))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs certificates that no system knows."""
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


@pytest.fixture(scope="session")
def pair(authority: Authority) -> Pair:
    """A certificate for loopback, and its key."""
    return authority.pair("server")
