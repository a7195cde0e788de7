"""What tests of faults share: runs made together, before the first of them is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.faults.running import Found, Job, run_all

Look = Callable[[Job], Found]


def pytest_configure(config: pytest.Config) -> None:
    """The mark by which a test names the runs that it looks at."""
    config.addinivalue_line("markers", "jobs(*jobs): the runs that a test of faults looks at")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Seventy runs take most of a minute: whatever looks at one is long."""
    for item in items:
        if item.get_closest_marker("jobs"):
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="module")
def look(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Look:
    """What a job left. All jobs of a file's tests run together, before the first is looked at.

    A test names its jobs in its mark: ``@pytest.mark.jobs(job, ...)``. Not those of every file: each file may
    have a process of its own, which would run the jobs of the others again.
    """
    of_the_file = [item for item in request.session.items if item.path == request.path]
    asked = [job for item in of_the_file for mark in item.iter_markers("jobs") for job in mark.args]
    found: Mapping[str, Found] = run_all(asked, tmp_path_factory.mktemp("faults"))

    def look_at(job: Job) -> Found:
        one = found[job.id]
        assert one.code not in {2, 70}, one.screen
        return one

    return look_at
