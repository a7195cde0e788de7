from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.folder import kind_of, scenarios_in
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.scenario_file import load_scenario
from loadtest.plan.shipped import folder, shipped_names


def test_what_is_no_scenario_is_named_and_left_out(tmp_path: Path) -> None:
    texts = {
        "b.toml": 'protocol = "echo"\n',
        "a.toml": 'protocol = { turn = { message = "x" } }\n[load]\n',
        "mine.toml": '[turn]\nmessage = "x"\n',
        "events.toml": 'name = "x"\n[events]\nend = ["done"]\n',
        "ready.toml": '[components.backend]\nprobe = "http"\n',
        "notes.txt": "no TOML",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c.toml").write_text(texts["b.toml"], "utf-8")
    found = scenarios_in(tmp_path)
    assert [path.name for path in found.scenarios] == ["a.toml", "b.toml"]
    assert [(path.name, kind) for path, kind in found.others] == [
        ("events.toml", "a protocol"),
        ("mine.toml", "a protocol"),
        ("ready.toml", "a readiness policy"),
    ]


def test_what_cannot_be_read_is_left_to_whoever_loads_it(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[load", "utf-8")
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe4'")
    (tmp_path / "folder.toml").mkdir()
    assert len(scenarios_in(tmp_path).scenarios) == 3


def test_every_shipped_scenario_is_found_and_nothing_else() -> None:
    found = [path.stem for path in scenarios_in(folder("scenario")).scenarios]
    assert found == shipped_names("scenario")


@pytest.mark.parametrize("load", [load_scenario, load_protocol])
def test_a_file_of_another_kind_is_told_in_one_sentence(
    tmp_path: Path, load: Callable[[Path], object]
) -> None:
    texts = {
        load_protocol: (
            "[load]\nconnections = 3\n",
            "this file is a scenario, not a protocol: `loadtest run`",
        ),
        load_scenario: (
            "[turn]\nmessage = 'x'\n",
            "this file is a protocol, not a scenario: a scenario names it",
        ),
    }
    path = tmp_path / "mine.toml"
    path.write_text(texts[load][0], "utf-8")
    with pytest.raises(ConfigError, match=texts[load][1]) as caught:
        load(path)
    assert len(caught.value.problems) == 1
    path.write_text("[components.api]\nprobe = 'http'\n", "utf-8")
    with pytest.raises(
        ConfigError, match=r"this file is a readiness policy, not .*: `loadtest ready` reads it"
    ):
        load(path)


def test_a_mixture_is_of_no_kind_and_whoever_loads_it_tells_what_is_wrong() -> None:
    assert kind_of({"load": {}, "events": {}}) is None
    assert kind_of({"name": "x"}) is None
