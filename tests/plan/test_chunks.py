"""Files that turns send in chunks, as a protocol's file has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from loadtest.plan import chunks as chunks_module
from loadtest.plan.chunks import Chunks
from loadtest.plan.explain import explain
from loadtest.plan.protocol import Interrupt, MessageStep
from loadtest.plan.protocol_summary import understood
from loadtest.plan.scenario_file import scenario_from_settings, worker_settings
from loadtest.plan.settings import protocol_settings
from loadtest.speak.codec.sent_size import sent_size
from tests.plan.conftest import protocol_from_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plan.conftest import Folder

EVENTS = "[events]\ntype = ['type']\nturn = ['id']\nend = ['done']\naudio = ['speech']\n"
AUDIO = (
    """{ chunks = "hello.pcm", size = 4, every = "20ms","""
    """ message = '{"id":"{turn.id}","a":"{chunk.base64}"}' }"""
)
BINARY = '{ chunks = "hello.pcm", size = "4B", every = "20ms", binary = true }'
STOP = """{ interrupt = { after = "800ms", send = '{"stop":"{turn.id}"}' } }"""
SCENARIO = "protocol = 'p.toml'\n[target]\nurl = 'simulator'\n[traffic]\nevery = '1s'\n"


def written(*steps: str) -> str:
    return f"{EVENTS}[turn]\nmessages = [{', '.join(steps)}]\n"


@pytest.fixture
def hello(folder: Folder) -> bytes:
    """The file of ten bytes: two whole chunks of four, and an odd last one."""
    folder.write("hello.pcm", b"0123456789")
    return b"0123456789"


def test_a_file_is_read_once_and_cut_without_a_copy(folder: Folder, hello: bytes) -> None:
    protocol = folder.protocol(written(AUDIO, '\'{"go":"{turn.id}"}\'', STOP))
    first, _, last = protocol.turn.messages
    message = '{"id":"{turn.id}","a":"{chunk.base64}"}'
    chunks = Chunks(name="hello.pcm", data=hello, size=4, every_ns=20_000_000, message=message)
    assert (first, last) == (
        MessageStep(chunks=chunks),
        MessageStep(interrupt=Interrupt(after_ns=800_000_000, send='{"stop":"{turn.id}"}')),
    )
    assert (chunks.count, chunks.lasts_ns, protocol.turn.streams_ns) == (3, 40_000_000, 40_000_000)
    pieces = chunks.pieces()
    assert [bytes(piece) for piece in pieces] == [b"0123", b"4567", b"89"]
    assert all(piece.obj is chunks.data for piece in pieces)
    assert protocol.turn.texts == (message, '{"go":"{turn.id}"}', '{"stop":"{turn.id}"}')


@pytest.mark.usefixtures("hello")
def test_what_settings_hold_is_the_file_itself(folder: Folder) -> None:
    protocol = folder.protocol(written(BINARY, AUDIO, STOP))
    (folder.path / "hello.pcm").unlink()
    assert protocol_from_settings(protocol_settings(protocol)) == protocol


@pytest.mark.usefixtures("hello")
def test_workers_get_the_bytes_and_what_is_kept_only_their_hash(folder: Folder) -> None:
    kind = f"[turns.k]\nmessages = [{AUDIO}, 'x']\n"
    folder.write("p.toml", written(AUDIO) + kind)
    scenario = folder.load(SCENARIO + "mix = { k = 1 }\n")
    (folder.path / "hello.pcm").unlink()
    assert scenario_from_settings(worker_settings(scenario)).protocol == scenario.protocol
    kept = scenario.settings["protocol"]
    assert isinstance(kept, dict)
    (step,), (of_kind, _) = kept["turn"]["messages"], kept["turns"]["k"]["messages"]
    assert step == of_kind
    assert (step["chunks"], step["bytes"], step["size"], step["every"]) == ("hello.pcm", 10, 4, "20ms")
    assert step["sha256"].startswith("84d89877f0d4041e")
    assert "base64," not in json.dumps(scenario.settings)
    assert scenario.streams_ns == 40_000_000


@pytest.mark.usefixtures("hello")
@pytest.mark.parametrize(
    ("step", "sentences"),
    [
        ('{ chunks = "x.pcm", size = 4, every = "20ms", binary = true }', ["there is no such file"]),
        ('{ chunks = "empty", size = 4, every = "20ms", binary = true }', ["the file is empty"]),
        ('{ chunks = "../mine", size = 4, every = "20ms", binary = true }', ["is outside the folder"]),
        ('{ chunks = "/etc/hostname", size = 4, every = "20ms", binary = true }', ["is outside"]),
        ('{ chunks = "link", size = 4, every = "20ms", binary = true }', ["is outside the folder"]),
        ('{ chunks = "folder", size = 4, every = "20ms", binary = true }', ["this is not a file"]),
        (f'{{ chunks = "{"n" * 300}", size = 4, every = "20ms", binary = true }}', ["cannot be read"]),
        ('{ chunks = "hello.pcm", size = 0, every = "20ms", binary = true }', ["`size` must be a whole"]),
        ('{ chunks = "hello.pcm", size = "0B", every = "20ms", binary = true }', ["`size` must be more"]),
        ('{ chunks = "hello.pcm", size = "big", every = "20ms", binary = true }', ["`size`: "]),
        ('{ chunks = "hello.pcm", size = 4, every = "20us", binary = true }', ["`every` must be at least"]),
        ('{ chunks = "hello.pcm", size = 4, every = "0s", binary = true }', ["`every` must be more than 0"]),
        ('{ chunks = "hello.pcm", size = 1, every = "1h", binary = true }', ["at this pace the file"]),
        ('{ chunks = "hello.pcm", size = 4, every = "20ms" }', ["`chunks` needs either"]),
        (AUDIO[:-2] + ", binary = true }", ["`chunks` needs either"]),
        ('{ chunks = "hello.pcm", size = 4, every = "20ms", message = "x" }', ["must contain {chunk"]),
        ('{ chunks = "hello.pcm", binary = true }', ["needs `size`", "needs `every`"]),
        (
            '{ chunks = "x.pcm", every = "soon", message = "x" }',
            ["no such file", "needs `size`", "`every`: ", "must contain"],
        ),
        ('{ chunks = 3, size = 4, every = "20ms", binary = true }', ["`chunks` must be text, not 3"]),
        ('{ chunks = "data:;base64,?", size = 4, every = "20ms", binary = true }', ["is not valid base64"]),
        ('{ chunks = "hello.pcm", size = 4, every = "20ms", binary = true, speed = 1 }', ["key `speed`"]),
        ('{ chunks = "hello.pcm", size = 4, every = "20ms", binary = true, wait = "x" }', ["not 2"]),
        (AUDIO.replace("turn.id", "random.int 1 2"), ["there is no placeholder {random.int 1 2}"]),
        (AUDIO.replace("turn.id", "chunk.numbr"), ["did you mean `chunk.number`?"]),
        ("'x', { pause = '1s' }, " + STOP, ["the last entry of `messages` must send something"]),
        (STOP, ["the first entry of `messages` must send", "the last entry of `messages` must send"]),
        (f"'x', {STOP}, 'y'", ["move `interrupt` to the end of `messages`"]),
        ("'x', { interrupt = {} }", ["`interrupt` needs `after`", "`interrupt` needs `send`"]),
        ("'x', { interrupt = { after = '1s', send = '{data.q}' } }", ["there is no placeholder {data.q}"]),
    ],
)  # fmt: skip
def test_mistakes_are_told_all_at_once_with_their_line(
    folder: Folder, tmp_path: Path, step: str, sentences: list[str]
) -> None:
    folder.write("empty", b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/hostname")
    told = folder.protocol_mistakes(written(step))
    assert len(told) == len(sentences), told
    assert all(line.startswith("7: ") for line in told)
    for sentence in sentences:
        assert any(sentence in line for line in told), told


@pytest.mark.usefixtures("hello")
def test_files_and_chunks_are_bounded(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks_module, "MAX_CHUNKS", 2)
    (told,) = folder.protocol_mistakes(written(BINARY))
    assert "with this size the file has 3 chunks; the maximum is 2" in told
    monkeypatch.setattr(chunks_module, "MAX_FILE_BYTES", 9)
    (told,) = folder.protocol_mistakes(written(BINARY))
    assert "send a shorter recording" in told
    (told,) = folder.protocol_mistakes(
        written('{ chunks = "data:;base64,MDEyMzQ1Njc4OQ==", size = 4, every = "20ms", binary = true }')
    )
    assert "send a shorter recording" in told


@pytest.mark.usefixtures("hello")
def test_an_interruption_and_a_codec_ask_something_of_the_rest(folder: Folder) -> None:
    (told,) = folder.protocol_mistakes(written("'x'", STOP).replace("audio = ['speech']\n", ""))
    assert (
        "`interrupt` needs to know the first audio of an answer: name the audio events as `audio` in [events]"
        in told
    )
    (told,) = folder.protocol_mistakes('codec = "msgpack"\n' + written(BINARY))
    assert "with a `codec`, send the chunks in a `message`: the codec makes the frames" in told
    kind = "[turns.k]\nmessages = ['x', " + STOP + "]\naudio = []\n[turns.same]\n"
    (told,) = folder.protocol_mistakes(written("'x'") + kind)
    assert "name the audio events as `audio` in [events]" in told


@pytest.mark.usefixtures("hello")
def test_what_is_sent_is_explained_and_drawn(folder: Folder) -> None:
    folder.write("p.toml", written('\'{"id":"{turn.id}"}\'', AUDIO, BINARY, STOP))
    sections = {each.title: each.lines for each in explain(folder.load(SCENARIO), sent_size)}
    message = sections["Message"]
    assert message[1].startswith("3 chunks of 4 B of hello.pcm, one every 20 ms for 60 ms, each in {")
    assert message[2].endswith("for 60 ms, each in a binary frame")
    assert message[3].startswith("interrupt 800 ms after the first audio of the answer: {")
    assert "response times begin when the last chunk is due" in message[4]
    drawn = "\n".join(sections["One turn"])
    assert drawn.count("3 chunks of 4 B of hello.pcm") == 2
    assert "the clock of the turn begins when the last chunk is due" in drawn
    assert "speech   (first audio)" in drawn
    assert "(800 ms after the first audio)" in drawn
    assert "the audio of a turn is speech" in sections["Answer"]
    told = [words for topic, words in understood(folder.load(SCENARIO).protocol) if topic == "message"]
    assert told[1].endswith(', in {"id":"{turn.id}","a":"{chunk.base64}"}')
    assert told[2].endswith("in binary frames")
    assert told[3].startswith("interrupts 800 ms after the first audio")


@pytest.mark.usefixtures("hello")
def test_the_message_of_a_scenario_stands_in_the_place_of_files(folder: Folder) -> None:
    folder.write("p.toml", written(AUDIO))
    sections = {
        each.title: each.lines for each in explain(folder.load(SCENARIO + "message = '{turn.id}'"), sent_size)
    }
    assert "chunks" not in "\n".join((*sections["Message"], *sections["One turn"]))


def test_one_chunk_has_no_pace(folder: Folder) -> None:
    folder.write("hello.pcm", b"01")
    (step,) = folder.protocol(written(BINARY)).turn.messages
    assert step.chunks is not None
    assert step.chunks.summary == "1 chunk of 4 B of hello.pcm, at once"


@pytest.mark.usefixtures("hello")
def test_binary_chunks_alone_are_something_to_send(folder: Folder) -> None:
    by_order = "[events]\nmatch = 'order'\ncount = 1\n[turn]\n" + f"messages = [{BINARY}]\n"
    folder.write("p.toml", by_order)
    assert folder.load(SCENARIO).protocol.turn.texts == ()
    folder.write("p.toml", by_order + f"[turns.k]\nmessages = [{BINARY}]\n")
    assert folder.load(SCENARIO + "mix = { k = 1 }").kinds["k"].turn.sends
