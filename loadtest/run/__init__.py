"""One run from plan to report: joins drive, keep, judge and show. Importing this room loads no Locust."""

from __future__ import annotations

from loadtest.plan.scenario_file import load_scenario
from loadtest.run.options import RunOptions

__all__ = ["RunOptions", "execute"]


def execute(options: RunOptions) -> int:
    """Run a scenario and return the exit code; see ``run.run_scenario``."""
    # Read before Locust is imported, which takes half a second: a typing mistake is reported at once.
    scenario = load_scenario(options.scenario, options.overrides)
    from loadtest.run.run_scenario import execute as run

    return run(options, scenario)


def work(master: str, *, child: bool = False) -> int:
    """Join a distributed run as a worker; see ``run.worker``."""
    from loadtest.run.worker import work as join

    return join(master, child=child)
