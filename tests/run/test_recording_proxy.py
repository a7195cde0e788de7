"""The recording proxy: what passes, what is written, what ends it. Client, proxy and server share a loop."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from loadtest.errors import ConfigError
from loadtest.plan.capture import read_capture
from loadtest.run import recording_proxy
from loadtest.run.recording_proxy import Recorded, RecordingOptions, recording

Client = Callable[[str], Awaitable[Any]]


async def echo(socket: ServerConnection) -> None:
    request = socket.request
    assert request is not None
    await socket.send(
        json.dumps({"type": "hello", "path": request.path, "as": request.headers.get("Cookie")})
    )
    async for message in socket:
        if message == "bye":
            await socket.close(4001, "as you say")
            return
        await socket.send(message)


def recorded(client: Client, save: Path, to: str = "", **settings: Any) -> tuple[Recorded, Any]:
    """What a client that is given the proxy's URL brings about, in front of the echo server."""

    async def all_of_it() -> tuple[Recorded, Any]:
        async with serve(echo, "127.0.0.1", 0, subprotocols=["chat.v2"]) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            target = to or f"ws://127.0.0.1:{port}"
            options = RecordingOptions("127.0.0.1", 0, target, save, **{"connections": 1, **settings})
            going_on = asyncio.ensure_future(recording(options, listening.set_result))
            brought = await client(await listening)
            return await asyncio.wait_for(going_on, 30), brought

    return asyncio.run(all_of_it())


MQTT = b"\x10\x24\0\4MQTT\4\xc2\0\x3c\0\2id\0\4user\0\x0esecret-of-mqtt"

SENT = (
    "the-secret-token, plain",
    '{"password": "open-sesame"}',
    b"\x00\xff\x01the-secret-token",
    '["1","1","room","phx_join",{"token":"short-1"}]',
    "CONNECT\nlogin:guest\npasscode:of-stomp\n\n\0",
    MQTT,
)


def test_messages_pass_both_ways_and_are_written_without_secrets(tmp_path: Path) -> None:
    async def client(url: str) -> Any:
        headers = {"Cookie": "sid=the-session-id", "Authorization": "Bearer the-secret-token"}
        wanted = ["chat.v1", "chat.v2"]
        async with connect(
            f"{url}/room?ticket=the-ticket",
            subprotocols=wanted,
            additional_headers=headers,
            origin="http://a",
        ) as socket:
            came = [await socket.recv()]
            for message in SENT:
                await socket.send(message)
                came.append(await socket.recv())
            await socket.send("bye")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            return socket.subprotocol, came, socket.close_code, socket.close_reason

    save = tmp_path / "frames.jsonl"
    found, (subprotocol, came, code, reason) = recorded(client, save)
    # What passes is untouched.
    assert (subprotocol, code, reason) == ("chat.v2", 4001, "as you say")
    assert json.loads(came[0]) == {
        "type": "hello",
        "path": "/room?ticket=the-ticket",
        "as": "sid=the-session-id",
    }
    assert came[1:] == list(SENT)
    # What is kept is a capture, in its order, without secrets.
    (kept,) = found.connections
    assert (kept.path, kept.frames, kept.left_out) == (save, 14, 0)
    frames = read_capture(save)
    assert [frame.inward for frame in frames] == [True, *[False, True] * 6, False]
    assert frames[5].payload == b"\x00\xff\x01[redacted]"
    text = save.read_text() + "".join(frame.payload.decode("latin-1") for frame in frames)
    for secret in (
        "the-session-id",
        "the-secret-token",
        "the-ticket",
        "open-sesame",
        "short-1",
        "of-stomp",
        "secret-of-mqtt",
    ):
        assert secret not in text


def test_each_connection_has_a_file_and_a_path_of_the_server_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_proxy, "MAX_FRAMES", 2)

    async def client(url: str) -> Any:
        paths = []
        for _ in range(2):
            async with connect(f"{url}/mine", subprotocols=["chat.v2"]) as socket:
                paths.append(json.loads(await socket.recv())["path"])
                await socket.send("a")
                await socket.recv()
        return paths

    found, paths = recorded(client, tmp_path / "f.jsonl", connections=2)
    assert paths == ["/mine", "/mine"]
    assert [each.path for each in found.connections] == [tmp_path / "f.jsonl", tmp_path / "f-2.jsonl"]
    assert [(each.frames, each.left_out) for each in found.connections] == [(2, 1), (2, 1)]
    assert {each.failed for each in found.connections} == {recording_proxy.FULL}
    assert len(read_capture(tmp_path / "f.jsonl")) == 2


def upgrade_request(target: str) -> bytes:
    """Of a client that no library holds to the rules."""
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    return f"GET {target} HTTP/1.1\r\nHost: a\r\n{upgrade}{key}\r\n".encode()


