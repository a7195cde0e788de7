"""``loadtest try`` and ``protocols check --capture`` over real sockets, as users run them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from loadtest.cli import main
from tests.end_to_end.frames_server import SECRET
from tests.end_to_end.running import LOADTEST

HERE = Path(__file__).parent

PROTOCOL = """
name = "chat"
[connect]
path = "/chat"
ready = [{ wait = { type = "welcome" }, keep = { session = "session" } }]
heartbeat = [{ on = { type = "ping" }, send = '{"type":"pong","n":{event.n}}' }]
[turn]
message = '{"type":"ask","id":"{turn.id}","session":"{ready.session}","text":"{data.question}"}'
[events]
type = ["type"]
turn = ["id"]
sequence = ["n"]
first = ["delta"]
end = ["done"]
fail = ["failed"]
"""

BARE = """
[turn]
message = '{"type":"ask","id":"{turn.id}","text":"hello there"}'
[events]
match = "order"
ignore = [{ has = "session" }]
"""


class Backend(NamedTuple):
    port: int
    slow: int

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    process = subprocess.Popen([sys.executable, HERE / "frames_server.py"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Backend(**json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


class Said(NamedTuple):
    code: int
    out: str
    err: str

    def taken(self) -> list[tuple[str, str]]:
        """Which way each frame went, and what it was taken for."""
        lines = re.findall(r"^.*? (→|←)  (.+?)(?:  .*)?$", self.out, re.MULTILINE)
        return [(way, words.strip()) for way, words in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chat.toml").write_text(PROTOCOL)
    (tmp_path / "bare.toml").write_text(BARE)
    return tmp_path


def as_process(folder: Path, *words: object) -> Said:
    """As a user runs it: a process of its own."""
    command = [*LOADTEST, *map(str, words)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in ended.stderr
    return Said(ended.returncode, ended.stdout, ended.stderr)


Typed = Callable[..., Said]


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Type a command here, which saves the start of a process: a second for each."""
    monkeypatch.chdir(folder)

    def type_it(*words: object, **environment: str) -> Said:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        said = Said(main([*map(str, words)]), *capfd.readouterr())
        assert "Traceback" not in said.err
        return said

    return type_it


def test_every_frame_is_shown_with_what_it_was_taken_for(folder: Path, backend: Backend) -> None:
    said = as_process(folder, "try", "chat.toml", "--target", backend.url("/"))
    assert said.code == 0, said
    assert said.taken() == [
        ("→", "upgrade"),
        ("←", "upgrade"),
        ("←", "ready step 1"),
        ("→", "message"),
        ("←", "event"),
        ("←", "heartbeat"),
        ("→", "sent"),
        ("←", "first"),
        ("←", "event"),
        ("←", "end"),
        ("→", "close 1000"),
        ("←", "close 1000"),
    ]
    assert "end: done" in said.out
    assert "Turn complete" in said.out
    assert "proposal" not in said.out


def test_a_kept_secret_is_neither_shown_nor_saved(run: Typed, folder: Path, backend: Backend) -> None:
    keeping = PROTOCOL.replace('session = "session"', 'access_token = "session"')
    (folder / "chat.toml").write_text(keeping.replace("ready.session", "ready.access_token"))
    said = run("try", "chat.toml", "--target", backend.url("/"), "--save", "frames.jsonl")
    assert said.code == 0, said
    saved = (folder / "frames.jsonl").read_text()
    assert "s-1234" not in said.out + saved
    assert said.out.count("[redacted]") == saved.count("[redacted]") == 2


