"""Many scenarios one after another, as real processes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Launch, RunIt

ECHO = """
name = "{name}"
protocol = "echo"
[target]
url = "{url}"
[load]
duration = "{duration}"
[traffic]
every = "50ms"
"""


def scenario(folder: Path, name: str, url: str = "simulator", duration: str = "1s") -> None:
    folder.mkdir(exist_ok=True)
    text = ECHO.format(name=name, url=url, duration=duration)
    (folder / f"{name}.toml").write_text(text, "utf-8")


@pytest.mark.long
def test_the_worst_run_decides_and_each_is_kept(run: RunIt, tmp_path: Path) -> None:
    folder = tmp_path / "scenarios"
    scenario(folder, "a-good")
    scenario(folder, "b-gone", "ws://127.0.0.1:1/echo")
    scenario(folder, "c-long", duration="10m")
    out = tmp_path / "out"
    ended = run("suite", folder, "--label", "v1", "--budget", "60s", "--output", out)
    assert ended.code == 3, ended.screen
    runs = json.loads((out / "suite.json").read_text("utf-8"))["runs"]
    assert [(made["scenario"], made["outcome"], made["exit_code"]) for made in runs] == [
        ("a-good", "pass", 0),
        ("b-gone", "unreachable", 3),
        ("c-long", "not run", None),
    ]
    assert {made["run"] for made in runs[:2]} == {path.name for path in ended.folders}
    assert all(json.loads((path / "run.json").read_text("utf-8"))["label"] == "v1" for path in ended.folders)


def test_ctrl_c_ends_all_and_keeps_everything(launch: Launch, tmp_path: Path) -> None:
    folder = tmp_path / "scenarios"
    scenario(folder, "a", duration="60s")
    scenario(folder, "b", duration="60s")
    going = launch("suite", folder)
    going.until(lambda: going.written_seconds() >= 1)
    going.signal(signal.SIGINT)
    ended = going.end()
    assert ended.code == 130, ended.screen
    kept = {path.name.partition("Z-")[2]: path for path in ended.folders}
    assert set(kept) == {"a", "suite"}
    assert json.loads((kept["a"] / "run.json").read_text("utf-8"))["verdict"]["outcome"] == "interrupted"
    suite = json.loads((kept["suite"] / "suite.json").read_text("utf-8"))
    assert [made["outcome"] for made in suite["runs"]] == ["interrupted", "not run"]
