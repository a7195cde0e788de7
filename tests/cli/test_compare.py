from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.cli.compare import _noise_file
from loadtest.errors import ConfigError, Exit
from loadtest.keep.baseline import mark
from tests.cli.stored import store
from tests.pace import children_s, pace


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs of v1, four of a slower v2, one more; every run of a label a little different."""
    folder = tmp_path_factory.mktemp("results")
    for at in range(4):
        store(folder, "v1", first_event_ms=20)
        store(folder, "v2", first_event_ms=30 + at % 2)
    store(folder, "v3", first_event_ms=20)
    return folder


def compare(results: Path, *words: str) -> int:
    return main(["compare", *words, "--results", str(results)])


def test_a_slower_release_ends_with_1(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(results, "v1", "v2") == Exit.FAIL
    out = capsys.readouterr().out
    assert "SLOWER  exit code 1" in out
    assert "v1 (4 runs) → v2 (4 runs)" in out


def test_a_faster_one_ends_with_0(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(results, "v2", "v1") == Exit.PASS
    assert "FASTER  exit code 0" in capsys.readouterr().out


def test_single_runs_end_with_4_unless_lenient(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(results, "v1", "v3") == Exit.INVALID
    assert compare(results, "v1", "v3", "--lenient") == Exit.PASS
    assert "4 and 1 runs; a verdict needs 4 per side" in " ".join(capsys.readouterr().out.split())


def test_several_candidates_end_with_the_worst(results: Path) -> None:
    assert compare(results, "v1", "v3", "v2") == Exit.FAIL
    assert compare(results, "v2", "v1", "v3") == Exit.INVALID


def test_a_run_stands_for_itself(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = sorted(results.glob("*-v1*"))[:2]
    assert compare(results, one.name, str(other)) == Exit.INVALID
    assert f"{one.name} (1 run) → {other.name} (1 run)" in capsys.readouterr().out.replace("\n", " ")


def test_the_baseline_stands_for_all_repeats_of_its_label(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(results, "baseline", "v2") == Exit.CONFIG
    assert "is marked as the baseline" in capsys.readouterr().err
    mark(results, max(results.glob("*-v1*")))
    assert compare(results, "baseline", "v2") == Exit.FAIL
    assert "v1 (4 runs) → v2 (4 runs)" in capsys.readouterr().out


def test_what_decides_may_be_named(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    primary = ("--primary", "turns.complete.ratio")
    assert compare(results, "v1", "v2", *primary) == Exit.PASS
    assert compare(results, "v1", "v2", "--smallest-effect", "90%") == Exit.PASS
    capsys.readouterr()
    assert compare(results, "v1", "v2", "--primary", "turns.complet.ratio") == Exit.CONFIG
    assert 'did you mean "turns.complete.ratio"?' in capsys.readouterr().err


@pytest.mark.long
def test_every_format_into_a_folder(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    formats = "terminal,html,markdown,json,junit"
    assert compare(results, "v1", "v2", "--format", formats, "--output", str(tmp_path / "out")) == Exit.FAIL
    wrote = {path.name for path in (tmp_path / "out").iterdir()}
    assert wrote == {"compare.txt", "compare.html", "compare.md", "compare.json", "compare.junit.xml"}
    assert capsys.readouterr().out.count("wrote ") == 5


def test_one_format_to_a_file_or_to_stdout(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(results, "v1", "v2", "--format", "json")
    assert json.loads(capsys.readouterr().out)["exit_code"] == Exit.FAIL
    compare(results, "v1", "v2", "--format", "markdown", "--output", str(tmp_path / "one.md"))
    assert (tmp_path / "one.md").read_text("utf-8").startswith("# SLOWER")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("v1",), "name a BASELINE and at least one CANDIDATE"),
        ((), "name a BASELINE and at least one CANDIDATE"),
        (("v1", "v1"), "are the same run"),
        (("v1", "v9"), 'there is no run "v9"'),
        (("v1", "v2", "--format", "json,html"), "several formats need --output FOLDER"),
        (("v1", "v2", "--format", "html", "--output", "/proc/nowhere/compare.html"), "cannot be written"),
        (("v1", "--noise", "v2"), "--noise takes one label; remove the other runs"),
        (("--noise", "v1", "--format", "html"), "--noise can write terminal and json, not html"),
    ],
)
def test_mistakes(
    results: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    assert compare(results, *words) == Exit.CONFIG
    assert sentence in capsys.readouterr().err


def test_labels_of_several_scenarios_are_compared_one_by_one(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (*results.glob("*-v1-4"), *results.glob("*-v2-4")):
        file = path / "run.json"
        whole = file.read_text("utf-8")
        manifest = json.loads(whole)
        manifest["scenario"]["name"] = "another"
        file.write_text(json.dumps(manifest), "utf-8")
    try:
        assert compare(results, "v1", "v2") == Exit.INVALID
        out = capsys.readouterr().out
        assert "agent-burst  v1 (3 runs)" in out
        assert "another  v1 (1 run)" in out
        assert compare(results, "v1", "v3") == Exit.INVALID
    finally:
        for path in (*results.glob("*-v1-4"), *results.glob("*-v2-4")):
            file = path / "run.json"
            file.write_text(file.read_text("utf-8").replace('"another"', '"agent-burst"'), "utf-8")


def test_noise_is_learned_and_kept_for_smaller_comparisons(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "--noise", "v2", "--results", str(results)]) == Exit.PASS
    told = capsys.readouterr()
    assert "runs differ by" in told.out
    assert "stored the noise in" in told.err
    one, other = (min(results.glob(f"*-{label}*")).name for label in ("v1", "v2"))
    compare(results, one, other)
    assert "at least 4 runs per side can detect a change of" in " ".join(capsys.readouterr().out.split())
    (results / "noise-agent-burst.json").write_text("{", "utf-8")
    assert compare(results, one, other) == Exit.INVALID
    (results / "noise-agent-burst.json").unlink()


def test_noise_of_few_runs_is_not_learned(results: Path, tmp_path: Path) -> None:
    assert main(["compare", "--noise", "v3", "--results", str(results)]) == Exit.INVALID
    assert not (results / "noise-agent-burst.json").exists()
    into = str(tmp_path / "noise.json")
    words = ["compare", "--noise", "v1", "--format", "json", "--output", into, "--results", str(results)]
    assert main(words) == Exit.PASS
    assert json.loads(Path(into).read_text("utf-8"))["schema"] == "loadtest.noise/1"
    (results / "noise-agent-burst.json").unlink()


ALONE = """
import sys