SECRETS = {
    "of a variable in a ready step": "hunter2-xyzzy-01",
    "of a variable in a message": "hunter2-xyzzy-02",
    "of a user's column": "hunter2-xyzzy-03",
    "of a data row": "hunter2-xyzzy-04",
    "written in the message": "hunter2-xyzzy-05",
    "in a header": "hunter2-xyzzy-06",
}
READY_STEP, MESSAGE, IDENTITY, ROW, WRITTEN, HEADER = SECRETS.values()
WITH_SECRETS = f"""
name = "planted"
[protocol]
connect = {{ path = "/repeating", subprotocols = [], ready = [
  {{ wait = {{ type = "welcome" }} }}, {{ send = '{{"type":"enlist","badge":"{{secret.BADGE}}"}}' }} ] }}
turn = {{ message = '''{{"type":"ask","id":"{{turn.id}}","a":"{{env.STAMP}}","b":"{{user.password}}",
"c":"{{data.api_key}}","pass":"{WRITTEN}","n":{{turn.number}}}}''' }}
events = {{ type = ["type"], turn = ["id"], end = ["done"] }}
[target]
url = "ws://127.0.0.1:PORT/repeating"
headers = {{ X-Badge = "{{secret.HEADER}}" }}
identities = [ {{ password = "{IDENTITY}" }} ]
[load]
connections = 1
[traffic]
every = "1s"
data = [ {{ api_key = "{ROW}" }} ]
"""


def test_no_secret_of_a_scenario_is_shown_or_saved(run: Typed, folder: Path, backend: Backend) -> None:
    (folder / "planted.toml").write_text(WITH_SECRETS.replace("PORT", str(backend.port)))
    variables = {"BADGE": READY_STEP, "STAMP": MESSAGE, "HEADER": HEADER}
    tried = run("try", "planted.toml", "--save", "frames.jsonl", **variables)
    assert tried.code == 0, tried
    explained = run("explain", "planted.toml", **variables)
    saved = (folder / "frames.jsonl").read_text()
    # They were sent, and were taken out.
    assert saved.count("[redacted]") > 8
    told = {"try": tried.out + tried.err, "saved": saved, "explain": explained.out + explained.err}
    assert [(what, where) for what, value in SECRETS.items() for where in told if value in told[where]] == []
    assert "hunter2" not in saved.lower()


def test_no_secret_of_a_browsers_capture_is_shown_or_written(run: Typed, folder: Path) -> None:
    (folder / "own.toml").write_text(
        PROTOCOL.replace(
            "{ wait", """{ send = '{"type":"enlist","badge":"{secret.BADGE}"}' }, { wait"""
        ).replace('"text":', '"pin":"{env.PIN}","passphrase":"hunter2-xyzzy-05","text":')
    )
    frames = [
        ("out", {"type": "enlist", "badge": READY_STEP}),
        ("in", {"type": "welcome", "session": "s-1"}),
        (
            "out",
            {
                "type": "ask",
                "id": "q-1",
                "session": "s-1",
                "pin": MESSAGE,
                "passphrase": WRITTEN,
                "text": "?",
            },
        ),
        ("in", {"type": "done", "id": "q-1", "n": 0, "again": f"{READY_STEP} {MESSAGE} {WRITTEN}"}),
        (
            "out",
            {
                "type": "ask",
                "id": "q-2",
                "session": "s-1",
                "pin": "0",
                "passphrase": WRITTEN,
                "text": WRITTEN,
            },
        ),
        # Where a line of the notes is cut, within the secret.
        ("in", {"type": "nothing", "again": "x" * 361 + READY_STEP}),
    ]
    lines = (json.dumps({"at": at, "dir": way, "json": said}) for at, (way, said) in enumerate(frames))
    (folder / "f.jsonl").write_text("\n".join(lines))
    checked = run("protocols", "check", "own.toml", "--capture", "f.jsonl")
    understood = run("protocols", "check", "own.toml")
    drafted = run("init", "ws://127.0.0.1:1", "--capture", "f.jsonl", "--name", "drafted")
    assert checked.taken()[0] == ("→", "ready step 1")
    assert drafted.code == 0, drafted
    told = checked.out + checked.err + understood.out
    assert "hunter2" not in told
    assert "BADGE, PIN" in understood.out
    assert WRITTEN not in "".join(path.read_text() for path in folder.glob("drafted*"))


