"""``loadtest report`` shows a stored run again, whole or in part, in any format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.cli.report import FILES
from loadtest.show.report_formats import FORMATS, PAPER
from tests.cli.stored import PER_SECOND, store


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOADTEST_RESULTS", raising=False)
    return store(Path("results"), "v1")


def test_the_terminal_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report"]) == 0
    told = capsys.readouterr().out
    assert "SIMULATED" in told
    assert "PASS" in told


def test_paper_needs_a_file_or_a_pipe(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["report", "latest", "--format", "pdf"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"%PDF-")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["report", "latest", "--format", "pdf"]) == 2
    assert b"pdf is binary and cannot be printed; give --output FILE" in capfdbinary.readouterr().err
    monkeypatch.setattr("loadtest.show.report_formats.render_any", lambda _run, form: form.encode() + b"\xff")
    assert main(["report", "latest", "--format", "pdf", "--output", str(tmp_path / "r.pdf")]) == 0
    assert (tmp_path / "r.pdf").read_bytes() == b"pdf\xff"


@pytest.mark.parametrize("name", sorted(set(FILES) - set(PAPER)))
def test_every_format_is_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "latest", "--format", name]) == 0
    assert len(capsys.readouterr().out) > 100


def test_json_is_the_manifest(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "v1", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["id"] == run.name
    assert shown["verdict"]["outcome"] == "pass"


def test_several_formats_go_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "latest", "--format", "html,junit", "--output", "public/here"]) == 0
    files = sorted(path.name for path in (tmp_path / "public/here").iterdir())
    assert files == ["junit.xml", "report.html"]
    assert capsys.readouterr().out.count("wrote ") == 2


def test_one_format_goes_into_the_file_named(tmp_path: Path) -> None:
    assert main(["report", "latest", "--format", "markdown", "--output", "summary.md"]) == 0
    assert (tmp_path / "summary.md").read_text("utf-8").startswith("#")


def test_one_format_goes_into_a_folder_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    assert main(["report", "latest", "--format", "markdown", "--output", "public"]) == 0
    assert (tmp_path / "public/report.md").exists()


def test_several_formats_need_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "latest", "--format", "html,junit"]) == 2
    assert "--output" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").touch()
    assert main(["report", "latest", "--format", "html,junit", "--output", "taken/here"]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "hint"),
    [("htm", 'did you mean "html"?'), ("zzz", "use one of terminal"), (",", "at least one")],
)
def test_an_unknown_format_names_the_nearest(
    given: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "latest", "--format", given]) == 2
    assert hint in capsys.readouterr().err


def test_the_exit_code_of_the_verdict_is_given_when_asked_for() -> None:
    store(Path("results"), "slow", first_event_ms=200)
    assert main(["report", "slow"]) == 0
    assert main(["report", "slow", "--exit-code"]) == 1
    assert main(["report", "v1", "--exit-code"]) == 0


def test_a_run_that_goes_on_is_not_believed_yet() -> None:
    store(Path("results"), "on", ended=False)
    assert main(["report", "on"]) == 0
    assert main(["report", "on", "--exit-code"]) == 4


def test_a_run_that_was_killed_is_shown_and_not_believed(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = store(Path("results"), "killed", ended=False) / "run.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text("utf-8")), "process": None}), "utf-8")
    assert main(["report", "killed"]) == 0
    assert "cut short" in capsys.readouterr().out
    assert main(["report", "killed", "--exit-code"]) == 4


def test_a_part_is_judged_again(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "half", first_event_ms=60)  # 60 ms, then 120 ms: over the 100 ms allowed
    assert main(["report", "half", "--exit-code"]) == 1
    assert main(["report", "half", "--to", "3s", "--exit-code"]) == 0
    assert main(["report", "half", "--from", "3s", "--exit-code"]) == 1
    capsys.readouterr()
    main(["report", "half", "--from", "1s", "--to", "3s", "--format", "json"])
    part = json.loads(capsys.readouterr().out)
    assert part["part"]["from_s"] == 1
    assert part["metrics"]["turn.first_event"]["n"] == 2 * PER_SECOND


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "1500ms"], "--from: write whole seconds"),
        (["--to", "10"], "no unit"),
        (["--from", "5s", "--to", "2s"], "the run has no data from 5 s to 2 s; it lasted 6 s"),
        (["--from", "90s"], "the run has no data from 90 s on; it lasted 6 s, warm-up and drain included"),
    ],
)
def test_a_part_that_is_none_is_told(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "latest", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_run_that_kept_nothing_has_no_parts(capsys: pytest.CaptureFixture[str]) -> None:
    store(Path("results"), "empty", seconds=0, ended=False)
    assert main(["report", "empty", "--from", "0s"]) == 2
    assert "it lasted 0 s" in capsys.readouterr().err


def test_the_formats_are_those_of_the_views() -> None:
    assert list(FILES) == [*FORMATS, *PAPER]


def test_other_thresholds_judge_a_stored_run_anew(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "run.json").read_bytes()
    tight = ("--set", "thresholds.turn.first_event.p95=< 30ms")
    assert main(["report", "v1", *tight, "--exit-code"]) == 1
    told = capsys.readouterr().out
    assert "turn.first_event.p95         < 30ms" in told
    assert "judged_anew" in told
    assert (run / "run.json").read_bytes() == before
    assert main(["report", "v1", *tight, "--from", "0s", "--to", "2s", "--exit-code"]) == 0
    told = capsys.readouterr().out
    assert "A part of the run: 0 s to 2 s." in told
    assert "judged_anew" in told


def test_thresholds_of_a_file_replace_all(capsys: pytest.CaptureFixture[str]) -> None:
    Path("strict.toml").write_text('[thresholds]\n"turns.complete.ratio" = ">= 99%"\n')
    assert main(["report", "--thresholds", "strict.toml", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["verdict"]["thresholds"]
    assert [row["name"] for row in rows] == ["turns.complete.ratio", "connections.ready.ratio"]
    both = ("--thresholds", "strict.toml", "--set", "thresholds.turn.completion.p95=< 1ms")
    assert main(["report", *both, "--exit-code"]) == 1


def test_a_pruned_run_is_judged_anew_by_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    tight = ("--set", "thresholds.turn.first_event.p95=< 30ms", "--exit-code")
    assert main(["report", "v1", *tight]) == 1
    whole = capsys.readouterr().out
    assert main(["runs", "prune", "--keep", "1ns"]) == 0
    capsys.readouterr()
    assert main(["report", "v1", *tight]) == 1
    assert capsys.readouterr().out.split("Thresholds")[1].split("\n\n")[0] in whole


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--set", "load.connections=3"), "for a stored run, only thresholds can be set"),
        (("--set", "thresholds.turn.first_evnt.p95=< 3ms"), "turn.first_event"),
        (("--set", "thresholds.turn.first_event.p95=soon"), "soon"),
        (("--thresholds", "nowhere.toml"), "nowhere.toml cannot be read"),
        (("--thresholds", "broken.toml"), "broken.toml cannot be read"),
        (("--thresholds", "empty.toml"), "the file empty.toml has no table [thresholds]"),
    ],
)
def test_mistakes_in_other_thresholds(
    words: tuple[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.toml").write_text("= 3")
    Path("empty.toml").write_text("a = 3")
    assert main(["report", *words]) == 2
    assert sentence in capsys.readouterr().err
