"""Whatever is wrong ends in one clear sentence and the right code; nothing sent, or nothing lost."""

from __future__ import annotations

import http.server
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.simulator.process import Simulator
from tests.end_to_end.conftest import Awaited, Begin, RunIt, Runs
from tests.end_to_end.running import LOCUST, Ended, quick
from tests.end_to_end.servers import fastapi

GOOD = """
name = "mine"
protocol = "agent-events"

[target]
url = "ws://127.0.0.1:1/ws"

[load]
connections = 3
duration = "1s"

[traffic]
every = "250ms"
timeout = "1s"
"""

IMPATIENT = """
name = "impatient"

[connect]
path = "/mute"
ready = [ { wait = { type = "connection_established" }, within = "300ms" } ]

[turn]
message = '{"id":"{turn.id}"}'

[events]
turn = ["id"]
count = 1
"""


def one_sentence(text: str) -> None:
    assert "Traceback" not in text
    assert 'File "' not in text
    assert "Error:" not in text


# ------------------------------------------------------------------ what the user wrote: 2, and nothing sent


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """A port at which nobody must knock."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


WRONG = [
    ("unknown key", "connections = 3", "conections = 3", r"mine\.toml:9: .*conections.*connections"),
    ("wrong unit", 'duration = "1s"', 'duration = "1 parsec"', r"mine\.toml:10: .*1 parsec"),
    ("no unit", 'duration = "1s"', "duration = 1", r"mine\.toml:10: "),
    ("wrong kind", "connections = 3", 'connections = "three"', r"mine\.toml:9: .*three"),
    ("too many", "connections = 3", "connections = 20001", r"mine\.toml:9: .*20,000"),
    ("unknown protocol", '"agent-events"', '"agent-evens"', r"mine\.toml:3: .*agent-evens.*agent-events"),
    ("missing file", 'every = "250ms"', 'every = "250ms"\ndata = "rows.csv"', r"mine\.toml:14: .*rows\.csv"),
    ("no TOML", "[load]", "[load", r"mine\.toml:8: "),
    (
        "unknown placeholder",
        'every = "250ms"',
        'every = "250ms"\nmessage = "{turn.id}{data.quest}"',
        r"mine\.toml:14: .*data\.quest",
    ),
    ("no WebSocket URL", "ws://127.0.0.1:1/ws", "http://127.0.0.1:1/ws", r"mine\.toml:6: .*ws://"),
    (
        "unknown metric",
        'timeout = "1s"',
        'timeout = "1s"\n[thresholds]\n"turn.frist_event.p95" = "< 1s"',
        r"mine\.toml:16: .*turn\.frist_event\.p95",
    ),
]


TYPED = [
    (["nosuch.toml"], "nosuch.toml"),
    (["agent-brust"], "agent-burst"),
    (["agent-burst", "--duration", "5 parsecs"], "--duration.*5 parsecs"),
    (["agent-burst", "--set", "load.conections=5"], "--set.*load.conections=5.*connections"),
    (["agent-burst", "--set", "traffic.every=fast"], "--set.*fast"),
    (["agent-burst", "--connections", "many"], "--connections.*many"),
    (["agent-burst", "--no-such-option"], "--no-such-option"),
]


Typed = Callable[..., Ended]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command that ends before Locust is needed: it runs here, which saves its start."""
    results = tmp_path / "results"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOADTEST_RESULTS", str(results))

    def type_it(*words: str | Path) -> Ended:
        return Ended(main([*map(str, words)]), *capsys.readouterr(), results)

    return type_it


