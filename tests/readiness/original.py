"""The situation of the report that was once written by hand, as evidence.

Auth up, backend down, containers created but not running, 29 of 34 tests, the database reached only through
the backend.
"""

from __future__ import annotations

import os
from pathlib import Path

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.evidence import Evidence, distribution, shares
from loadtest.readiness.policy_file import load_policy
from loadtest.readiness.probe import ContainersProbe, JunitProbe
from loadtest.readiness.probes.containers import probe_containers
from loadtest.readiness.probes.junit import probe_tests
from loadtest.readiness.probes.probe_context import ProbeContext
from loadtest.readiness.verdict import assess
from tests.readiness.made import NOW

POLICY = """# May the platform of 2025-09-06 be released?
name = "original"
[components.auth]
title = "Auth service"
probe = "http"
url = "http://127.0.0.1:8081/health"
[components.backend]
title = "Backend API"
probe = "http"
url = "http://127.0.0.1:8000/health"
levels = { "latency.p95" = { warn = "> 500ms", critical = "> 1s" } }
remedy = "start it: docker compose up -d backend"
[components.websocket]
title = "WebSocket tests"
probe = "tests"
files = ["junit.xml"]
expected = 34
priority = "important"
score = "passed.ratio"
levels = { "passed.ratio" = { warn = "< 90%", critical = "< 70%" } }
[components.database]
title = "Database"
probe = "database"
url = "postgresql://app@127.0.0.1/app"
through = ["backend"]
[components.docker]
title = "Containers"
probe = "containers"
services = ["auth", "backend"]
[functions.chat]
title = "Chat"
needs = ["backend"]
users = "90%"
value = "90%"
[functions.login]
title = "Authentication"
needs = ["auth"]
users = "100%"
value = "5%"
[functions.data]
title = "Persistence"
needs = ["database"]
users = "30%"
value = "5%"
impact = "moderate"
[[criteria]]
title = "auth operational"
component = "auth"
[[criteria]]
title = "backend within 500 ms"
component = "backend"
measure = "latency.p95"
expect = "< 500ms"
[[criteria]]
title = "database queries within 50 ms"
component = "database"
measure = "query.p95"
expect = "< 50ms"
[[criteria]]
title = "Docker stable"
component = "docker"
[[criteria]]
title = "at least 90 % of the tests"
component = "websocket"
measure = "passed.ratio"
expect = ">= 90%"
[[triggers]]
title = "three critical components failed"
fact = "components.critical.failed"
when = ">= 3"
[[triggers]]
title = "overall health below a half"
fact = "health.overall"
when = "< 50%"
[[triggers]]
title = "business impact critical"
fact = "impact.business"
when = ">= critical"
[[triggers]]
title = "more than 75 % of the users"
fact = "impact.users"
when = "> 75%"
[[triggers]]
title = "five failures in a row"
fact = "failures.in_a_row"
when = ">= 5"
[rollback]
command = ["deploy", "rollback", "--to", "last-good"]
"""


def junit(passed: int, failed: int) -> str:
    cases = [f'<testcase classname="t" name="p{n}" time="0.2"/>' for n in range(passed)]
    cases += [
        f'<testcase classname="t" name="f{n}" time="0.2"><failure message="no"/></testcase>'
        for n in range(failed)
    ]
    suite = f'<testsuite name="pytest" tests="{passed + failed}">{"".join(cases)}</testsuite>'
    return f"<testsuites>{suite}</testsuites>"


LISTING = (
    '{"Name":"app-auth-1","Service":"auth","State":"created","Status":"Created","Health":"","ExitCode":0}\n'
    '{"Name":"app-backend-1","Service":"backend","State":"created","Status":"Created","Health":"","ExitCode":0}\n'
)


def original(folder: Path) -> Assessment:
    (folder / "policy.toml").write_text(POLICY, "utf-8")
    (folder / "junit.xml").write_text(junit(29, 2), "utf-8")
    (folder / "ps.json").write_text(LISTING, "utf-8")
    for name in ("junit.xml", "ps.json"):
        os.utime(folder / name, (NOW, NOW))
    policy = load_policy(folder / "policy.toml")
    context = ProbeContext(folder, {}, folder, 1e18)
    latencies = [100.0 + n for n in range(20)]
    found = {
        "auth": Evidence("answered", "20 of 20 answered, latency 100 ms to 119 ms", NOW, "",
                         {**distribution("latency", latencies), **shares(20, 20)},
                         ("GET http://127.0.0.1:8081/health", "uptime_seconds = 2373")),
        "backend": Evidence("failed", "127.0.0.1:8000 refused the connection", NOW, "refused", shares(0, 2)),
        "database": Evidence("failed", "PostgreSQL cannot be reached", NOW, "refused"),
        "websocket": probe_tests(JunitProbe(("junit.xml",), 34), context),
        "docker": probe_containers(ContainersProbe("ps.json", None, ("auth", "backend")), context),
    }  # fmt: skip
    return assess(policy, found, id="20250906T120000Z", at=NOW, took_s=3.0)
