"""Twelve secrets, from every source that a run has: none stands in any output, or on a command line.

The backend repeats all of them, under other names than they were given.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from loadtest.run.web_server import free_port
from tests.end_to_end.conftest import Launch
from tests.end_to_end.running import DRAWN, Ended, Launched
from tests.end_to_end.servers import HERE, Server, serving
from tests.end_to_end.test_live_page import address_of

pytestmark = pytest.mark.long

SECRETS = {
    "the password in the URL": "url-Pa55word-01",
    "a parameter of the URL": "query-t0ken-02",
    "a header from the environment": "header-k3y-03",
    "a literal cookie": "cookie-v4lue-04",
    "the token of auth": "auth-t0ken-05",
    "an identity's password": "identity-Pa55-06",
    "a data row's password": "data-Pa55word-07",
    "a data row's key": "data-ap1key-08",
    "a subprotocol": "subprotocol-t0ken-09",
    "a member of the message": "message-Pa55-10",
    "what the target gave": "given-t0ken-11",
    "a setting": "setting-s3cret-12",
}
(URL, QUERY, HEADER, COOKIE, AUTH, IDENTITY, DATA, DATA_KEY, SUBPROTOCOL, MESSAGE, GIVEN, SETTING) = (
    SECRETS.values()
)

PROTOCOL = f"""
name = "parrot"
[connect]
path = "/parrot"
subprotocols = ["chat", "jwt.{SUBPROTOCOL}"]
ready = [ {{ wait = {{ kind = "hello" }}, keep = {{ token = "session_token" }}, within = "20s" }} ]
[turn]
message = '''{{"id":"{{turn.id}}","pass":"{MESSAGE}","a":"{{data.password}}","b":"{{data.api_key}}",
"c":"{{user.password}}","d":"{{ready.token}}"}}'''
[events]
type = ["kind"]
turn = ["id"]
count = 1
"""

SCENARIO = f"""
name = "planted"
protocol = "parrot.toml"
[target]
url = "ws://somebody:{URL}@127.0.0.1:PORT/parrot?access_token={QUERY}"
headers = {{ X-Api-Key = "{{env.HEADER_KEY}}" }}
cookies = {{ visitor = "{COOKIE}" }}
identities = [ {{ name = "a", password = "{IDENTITY}" }}, {{ name = "b", password = "{IDENTITY}" }} ]
[target.auth]
kind = "token"
token_env = "AUTH_TOKEN"
send_as = "query"
name = "ticket"
format = "{{token}}"
[load]
connections = 2
duration = "1500ms"
[traffic]
every = "200ms"
timeout = "5s"
data = [ {{ question = "?", password = "{DATA}", api_key = "{DATA_KEY}" }} ]
[thresholds]
"turns.complete.ratio" = "> 10%"
"""

POLICY = """
[components.chat]
probe = "websocket"
scenario = "planted.toml"
target = "{env.WHERE}"
timeout = "100s"
[components.tool]
probe = "command"
command = ["python", "-c",
  "import os; print('it is', os.environ['UNNAMED_PASSWORD'])"]
