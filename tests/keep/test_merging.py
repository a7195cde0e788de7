from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.errors import ConfigError
from loadtest.keep.merging import merge_runs
from loadtest.keep.read import Run, read_run
from loadtest.keep.turns import levels_of
from tests.keep.samples import second, write_run

HOST: dict[str, Any] = {
    "duration_s": 10.0,
    "scenario": {"name": "chat", "sha256": "ab", "settings": {}},
    "load": {
        "planned": {
            "connections": 4,
            "connect_rate": 2.0,
            "turns_due": None,
            "turns_per_s": 5.0,
            "duration_s": 8,
        }
    },
    "generator": {"processes": 2},
    "refusals": {"tcp: refused": 3},
    "error_answers": {"busy": 2},
    "fingerprint": {"machine": "one", "kernel": "6.1", "python": "3.11"},
    "observed": [{"code": "limits_low", "numbers": {"n": 1}}],
}


def host(folder: Path, seconds: int = 3, **more: Any) -> Run:
    process = {"pid": 7, "started": 1.0, "host": folder.name}
    found = {**HOST, "process": process, **more}
    return read_run(write_run(folder, [second(at) for at in range(seconds)], **found))


@pytest.fixture
def hosts(tmp_path: Path) -> list[Run]:
    other = {"machine": "two", "kernel": "6.1", "python": "3.12"}
    late = "2026-11-22T12:15:31.500000Z"
    return [host(tmp_path / "a"), host(tmp_path / "b", 4, fingerprint=other, started=late)]


def test_histograms_and_counters_are_added_exactly(tmp_path: Path, hosts: list[Run]) -> None:
    merged = merge_runs(tmp_path / "both", hosts, "both").totals()
    parts = [run.totals() for run in hosts]
    for tag, histogram in merged.histograms.items():
        of = [part.histograms[tag] for part in parts]
        assert histogram.n == sum(each.n for each in of)
        assert histogram.total_ns == sum(each.total_ns for each in of)
        assert histogram.max_ns == max(each.max_ns or 0 for each in of)
    assert merged.count("turns.complete") == 3 * 5 + 4 * 5
    assert merged.peak_ready() == 7
    assert [row.second for row in merged.seconds] == [0, 1, 2, 3]
    assert merged.seconds[0].gauges["users"] == 8.0


def test_turns_and_frames_of_all(tmp_path: Path, hosts: list[Run]) -> None:
    merged = merge_runs(tmp_path, hosts)
    assert len(merged.turns()) == 35
    assert list(merged.turns()["seq"]) == sorted(merged.turns()["seq"])
    assert len(merged.slowest()) == 7


def test_the_manifest_says_what_it_is_made_of(tmp_path: Path, hosts: list[Run]) -> None:
    made = merge_runs(tmp_path, list(reversed(hosts)), "both").manifest
    one, other = (run.id for run in hosts)
    assert made["merged"] == [{"run": one, "offset_s": 0.0}, {"run": other, "offset_s": 1.25}]
    assert (made["label"], made["status"], made["verdict"]) == ("both", "complete", None)
    assert made["load"]["planned"]["connections"] == 8
    assert made["load"]["planned"]["turns_due"] is None
    assert made["load"]["planned"]["duration_s"] == 8
    assert made["generator"] == {"processes": 4}
    assert made["refusals"] == {"tcp: refused": 6}
    assert made["error_answers"] == {"busy": 4}
    codes = [fact["code"] for fact in made["observed"]]
    assert codes == ["limits_low", "hosts_merged"]
    assert made["observed"][1]["numbers"] == {"runs": 2, "starts_apart_s": 1.25}


def test_what_spoils_one_host_spoils_the_sum(tmp_path: Path) -> None:
    notices = [
        {"code": "generator_stood_still", "message": "It stood still.", "remedy": "Do not.", "spoils": True},
        {"code": "noticed", "message": "Fine.", "remedy": "", "spoils": False},
    ]
    runs = [host(tmp_path / "a"), host(tmp_path / "b", notices=notices)]
    found = merge_runs(tmp_path / "both", runs).manifest["observed"]
    assert [(fact["code"], fact.get("spoils")) for fact in found][-2:] == [
        ("host_invalid", True),
        ("hosts_merged", None),
    ]
    assert found[-2]["message"] == f"the run {runs[1].id} alone was invalid: It stood still."


def test_the_fingerprint_lists_the_parts(tmp_path: Path, hosts: list[Run]) -> None:
    found = merge_runs(tmp_path, hosts).manifest["fingerprint"]
    assert found["kernel"] == "6.1"
    assert "python" not in found
    assert [part["fingerprint"]["machine"] for part in found["parts"]] == ["one", "two"]
    again = merge_runs(tmp_path, list(reversed(hosts))).manifest["fingerprint"]
    assert found["machine"] == again["machine"] not in {"one", "two"}