def nobody_knocked(listener: socket.socket, ended: Ended) -> None:
    assert ended.code == 2, ended.screen
    assert "Traceback" not in ended.screen
    assert ended.folders == []
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    ("right", "wrong", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_a_mistake_in_the_file(
    typed: Typed, listener: socket.socket, tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    scenario = tmp_path / "mine.toml"
    assert right in GOOD
    address = f"127.0.0.1:{listener.getsockname()[1]}/"
    scenario.write_text(GOOD.replace(right, wrong).replace("127.0.0.1:1/", address))
    ended = typed("run", scenario)
    nobody_knocked(listener, ended)
    (line,) = ended.err.strip().splitlines()
    assert re.search(said, line), ended.err
    one_sentence(ended.screen)


@pytest.mark.parametrize(("words", "said"), TYPED, ids=[" ".join(words) for words, _ in TYPED])
def test_a_mistake_on_the_command_line(
    typed: Typed, listener: socket.socket, words: list[str], said: str
) -> None:
    ended = typed("run", *words, "--target", f"ws://127.0.0.1:{listener.getsockname()[1]}/ws")
    nobody_knocked(listener, ended)
    assert re.search(said, ended.err, re.DOTALL), ended.err


def test_every_mistake_is_told_at_once(typed: Typed, tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text(GOOD.replace('"1s"', '"1 parsec"').replace("connections", "conections"))
    ended = typed("run", scenario)
    assert ended.code == 2
    assert len(ended.err.strip().splitlines()) == 3, ended.err


def test_a_label_that_leaves_the_results(run: RunIt, listener: socket.socket) -> None:
    """Known only when the folder of the run is made: Locust is imported by then."""
    target = f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"
    ended = run("run", "agent-burst", "--label", "../../etc", "--target", target)
    nobody_knocked(listener, ended)
    assert re.search("label.*etc", ended.err, re.DOTALL), ended.err


def test_a_secret_that_is_not_set(run: RunIt, tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    auth = 'auth = { kind = "jwt", secret_env = "NO_SUCH_SECRET" }'
    scenario.write_text(GOOD.replace("[load]", f"{auth}\n[load]"))
    ended = run("run", scenario)
    assert ended.code == 2, ended.screen
    assert "NO_SUCH_SECRET" in ended.err
    one_sentence(ended.screen)
    assert ended.folders == []


def test_plain_locust_says_the_same(run: RunIt, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD.replace("connections", "conections"))
    locustfile = tmp_path / "mine.py"
    scenario = str(tmp_path / "mine.toml")
    locustfile.write_text(
        f"from loadtest import AgentUser\nclass Chat(AgentUser):\n    scenario = {scenario!r}\n"
    )
    ended = run("-f", locustfile, "--headless", command=LOCUST)
    assert ended.code == 2, ended.screen
    assert "mine.toml:9: " in ended.err
    assert "Traceback" not in ended.screen
    assert ended.folders == []


def test_a_folder_that_cannot_be_written(run: RunIt, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    ended = run("run", "agent-burst", *quick(), "--results", tmp_path / "taken")
    assert ended.code == 2, ended.screen
    assert str(tmp_path / "taken") in ended.err
    assert "Traceback" not in ended.screen


# ------------------------------------------------------------------ what the target does


@contextmanager
def threaded(answers: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)


class Page(http.server.BaseHTTPRequestHandler):
    """A web server that knows no WebSocket."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Banner(socketserver.BaseRequestHandler):
    """A server that speaks first, and no HTTP."""

    def handle(self) -> None:
        self.request.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
        self.request.recv(4096)


class HangUp(socketserver.BaseRequestHandler):
    """A server that ends without a word."""

    def handle(self) -> None:
        self.request.recv(4096)


@pytest.fixture(scope="module")
def refused(
    begin: Begin, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Runs]:
    """One run for each way in which a target may say no, all at once."""
    folder = tmp_path_factory.mktemp("scenarios")
    scenario, impatient = folder / "mine.toml", folder / "impatient-run.toml"
    scenario.write_text(GOOD)
    (folder / "impatient.toml").write_text(IMPATIENT)
    impatient.write_text(GOOD.replace('"agent-events"', '"impatient.toml"'))
    with ExitStack() as stack:
        server = stack.enter_context(fastapi())

        def serving(kind: type[socketserver.BaseRequestHandler]) -> str:
            return f"127.0.0.1:{stack.enter_context(threaded(kind))}/ws"

        def simulated(fault: str) -> str:
            return stack.enter_context(Simulator.start(faults=[fault])).url + "/ws"

        def start(url: str, plan: Path = scenario) -> Awaited:
            return begin("run", plan, "--target", url, "--verbose")

        ways = {
            "unknown host": lambda: start("ws://no-such-host.invalid/ws"),
            "nothing listens": lambda: start("ws://127.0.0.1:1/ws"),
            "no TLS": lambda: start(f"wss://{serving(Page)}"),
            "a web page": lambda: start(f"ws://{serving(Page)}"),
            "no such path": lambda: start(server.url("/nowhere")),
            "no HTTP": lambda: start(f"ws://{serving(Banner)}"),
            "no word": lambda: start(f"ws://{serving(HangUp)}"),
            "403": lambda: start(simulated("refuse")),
            "401": lambda: start(simulated("refuse=401")),
            "accepted and closed": lambda: start(simulated("close-after-accept=1008")),
            "never ready": lambda: start(server.url("/mute"), impatient),
            "binary": lambda: start(server.url("/binary")),
        }
        yield Runs(ways, request)


LONG = pytest.mark.long
"""For ways of refusing that are refused in the layer of another: ``tests/drive`` tries them without a run."""


@pytest.mark.parametrize(
    ("name", "layer", "said"),
    [
        ("unknown host", "resolve", "no-such-host.invalid"),
        pytest.param("nothing listens", "tcp", "refused", marks=LONG),
        ("no TLS", "tls", "wrong version number"),
        ("a web page", "upgrade", "200"),
        pytest.param("no such path", "upgrade", "403", marks=LONG),
        pytest.param("no HTTP", "upgrade", "not HTTP", marks=LONG),
        pytest.param("no word", "upgrade", "without an answer", marks=LONG),
        pytest.param("403", "upgrade", "403", marks=LONG),
        ("401", "auth", "401"),
        ("accepted and closed", "auth", "1008"),
        ("never ready", "ready", "connection_established"),
    ],
)
def test_a_target_that_refuses(refused: Runs, name: str, layer: str, said: str) -> None:
    ended = refused[name].end()
    assert ended.code == ended.manifest["verdict"]["exit_code"] == 3, ended.screen
    assert "Traceback" not in ended.screen
    connections = ended.manifest["counts"]["connections"]
    assert connections["refused"] == {layer: connections["attempted"]}
    assert connections["attempted"] == (1 if name == "unknown host" else 3)
    assert connections["ready"] == 0
    assert ended.manifest["counts"]["events"]["sent"] == 0
    (reason,) = ended.manifest["refusals"]
    assert reason.lower().startswith(f"{layer}: ")
    assert said.lower() in reason.lower().replace("version_number", "version number").replace(
        "wrong_", "wrong "
    )


@pytest.mark.parametrize(
    ("name", "layer", "said"),
    [
        ("unknown host", "resolve", "no-such-host.invalid"),
        ("a web page", "upgrade", "200"),
        pytest.param("403", "upgrade", "403", marks=LONG),
        ("never ready", "ready", "connection_established"),
    ],
)
def test_the_reason_of_a_refusal_is_told(refused: Runs, name: str, layer: str, said: str) -> None:
    ended = refused[name].end()
    words = " ".join(ended.out.split())
    assert layer in words
    assert said in words.replace("ws://no-such-host.invalid/ws", "")


def test_binary_where_text_is_expected(refused: Runs) -> None:
    ended = refused["binary"].end()
    counts = ended.manifest["counts"]
    assert ended.code == 1, ended.screen
    assert counts["connections"]["ready"] == 3
    assert counts["events"]["received"] == counts["events"]["malformed"] == counts["events"]["sent"] == 12
    assert counts["turns"]["timed_out"] == counts["turns"]["due"] == 12
    assert "malformed_events" in ended.notices
    assert "could not be read by the protocol" in " ".join(ended.out.split())
    assert "Traceback" not in ended.screen