"""
UNNAMED = "unnamed-Pa55word-13"

ENVIRONMENT = {
    "HEADER_KEY": HEADER,
    "AUTH_TOKEN": AUTH,
    "UNNAMED_PASSWORD": UNNAMED,
    "LOADTEST_RUN_SET": f"target.headers.X-Shared-Secret={SETTING}",
    "LOADTEST_SUITE_SET": f"target.headers.X-Shared-Secret={SETTING}",
    **DRAWN,
}


class Looking(threading.Thread):
    """Looks at the command lines of a command and all its descendants, as anybody on the machine may."""

    def __init__(self, launched: Launched) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self._root = psutil.Process(launched.process.pid)
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            with suppress(psutil.Error):
                for process in (self._root, *self._root.children(recursive=True)):
                    with suppress(psutil.Error):
                        self.seen.add("\0".join(process.cmdline()))


def forms(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield raw
    yield base64.b64encode(raw).rstrip(b"=")
    yield base64.b64encode(b"somebody:" + raw).rstrip(b"=")


def leaks(ended: Ended, seen: set[str], *more: str) -> list[str]:
    """Which secret stands where."""
    places = {"screen": ended.screen.encode(), "ps": "\n".join(seen).encode()}
    places |= {str(path): path.read_bytes() for path in ended.results.rglob("*") if path.is_file()}
    assert len(places) > 12
    wanted = SECRETS | {text: text for text in more}
    return [
        f"{what} in {place}"
        for what, secret in wanted.items()
        for place, data in places.items()
        if any(form in data for form in forms(secret))
    ]


@pytest.fixture(scope="module")
def parrot() -> Iterator[Server]:
    with serving([sys.executable, HERE / "parrot.py", GIVEN]) as server:
        yield server


@pytest.fixture
def folder(parrot: Server, tmp_path: Path) -> Path:
    (tmp_path / "parrot.toml").write_text(PROTOCOL)
    (tmp_path / "planted.toml").write_text(SCENARIO.replace("PORT", str(parrot.port)))
    (tmp_path / "policy.toml").write_text(POLICY.replace('"python"', json.dumps(sys.executable)))
    return tmp_path


def watched(launch: Launch, *words: str | Path, **more: str) -> tuple[Ended, set[str]]:
    launched = launch(*words, environment={**ENVIRONMENT, **more})
    looking = Looking(launched)
    looking.start()
    ended = launched.end()
    looking.over.set()
    looking.join()
    return ended, looking.seen


def test_a_run_of_several_processes_keeps_them_to_itself(launch: Launch, folder: Path) -> None:
    ended, seen = watched(launch, "run", folder / "planted.toml", "--processes", "2")
    assert ended.code in {0, 4}, ended.screen
    assert ended.manifest["counts"]["turns"]["complete"] > 3
    assert sum("loadtest.run.local_worker" in words for words in seen) >= 1
    slowest = (ended.folder / "slowest.jsonl").read_text("utf-8")
    # They were there, and were taken out.
    assert slowest.count("[redacted]") > 12
    assert "X-Api-Key is [redacted]" in slowest
    assert ended.manifest["closes"]
    assert leaks(ended, seen) == []


def test_a_run_that_another_command_makes_has_them_on_no_command_line(launch: Launch, folder: Path) -> None:
    ended, seen = watched(launch, "suite", folder / "planted.toml")
    assert ended.code in {0, 4}, ended.screen
    assert any("\0run\0" in words for words in seen), seen
    assert leaks(ended, seen) == []


def test_neither_has_the_probe_of_a_policy(launch: Launch, folder: Path, parrot: Server) -> None:
    where = f"ws://somebody:{URL}@127.0.0.1:{parrot.port}/parrot?access_token={QUERY}"
    ended, seen = watched(launch, "ready", folder / "policy.toml", "--results", folder / "kept", WHERE=where)
    kept = Ended(ended.code, ended.out, ended.err, folder / "kept")
    told = "".join(path.read_text("utf-8") for path in kept.results.rglob("ready.json"))
    assert "it is [redacted]" in told, told
    assert any("\0run\0" in words for words in seen), seen
    assert leaks(kept, seen, UNNAMED) == []


def answered(address: str, path: str) -> bytes:
    with suppress(OSError), urllib.request.urlopen(address + path, timeout=20) as answer:
        return bytes(answer.read())
    return b""


def test_the_live_page_and_the_logs_of_workers_keep_them_to_themselves(launch: Launch, folder: Path) -> None:
    bind = f"127.0.0.1:{free_port('127.0.0.1')}"
    words = ("--workers", "1", "--bind", bind, "--ui", "--ui-close", "--duration", "4s")
    master = launch("run", folder / "planted.toml", *words, environment=ENVIRONMENT)
    worker = launch("worker", "--master", bind, environment=ENVIRONMENT)
    address = address_of(master)
    master.until(lambda: master.written_seconds() >= 2)
    pages = {path: answered(address, path) for path in ("", "api/live", "api/live?from=0")}
    ended, out = master.end(), worker.end()
    assert ended.code in {0, 4}, ended.screen
    numbers = json.loads(pages["api/live"])
    assert numbers
    assert b"planted" in pages["api/live"] + pages[""]
    seen = {"worker": out.screen, **{f"page {path}": page.decode() for path, page in pages.items()}}
    assert {place: found for place, text in seen.items() if (found := leaks(ended, {text}))} == {}


def test_a_comparison_keeps_them_to_itself(launch: Launch, folder: Path) -> None:
    results = folder / "compared"
    for label in ("before", "after"):
        launch(
            "run", folder / "planted.toml", "--label", label, "--results", results, environment=ENVIRONMENT
        ).end()
    page = folder / "compare.html"
    words = ("compare", "before", "after", "--results", results)
    compared = launch(*words, "--format", "html", "--output", page, environment=ENVIRONMENT).end()
    text = launch(*words, "--format", "markdown", environment=ENVIRONMENT).end()
    assert page.exists(), compared.screen
    told = Ended(compared.code, compared.out, compared.err, results)
    assert leaks(told, {page.read_text("utf-8"), text.screen}) == []


def test_a_leak_would_be_found(launch: Launch, folder: Path) -> None:
    (folder / "results").mkdir()
    for number in range(12):
        (folder / "results" / f"{number}.txt").write_text(f"x {GIVEN}")
    assert len(leaks(Ended(0, "", "", folder / "results"), {f"run\0{URL}"})) == 13
