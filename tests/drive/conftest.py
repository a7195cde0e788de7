"""What drive's tests share: pollers that are always stopped, certificates, Locust without its patches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

import tests.unpatched  # noqa: F401 - before whatever imports Locust
from loadtest.drive.poller import EpollPoller, Poller, WatcherPoller
from tests.end_to_end.certificates import Authority, Pair

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
