from __future__ import annotations

import json

import pytest

from loadtest.simulator.process import Simulator
from tests.end_to_end.running import quick
from tests.run.conftest import InProcess

pytestmark = pytest.mark.long

FULL = """
    import errno, os, sys
    from loadtest.keep.write import RunFolder

    writing, seen = RunFolder.writing, []

    def full(self, interval):
        seen.append(interval)
        if len(seen) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        yield from writing(self, interval)

    RunFolder.writing = full
    from loadtest.cli import main
    sys.exit(main(sys.argv[1:]))
"""


def test_a_full_disk_ends_the_run_early_and_is_told(python: InProcess) -> None:
    ended = python(FULL, "run", "agent-burst", *quick("90s"))
    assert ended.code == 4, ended.screen
    assert "Traceback" not in ended.screen
    assert "No space left on device" in " ".join(ended.screen.split())
    assert ended.manifest["duration_s"] < 80
    assert ended.notice("results_not_written")["spoils"]
    assert ended.manifest["counts"]["turns"]["complete"] >= 100


PARTLY = """
    import errno, sys
    from loadtest.show import report_formats

    real = report_formats._write

    def write(path, text):
        if path.name == "junit.xml":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, text)

    report_formats._write = write
    from loadtest.cli import main
    sys.exit(main(sys.argv[1:]))
"""


def test_a_run_whose_reports_are_missing_does_not_end_with_0(python: InProcess) -> None:
    """Somebody waits for that file. Whether the run itself passes on a busy machine is not asked."""
    ended = python(PARTLY, "run", "agent-burst", *quick(), "--quiet")
    assert ended.code != 0, ended.screen
    assert "No space left on device; missing: junit.xml; if the run passed, the exit code is 4" in ended.err
    assert (ended.folder / "benchmark-rates.json").is_file()


@pytest.mark.parametrize(
    ("verdict", "missing", "code"),
    [(0, ["junit.xml"], 4), (0, [], 0), (1, ["junit.xml"], 1), (4, [], 4), (130, ["junit.xml"], 130)],
)
def test_without_a_file_that_others_wait_for_a_pass_is_none(
    python: InProcess, verdict: int, missing: list[str], code: int
) -> None:
    script = f"""
        from types import SimpleNamespace
        from loadtest.run.run_recorder import exit_code_of

        manifest = {{"verdict": {{"exit_code": {verdict}}}, "not_written": {missing}}}
        print(int(exit_code_of(SimpleNamespace(manifest=manifest))))
    """
    assert int(python(script).out) == code


GONE = """
    import shutil, sys
    from loadtest.keep.write import RunFolder

    writing, seen = RunFolder.writing, []

    def gone(self, interval):
        seen.append(interval)
        if len(seen) == 3:
            shutil.rmtree(self.path)
        yield from writing(self, interval)

    RunFolder.writing = gone
    from loadtest.cli import main
    code = main(sys.argv[1:])
    sys.stderr.write(f"{len(seen)} seconds")
    sys.exit(code)
"""


def test_a_folder_that_is_deleted_ends_the_run_and_does_not_cost_its_verdict(python: InProcess) -> None:
    ended = python(GONE, "run", "agent-burst", *quick("90s"), "--verbose")
    assert ended.code == 4, ended.screen
    shown = " ".join(ended.screen.split())
    assert "was deleted or moved during the run" in shown
    assert "reports could not be written" in shown
    assert "internal error" not in shown
    assert "do not add up" not in shown
    assert int(ended.err.rpartition("\n")[2].split()[0]) < 80


def test_the_manifest_is_there_from_the_first_second(python: InProcess) -> None:
    script = """
        import json, sys
        from loadtest.keep.read import read_run
        from loadtest.run.options import RunOptions
        from loadtest.run.prepare_run import prepare
        from loadtest.run.run_recorder import RunRecorder

        prepared = prepare(RunOptions(scenario="agent-burst", label="first"))
        recording = RunRecorder(prepared, ["loadtest", "run", "--token=word"], ["word"])
        run = read_run(recording.folder.path)
        print(json.dumps({"status": run.status, "manifest": run.manifest}))
    """
    ended = python(script)
    told = json.loads(ended.out)
    manifest = told["manifest"]
    assert told["status"] == manifest["status"] == "running"
    assert manifest["ended"] is None
    assert manifest["id"] == ended.folder.name
    assert manifest["target"]["simulated"] is True
    assert manifest["load"]["planned"]["turns_due"] == 1200
    assert "word" not in json.dumps(manifest["fingerprint"])


@pytest.mark.parametrize(
    ("server", "simulated"),
    [("loadtest-simulator/1 (SIMULATED)", True), ("nginx/1.27", False), (None, False)],
)
def test_a_simulator_that_somebody_else_started_says_so_itself(
    python: InProcess, server: str | None, simulated: object
) -> None:
    script = f"""
        import json
        from loadtest.drive.coordinator import DriveResult
        from loadtest.run.options import RunOptions
        from loadtest.run.prepare_run import prepare
        from loadtest.run.run_recorder import RunRecorder

        prepared = prepare(RunOptions(target="ws://127.0.0.1:1/ws", asked_by="p: part"))
        recording = RunRecorder(prepared, ["loadtest"], [])
        before = dict(recording.manifest["target"])
        server = {{"server": {server!r}, "subprotocol": None}}
        run = recording.close(DriveResult(observed={{"server": server}}), interrupted=False)
        print(json.dumps([before, run.manifest["target"], run.manifest["asked_by"]]))
    """
    before, after, asked_by = json.loads(python(script).out)
    assert before["simulated"] is False
    assert (after["simulated"], after["server"]) == (simulated, server)
    assert asked_by == "p: part"


def test_an_event_of_another_user_ends_the_run(python: InProcess) -> None:
    script = "import sys; from loadtest.cli import main; sys.exit(main(sys.argv[1:]))"
    with Simulator.start(faults=["leak=1"]) as simulator:
        ended = python(script, "run", "agent-burst", *quick("90s"), "--target", simulator.url)
    assert ended.code == 1, ended.screen
    assert ended.manifest["counts"]["events"]["foreign"] > 0
    assert ended.manifest["duration_s"] < 80
    assert {"aborted", "foreign_events"} <= ended.notices


@pytest.mark.parametrize("step", ["15.6ms"])
def test_a_coarse_clock_is_told(python: InProcess, step: str) -> None:
    script = "import sys; from loadtest.cli import main; sys.exit(main(sys.argv[1:]))"
    ended = python(script, "run", "agent-burst", *quick(), environment={"LOADTEST_CLOCK_STEP": step})
    assert ended.manifest["clock"]["step_ns"] == 15_600_000
    assert "clock_step_injected" in ended.notices
    first = ended.manifest["metrics"]["turn.first_event"]
    assert first["n"] == 100
    assert first["p50"] != 0


FAILING = """
    import sys
    import loadtest.show.progress as live

    def say(self, line):
        raise OSError(28, "No space left on device")

    live.LiveProgress._say = say
    from loadtest.cli import main
    sys.exit(main(sys.argv[1:]))
"""


def test_a_screen_that_fails_does_not_cost_the_run(python: InProcess) -> None:
    """As with a standard error on a full disk."""
    ended = python(FAILING, "run", "agent-burst", *quick("1s"))
    assert ended.manifest["status"] == "complete", ended.screen
    assert ended.manifest["counts"]["turns"]["complete"] > 0
    assert "the display of the run's progress failed" in (ended.folder / "run.log").read_text()