def test_a_turn_of_several_messages_is_tried(run: Typed, folder: Path, backend: Backend) -> None:
    ask = """'{"type":"ask","id":"{turn.id}"}'"""
    steps = f"""messages = ['{{"type":"audio","n":1}}', '{{"type":"audio","n":2}}', {ask}]"""
    (folder / "chat.toml").write_text(re.sub("^message = .*$", steps, PROTOCOL, flags=re.MULTILINE))
    said = run("try", "chat.toml", "--target", backend.url("/"))
    assert said.code == 0, said
    assert said.taken().count(("→", "message")) == 3
    assert [said.out.count(text) for text in ('"n":1}', '"n":2}', '"ask"')] == [1, 1, 1]


def test_a_scenario_is_tried_against_our_simulator(run: Typed) -> None:
    said = run("try", "agent-burst")
    assert said.code == 0, said
    assert "SIMULATED" in said.out
    assert ("←", "end") in said.taken()


def test_what_an_unfinished_protocol_lacks_is_proposed(run: Typed, backend: Backend) -> None:
    said = run("try", "bare.toml", "--target", backend.url("/chat"), "--timeout", "300ms")
    assert said.code == 1, said
    assert "Turn abandoned" in said.out
    assert 'type = ["type"]\n' in said.out
    assert 'turn = ["id"]\n' in said.out
    assert 'end = ["done"]\n' in said.out


@pytest.mark.parametrize(
    ("path", "words", "taken"),
    [
        ("/failing", "Turn failed", ("←", "failed")),
        ("/silent", "Turn timed out", ("→", "message")),
        ("/leaving", "Turn lost", ("←", "close 4321: enough")),
        (
            "/expiring",
            "the target ended the connection: close 4001: token",
            ("←", "close 4001: token expired"),
        ),
        ("/flood", "more than 1,000 frames", ("←", "first")),
    ],
)
def test_a_turn_that_is_not_complete_ends_with_1(
    run: Typed, backend: Backend, path: str, words: str, taken: tuple[str, str]
) -> None:
    said = run("try", "chat.toml", "--target", backend.url(path), "--timeout", "300ms")
    assert said.code == 1, said
    assert words in said.out
    assert taken in said.taken()
    assert "sk-1234567890abcdef" not in said.out


def test_what_comes_after_the_end_is_shown(run: Typed, backend: Backend) -> None:
    said = run("try", "chat.toml", "--target", backend.url("/late"))
    assert said.code == 0, said
    assert said.taken()[4:6] == [("←", "end"), ("←", "late")]


def test_the_whole_answer_of_a_refusal_is_shown_without_secrets(run: Typed, backend: Backend) -> None:
    said = run("try", "chat.toml", "--target", backend.url("/refusing"))
    assert said.code == 3, said
    assert "HTTP/1.1 403 Forbidden\n" in said.out
    assert "Content-Type: text/plain" in said.out
    assert said.out.count("more of the body") == 5
    assert SECRET not in said.out
    assert "abcdefghijklm1234567890" not in said.out


def test_a_body_that_comes_later_is_waited_for(run: Typed, backend: Backend) -> None:
    said = run("try", "chat.toml", "--target", f"ws://127.0.0.1:{backend.slow}/")
    assert said.code == 3, said
    assert "503 Service Unavailable" in said.out
    assert "come back" in said.out


