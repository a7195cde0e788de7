from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.keep.find import find_run, find_runs, list_runs
from tests.keep.samples import manifest


def store(
    results: Path, name: str, label: str | None = None, started: str = "2026-11-22T12:00:00Z", **more: object
) -> Path:
    path = results / name
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps(manifest(id=name, label=label, started=started, **more)))
    return path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    store(folder, "20261122T120000Z-chat-v1", "v1")
    for number in (10, 2, 9):
        store(folder, f"20261122T120000Z-chat-v1-{number}", "v1")
    store(folder, "20261121T120000Z-echo", None, "2026-11-21T12:00:00Z")
    (folder / "README.md").write_text("")
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text("{")
    return folder


def test_runs_are_listed_oldest_first(results: Path) -> None:
    assert [run.id for run in list_runs(results)] == [
        "20261121T120000Z-echo",
        "20261122T120000Z-chat-v1",
        "20261122T120000Z-chat-v1-2",
        "20261122T120000Z-chat-v1-9",
        "20261122T120000Z-chat-v1-10",
    ]
    first = list_runs(results)[0]
    assert (first.scenario, first.label, first.outcome, first.simulated) == ("chat", None, "pass", True)


def test_a_run_without_a_verdict_is_listed(results: Path) -> None:
    (results / "20261121T120000Z-echo" / "run.json").write_text(json.dumps(manifest(verdict=None, target={})))
    assert [run.outcome for run in list_runs(results)][-1] is None


def test_the_latest_is_never_one_that_readiness_made(results: Path) -> None:
    asked = "20261123T120000Z-chat-ready-websocket"
    store(results, asked, "ready-websocket", "2026-11-23T12:00:00Z", asked_by="ready: websocket")
    assert [(run.id, run.asked_by) for run in list_runs(results)][-1] == (asked, "ready: websocket")
    assert asked not in [run.id for run in list_runs(results, probes=False)]
    assert find_run(results, "latest").name == "20261122T120000Z-chat-v1-10"
    assert {find_run(results, ref).name for ref in (asked, "20261123", "ready-websocket")} == {asked}


def test_where_only_readiness_made_runs_there_is_no_latest(tmp_path: Path) -> None:
    store(tmp_path, "20261123T120000Z-chat", asked_by="ready: websocket")
    with pytest.raises(ConfigError, match=r"were made by `ready` or `watch`; .* runs list --all"):
        find_run(tmp_path, "latest")


def test_no_folder_holds_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []


def test_all_runs_of_a_label(results: Path) -> None:
    assert [path.name[-4:] for path in find_runs(results, "v1")] == ["t-v1", "v1-2", "v1-9", "1-10"]
    assert find_runs(results, "v2") == []


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("20261122T120000Z-chat-v1", "20261122T120000Z-chat-v1"),
        ("20261122T120000Z-chat-v1-1", "20261122T120000Z-chat-v1-10"),
        ("20261121", "20261121T120000Z-echo"),
        ("latest", "20261122T120000Z-chat-v1-10"),
        ("v1", "20261122T120000Z-chat-v1-10"),
    ],
)
def test_an_id_its_beginning_a_label_or_the_latest(results: Path, ref: str, name: str) -> None:
    assert find_run(results, ref) == results / name


def test_a_path(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = results / "20261121T120000Z-echo"
    assert find_run(Path("none"), str(path)) == path
    assert find_run(Path("none"), str(path / "run.json")) == path
    monkeypatch.chdir(path)
    assert find_run(results, ".") == Path()


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        ("20261122T1200", '"20261122T1200" is the beginning of 4 ids: "20261122T120000Z-chat-v1", "'),
        ("20261121T120000Z-eho", 'similar names are "20261121T120000Z-echo"'),
        ("v2", 'similar names are "v1"'),
        ("lates", 'similar names are "latest"'),
        ("@", 'the newest run is "20261122T120000Z-chat-v1-10"'),
        ("", 'the newest run is "'),
        ("a\0b", 'the newest run is "'),
        ("../results", 'there is no run "../results"'),
    ],
)
def test_what_nobody_stored_is_told_with_what_is_near(results: Path, ref: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(").replace(".", r"\.")):
        find_run(results, ref)


def test_an_empty_folder_of_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no runs yet"):
        find_run(tmp_path, "latest")


def test_many_names_are_not_all_listed(results: Path) -> None:
    for number in range(20, 25):
        store(results, f"20261122T120000Z-chat-v1-{number}")
    with pytest.raises(
        ConfigError, match=r'"20261122" is the beginning of 9 ids: ("[^"]+", ){5}\.\.\.; write a longer part$'
    ):
        find_run(results, "20261122")


@pytest.mark.parametrize(
    "name",
    ["run1²", "run1٣", "run" + "9" * 200, "run007"],
    ids=["superscript", "another script", "many digits", "zeros"],
)
def test_a_folder_of_any_name_is_listed(results: Path, name: str) -> None:
    store(results, name, "v1")
    assert name in [run.id for run in list_runs(results)]


def test_numbers_in_names_sort_as_numbers_however_long(tmp_path: Path) -> None:
    names = ["run-2", "run-10", "run-0011", "run-" + "9" * 30, "run-1" + "0" * 30, "run-x"]
    for name in reversed(names):
        store(tmp_path, name, None)
    assert [run.id for run in list_runs(tmp_path)] == names