def test_the_parts_stay_as_they_are(tmp_path: Path, hosts: list[Run]) -> None:
    before = [(run.path / "run.json").read_bytes() for run in hosts]
    merge_runs(tmp_path, hosts)
    assert [(run.path / "run.json").read_bytes() for run in hosts] == before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scenario": {**HOST["scenario"], "sha256": "cd"}}, "differ in their scenario \\(ab and cd\\)"),
        (
            {"target": {"url": "simulator", "simulated": False}},
            "kind of target \\(simulated and not simulated\\)",
        ),
        ({"interrupted": True}, "is interrupted; only complete runs can be merged"),
        (
            {"failure": {"exit_code": 70, "sentence": "KeyError: x"}},
            "failed, so it cannot be merged: KeyError: x",
        ),
        ({"pruned": {"at": "2026"}}, "is pruned; only complete runs can be merged"),
        ({"started": "2026-11-22T12:15:41Z"}, "began 10.8 s after .*, which had ended by then"),
        ({"started": "when?"}, "one of them is damaged"),
        ({"load": {}}, "one of them is damaged"),
    ],
)
def test_what_is_no_one_test_is_refused(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    runs = [host(tmp_path / "a"), host(tmp_path / "b", **change)]
    with pytest.raises(ConfigError, match=sentence):
        merge_runs(tmp_path / "both", runs)


def test_another_target_is_refused_but_for_the_port_of_a_simulator(tmp_path: Path) -> None:
    for simulated in (True, False):
        targets = [{"url": f"ws://{name}", "simulated": simulated} for name in "ab"]
        runs = [host(tmp_path / each["url"][-1], target=each) for each in targets]
        if simulated:
            assert merge_runs(tmp_path / "both", runs).manifest["target"] == targets[0]
            continue
        with pytest.raises(ConfigError, match=r"differ in their target \(ws://a and ws://b\)"):
            merge_runs(tmp_path / "both", runs)


def test_runs_of_populations_are_refused(tmp_path: Path) -> None:
    parted = {"populations": {"askers": {"first_user": 0, "users": 4}}}
    with pytest.raises(ConfigError, match="because it has populations"):
        merge_runs(tmp_path / "both", [host(tmp_path / "a", **parted), host(tmp_path / "b", **parted)])


def test_one_run_is_not_merged(tmp_path: Path) -> None:
    run = host(tmp_path)
    for runs in ([run], [run, run], []):
        with pytest.raises(ConfigError, match="give at least two different runs to merge"):
            merge_runs(tmp_path, runs)


def refused_as_counted_twice(results: Path, *runs: Run) -> None:
    with pytest.raises(ConfigError, match=r"would count twice, because .* give each run once"):
        merge_runs(results, runs)


def test_a_run_that_a_sum_already_holds_is_not_added_again(tmp_path: Path, hosts: list[Run]) -> None:
    both = merge_runs(tmp_path / "both", hosts)
    refused_as_counted_twice(tmp_path, both, hosts[0])
    refused_as_counted_twice(tmp_path, hosts[1], both)
    third = host(tmp_path / "c", started="2026-11-22T12:15:32Z")
    every = merge_runs(tmp_path / "every", [both, third])
    refused_as_counted_twice(tmp_path, every, hosts[1])
    refused_as_counted_twice(tmp_path, every, merge_runs(tmp_path / "more", [hosts[0], third]))


@pytest.mark.parametrize("name", [None, "20261122T121530Z-another"])
@pytest.mark.parametrize("process", ["known", ""])
def test_a_copy_of_a_run_is_not_added(tmp_path: Path, name: str | None, process: str) -> None:
    run = host(tmp_path / "a", **({} if process else {"process": None}))
    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    if name is not None:
        told = json.loads((copy / "run.json").read_text("utf-8"))
        (copy / "run.json").write_text(json.dumps({**told, "id": name}), "utf-8")
    if process or name is None:
        refused_as_counted_twice(tmp_path, run, read_run(copy))
    else:
        # Of two runs without a process nothing but the id tells.
        assert len(merge_runs(tmp_path / "both", [run, read_run(copy)]).manifest["merged"]) == 2


def test_hosts_that_began_in_one_second_have_runs_of_one_id(tmp_path: Path, hosts: list[Run]) -> None:
    assert hosts[0].id == hosts[1].id
    assert merge_runs(tmp_path, hosts).totals().count("turns.complete") == 35


def test_a_sample_of_turns_stays_a_sample(tmp_path: Path) -> None:
    fact = {"code": "turns_sampled", "numbers": {"turns": 500, "one_in": 4}}
    runs = [host(tmp_path / "a", observed=[fact]), host(tmp_path / "b")]
    merged = merge_runs(tmp_path / "both", runs)
    assert merged.manifest["observed"][-1] == {
        "code": "turns_sampled",
        "numbers": {"turns": 515, "one_in": 4},
    }
    assert (levels_of(merged.turns()["seq"]) >= 2).all()
    expected = sum(int((levels_of(run.turns()["seq"]) >= 2).sum()) for run in runs)
    assert len(merged.turns()) == expected


def test_seconds_that_one_host_alone_has(tmp_path: Path) -> None:
    runs = [host(tmp_path / "a", 1), host(tmp_path / "b", 3)]
    assert np.array_equal([row.second for row in merge_runs(tmp_path, runs).totals().seconds], [0, 1, 2])


def test_what_was_written_can_be_read_by_anybody(tmp_path: Path, hosts: list[Run]) -> None:
    made = merge_runs(tmp_path, hosts)
    assert json.loads((made.path / "run.json").read_text("utf-8"))["id"] == made.id
    assert read_run(made.path).status == "complete"


def test_half_a_sum_is_not_left_behind(tmp_path: Path, hosts: list[Run]) -> None:
    (hosts[1].path / "slowest.jsonl").write_text("{\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        merge_runs(tmp_path / "both", hosts)
    assert list((tmp_path / "both").iterdir()) == []
