from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.scaffold import Drafted, starting_files
from loadtest.plan.scenario_file import load_scenario

if TYPE_CHECKING:
    from tests.plan.conftest import Folder


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("wss://api.example.com/ws?x=1", "api-example-com"),
        ("ws://127.0.0.1:8000", "127-0-0-1"),
        ("ws://[::1]/", "1"),
        ('ws://host/a"b\\c', "host"),
        ("ws://é.example", "example"),
        ("ws://日本", "my-server"),
        ("ws://" + "a" * 60, "a" * 40),
    ],
)
def test_what_is_written_for_a_server_is_valid_as_it_is(folder: Folder, url: str, name: str) -> None:
    files = starting_files(url)
    assert set(files) == {f"{name}.toml", f"{name}.protocol.toml"}
    for file, text in files.items():
        folder.write(file, text)
    scenario = load_scenario(folder.path / f"{name}.toml")
    assert (scenario.name, scenario.target.url, scenario.protocol.name) == (name, url, name)
    assert (scenario.protocol.events.count, scenario.protocol.events.match) == (1, "order")
    assert scenario.question.endswith("?")


def test_the_keys_that_are_commented_out_are_valid_too(folder: Folder) -> None:
    files = starting_files("ws://host/ws")
    protocol = files["host.protocol.toml"].replace('match = "order"', "").replace("count = 1 ", "")
    for key in ("ready", "turn", "type", "end", "fail"):
        protocol = protocol.replace(f"# {key} = ", f"{key} = ")
    folder.write("host.protocol.toml", protocol)
    folder.write(
        "host.toml", files["host.toml"].replace("# headers = ", "headers = ").replace("# auth = ", "auth = ")
    )
    scenario = load_scenario(folder.path / "host.toml")
    assert scenario.protocol.events.end == ("completed",)
    assert scenario.target.auth is not None


@pytest.mark.parametrize("url", ["http://host", "host", "", "simulator", "ws://"])
def test_what_is_no_server_of_ones_own_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="URL: "):
        starting_files(url)


def test_a_name_of_ones_own_is_taken() -> None:
    files = starting_files("ws://localhost:9412", "second")
    assert list(files) == ["second.toml", "second.protocol.toml"]
    assert 'protocol = "second.protocol.toml"' in files["second.toml"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "a/b", "-x", 'a"', "x" * 41])
def test_a_name_that_no_file_may_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="--name"):
        starting_files("ws://localhost:9412", name)


@pytest.mark.parametrize("url", ["ws://me:word@host/ws", "wss://host/?token=zq81kx", "ws://me@host"])
def test_a_secret_is_not_written_into_a_file(url: str) -> None:
    with pytest.raises(ConfigError, match="would stand in the scenario's file"):
        starting_files(url)
    assert starting_files("ws://host/?room=1")


def test_a_drafted_protocol_stands_in_the_place_of_ours(tmp_path: Path) -> None:
    text = '[turn]\nmessage = "{data.q}"\n[events]\nformat = "opaque"\ncount = 1\n'
    files = starting_files(
        "ws://localhost:1", "mine", Drafted(lambda name: f"# {name}\n{text}", '[{ q = "why" }]')
    )
    assert list(files) == ["mine.toml", "mine.protocol.toml"]
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    scenario = load_scenario(tmp_path / "mine.toml")
    assert scenario.traffic is not None
    assert scenario.traffic.data == ({"q": "why"},)
    assert scenario.protocol.about == "mine"
    without = starting_files("ws://localhost:1", "mine", Drafted(lambda _: text, ""))
    assert "data =" not in without["mine.toml"]


@pytest.mark.parametrize("kind", ["error", "unauthorized"])
def test_an_answer_whose_type_says_error_fails_the_drafted_turn(folder: Folder, kind: str) -> None:
    for file, text in starting_files("ws://host/ws").items():
        folder.write(file, text)
    assert "loadtest try host.toml" in starting_files("ws://host/ws")["host.toml"]
    fails = load_scenario(folder.path / "host.toml").protocol.events.fail
    assert any(kind in str(each) for each in fails)


@pytest.mark.parametrize(
    ("think_ns", "every_ns", "told"),
    [
        ((1_234_567_890,), 1_235_000_000, "1 gap from 1.23 s to 1.23 s"),
        ((3_000_000_000, 400_000_000, 2_000_000_000), 2_000_000_000, "3 gaps from 400 ms to 3 s"),
        ((0, 10), 1_000_000, "2 gaps from 0 s to 10 ns"),
        ((10**17,), 3_600_000_000_000, "1 gap"),
    ],
)
def test_a_client_that_waited_makes_a_closed_plan(
    folder: Folder, think_ns: tuple[int, ...], every_ns: int, told: str
) -> None:
    protocol = starting_files("ws://host/ws")["host.protocol.toml"]
    drafted = Drafted(lambda _: protocol, "", rows_are="examples", think_ns=think_ns)
    for name, text in starting_files("ws://host/ws", None, drafted).items():
        folder.write(name, text)
    scenario = load_scenario(folder.path / "host.toml")
    assert scenario.load.model == "closed"
    assert scenario.traffic is not None
    assert scenario.traffic.every_ns == every_ns
    assert told in (folder.path / "host.toml").read_text()