async def one_message(url: str) -> Any:
    async with connect(f"{url}/mine", subprotocols=[Subprotocol("chat.v2")]) as socket:
        await socket.recv()
        await socket.send("a")
        return await socket.recv()


def test_files_that_are_there_keep_what_they_hold_and_no_connection_is_lost(tmp_path: Path) -> None:
    for name in ("f-2.jsonl", "f-3.jsonl"):
        (tmp_path / name).write_text("of another day")

    async def client(url: str) -> Any:
        return [await one_message(url) for _ in range(3)]

    found, came = recorded(client, tmp_path / "f.jsonl", connections=3)
    assert came == ["a"] * 3
    assert [each.path and each.path.name for each in found.connections] == [
        "f.jsonl",
        "f-4.jsonl",
        "f-5.jsonl",
    ]
    assert [(each.frames, each.failed) for each in found.connections] == [(3, "")] * 3
    assert (tmp_path / "f-2.jsonl").read_text() == "of another day"


@pytest.mark.parametrize("limit", ["MAX_FILES", "MAX_NAMES", ""])
def test_a_connection_that_cannot_be_written_is_passed_on_and_told(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit:
        monkeypatch.setattr(recording_proxy, limit, 0)
    save = tmp_path / ("f.jsonl" if limit else "nowhere/f.jsonl")
    found, came = recorded(one_message, save)
    (kept,) = found.connections
    assert came == "a"
    assert (kept.path, kept.frames, kept.left_out) == (None, 0, 3)
    assert kept.failed


def test_a_disk_that_is_full_leaves_whole_lines_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """A file that takes one line, and half of the next."""

        def __init__(self, path: Path) -> None:
            self._file = io.FileIO(path, "x")

        def write(self, line: bytes) -> int:
            return self._file.write(line[: len(line) if not self._file.tell() else len(line) // 2]) or 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Full(path))
    found, came = recorded(one_message, tmp_path / "f.jsonl")
    monkeypatch.undo()
    (kept,) = found.connections
    assert came == "a"
    assert (kept.frames, kept.left_out, kept.failed) == (1, 2, "the disk is full")
    assert len(read_capture(tmp_path / "f.jsonl")) == 1


def test_a_client_that_leaves_before_it_is_answered_ends_the_other_side_and_not_the_recording(
    tmp_path: Path,
) -> None:
    ended: list[int | None] = []

    async def slow(socket: ServerConnection, request: Request) -> None:
        arrived.set()
        await left.wait()

    async def note(socket: ServerConnection) -> None:
        await socket.wait_closed()
        ended.append(socket.close_code)

    async def all_of_it() -> Recorded:
        async with serve(note, "127.0.0.1", 0, process_request=slow) as server:
            to = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            options = RecordingOptions("127.0.0.1", 0, to, tmp_path / "f.jsonl", 1)
            going_on = asyncio.ensure_future(recording(options, listening.set_result))
            port = int((await listening).rpartition(":")[2])
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(upgrade_request("/"))
            await arrived.wait()
            writer.transport.abort()
            await writer.wait_closed()
            left.set()
            async with connect(f"ws://127.0.0.1:{port}/next"):
                pass
            return await asyncio.wait_for(going_on, 30)

    arrived, left = asyncio.Event(), asyncio.Event()
    found = asyncio.run(all_of_it())
    assert len(ended) == 2
    assert (len(found.connections), found.refused) == (1, 0)


@pytest.mark.parametrize("refuses", [True, False])
@pytest.mark.parametrize("where", ["", "/ws"])
@pytest.mark.parametrize("target", ["[x", ".example/?token=S3CRETtoken99", "@example:1/[", "//[x"])
def test_an_odd_request_target_is_a_path_of_the_server(
    tmp_path: Path, target: str, where: str, *, refuses: bool
) -> None:
    asked: list[str] = []

    def heard(socket: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        return socket.respond(403, "no\n") if refuses else None

    async def all_of_it() -> Recorded:
        async with serve(echo, "127.0.0.1", 0, process_request=heard) as server:
            to = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}{where}"
            listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            options = RecordingOptions("127.0.0.1", 0, to, tmp_path / "f.jsonl", 1)
            going_on = asyncio.ensure_future(recording(options, listening.set_result))
            port = int((await listening).rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(upgrade_request(target))
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            return await asyncio.wait_for(going_on, 30)

    found = asyncio.run(all_of_it())
    assert (found.refused, len(found.connections)) == ((1, 0) if refuses else (0, 1))
    assert asked == [where or (target if target.startswith("/") else f"/{target}")]
    assert "S3CRET" not in found.reason


def test_a_redirect_that_is_no_url_says_nothing_of_the_client(tmp_path: Path) -> None:
    token = "zq81kx0zq81kx0zq81kx0"
    secrets = (token, "S3CRETtoken99", "p4ss/word", "p4ss%2fword")

    async def client(url: str) -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Key: p4ss/word\r\n"
        path = f"/{token}/ws?token=S3CRETtoken99&t=p4ss%2fword"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n{upgrade}{key}\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer.decode()

    for place in ("http://h:1{}", "http://[{}", "ws://h:x{}", "ws://h/\x9b31m{}", "wss:{}"):

        async def all_of_it(place: str = place) -> tuple[Recorded, str]:
            def away(socket: ServerConnection, request: Request) -> Response:
                headers = Headers(Location=place.format(request.path), **{"Content-Length": "0"})
                return Response(307, "Found", headers, b"")

            async with serve(echo, "127.0.0.1", 0, process_request=away) as server:
                to = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
                listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
                options = RecordingOptions("127.0.0.1", 0, to, tmp_path / "f.jsonl", 1)
                going_on = asyncio.ensure_future(recording(options, listening.set_result))
                answer = await client(await listening)
                return await asyncio.wait_for(going_on, 30), answer

        found, answer = asyncio.run(all_of_it())
        assert found.refused == 1
        assert answer.startswith("HTTP/1.1 502")
        assert found.reason.isprintable()
        assert not [each for each in secrets if each in found.reason + answer], found.reason


def test_a_server_that_is_not_there_is_told_to_the_client(tmp_path: Path) -> None:
    async def client(url: str) -> Any:
        with pytest.raises(InvalidStatus) as caught:
            await connect(url)
        return caught.value.response.status_code

    found, status = recorded(client, tmp_path / "f.jsonl", to="ws://127.0.0.1:9/ws")
    assert status == 502
    assert (found.connections, found.refused) == ([], 1)
    assert found.reason
    assert not (tmp_path / "f.jsonl").exists()


def test_a_redirect_to_another_host_gets_nothing_of_the_client(tmp_path: Path) -> None:
    asked: list[str] = []

    def note(socket: ServerConnection, request: Request) -> None:
        asked.append(request.path)

    async def all_of_it() -> Recorded:
        async with serve(echo, "127.0.0.1", 0, process_request=note) as other:
            port = next(iter(other.sockets)).getsockname()[1]

            def away(socket: ServerConnection, request: Request) -> Response:
                place = {"Location": f"ws://127.0.0.1:{port}/there?token=hush"}
                return Response(302, "Found", Headers(**place, **{"Content-Length": "0"}), b"")

            async with serve(echo, "127.0.0.1", 0, process_request=away) as first:
                to = f"ws://127.0.0.1:{next(iter(first.sockets)).getsockname()[1]}"
                listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
                options = RecordingOptions("127.0.0.1", 0, to, tmp_path / "f.jsonl", 1)
                going_on = asyncio.ensure_future(recording(options, listening.set_result))
                with pytest.raises(InvalidStatus):
                    await connect(await listening, additional_headers={"X-Api-Key": "hush"})
                return await asyncio.wait_for(going_on, 30)

    found = asyncio.run(all_of_it())
    assert asked == []
    assert "the server redirects to ws://127.0.0.1:" in found.reason
    assert "write it as --to" in found.reason
    assert "hush" not in found.reason


def test_an_address_that_is_taken_is_our_users_mistake(tmp_path: Path) -> None:
    async def taken() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            options = RecordingOptions("127.0.0.1", port, "ws://127.0.0.1:9", tmp_path / "f.jsonl", 1)
            await recording(options, print)

    with pytest.raises(ConfigError, match="cannot listen on"):
        asyncio.run(taken())


def test_a_request_that_is_no_websocket_is_told_and_is_no_connection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def says(port: int, text: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text.encode())
        answer = await reader.read(12)
        writer.close()
        return answer

    async def client(url: str) -> Any:
        port = int(url.rpartition(":")[2])
        answers = [
            await says(port, f"{method} /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            for method in ("GET", "POST")
        ]
        wanted = ["chat.v2", "bearer.a-token-that-is-secret"]
        async with connect(f"{url}/room?ticket=t-1&room=7", subprotocols=wanted) as socket:
            await socket.recv()
        return answers

    found, answers = recorded(client, tmp_path / "f.jsonl")
    assert answers == [b"HTTP/1.1 426"] * 2
    assert found.not_sockets == 2
    (kept,) = found.connections
    assert kept.url.endswith("/room?ticket=t-1&room=7")
    assert kept.subprotocols == ("chat.v2",)
    assert "Traceback" not in capsys.readouterr().err