def test_a_connection_that_nobody_takes_ends_with_3(run: Typed) -> None:
    said = run("try", "chat.toml", "--target", "ws://127.0.0.1:1/")
    assert said.code == 3, said
    assert "Connection refused" in said.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("try", "chat.toml"),
            "--target: chat.toml is a protocol; add --target, the address to send its message to",
        ),
        (("try", "chat.toml", "--target", "http://x"), "--target: `url` must begin with ws:// or wss://"),
        (("try", "wrong.toml", "--target", "ws://127.0.0.1:1"), "wrong.toml:3: unknown key `ends`"),
        (("try", "mute.toml", "--target", "ws://127.0.0.1:1"), "mute.toml: there is nothing to send"),
        (
            ("try", "columns.toml", "--target", "ws://127.0.0.1:1"),
            "columns.toml: the protocol needs {data.colour} from the rows of a scenario",
        ),
        (("try", "nowhere.toml"), "there is neither a file nor a shipped scenario named `nowhere.toml`"),
        (("try", "chat.toml", "--target", "ws://127.0.0.1:1", "--save", "chat.toml"), "was not overwritten"),
    ],
)
def test_a_mistake_of_the_file_ends_with_2(
    run: Typed, folder: Path, words: tuple[str, ...], sentence: str
) -> None:
    (folder / "wrong.toml").write_text('[turn]\nmessage = "x"\nends = ["done"]\n')
    (folder / "mute.toml").write_text('[events]\nmatch = "order"\ncount = 1\n')
    (folder / "columns.toml").write_text('[turn]\nmessage = "{data.colour}"\n[events]\nformat = "opaque"\n')
    said = run(*words)
    assert said.code == 2, said
    assert sentence in said.err


def test_what_try_saves_is_what_check_and_init_read(run: Typed, backend: Backend) -> None:
    """A capture of a turn makes a protocol by which its turns end, and which the server understands."""
    url = backend.url("/chat")
    said = run("try", "chat.toml", "--target", url, "--save", "frames.jsonl")
    assert said.code == 0, said
    own = run("protocols", "check", "chat.toml", "--capture", "frames.jsonl")
    assert own.code == 0, own
    assert [each for each in said.taken() if each[1] not in {"upgrade", "close 1000", "sent"}] == [
        each for each in own.taken() if each[1] != "heartbeat answered"
    ]
    drafted = run("init", url, "--capture", "frames.jsonl", "--name", "drafted")
    assert drafted.code == 0, drafted
    checked = run("protocols", "check", "drafted.protocol.toml", "--capture", "frames.jsonl")
    assert checked.code == 0, checked
    assert checked.taken() == own.taken()
    assert "1 turn ends" in checked.out
    again = run("try", "drafted.toml")
    assert again.code == 0, again
    assert [each for each in again.taken() if each[0] == "←"] == [
        each for each in said.taken() if each[0] == "←"
    ]


def test_a_turn_of_a_capture_that_does_not_end_is_told(run: Typed, backend: Backend) -> None:
    run(
        "try",
        "chat.toml",
        "--target",
        backend.url("/silent"),
        "--timeout",
        "100ms",
        "--save",
        "f.jsonl",
    )
    said = run("protocols", "check", "chat.toml", "--capture", "f.jsonl")
    assert said.code == 1, said
    assert "1 of 1 turn does not end" in said.out
    assert "end: done" in said.out.partition("Rules that match no frame")[2]


def test_a_capture_without_a_turn_says_nothing_of_turns(run: Typed, folder: Path) -> None:
    (folder / "f.jsonl").write_text('{"at": 0, "dir": "in", "text": "{\\"type\\":\\"welcome\\"}"}\n')
    said = run("protocols", "check", "chat.toml", "--capture", "f.jsonl")
    assert said.code == 4, said
    assert run("init", "ws://127.0.0.1:1", "--capture", "f.jsonl").code == 2


def test_every_wrong_line_of_a_capture_is_told(run: Typed, folder: Path) -> None:
    (folder / "f.jsonl").write_text('{"at": 0, "dir": "up", "text": ""}\nno\n')
    said = run("protocols", "check", "chat.toml", "--capture", "f.jsonl")
    assert said.code == 2, said
    assert 'f.jsonl:1: `dir` must be "in" or "out", not "up"' in said.err
    assert "f.jsonl:2: this line is not JSON" in said.err
