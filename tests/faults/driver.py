"""Runs, one after the other, in this process: ``python -m tests.faults.driver``.

Jobs come as one JSON list on standard input, each with ``{id, faults, seed, options, scenario, target, sets,
results}``; in ``target``, ``{port}`` is the simulator's. Each is a real run against a real simulator, both as
users have them, but for the reports and pictures that are made of it afterwards. For each a line of JSON is
written: ``{id, code, folder, stats, screen}``.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from loadtest.errors import Exit, LoadtestError
from loadtest.run import RunOptions
from loadtest.run import run_scenario as executing
from loadtest.simulator.process import Simulator, SimulatorError

ASKED_AGAIN = 5


def perform(job: dict[str, Any]) -> dict[str, Any]:
    """One run, with what the simulator says of it."""
    screen = io.StringIO()
    results = Path(job["results"]) / job["id"]
    with (
        Simulator.start(faults=job["faults"], seed=job["seed"], **job["options"]) as simulator,
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(screen),
    ):
        options = RunOptions(
            scenario=job["scenario"],
            target=job["target"].format(port=simulator.port),
            sets=tuple(job["sets"]),
            results=str(results),
            quiet=True,
        )
        try:
            code = int(executing.execute(options))
        except LoadtestError as error:
            screen.write(str(error))
            code = int(error.exit_code)
        except Exception:
            # A run that crashes must not take the others with it: its test tells.
            screen.write(traceback.format_exc())
            code = int(Exit.INTERNAL)
        stats = _stats(simulator)
    folders = sorted(results.iterdir()) if results.exists() else []
    folder = str(folders[0]) if folders else None
    return {"id": job["id"], "code": code, "folder": folder, "stats": stats, "screen": screen.getvalue()}


def _stats(simulator: Simulator) -> dict[str, Any]:
    """What the simulator counted; one that freezes answers when it is awake."""
    for _ in range(ASKED_AGAIN):
        with contextlib.suppress(SimulatorError):
            return simulator.stats()
    return simulator.stats()


def main() -> None:
    """Perform every job."""
    # What is looked at was written before: the pictures would cost as much time as the runs.
    vars(executing)["show_run"] = lambda *_args, **_options: None
    for job in json.load(sys.stdin):
        sys.stdout.write(json.dumps(perform(job)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
