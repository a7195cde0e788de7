"""``loadtest runs`` lists what is stored and shows one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.cli import main
from tests.cli.stored import store


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOADTEST_RESULTS", raising=False)
    return tmp_path


def test_an_empty_folder_says_how_to_make_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "loadtest run agent-burst" in said.err


def test_every_run_has_its_outcome_oldest_first(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "good")
    store(Path("results"), "slow", first_event_ms=200)
    store(Path("results"), "killed", ended=False)
    assert main(["runs", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {label: line for line in lines for label in ("good", "slow", "killed") if f"-{label} " in line}
    assert told["good"].startswith("pass ")
    assert told["good"].endswith("  SIMULATED  5 held")
    assert told["slow"].startswith("fail ")
    assert told["slow"].endswith("  SIMULATED  1 of 5 missed: turn.first_event.p95 400 ms")
    assert told["killed"].startswith(("running ", "cut short "))
    assert told["killed"].endswith("  SIMULATED")


def test_without_a_command_they_are_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(Path("elsewhere"), "v1")
    monkeypatch.setenv("LOADTEST_RESULTS", "elsewhere")
    assert main(["runs"]) == 0
    assert "agent-burst-v1  40 ms            90 ms           SIMULATED  5 held" in capsys.readouterr().out


def test_what_a_target_said_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    path = store(Path("results"), "v1") / "run.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["verdict"] |= {"outcome": "unreachable", "reason": "refused (\x1b[2J gone)"}
    path.write_text(json.dumps(manifest))
    assert main(["runs", "list"]) == 0
    assert main(["runs", "show", "v1"]) == 0
    told = capsys.readouterr().out
    assert "gone)" in told
    assert "\x1b" not in told


STEERING = "\x1b[2J\u202e"


def renamed(path: Path, **changes: object) -> Path:
    """A run whose folder and id are of others, as in an archive that was unpacked here."""
    manifest = json.loads((path / "run.json").read_text("utf-8"))
    (path / "run.json").write_text(json.dumps({**manifest, **changes}))
    return path.rename(path.with_name(f"{path.name}{STEERING}\nPASS"))


@pytest.mark.parametrize(
    "words",
    [
        ["show", "v1\x1b[3"],
        ["show", "latest"],
        ["baseline", "latest"],
        ["prune", "--keep", "1ms"],
        ["prune", "--keep", "1ms", "--dry-run"],
        ["merge", "latest", "latest"],
        ["merge", "2", "latest"],
    ],
    ids=" ".join,
)
def test_what_others_called_a_run_cannot_steer_the_terminal(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    store(Path("results"), "v0")
    renamed(store(Path("results"), "v1"), label=f"v1{STEERING}", started="2026-11-22T00:00:00Z")
    main(["runs", *words])
    main(["runs", "baseline"])
    said = "".join(capsys.readouterr())
    assert said
    assert not {*STEERING} & {"\x1b", "\u202e"} & {*said}
    assert "\nPASS" not in said


def test_names_of_files_that_an_import_leaves_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = store(Path("elsewhere"), "v1")
    for n in range(25):
        (path / f"a{STEERING}{n:02}").write_text("")
    assert main(["runs", "import", str(path)]) == 0
    said = "".join(capsys.readouterr())
    assert "not taken: a\\x1b[2J\\u202e00, a" in said
    assert said.endswith("u202e19, and 5 more\n")
    (path / "x\x1b[2J\nPASS").symlink_to("/etc/passwd")
    assert main(["runs", "import", str(path)]) == 2
    said += "".join(capsys.readouterr())
    assert "is a link or a device" in said
    assert "\nPASS" not in said
    assert "\x1b" not in said


def asked_for(label: str) -> Path:
    """A run that readiness made to ask a part."""
    path = store(Path("results"), label)
    manifest = json.loads((path / "run.json").read_text("utf-8"))
    manifest |= {"asked_by": "ready: websocket", "started": "2026-11-23T00:00:00Z"}
    (path / "run.json").write_text(json.dumps(manifest))
    return path


def test_what_readiness_asked_is_not_listed_unless_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "v1")
    asked = asked_for("ready-websocket")
    assert main(["runs", "list"]) == 0
    said = capsys.readouterr()
    assert "ready-websocket" not in said.out
    assert said.err == "1 run that `ready` or `watch` made is left out; --all lists it\n"
    assert main(["runs", "list", "--all"]) == 0
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if asked.name in line]
    assert line.endswith("SIMULATED  asked by ready: websocket  5 held")
    assert said.err == ""
    assert main(["runs", "show"]) == 0
    assert "-agent-burst-v1\n" in capsys.readouterr().out.splitlines(keepends=True)[0]
    assert main(["runs", "show", asked.name]) == 0
    assert "asked by   ready: websocket\n" in capsys.readouterr().out


def test_show_of_a_label_says_that_it_is_the_newest_of_several(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "v1")
    newest = store(Path("results"), "v1")
    assert main(["runs", "show", "v1"]) == 0
    assert capsys.readouterr().out.startswith(f"run        {newest.name}  the newest of 2 with that label\n")
    assert main(["runs", "show", newest.name]) == 0
    assert capsys.readouterr().out.startswith(f"run        {newest.name}\n")


def test_the_newest_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("a", "b", "c"):
        store(Path("results"), label)
    assert main(["runs", "list", "--last", "1"]) == 0
    _, line = capsys.readouterr().out.splitlines()
    assert line.split()[1].endswith("-c")


def test_a_percentile_that_turns_without_an_answer_decide_is_never(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the verdict says it: not the time of those that were answered."""
    path = store(Path("results"), "holes")
    manifest = json.loads((path / "run.json").read_text("utf-8"))
    known = {"unit": "ms", "n": 100, "answered": 90, "p50": 30.0}
    manifest["of_due"] = {
        "turn.first_event": {**known, "p95": None, "unbounded": ["p95"]},
        "turn.completion": {**known, "p95": 1234.0, "unbounded": []},
    }
    (path / "run.json").write_text(json.dumps(manifest))
    assert main(["runs", "list"]) == 0
    _, line = capsys.readouterr().out.splitlines()
    assert "  never  " in line
    assert "  1.23 s  " in line


