"""Two network namespaces joined by a pair of virtual cables: two hosts, as far as the network can tell."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

_numbers = itertools.count()


@dataclass(frozen=True)
class Host:
    """A namespace with one address that the other host reaches."""

    name: str
    address: str

    def inside(self, *words: str) -> tuple[str, ...]:
        """The command that runs a command in there."""
        return ("ip", "netns", "exec", self.name, *words)

    def do(self, *words: str) -> None:
        """Run a command in there to its end."""
        _do(*self.inside(*words))

    def says(self, *words: str) -> str:
        """What a command in there writes."""
        return subprocess.run(
            self.inside(*words), check=True, capture_output=True, text=True, timeout=20
        ).stdout


def missing() -> str | None:
    """Why there can be no namespaces here; None if there can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need `ip` (apt-get install iproute2)"
    tried = f"loadtest-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", tried], check=False, capture_output=True).returncode != 0:
        return "this system does not let root make network namespaces"
    _do("ip", "netns", "delete", tried)
    return None


@contextmanager
def bare_hosts() -> Iterator[tuple[Host, Host]]:
    """Make both, joined by nothing, and take them away whatever happens; what joins them goes with them."""
    number = f"{os.getpid()}-{next(_numbers)}"
    hosts = Host(f"loadtest-a-{number}", "10.213.7.1"), Host(f"loadtest-b-{number}", "10.213.7.2")
    with ExitStack() as made:
        for host in hosts:
            _do("ip", "netns", "add", host.name)
            made.callback(_do, "ip", "netns", "delete", host.name)
            host.do("ip", "link", "set", "lo", "up")
        yield hosts


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts joined by a cable that does nothing to packets."""
    with bare_hosts() as hosts:
        one, other = hosts
        peer = ("peer", "name", "cable", "netns", other.name)
        one.do("ip", "link", "add", "cable", "type", "veth", *peer)
        for host in hosts:
            host.do("ip", "address", "add", f"{host.address}/24", "dev", "cable")
            host.do("ip", "link", "set", "cable", "up")
        yield hosts


def _do(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
