"""A target that floods its clients fails: the run is not invalid, as if the generator had been too slow."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from tests.end_to_end.conftest import Launch, RunIt
from tests.end_to_end.running import Launched
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


NOISE = framed(b'{"n":1}') * 400


def pouring(peer: Peer) -> None:
    """Answers, and sends events that nobody asked for: up to 20,000 a second, so that answers have room."""
    peer.agree()
    over = threading.Event()

    def pour_slowly() -> None:
        with suppress(OSError):
            while not over.wait(0.02):
                peer.send_bytes(NOISE)

    threading.Thread(target=pour_slowly, daemon=True).start()
    try:
        peer.echo()
    finally:
        over.set()


def memory_mib(launched: Launched) -> float:
    """The most memory that the command has had so far."""
    status = Path(f"/proc/{launched.process.pid}/status").read_text("ascii")
    (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak.split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")
def test_events_that_no_turn_waits_for_fail_the_run_in_bounded_memory(launch: Launch, tmp_path: Path) -> None:
    scenario = tmp_path / "flood.toml"
    with raw_server(pouring) as port:
        scenario.write_text(
            SCENARIO.replace("PORT", str(port)).replace("'2s'", "'6s'").replace("'1s'", "'5s'")
        )
        launched = launch("run", scenario)
        launched.until(lambda: launched.written_seconds() >= 2)
        before = memory_mib(launched)
        launched.until(lambda: launched.written_seconds() >= 4)
        after = memory_mib(launched)
        ended = launched.end()
    events = ended.manifest["counts"]["events"]
    assert ended.code == 1, ended.screen
    assert "The target flooded loadtest: " in ended.manifest["verdict"]["reason"]
    assert events["unmatched"] > 4 * 1_000 * 6, "that is a flood"
    assert after - before < 24, f"{before:.0f} MiB became {after:.0f} with {events['unmatched']:,} events"


def test_a_flood_of_tiny_events_holds_up_neither_pings_nor_a_stop(launch: Launch, tmp_path: Path) -> None:
    scenario = tmp_path / "flood.toml"
    text = (
        SCENARIO.replace("connections = 4", "connections = 8").replace("'2s'", "'60s'") + "ping = '500ms'\n"
    )
    with raw_server(pouring) as port:
        scenario.write_text(text.replace("PORT", str(port)))
        launched = launch("run", scenario)
        launched.until(lambda: launched.written_seconds() >= 4)
        launched.signal(signal.SIGINT)
        ended = launched.end(within_s=60.0)
    manifest = ended.manifest
    assert ended.code == 130, ended.screen
    assert manifest["counts"]["connections"]["ready"] == 8
    assert manifest["counts"]["pings"]["sent"] >= 8, "each was pinged"
