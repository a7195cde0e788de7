"""How long a probe may take where its policy does not say: a slow component is judged by all its samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.readiness.assessment import ComponentRow
from tests.readiness.made import assessed, policy
from tests.readiness.probes.test_tries import tried

HTTP = 'probe = "http"\nurl = "http://127.0.0.1:1/"\n'
LEVELS = 'levels = { "latency.p95" = { warn = "> 500ms", critical = "> 1s" } }\n'
SOCKET = 'probe = "websocket"\nscenario = "agent-burst"\n'
COMMAND = 'probe = "command"\ncommand = ["x"]\n'


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (HTTP, 10),
        (HTTP + LEVELS, 21),
        (HTTP + "samples = 3\n" + LEVELS, 10),
        (HTTP + "samples = 1000\n" + LEVELS, 60),
        (HTTP + LEVELS + 'timeout = "4s"\n', 4),
        (HTTP + 'levels = { "answered.ratio" = { warn = "< 99%" } }\n', 10),
        (COMMAND, 10),
        (COMMAND + 'levels = { "took.max" = { critical = "> 20s" } }\n', 40),
        (SOCKET, 120),
        (SOCKET + 'duration = "10s"\n', 70),
        (SOCKET + 'duration = "ten"\n', 120),
        (SOCKET + 'duration = "10s"\ncount = 3\n', 210),
        (SOCKET + 'duration = "10s"\ncount = 3\nlook_every = "5m"\n', 670),
        (SOCKET + 'release = "label"\n', 10),
    ],
)
def test_the_time_covers_the_samples_and_the_looks_that_were_asked_for(
    tmp_path: Path, text: str, seconds: float
) -> None:
    read = policy(tmp_path, f"[components.api]\n{text}")
    assert read.component("api").timeout_s == seconds


def judged(folder: Path, each_s: float, more: str = "") -> ComponentRow:
    read = policy(folder, f"[components.api]\n{HTTP}{LEVELS}{more}")
    within_s = read.component("api").timeout_s
    return assessed(read, api=tried([(each_s, None)], within_s=within_s)).components[0]


@pytest.mark.parametrize(
    ("each_s", "status"),
    [(0.1, "healthy"), (0.499, "healthy"), (0.7, "degraded"), (1.0, "degraded"), (1.1, "down")],
)
def test_answers_as_slow_as_a_level_are_judged_by_it(tmp_path: Path, each_s: float, status: str) -> None:
    assert judged(tmp_path, each_s).status == status


def test_where_the_policy_gives_too_little_time_the_report_says_what_is_known(tmp_path: Path) -> None:
    row = judged(tmp_path, 0.7, 'timeout = "10s"\n')
    assert row.status == "unknown"
    assert "there was time for only 14 of 20 samples" in row.why
    assert "latency.p95 is at least 700 ms, but could not be judged" in row.why
