"""One run from plan to report: joins drive, keep, judge and show. Importing this room loads no Locust."""

from __future__ import annotations

import os

from loadtest.plan.scenario_file import load_scenario
from loadtest.run.options import RunOptions, key_of

__all__ = ["RunOptions", "execute"]


def execute(options: RunOptions) -> int:
    """Run a scenario and return the exit code; see ``run.run_scenario``."""
    # Read before Locust is imported, which takes half a second: a typing mistake is reported at once.
    scenario = load_scenario(options.scenario, options.overrides)
    from loadtest.run.run_scenario import execute as run

    return run(options, scenario)


def work(master: str, key_env: str | None = None) -> int:
    """Join a distributed run as a worker; see ``run.worker``."""
    key = key_of(key_env, os.environ)
    from loadtest.run.worker import work as join

    return join(master, key)