def refuse(event, words):
    if event.startswith("socket.") and event != "socket.gethostname":
        sys.exit(f"asked the network: {event}")
    if event == "import" and words[0] in {"locust", "gevent", "matplotlib"}:
        sys.exit(f"imported {words[0]}")

sys.addaudithook(refuse)
from loadtest.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.timed
@pytest.mark.parametrize(
    ("words", "code", "seconds"),
    [
        (("compare", "v1", "v2"), Exit.FAIL, 2.5),
        (("trend", "agent-burst"), Exit.PASS, 2.5),
        (("report", "v1"), Exit.PASS, 1.0),
    ],
)
def test_looking_is_quick_and_needs_no_locust_no_plots_and_no_network(
    results: Path, words: tuple[str, ...], code: Exit, seconds: float
) -> None:
    """Of processor time on a machine of the reference's pace, start-up included."""
    command = [sys.executable, "-c", ALONE, *words, "--results", str(results)]
    before_s, pace_before = children_s(), pace()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took_s = children_s() - before_s
    assert (done.returncode, done.stderr) == (code, "")
    assert took_s < seconds * max(pace_before, pace())


def test_a_run_never_imports_scipy() -> None:
    """What a run imports, from its plan to its report."""
    code = (
        "import sys, loadtest.run, loadtest.run.run_scenario, loadtest.run.run_recorder\n"
        "import loadtest.judge.judge_run, loadtest.show.plot.pictures, loadtest.show.report_formats\n"
        "import loadtest.cli.run\n"
        "print('scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def changed(path: Path, **leaves: object) -> None:
    """Replace single values of a stored manifest, by their path with ``__``."""
    file = path / "run.json"
    manifest = json.loads(file.read_text("utf-8"))
    for keys, value in leaves.items():
        *way, last = keys.split("__")
        of = manifest
        for key in way:
            of = of[key]
        of[last] = value
    file.write_text(json.dumps(manifest), "utf-8")


def test_runs_of_different_load_are_refused_and_may_be_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path, "v1")
    changed(store(tmp_path, "v2"), load__planned__connections=200)
    assert compare(tmp_path, "v1", "v2") == Exit.INVALID
    out = capsys.readouterr().out
    assert "NOT COMPARABLE  exit code 4" in out
    assert ["load.connections", "20", "200"] in [line.split() for line in out.splitlines()]
    assert compare(tmp_path, "v1", "v2", "--lenient") == Exit.INVALID
    compare(tmp_path, "v1", "v2", "--force")
    assert "CANNOT TELL" in capsys.readouterr().out.partition("NOT COMPARABLE")[2]


