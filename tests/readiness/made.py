"""Policies and evidence as the tests need them."""

from __future__ import annotations

from pathlib import Path

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.evidence import Evidence, Measure, distribution, shares
from loadtest.readiness.policy import Policy
from loadtest.readiness.policy_file import load_policy
from loadtest.readiness.system_health import Before
from loadtest.readiness.verdict import assess

NOW = 1_757_160_000.0

SMALL = """# May it go?
[components.api]
probe = "http"
url = "http://127.0.0.1:1/health"
levels = { "latency.p95" = { warn = "> 500ms", critical = "> 1s" } }
[components.store]
probe = "redis"
url = "redis://127.0.0.1:1"
through = ["api"]
[components.extra]
probe = "tcp"
host = "127.0.0.1"
port = 1
priority = "optional"
[functions.chat]
needs = ["api", "store"]
users = "90%"
value = "90%"
[functions.look]
needs = ["extra"]
users = "20%"
value = "10%"
impact = "minor"
[[criteria]]
title = "fast"
component = "api"
measure = "latency.p95"
expect = "< 500ms"
[[criteria]]
title = "stored"
component = "store"
[[gates]]
fact = "health.overall"
expect = ">= 80%"
[[triggers]]
title = "half"
fact = "health.overall"
when = "< 50%"
[[triggers]]
title = "row"
fact = "failures.in_a_row"
when = ">= 5"
"""


def policy(folder: Path, text: str = SMALL) -> Policy:
    path = folder / "policy.toml"
    path.write_text(text, "utf-8")
    return load_policy(path)


def up(name: str = "latency", ms: float = 20.0, n: int = 20, at: float = NOW) -> Evidence:
    return Evidence(
        "answered", "answered", at, "", {**distribution(name, [ms] * n), **shares(n, n)}, ("seen",)
    )


def down(error: str = "refused", at: float = NOW) -> Evidence:
    return Evidence("failed", "refused the connection", at, error, shares(0, 2))


def unasked(error: str = "driver") -> Evidence:
    return Evidence("unasked", "the driver is missing", None, error)


def counted(**numbers: int) -> dict[str, Measure]:
    return {name: Measure(n, "count", n) for name, n in numbers.items()}


def assessed(policy: Policy, before: int = 0, at: float = NOW, **found: Evidence) -> Assessment:
    return assess(policy, found, id="20250906T120000Z", at=at, took_s=1.5, before=Before(before))
