"""A target that floods its clients fails: the run is not invalid, as if the generator had been too slow."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from tests.end_to_end.conftest import RunIt
from tests.raw_server import Peer, framed, raw_server

pytestmark = pytest.mark.long

SCENARIO = """
name = "flood"
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
url = "ws://127.0.0.1:PORT/x"
compression = true
[load]
connections = 4
duration = '2s'
[traffic]
every = '100ms'
timeout = '1s'
"""


def bomb() -> bytes:
    deflate = PerMessageDeflate(True, True, 15, 15)
    return Frame(Opcode.TEXT, b'{"id":"%s"}' % (b"a" * 1_000_000)).serialize(mask=False, extensions=[deflate])


def pour(peer: Peer, data: bytes) -> None:
    with suppress(OSError):
        while True:
            peer.send_bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(framed(b"x" * 100, Opcode.PING) * 600, id="pings"),
        pytest.param(framed(b"") * 30_000, id="messages without content"),
        pytest.param(bomb() * 60, id="bombs"),
    ],
)
def test_a_flood_fails_the_run(run: RunIt, tmp_path: Path, data: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.agree("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover")
        threading.Thread(target=pour, args=(peer, data), daemon=True).start()
        peer.echo()

    scenario = tmp_path / "flood.toml"
    with raw_server(script) as port:
        scenario.write_text(SCENARIO.replace("PORT", str(port)))
        ended = run("run", scenario)
    assert ended.code == 1, ended.screen
    connections = ended.manifest["counts"]["connections"]
    assert connections["ended_by_us"] == {"flood": 4}
    assert connections["closed"] == {"1006": 4}
    assert "flood" in ended.manifest["verdict"]["reason"]
