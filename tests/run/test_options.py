from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.overrides import Overrides
from loadtest.run.options import RunOptions, host_and_port


def test_what_was_not_given_replaces_nothing() -> None:
    assert RunOptions().overrides == Overrides()


def test_what_was_given_takes_the_place_of_the_scenarios_values() -> None:
    options = RunOptions(
        target="ws://h/ws", duration="3s", connections=4, connect_rate="5/s", sets=("a.b=1", "c.d=2")
    )
    assert options.overrides == Overrides(
        target="ws://h/ws", duration="3s", connections=4, connect_rate="5/s", sets=("a.b=1", "c.d=2")
    )


def test_insecure_is_a_setting_that_comes_last() -> None:
    overrides = RunOptions(insecure=True, sets=("target.insecure=false",)).overrides
    assert overrides.insecure or overrides.sets[-1] == "target.insecure=true"


def test_results_are_where_the_option_says_else_the_variable_else_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LOADTEST_RESULTS", raising=False)
    assert RunOptions().results_folder == Path("results")
    monkeypatch.setenv("LOADTEST_RESULTS", "of-the-variable")
    assert RunOptions().results_folder == Path("of-the-variable")
    assert RunOptions(results="of-the-option").results_folder == Path("of-the-option")


def test_workers_join_on_loopback_unless_told_otherwise() -> None:
    assert RunOptions().bind_address == ("127.0.0.1", 0)
    assert RunOptions(bind="127.0.0.9:5557").bind_address == ("127.0.0.9", 5557)


KEYS = {"KEY": "sixteen letters.", "SHORT": "fifteen letters", "EMPTY": ""}


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(),
        RunOptions(bind="0.0.0.0:5557"),  # only a master of other machines' workers listens there
        RunOptions(workers=2),
        RunOptions(workers=2, bind="[::1]:5557"),
        RunOptions(workers=2, bind="localhost:5557"),
        RunOptions(workers=2, bind="0.0.0.0:5557", key_env="KEY"),
    ],
)
def test_workers_of_this_machine_need_no_key_and_others_have_one(options: RunOptions) -> None:
    options.check_workers(KEYS)


@pytest.mark.parametrize(
    ("options", "where", "sentence"),
    [
        (RunOptions(workers=2, bind="0.0.0.0:5557"), "--bind", "name it with --key-env"),
        (RunOptions(workers=2, bind="[::]:5557"), "--bind", "name it with --key-env"),
        (RunOptions(workers=2, bind="10.0.0.1:5557"), "--bind", "workers on other machines join at 10.0.0.1"),
        (RunOptions(workers=2, bind="*:5557"), "--bind", "name it with --key-env"),
        (RunOptions(workers=2, bind="127.0.0.1.example:1"), "--bind", "name it with --key-env"),
        (RunOptions(workers=2, bind="0.0.0.0:1", key_env="NONE"), "--key-env", "of the workers, is not set"),
        (RunOptions(workers=2, key_env="EMPTY"), "--key-env", "is not set; a key has at least 16"),
        (RunOptions(key_env="SHORT"), "--key-env", "has 15 characters; a key has at least 16"),
        (RunOptions(join_within="soon"), "--join-within", "soon"),
    ],
)
def test_a_port_that_strangers_reach_needs_a_key(options: RunOptions, where: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as raised:
        options.check_workers(KEYS)
    assert [problem.where for problem in raised.value.problems] == [where]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:5557", ("127.0.0.1", 5557)), ("[::1]:80", ("::1", 80)), ("a.example:0", ("a.example", 0))],
)
def test_host_and_port_are_taken_apart(text: str, expected: tuple[str, int]) -> None:
    assert host_and_port(text, "--bind") == expected


@pytest.mark.parametrize(
    "text", ["", "5557", ":5557", "h:", "h:x", "h:-1", "h:65536", "h:1.5", "h:٨٠", "h:²"]
)
def test_what_is_no_host_and_port_is_told(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        host_and_port(text, "--bind")
    (problem,) = raised.value.problems
    assert problem.where == "--bind"
    assert f"`{text}` is not HOST:PORT" in problem.sentence


@pytest.mark.parametrize(
    ("options", "environ", "terminal", "stays"),
    [
        ({"ui": True}, {}, True, True),
        ({"ui_port": 8123}, {"CI": ""}, True, True),
        ({}, {}, True, False),
        ({"ui": True, "ui_close": True}, {}, True, False),
        ({"ui": True}, {}, False, False),
        ({"ui": True}, {"CI": "true"}, True, False),
        ({"ui": True, "repeat": 2}, {}, True, False),
    ],
)
def test_a_page_stays_only_where_somebody_can_close_it(
    options: dict[str, Any], environ: dict[str, str], *, terminal: bool, stays: bool
) -> None:
    assert RunOptions(**options).page_stays(environ, terminal=terminal) is stays