def test_labels_without_a_scenario_in_common_are_held_against_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path, "v1")
    renamed = store(tmp_path, "v2")
    changed(renamed, scenario__name="another")
    assert compare(tmp_path, "v1", "v2", "--lenient") == Exit.PASS
    out = capsys.readouterr().out
    assert "NOT COMPARABLE" not in out, "the load is the same, whatever the file is called"
    assert ["scenario", "agent-burst", "another"] in [line.split() for line in out.splitlines()]
    changed(renamed, load__planned__connections=200)
    assert compare(tmp_path, "v1", "v2", "--lenient") == Exit.INVALID
    assert "NOT COMPARABLE" in capsys.readouterr().out
    for label in ("v1", "v2"):
        changed(store(tmp_path, label), scenario__name=f"only-{label}")
    assert compare(tmp_path, "v1", "v2", "--lenient") == Exit.INVALID, "two scenarios a side, none shared"
    assert "NOT COMPARABLE" in capsys.readouterr().out


def test_simulated_is_never_held_against_real(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path, "v1")
    changed(store(tmp_path, "v2"), target__simulated=False)
    assert compare(tmp_path, "v1", "v2", "--force") == Exit.INVALID
    assert "simulated runs are never compared with real ones" in capsys.readouterr().out


def test_two_machines_are_shown_with_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label, cpu in (("v1", "one"), ("v2", "another")):
        changed(store(tmp_path, label), fingerprint={"machine": cpu, "cpu": f"{cpu} CPU", "kernel": "6.1"})
    compare(tmp_path, "v1", "v2")
    out = capsys.readouterr().out
    shown = [line.split() for line in out.splitlines()]
    assert ["machine", "one", "another"] in shown
    assert ["cpu", "one", "CPU", "another", "CPU"] in shown
    assert "kernel" not in out
    assert "different_surroundings" in out


def test_a_step_of_a_fifth_is_found_the_same_night(tmp_path: Path) -> None:
    """One run a night against a history of ten that spread by 3 %."""
    for at, around in enumerate((100, 97, 104, 101, 98, 103, 96, 99, 102, 100)):
        store(tmp_path, f"night-{at}", first_event_ms=around)
        changed(max(tmp_path.glob(f"*-night-{at}*")), label="nights")
    store(tmp_path, "tonight", first_event_ms=120)
    store(tmp_path, "calm", first_event_ms=101)
    assert compare(tmp_path, "nights", "tonight") == Exit.FAIL
    assert compare(tmp_path, "nights", "calm") != Exit.FAIL


@pytest.mark.long
def test_pruned_runs_are_compared_but_not_drawn(tmp_path: Path) -> None:
    for _ in range(4):
        store(tmp_path, "v1", first_event_ms=20)
        store(tmp_path, "v2", first_event_ms=30)
    one = ("v1", "v2", "--format", "html", "--output")
    assert main(["runs", "prune", "--keep", "1ns", "--results", str(tmp_path)]) == 0
    assert compare(tmp_path, *one, str(tmp_path / "none.html")) == Exit.FAIL
    store(tmp_path, "v1", first_event_ms=20)
    store(tmp_path, "v2", first_event_ms=30)
    assert compare(tmp_path, *one, str(tmp_path / "some.html")) == Exit.FAIL
    drawn = [(tmp_path / f"{name}.html").read_text("utf-8").count("<svg") for name in ("none", "some")]
    assert drawn[0] == 1 < drawn[1]


def test_the_noise_of_a_name_from_elsewhere_stays_in_the_folder(tmp_path: Path) -> None:
    """The name comes from a stored file, of which anybody may be the author."""
    newest = {"scenario": {"name": "a/../../elsewhere"}}
    with pytest.raises(ConfigError, match="may contain only letters"):
        _noise_file(tmp_path, newest)
