"""Networks that fail at the client's side: what each run says is what docs/faults.md says."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import UNDRAWN
from tests.end_to_end.conftest import Launch, RunIt
from tests.end_to_end.namespaces import Host
from tests.end_to_end.packet_wire import NAME as WIRE
from tests.end_to_end.packet_wire import in_namespace, joined_hosts, no_wire
from tests.end_to_end.running import LOADTEST, Ended
from tests.faults.network import NETWORK, NetworkRow
from tests.faulty_proxy import faulty_proxy, silent_listener
from tests.raw_server import Peer, raw_server

pytestmark = pytest.mark.long

SCENARIO = """
name = "network"
[protocol]
name = "p"
[protocol.connect]
path = "/x"
[protocol.turn]
message = '{"id":"{turn.id}"}'
[protocol.events]
turn = ["id"]
count = 1
[target]
url = "ws://HOST:PORT/x"
"""

NAMES = """
import _socket
import runpy
import time

runpy.run_path(UNDRAWN)
_real = _socket.getaddrinfo


def getaddrinfo(host, *rest, **options):
    if host in ("two.test", b"two.test"):
        time.sleep(LOOKUP)
        return [each for address in ADDRESSES for each in _real(address, *rest, **options)]
    return _real(host, *rest, **options)


_socket.getaddrinfo = getaddrinfo
"""
"""A name service of the test's own: what ``sitecustomize`` of the command's Python says."""


def script(peer: Peer) -> None:
    """Echo; the first answer is long."""
    pad = {"pad": "z" * 12_000}
    for message in peer.agree().messages():
        peer.send(message | pad)
        pad = {}


ROWS = [pytest.param(row, id=row.name) for row in NETWORK]


@pytest.mark.parametrize("row", [row for row in ROWS if row.values[0].packets is None])
def test_a_fault_of_the_network(run: RunIt, tmp_path: Path, row: NetworkRow) -> None:
    folder = tmp_path / "scenario"
    folder.mkdir()
    environment = {}
    if row.addresses:
        names = NAMES.replace("ADDRESSES", repr(row.addresses)).replace("LOOKUP", str(row.lookup_s))
        names = names.replace("UNDRAWN", repr(str(UNDRAWN / "sitecustomize.py")))
        (folder / "sitecustomize.py").write_text(names)
        environment["PYTHONPATH"] = str(folder)
    with ExitStack() as stack:
        port = stack.enter_context(faulty_proxy(stack.enter_context(raw_server(script)), row.weather))
        for host in row.silent:
            stack.enter_context(silent_listener(host, port))
        ended = run("run", _scenario(folder, row, row.host, port), environment=environment)
    _holds(row, ended)


@pytest.mark.parametrize("row", [row for row in ROWS if row.values[0].packets is not None])
def test_a_fault_of_packets(launch: Launch, tmp_path: Path, row: NetworkRow) -> None:
    if reason := no_wire():
        pytest.skip(reason)
    assert row.packets is not None
    with ExitStack() as stack:
        client, target = stack.enter_context(joined_hosts(row.packets))
        with in_namespace(target):
            port = stack.enter_context(raw_server(script, target.address))
        scenario = _scenario(tmp_path, row, target.address, port)
        launched = launch("run", scenario, command=client.inside(*LOADTEST))
        if row.moves:
            launched.until(lambda: launched.written_seconds() > 0)
            _move(client if row.moves == "client" else target)
        ended = launched.end()
    _holds(row, ended)


def _move(host: Host) -> None:
    """From now on the host has another address of the same network."""
    host.do("ip", "address", "add", f"{host.address}0/24", "dev", WIRE)
    host.do("ip", "address", "delete", f"{host.address}/24", "dev", WIRE)
    # With the first address of a network Linux takes the others away as well.
    if f"{host.address}0/" not in host.says("ip", "address", "show", "dev", WIRE):
        host.do("ip", "address", "add", f"{host.address}0/24", "dev", WIRE)


def _scenario(folder: Path, row: NetworkRow, host: str, port: int) -> Path:
    text = SCENARIO.replace("HOST", host).replace("PORT", str(port))
    text += f"{row.target}\n[load]\nconnections = 2\nduration = '2s'\n{row.load}\n[traffic]\n{row.traffic}\n"
    for key, usual in (("every", "200ms"), ("timeout", "1s")):
        if f"\n{key} = " not in f"\n{row.traffic}":
            text += f"{key} = '{usual}'\n"
    scenario = folder / "network.toml"
    scenario.write_text(text)
    return scenario


def _holds(row: NetworkRow, ended: Ended) -> None:
    assert ended.code == row.code, ended.screen
    missed = [words for words, holds in row.shows.items() if not holds(ended.manifest)]
    assert missed == [], f"{ended.screen}\n{ended.manifest['counts']}\n{ended.manifest['refusals']}"
