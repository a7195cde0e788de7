from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.scaffold import Drafted, starting_files, variable_for
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
    with pytest.raises(ConfigError, match="would be written into the scenario"):
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


@pytest.mark.parametrize(
    ("took_ns", "limit", "timeout_ns", "told"),
    [
        ((), "< 100ms", 10**10, ""),
        (
            (10_000_000,),
            "< 100ms",
            10**10,
            "# The turn of the capture took 10 ms; this is at least twice that",
        ),
        (
            (1, 201_300_000),
            "< 410ms",
            10**10,
            "# The 2 turns of the capture took at most 201 ms; this is twice",
        ),
        ((6_000_000_000,), "< 12s", 24 * 10**9, "took 6 s"),
    ],
)
def test_the_limit_is_no_tighter_than_twice_what_a_capture_shows(
    folder: Folder, took_ns: tuple[int, ...], limit: str, timeout_ns: int, told: str
) -> None:
    protocol = starting_files("ws://host/ws")["host.protocol.toml"]
    for name, text in starting_files(
        "ws://host/ws", None, Drafted(lambda _: protocol, "", took_ns=took_ns)
    ).items():
        folder.write(name, text)
    scenario = load_scenario(folder.path / "host.toml")
    assert limit in [each.expression for each in scenario.thresholds]
    assert scenario.traffic is not None
    assert scenario.traffic.timeout_ns == timeout_ns
    assert told in (folder.path / "host.toml").read_text()


def test_the_login_that_is_commented_out_is_valid_too(folder: Folder) -> None:
    text = starting_files("ws://host/ws")["host.toml"]
    for key in ("[[prepare]]", "name =", "post =", "json =", "keep =", "query ="):
        assert f"# {key}" in text
        text = text.replace(f"# {key}", key)
    folder.write("host.protocol.toml", starting_files("ws://host/ws")["host.protocol.toml"])
    folder.write("host.toml", text.replace("{env.MY_TOKEN}", "{prepared.token}"))
    scenario = load_scenario(folder.path / "host.toml")
    assert [(step.name, step.url) for step in scenario.prepare] == [("login", "/login")]
    assert scenario.target.query == {"token": "{prepared.token}"}


def test_parameters_of_the_url_are_given_by_templates(folder: Folder) -> None:
    query = {"token": "{env.MY_TOKEN}", 'a"b': "x"}
    step = '[[prepare]]\nname = "in"\nget = "/in"\n'
    files = starting_files("ws://host/ws", query=query, prepare=step)
    for name, text in files.items():
        folder.write(name, text)
    scenario = load_scenario(folder.path / "host.toml")
    assert scenario.target.query == query
    assert [each.name for each in scenario.prepare] == ["in"]
    assert "# [[prepare]]" not in files["host.toml"]


@pytest.mark.parametrize(("name", "variable"), [("access-token", "MY_ACCESS_TOKEN"), ("é", "MY_VALUE")])
def test_the_variable_of_a_name(name: str, variable: str) -> None:
    assert variable_for(name) == variable
