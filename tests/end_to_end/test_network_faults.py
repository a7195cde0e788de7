"""Networks that fail at the client's side: what each run says is what docs/faults.md says."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import UNDRAWN
from tests.end_to_end.conftest import RunIt
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

runpy.run_path(UNDRAWN)
_real = _socket.getaddrinfo


def getaddrinfo(host, *rest, **options):
    if host in ("two.test", b"two.test"):
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


@pytest.mark.parametrize("row", ROWS)
def test_a_fault_of_the_network(run: RunIt, tmp_path: Path, row: NetworkRow) -> None:
    folder = tmp_path / "scenario"
    folder.mkdir()
    environment = {}
    if row.addresses:
        names = NAMES.replace("ADDRESSES", repr(row.addresses))
        names = names.replace("UNDRAWN", repr(str(UNDRAWN / "sitecustomize.py")))
        (folder / "sitecustomize.py").write_text(names)
        environment["PYTHONPATH"] = str(folder)
    with ExitStack() as stack:
        port = stack.enter_context(faulty_proxy(stack.enter_context(raw_server(script)), row.weather))
        for host in row.silent:
            stack.enter_context(silent_listener(host, port))
        text = SCENARIO.replace("HOST", row.host).replace("PORT", str(port))
        text += f"{row.target}\n[load]\nconnections = 2\nduration = '2s'\n{row.load}\n"
        text += f"[traffic]\nevery = '200ms'\ntimeout = '1s'\n{row.traffic}\n"
        (folder / "network.toml").write_text(text)
        ended = run("run", folder / "network.toml", environment=environment)
    assert ended.code == row.code, ended.screen
    assert [words for words, holds in row.shows.items() if not holds(ended.manifest)] == [], ended.screen
