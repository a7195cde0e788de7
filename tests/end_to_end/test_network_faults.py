"""Networks that fail at the client's side: what each run says is what docs/faults.md says."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import UNDRAWN
from tests.end_to_end.conftest import Launch, RunIt
from tests.end_to_end.namespaces import Host
from tests.end_to_end.packet_wire import NAME as WIRE
from tests.end_to_end.packet_wire import in_namespace, joined_hosts, no_wire
from tests.end_to_end.running import LOADTEST, Ended
from tests.faults.network import LOCAL, NETWORK, NetworkRow
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
_left = LOOKUPS


def getaddrinfo(host, *rest, **options):
    global _left
    if host in (HOST, HOST.encode()):
        time.sleep(WITHIN)
        _left -= 1
        if _left < 0:
            raise _socket.gaierror(-3, "Temporary failure in name resolution")
        known = open(ADDRESSES).read().split()
        return [each for address in known for each in _real(address, *rest, **options)]
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
    if ":" in row.listens and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    folder = tmp_path / "scenario"
    folder.mkdir()
    environment = _name_service(folder, row.host, row) if row.addresses else {}
    with ExitStack() as stack:
        port = stack.enter_context(raw_server(script, row.listens))
        if row.listens == LOCAL:
            port = stack.enter_context(faulty_proxy(port, row.weather))
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
            if row.moves == "target":
                stack.enter_context(raw_server(script, _add_address(target), port))
        host = target.address if row.host == LOCAL else row.host
        environment = _name_service(tmp_path, host, replace(row, addresses=(target.address,)))
        scenario = _scenario(tmp_path, row, host, port)
        launched = launch("run", scenario, command=client.inside(*LOADTEST), environment=environment)
        if row.moves:
            launched.until(lambda: launched.written_seconds() > 0)
            (tmp_path / "addresses").write_text(f"{target.address}{'0' if row.moves == 'target' else ''}")
            _move(client if row.moves == "client" else target)
        ended = launched.end()
    _holds(row, ended)


def _name_service(folder: Path, host: str, row: NetworkRow) -> dict[str, str]:
    """The environment of a command that knows these addresses, until others are written to the file."""
    (folder / "addresses").write_text("\n".join(row.addresses))
    names = (
        NAMES.replace("HOST", repr(host))
        .replace("ADDRESSES", repr(str(folder / "addresses")))
        .replace("WITHIN", str(row.lookup_s))
        .replace("LOOKUPS", str(row.lookups))
    )
    names = names.replace("UNDRAWN", repr(str(UNDRAWN / "sitecustomize.py")))
    (folder / "sitecustomize.py").write_text(names)
    return {"PYTHONPATH": str(folder)}


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def _move(host: Host) -> None:
    """From now on the host has another address of the same network."""
    _add_address(host)
    host.do("ip", "address", "delete", f"{host.address}/24", "dev", WIRE)
    # With the first address of a network Linux takes the others away as well.
    _add_address(host)


def _add_address(host: Host) -> str:
    """The host's second address, which it has from now on."""
    address = f"{host.address}0"
    if f"{address}/" not in host.says("ip", "address", "show", "dev", WIRE):
        host.do("ip", "address", "add", f"{address}/24", "dev", WIRE)
    return address


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
