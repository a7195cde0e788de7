from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

import pytest

from loadtest.errors import ConfigError, Exit
from loadtest.run import suite as module
from loadtest.run.options import RunOptions
from loadtest.run.subprocess_runs import FinishedRun
from loadtest.run.suite import SuiteOptions, run_suite

PLAIN = """
name = "{name}"
protocol = "echo"
[target]
url = "ws://127.0.0.1:1/"
[load]
duration = "{duration}"
"""


class Pretended:
    """A sequence whose runs end at once as they are told to; ``made`` is what it was asked for."""

    made: ClassVar[list[str]] = []
    interrupt_at: int | None = None
    took_s = 0.5

    def __init__(self) -> None:
        self.interrupted = False
        type(self).made = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def run(self, options: RunOptions) -> FinishedRun:
        self.made.append(Path(options.scenario).stem)
        if len(self.made) == self.interrupt_at:
            self.interrupted = True
            return FinishedRun(Exit.INTERRUPTED, None, self.took_s, "interrupted")
        return FinishedRun(Exit.PASS, None, self.took_s, "")


@pytest.fixture
def sequence(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Pretended]]:
    monkeypatch.setattr(module, "RunSequence", Pretended)
    Pretended.made = []
    yield Pretended
    Pretended.interrupt_at, Pretended.took_s = None, 0.5


def scenarios(folder: Path, **durations: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, duration in durations.items():
        (folder / f"{name}.toml").write_text(PLAIN.format(name=name, duration=duration), "utf-8")
    return folder


def options(*refs: str | Path, **more: object) -> SuiteOptions:
    common = {name: more.pop(name) for name in ("label", "sets", "target") if name in more}
    return SuiteOptions(refs=tuple(map(str, refs)), each=RunOptions(**common), **more)  # type: ignore[arg-type]  # names as given by the test


def test_the_list_is_gone_through_again_and_again(sequence: type[Pretended], tmp_path: Path) -> None:
    folder = scenarios(tmp_path, b="1s", a="2s")
    suite = run_suite(options(folder, repeat=2, label="v1"))
    assert sequence.made == ["a", "b", "a", "b"]
    assert [(made.planned.scenario, made.planned.number) for made in suite.runs] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("b", 2),
    ]
    assert [made.planned.planned_s for made in suite.runs[:2]] == [2.0, 1.0]
    assert (suite.label, suite.exit_code) == ("v1", Exit.PASS)


def test_folders_files_and_shipped_names_each_once(sequence: type[Pretended], tmp_path: Path) -> None:
    folder = scenarios(tmp_path, a="1s", b="1s")
    (folder / "ready.toml").write_text('[components.x]\nprobe = "http"\n', "utf-8")
    suite = run_suite(options(folder / "b.toml", folder, "echo-steady", folder / "a.toml"))
    assert sequence.made == ["b", "a", "echo-steady"]
    assert suite.left_out == {str(folder / "ready.toml"): "a readiness policy"}


def test_what_does_not_fit_is_not_run_and_no_pass(
    sequence: type[Pretended], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scenarios(tmp_path, a="1s", b="50s", c="2s")
    suite = run_suite(options(folder, budget_ns=20_000_000_000))
    assert sequence.made == ["a", "c"]
    assert [made.outcome for made in suite.runs] == ["error", "not run", "error"]
    assert suite.exit_code is Exit.INVALID
    assert (
        "not run 2 of 3: b: the run takes about 50 s, but only 20 s of the budget were left"
        in capsys.readouterr().err
    )


def test_an_interrupt_ends_the_whole_suite(sequence: type[Pretended], tmp_path: Path) -> None:
    sequence.interrupt_at = 2
    suite = run_suite(options(scenarios(tmp_path, a="1s", b="1s", c="1s")))
    assert sequence.made == ["a", "b"]
    assert suite.runs[-1].why == "the suite was interrupted"
    assert (suite.interrupted, suite.exit_code) == (True, Exit.INTERRUPTED)


def test_every_mistake_of_every_scenario_before_anything_runs(
    sequence: type[Pretended], tmp_path: Path
) -> None:
    folder = scenarios(tmp_path, a="1s", b="1 fortnight", c="2s")
    (folder / "d.toml").write_text('name = "d"\nprotocol = "eco"\n', "utf-8")
    (folder / "e.toml").write_text("[load", "utf-8")
    (folder / "f.toml").write_text(PLAIN.format(name="a", duration="1s"), "utf-8")
    with pytest.raises(ConfigError) as caught:
        run_suite(options(folder, label="a b", sets=("load.conections=3",)))
    told = str(caught.value)
    assert 'the label "a b" may contain' in told
    assert "b.toml:7" in told
    assert "d.toml:2" in told
    assert "e.toml" in told
    assert f"{folder / 'a.toml'}: --set load.conections=3" in told
    assert sequence.made == []


def test_two_scenarios_of_one_name_could_not_be_told_apart(sequence: type[Pretended], tmp_path: Path) -> None:
    folder = scenarios(tmp_path, a="1s")
    (folder / "f.toml").write_text(PLAIN.format(name="a", duration="1s"), "utf-8")
    with pytest.raises(ConfigError, match=r"f.toml: the scenario and .*a.toml have the same name, `a`"):
        run_suite(options(folder))


def test_what_means_nothing_is_told_whole(sequence: type[Pretended], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError) as caught:
        run_suite(options(tmp_path / "empty", "agent-brust"))
    told = str(caught.value)
    assert "the folder contains no .toml file" in told
    assert "agent-burst" in told
