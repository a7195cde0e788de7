"""A system of eight components as it is released, as it breaks, and as nobody knows it; with a history.

python -m tests.readiness.eight FOLDER     writes the pages of the three verdicts, to be looked at
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from loadtest.readiness.assessment import Assessment, IncidentRow, Monitoring, RouteRow
from loadtest.readiness.evidence import Evidence, Measure, distribution, shares
from loadtest.readiness.history import summary
from loadtest.readiness.policy import Policy
from loadtest.readiness.policy_file import load_policy
from loadtest.readiness.ready import judged
from loadtest.readiness.verdict import assess
from loadtest.readiness.views.dashboard import dashboard
from loadtest.readiness.views.formats import FILES, view
from loadtest.readiness.views.page_model import build_page
from loadtest.show.render.terminal import render
from tests.readiness.made import NOW

Found = Mapping[str, Evidence]


def timed(name: str, ms: float, at: float, what: str, *lines: str) -> Evidence:
    values = [ms * (0.7 + 0.02 * n) for n in range(20)]
    measures = {**distribution(name, values), **shares(20, 20)}
    said = f"20 of 20 answered, {name} {values[0]:.1f} ms to {values[-1]:.1f} ms"
    return Evidence("answered", said, at, "", measures, (what, *lines), took_s=0.6)


def counted(at: float, said: str, outcome: str, error: str = "", **numbers: float) -> Evidence:
    measures = {name.replace("__", "."): _measure(name, value) for name, value in numbers.items()}
    return Evidence(outcome, said, at, error, measures, (said,), took_s=0.4)  # type: ignore[arg-type] # of Outcome


def _measure(name: str, value: float) -> Measure:
    return Measure(value, "ratio" if name.endswith("ratio") else "count", 34)


def load_run(at: float) -> Evidence:
    measures = {
        "turn.first_event.p95": Measure(41.2, "ms", 1800),
        "turns.complete.ratio": Measure(1.0, "ratio", 1800),
        "connections.ready.peak": Measure(50, "count", 50),
        "rates.events_received_per_s": Measure(912.4, "per_s", 9124),
        "answered.ratio": Measure(1.0, "ratio", 1800),
    }
    lines = ("run 20250906T115930Z-agent-burst-ready-websocket against ws://127.0.0.1:8000/ws",)
    said = "50 connections ready, 1800 of 1800 turns complete"
    return Evidence("answered", said, at, "", measures, lines, took_s=14.2)


def well(at: float) -> dict[str, Evidence]:
    """Everything is as it should be."""
    return {
        "auth": timed("latency", 84.0, at, "GET http://127.0.0.1:8081/health", "uptime_seconds = 2373"),
        "backend": timed("latency", 122.0, at, "GET http://127.0.0.1:8000/health"),
        "websocket": load_run(at),
        "database": timed("query", 3.1, at, "SELECT 1 on postgresql at 127.0.0.1:5432"),
        "redis": timed("ping", 0.4, at, "PING to Redis at 127.0.0.1:6379"),
        "docker": counted(
            at, "2 of 2 services run, by docker compose ps", "answered", wanted=2, running=2, missing=0,
            unhealthy=0, restarts=0, running__ratio=1.0,
        ),
        "tests": counted(
            at - 5400, "34 of 34 tests passed (100 %)", "answered", should_run=34, passed=34, failed=0,
            passed__ratio=1.0,
        ),
        "machine": counted(
            at, "CPU 31.0 %, memory 48.2 % of 16 GiB, disk 61.0 % of 200 GiB", "answered", cpu__ratio=0.31,
            memory__ratio=0.482, disk__ratio=0.61,
        ),
    }  # fmt: skip


def go(at: float) -> dict[str, Evidence]:
    """One of the less important ones is slow."""
    return well(at) | {"redis": timed("ping", 14.0, at, "PING to Redis at 127.0.0.1:6379")}


def no_go(at: float) -> dict[str, Evidence]:
    """The backend has crashed, and its container with it; what is reached through it cannot be asked."""
    refused = "127.0.0.1:8000 refused the connection"
    exited = "backend: exited (exit code 137)"
    return well(at) | {
        "backend": Evidence("failed", refused, at, "refused", shares(0, 2), took_s=0.1),
        "websocket": Evidence("failed", "none of 50 connections was ever ready", at, "refused"),
        "docker": replace(
            counted(
                at, exited, "failed", "container", wanted=2, running=1, missing=0, unhealthy=0, restarts=3,
                running__ratio=0.5,
            ),
            issues=(exited,),
        ),
    }  # fmt: skip


def inconclusive(at: float) -> dict[str, Evidence]:
    """Our own password is wrong, and the tests are of last week."""
    said = "PostgreSQL did not accept our credential: password authentication failed for user app"
    old = counted(at - 9 * 86_400, "34 of 34 tests passed (100 %)", "answered", passed__ratio=1.0)
    return well(at) | {"database": Evidence("unasked", said, None, "credential"), "tests": old}


VERDICTS = {"go": go, "no-go": no_go, "inconclusive": inconclusive}


def history(policy: Policy) -> list[dict[str, object]]:
    """Seventy assessments, one a minute, in which the backend was down for a while and Redis slow."""
    rows = []
    for number in range(70):
        at = NOW - 60.0 * (70 - number)
        found = no_go(at) if 20 <= number < 24 else go(at) if 40 <= number < 47 else well(at)
        rows.append(summary(assess(policy, found, id=f"{number}", at=at)))
    return rows


def eight(name: str) -> Assessment:
    """The assessment of one of ``VERDICTS``."""
    policy = load_policy("ready-agent-platform", release="v1.4.2")
    rows = history(policy)
    found = judged(policy, VERDICTS[name](NOW), rows, "20250906T120000Z", begun=NOW - 15.6, now=NOW)
    return replace(found, by="ada@build-7", monitoring=monitoring(name))


def monitoring(name: str) -> Monitoring:
    """A watch that goes on beside it."""
    routes = (
        RouteRow("team", "slack", ("warning", "critical"), NOW - 30),
        RouteRow("on-call", "apprise", ("critical",), NOW - 3000),
    )
    broken = (IncidentRow("Backend API down", "critical", NOW - 45, "told"),) if name == "no-go" else ()
    return Monitoring(NOW, NOW + 12, 8, routes, broken, (), "a heartbeat every 60 s")


def main() -> int:
    """Write every view of each verdict."""
    for name in VERDICTS:
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        found = eight(name)
        for form in ("html", "pdf", "markdown"):
            (folder / FILES[form]).write_bytes(view(found, form))
        (folder / "screen.txt").write_text(render([build_page(found)], width=100, colour=True))
        shown = dashboard(
            found, ["sent to team: ALERT critical: Backend API down"], width=80, height=23, colour=True
        )
        (folder / "watch.txt").write_text(shown + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