def test_they_are_sorted_by_what_they_measured(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "slow", first_event_ms=30)
    store(Path("results"), "cut", ended=False)
    store(Path("results"), "fast")
    assert main(["runs", "list", "--sort", "first-event"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split("  ")[-1] == "target"
    assert "first event p95" in head
    assert [line.split("agent-burst-")[1].split()[0] for line in lines] == ["cut", "fast", "slow"]
    assert lines[-1].split()[2:4] == ["60", "ms"]
    assert main(["runs", "list", "--sort", "beauty"]) == 2


@pytest.mark.parametrize("variable", ["LOADTEST_RESULTS", "LOADTEST_RUNS_LIST_RESULTS"])
def test_the_results_folder_has_its_variables(
    variable: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(Path("elsewhere"), "there")
    monkeypatch.setenv(variable, "elsewhere")
    assert main(["runs", "list"]) == 0
    assert "-there" in capsys.readouterr().out


def test_show_says_how_it_ended_and_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    path = store(Path("results"), "slow", first_event_ms=200)
    assert main(["runs", "show", "slow"]) == 0
    told = capsys.readouterr().out
    assert "verdict    fail, exit code 1\n" in told
    assert "threshold  turn.first_event.p95 < 100ms: missed, measured 400 ms (n=600)\n" in told
    assert "load       open model, 20 connections" in told
    assert f"folder     {path}\n" in told
    assert "file       intervals.hlog  " in told


def test_show_of_a_run_that_was_killed(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "killed", ended=False)
    assert main(["runs", "show", "killed"]) == 0
    told = capsys.readouterr().out
    assert "status     " in told
    assert "verdict" not in told


def test_show_of_no_run_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "v1.4.0")
    assert main(["runs", "show", "v1.4.1"]) == 2
    assert '"v1.4.0"' in capsys.readouterr().err


def test_show_tells_what_was_pruned(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "v1")
    assert main(["runs", "prune", "--keep", "1ns", "--dry-run"]) == 0
    assert "old " in capsys.readouterr().out
    assert main(["runs", "prune", "--keep", "1ns"]) == 0
    told = capsys.readouterr().out
    assert "freed   20261122T121530Z-agent-burst-v1: " in told
    assert "1 run, " in told
    assert main(["runs", "show", "v1"]) == 0
    assert "pruned     20" in capsys.readouterr().out
    assert main(["report", "v1"]) == 0
    assert main(["report", "v1", "--format", "html"]) == 2
    assert "were pruned on" in capsys.readouterr().err


def test_the_baseline_is_marked_shown_and_never_pruned(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "v1")
    assert main(["runs", "baseline"]) == 0
    assert "mark one: loadtest runs baseline RUN" in capsys.readouterr().err
    assert main(["runs", "baseline", "v1"]) == 0
    assert main(["runs", "baseline"]) == 0
    assert capsys.readouterr().out == "baseline   20261122T121530Z-agent-burst-v1\n" * 2
    assert main(["runs", "list"]) == 0
    assert capsys.readouterr().out.endswith("  SIMULATED  baseline  5 held\n")
    assert main(["runs", "prune", "--keep", "1ns"]) == 0
    assert "spared  20261122T121530Z-agent-burst-v1: it belongs to the baseline" in capsys.readouterr().out
    assert main(["runs", "baseline", "v9"]) == 2


def test_import_copies_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    path = store(Path("elsewhere"), "v1")
    (path / "notes.txt").touch()
    assert main(["runs", "import", str(path)]) == 0
    assert main(["runs", "import", "elsewhere"]) == 0
    out = capsys.readouterr().out
    assert f"imported results/{path.name}; not taken: notes.txt" in out
    assert f"already here: results/{path.name}" in out
    assert main(["runs", "import", "nowhere"]) == 2


def test_merge_adds_hosts_up_to_a_run_that_every_view_knows(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "a")
    other = store(Path("results"), "b", first_event_ms=30)
    told = json.loads((other / "run.json").read_text("utf-8"))
    told["process"] = {"pid": 7, "started": 1.0, "host": "another"}
    (other / "run.json").write_text(json.dumps(told), "utf-8")
    assert main(["runs", "merge", "a", "b", "--label", "both"]) == 0
    assert "merged 20261122T121530Z-agent-burst-both: pass, exit code 0" in capsys.readouterr().out
    assert main(["report", "both"]) == 0
    told = capsys.readouterr().out
    assert "n=8,400" in told
    assert "40 connections opened at 40/s" in told
    assert "hosts_merged" in told
    assert main(["runs", "show", "both"]) == 0
    assert (
        "merged of  20261122T121530Z-agent-burst-b, begun 0.000 s after the first" in capsys.readouterr().out
    )
    assert main(["runs", "merge", "both", "a"]) == 2
    assert "-a would count twice, because results/" in capsys.readouterr().err
    assert main(["runs", "merge", "a"]) == 2
    assert "give at least two different runs" in capsys.readouterr().err
