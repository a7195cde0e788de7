"""A run over two hosts: the master and a worker on the one, a worker on the other, over a real network."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, PHASES
from tests.end_to_end.conftest import Launch
from tests.end_to_end.namespaces import Host, missing, two_hosts
from tests.end_to_end.running import LOADTEST, Ended, wait_until
from tests.end_to_end.test_same_counts import PROTOCOL

pytestmark = pytest.mark.long

SCENARIO = """
name = "spread"
protocol = "numbered-echo.toml"

[target]
url = "simulator"

[load]
connections = 40
connect_rate = "80/s"
warmup = "500ms"
duration = "2s"
seed = 11

[traffic]
rate = "200/s"
arrivals = "poisson"
timeout = "20s"
"""
PORT = 5577
PLANNED = ["seq", "user", "position", "intended_ns", "payload_crc"]


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    if reason := missing():
        pytest.skip(reason)
    with two_hosts() as made:
        yield made


@contextmanager
def simulator(host: Host) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Our backend on a host: where it is, and what it says of itself to those who ask from there."""
    command = host.inside(*LOADTEST, "simulator", "--host", host.address, "--port", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield ready["url"], lambda: _stats(host, ready["port"])
        finally:
            process.terminate()
            process.wait(10)


def _stats(host: Host, port: int) -> dict[str, Any]:
    asked = (
        f"import urllib.request as r; print(r.urlopen('http://{host.address}:{port}/stats').read().decode())"
    )
    python = str(Path(LOADTEST[0]).with_name("python"))
    said = subprocess.run(host.inside(python, "-c", asked), check=True, capture_output=True, timeout=20)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    (tmp_path / "numbered-echo.toml").write_text(PROTOCOL)
    path = tmp_path / "spread.toml"
    path.write_text(SCENARIO)
    return path


def distributed(launch: Launch, hosts: tuple[Host, Host], scenario: Path, *options: str) -> list[Ended]:
    """The run, led by the first host with a worker on either; how master and workers ended."""
    bind = f"{hosts[0].address}:{PORT}"
    key: Any = {"environment": {"WORKERS_KEY": "a-key-for-the-tests"}}
    words = ("--workers", "2", "--bind", bind, "--key-env", "WORKERS_KEY", *options)
    master = launch("run", scenario, *words, command=hosts[0].inside(*LOADTEST), **key)
    wait_until(lambda: "loadtest worker --master" in master.err or master.process.poll() is not None)
    joining = ("worker", "--master", bind, "--key-env", "WORKERS_KEY")
    workers = [launch(*joining, command=host.inside(*LOADTEST), **key) for host in hosts]
    return [one.end() for one in (master, *workers)]


def test_two_hosts_send_what_one_does_and_their_numbers_add_exactly(
    launch: Launch, hosts: tuple[Host, Host], scenario: Path
) -> None:
    with simulator(hosts[0]) as (url, stats):
        alone = launch("run", scenario, "--target", url, command=hosts[1].inside(*LOADTEST))
        ended, *workers = distributed(launch, hosts, scenario, "--target", url)
        one = alone.end()
        heard = stats()
    assert ended.code in {0, 4}, ended.screen
    assert [worker.code for worker in workers] == [0, 0], [worker.screen for worker in workers]
    assert ended.turns[PLANNED].tolist() == one.turns[PLANNED].tolist()
    assert not ended.notices & {"worker_lost", "counts_do_not_add_up"}
    manifest, n = ended.manifest, len(ended.turns)
    assert manifest["counts"]["turns"]["complete"] == n > 300
    assert manifest["counts"]["connections"]["ready"] == manifest["counts"]["connections"]["peak"] == 40
    assert heard["messages"]["received"] == 2 * manifest["counts"]["events"]["sent"] == 2 * n
    assert heard["connections"]["established"] == 2 * 40
    assert merged_exactly(ended)
    assert all_took_part(manifest)


def merged_exactly(ended: Ended) -> bool:
    """What the workers' histograms add up to is one histogram of all turns."""
    turns = ended.turns
    kept = turns[
        (turns["phase"] == PHASES.index("measured")) & (turns["outcome"] == OUTCOMES.index("complete"))
    ]
    found = ended.run.totals().histograms
    for name, since in (("turn.completion", "intended_ns"), ("turn.completion.service", "sent_ns")):
        whole = Histogram()
        whole.record(kept["done_ns"] - kept[since])
        ours = found[name]
        assert (ours.n, ended.manifest["metrics"][name]["n"]) == (whole.n, whole.n)
        for one, other in zip(ours.counts_nonzero(), whole.counts_nonzero(), strict=True):
            assert np.array_equal(one, other)
    return True


def all_took_part(manifest: dict[str, Any]) -> bool:
    """The clocks of both hosts were compared, and each drove half of the users."""
    (workers,) = [fact["numbers"] for fact in manifest["observed"] if fact["code"] == "workers"]
    assert [one["users"] for one in workers.values()] == [20, 20]
    for one in workers.values():
        assert 0 < one["round_trip_ms"] < 1000
        # They share a clock here, so what was measured can only be off by what the way took.
        assert abs(one["clock_offset_ms"]) <= one["round_trip_ms"] / 2
        assert one["lateness_max_ms"] > 0
    return True


def test_more_connections_than_one_address_has_ports_for(
    launch: Launch, hosts: tuple[Host, Host], scenario: Path
) -> None:
    """The same with 28,232 ports and more connections than that, in small."""
    generator = hosts[1]
    generator.do("sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=40000 40015")
    for last in (11, 12):
        generator.do("ip", "address", "add", f"10.213.7.{last}/24", "dev", "cable")
    with simulator(hosts[0]) as (url, _):
        words = ("run", scenario, "--target", url, "--set", "load.warmup=0s", "--duration", "1s")
        few, other, more = (
            launch(*words, *sources, command=generator.inside(*LOADTEST)).end()
            for sources in (
                (),
                ("--set", "target.source_addresses=['10.213.7.11', '10.213.7.99']"),
                ("--set", "target.source_addresses=['10.213.7.11', '10.213.7.12', '10.213.7.2']"),
            )
        )
    assert few.code == 2
    assert "but there are only 16. Raise the number with: sysctl" in few.err
    assert "name 3 of this machine's addresses as `source_addresses`" in few.err
    assert other.code == 2
    assert "none of the addresses 10.213.7.99; add one with: ip address add 10.213.7.99/32 dev" in other.err
    assert more.code in {0, 4}, more.screen
    assert more.manifest["counts"]["connections"]["peak"] == 40
    assert more.manifest["generator"]["limits"]["source_addresses"] == 3
