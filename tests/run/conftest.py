"""Importing Locust patches the standard library: what needs its patches runs in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from textwrap import dedent

import pytest

import tests.unpatched  # noqa: F401 - before whatever imports Locust
from tests.end_to_end.conftest import Launch, launch, run
from tests.end_to_end.running import Ended

__all__ = ["launch", "run"]

InProcess = Callable[..., Ended]


@pytest.fixture
def python(launch: Launch) -> InProcess:
    """Run a script in a fresh interpreter; its ``sys.argv[1:]`` are the words."""

    def in_process(script: str, *words: str, **options: object) -> Ended:
        return launch(*words, command=(sys.executable, "-c", dedent(script)), **options).end()

    return in_process
